//! Circuit breaker for a fan-out or a look-up table. Without it a provider that is down costs one timeout per scope, and
//! there may be ten thousand.

use parking_lot::Mutex;

use crate::core::failure::{Failure, Reason};

/// Consecutive failures with the same reason that open the circuit breaker.
const TRIP_AFTER: u32 = 50;

/// Opens after [`TRIP_AFTER`] failures, and stays open for the rest of its fan-out.
#[derive(Default)]
pub(super) struct CircuitBreaker(Mutex<Streak>);

#[derive(Default)]
struct Streak {
    failure: Option<Failure>,
    length: u32,
    /// Whether any request has succeeded. A later 401 concerns its scope alone, as it does at Bitbucket.
    has_succeeded: bool,
}

impl CircuitBreaker {
    /// Records a success (`None`) or a failure.
    pub(super) fn record(&self, failure: Option<&Failure>) {
        let mut streak = self.0.lock();
        if streak.length >= TRIP_AFTER {
            return; // requests that were in flight do not close it
        }
        let has_succeeded = streak.has_succeeded;
        match (failure, &streak.failure) {
            (Some(failure), _) if has_succeeded && failure.reason == Reason::Unauthorized => {}
            (Some(failure), Some(last)) if failure.reason == last.reason => streak.length += 1,
            (Some(failure), _) => *streak = Streak { failure: Some(failure.clone()), length: 1, has_succeeded },
            (None, _) => *streak = Streak { has_succeeded: true, ..Streak::default() },
        }
    }

    /// The failure of what is skipped, if the breaker is open.
    pub(super) fn tripped(&self) -> Option<Failure> {
        let streak = self.0.lock();
        let last = streak.failure.as_ref().filter(|_| streak.length >= TRIP_AFTER)?;
        let what = format!("skipped: circuit breaker open after {TRIP_AFTER} consecutive failures: {}", last.what);
        Some(Failure { what, ..last.clone() })
    }
}

/// Whether failures with this reason concern the provider as a whole, not only the requested scope.
pub(super) fn is_provider_wide(reason: Reason) -> bool {
    use Reason::{Connect, RateLimited, ServerError, Timeout, Tls, Unauthorized};
    matches!(reason, Unauthorized | RateLimited | ServerError | Timeout | Connect | Tls)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn breaker_trips_after_50_consecutive_failures_with_one_reason() {
        let breaker = CircuitBreaker::default();
        let (timeout, connect) = (Failure::new(Reason::Timeout, "t"), Failure::new(Reason::Connect, "c"));
        (0..49).for_each(|_| breaker.record(Some(&timeout)));
        breaker.record(None);
        (0..49).for_each(|_| breaker.record(Some(&timeout)));
        breaker.record(Some(&connect));
        (0..49).for_each(|_| breaker.record(Some(&timeout)));
        assert_eq!(breaker.tripped(), None);
        breaker.record(Some(&timeout));
        breaker.record(None);
        let tripped = breaker.tripped().unwrap();
        assert_eq!(tripped.reason, Reason::Timeout);
        assert_eq!(tripped.what, "skipped: circuit breaker open after 50 consecutive failures: t");
    }

    #[test]
    fn unauthorized_scope_does_not_trip_breaker_after_a_success() {
        let refused = Failure::new(Reason::Unauthorized, "u");
        let (after_success, without_success) = (CircuitBreaker::default(), CircuitBreaker::default());
        after_success.record(None);
        for breaker in [&after_success, &without_success] {
            (0..60).for_each(|_| breaker.record(Some(&refused)));
        }
        assert_eq!(after_success.tripped(), None);
        assert!(without_success.tripped().is_some());
    }
}
