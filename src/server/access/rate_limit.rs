//! `rate_limit` of the web configuration, for all clients together: a bucket of `burst` requests that gains one per `interval`.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// `rate_limit` as configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    /// The time between two requests.
    pub(super) interval: Duration,
    /// Requests that may arrive at once.
    pub(super) burst: u32,
}

/// The bucket.
pub(super) struct RateLimit {
    /// When the bucket is full again.
    full_at: Mutex<Instant>,
}

impl RateLimit {
    pub(super) fn new() -> Self {
        Self { full_at: Mutex::new(Instant::now()) }
    }

    /// Whether a request may be served now; if so, it counts.
    pub(super) fn admits(&self, rate: Rate, now: Instant) -> bool {
        let mut full_at = self.full_at.lock();
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
    async fn admits_a_burst_and_then_one_request_per_interval() {
        let rate = Rate { interval: Duration::from_secs(1), burst: 3 };
        let limit = RateLimit::new();
        let admitted = |at: u64| limit.admits(rate, Instant::now() + Duration::from_millis(at));
        let results: Vec<bool> = [0, 0, 0, 0, 900, 1_000, 1_001, 9_000, 9_000, 9_000, 9_000].map(admitted).to_vec();
        assert_eq!(results, [true, true, true, false, false, true, false, true, true, true, false]);
    }
}
