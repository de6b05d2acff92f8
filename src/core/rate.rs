//! Rate limits for requests.

use std::time::Duration;

/// One request per `interval` on average, and up to `burst` at once after a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub interval: Duration,
    pub burst: u32,
}

/// A token bucket, as the generic cell rate algorithm. Times are durations since any fixed start.
#[derive(Debug, Default)]
pub struct TokenBucket {
    full_at: Duration,
}

impl TokenBucket {
    /// Admits a request and returns how long it must wait. `None` if that is longer than `max_wait`; the request then does
    /// not count.
    pub fn admit(&mut self, rate: Rate, now: Duration, max_wait: Duration) -> Option<Duration> {
        let full_at = self.full_at.max(now);
        let depth = rate.interval.saturating_mul(rate.burst.saturating_sub(1));
        let wait = full_at.saturating_sub(now).saturating_sub(depth);
        if wait > max_wait {
            return None;
        }
        self.full_at = full_at.saturating_add(rate.interval);
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_admits_a_burst_and_then_one_request_per_interval() {
        let rate = Rate { interval: Duration::from_secs(1), burst: 3 };
        let mut bucket = TokenBucket::default();
        let mut wait = |at, max_wait| {
            bucket.admit(rate, Duration::from_millis(at), Duration::from_millis(max_wait)).map(|wait| wait.as_millis())
        };
        for (at, expected) in [(0, Some(0)), (0, Some(0)), (0, Some(0)), (0, None), (900, None), (1_000, Some(0))] {
            assert_eq!(wait(at, 0), expected, "{at}");
        }
        assert_eq!(wait(1_001, 998), None, "a rejected request does not count");
        assert_eq!([wait(1_001, 5_000), wait(1_001, 5_000)], [Some(999), Some(1_999)]);
        assert_eq!([9_000, 9_000, 9_000, 9_000].map(|at| wait(at, 0)), [Some(0), Some(0), Some(0), None]);
    }
}
