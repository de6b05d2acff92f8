//! Carries out the schedule: collects each source when it is due and records the outcome in the inventory.
//!
//! Each collection has a task, so that a slow provider delays no other. A panic or a hang is a failure like any other, and the
//! previous tokens stay. [`Schedule`] decides what is due, with or without a store that replicas share; `fleet` does what a store
//! needs in addition.

mod attempt;
mod fleet;
mod locate;
mod report;
mod task;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use crate::core::clock::{Clock, Jitter};
use crate::core::inventory::{Inventory, Policy, SharedInventory};
use crate::core::rules::Rules;
use crate::core::schedule::{Plan, Schedule, delay};
use crate::providers::Source;

use attempt::AbortOnDrop;
pub use attempt::{Attempt, collect};
use fleet::Fleet;
pub use fleet::FleetOptions;
pub use locate::Identifiers;
pub use report::describe;
use task::RunningTask;

/// With a store, how often it is checked what is due.
const TICK: Duration = Duration::from_millis(500);

/// Without anything to do.
const FAR: Duration = Duration::from_hours(24);

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

impl SourceJob {
    fn plan(&self) -> Plan {
        Plan { name: self.name.clone(), interval: self.interval, fingerprint: self.fingerprint.clone() }
    }
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
    /// They decide what is due, and look at the store.
    loops: Vec<AbortOnDrop<()>>,
}

struct Shared {
    inventory: SharedInventory,
    revision: watch::Sender<u64>,
    timing: Timing,
    started: Instant,
    schedule: Mutex<Schedule>,
    jobs: Mutex<BTreeMap<String, Arc<Job>>>,
    running: Mutex<BTreeMap<String, RunningTask>>,
    /// Held while nothing may begin: a configuration is applied, or tokens of another replica are.
    gate: tokio::sync::Mutex<()>,
    /// Something was configured or has finished.
    wake: Notify,
    fleet: Option<Fleet>,
}

/// A source, and what was logged about it.
struct Job {
    job: SourceJob,
    report: Mutex<report::Report>,
}

impl Collector {
    /// A collector without sources. The inventory may contain restored tokens.
    pub fn new(inventory: SharedInventory, timing: Timing) -> Self {
        Self::with(inventory, timing, Schedule::alone(), None)
    }

    /// One of several that share a store.
    pub fn shared(inventory: SharedInventory, timing: Timing, options: FleetOptions) -> Self {
        let schedule = Schedule::shared(options.replica.clone(), options.times);
        Self::with(inventory, timing, schedule, Some(Fleet::new(options)))
    }

    fn with(inventory: SharedInventory, timing: Timing, schedule: Schedule, fleet: Option<Fleet>) -> Self {
        let (revision, _) = watch::channel(0);
        let shared = Shared {
            inventory,
            revision,
            timing,
            started: Instant::now(),
            schedule: Mutex::new(schedule),
            jobs: Mutex::default(),
            running: Mutex::default(),
            gate: tokio::sync::Mutex::default(),
            wake: Notify::new(),
            fleet,
        };
        Self { shared: Arc::new(shared), loops: Vec::new() }
    }

    /// A number that grows with each change of the inventory.
    pub fn revision(&self) -> watch::Receiver<u64> {
        self.shared.revision.subscribe()
    }

    /// Applies a configuration, at the start and at each reload. Unchanged sources are not affected, new and changed ones are
    /// collected soon, and the tasks of removed ones are stopped first.
    pub async fn apply(&mut self, jobs: Vec<SourceJob>, policies: BTreeMap<String, Policy>, rules: impl Into<Rules>) {
        let rules = rules.into();
        let shared = &self.shared;
        let gate = shared.gate.lock().await;
        let plans = jobs.iter().map(SourceJob::plan).collect();
        let Timing { clock, jitter, spread } = &shared.timing;
        let first_delay = |plan: &Plan| delay::first_delay(plan.interval, *spread, jitter());
        let stopped = shared.schedule.lock().configure(plans, shared.now(), first_delay);
        for name in stopped {
            let running = shared.running.lock().remove(&name);
            if let Some(running) = running {
                running.abort_and_wait().await;
            }
        }
        let now = clock();
        shared
            .change(move |inventory| {
                inventory.set_policy(policies, rules);
                inventory.update_states(now);
            })
            .await;
        let mut previous = std::mem::take(&mut *shared.jobs.lock());
        for job in jobs {
            let known = previous.remove(&job.name).filter(|known| known.job.fingerprint == job.fingerprint);
            let entry = known.unwrap_or_else(|| {
                if let Some(refusal) = shared.inventory.read().source(&job.name).and_then(|source| source.refusal) {
                    job.source.restore_refusal(refusal);
                }
                Arc::new(Job { report: Mutex::new(report::Report::new(&job.name)), job: job.clone() })
            });
            shared.jobs.lock().insert(job.name, entry);
        }
        drop(gate);
        if self.loops.is_empty() {
            self.loops.push(AbortOnDrop(tokio::spawn(decide(Arc::clone(shared)))));
            if shared.fleet.is_some() {
                self.loops.push(AbortOnDrop(tokio::spawn(fleet::look::run(Arc::clone(shared)))));
            }
        }
        shared.wake.notify_one();
    }

    /// Stops all tasks. Without a store, collections that are running are lost; with one, they have ten seconds to finish, and then
    /// another replica collects their sources.
    pub async fn stop(mut self) {
        self.shared.schedule.lock().stop();
        self.loops.clear();
        if let Some(fleet) = &self.shared.fleet {
            fleet.leave(&self.shared).await;
        }
        let running = std::mem::take(&mut *self.shared.running.lock());
        for task in running.values() {
            task.abort();
        }
        let mut claims = Vec::new();
        for (name, task) in running {
            let claim = task.claim();
            task.abort_and_wait().await;
            claims.extend(claim.lock().take().map(|claim| (name, claim)));
        }
        if let Some(fleet) = &self.shared.fleet {
            fleet.release(&self.shared, claims).await;
        }
    }
}

/// Begins what is due.
async fn decide(shared: Arc<Shared>) {
    loop {
        let pause = {
            let _gate = shared.gate.lock().await;
            let now = shared.now();
            let mut schedule = shared.schedule.lock();
            let actions = schedule.next(now, rand::random);
            let wake_at = schedule.wake_at();
            drop(schedule);
            for action in actions {
                task::begin(&shared, action);
            }
            match (&shared.fleet, wake_at) {
                (Some(_), _) => TICK,
                (None, Some(at)) => at.saturating_sub(now),
                (None, None) => FAR,
            }
        };
        tokio::select! {
            () = sleep(pause) => {}
            () = shared.wake.notified() => {}
        }
    }
}

impl Shared {
    /// The time since the start, by a clock that is never set back.
    fn now(&self) -> Duration {
        self.started.elapsed()
    }

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
