//! Whether and when to retry, as pure functions.

use std::time::Duration;

use crate::core::failure::Reason;

/// The maximum delay of the first retry. It doubles with each further one.
const FIRST_BACKOFF: Duration = Duration::from_millis(500);

/// The maximum delay, unless the provider requests a longer one.
const MAX_BACKOFF: Duration = Duration::from_secs(30);

/// Whether a retry may succeed. All requests only read, so each may be sent again.
pub(super) fn is_retryable(reason: Reason) -> bool {
    matches!(reason, Reason::RateLimited | Reason::ServerError | Reason::Timeout | Reason::Connect)
}

/// The delay after `attempts` attempts.
///
/// Full jitter (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>), so that clients that failed
/// together do not retry together; at least what the provider requested, and at most `max`. `jitter` is from 0 to 1.
pub fn delay(attempts: u32, requested: Option<Duration>, max: Duration, jitter: f64) -> Duration {
    let doublings = attempts.saturating_sub(1).min(16);
    let backoff = FIRST_BACKOFF.saturating_mul(1 << doublings).min(MAX_BACKOFF).mul_f64(jitter.clamp(0.0, 1.0));
    backoff.max(requested.unwrap_or_default()).min(max)
}

/// `1 attempt`, `2 attempts`.
pub(super) fn attempts(count: u32) -> String {
    if count == 1 { "1 attempt".to_owned() } else { format!("{count} attempts") }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn only_temporary_failures_are_retryable() {
        let temporary = [Reason::RateLimited, Reason::ServerError, Reason::Timeout, Reason::Connect];
        for reason in Reason::ALL {
            assert_eq!(is_retryable(reason), temporary.contains(&reason), "{reason}");
        }
    }

    #[test]
    fn delay_grows_with_jitter_and_honours_the_provider_up_to_the_maximum() {
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
        for (attempts, requested, max, jitter, want) in cases {
            let requested = requested.map(Duration::from_millis);
            let got = delay(attempts, requested, Duration::from_millis(max), jitter);
            assert_eq!(got, Duration::from_millis(want), "{attempts} {requested:?} {max} {jitter}");
        }
    }
}
