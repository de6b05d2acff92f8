//! The inventory on disk: restored at the start, saved after each change and at the end.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};
use tracing::{error, info, warn};

use super::setup::Setup;
use crate::collector::{Clock, SharedInventory};
use crate::core::inventory::Snapshot;
use crate::exposition::program::Program;
use crate::storage::{Claimed, Loaded, Store, encode};

/// After a save, so many times what it took is not saved again, so that at most a twentieth of the time goes into saving,
/// however large the file and slow the disk. A change is saved at once otherwise: what is on disk must never be older than
/// one collection, whenever the process is killed.
const REST: u32 = 19;

/// The longest such pause: no collection ends without being saved before the next of its source is due.
const LONGEST_REST: Duration = Duration::from_secs(10);

/// After a failure, when it is tried again although nothing has changed: there may be room again.
const AGAIN: Duration = Duration::from_secs(60);

/// Keeps the inventory.
#[derive(Clone)]
pub(super) struct Keeper {
    pub(super) store: Arc<Store>,
    pub(super) inventory: SharedInventory,
    pub(super) program: Arc<Program>,
    pub(super) clock: Clock,
}

impl Keeper {
    /// Claims the place for this process. Whether another has it. A place that cannot be used is a warning: there is work to
    /// do without it, and saving tries again.
    pub(super) fn is_taken(&self) -> bool {
        match self.store.claim() {
            Ok(Claimed::Taken) => return true,
            Ok(Claimed::Ours) => {}
            Ok(Claimed::Unguarded(why)) => {
                let file = self.store.file();
                warn!(file = %file.display(), "the storage path cannot be locked, so nothing keeps a second process away: {why}");
            }
            Err(unusable) => {
                self.program.storage_failed();
                error!("the inventory will not be kept: {unusable}");
            }
        }
        false
    }

    /// Takes in what an earlier process knew, as far as the configuration names it. Whether there was anything. A file that
    /// cannot be used is a warning: there is work to do without it.
    pub(super) fn restore(&self, setup: &Setup) -> bool {
        let file = self.store.file();
        let file = file.display();
        match self.store.load::<Snapshot<'static>>() {
            Ok(Loaded::Found(snapshot)) => {
                let mut inventory = self.inventory.write().unwrap_or_else(PoisonError::into_inner);
                inventory.set_policy(setup.policies.clone(), Arc::clone(&setup.rules));
                inventory.restore(snapshot);
                info!(%file, "the inventory of before is restored");
                return true;
            }
            Ok(Loaded::Nothing) => info!(%file, "there is no inventory of before"),
            Ok(Loaded::SetAside { why, to }) => {
                self.program.storage_failed();
                warn!(%file, to = %to.display(), "the inventory of before cannot be used and was set aside: {why}");
            }
            Err(unusable) => {
                self.program.storage_failed();
                error!("the inventory of before is not restored: {unusable}");
            }
        }
        false
    }

    /// Saves after changes until told to stop, and then what has changed since.
    pub(super) async fn follow(self, mut revision: watch::Receiver<u64>, mut stop: oneshot::Receiver<()>) {
        let mut works = true;
        loop {
            let again = async {
                match works {
                    true => std::future::pending().await,
                    false => sleep(AGAIN).await,
                }
            };
            tokio::select! {
                _ = &mut stop => break,
                changed = revision.changed() => if changed.is_err() { break },
                () = again => {}
            }
            let begun = Instant::now();
            revision.mark_unchanged();
            works = self.save_and_tell(works).await;
            tokio::select! {
                _ = &mut stop => break,
                () = sleep(rest(begun.elapsed())) => {}
            }
        }
        // Its sender may be gone: then nobody knows.
        if !works || revision.has_changed().unwrap_or(true) {
            self.save_and_tell(works).await;
        }
    }

    /// Saves, and tells where that begins or ceases to work. Whether it works.
    async fn save_and_tell(&self, worked: bool) -> bool {
        let keeper = self.clone();
        let saved = match spawn_blocking(move || keeper.save()).await {
            Ok(saved) => saved,
            Err(_) => Err("the saving broke off: a fault of this program".to_owned()),
        };
        match &saved {
            Ok(()) if !worked => info!("the inventory is saved again"),
            Ok(()) => {}
            Err(why) => {
                self.program.storage_failed();
                if worked {
                    error!("the inventory is not saved, and a restart would begin without it: {why}");
                }
            }
        }
        saved.is_ok()
    }

    fn save(&self) -> Result<(), String> {
        let encoded = {
            let inventory = self.inventory.read().unwrap_or_else(PoisonError::into_inner);
            let snapshot = inventory.snapshot();
            if snapshot.is_empty() {
                // Nothing is known yet. What an earlier process knew, and could not be read, is not worth less.
                return Ok(());
            }
            encode(&snapshot, (self.clock)())
        };
        // A snapshot is plain data: there is nothing in it that JSON cannot hold.
        let encoded = encoded.map_err(|error| format!("no JSON can be made of it: {error}"))?;
        self.store.save(&encoded).map_err(|unusable| unusable.to_string())
    }
}

/// For how long nothing is saved after a save that took so long.
fn rest(took: Duration) -> Duration {
    (took * REST).min(LONGEST_REST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_twentieth_of_the_time_goes_into_saving_but_none_waits_for_long() {
        for (took, expected) in [(0, 0), (4, 76), (500, 9_500), (600, 10_000), (60_000, 10_000)] {
            assert_eq!(rest(Duration::from_millis(took)), Duration::from_millis(expected), "{took}");
        }
    }
}
