//! When to stop asking: a provider that is down must not cost a time-out for each of ten thousand scopes.

use parking_lot::Mutex;

use crate::core::failure::{Failure, Reason};

/// So many failures of the same reason, one after the other, and nothing more is asked.
const TRIP_AFTER: u32 = 50;

/// How a row of requests has gone so far.
#[derive(Default)]
pub(super) struct CircuitBreaker(Mutex<Streak>);

#[derive(Default)]
struct Streak {
    failure: Option<Failure>,
    length: u32,
    /// Whether the provider has answered at all: then a 401 speaks of the scope alone, as Bitbucket's does.
    answered: bool,
}

impl CircuitBreaker {
    /// Notes an answer, or a failure to get one.
    pub(super) fn heard(&self, failure: Option<&Failure>) {
        let mut streak = self.0.lock();
        if streak.length >= TRIP_AFTER {
            return; // what was under way when patience was lost does not bring it back
        }
        let answered = streak.answered;
        match (failure, &streak.failure) {
            (Some(failure), _) if answered && failure.reason == Reason::Unauthorized => {}
            (Some(failure), Some(last)) if failure.reason == last.reason => streak.length += 1,
            (Some(failure), _) => *streak = Streak { failure: Some(failure.clone()), length: 1, answered },
            (None, _) => *streak = Streak { answered: true, ..Streak::default() },
        }
    }

    /// Why nothing more is asked; none as long as there is hope.
    pub(super) fn lost(&self) -> Option<Failure> {
        let streak = self.0.lock();
        let last = streak.failure.as_ref().filter(|_| streak.length >= TRIP_AFTER)?;
        let what = format!("not asked, since the last {TRIP_AFTER} failed alike: {}", last.what);
        Some(Failure { what, ..last.clone() })
    }
}

/// Whether a failure says something of the provider as a whole, and not only of the scope that was asked for.
pub(super) fn concerns_all(reason: Reason) -> bool {
    match reason {
        Reason::Unauthorized
        | Reason::RateLimited
        | Reason::ServerError
        | Reason::Timeout
        | Reason::Connect
        | Reason::Tls => true,
        Reason::Forbidden
        | Reason::NotFound
        | Reason::Redirect
        | Reason::TooLarge
        | Reason::Decode
        | Reason::Mapping
        | Reason::Paging
        | Reason::Credential
        | Reason::Internal => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn patience_is_lost_when_fifty_in_a_row_fail_alike() {
        let patience = CircuitBreaker::default();
        let (timeout, connect) = (Failure::new(Reason::Timeout, "t"), Failure::new(Reason::Connect, "c"));
        (0..49).for_each(|_| patience.heard(Some(&timeout)));
        patience.heard(None);
        (0..49).for_each(|_| patience.heard(Some(&timeout)));
        patience.heard(Some(&connect));
        (0..49).for_each(|_| patience.heard(Some(&timeout)));
        assert_eq!(patience.lost(), None);
        patience.heard(Some(&timeout));
        patience.heard(None);
        let lost = patience.lost().unwrap();
        assert_eq!(
            (lost.reason, lost.what.as_str()),
            (Reason::Timeout, "not asked, since the last 50 failed alike: t")
        );
    }

    #[test]
    fn a_401_from_a_provider_that_answers_elsewhere_costs_no_patience() {
        let refused = Failure::new(Reason::Unauthorized, "u");
        let (answering, refusing) = (CircuitBreaker::default(), CircuitBreaker::default());
        answering.heard(None);
        for patience in [&answering, &refusing] {
            (0..60).for_each(|_| patience.heard(Some(&refused)));
        }
        assert_eq!(answering.lost(), None);
        assert!(refusing.lost().is_some());
    }
}
