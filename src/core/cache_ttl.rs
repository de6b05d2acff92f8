//! For how long an answer about one token is used again, instead of being asked for anew.

use chrono::{DateTime, TimeDelta, Utc};

use super::token::Expiry;

/// When to ask again about a token that was read at `now`: after `recheck`, and never past half of what remains of it, so
/// that a renewal is seen before people are told of an end that is none any more. At once where it has ended.
pub fn again_at(now: DateTime<Utc>, expires: Expiry, recheck: TimeDelta) -> DateTime<Utc> {
    let remaining = expires.instant().map_or(TimeDelta::MAX, |end| (end - now).max(TimeDelta::zero()));
    now.checked_add_signed(recheck.min(remaining / 2)).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use chrono::{DateTime, TimeDelta, Utc};

    use super::again_at;
    use crate::core::token::Expiry;

    #[test]
    fn the_nearer_the_end_the_sooner_it_is_asked_again() {
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
            let again = (again_at(now, expires, TimeDelta::hours(24)) - now).num_hours();
            assert_eq!(again, hours, "{expires:?}");
        }
        assert_eq!(again_at(now, Expiry::Never, TimeDelta::MAX), DateTime::<Utc>::MAX_UTC);
        assert_eq!(again_at(now, Expiry::At(DateTime::<Utc>::MIN_UTC), TimeDelta::hours(1)), now);
        let again = again_at(now, Expiry::At(DateTime::<Utc>::MAX_UTC), TimeDelta::hours(1));
        assert_eq!(again, now + TimeDelta::hours(1));
    }
}
