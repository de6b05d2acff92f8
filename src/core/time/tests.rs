#![allow(clippy::unwrap_used, clippy::expect_used)]

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{TimeFormat, Unit, duration, parse_duration, parse_timestamp};
use crate::core::token::Expiry;

const NOW: &str = "2026-11-23T12:00:00Z";

fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

/// The parsed expiry, or its kind.
fn parse(format: &TimeFormat, value: &Value) -> String {
    match format.expiry(value, at(NOW)) {
        Expiry::At(at) => at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true),
        other => other.label().to_owned(),
    }
}

fn expect(format: &TimeFormat, cases: &[(Value, &str)]) {
    for (value, expected) in cases {
        assert_eq!(parse(format, value), *expected, "{value} with {format:?}");
    }
}

#[test]
fn text_is_parsed_in_every_form_that_vendors_write() {
    let same = "2027-01-10T08:00:00Z";
    let cases = [
        ("2027-01-10T08:00:00Z", same),
        ("2027-01-10t08:00:00z", same),
        ("2027-01-10T08:00:00", same),
        ("2027-01-10T08:00", same),
        ("2027-01-10T08:00Z", same),
        ("2027-01-10 08:00:00", same),
        ("2027-01-10 08:00:00 UTC", same),
        ("2027-01-10 08:00:00 GMT", same),
        ("2027-01-10 08:00:00 Z", same),
        ("2027-01-10 01:00:00 -0700", same),
        ("2027-01-10 08:00:00 +0000 UTC", same),
        ("2027-01-10T08:00:00+00:00", same),
        ("2027-01-10T08:00:00.000+0000", same),
        ("2027-01-10T08:00:00+00", same),
        ("2027-01-10T13:30:00+05:30", same),
        ("2027-01-10T13:30:00+0530", same),
        ("2027-01-09T22:00:00-10", same),
        ("2027-01-10T09:00:00+01:00[Europe/Paris]", same),
        ("2027-01-10T08:00:00Z[UTC]", same),
        ("20270110T080000Z", same),
        ("20270110T0800Z", same),
        ("20270110T090000+0100", same),
        ("  2027-01-10T08:00:00Z\n", same),
        ("+2027-01-10T08:00:00Z", same),
        ("2027-01-10T08:00:00.5Z", "2027-01-10T08:00:00.500Z"),
        ("2027-01-10T08:00:00,5Z", "2027-01-10T08:00:00.500Z"),
        ("2027-01-10T08:00:00.1234567Z", "2027-01-10T08:00:00.123456700Z"),
        ("2027-01-10T08:00:00.123456789999Z", "2027-01-10T08:00:00.123456789Z"),
        ("20270110T080000.25Z", "2027-01-10T08:00:00.250Z"),
        ("2027-01-10", "2027-01-10T00:00:00Z"),
        ("20270110", "2027-01-10T00:00:00Z"),
        ("2027-01-10Z", "2027-01-10T00:00:00Z"),
        ("2027-01-10+01:00", "2027-01-09T23:00:00Z"),
        ("2027-01-10T24:00:00Z", "2027-01-11T00:00:00Z"),
        ("2026-12-31T23:59:60Z", "2027-01-01T00:00:00Z"),
        ("2028-02-29", "2028-02-29T00:00:00Z"),
    ];
    for (text, expected) in cases {
        assert_eq!(parse(&TimeFormat::default(), &json!(text)), expected, "{text}");
    }
}

#[test]
fn absent_or_extreme_expiry_means_never() {
    let never = ["", " ", "0001-01-01T00:00:00Z", "0001-01-01", "0001-01-01T00:00:00", "0000-01-01"]
        .into_iter()
        .chain(["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59Z", "9999-12-31 00:00:00", "9999-01-01"])
        .chain(["10000-12-31", "+10000-12-31", "+10000-01-01T00:00:00Z", "+292278994-08-17T07:12:55.807Z"]);
    for text in never {
        assert_eq!(parse(&TimeFormat::default(), &json!(text)), "never", "{text}");
        assert_eq!(TimeFormat::default().timestamp(&json!(text), at(NOW)), Ok(None), "{text}");
    }
    assert_eq!(parse(&TimeFormat::default(), &Value::Null), "never");
}

#[test]
fn unreadable_expiry_is_unknown_and_not_1970() {
    let format = TimeFormat::default();
    let texts = ["soon", "never", "2027", "2027-01", "2027-1-10", "27-01-10", "2027-02-29", "2027-13-01", "2027-00-10"]
        .into_iter()
        .chain(["2027-01-10T", "2027-01-10T08", "2027-01-10T25:00", "2027-01-10T24:00:01Z", "2027-01-10T08:60:00Z"])
        .chain(["2027-01-10T08:00:61Z", "2027-01-10T08:00:00.Z", "2027-01-10T08:00:00 CET", "2027-01-10T08:00:00+1"])
        .chain([
            "2027-01-10T08:00:00+25:00",
            "2027-01-10T08:00:00Z and so on",
            "10/01/2027",
            "Jan 10, 2027",
            "-2027-01-10",
        ])
        .chain([
            "10000-13-01",
            "99999999999999999999999999-01-01",
            "1970-01-01T00:00:00Z",
            "1900-01-01",
            "２０２７-01-10",
        ])
        .chain(["0", "-1", "1798761600", "1798761600000", "Fri, 27 Nov 2026 10:00:00 -0000", "[", "]", "2027-01-10]"]);
    for value in
        texts.map(|text| json!(text)).chain([json!(0), json!(1_798_761_600), json!(true), json!([]), json!({})])
    {
        assert_eq!(parse(&format, &value), "unknown", "{value}");
        assert_eq!(format.timestamp(&value, at(NOW)), Err(()), "{value}");
    }
}

#[test]
fn number_is_parsed_in_the_declared_unit_only() {
    let expiry = "2027-01-01T00:00:00Z";
    let seconds = TimeFormat { unit: Unit::EpochSeconds, ..TimeFormat::default() };
    expect(
        &seconds,
        &[
            (json!(1_798_761_600), expiry),
            (json!(1_798_761_600.0), expiry),
            (json!(1_798_761_600.25), "2027-01-01T00:00:00.250Z"),
            (json!("1798761600"), expiry),
            (json!(" 1798761600 "), expiry),
            (json!("1.7987616e9"), expiry),
            (json!("2027-01-01T00:00:00Z"), expiry),
            (json!("2027-01-01"), expiry),
            (json!(253_402_300_799_i64), "never"),
            (json!(i64::MAX), "never"),
            (json!(u64::MAX), "never"),
            (json!(1e300), "never"),
            (json!("99999999999999999999999999999999999999999999"), "never"),
            (json!(null), "never"),
            (json!(""), "never"),
            (json!(0), "unknown"),
            (json!(-1), "unknown"),
            (json!(i64::MIN), "unknown"),
            (json!(-1e300), "unknown"),
            (json!(1_798_761_600_000_i64), "unknown"),
            (json!("-"), "unknown"),
        ],
    );
    let milliseconds = TimeFormat { unit: Unit::EpochMilliseconds, ..TimeFormat::default() };
    expect(
        &milliseconds,
        &[
            (json!(1_798_761_600_000_i64), expiry),
            (json!(1_798_761_600_001_i64), "2027-01-01T00:00:00.001Z"),
            (json!("1798761600000"), expiry),
            (json!(i64::MAX), "never"),
            (json!(0), "unknown"),
            (json!(1_798_761_600), "unknown"),
            (json!(1_798_761_600_000_000_i64), "unknown"),
        ],
    );
    let from_now = TimeFormat { unit: Unit::SecondsFromNow, ..TimeFormat::default() };
    expect(
        &from_now,
        &[
            (json!(3600), "2026-11-23T13:00:00Z"),
            (json!("3600"), "2026-11-23T13:00:00Z"),
            (json!(0.5), "2026-11-23T12:00:00.500Z"),
            (json!(0), "2026-11-23T12:00:00Z"),
            (json!(-60), "2026-11-23T11:59:00Z"),
            (json!(-1), "unknown"),
            (json!(i64::MAX), "never"),
            (json!(i64::MIN), "unknown"),
        ],
    );
}

#[test]
fn declared_sentinels_mean_never() {
    let of = |never: &[Value]| TimeFormat { never: never.to_vec(), unit: Unit::EpochSeconds, ..TimeFormat::default() };
    expect(
        &of(&[json!(-1)]),
        &[(json!(-1), "never"), (json!(-1.0), "never"), (json!("-1"), "never"), (json!(0), "unknown")],
    );
    expect(
        &of(&[json!(0)]),
        &[(json!(0), "never"), (json!(0.0), "never"), (json!("0"), "never"), (json!(false), "unknown")],
    );
    let linode = of(&[json!("2999-12-12T05:00:00")]);
    expect(&linode, &[(json!("2999-12-12T05:00:00"), "never"), (json!("2999-12-12"), "2999-12-12T00:00:00Z")]);
    expect(&of(&[json!("none")]), &[(json!("none"), "never"), (json!("None"), "unknown")]);
    assert_eq!(of(&[json!(0)]).timestamp(&json!(0), at(NOW)), Ok(None));
    let without_unit = TimeFormat { never: vec![json!(0)], ..TimeFormat::default() };
    expect(&without_unit, &[(json!("0"), "never"), (json!(0), "never"), (json!(1), "unknown")]);
}

#[test]
fn absent_expiry_is_unknown_if_declared() {
    let required = TimeFormat { absent_is_unknown: true, ..TimeFormat::default() };
    expect(&required, &[(json!(null), "unknown"), (json!(""), "unknown"), (json!("9999-12-31"), "never")]);
    assert_eq!(required.timestamp(&Value::Null, at(NOW)), Ok(None));
}

#[test]
fn date_without_a_time_is_the_end_of_day_if_declared() {
    let format = TimeFormat { end_of_day: true, ..TimeFormat::default() };
    expect(
        &format,
        &[
            (json!("2027-01-10"), "2027-01-10T23:59:59Z"),
            (json!("2027-01-10-05:00"), "2027-01-11T04:59:59Z"),
            (json!("2027-01-10T08:00:00Z"), "2027-01-10T08:00:00Z"),
        ],
    );
    let created = format.timestamp(&json!("2027-01-10"), at(NOW));
    assert_eq!(created, Ok(Some(at("2027-01-10T00:00:00Z"))), "only an expiry is at the end of the day");
}

#[test]
fn rfc_2822_is_parsed_if_declared() {
    let format = TimeFormat { rfc_2822: true, ..TimeFormat::default() };
    expect(
        &format,
        &[
            (json!("Fri, 27 Nov 2026 10:00:00 -0000"), "2026-11-27T10:00:00Z"),
            (json!("Fri, 27 Nov 2026 10:00:00 +0100"), "2026-11-27T09:00:00Z"),
            (json!("27 Nov 2026 10:00:00 GMT"), "2026-11-27T10:00:00Z"),
            (json!("2026-11-27T10:00:00Z"), "2026-11-27T10:00:00Z"),
            (json!("Fri, 31 Dec 9999 23:59:59 GMT"), "never"),
            (json!("Mon, 27 Nov 2026 10:00:00 GMT"), "unknown"),
        ],
    );
}

#[test]
fn parse_timestamp_accepts_any_year() {
    assert_eq!(parse_timestamp(" 2027-01-10 "), Some(at("2027-01-10T00:00:00Z")));
    assert_eq!(parse_timestamp("1970-01-01T00:00:00Z"), Some(DateTime::UNIX_EPOCH));
    assert_eq!(parse_timestamp("9999-12-31T23:59:59Z"), Some(at("9999-12-31T23:59:59Z")));
    assert_eq!(parse_timestamp("999999-12-31"), None);
    assert_eq!(parse_timestamp("tomorrow"), None);
}

#[test]
fn duration_is_parsed_from_seconds_iso_8601_and_units() {
    let day = 86_400;
    let cases = [
        (json!(3600), Some(3600)),
        (json!("3600"), Some(3600)),
        (json!(0), Some(0)),
        (json!("P30D"), Some(30 * day)),
        (json!("PT1H"), Some(3600)),
        (json!("P1DT12H"), Some(36 * 3600)),
        (json!("P1Y2M1W"), Some((365 + 60 + 7) * day)),
        (json!("PT1M30.0S"), Some(90)),
        (json!("720h"), Some(30 * day)),
        (json!("8760h0m0s"), Some(365 * day)),
        (json!("1.5h"), Some(5400)),
        (json!(" 30d "), Some(30 * day)),
        (json!("1h30m"), Some(5400)),
        (json!(-1), None),
        (json!("-1"), None),
        (json!("P"), None),
        (json!("PT"), None),
        (json!("P1H"), None),
        (json!("-P1D"), None),
        (json!(""), None),
        (json!(null), None),
        (json!(true), None),
        (json!(1e300), None),
        (json!("99999999999999999999y"), None),
    ];
    for (value, seconds) in cases {
        assert_eq!(duration(&value), seconds.map(TimeDelta::seconds), "{value}");
    }
    assert_eq!(duration(&json!(0.5)), Some(TimeDelta::milliseconds(500)));
}

#[test]
fn parse_duration_accepts_prometheus_units() {
    let cases = [
        ("15m", Some(15 * 60_000)),
        ("7d", Some(7 * 86_400_000)),
        ("1h30m", Some(90 * 60_000)),
        ("1y2w3d4h5m6s7ms", Some(((365 + 14 + 3) * 86_400 + 4 * 3600 + 5 * 60 + 6) * 1000 + 7)),
        ("0", Some(0)),
        ("0s", Some(0)),
        ("15", None),
        ("m", None),
        ("1m1h", None),
        ("1m1m", None),
        ("1 m", None),
        ("1.m", None),
        (".5h", None),
        ("1M", None),
        ("1min", None),
        ("-1h", None),
        ("P1D", None),
        ("", None),
    ];
    for (text, milliseconds) in cases {
        assert_eq!(parse_duration(text), milliseconds.map(TimeDelta::milliseconds), "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_is_parsed_without_a_panic(text in "\\PC*", near in "[-+0-9TtZz:., eEPYMWDHS\\[\\]]{0,40}") {
        let format = TimeFormat { unit: Unit::EpochSeconds, rfc_2822: true, end_of_day: true, ..TimeFormat::default() };
        for text in [text, near] {
            let value = json!(text);
            let _ = (format.expiry(&value, at(NOW)), TimeFormat::default().timestamp(&value, at(NOW)));
            let _ = (duration(&value), parse_duration(&text), parse_timestamp(&text));
        }
    }

    #[test]
    fn any_number_is_parsed_without_a_panic(whole in any::<i64>(), float in any::<f64>()) {
        for unit in [Unit::None, Unit::EpochSeconds, Unit::EpochMilliseconds, Unit::SecondsFromNow] {
            let format = TimeFormat { unit, ..TimeFormat::default() };
            let _ = (format.expiry(&json!(whole), at(NOW)), format.expiry(&json!(float), at(NOW)));
        }
        let _ = (duration(&json!(whole)), duration(&json!(float)));
    }

    #[test]
    fn formatted_time_is_parsed_back(seconds in super::EARLIEST..super::NEVER, nanos in 0..1_000_000_000_u32) {
        let at_ns = DateTime::from_timestamp(seconds, nanos).unwrap();
        for form in ["%Y-%m-%dT%H:%M:%S%.9fZ", "%Y%m%dT%H%M%S%.9f", "%Y-%m-%d %H:%M:%S%.9f %z", "%FT%T%.9f%:z"] {
            let text = at_ns.format(form).to_string();
            prop_assert_eq!(TimeFormat::default().expiry(&json!(text), at(NOW)), Expiry::At(at_ns), "{}", text);
        }
        let format = TimeFormat { unit: Unit::EpochSeconds, ..TimeFormat::default() };
        let whole = DateTime::from_timestamp(seconds, 0).unwrap();
        prop_assert_eq!(format.expiry(&json!(seconds), at(NOW)), Expiry::At(whole));
    }
}

#[test]
fn expiry_further_ahead_than_never_after_is_never() {
    let format =
        TimeFormat { unit: Unit::EpochSeconds, never_after: Some(TimeDelta::days(50 * 365)), ..TimeFormat::default() };
    // 50 years of 365 days end on 2076-11-10.
    let cases = [
        (json!("2076-11-10T12:00:00Z"), "2076-11-10T12:00:00Z"),
        (json!("2076-11-10T12:00:01Z"), "never"),
        (json!("2126-11-23"), "never"),
        (json!(4_000_000_000_u64), "never"),
        (json!(1_800_000_000), "2027-01-15T08:00:00Z"),
        (json!("2020-01-01"), "2020-01-01T00:00:00Z"),
        (json!(null), "never"),
        (json!("soon"), "unknown"),
    ];
    expect(&format, &cases);
    // Other times are not expiries.
    assert!(format.timestamp(&json!("2126-11-23"), at(NOW)).unwrap().is_some());
}
