//! A lenient parser for ISO 8601 and similar forms: what vendors write instead of RFC 3339.
//!
//! Date and time in the extended or the basic form; between them `T`, `t` or blanks; seconds, fraction and offset may be
//! missing; an offset as `Z`, `UTC`, `GMT`, `+01:00`, `+0100`, `+01`, after blanks or not. The
//! redundant suffixes of Go (`+0000 UTC`) and RFC 9557 (`[Europe/Paris]`) are ignored.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

/// The time of a date without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Day {
    Start,
    /// 23:59:59.
    End,
}

/// A date, with an optional time, as written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// May exceed the range of `chrono`; then `date` is `None`.
    pub(super) year: i64,
    date: Option<NaiveDate>,
    /// Since midnight; up to 24:00, or the end of a leap second.
    time: Option<TimeDelta>,
    /// From UTC, positive to the east.
    offset: TimeDelta,
}

impl Written {
    /// `None` if it exceeds the range of `chrono`.
    pub(super) fn at(&self, day: Day) -> Option<DateTime<Utc>> {
        let time = self.time.unwrap_or_else(|| match day {
            Day::Start => TimeDelta::zero(),
            Day::End => TimeDelta::seconds(86_399),
        });
        let midnight = self.date?.and_time(NaiveTime::MIN);
        Some(midnight.checked_add_signed(time)?.checked_sub_signed(self.offset)?.and_utc())
    }
}

/// Parses a text without surrounding blanks.
pub(super) fn parse(text: &str) -> Option<Written> {
    let named_zone = text.strip_suffix(']').and_then(|text| text.rsplit_once('['));
    let mut scan = Scan(named_zone.map_or(text, |(text, _)| text).as_bytes());
    let (year, date) = scan.date()?;
    let time = if scan.separator() { Some(scan.time()?) } else { None };
    let offset = scan.offset()?;
    scan.0.is_empty().then_some(Written { year, date, time, offset })
}

/// The rest of the text.
struct Scan<'a>(&'a [u8]);

impl Scan<'_> {
    fn next_is(&self, wanted: impl Fn(u8) -> bool) -> bool {
        self.0.first().is_some_and(|byte| wanted(*byte))
    }

    /// Consumes the next byte if it is wanted.
    fn skip_if(&mut self, wanted: impl Fn(u8) -> bool) -> bool {
        let is_next = self.next_is(wanted);
        if is_next {
            self.0 = &self.0[1..];
        }
        is_next
    }

    fn skip_blanks(&mut self) {
        while self.skip_if(|byte| byte == b' ') {}
    }

    /// The number of digits that follow.
    fn count_digits(&self) -> usize {
        self.0.iter().take_while(|byte| byte.is_ascii_digit()).count()
    }

    /// The number in the next `count` digits.
    fn digits(&mut self, count: usize) -> Option<i64> {
        if self.count_digits() < count {
            return None;
        }
        let (digits, rest) = self.0.split_at(count);
        self.0 = rest;
        digits.iter().try_fold(0_i64, |number, digit| number.checked_mul(10)?.checked_add(i64::from(digit - b'0')))
    }

    /// `2027-01-10`, `+10000-12-31` or `20270110`.
    fn date(&mut self) -> Option<(i64, Option<NaiveDate>)> {
        let signed = self.skip_if(|byte| byte == b'+');
        let run = self.count_digits();
        let extended = self.0.get(run) == Some(&b'-');
        if (extended && run < 4) || (!extended && (run != 8 || signed)) {
            return None;
        }
        let year = self.digits(if extended { run } else { 4 })?;
        let hyphen = |scan: &mut Self| !extended || scan.skip_if(|byte| byte == b'-');
        let month = hyphen(self).then(|| self.digits(2)).flatten()?;
        let day = hyphen(self).then(|| self.digits(2)).flatten()?;
        let (month, day) = (u32::try_from(month).ok()?, u32::try_from(day).ok()?);
        // The calendar repeats after 400 years, so that the date can be checked in any year.
        NaiveDate::from_ymd_opt(2000 + i32::try_from(year % 400).ok()?, month, day)?;
        let date = i32::try_from(year).ok().and_then(|year| NaiveDate::from_ymd_opt(year, month, day));
        Some((year, date))
    }

    /// Consumes the separator before a time, if one follows.
    fn separator(&mut self) -> bool {
        if self.skip_if(|byte| byte.eq_ignore_ascii_case(&b'T')) {
            return true;
        }
        let blanks = self.0.iter().take_while(|byte| **byte == b' ').count();
        let time = blanks > 0 && self.0.get(blanks).is_some_and(u8::is_ascii_digit);
        if time {
            self.0 = &self.0[blanks..];
        }
        time
    }

    /// `08:00`, `08:00:00`, `08:00:00.123456789`, and the same without colons.
    fn time(&mut self) -> Option<TimeDelta> {
        let colon = |byte| byte == b':';
        let hour = self.digits(2)?;
        let extended = self.skip_if(colon);
        let minute = self.digits(2)?;
        let seconds = if extended { self.skip_if(colon) } else { self.count_digits() > 0 };
        let second = if seconds { self.digits(2)? } else { 0 };
        let fraction = if seconds && self.skip_if(|byte| matches!(byte, b'.' | b',')) { self.fraction()? } else { 0 };
        let since_midnight = TimeDelta::seconds(hour * 3600 + minute * 60 + second) + TimeDelta::nanoseconds(fraction);
        let is_valid = hour < 24 || since_midnight == TimeDelta::days(1);
        (is_valid && minute < 60 && second <= 60).then_some(since_midnight)
    }

    /// A fraction in billionths; further digits are ignored.
    fn fraction(&mut self) -> Option<i64> {
        let run = self.count_digits();
        let used = run.min(9);
        let nanos = self.digits(used).filter(|_| run > 0)? * 10_i64.pow(u32::try_from(9 - used).ok()?);
        self.0 = &self.0[run - used..];
        Some(nanos)
    }

    /// An offset; UTC if it is missing.
    fn offset(&mut self) -> Option<TimeDelta> {
        self.skip_blanks();
        if self.0.is_empty() {
            return Some(TimeDelta::zero());
        }
        if !self.next_is(|byte| matches!(byte, b'+' | b'-')) {
            let name = std::mem::take(&mut self.0);
            let utc = [&b"Z"[..], b"UTC", b"GMT"].iter().any(|utc| name.eq_ignore_ascii_case(utc));
            return utc.then(TimeDelta::zero);
        }
        let is_negative = self.next_is(|byte| byte == b'-');
        self.0 = &self.0[1..];
        let hours = self.digits(2)?;
        let minutes = if self.skip_if(|byte| byte == b':') || self.count_digits() > 0 { self.digits(2)? } else { 0 };
        self.skip_blanks();
        while self.skip_if(|byte| byte.is_ascii_alphabetic()) {}
        let offset = TimeDelta::minutes(hours * 60 + minutes);
        (hours < 24 && minutes < 60).then(|| if is_negative { -offset } else { offset })
    }
}
