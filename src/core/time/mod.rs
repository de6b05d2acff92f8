//! The one reader of times, for all the forms in which vendors write them.
//!
//! A date alone is the start of that day in UTC; as an end, with `end_of_day`, it is the last second of that day
//! (23:59:59), so that the day that people are shown is the day that the vendor wrote.
//!
//! Never is what the caller declares (`never`), and always a year before 2 or from 9999 on: the zero of Go and .NET, and
//! the "no end" of Jira, Google, Okta and others. A time before 1971 is not read at all: no token is that old, so it is a
//! zero that nobody declared, or a number in another unit than the declared one.

mod duration;
mod iso;
mod number;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Datelike, Utc};
use serde_json::Value;

pub use self::duration::{duration, parse_duration};
use self::iso::Day;
use super::token::Expiry;

/// In what a number is counted; also the name of the form where it is a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// No number is a time.
    #[default]
    None,
    /// Seconds since 1970.
    EpochSeconds,
    /// Milliseconds since 1970.
    EpochMilliseconds,
    /// Seconds from now.
    SecondsFromNow,
}

/// How the times of an answer are read: what a definition's `times` and `never` declare.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TimeFormat {
    /// What a number means, and a text that is nothing but a number.
    pub unit: Unit,
    /// A text may be RFC 2822.
    pub rfc_2822: bool,
    /// A date alone is the end of that day, not its start. Concerns ends only.
    pub end_of_day: bool,
    /// Null, absent and "" are `Unknown` instead of `Never`.
    pub absent_is_unknown: bool,
    /// Further values that mean never: numbers by their value (also where the answer has them as a text), others exactly.
    pub never: Vec<Value>,
}

impl TimeFormat {
    /// An end. What none of the forms reads is `Unknown`.
    pub fn expiry(&self, value: &Value, now: DateTime<Utc>) -> Expiry {
        let day = if self.end_of_day { Day::End } else { Day::Start };
        match self.read(value, now, day) {
            Read::At(at) => Expiry::At(at),
            Read::Absent if self.absent_is_unknown => Expiry::Unknown,
            Read::Absent | Read::Never => Expiry::Never,
            Read::Unread => Expiry::Unknown,
        }
    }

    /// An instant other than an end: `Ok(None)` where there is none, which includes what means never.
    ///
    /// # Errors
    /// `()` where there is something, and it cannot be read.
    #[allow(clippy::result_unit_err)]
    pub fn instant(&self, value: &Value, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, ()> {
        match self.read(value, now, Day::Start) {
            Read::At(at) => Ok(Some(at)),
            Read::Absent | Read::Never => Ok(None),
            Read::Unread => Err(()),
        }
    }

    fn read(&self, value: &Value, now: DateTime<Utc>, day: Day) -> Read {
        if self.never.iter().any(|sentinel| means(value, sentinel)) {
            return Read::Never;
        }
        match value {
            Value::Null => Read::Absent,
            Value::Number(_) => self.number(value, now),
            Value::String(text) if text.trim().is_empty() => Read::Absent,
            Value::String(_) if self.unit != Unit::None && number::billionths(value).is_some() => {
                self.number(value, now)
            }
            Value::String(text) => self.text(text.trim(), day),
            Value::Bool(_) | Value::Array(_) | Value::Object(_) => Read::Unread,
        }
    }

    fn number(&self, value: &Value, now: DateTime<Utc>) -> Read {
        let Some(count) = number::billionths(value) else { return Read::Unread };
        match self.unit {
            Unit::None => Read::Unread,
            Unit::EpochSeconds => since_1970(count),
            Unit::EpochMilliseconds => since_1970(count.div_euclid(1000)),
            // The sentinel of many vendors; an end of exactly a second ago is read right a collection later.
            Unit::SecondsFromNow if count == -number::ONE => Read::Unread,
            Unit::SecondsFromNow => {
                since_1970(i128::from(now.timestamp()) * number::ONE + i128::from(now.timestamp_subsec_nanos()) + count)
            }
        }
    }

    fn text(&self, text: &str, day: Day) -> Read {
        if let Some(written) = iso::parse(text) {
            return judge(written.year, written.at(day));
        }
        match DateTime::parse_from_rfc2822(text) {
            Ok(at) if self.rfc_2822 => judge(at.year().into(), Some(at.to_utc())),
            _ => Read::Unread,
        }
    }
}

/// What a value was read as.
enum Read {
    At(DateTime<Utc>),
    Never,
    Absent,
    Unread,
}

/// 1971-01-01T00:00:00Z.
const EARLIEST: i64 = 31_536_000;
/// 9999-01-01T00:00:00Z: from here on it is no end.
const ENDLESS: i64 = 253_370_764_800;
/// What seconds come to where milliseconds were counted, from 2001 to 2286. No vendor's "never" lies there.
const THOUSANDFOLD: std::ops::Range<i64> = 1_000_000_000_000..10_000_000_000_000;

/// Billionths of a second since 1970.
fn since_1970(count: i128) -> Read {
    let seconds = i64::try_from(count.div_euclid(number::ONE)).unwrap_or(if count < 0 { i64::MIN } else { i64::MAX });
    if seconds < EARLIEST || THOUSANDFOLD.contains(&seconds) {
        return Read::Unread;
    }
    if seconds >= ENDLESS {
        return Read::Never;
    }
    let nanos = u32::try_from(count.rem_euclid(number::ONE)).unwrap_or_default();
    DateTime::from_timestamp(seconds, nanos).map_or(Read::Unread, Read::At)
}

/// An instant that was written with this year, before its offset was taken off.
fn judge(year: i64, at: Option<DateTime<Utc>>) -> Read {
    match at {
        _ if year <= 1 || year >= 9999 => Read::Never,
        Some(at) if at.timestamp() >= EARLIEST => Read::At(at),
        _ => Read::Unread,
    }
}

/// Whether a value is this sentinel.
fn means(value: &Value, sentinel: &Value) -> bool {
    value == sentinel
        || (sentinel.is_number()
            && number::billionths(sentinel).is_some_and(|count| number::billionths(value) == Some(count)))
}

/// An instant in any of the textual ISO forms, as people write them too (`manual`, and tests). A date alone is the start of
/// that day in UTC.
pub fn parse_instant(text: &str) -> Option<DateTime<Utc>> {
    iso::parse(text.trim())?.at(Day::Start)
}
