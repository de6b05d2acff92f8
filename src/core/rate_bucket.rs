//! A bucket of requests that refills evenly: the rate limits of providers and of clients.

use std::time::Duration;

/// A bucket of requests. Times are since any fixed origin.
#[derive(Debug)]
pub struct RateBucket {
    interval: Duration,
    /// The time in which an empty bucket gains all requests but one.
    depth: Duration,
    /// When the bucket is full.
    full_at: Duration,
}

impl RateBucket {
    /// A full bucket of `burst` requests, at least one, that gains one per `interval`.
    pub fn new(interval: Duration, burst: u32) -> Self {
        Self { interval, depth: interval.saturating_mul(burst.saturating_sub(1)), full_at: Duration::ZERO }
    }

    /// Takes a request, and returns how long it has to wait; `None`, and nothing is taken, if that is longer than `max_wait`.
    pub fn take(&mut self, now: Duration, max_wait: Duration) -> Option<Duration> {
        let full_at = self.full_at.max(now);
        let wait = full_at.saturating_sub(self.depth).saturating_sub(now);
        if wait > max_wait {
            return None;
        }
        self.full_at = full_at.saturating_add(self.interval);
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn take_admits_a_burst_and_then_one_request_per_interval() {
        let mut bucket = RateBucket::new(Duration::from_secs(1), 3);
        let mut take = |at| bucket.take(Duration::from_millis(at), Duration::ZERO).is_some();
        let admitted = [0, 0, 0, 0, 900, 1_000, 1_001, 9_000, 9_000, 9_000, 9_000].map(&mut take);
        assert_eq!(admitted, [true, true, true, false, false, true, false, true, true, true, false]);
    }

    #[test]
    fn take_reserves_the_next_free_time_within_the_wait() {
        let seconds = Duration::from_secs;
        let mut bucket = RateBucket::new(seconds(10), 1);
        let waits =
            [(0, 0), (0, 5), (0, 10), (5, 14), (5, 15)].map(|(now, max)| bucket.take(seconds(now), seconds(max)));
        assert_eq!(waits, [Some(seconds(0)), None, Some(seconds(10)), None, Some(seconds(15))]);
    }
}
