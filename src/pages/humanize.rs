//! Times as text.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

/// The distance of a time from now: `in 3 days`, `2 hours ago`.
pub(crate) fn relative(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let distance = at - now;
    let length = duration(distance.abs());
    match distance {
        distance if distance.abs() < TimeDelta::seconds(1) => "now".to_owned(),
        distance if distance > TimeDelta::zero() => format!("in {length}"),
        _ => format!("{length} ago"),
    }
}

/// A duration in the largest unit of which there are at least two, rounded down: `90 seconds`, `119 minutes`.
pub(crate) fn duration(duration: TimeDelta) -> String {
    const UNITS: [(i64, &str); 5] =
        [(365 * 86_400, "year"), (86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let seconds = duration.num_seconds();
    let (size, unit) = UNITS.into_iter().find(|(size, _)| seconds >= 2 * size).unwrap_or((1, "second"));
    let count = seconds / size;
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

/// A timestamp to the second, in UTC.
pub(crate) fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used)]

    use super::*;

    #[test]
    fn relative_uses_the_largest_unit_with_at_least_two() {
        let now = DateTime::from_timestamp(1_760_000_000, 0).expect("a valid timestamp");
        for (seconds, text) in [
            (0, "now"),
            (1, "in 1 second"),
            (-90, "90 seconds ago"),
            (120, "in 2 minutes"),
            (-7_199, "119 minutes ago"),
            (86_400 + 3_600, "in 25 hours"),
            (30 * 86_400, "in 30 days"),
            (-800 * 86_400, "2 years ago"),
        ] {
            assert_eq!(relative(now + TimeDelta::seconds(seconds), now), text);
        }
    }
}
