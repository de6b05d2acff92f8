//! The persisted inventory: restored at the start, saved after each change and at shutdown.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};
use tracing::{error, info, warn};

use super::RunError;
use super::setup::Setup;
use crate::core::clock::Clock;
use crate::core::inventory::{SharedInventory, Snapshot};
use crate::exposition::exporter::ExporterMetrics;
use crate::storage::{Loaded, Lock, Store, encode};

/// After a save, the next one waits this multiple of its duration: at most a twentieth of the time goes into saving, however
/// large the file and slow the disk. Otherwise a change is saved at once.
const PAUSE_FACTOR: u32 = 19;

const MAX_PAUSE: Duration = Duration::from_secs(10);

/// The pause is at most this fraction of the shortest interval: a collection is on disk before the next one of its source
/// finishes, so a kill loses at most one collection.
const INTERVAL_FRACTION: u32 = 4;

/// After a failure, when to retry even if nothing has changed: the disk may have space again.
const RETRY_INTERVAL: Duration = Duration::from_secs(60);

#[derive(Clone)]
pub(super) struct Persistence {
    directory: PathBuf,
    store: Arc<Store>,
    inventory: SharedInventory,
    program: Arc<ExporterMetrics>,
    clock: Clock,
}

impl Persistence {
    pub(super) fn new(
        directory: &Path,
        inventory: &SharedInventory,
        program: &Arc<ExporterMetrics>,
        clock: &Clock,
    ) -> Self {
        Self {
            directory: directory.to_owned(),
            store: Arc::new(Store::new(directory)),
            inventory: Arc::clone(inventory),
            program: Arc::clone(program),
            clock: Arc::clone(clock),
        }
    }

    /// Locks the directory and restores the inventory, except sources that are no longer configured. Whether there was one. An
    /// unusable directory or file is logged and counted, not an error: the exporter works without it, and saving retries.
    ///
    /// # Errors
    /// If another process has locked the directory.
    pub(super) fn restore(&self, setup: &Setup) -> Result<bool, RunError> {
        let file = self.store.file();
        let file = file.display();
        match self.store.lock() {
            Ok(Lock::Acquired) => {}
            Ok(Lock::Taken) => return Err(RunError::StorageInUse(self.directory.clone())),
            Ok(Lock::Unsupported(why)) => {
                warn!(%file, "cannot lock the storage path; another process could write to it: {why}");
            }
            Err(unusable) => {
                self.program.storage_failed();
                error!("cannot use the storage path; the inventory is not persisted: {unusable}");
            }
        }
        match self.store.load::<Snapshot<'static>>() {
            Ok(Loaded::Found(snapshot)) => {
                let mut inventory = self.inventory.write();
                inventory.set_policy(setup.policies.clone(), Arc::clone(&setup.rules));
                inventory.restore(snapshot);
                inventory.update_states((self.clock)());
                info!(%file, "inventory restored");
                return Ok(true);
            }
            Ok(Loaded::Missing) => info!(%file, "no persisted inventory"),
            Ok(Loaded::Quarantined { why, to }) => {
                self.program.storage_failed();
                warn!(%file, to = %to.display(), "persisted inventory unusable, renamed: {why}");
            }
            Err(unusable) => {
                self.program.storage_failed();
                error!("cannot restore the inventory: {unusable}");
            }
        }
        Ok(false)
    }

    /// Saves after changes until `stop`, and then what has changed since.
    pub(super) async fn run(self, mut revision: watch::Receiver<u64>, mut stop: oneshot::Receiver<()>) {
        let mut works = true;
        loop {
            tokio::select! {
                _ = &mut stop => break,
                changed = revision.changed() => if changed.is_err() { break },
                () = sleep(RETRY_INTERVAL), if !works => {}
            }
            let started = Instant::now();
            revision.mark_unchanged();
            works = self.save_and_log(works).await;
            tokio::select! {
                _ = &mut stop => break,
                () = sleep(pause_after(started.elapsed(), self.shortest_interval())) => {}
            }
        }
        // Without a sender it is unknown whether something changed.
        if !works || revision.has_changed().unwrap_or(true) {
            self.save_and_log(works).await;
        }
    }

    /// Saves, and logs the first failure and the recovery. Whether it worked.
    async fn save_and_log(&self, worked: bool) -> bool {
        let blocking = self.clone();
        let saved = spawn_blocking(move || blocking.save()).await;
        match saved.unwrap_or_else(|_| Err("save task panicked; please report this bug".to_owned())) {
            Ok(()) => {
                if !worked {
                    info!("inventory persistence recovered");
                }
                true
            }
            Err(why) => {
                self.program.storage_failed();
                if worked {
                    error!("cannot save the inventory; a restart would lose changes since the last save: {why}");
                }
                false
            }
        }
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
                // An empty inventory must not replace a file that an earlier process wrote and this one cannot read.
                return Ok(());
            }
            encode(&snapshot, (self.clock)())
        };
        let encoded = encoded.map_err(|error| format!("cannot encode the inventory: {error}"))?;
        self.store.save(&encoded).map_err(|unusable| unusable.to_string())
    }
}

/// How long nothing is saved after a save of this duration.
fn pause_after(save: Duration, shortest_interval: Duration) -> Duration {
    (save * PAUSE_FACTOR).min(MAX_PAUSE).min(shortest_interval / INTERVAL_FRACTION)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;
    use std::fs;

    use chrono::{TimeDelta, Utc};
    use parking_lot::RwLock;

    use super::*;
    use crate::core::failure::{Failure, Reason};
    use crate::core::inventory::{Inventory, Policy};
    use crate::core::lead::Lead;
    use crate::core::outcome::Outcome;
    use crate::exposition::exporter::Build;

    #[test]
    fn pause_is_19_times_the_save_up_to_a_limit() {
        let ms = Duration::from_millis;
        for (save, interval, expected) in [
            (0, 900_000, 0),
            (4, 900_000, 76),
            (500, 900_000, 9_500),
            (600, 900_000, 10_000),
            (60_000, 900_000, 10_000),
            (4, 1_000, 76),
            (500, 1_000, 250),
        ] {
            assert_eq!(pause_after(ms(save), ms(interval)), ms(expected), "{save} {interval}");
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
            never_expires: true,
            max_lifetime: None,
            unused_after: None,
            without_replacement: Vec::new(),
        }
    }

    fn persistence(path: &Path) -> Persistence {
        let inventory = Arc::new(RwLock::new(Inventory::default()));
        let program =
            Arc::new(ExporterMetrics::new(Build { version: "", revision: "" }, (1, 1), Arc::default()).unwrap());
        let clock: Clock = Arc::new(Utc::now);
        Persistence::new(path, &inventory, &program, &clock)
    }

    fn attempt(persistence: &Persistence) {
        let failed = Outcome::failed(&["l".to_owned()], &Failure::new(Reason::Connect, "x"));
        persistence.inventory.write().record("s", failed, Utc::now(), Utc::now());
    }

    #[tokio::test(start_paused = true)]
    async fn persistence_saves_a_change_at_once_and_retries_a_failure() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("inventory");
        // A file instead of the directory: nothing can be saved.
        fs::write(&path, "").unwrap();
        let persistence = persistence(&path);
        let file = persistence.store.file();
        persistence.inventory.write().set_policy(BTreeMap::from([("s".to_owned(), policy())]), Arc::new([]));
        let (revision, changes) = watch::channel(0);
        let (_stop, stops) = oneshot::channel();
        tokio::spawn(persistence.clone().run(changes, stops));

        attempt(&persistence);
        revision.send_modify(|revision| *revision += 1);
        sleep(Duration::from_secs(1)).await;
        fs::remove_file(&path).unwrap();
        sleep(RETRY_INTERVAL / 2).await;
        assert!(!file.exists(), "nothing has changed");
        sleep(RETRY_INTERVAL).await;
        assert!(file.exists(), "saving works again");

        fs::remove_file(&file).unwrap();
        revision.send_modify(|revision| *revision += 1);
        sleep(Duration::from_millis(1)).await;
        assert!(file.exists(), "a change is saved at once");
    }

    #[tokio::test(start_paused = true)]
    async fn persistence_saves_no_empty_inventory_and_saves_at_shutdown() {
        let directory = tempfile::tempdir().unwrap();
        let persistence = persistence(directory.path());
        let file = persistence.store.file();
        persistence.inventory.write().set_policy(BTreeMap::from([("s".to_owned(), policy())]), Arc::new([]));
        let (revision, changes) = watch::channel(0);
        let (stop, stops) = oneshot::channel();
        let running = tokio::spawn(persistence.clone().run(changes, stops));
        revision.send_modify(|revision| *revision += 1);
        sleep(Duration::from_secs(60)).await;
        assert!(!file.exists(), "no source was attempted");
        attempt(&persistence);
        revision.send_modify(|revision| *revision += 1);
        drop(stop);
        running.await.unwrap();
        assert!(file.exists());
    }
}
