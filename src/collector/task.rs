//! The task of one collection, or of one put of a result.

use std::sync::Arc;

use parking_lot::Mutex;

use super::attempt::{AbortOnDrop, Attempt, collect};
use super::{Identifiers, Job, Shared};
use crate::core::schedule::{Action, Claim, Completed, Finish, Turn};

/// Locked while a task changes the inventory: that goes on in a blocking task when the task itself is aborted.
pub(super) type Recording = Arc<tokio::sync::Mutex<()>>;

/// The claim that a task holds.
pub(super) type HeldClaim = Arc<Mutex<Option<Claim>>>;

pub(super) struct RunningTask {
    task: AbortOnDrop<()>,
    recording: Recording,
    claim: HeldClaim,
}

impl RunningTask {
    pub(super) fn abort(&self) {
        self.task.0.abort();
    }

    pub(super) fn is_finished(&self) -> bool {
        self.task.0.is_finished()
    }

    pub(super) fn claim(&self) -> HeldClaim {
        Arc::clone(&self.claim)
    }

    /// Aborts the task and waits until it can no longer record anything.
    pub(super) async fn abort_and_wait(mut self) {
        self.task.0.abort();
        // An error means that it was cancelled.
        drop((&mut self.task.0).await);
        drop(self.recording.lock().await);
    }
}

/// Reports the end of a task to the schedule, also if the task panics or is aborted.
struct Report {
    shared: Arc<Shared>,
    source: String,
    finish: Finish,
}

impl Report {
    fn set(&mut self, finish: Finish) {
        self.finish = finish;
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        let finish = std::mem::replace(&mut self.finish, Finish::Stopped);
        let now = self.shared.now();
        self.shared.schedule.lock().finish(&self.source, finish, now);
        self.shared.wake.notify_one();
    }
}

/// Begins an action in a task of its own.
pub(super) fn begin(shared: &Arc<Shared>, action: Action) {
    let (Action::Collect { source, .. } | Action::Publish { source, .. }) = &action;
    let source = source.clone();
    let mut report = Report { shared: Arc::clone(shared), source: source.clone(), finish: Finish::Stopped };
    let Some(job) = shared.jobs.lock().get(&source).cloned() else { return };
    let (recording, claim) = (Recording::default(), HeldClaim::default());
    let running =
        Running { shared: Arc::clone(shared), job, recording: Arc::clone(&recording), held: Arc::clone(&claim) };
    let task = tokio::spawn(async move {
        let finish = running.run(action).await;
        report.set(finish);
    });
    shared.running.lock().insert(source, RunningTask { task: AbortOnDrop(task), recording, claim });
}

/// What a task works with.
pub(super) struct Running {
    pub(super) shared: Arc<Shared>,
    pub(super) job: Arc<Job>,
    recording: Recording,
    pub(super) held: HeldClaim,
}

impl Running {
    async fn run(&self, action: Action) -> Finish {
        match (action, &self.shared.fleet) {
            (Action::Collect { over, claim, .. }, Some(fleet)) => fleet.collect(self, over, claim).await,
            (Action::Publish { put, .. }, Some(fleet)) => fleet.publish(self, put).await,
            (Action::Collect { over, .. }, None) => {
                let attempt = self.collect().await;
                let turn = self.complete(attempt, over.as_ref(), "").await;
                Finish::Kept { turn, claim: None, since: self.shared.now() }
            }
            // Without a store there is nothing to publish.
            (Action::Publish { .. }, None) => Finish::Stopped,
        }
    }

    /// Collects the source.
    pub(super) async fn collect(&self) -> Attempt {
        let intake = self.shared.inventory.read().intake(&self.job.job.name);
        let identifiers = Identifiers::of(self.shared.jobs.lock().values().map(|job| &job.job));
        collect(&self.job.job, intake, identifiers, &self.shared.timing.clock).await
    }

    /// Records the outcome of a collection, and returns the schedule that follows from it.
    pub(super) async fn complete(&self, attempt: Attempt, over: Option<&Turn>, writer: &str) -> Turn {
        let Attempt { outcome, started, finished } = attempt;
        let job = &self.job.job;
        let completed = Completed::new(&outcome, over, &job.plan(), (self.shared.timing.jitter)());
        self.job.report.lock().log(&outcome, finished - started, completed.next_in);
        let (name, recording) = (job.name.clone(), Arc::clone(&self.recording).lock_owned().await);
        self.shared
            .change(move |inventory| {
                inventory.record(&name, outcome, started, finished);
                recording
            })
            .await;
        Turn::completed(over, writer, rand::random(), completed)
    }
}
