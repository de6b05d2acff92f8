//! The parser for the times of all vendors.
//!
//! A date alone is the start of that day in UTC. With `end_of_day`, an expiry is the last second of that day (23:59:59), so
//! that the displayed date is the vendor's.
//!
//! Never: the values of `never`, and always a year before 2 or from 9999 on (the zero time of Go and .NET, and the "never" of
//! Jira, Google, Okta and others). A time before 1971 is unreadable: no token is that old, so it is an undeclared zero, or a
//! number in another unit than declared.

mod duration;
mod iso;
mod number;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use serde_json::Value;

pub use self::duration::{duration, parse_duration};
use self::iso::Day;
use super::token::Expiry;

/// The unit of numbers, also of those in strings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// Numbers are unreadable.
    #[default]
    None,
    EpochSeconds,
    EpochMilliseconds,
    SecondsFromNow,
}

/// The format of times: a definition's `times` and `never`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TimeFormat {
    pub unit: Unit,
    /// Whether RFC 2822 is accepted.
    pub rfc_2822: bool,
    /// Whether an expiry without a time is the end of that day.
    pub end_of_day: bool,
    /// Whether an expiry that is null, absent or "" is `Unknown` instead of `Never`.
    pub absent_is_unknown: bool,
    /// Values that mean never. Numbers match by value, also in strings; other values exactly.
    pub never: Vec<Value>,
    /// An expiry further ahead than this means never.
    pub never_after: Option<TimeDelta>,
}

impl TimeFormat {
    /// Parses an expiry. An unreadable one is `Unknown`.
    pub fn expiry(&self, value: &Value, now: DateTime<Utc>) -> Expiry {
        let day = if self.end_of_day { Day::End } else { Day::Start };
        match self.parse(value, now, day) {
            Parsed::At(at) if self.never_after.is_some_and(|after| at - now > after) => Expiry::Never,
            Parsed::At(at) => Expiry::At(at),
            Parsed::Absent if self.absent_is_unknown => Expiry::Unknown,
            Parsed::Absent | Parsed::Never => Expiry::Never,
            Parsed::Unreadable => Expiry::Unknown,
        }
    }

    /// Parses a time other than an expiry. `Ok(None)` if it is absent or means never.
    ///
    /// # Errors
    /// If it is unreadable.
    #[allow(clippy::result_unit_err)]
    pub fn timestamp(&self, value: &Value, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, ()> {
        match self.parse(value, now, Day::Start) {
            Parsed::At(at) => Ok(Some(at)),
            Parsed::Absent | Parsed::Never => Ok(None),
            Parsed::Unreadable => Err(()),
        }
    }

    fn parse(&self, value: &Value, now: DateTime<Utc>, day: Day) -> Parsed {
        if self.never.iter().any(|sentinel| is_sentinel(value, sentinel)) {
            return Parsed::Never;
        }
        match value {
            Value::Null => Parsed::Absent,
            Value::Number(_) => self.number(value, now),
            Value::String(text) if text.trim().is_empty() => Parsed::Absent,
            Value::String(_) if self.unit != Unit::None && number::billionths(value).is_some() => {
                self.number(value, now)
            }
            Value::String(text) => self.text(text.trim(), day),
            Value::Bool(_) | Value::Array(_) | Value::Object(_) => Parsed::Unreadable,
        }
    }

    fn number(&self, value: &Value, now: DateTime<Utc>) -> Parsed {
        let Some(nanoseconds) = number::billionths(value) else { return Parsed::Unreadable };
        match self.unit {
            Unit::None => Parsed::Unreadable,
            Unit::EpochSeconds => classify_epoch(nanoseconds),
            Unit::EpochMilliseconds => classify_epoch(nanoseconds.div_euclid(1000)),
            // Many vendors' sentinel. A token that expired exactly a second ago is right after the next collection.
            Unit::SecondsFromNow if nanoseconds == -number::ONE => Parsed::Unreadable,
            Unit::SecondsFromNow => {
                let now = i128::from(now.timestamp()) * number::ONE + i128::from(now.timestamp_subsec_nanos());
                classify_epoch(now + nanoseconds)
            }
        }
    }

    fn text(&self, text: &str, day: Day) -> Parsed {
        if let Some(written) = iso::parse(text) {
            return classify(written.year, written.at(day));
        }
        match DateTime::parse_from_rfc2822(text) {
            Ok(at) if self.rfc_2822 => classify(at.year().into(), Some(at.to_utc())),
            _ => Parsed::Unreadable,
        }
    }
}

enum Parsed {
    At(DateTime<Utc>),
    Never,
    Absent,
    Unreadable,
}

/// 1971-01-01T00:00:00Z.
const EARLIEST: i64 = 31_536_000;
/// 9999-01-01T00:00:00Z: from here on it means never.
const NEVER: i64 = 253_370_764_800;
/// Milliseconds of the years 2001 to 2286, taken for seconds. No vendor's "never" is in this range.
const MILLISECONDS: std::ops::Range<i64> = 1_000_000_000_000..10_000_000_000_000;

/// A time in nanoseconds since 1970.
fn classify_epoch(count: i128) -> Parsed {
    let seconds = i64::try_from(count.div_euclid(number::ONE)).unwrap_or(if count < 0 { i64::MIN } else { i64::MAX });
    if seconds < EARLIEST || MILLISECONDS.contains(&seconds) {
        return Parsed::Unreadable;
    }
    if seconds >= NEVER {
        return Parsed::Never;
    }
    let nanos = u32::try_from(count.rem_euclid(number::ONE)).unwrap_or_default();
    DateTime::from_timestamp(seconds, nanos).map_or(Parsed::Unreadable, Parsed::At)
}

/// A time that was written with this year, before its offset was applied.
fn classify(year: i64, at: Option<DateTime<Utc>>) -> Parsed {
    match at {
        _ if year <= 1 || year >= 9999 => Parsed::Never,
        Some(at) if at.timestamp() >= EARLIEST => Parsed::At(at),
        _ => Parsed::Unreadable,
    }
}

fn is_sentinel(value: &Value, sentinel: &Value) -> bool {
    value == sentinel
        || (sentinel.is_number()
            && number::billionths(sentinel).is_some_and(|count| number::billionths(value) == Some(count)))
}

/// Parses a time in any of the ISO forms. A date alone is the start of that day in UTC.
pub fn parse_timestamp(text: &str) -> Option<DateTime<Utc>> {
    iso::parse(text.trim())?.at(Day::Start)
}
