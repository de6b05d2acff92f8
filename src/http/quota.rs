//! The rate limit as providers report it in headers: the remaining requests, and when to retry.
//!
//! Names and units differ: `Retry-After` in seconds or as a date (RFC 9110, 10.2.3), resets in epoch
//! seconds (GitHub, GitLab, Okta), epoch milliseconds (LaunchDarkly), seconds from now (the drafts of
//! <https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/>) and ISO 8601 (Atlassian).

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};
use http::header::{DATE, HeaderMap, RETRY_AFTER};

use crate::core::failure::Reason;
use crate::core::outcome::RateLimit;
use crate::core::time::parse_timestamp;

/// The prefixes of the headers `limit`, `remaining` and `reset`.
const PREFIXES: [&str; 4] = ["x-ratelimit-", "x-rate-limit-", "ratelimit-", "fastly-ratelimit-"];

/// From here on a number is a Unix timestamp: as a delay it would be thirty years.
const FIRST_EPOCH_SECOND: f64 = 1e9;

/// From here on a number is a Unix timestamp in milliseconds: in seconds it would be the year 5138.
const FIRST_EPOCH_MILLISECOND: f64 = 1e11;

/// Whether a 403 with these headers is due to the rate limit instead of missing permission.
pub(super) fn is_exhausted(headers: &HeaderMap) -> bool {
    headers.contains_key(RETRY_AFTER) || rate_limit(headers).is_some_and(|limit| limit.remaining == 0)
}

/// The rate limit in these headers.
pub fn rate_limit(headers: &HeaderMap) -> Option<RateLimit> {
    let structured = structured(headers);
    let remaining =
        field(headers, "remaining").and_then(leading_number).or_else(|| Some(structured.as_ref()?.remaining))?;
    let limit = field(headers, "limit").and_then(leading_number).or_else(|| structured.as_ref()?.limit);
    Some(RateLimit { limit, remaining })
}

/// The delay that the provider requests after a failure for this reason.
///
/// Many providers send a reset with every response, so it counts only if the rate limit is the reason and no requests remain
/// (GitHub has secondary limits).
pub fn requested_delay(reason: Reason, headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let retry_after = headers.get(RETRY_AFTER).and_then(|value| parse_delay(value.to_str().ok()?, now));
    let is_limited = reason == Reason::RateLimited && rate_limit(headers).is_none_or(|limit| limit.remaining == 0);
    if retry_after.is_some() || !is_limited {
        return retry_after;
    }
    field(headers, "reset")
        .and_then(|reset| parse_delay(reset, now))
        .or_else(|| structured(headers)?.reset.map(Duration::from_secs))
}

/// The provider's time at its response, on which its resets are based.
pub fn server_time(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    http_date(headers.get(DATE)?.to_str().ok()?)
}

/// The value of the first header `PREFIX-name`.
fn field<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    PREFIXES.iter().find_map(|prefix| headers.get(format!("{prefix}{name}"))?.to_str().ok())
}

/// The number at the start of a value such as `100, 100;w=60` or `595.0`.
fn leading_number(value: &str) -> Option<u64> {
    let value = value.trim();
    let end = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    value[..end].parse().ok()
}

/// A delay, from a number whose size shows its unit, or from a date. Zero if it is in the past.
fn parse_delay(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    let value = value.trim();
    let until = |at: DateTime<Utc>| (at - now).to_std().unwrap_or_default();
    let Ok(number) = value.parse::<f64>() else {
        return parse_timestamp(value).or_else(|| http_date(value)).map(until);
    };
    let seconds = match number {
        n if n >= FIRST_EPOCH_MILLISECOND => n / 1e3 - epoch(now),
        n if n >= FIRST_EPOCH_SECOND => n - epoch(now),
        n => n,
    };
    Duration::try_from_secs_f64(if seconds < 0.0 { 0.0 } else { seconds }).ok()
}

fn epoch(now: DateTime<Utc>) -> f64 {
    // Milliseconds since 1970 are exact in a double for 285,000 years.
    #[allow(clippy::cast_precision_loss)]
    let milliseconds = now.timestamp_millis() as f64;
    milliseconds / 1e3
}

/// A date in the three forms of RFC 9110, 5.6.7.
fn http_date(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(text).map(Into::into).ok().or_else(|| {
        ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"]
            .iter()
            .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
            .map(|time| time.and_utc())
    })
}

/// The header `RateLimit`: the limit with the fewest remaining requests.
struct Structured {
    limit: Option<u64>,
    remaining: u64,
    reset: Option<u64>,
}

/// Parses `RateLimit: limit=100, remaining=50, reset=30` and, of later drafts, one or more `"default";r=50;t=30`.
fn structured(headers: &HeaderMap) -> Option<Structured> {
    let value = headers.get("ratelimit")?.to_str().ok()?;
    let policies = if value.contains(';') { value.split(',').collect() } else { vec![value] };
    policies
        .into_iter()
        .filter_map(|policy| {
            let number = |names: [&str; 2]| {
                policy.split([';', ',']).find_map(|pair| {
                    let (name, value) = pair.split_once('=')?;
                    names.contains(&name.trim()).then(|| leading_number(value))?
                })
            };
            let remaining = number(["r", "remaining"])?;
            Some(Structured { limit: number(["q", "limit"]), remaining, reset: number(["t", "reset"]) })
        })
        .min_by_key(|policy| policy.remaining)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    type Headers = &'static [(&'static str, &'static str)];

    /// Limit and remaining.
    type Numbers = Option<(Option<u64>, u64)>;

    /// 1994-11-06T08:49:37Z, as in the examples of RFC 9110.
    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(784_111_777, 0).unwrap()
    }

    fn recent() -> DateTime<Utc> {
        DateTime::from_timestamp(1_798_675_200, 500_000_000).unwrap()
    }

    fn map(headers: &[(&str, &str)]) -> HeaderMap {
        headers
            .iter()
            .map(|(name, value)| (name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn delay_is_parsed_in_every_form() {
        let cases = [
            ("120", now(), Some(120.0)),
            (" 0 ", now(), Some(0.0)),
            ("1.5", now(), Some(1.5)),
            ("-5", now(), Some(0.0)),
            ("1798675230", recent(), Some(29.5)),
            ("1798675100", recent(), Some(0.0)),
            ("1798675230250", recent(), Some(29.75)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", now(), Some(30.0)),
            ("Sunday, 06-Nov-94 08:50:07 GMT", now(), Some(30.0)),
            ("Sun Nov  6 08:50:07 1994", now(), Some(30.0)),
            ("Sun, 06 Nov 1994 08:49:07 GMT", now(), Some(0.0)),
            ("1994-11-06T08:50:07Z", now(), Some(30.0)),
            ("1994-11-06T08:50:07.250Z", now(), Some(30.25)),
            ("1994-11-06T10:50:07+02:00", now(), Some(30.0)),
            ("soon", now(), None),
            ("", now(), None),
            ("nan", now(), None),
            ("inf", now(), None),
        ];
        for (text, now, want) in cases {
            let got = parse_delay(text, now).map(|wait| (wait.as_secs_f64() * 1e3).round() / 1e3);
            assert_eq!(got, want, "{text:?}");
        }
    }

    #[test]
    fn delay_comes_from_the_first_header_that_applies() {
        use Reason::{RateLimited, ServerError};
        let cases: [(Reason, Headers, Option<u64>); 13] = [
            (RateLimited, &[], None),
            (RateLimited, &[("retry-after", "7"), ("x-ratelimit-reset", "9")], Some(7)),
            (RateLimited, &[("x-ratelimit-reset", "9")], Some(9)),
            (RateLimited, &[("X-Rate-Limit-Reset", "9")], Some(9)),
            (RateLimited, &[("ratelimit-reset", "9")], Some(9)),
            (RateLimited, &[("x-ratelimit-reset", "1994-11-06T08:50:07.000Z")], Some(30)),
            (RateLimited, &[("x-ratelimit-reset", "9"), ("x-ratelimit-remaining", "0")], Some(9)),
            (RateLimited, &[("x-ratelimit-reset", "9"), ("x-ratelimit-remaining", "4000")], None),
            (RateLimited, &[("ratelimit", "limit=100, remaining=0, reset=30")], Some(30)),
            (RateLimited, &[("ratelimit", "\"burst\";r=50;t=1, \"day\";r=0;t=30")], Some(30)),
            (ServerError, &[("x-ratelimit-reset", "9")], None),
            (ServerError, &[("retry-after", "7")], Some(7)),
            (RateLimited, &[("retry-after", "soon"), ("x-ratelimit-reset", "9")], Some(9)),
        ];
        for (reason, headers, want) in cases {
            assert_eq!(
                requested_delay(reason, &map(headers), now()),
                want.map(Duration::from_secs),
                "{reason} {headers:?}"
            );
        }
    }

    #[test]
    fn rate_limit_is_parsed_in_every_form() {
        let cases: [(Headers, Numbers); 9] = [
            (&[], None),
            (&[("x-ratelimit-limit", "5000"), ("x-ratelimit-remaining", "4999")], Some((Some(5000), 4999))),
            (&[("ratelimit-limit", "100, 100;w=60"), ("ratelimit-remaining", "3")], Some((Some(100), 3))),
            (&[("x-rate-limit-remaining", "595.0")], Some((None, 595))),
            (&[("ratelimit-remaining", "4500")], Some((None, 4500))),
            (&[("x-ratelimit-limit", "5000")], None),
            (&[("ratelimit", "limit=100, remaining=50, reset=30")], Some((Some(100), 50))),
            (&[("ratelimit", "\"default\";r=50;t=30")], Some((None, 50))),
            (&[("x-ratelimit-remaining", "many")], None),
        ];
        for (headers, want) in cases {
            let want = want.map(|(limit, remaining)| RateLimit { limit, remaining });
            assert_eq!(rate_limit(&map(headers)), want, "{headers:?}");
        }
    }
}
