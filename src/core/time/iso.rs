//! ISO 8601 and its neighbours, read leniently: what vendors write where they mean RFC 3339.
//!
//! Date and time in the extended or the basic form; between them `T`, `t` or blanks; seconds, fraction and offset may be
//! missing; an offset as `Z`, `UTC`, `GMT`, `+01:00`, `+0100`, `+01`, after blanks or not. Go's `+0000 UTC` and
//! RFC 9557's `[Europe/Paris]` say the offset a second time, and are passed over.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

/// What a date without a time stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Day {
    /// Its first instant.
    Start,
    /// Its last second.
    End,
}

/// A date, perhaps with a time, as it is written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// The year, perhaps beyond those that `chrono` knows.
    pub(super) year: i64,
    /// The date, where `chrono` knows the year.
    date: Option<NaiveDate>,
    /// The time since the start of the day; up to 24:00, or to a leap second's end.
    time: Option<TimeDelta>,
    /// How much its clocks are ahead of UTC.
    ahead: TimeDelta,
}

impl Written {
    /// The instant; none where it is beyond those that `chrono` knows.
    pub(super) fn at(&self, day: Day) -> Option<DateTime<Utc>> {
        let time = self.time.unwrap_or_else(|| match day {
            Day::Start => TimeDelta::zero(),
            Day::End => TimeDelta::seconds(86_399),
        });
        let midnight = self.date?.and_time(NaiveTime::MIN);
        Some(midnight.checked_add_signed(time)?.checked_sub_signed(self.ahead)?.and_utc())
    }
}

/// Reads a text that begins and ends with what is part of it.
pub(super) fn parse(text: &str) -> Option<Written> {
    let zone_named = text.strip_suffix(']').and_then(|text| text.rsplit_once('['));
    let mut scan = Scan(zone_named.map_or(text, |(text, _)| text).as_bytes());
    let (year, date) = scan.date()?;
    let time = if scan.separator() { Some(scan.time()?) } else { None };
    let ahead = scan.offset()?;
    scan.0.is_empty().then_some(Written { year, date, time, ahead })
}

/// What is left to read.
struct Scan<'a>(&'a [u8]);

impl Scan<'_> {
    fn next_is(&self, wanted: impl Fn(u8) -> bool) -> bool {
        self.0.first().is_some_and(|byte| wanted(*byte))
    }

    /// Passes over the next byte if it is wanted.
    fn pass(&mut self, wanted: impl Fn(u8) -> bool) -> bool {
        let passes = self.next_is(wanted);
        if passes {
            self.0 = &self.0[1..];
        }
        passes
    }

    fn blanks(&mut self) {
        while self.pass(|byte| byte == b' ') {}
    }

    /// How many digits come next.
    fn run(&self) -> usize {
        self.0.iter().take_while(|byte| byte.is_ascii_digit()).count()
    }

    /// The number that the next `count` digits make.
    fn digits(&mut self, count: usize) -> Option<i64> {
        if self.run() < count {
            return None;
        }
        let (digits, rest) = self.0.split_at(count);
        self.0 = rest;
        digits.iter().try_fold(0_i64, |number, digit| number.checked_mul(10)?.checked_add(i64::from(digit - b'0')))
    }

    /// `2027-01-10`, `+10000-12-31` or `20270110`.
    fn date(&mut self) -> Option<(i64, Option<NaiveDate>)> {
        let signed = self.pass(|byte| byte == b'+');
        let run = self.run();
        let extended = self.0.get(run) == Some(&b'-');
        if (extended && run < 4) || (!extended && (run != 8 || signed)) {
            return None;
        }
        let year = self.digits(if extended { run } else { 4 })?;
        let hyphen = |scan: &mut Self| !extended || scan.pass(|byte| byte == b'-');
        let month = hyphen(self).then(|| self.digits(2)).flatten()?;
        let day = hyphen(self).then(|| self.digits(2)).flatten()?;
        let (month, day) = (u32::try_from(month).ok()?, u32::try_from(day).ok()?);
        // The calendar repeats itself after 400 years: a date in a year without end must exist too.
        NaiveDate::from_ymd_opt(2000 + i32::try_from(year % 400).ok()?, month, day)?;
        let date = i32::try_from(year).ok().and_then(|year| NaiveDate::from_ymd_opt(year, month, day));
        Some((year, date))
    }

    /// Whether a time follows; passes over what is between.
    fn separator(&mut self) -> bool {
        if self.pass(|byte| byte.eq_ignore_ascii_case(&b'T')) {
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
        let extended = self.pass(colon);
        let minute = self.digits(2)?;
        let seconds = if extended { self.pass(colon) } else { self.run() > 0 };
        let second = if seconds { self.digits(2)? } else { 0 };
        let fraction = if seconds && self.pass(|byte| matches!(byte, b'.' | b',')) { self.fraction()? } else { 0 };
        let since_midnight = TimeDelta::seconds(hour * 3600 + minute * 60 + second) + TimeDelta::nanoseconds(fraction);
        let sound = hour < 24 || since_midnight == TimeDelta::days(1);
        (sound && minute < 60 && second <= 60).then_some(since_midnight)
    }

    /// The digits of a fraction in billionths; further ones are passed over.
    fn fraction(&mut self) -> Option<i64> {
        let run = self.run();
        let told = run.min(9);
        let nanos = self.digits(told).filter(|_| run > 0)? * 10_i64.pow(u32::try_from(9 - told).ok()?);
        self.0 = &self.0[run - told..];
        Some(nanos)
    }

    /// An offset, or nothing, which is UTC.
    fn offset(&mut self) -> Option<TimeDelta> {
        self.blanks();
        if self.0.is_empty() {
            return Some(TimeDelta::zero());
        }
        if !self.next_is(|byte| matches!(byte, b'+' | b'-')) {
            let name = std::mem::take(&mut self.0);
            let utc = [&b"Z"[..], b"UTC", b"GMT"].iter().any(|utc| name.eq_ignore_ascii_case(utc));
            return utc.then(TimeDelta::zero);
        }
        let behind = self.next_is(|byte| byte == b'-');
        self.0 = &self.0[1..];
        let hours = self.digits(2)?;
        let minutes = if self.pass(|byte| byte == b':') || self.run() > 0 { self.digits(2)? } else { 0 };
        self.blanks();
        while self.pass(|byte| byte.is_ascii_alphabetic()) {}
        let ahead = TimeDelta::minutes(hours * 60 + minutes);
        (hours < 24 && minutes < 60).then(|| if behind { -ahead } else { ahead })
    }
}
