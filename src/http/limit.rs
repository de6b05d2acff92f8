//! When a request may be sent: limits of concurrency and rate, and the provider's rate limit.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::error::TransportError;
use crate::core::failure::Reason;
use crate::core::rate::{Rate, TokenBucket};

/// The limits of one client.
#[derive(Debug)]
pub(super) struct Limits {
    concurrency: Semaphore,
    rate: Option<Rate>,
    bucket: Mutex<TokenBucket>,
    started: Instant,
    blocked_until: Mutex<Option<Instant>>,
}

impl Limits {
    /// At most `concurrency` requests in flight, and `rate` requests in a time. A tenth of these may be sent at once after a
    /// pause, so that no period of that time sees more than a tenth above the limit.
    pub(super) fn new(concurrency: usize, rate: Option<(u32, Duration)>) -> Self {
        Self {
            concurrency: Semaphore::new(concurrency.clamp(1, Semaphore::MAX_PERMITS)),
            rate: rate.map(|(count, time)| Rate { interval: time / count.max(1), burst: (count / 10).max(1) }),
            bucket: Mutex::default(),
            started: Instant::now(),
            blocked_until: Mutex::default(),
        }
    }

    /// Waits until a request may be sent. Drop the permit when the response has arrived.
    ///
    /// # Errors
    /// If that is after the deadline, at once: `rate_limited` if the provider requested the wait, else `timeout`.
    pub(super) async fn acquire(&self, deadline: Instant) -> Result<SemaphorePermit<'_>, TransportError> {
        let late =
            || TransportError::before_send(Reason::Timeout, "timed out waiting for the concurrency or rate limit");
        let permit = match timeout_at(deadline, self.concurrency.acquire()).await {
            Ok(Ok(permit)) if Instant::now() < deadline => permit,
            _ => return Err(late()),
        };
        self.wait_for_reset(deadline).await?;
        if let Some(rate) = self.rate {
            let now = Instant::now();
            let wait = self.bucket.lock().admit(rate, now - self.started, deadline - now);
            sleep(wait.ok_or_else(late)?).await;
            self.wait_for_reset(deadline).await?;
        }
        Ok(permit)
    }

    /// Blocks all requests that were not sent yet until this time.
    pub(super) fn block_until(&self, until: Instant) {
        let mut blocked_until = self.blocked_until.lock();
        *blocked_until = (*blocked_until).max(Some(until));
    }

    /// Waits until requests are no longer blocked. The time may be extended meanwhile.
    async fn wait_for_reset(&self, deadline: Instant) -> Result<(), TransportError> {
        loop {
            let until = *self.blocked_until.lock();
            match until {
                Some(until) if until > Instant::now() && until >= deadline => {
                    let what = "the provider's rate limit resets after the deadline";
                    return Err(TransportError::before_send(Reason::RateLimited, what));
                }
                Some(until) if until > Instant::now() => sleep_until(until).await,
                _ => return Ok(()),
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const FAR: Duration = Duration::from_secs(3600);

    /// When each of `count` requests that start together is sent, in ms, if each takes `duration`.
    async fn sent_at(limits: Limits, count: usize, duration: Duration) -> Vec<u128> {
        let (limits, start) = (Arc::new(limits), Instant::now());
        let requests: Vec<_> = (0..count)
            .map(|_| {
                let limits = Arc::clone(&limits);
                tokio::spawn(async move {
                    let permit = limits.acquire(start + FAR).await.unwrap();
                    let at = start.elapsed().as_millis();
                    tokio::time::sleep(duration).await;
                    drop(permit);
                    at
                })
            })
            .collect();
        let mut times = Vec::new();
        for request in requests {
            times.push(request.await.unwrap());
        }
        times.sort_unstable();
        times
    }

    #[tokio::test(start_paused = true)]
    async fn limits_cap_requests_in_flight() {
        let second = Duration::from_secs(1);
        assert_eq!(sent_at(Limits::new(2, None), 5, second).await, [0, 0, 1000, 1000, 2000]);
        assert_eq!(sent_at(Limits::new(0, None), 2, second).await, [0, 1000], "a limit of 0 counts as 1");
    }

    #[tokio::test(start_paused = true)]
    async fn limits_cap_requests_per_time() {
        let rate = |count, seconds| Limits::new(100, Some((count, Duration::from_secs(seconds))));
        assert_eq!(sent_at(rate(2, 1), 4, Duration::ZERO).await, [0, 500, 1000, 1500]);
        assert_eq!(sent_at(rate(30, 30), 6, Duration::ZERO).await, [0, 0, 0, 1000, 2000, 3000]);
    }

    #[tokio::test(start_paused = true)]
    async fn rate_limit_allows_a_tenth_above_the_limit_in_any_period() {
        let times = sent_at(Limits::new(1000, Some((150, Duration::from_secs(60)))), 600, Duration::ZERO).await;
        let busiest =
            times.iter().map(|from| times.iter().filter(|at| (*from..from + 60_000).contains(at)).count()).max();
        assert_eq!(busiest, Some(164));
        assert_eq!(times.last(), Some(&(585 * 400)), "the average rate is the limit");
    }

    #[tokio::test(start_paused = true)]
    async fn bucket_refills_during_a_pause() {
        let limits = Limits::new(100, Some((30, Duration::from_secs(30))));
        let start = Instant::now();
        for (rest, at) in [(0, 0), (0, 0), (0, 0), (0, 1), (100, 101), (0, 101), (0, 101), (0, 102)] {
            tokio::time::sleep(Duration::from_secs(rest)).await;
            drop(limits.acquire(start + FAR).await.unwrap());
            assert_eq!(start.elapsed().as_secs(), at);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn blocked_client_sends_nothing() {
        let limits = Limits::new(10, None);
        limits.block_until(Instant::now() + Duration::from_secs(3));
        limits.block_until(Instant::now() + Duration::from_secs(2));
        assert_eq!(sent_at(limits, 2, Duration::ZERO).await, [3000, 3000]);
    }

    #[tokio::test(start_paused = true)]
    async fn block_can_be_extended() {
        let limits = Arc::new(Limits::new(10, None));
        let start = Instant::now();
        limits.block_until(start + Duration::from_secs(2));
        let waiting = tokio::spawn({
            let limits = Arc::clone(&limits);
            async move { limits.acquire(start + FAR).await.map(|_| start.elapsed()) }
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        limits.block_until(start + Duration::from_secs(5));
        assert_eq!(waiting.await.unwrap(), Ok(Duration::from_secs(5)));
    }

    #[tokio::test(start_paused = true)]
    async fn acquire_fails_at_once_if_the_wait_exceeds_the_deadline() {
        let second = Duration::from_secs(1);
        let start = Instant::now();

        let blocked = Limits::new(1, None);
        blocked.block_until(start + 10 * second);
        assert_eq!(blocked.acquire(start + 5 * second).await.unwrap_err().reason, Reason::RateLimited);

        let slow = Limits::new(1, Some((1, 10 * second)));
        drop(slow.acquire(start + second).await.unwrap());
        assert_eq!(slow.acquire(start + 5 * second).await.unwrap_err().reason, Reason::Timeout);
        assert_eq!(start.elapsed(), Duration::ZERO);
        drop(slow.acquire(start + 11 * second).await.unwrap());
        assert_eq!(start.elapsed(), 10 * second, "a rejected request does not count");
    }

    #[tokio::test(start_paused = true)]
    async fn acquire_waits_for_a_permit_until_the_deadline() {
        let limits = Limits::new(1, None);
        let start = Instant::now();
        let _taken = limits.acquire(start + FAR).await.unwrap();
        let fault = limits.acquire(start + Duration::from_secs(5)).await.unwrap_err();
        assert_eq!((fault.reason, start.elapsed()), (Reason::Timeout, Duration::from_secs(5)));
        let fault = limits.acquire(start).await.unwrap_err();
        assert_eq!((fault.reason, fault.sent), (Reason::Timeout, false));
    }
}
