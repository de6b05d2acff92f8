//! A clock that only runs while the store can be read.

use std::time::Duration;

/// The time during which this process could have seen a change in the store. It advances by at most two polls for each look: after a
/// pause of this process or an outage of the store, no other replica seems dead.
#[derive(Clone, Debug)]
pub(super) struct Observer {
    /// Two polls.
    limit: Duration,
    /// When the last successful look began.
    last_look: Option<Duration>,
    /// The observed time at that look.
    observed: Duration,
    failing: Option<Failing>,
}

/// Looks that failed since the last successful one.
#[derive(Clone, Copy, Debug)]
struct Failing {
    /// When the first of them began.
    since: Duration,
    looks: u32,
    last: Duration,
    /// Without pauses of this process, as those are not the store's fault.
    total: Duration,
}

impl Observer {
    pub(super) fn new(poll: Duration) -> Self {
        Self { limit: 2 * poll, last_look: None, observed: Duration::ZERO, failing: None }
    }

    /// A look that began at this time was successful. Whether it ends an outage, in which no replica could renew anything. A single
    /// look that failed is not one: otherwise an unreliable store would hide that a replica is dead.
    pub(super) fn looked(&mut self, started: Duration) -> bool {
        self.observed = self.time(started);
        self.last_look = Some(started);
        self.failing.take().is_some_and(|failing| failing.looks > 1)
    }

    /// A look that began at `started` has failed.
    pub(super) fn failed(&mut self, started: Duration, now: Duration) {
        let none = Failing { since: started, looks: 0, last: self.last_look.unwrap_or(started), total: Duration::ZERO };
        let Failing { since, looks, last, total } = self.failing.unwrap_or(none);
        let total = total + self.elapsed(Some(last), now);
        self.failing = Some(Failing { since, looks: looks.saturating_add(1), last: now, total });
    }

    /// The observed time at the last look.
    pub(super) fn last(&self) -> Duration {
        self.observed
    }

    /// The observed time.
    pub(super) fn time(&self, now: Duration) -> Duration {
        self.observed + self.elapsed(self.last_look, now)
    }

    /// Whether the store was ever read.
    pub(super) fn has_looked(&self) -> bool {
        self.last_look.is_some()
    }

    /// Whether decisions may rest on the last look.
    pub(super) fn is_fresh(&self, now: Duration) -> bool {
        self.last_look.is_some_and(|last| now.saturating_sub(last) < self.limit)
    }

    /// Whether the last look failed.
    pub(super) fn is_failing(&self) -> bool {
        self.failing.is_some()
    }

    /// When the first look of those that failed began: until then the store may have responded to others.
    pub(super) fn failing_since(&self) -> Option<Duration> {
        self.failing.map(|failing| failing.since)
    }

    /// For how long the store could not be read, at the last failed look.
    pub(super) fn failing_for(&self) -> Duration {
        self.failing.map_or(Duration::ZERO, |failing| failing.total)
    }

    fn elapsed(&self, start: Option<Duration>, now: Duration) -> Duration {
        start.map_or(Duration::ZERO, |start| now.saturating_sub(start).min(self.limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn observer_advances_by_at_most_two_polls_for_each_look() {
        let mut observer = Observer::new(s(10));
        assert_eq!((observer.time(s(50)), observer.is_fresh(s(50))), (s(0), false));
        assert!(!observer.looked(s(50)) && !observer.looked(s(60)));
        assert_eq!((observer.time(s(65)), observer.is_fresh(s(65))), (s(15), true));
        assert!(!observer.looked(s(600)), "a pause, not an outage");
        assert_eq!(observer.time(s(600)), s(30), "540 s without a look count as 20 s");
    }

    #[test]
    fn store_is_failing_for_the_time_of_failed_looks_without_pauses() {
        let mut observer = Observer::new(s(10));
        assert!(!observer.looked(s(0)));
        for at in [15, 30, 45] {
            observer.failed(s(at - 2), s(at));
        }
        assert_eq!((observer.failing_for(), observer.failing_since()), (s(45), Some(s(13))));
        assert_eq!((observer.time(s(45)), observer.last()), (s(20), s(0)));
        assert!(observer.looked(s(55)), "it ends an outage");
        assert_eq!(observer.failing_for(), s(0));
        // A pause of this process: the first failed look after it counts as two polls.
        observer.failed(s(492), s(500));
        assert_eq!(observer.failing_for(), s(20));
        assert!(!observer.looked(s(505)), "one failed look is not an outage");
    }
}
