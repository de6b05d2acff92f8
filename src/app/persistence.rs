//! The persisted inventory: restored at the start, each source saved after its changes and at shutdown.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};
use tracing::{error, info, warn};

use super::RunError;
use super::setup::Setup;
use crate::core::clock::Clock;
use crate::core::inventory::{Revision, SharedInventory, StoredSource};
use crate::exposition::exporter::ExporterMetrics;
use crate::storage::{LoadedSource, Lock, Problem, Store};

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
    saved: Arc<Mutex<Saved>>,
}

/// What is on disk.
#[derive(Default)]
struct Saved {
    /// The revision of each source.
    revisions: BTreeMap<String, Revision>,
    /// The sources at the last removal of other files.
    retained: BTreeSet<String>,
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
            saved: Arc::default(),
        }
    }

    /// Locks the directory. An unusable one is logged and counted, not an error: the exporter works without it, and saving retries.
    ///
    /// # Errors
    /// If another process has locked the directory.
    pub(super) fn lock(&self) -> Result<(), RunError> {
        match self.store.lock() {
            Ok(Lock::Acquired) => {}
            Ok(Lock::Taken) => return Err(RunError::StorageInUse(self.directory.clone())),
            Ok(Lock::Unsupported(why)) => {
                let directory = self.directory.display();
                warn!(%directory, "cannot lock the storage path; another process could write to it: {why}");
            }
            Err(unusable) => {
                self.program.storage_failed();
                error!("cannot use the storage path; the inventory is not persisted: {unusable}");
            }
        }
        Ok(())
    }

    /// Restores the configured sources. Blocks. An unusable file is logged and counted; it affects no other source.
    pub(super) fn restore(&self, setup: &Setup) {
        self.inventory.write().set_policy(setup.policies.clone(), setup.rules.clone());
        let names: Vec<&String> = setup.policies.keys().collect();
        let former = self.load_former();
        let (next, restored) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let restore_all = || {
            while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
                restored.fetch_add(usize::from(self.restore_source(name, &former)), Ordering::Relaxed);
            }
        };
        let threads = thread::available_parallelism().map_or(1, NonZero::get).min(names.len());
        thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(restore_all);
            }
            restore_all();
        });
        self.inventory.write().update_states((self.clock)());
        let (directory, sources) = (self.directory.display(), restored.into_inner());
        if sources > 0 {
            info!(%directory, sources, "inventory restored");
        } else {
            info!(%directory, "no persisted inventory");
        }
    }

    /// The sources that an earlier version has stored in one file.
    fn load_former(&self) -> Mutex<BTreeMap<String, StoredSource>> {
        let former = self.store.load_former().unwrap_or_else(|problem| {
            self.report(&problem);
            None
        });
        Mutex::new(former.map(|former| former.into_sources().collect()).unwrap_or_default())
    }

    /// Restores a source from its files, or from those of an earlier version if they are newer: after a downgrade and another
    /// upgrade. Whether there was something.
    fn restore_source(&self, name: &str, former: &Mutex<BTreeMap<String, StoredSource>>) -> bool {
        let LoadedSource { state, tokens, problems } = self.store.load(name);
        problems.iter().for_each(|problem| self.report(problem));
        let former = former.lock().remove(name);
        let former = former
            .filter(|former| tokens.is_none() || state.as_ref().is_none_or(|state| former.state.is_newer_than(state)));
        let is_current = former.is_none() && state.is_some() && tokens.is_some();
        let (state, tokens) = former.map_or((state, tokens), |former| (Some(former.state), Some(former.tokens)));
        let is_found = tokens.is_some();
        let mut inventory = self.inventory.write();
        inventory.restore(name, state, tokens);
        if let Some(revision) = inventory.revision(name).filter(|_| is_current) {
            self.saved.lock().revisions.insert(name.to_owned(), revision);
        }
        is_found
    }

    fn report(&self, problem: &Problem) {
        self.program.storage_failed();
        match problem {
            Problem::Quarantined { file, to, why } => {
                let (file, to) = (file.display(), to.display());
                warn!(%file, %to, "persisted inventory unusable, renamed: {why}");
            }
            Problem::Unreadable(unusable) => error!("cannot restore the inventory: {unusable}"),
            Problem::Missing(file) => {
                warn!(file = %file.display(), "persisted inventory incomplete: the tokens of a source are missing");
            }
        }
    }

    /// Saves after changes until `stop`, and then what has changed since.
    pub(super) async fn run(self, mut revision: watch::Receiver<u64>, mut stop: oneshot::Receiver<()>) {
        // Files of an earlier version are converted at once.
        let mut works = self.save_and_log(true).await;
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

    /// Saves each source that has changed. The inventory is not locked during disk access.
    ///
    /// # Errors
    /// The first one. The other sources are saved nevertheless.
    fn save(&self) -> Result<(), String> {
        let mut saved = self.saved.lock();
        let sources: BTreeSet<String> = self.inventory.read().sources().map(|(name, _)| name.to_owned()).collect();
        saved.revisions.retain(|name, _| sources.contains(name));
        let (mut is_empty, mut failure) = (true, None);
        for name in &sources {
            let (stored, revision) = {
                let inventory = self.inventory.read();
                (inventory.stored(name), inventory.revision(name))
            };
            let (Some(stored), Some(revision)) = (stored, revision) else { continue };
            is_empty = false;
            let previous = saved.revisions.get(name).copied();
            if previous == Some(revision) {
                continue;
            }
            let tokens_changed = previous.is_none_or(|previous| previous.tokens != revision.tokens);
            match self.store.save(name, &stored, tokens_changed, (self.clock)()) {
                Ok(()) => {
                    saved.revisions.insert(name.clone(), revision);
                }
                Err(unusable) => failure = failure.or(Some(unusable)),
            }
        }
        // An empty inventory removes nothing that an earlier process wrote.
        if failure.is_none() && !is_empty {
            let removed = if saved.retained == sources { Ok(()) } else { self.store.retain(&sources) };
            failure = removed.and_then(|()| self.store.remove_former()).err();
            saved.retained = if failure.is_none() { sources } else { BTreeSet::new() };
        }
        failure.map_or(Ok(()), |unusable| Err(unusable.to_string()))
    }
}

/// How long nothing is saved after a save of this duration.
fn pause_after(save: Duration, shortest_interval: Duration) -> Duration {
    (save * PAUSE_FACTOR).min(MAX_PAUSE).min(shortest_interval / INTERVAL_FRACTION)
}

#[cfg(test)]
mod tests;
