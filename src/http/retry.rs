//! Whether to try again, and when: pure decisions.

use std::time::Duration;

use crate::core::failure::Reason;

/// The longest first wait that a client chooses by itself. Each further one may be twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// The longest wait that a client chooses by itself.
const MOST_WAIT: Duration = Duration::from_secs(30);

/// Whether what failed for this reason may go well another time. All requests here only read, so each may be sent again.
pub(super) fn may_help(reason: Reason) -> bool {
    matches!(reason, Reason::RateLimited | Reason::ServerError | Reason::Timeout | Reason::Connect)
}

/// How long to wait after so many attempts.
///
/// Full jitter, so that clients that failed together do not return together
/// (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>), but never sooner than the provider
/// asked for, and never longer than `longest`. `chance` is from 0 to 1.
pub fn wait(attempts: u32, told: Option<Duration>, longest: Duration, chance: f64) -> Duration {
    let doublings = attempts.saturating_sub(1).min(16);
    let own = FIRST_WAIT.saturating_mul(1 << doublings).min(MOST_WAIT).mul_f64(chance.clamp(0.0, 1.0));
    own.max(told.unwrap_or_default()).min(longest)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn only_what_passes_by_itself_is_tried_again() {
        let again = [Reason::RateLimited, Reason::ServerError, Reason::Timeout, Reason::Connect];
        for reason in Reason::ALL {
            assert_eq!(may_help(reason), again.contains(&reason), "{reason}");
        }
    }

    #[test]
    fn a_wait_grows_is_jittered_told_and_capped() {
        let cases = [
            (1, None, 60_000, 1.0, 500),
            (2, None, 60_000, 1.0, 1_000),
            (3, None, 60_000, 0.5, 1_000),
            (7, None, 60_000, 1.0, 30_000),
            (u32::MAX, None, 60_000, 1.0, 30_000),
            (3, None, 60_000, 0.0, 0),
            (3, None, 1_500, 1.0, 1_500),
            (1, Some(20_000), 60_000, 1.0, 20_000),
            (1, Some(3_600_000), 60_000, 1.0, 60_000),
            (3, Some(0), 60_000, 0.5, 1_000),
            (0, Some(100), 60_000, 0.0, 100),
        ];
        for (attempts, told, longest, chance, want) in cases {
            let told = told.map(Duration::from_millis);
            let got = wait(attempts, told, Duration::from_millis(longest), chance);
            assert_eq!(got, Duration::from_millis(want), "{attempts} {told:?} {longest} {chance}");
        }
    }
}
