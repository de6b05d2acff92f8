//! The scheduler: collects each source at its interval and records the outcome in the inventory.
//!
//! Each source has a task, so that a slow provider delays no other. A collection runs in a task of its own with a timeout: a
//! panic or a hang is a failure like any other, and the previous tokens stay. Temporary failures are retried with growing
//! delays; those that need an operator wait for the next interval ([`delay`]).

mod attempt;
mod report;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use tokio::sync::{Mutex, watch};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};

use crate::core::clock::{Clock, Jitter};
use crate::core::inventory::{Inventory, Policy, SharedInventory};
use crate::core::rules::Rule;
use crate::core::schedule::delay;
use crate::providers::Source;

use attempt::AbortOnDrop;
pub use attempt::{Attempt, collect};
pub use report::describe;

/// A source to collect.
#[derive(Clone)]
pub struct SourceJob {
    pub name: String,
    pub source: Arc<dyn Source>,
    pub interval: Duration,
    /// Of one collection.
    pub timeout: Duration,
    /// Everything that configures the source. A reload with the same fingerprint does not affect the source.
    pub fingerprint: String,
}

/// The clock and randomness of the collector.
#[derive(Clone)]
pub struct Timing {
    pub clock: Clock,
    pub jitter: Jitter,
    /// The time over which the first collections are spread, to avoid a burst at the start; at most a tenth of a source's
    /// interval.
    pub spread: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self { clock: Arc::new(Utc::now), jitter: Arc::new(rand::random::<f64>), spread: Duration::from_secs(5) }
    }
}

/// Collects sources until it is stopped.
pub struct Collector {
    shared: Arc<Shared>,
    tasks: BTreeMap<String, CollectorTask>,
}

struct Shared {
    inventory: SharedInventory,
    revision: watch::Sender<u64>,
    timing: Timing,
}

struct CollectorTask {
    fingerprint: String,
    task: AbortOnDrop<()>,
    recording: Recording,
}

/// Locked while a task changes the inventory: that goes on in a blocking task when the task itself is aborted.
type Recording = Arc<Mutex<()>>;

impl CollectorTask {
    /// Aborts the task and waits until it can no longer record anything.
    async fn abort_and_wait(mut self) {
        self.task.0.abort();
        // An error means that it was cancelled.
        drop((&mut self.task.0).await);
        drop(self.recording.lock().await);
    }
}

impl Collector {
    /// A collector without sources. The inventory may contain restored tokens.
    pub fn new(inventory: SharedInventory, timing: Timing) -> Self {
        let (revision, _) = watch::channel(0);
        Self { shared: Arc::new(Shared { inventory, revision, timing }), tasks: BTreeMap::new() }
    }

    /// A number that grows with each change of the inventory.
    pub fn revision(&self) -> watch::Receiver<u64> {
        self.shared.revision.subscribe()
    }

    /// Applies a configuration, at the start and at each reload. Unchanged sources are not affected, new and changed ones are
    /// collected soon, and the tasks of removed ones are stopped first.
    pub async fn apply(&mut self, jobs: Vec<SourceJob>, policies: BTreeMap<String, Policy>, rules: Arc<[Rule]>) {
        let fingerprints: BTreeMap<&str, &str> =
            jobs.iter().map(|job| (job.name.as_str(), job.fingerprint.as_str())).collect();
        let stale: Vec<String> = self
            .tasks
            .iter()
            .filter(|(name, running)| fingerprints.get(name.as_str()) != Some(&running.fingerprint.as_str()))
            .map(|(name, _)| name.clone())
            .collect();
        for name in stale {
            if let Some(running) = self.tasks.remove(&name) {
                running.abort_and_wait().await;
            }
        }
        let now = (self.shared.timing.clock)();
        self.shared
            .change(move |inventory| {
                inventory.set_policy(policies, rules);
                inventory.update_states(now);
            })
            .await;
        for job in jobs {
            if !self.tasks.contains_key(&job.name) {
                if let Some(refusal) = self.shared.inventory.read().source(&job.name).and_then(|source| source.refusal)
                {
                    job.source.restore_refusal(refusal);
                }
                let (name, fingerprint) = (job.name.clone(), job.fingerprint.clone());
                let recording = Recording::default();
                let task = AbortOnDrop(tokio::spawn(run(Arc::clone(&self.shared), job, Arc::clone(&recording))));
                self.tasks.insert(name, CollectorTask { fingerprint, task, recording });
            }
        }
    }

    /// Stops all tasks. Collections that are running are lost.
    pub async fn stop(mut self) {
        for running in self.tasks.values() {
            running.task.0.abort();
        }
        while let Some((_, running)) = self.tasks.pop_first() {
            running.abort_and_wait().await;
        }
    }
}

impl Shared {
    /// Changes the inventory in a blocking task: 100,000 tokens take long enough to delay the responses of a worker thread.
    /// What `change` returns is dropped after the change is visible.
    async fn change<T>(self: &Arc<Self>, change: impl FnOnce(&mut Inventory) -> T + Send + 'static) {
        let shared = Arc::clone(self);
        let changed = spawn_blocking(move || {
            let _result = change(&mut shared.inventory.write());
            shared.revision.send_modify(|revision| *revision += 1);
        });
        if let Err(failed) = changed.await
            && failed.is_panic()
        {
            std::panic::resume_unwind(failed.into_panic());
        }
    }
}

/// Collects one source until it is aborted.
async fn run(shared: Arc<Shared>, job: SourceJob, recording: Recording) {
    let Timing { clock, jitter, spread } = shared.timing.clone();
    let mut report = report::Report::new(&job.name);
    let mut failures = 0;
    let mut next = Instant::now() + delay::first_delay(job.interval, spread, jitter());
    loop {
        sleep_until(next).await;
        let Attempt { outcome, started, finished } = collect(&job, &clock).await;
        let is_retryable = delay::classify(&outcome) == delay::RetryClass::Retryable;
        failures = if is_retryable { failures + 1 } else { 0 };
        let delay = delay::next_delay(failures, job.interval, jitter());
        report.log(&outcome, finished - started, delay);
        let (name, recording) = (job.name.clone(), Arc::clone(&recording).lock_owned().await);
        shared
            .change(move |inventory| {
                inventory.record(&name, outcome, started, finished);
                recording
            })
            .await;
        next = Instant::now() + delay;
    }
}
