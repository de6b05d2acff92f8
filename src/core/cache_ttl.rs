//! How long a cached response about one token is reused.

use chrono::{DateTime, TimeDelta, Utc};

use super::token::Expiry;

/// When to request a token again that was read at `now`: after `recheck`, but at most half of its remaining time, so that a
/// renewal is seen before an alert on the old expiry. An expired token is not cached.
pub fn refresh_at(now: DateTime<Utc>, expires: Expiry, recheck: TimeDelta) -> DateTime<Utc> {
    let remaining = expires.timestamp().map_or(TimeDelta::MAX, |at| (at - now).max(TimeDelta::zero()));
    now.checked_add_signed(recheck.min(remaining / 2)).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn cached_response_is_reused_at_most_half_of_the_remaining_time() {
        let now: DateTime<Utc> = "2026-11-23T12:00:00Z".parse().unwrap();
        let in_hours = |hours| Expiry::At(now + TimeDelta::hours(hours));
        let cases = [
            (in_hours(1000), 24),
            (in_hours(48), 24),
            (in_hours(47), 23),
            (in_hours(2), 1),
            (in_hours(0), 0),
            (in_hours(-5), 0),
            (Expiry::Never, 24),
            (Expiry::Unknown, 24),
        ];
        for (expires, hours) in cases {
            let refresh = (refresh_at(now, expires, TimeDelta::hours(24)) - now).num_hours();
            assert_eq!(refresh, hours, "{expires:?}");
        }
        assert_eq!(refresh_at(now, Expiry::Never, TimeDelta::MAX), DateTime::<Utc>::MAX_UTC);
        assert_eq!(refresh_at(now, Expiry::At(DateTime::<Utc>::MIN_UTC), TimeDelta::hours(1)), now);
        let refresh = refresh_at(now, Expiry::At(DateTime::<Utc>::MAX_UTC), TimeDelta::hours(1));
        assert_eq!(refresh, now + TimeDelta::hours(1));
    }
}
