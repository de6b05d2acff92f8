//! Several replicas that share a store: each collects a part of the sources, and serves all of them.
//!
//! [`look`] reads what others have written, [`collect`] collects with a claim, and [`objects`] has the content of the store.

mod collect;
pub(super) mod look;
mod objects;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tracing::warn;

use super::Shared;
use crate::core::fleet_status::{Operation, SharedFleetStatus};
use crate::core::inventory::StoredState;
use crate::core::schedule::version::Version;
use crate::core::schedule::{Claim, Put, Times};
use crate::storage::shared::{SharedStore, StoreError};
use objects::{Objects, member};

/// How long collections may go on at a stop, and then the store may take to release their claims.
const GRACE_PERIOD: Duration = Duration::from_secs(10);

/// The states and tokens that are read at the same time.
const MAX_READS: usize = 8;

/// How this replica takes part.
#[derive(Clone)]
pub struct FleetOptions {
    pub store: Arc<dyn SharedStore>,
    /// The name of this process, which no other process ever has.
    pub replica: String,
    /// The version of this program.
    pub version: &'static str,
    /// Objects of an installation with another name are not used.
    pub installation: String,
    pub times: Times,
    /// What metrics and pages show.
    pub status: SharedFleetStatus,
}

pub(super) struct Fleet {
    objects: Objects,
    version: &'static str,
    times: Times,
    status: SharedFleetStatus,
    reads: Arc<Semaphore>,
    /// What the store has of each source.
    known: Mutex<BTreeMap<String, Known>>,
    clock: Mutex<StoreClock>,
}

/// What is known of the tokens of a source.
#[derive(Clone, Debug, Default)]
struct Known {
    /// The tokens of this revision of the inventory are in the object with this name.
    blob: Option<(u64, String)>,
    /// The state that was adopted last.
    state: Option<StoredState>,
    /// A state whose tokens are missing.
    incomplete: Option<Version>,
}

/// The store's clock, as far as it is known.
#[derive(Clone, Copy, Debug, Default)]
struct StoreClock {
    /// When the member was last put: by the clock of this machine, and since the start.
    beat: Option<(DateTime<Utc>, Duration)>,
    beats: u64,
    /// How far the store's clock is ahead.
    ahead: TimeDelta,
}

/// A difference of the clocks up to this is latency.
const CLOCK_TOLERANCE: TimeDelta = TimeDelta::seconds(5);

impl StoreClock {
    fn time(&self, local: DateTime<Utc>) -> DateTime<Utc> {
        if self.ahead.abs() <= CLOCK_TOLERANCE { local } else { local + self.ahead }
    }
}

impl Fleet {
    pub(super) fn new(options: FleetOptions) -> Self {
        let FleetOptions { store, replica, version, installation, times, status } = options;
        let objects = Objects { store, replica, installation, status: Arc::clone(&status) };
        Self {
            objects,
            version,
            times,
            status,
            reads: Arc::new(Semaphore::new(MAX_READS)),
            known: Mutex::default(),
            clock: Mutex::default(),
        }
    }

    /// Leaves the fleet: others take over at once. Then waits for collections that are about to finish.
    pub(super) async fn leave(&self, shared: &Shared) {
        if let Err(error) = self.objects.delete(&member(&self.objects.replica)).await {
            warn!(%error, "cannot leave the fleet; other replicas notice it later");
        }
        let all_finished = async {
            while shared.running.lock().values().any(|task| !task.is_finished()) {
                sleep(Duration::from_millis(100)).await;
            }
        };
        // What is not finished is released.
        drop(timeout(GRACE_PERIOD, all_finished).await);
    }

    /// Releases claims: their sources are due at once, for any replica.
    pub(super) async fn release(&self, shared: &Shared, claims: Vec<(String, Claim)>) {
        let releases = claims.iter().map(|(name, claim)| {
            let put = Put { over: Some(claim.version().clone()), turn: claim.release(rand::random()) };
            self.objects.put_state(shared, name, put)
        });
        // Without a response the claims expire.
        drop(timeout(GRACE_PERIOD, join_all(releases)).await);
    }

    /// Updates what metrics and pages show.
    fn update_status(&self, shared: &Shared) {
        let now = shared.now();
        let schedule = shared.schedule.lock();
        let mut status = self.status.write();
        status.is_up = !schedule.is_failing() && status.last_seen.is_some();
        status.is_complete = schedule.is_complete();
        status.members = schedule.members(now);
        status.preferred_sources = schedule.preferred_sources(now);
        status.counts = schedule.counts();
        status.holders = shared
            .jobs
            .lock()
            .keys()
            .filter_map(|name| Some((name.clone(), schedule.holder(name)?.to_owned())))
            .collect();
    }
}

/// Counts a request to the store.
fn count<T>(status: &SharedFleetStatus, operation: Operation, result: &Result<T, StoreError>) {
    *status.write().requests.entry((operation, result.is_ok())).or_default() += 1;
}
