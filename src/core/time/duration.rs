//! Durations, as vendors and configurations write them.

use chrono::TimeDelta;
use serde_json::Value;

use super::number::{self, ONE};

const MINUTE: i128 = 60 * ONE;
const HOUR: i128 = 60 * MINUTE;
const DAY: i128 = 24 * HOUR;
const WEEK: i128 = 7 * DAY;
const MONTH: i128 = 30 * DAY;
const YEAR: i128 = 365 * DAY;

/// Units in nanoseconds, by name.
type Units = [(&'static str, i128)];

/// The units of Prometheus, in their order within a duration.
const PROMETHEUS: &Units =
    &[("y", YEAR), ("w", WEEK), ("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", ONE), ("ms", ONE / 1000)];
/// The units of ISO 8601 before the `T`. A month has 30 days, a year 365.
const ISO_DATE: &Units = &[("Y", YEAR), ("M", MONTH), ("W", WEEK), ("D", DAY)];
/// The units of ISO 8601 after the `T`.
const ISO_TIME: &Units = &[("H", HOUR), ("M", MINUTE), ("S", ONE)];

/// Parses a duration: seconds as a number or a string; `P30D`, `PT1H`; `720h`, `30d`, `1h30m`. `None` if it is negative.
pub fn duration(value: &Value) -> Option<TimeDelta> {
    if let Some(count) = number::billionths(value) {
        return delta(count);
    }
    let text = value.as_str()?.trim();
    match text.strip_prefix('P') {
        Some(iso) => delta(parse_iso(iso)?),
        None => parse_duration(text),
    }
}

/// Parses a duration of a configuration: `15m`, `7d`, `1h30m`, with Prometheus's units `ms s m h d w y`, largest first, each
/// once; `0` needs none. A day has 24 hours, a week 7 days, a year 365.
pub fn parse_duration(text: &str) -> Option<TimeDelta> {
    if text == "0" {
        return Some(TimeDelta::zero());
    }
    delta(sum(text, PROMETHEUS)?)
}

/// The part after the `P`.
fn parse_iso(text: &str) -> Option<i128> {
    match text.split_once('T') {
        None => sum(text, ISO_DATE),
        Some(("", time)) => sum(time, ISO_TIME),
        Some((date, time)) => sum(date, ISO_DATE)?.checked_add(sum(time, ISO_TIME)?),
    }
}

/// One or more numbers, each with a unit, in the units' order.
fn sum(text: &str, mut units: &Units) -> Option<i128> {
    let mut rest = text;
    let mut total = 0_i128;
    loop {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit() && c != '.')?);
        let (name, after) = after.split_at(after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len()));
        let position = units.iter().position(|unit| unit.0 == name)?;
        total = total.checked_add(times(number, units[position].1)?)?;
        if after.is_empty() {
            return Some(total);
        }
        units = &units[position + 1..];
        rest = after;
    }
}

/// A number, with a fraction of up to nine digits, times a unit.
fn times(number: &str, unit: i128) -> Option<i128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if fraction.is_empty() || fraction.len() > 9 {
        return None;
    }
    let parts = i128::from(fraction.parse::<u64>().ok()?) * 10_i128.pow(9 - u32::try_from(fraction.len()).ok()?);
    whole.parse::<i128>().ok()?.checked_mul(unit)?.checked_add(parts.checked_mul(unit)? / ONE)
}

/// `None` if it is negative or too long for `chrono`.
fn delta(count: i128) -> Option<TimeDelta> {
    let seconds = i64::try_from(count.div_euclid(ONE)).ok().filter(|seconds| *seconds >= 0)?;
    TimeDelta::new(seconds, u32::try_from(count.rem_euclid(ONE)).ok()?)
}
