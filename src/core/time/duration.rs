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

/// A unit's name, and what it comes to in billionths of a second.
type Units = [(&'static str, i128)];

/// Prometheus's, in the order in which they follow one another.
const PROMETHEUS: &Units =
    &[("y", YEAR), ("w", WEEK), ("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", ONE), ("ms", ONE / 1000)];
/// ISO 8601's before the `T`. A month is 30 days, a year 365.
const ISO_DATE: &Units = &[("Y", YEAR), ("M", MONTH), ("W", WEEK), ("D", DAY)];
/// ISO 8601's after it.
const ISO_TIME: &Units = &[("H", HOUR), ("M", MINUTE), ("S", ONE)];

/// A duration: a number is seconds, also as a text; `P30D`, `PT1H`; `720h`, `30d`, `1h30m`. None where it is none of these,
/// or negative.
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

/// A duration as a configuration writes it: `15m`, `7d`, `1h30m`, Prometheus's units `ms s m h d w y`, the larger ones first,
/// each once; `0` alone needs none. A day has 24 hours, a week 7 days, a year 365.
pub fn parse_duration(text: &str) -> Option<TimeDelta> {
    if text == "0" {
        return Some(TimeDelta::zero());
    }
    delta(sum(text, PROMETHEUS)?)
}

/// What follows the `P`.
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
        let place = units.iter().position(|unit| unit.0 == name)?;
        total = total.checked_add(times(number, units[place].1)?)?;
        if after.is_empty() {
            return Some(total);
        }
        units = &units[place + 1..];
        rest = after;
    }
}

/// So many of a unit; the number may have a fraction of up to nine digits.
fn times(number: &str, unit: i128) -> Option<i128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if fraction.is_empty() || fraction.len() > 9 {
        return None;
    }
    let parts = i128::from(fraction.parse::<u64>().ok()?) * 10_i128.pow(9 - u32::try_from(fraction.len()).ok()?);
    whole.parse::<i128>().ok()?.checked_mul(unit)?.checked_add(parts.checked_mul(unit)? / ONE)
}

/// None where it is negative, or longer than `chrono` can say.
fn delta(count: i128) -> Option<TimeDelta> {
    let seconds = i64::try_from(count.div_euclid(ONE)).ok().filter(|seconds| *seconds >= 0)?;
    TimeDelta::new(seconds, u32::try_from(count.rem_euclid(ONE)).ok()?)
}
