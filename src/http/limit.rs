//! When a request may go out: how many at once, how many in a time, and not while the provider wants to be left alone.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::error::TransportError;
use crate::core::failure::Reason;
use crate::core::rate_bucket::RateBucket;

/// The limits of one client.
#[derive(Debug)]
pub(super) struct Limits {
    places: Semaphore,
    bucket: Option<Mutex<RateBucket>>,
    start: Instant,
    quiet_until: Mutex<Option<Instant>>,
}

impl Limits {
    /// So many requests at once, and so many in so long a time.
    pub(super) fn new(concurrency: usize, rate: Option<(u32, Duration)>) -> Self {
        Self {
            places: Semaphore::new(concurrency.clamp(1, Semaphore::MAX_PERMITS)),
            bucket: rate.map(|(count, period)| Mutex::new(bucket(count, period))),
            start: Instant::now(),
            quiet_until: Mutex::new(None),
        }
    }

    /// Waits for a turn, which lasts until what is returned is dropped.
    ///
    /// A turn that would come after the deadline is refused at once: as `rate_limited` where the provider asked for the
    /// wait, else as `timeout`.
    pub(super) async fn turn(&self, deadline: Instant) -> Result<SemaphorePermit<'_>, TransportError> {
        let late = || TransportError::unsent(Reason::Timeout, "no turn to be sent before the deadline");
        let place = match timeout_at(deadline, self.places.acquire()).await {
            Ok(Ok(place)) if Instant::now() < deadline => place,
            _ => return Err(late()),
        };
        self.quiet(deadline).await?;
        if let Some(bucket) = &self.bucket {
            let max_wait = deadline.saturating_duration_since(Instant::now());
            let wait = bucket.lock().take(self.start.elapsed(), max_wait);
            sleep(wait.ok_or_else(late)?).await;
            self.quiet(deadline).await?;
        }
        Ok(place)
    }

    /// Holds back all requests that have not gone out yet until then.
    pub(super) fn hold(&self, until: Instant) {
        let mut quiet_until = self.quiet_until.lock();
        *quiet_until = (*quiet_until).max(Some(until));
    }

    /// Waits as long as the provider wants to be left alone, which may become longer meanwhile.
    async fn quiet(&self, deadline: Instant) -> Result<(), TransportError> {
        loop {
            let until = *self.quiet_until.lock();
            match until {
                Some(until) if until > Instant::now() && until >= deadline => {
                    let what = "the provider's rate limit holds until after the deadline";
                    return Err(TransportError::unsent(Reason::RateLimited, what));
                }
                Some(until) if until > Instant::now() => sleep_until(until).await,
                _ => return Ok(()),
            }
        }
    }
}

/// A bucket with a tenth of the requests of one period: after a pause a few requests are sent together, and no period has more
/// than a tenth above its number.
fn bucket(count: u32, period: Duration) -> RateBucket {
    RateBucket::new(period / count.max(1), count / 10)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const FAR: Duration = Duration::from_secs(3600);

    /// When each of so many requests that start together gets its turn, in ms, if each takes so long.
    async fn turns(limits: Limits, count: usize, each: Duration) -> Vec<u128> {
        let (limits, start) = (Arc::new(limits), Instant::now());
        let turns: Vec<_> = (0..count)
            .map(|_| {
                let limits = Arc::clone(&limits);
                tokio::spawn(async move {
                    let turn = limits.turn(start + FAR).await.unwrap();
                    let at = start.elapsed().as_millis();
                    tokio::time::sleep(each).await;
                    drop(turn);
                    at
                })
            })
            .collect();
        let mut times = Vec::new();
        for turn in turns {
            times.push(turn.await.unwrap());
        }
        times.sort_unstable();
        times
    }

    #[tokio::test(start_paused = true)]
    async fn only_so_many_are_under_way_at_once() {
        let second = Duration::from_secs(1);
        assert_eq!(turns(Limits::new(2, None), 5, second).await, [0, 0, 1000, 1000, 2000]);
        assert_eq!(turns(Limits::new(0, None), 2, second).await, [0, 1000], "no limit of zero");
    }

    #[tokio::test(start_paused = true)]
    async fn only_so_many_go_out_in_a_time() {
        let rate = |count, seconds| Limits::new(100, Some((count, Duration::from_secs(seconds))));
        assert_eq!(turns(rate(2, 1), 4, Duration::ZERO).await, [0, 500, 1000, 1500]);
        assert_eq!(turns(rate(30, 30), 6, Duration::ZERO).await, [0, 0, 0, 1000, 2000, 3000]);
    }

    #[tokio::test(start_paused = true)]
    async fn no_time_sees_a_tenth_more_than_its_number() {
        let times = turns(Limits::new(1000, Some((150, Duration::from_secs(60)))), 600, Duration::ZERO).await;
        let busiest =
            times.iter().map(|from| times.iter().filter(|at| (*from..from + 60_000).contains(at)).count()).max();
        assert_eq!(busiest, Some(164));
        assert_eq!(times.last(), Some(&(585 * 400)), "and a long walk loses nothing");
    }

    #[tokio::test(start_paused = true)]
    async fn a_rest_fills_the_bucket_again_but_not_over() {
        let limits = Limits::new(100, Some((30, Duration::from_secs(30))));
        let start = Instant::now();
        for (rest, at) in [(0, 0), (0, 0), (0, 0), (0, 1), (100, 101), (0, 101), (0, 101), (0, 102)] {
            tokio::time::sleep(Duration::from_secs(rest)).await;
            drop(limits.turn(start + FAR).await.unwrap());
            assert_eq!(start.elapsed().as_secs(), at);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_held_client_lets_nothing_out() {
        let limits = Limits::new(10, None);
        limits.hold(Instant::now() + Duration::from_secs(3));
        limits.hold(Instant::now() + Duration::from_secs(2));
        assert_eq!(turns(limits, 2, Duration::ZERO).await, [3000, 3000]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_hold_may_become_longer_meanwhile() {
        let limits = Arc::new(Limits::new(10, None));
        let start = Instant::now();
        limits.hold(start + Duration::from_secs(2));
        let waiting = tokio::spawn({
            let limits = Arc::clone(&limits);
            async move { limits.turn(start + FAR).await.map(|_| start.elapsed()) }
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        limits.hold(start + Duration::from_secs(5));
        assert_eq!(waiting.await.unwrap(), Ok(Duration::from_secs(5)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_after_the_deadline_is_refused_at_once() {
        let second = Duration::from_secs(1);
        let start = Instant::now();

        let held = Limits::new(1, None);
        held.hold(start + 10 * second);
        assert_eq!(held.turn(start + 5 * second).await.unwrap_err().reason, Reason::RateLimited);

        let slow = Limits::new(1, Some((1, 10 * second)));
        drop(slow.turn(start + second).await.unwrap());
        assert_eq!(slow.turn(start + 5 * second).await.unwrap_err().reason, Reason::Timeout);
        assert_eq!(start.elapsed(), Duration::ZERO);
        drop(slow.turn(start + 11 * second).await.unwrap());
        assert_eq!(start.elapsed(), 10 * second, "the refused one has taken nothing");
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_is_waited_for_until_the_deadline() {
        let limits = Limits::new(1, None);
        let start = Instant::now();
        let _taken = limits.turn(start + FAR).await.unwrap();
        let fault = limits.turn(start + Duration::from_secs(5)).await.unwrap_err();
        assert_eq!((fault.reason, start.elapsed()), (Reason::Timeout, Duration::from_secs(5)));
        let fault = limits.turn(start).await.unwrap_err();
        assert_eq!((fault.reason, fault.sent), (Reason::Timeout, false));
    }
}
