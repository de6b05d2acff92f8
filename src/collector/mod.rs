//! The one scheduler: it wakes every source in its time, and writes what came of it into the inventory.
//!
//! One task a source, so that a slow provider holds nobody up. A collection runs in a task of its own under a time limit:
//! a panic or a hang is a failure like any other, and the tokens of before stay. Failures that may heal are tried again
//! soon, with growing pauses; those that a person must heal wait for the next interval (`schedule`).
//!
//! The only other clock is the reader's: what the passing of time alone changes is worked out from the inventory.

mod attempt;
mod report;
mod schedule;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::core::clock::{Clock, Jitter};
use crate::core::inventory::{Inventory, Policy, SharedInventory};
use crate::core::rules::Rule;
use crate::providers::Source;

pub use attempt::{Attempt, collect};
pub use report::sentence;

/// A source that is to be collected.
#[derive(Clone)]
pub struct SourceJob {
    /// Its name.
    pub name: String,
    /// Whom to ask.
    pub source: Arc<dyn Source>,
    /// How often.
    pub interval: Duration,
    /// For how long one collection may run.
    pub timeout: Duration,
    /// Everything that makes the source what it is. A reload that brings the same fingerprint leaves the source alone.
    pub fingerprint: String,
}

/// What the collector depends on beside its sources.
#[derive(Clone)]
pub struct Timing {
    /// The wall time.
    pub clock: Clock,
    /// Chance.
    pub jitter: Jitter,
    /// Over how long the first collections are spread, so that a start is no thunderclap. Never more than a tenth of a
    /// source's interval.
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
    /// A `std` lock: it is held for the time of a copy, never across a wait.
    inventory: SharedInventory,
    revision: watch::Sender<u64>,
    surroundings: Timing,
}

struct CollectorTask {
    fingerprint: String,
    task: JoinHandle<()>,
}

impl Collector {
    /// A collector without sources, over an inventory that may hold what a former process knew.
    pub fn new(inventory: SharedInventory, surroundings: Timing) -> Self {
        let (revision, _) = watch::channel(0);
        Self { shared: Arc::new(Shared { inventory, revision, surroundings }), tasks: BTreeMap::new() }
    }

    /// Follows the inventory: the number grows with each change.
    pub fn revision(&self) -> watch::Receiver<u64> {
        self.shared.revision.subscribe()
    }

    /// Takes a configuration over, at the start and at each reload. Sources that stay what they were are not disturbed;
    /// new and changed ones are collected at once; those that are gone are stopped before they are forgotten.
    pub async fn apply(&mut self, orders: Vec<SourceJob>, policies: BTreeMap<String, Policy>, rules: Arc<[Rule]>) {
        let fingerprints: BTreeMap<&str, &str> =
            orders.iter().map(|order| (order.name.as_str(), order.fingerprint.as_str())).collect();
        let stale: Vec<String> = self
            .tasks
            .iter()
            .filter(|(name, running)| fingerprints.get(name.as_str()) != Some(&running.fingerprint.as_str()))
            .map(|(name, _)| name.clone())
            .collect();
        for name in stale {
            if let Some(running) = self.tasks.remove(&name) {
                end(running.task).await;
            }
        }
        self.shared.change(|inventory| inventory.set_policy(policies, rules));
        for order in orders {
            if !self.tasks.contains_key(&order.name) {
                let (name, fingerprint) = (order.name.clone(), order.fingerprint.clone());
                let task = tokio::spawn(run(Arc::clone(&self.shared), order));
                self.tasks.insert(name, CollectorTask { fingerprint, task });
            }
        }
    }

    /// Ends every task, in the middle of a collection too: what it has not recorded by now is lost.
    pub async fn stop(mut self) {
        for running in self.tasks.values() {
            running.task.abort();
        }
        while let Some((_, running)) = self.tasks.pop_first() {
            end(running.task).await;
        }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        for running in self.tasks.values() {
            running.task.abort();
        }
    }
}

/// Aborts a task and waits until it can no longer record anything.
async fn end(task: JoinHandle<()>) {
    task.abort();
    // Cancelled, which is what was asked for, or ended by itself.
    drop(task.await);
}

impl Shared {
    fn change(&self, how: impl FnOnce(&mut Inventory)) {
        how(&mut self.inventory.write());
        self.revision.send_modify(|revision| *revision += 1);
    }
}

/// One source's life.
async fn run(shared: Arc<Shared>, order: SourceJob) {
    let Timing { clock, jitter, spread } = shared.surroundings.clone();
    let mut report = report::Report::new(&order.name);
    let mut failures = 0;
    let mut next = Instant::now() + schedule::first(order.interval, spread, jitter());
    loop {
        sleep_until(next).await;
        let Attempt { outcome, started, ended } = collect(&order, &clock).await;
        let verdict = schedule::verdict(&outcome);
        failures = if verdict == schedule::RetryClass::Retryable { failures + 1 } else { 0 };
        let pause = schedule::pause(failures, order.interval, jitter());
        report.tell(&outcome, ended - started, pause);
        shared.change(|inventory| inventory.record(&order.name, outcome, started, ended));
        next = Instant::now() + pause;
    }
}
