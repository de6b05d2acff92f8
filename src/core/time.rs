//! The one reader of times, for all the forms in which vendors write them.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

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
pub struct Reading {
    /// What a number means.
    pub unit: Unit,
    /// A text may be RFC 2822.
    pub rfc_2822: bool,
    /// A date alone is the end of that day, not its start.
    pub end_of_day: bool,
    /// Null, absent and "" are `Unknown` instead of `Never`.
    pub absent_is_unknown: bool,
    /// Further values that mean never.
    pub never: Vec<Value>,
}

impl Reading {
    /// An end. What none of the forms reads is `Unknown`.
    pub fn expiry(&self, value: &Value, now: DateTime<Utc>) -> Expiry {
        todo!("{value} {now}")
    }

    /// An instant other than an end: `Ok(None)` where there is none.
    ///
    /// # Errors
    /// `()` where there is something, and it cannot be read.
    #[allow(clippy::result_unit_err)]
    pub fn instant(&self, value: &Value, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, ()> {
        todo!("{value} {now}")
    }
}

/// An instant in any of the textual ISO forms, as people write them too (`manual`, and tests).
pub fn parse_instant(text: &str) -> Option<DateTime<Utc>> {
    todo!("{text}")
}

/// A duration: a number is seconds; `P30D`, `PT1H`; `720h`, `30d`, `1h30m`.
pub fn duration(value: &Value) -> Option<TimeDelta> {
    todo!("{value}")
}

/// A duration as a configuration writes it: `15m`, `7d`, `1h30m`, Prometheus's units `ms s m h d w y`.
pub fn parse_duration(text: &str) -> Option<TimeDelta> {
    todo!("{text}")
}
