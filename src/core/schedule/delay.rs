//! How long until the next collection.

use std::time::Duration;

use crate::core::failure::Reason;
use crate::core::outcome::Outcome;

/// The share of the interval by which a collection may be early or late, so that sources are not collected in step.
const INTERVAL_JITTER: f64 = 0.1;
/// The first collections start within this share of their interval.
const FIRST_SHARE: f64 = 0.1;
/// The maximum delay after the first failure. It doubles with each further one.
const FIRST_BACKOFF: Duration = Duration::from_secs(30);
/// The minimum delay after a failure.
const MIN_BACKOFF: Duration = Duration::from_secs(10);

/// What an outcome means for the next collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryClass {
    Complete,
    /// Incomplete, and a retry may help.
    Retryable,
    /// Incomplete until an operator changes a permission, a credential or a setting.
    NeedsOperator,
}

/// Classifies an outcome by its gaps.
pub fn classify(outcome: &Outcome) -> RetryClass {
    let gaps = || outcome.listings.iter().flat_map(|listing| &listing.gaps);
    let is_permanent = |reason| matches!(reason, Reason::Forbidden | Reason::Unauthorized | Reason::NotFound);
    if gaps().next().is_none() {
        RetryClass::Complete
    } else if gaps().all(|gap| is_permanent(gap.failure.reason)) {
        RetryClass::NeedsOperator
    } else {
        RetryClass::Retryable
    }
}

/// The delay of the first collection after the start.
pub fn first_delay(interval: Duration, spread: Duration, jitter: f64) -> Duration {
    spread.min(interval.mul_f64(FIRST_SHARE)).mul_f64(jitter)
}

/// The delay after a collection. `failures` is the number of consecutive retryable failures, including this one.
///
/// After a failure it is random between zero and a limit that doubles (full jitter), but at least ten seconds and at most the
/// interval.
pub fn next_delay(failures: u32, interval: Duration, jitter: f64) -> Duration {
    if failures == 0 {
        return interval.mul_f64(1.0 + INTERVAL_JITTER * (2.0 * jitter - 1.0));
    }
    let limit = FIRST_BACKOFF.saturating_mul(2_u32.saturating_pow(failures - 1)).min(interval);
    limit.mul_f64(jitter).max(MIN_BACKOFF.min(interval))
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
        Outcome { listings: vec![ListingResult { gaps, ..ListingResult::new("tokens") }], ..Outcome::default() }
    }

    #[test]
    fn classify_separates_permanent_from_temporary_failures() {
        for (reasons, expected) in [
            (&[][..], RetryClass::Complete),
            (&[Reason::Forbidden], RetryClass::NeedsOperator),
            (&[Reason::Unauthorized, Reason::NotFound], RetryClass::NeedsOperator),
            (&[Reason::Forbidden, Reason::Timeout], RetryClass::Retryable),
            (&[Reason::ServerError], RetryClass::Retryable),
            (&[Reason::Credential], RetryClass::Retryable),
        ] {
            assert_eq!(classify(&outcome(reasons)), expected, "{reasons:?}");
        }
    }

    #[test]
    fn failure_outside_the_listings_is_not_retried_early() {
        let outcome = Outcome { failures: vec![Failure::new(Reason::Timeout, "owners")], ..outcome(&[]) };
        assert_eq!(classify(&outcome), RetryClass::Complete);
    }

    #[test]
    fn first_delay_is_limited_by_the_spread_and_a_tenth_of_the_interval() {
        for (interval, spread, jitter, expected) in [
            (900, 5, 0.0, secs(0)),
            (900, 5, 0.5, Duration::from_millis(2500)),
            (20, 5, 0.5, secs(1)),
            (900, 0, 0.99, secs(0)),
        ] {
            assert_eq!(first_delay(secs(interval), secs(spread), jitter), expected, "{interval} {spread} {jitter}");
        }
    }

    #[test]
    fn next_delay_follows_the_interval_or_the_failures() {
        for (failures, interval, jitter, expected) in [
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
            assert_eq!(next_delay(failures, secs(interval), jitter), expected, "{failures} {interval} {jitter}");
        }
    }
}
