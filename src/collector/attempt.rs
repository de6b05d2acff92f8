//! One collection, shielded: whatever the source does, there is an outcome.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::SourceJob;
use crate::core::clock::Clock;
use crate::core::failure::{Failure, Reason};
use crate::core::outcome::Outcome;

/// A source is told the deadline and keeps to it. One that does not is cut off so much later.
const GRACE: Duration = Duration::from_secs(10);

/// What one collection has brought, and when.
pub struct Attempt {
    /// What it has brought.
    pub outcome: Outcome,
    /// When it began.
    pub started: DateTime<Utc>,
    /// When it ended.
    pub ended: DateTime<Utc>,
}

/// Collects a source once. A panic comes back as gaps with the reason `internal`, a hang as gaps with the reason `timeout`.
pub async fn collect(order: &SourceJob, clock: &Clock) -> Attempt {
    let started = clock();
    let deadline = Instant::now() + order.timeout;
    let source = order.source.clone();
    let mut task = AbortOnDrop(tokio::spawn(async move { source.collect(started, deadline).await }));
    let outcome = match timeout_at(deadline + GRACE, &mut task.0).await {
        Ok(Ok(outcome)) => outcome,
        // The panic's own words may quote what it has read; the panic hook has told where it was.
        Ok(Err(_)) => failed(order, Reason::Internal, "the collection broke off: a fault of this program".into()),
        Err(_) => failed(order, Reason::Timeout, format!("no end after {} s: cut off", order.timeout.as_secs())),
    };
    Attempt { outcome, started, ended: clock().max(started) }
}

fn failed(order: &SourceJob, reason: Reason, what: String) -> Outcome {
    Outcome::failed(order.source.listings(), &Failure::new(reason, what))
}

/// A task that ends with whoever waits for it.
struct AbortOnDrop(JoinHandle<Outcome>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
