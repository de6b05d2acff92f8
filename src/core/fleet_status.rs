//! What this process knows about the replicas and the store that they share, for metrics and pages.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use parking_lot::RwLock;

use super::label_values::label_values;
use super::schedule::Counts;

pub type SharedFleetStatus = Arc<RwLock<FleetStatus>>;

label_values! {
    /// A request to the store.
    pub enum Operation {
        List = "list",
        Get = "get",
        Put = "put",
        Delete = "delete",
    }
}

/// The fleet, as this replica sees it.
#[derive(Clone, Debug, Default)]
pub struct FleetStatus {
    /// The name of this replica.
    pub replica: String,
    /// Whether the last look at the store was successful.
    pub is_up: bool,
    /// When the store was last read.
    pub last_seen: Option<DateTime<Utc>>,
    /// Whether everything in the store was read once.
    pub is_complete: bool,
    /// The replicas that are alive, with this one.
    pub members: Vec<String>,
    /// The sources that this replica should collect.
    pub preferred_sources: usize,
    pub counts: Counts,
    /// Requests to the store, and whether they succeeded.
    pub requests: BTreeMap<(Operation, bool), u64>,
    /// The replica that last collected each source.
    pub holders: BTreeMap<String, String>,
}
