//! Joins the replicas that share a store.

use std::fs;
use std::sync::Arc;

use tracing::{info, warn};

use super::{BUILD, RunError, SharedStoreOptions, WhenLost};
use crate::collector::FleetOptions;
use crate::core::schedule::Times;
use crate::storage::file_name::file_name;
use crate::storage::shared::{StoreError, prepare};

/// Checks the store and names this replica. A store that does not respond is not an error: the exporter is not ready until it does.
///
/// # Errors
/// If the store cannot be used: it has no conditional puts, a permission is missing, or the prefix belongs to another installation.
pub(super) async fn join(options: SharedStoreOptions) -> Result<FleetOptions, RunError> {
    let SharedStoreOptions { store, name, installation, when_lost, poll } = options;
    let replica = replica();
    match prepare(&*store, &replica, &installation).await {
        Ok(()) => info!(store = name, replica, "shared store available"),
        Err(error @ StoreError::Unavailable(_)) => {
            warn!(store = name, "shared store not available; nothing is collected until it is: {error}");
        }
        Err(error) => return Err(RunError::SharedStore(error.to_string())),
    }
    let times = Times::new(poll, when_lost == WhenLost::Hold);
    Ok(FleetOptions { store, replica, version: BUILD.version, installation, times, status: Arc::default() })
}

/// The host name and a random part, so that a restart is another replica.
fn replica() -> String {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}-{:08x}", file_name(host.trim()), rand::random::<u32>())
}
