//! When to collect: pure decisions, of which chance is an argument.

use std::time::Duration;

use crate::core::failure::Reason;
use crate::core::outcome::Outcome;

/// The share of the interval by which a collection may come early or late, so that sources do not march in step.
const JITTER: f64 = 0.1;
/// The first collections come within this share of their interval.
const FIRST: f64 = 0.1;
/// The longest pause after the first failure; it doubles with each further one.
const BACK_OFF: Duration = Duration::from_secs(30);
/// The shortest pause after a failure.
const SHORTEST: Duration = Duration::from_secs(10);

/// What an outcome means for the next collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RetryClass {
    /// Nothing is missing.
    Complete,
    /// Something is missing, and another try may bring it.
    Retryable,
    /// Something is missing until a person gives a permission, a credential or another setting.
    NeedsOperator,
}

/// Judges an outcome by its gaps.
pub(super) fn verdict(outcome: &Outcome) -> RetryClass {
    let gaps = || outcome.listings.iter().flat_map(|listing| &listing.gaps);
    let lasting = |reason| matches!(reason, Reason::Forbidden | Reason::Unauthorized | Reason::NotFound);
    if gaps().next().is_none() {
        RetryClass::Complete
    } else if gaps().all(|gap| lasting(gap.failure.reason)) {
        RetryClass::NeedsOperator
    } else {
        RetryClass::Retryable
    }
}

/// How long after the start the first collection comes.
pub(super) fn first(interval: Duration, spread: Duration, chance: f64) -> Duration {
    spread.min(interval.mul_f64(FIRST)).mul_f64(chance)
}

/// How long to wait after a collection. `failures` counts those in a row that may heal, this one included.
///
/// After a failure the pause is drawn from nothing up to a limit that doubles (full jitter), but is never under ten
/// seconds and never over the interval.
pub(super) fn pause(failures: u32, interval: Duration, chance: f64) -> Duration {
    if failures == 0 {
        return interval.mul_f64(1.0 + JITTER * (2.0 * chance - 1.0));
    }
    let limit = BACK_OFF.saturating_mul(2_u32.saturating_pow(failures - 1)).min(interval);
    limit.mul_f64(chance).max(SHORTEST.min(interval))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::failure::Failure;
    use crate::core::outcome::{Gap, ListingResult, Path};

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn outcome(reasons: &[Reason]) -> Outcome {
        let gaps = reasons
            .iter()
            .map(|&reason| Gap {
                path: Path::root(),
                scope: "all".into(),
                failure: Failure::new(reason, "it failed"),
                required_permission: None,
            })
            .collect();
        Outcome {
            listings: vec![ListingResult { name: "tokens".into(), scopes: Vec::new(), gaps }],
            ..Outcome::default()
        }
    }

    #[test]
    fn what_a_person_must_heal_is_told_from_what_heals_by_itself() {
        for (reasons, expected) in [
            (&[][..], RetryClass::Complete),
            (&[Reason::Forbidden], RetryClass::NeedsOperator),
            (&[Reason::Unauthorized, Reason::NotFound], RetryClass::NeedsOperator),
            (&[Reason::Forbidden, Reason::Timeout], RetryClass::Retryable),
            (&[Reason::ServerError], RetryClass::Retryable),
            (&[Reason::Credential], RetryClass::Retryable),
        ] {
            assert_eq!(verdict(&outcome(reasons)), expected, "{reasons:?}");
        }
    }

    #[test]
    fn a_failure_beside_the_listings_hurries_nothing() {
        let outcome = Outcome { failures: vec![Failure::new(Reason::Timeout, "owners")], ..outcome(&[]) };
        assert_eq!(verdict(&outcome), RetryClass::Complete);
    }

    #[test]
    fn the_first_collection_is_spread_over_the_lesser_of_a_few_seconds_and_a_tenth_of_the_interval() {
        for (interval, spread, chance, expected) in [
            (900, 5, 0.0, secs(0)),
            (900, 5, 0.5, Duration::from_millis(2500)),
            (20, 5, 0.5, secs(1)),
            (900, 0, 0.99, secs(0)),
        ] {
            assert_eq!(first(secs(interval), secs(spread), chance), expected, "{interval} {spread} {chance}");
        }
    }

    #[test]
    fn pauses() {
        for (failures, interval, chance, expected) in [
            (0, 900, 0.0, secs(810)),
            (0, 900, 0.5, secs(900)),
            (0, 900, 1.0, secs(990)),
            (1, 900, 1.0, secs(30)),
            (1, 900, 0.5, secs(15)),
            (1, 900, 0.0, secs(10)),
            (2, 900, 1.0, secs(60)),
            (3, 900, 1.0, secs(120)),
            (6, 900, 1.0, secs(900)),
            (60, 900, 1.0, secs(900)),
            (60, 900, 0.25, secs(225)),
            (1, 20, 1.0, secs(20)),
            (9, 4, 0.0, secs(4)),
        ] {
            assert_eq!(pause(failures, secs(interval), chance), expected, "{failures} {interval} {chance}");
        }
    }
}
