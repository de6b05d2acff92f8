//! The inventory on disk: restored at the start, saved after each change and at the end.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};
use tracing::{error, info, warn};

use super::setup::Setup;
use crate::core::clock::Clock;
use crate::core::inventory::SharedInventory;
use crate::core::inventory::Snapshot;
use crate::exposition::program::ExporterMetrics;
use crate::storage::{Loaded, Lock, Store, encode};

/// After a save, so many times what it took is not saved again, so that at most a twentieth of the time goes into saving,
/// however large the file and slow the disk. A change is saved at once otherwise: what is on disk must never be older than
/// one collection, whenever the process is killed.
const REST: u32 = 19;

/// The longest such pause.
const LONGEST_REST: Duration = Duration::from_secs(10);

/// Nor is it ever longer than this part of the shortest interval: a collection must be on disk before the next one of its
/// source ends.
const PART_OF_INTERVAL: u32 = 4;

/// After a failure, when it is tried again although nothing has changed: there may be room again.
const AGAIN: Duration = Duration::from_secs(60);

/// Keeps the inventory.
#[derive(Clone)]
pub(super) struct Persistence {
    pub(super) store: Arc<Store>,
    pub(super) inventory: SharedInventory,
    pub(super) program: Arc<ExporterMetrics>,
    pub(super) clock: Clock,
}

impl Persistence {
    /// Claims the place for this process. Whether another has it. A place that cannot be used is a warning: there is work to
    /// do without it, and saving tries again.
    pub(super) fn is_taken(&self) -> bool {
        match self.store.claim() {
            Ok(Lock::Taken) => return true,
            Ok(Lock::Ours) => {}
            Ok(Lock::Unguarded(why)) => {
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
                let mut inventory = self.inventory.write();
                inventory.set_policy(setup.policies.clone(), Arc::clone(&setup.rules));
                inventory.restore(snapshot);
                info!(%file, "the inventory of before is restored");
                return true;
            }
            Ok(Loaded::Nothing) => info!(%file, "there is no inventory of before"),
            Ok(Loaded::Quarantined { why, to }) => {
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
                () = sleep(rest(begun.elapsed(), self.shortest_interval())) => {}
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

    fn shortest_interval(&self) -> Duration {
        let inventory = self.inventory.read();
        let shortest = inventory.sources().map(|(_, source)| source.policy.interval).min();
        shortest.and_then(|shortest| shortest.to_std().ok()).unwrap_or(Duration::MAX)
    }

    fn save(&self) -> Result<(), String> {
        let encoded = {
            let inventory = self.inventory.read();
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
fn rest(took: Duration, shortest_interval: Duration) -> Duration {
    (took * REST).min(LONGEST_REST).min(shortest_interval / PART_OF_INTERVAL)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;
    use std::fs;
    use std::path::Path;

    use chrono::{TimeDelta, Utc};
    use parking_lot::RwLock;

    use super::*;
    use crate::core::failure::{Failure, Reason};
    use crate::core::inventory::{Inventory, Policy};
    use crate::core::lead::Lead;
    use crate::core::outcome::Outcome;
    use crate::exposition::program::Build;

    #[test]
    fn a_twentieth_of_the_time_goes_into_saving_but_none_waits_for_long() {
        let ms = Duration::from_millis;
        for (took, interval, expected) in [
            (0, 900_000, 0),
            (4, 900_000, 76),
            (500, 900_000, 9_500),
            (600, 900_000, 10_000),
            (60_000, 900_000, 10_000),
            (4, 1_000, 76),
            (500, 1_000, 250),
        ] {
            assert_eq!(rest(ms(took), ms(interval)), ms(expected), "{took} {interval}");
        }
    }

    fn policy() -> Policy {
        Policy {
            provider: "p".to_owned(),
            listings: vec!["l".to_owned()],
            interval: TimeDelta::hours(1),
            lead: Lead { warning: TimeDelta::zero(), critical: TimeDelta::zero() },
            min_lifetime: TimeDelta::zero(),
            expired_retention: TimeDelta::zero(),
            token_limit: 1,
            max_lifetime: None,
            unused_after: None,
            without_replacement: Vec::new(),
        }
    }

    fn keeper(folder: &Path) -> Persistence {
        Persistence {
            store: Arc::new(Store::new(folder)),
            inventory: Arc::new(RwLock::new(Inventory::default())),
            program: Arc::new(ExporterMetrics::new(Build { version: "", revision: "" }, (1, 1)).unwrap()),
            clock: Arc::new(Utc::now),
        }
    }

    fn attempt(keeper: &Persistence) {
        let failed = Outcome::failed(&["l".to_owned()], &Failure::new(Reason::Connect, "x"));
        keeper.inventory.write().record("s", failed, Utc::now(), Utc::now());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_known_is_saved_at_once_and_what_failed_is_tried_again_although_nothing_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("inventory");
        // In the place of the folder: nothing can be saved.
        fs::write(&path, "").unwrap();
        let keeper = keeper(&path);
        let file = keeper.store.file();
        keeper.inventory.write().set_policy(BTreeMap::from([("s".to_owned(), policy())]), Arc::new([]));
        let (revision, followed) = watch::channel(0);
        let (_stop, stops) = oneshot::channel();
        tokio::spawn(keeper.clone().follow(followed, stops));

        attempt(&keeper);
        revision.send_modify(|revision| *revision += 1);
        sleep(Duration::from_secs(1)).await;
        fs::remove_file(&path).unwrap();
        sleep(AGAIN / 2).await;
        assert!(!file.exists(), "nothing has changed");
        sleep(AGAIN).await;
        assert!(file.exists(), "there is room again");

        fs::remove_file(&file).unwrap();
        revision.send_modify(|revision| *revision += 1);
        sleep(Duration::from_millis(1)).await;
        assert!(file.exists(), "a change is saved at once");
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_known_takes_no_file_s_place_and_a_stop_saves_what_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let keeper = keeper(folder.path());
        let file = keeper.store.file();
        keeper.inventory.write().set_policy(BTreeMap::from([("s".to_owned(), policy())]), Arc::new([]));
        let (revision, followed) = watch::channel(0);
        let (stop, stops) = oneshot::channel();
        let following = tokio::spawn(keeper.clone().follow(followed, stops));
        revision.send_modify(|revision| *revision += 1);
        sleep(Duration::from_secs(60)).await;
        assert!(!file.exists(), "no source was attempted");
        attempt(&keeper);
        revision.send_modify(|revision| *revision += 1);
        drop(stop);
        following.await.unwrap();
        assert!(file.exists());
    }
}
