//! How many requests may come: a bucket of tokens, of which one comes back in each interval.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// `rate_limit` of the web configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    /// The time between two requests.
    pub(super) interval: Duration,
    /// Requests that may come at once.
    pub(super) burst: u32,
}

/// The bucket: full until this instant is later than now.
pub(super) struct Limit {
    /// When the bucket is full again.
    full_at: Mutex<Instant>,
}

impl Limit {
    pub(super) fn new() -> Self {
        Self { full_at: Mutex::new(Instant::now()) }
    }

    /// Whether one more request may come now.
    pub(super) fn admits(&self, rate: Rate, now: Instant) -> bool {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let next = (*full_at).max(now) + rate.interval;
        if next > now + rate.interval * rate.burst {
            return false;
        }
        *full_at = next;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_may_come_and_then_one_in_each_interval() {
        let rate = Rate { interval: Duration::from_secs(1), burst: 3 };
        let limit = Limit::new();
        let admitted = |at: u64| limit.admits(rate, Instant::now() + Duration::from_millis(at));
        let told: Vec<bool> = [0, 0, 0, 0, 900, 1_000, 1_001, 9_000, 9_000, 9_000, 9_000].map(admitted).to_vec();
        assert_eq!(told, [true, true, true, false, false, true, false, true, true, true, false]);
    }
}
