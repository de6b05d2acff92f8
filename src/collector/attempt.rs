//! One collection of one source. Panics and hangs become failures.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::{Identifiers, SourceJob};
use crate::core::clock::Clock;
use crate::core::failure::{Failure, Reason};
use crate::core::intake::Intake;
use crate::core::outcome::Outcome;

/// How long after its deadline a source that ignores it is aborted.
const GRACE_PERIOD: Duration = Duration::from_secs(10);

/// The outcome of a collection, with its times.
pub struct Attempt {
    pub outcome: Outcome,
    pub started: DateTime<Utc>,
    pub finished: DateTime<Utc>,
}

/// Collects a source once, and says whose the credentials are that it found. After a panic every listing has failed with `internal`, after a hang with `timeout`.
pub async fn collect(job: &SourceJob, intake: Intake, identifiers: Identifiers, clock: &Clock) -> Attempt {
    let started = clock();
    let deadline = Instant::now() + job.timeout;
    let (name, source) = (job.name.clone(), job.source.clone());
    let mut task = AbortOnDrop(tokio::spawn(async move {
        let finds_credentials = source.finds_credentials();
        let intake = if finds_credentials { intake.looking_for(identifiers.patterns()) } else { intake };
        let mut outcome = source.collect(started, deadline, &intake).await;
        if source.finds_locations() {
            let identifiers = if finds_credentials { identifiers } else { Identifiers::default() };
            identifiers.locate(&name, &mut outcome, started, deadline).await;
        }
        outcome
    }));
    let failure = match timeout_at(deadline + GRACE_PERIOD, &mut task.0).await {
        Ok(Ok(outcome)) => return Attempt { outcome, started, finished: clock().max(started) },
        // The panic's message may quote what was read; the panic hook has logged where it was.
        Ok(Err(_)) => Failure::new(Reason::Internal, "collection panicked; please report this bug"),
        Err(_) => Failure::new(Reason::Timeout, format!("timed out after {} s", job.timeout.as_secs())),
    };
    let outcome = Outcome::failed(job.source.listings(), &failure);
    Attempt { outcome, started, finished: clock().max(started) }
}

/// A task that is aborted when this is dropped.
pub(super) struct AbortOnDrop<T>(pub(super) JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
