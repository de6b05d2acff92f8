//! Every fault on the wire, and what must come of it: the matrix.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use super::certificates::Kind;
use super::door::Speaks::{Http, Http2, Https};
use super::fault::At::{Once, OneUser, Tokens};
use super::fault::Expected::{Down, Up};
use super::fault::Fault;
use super::provider::{Answer, Paging, Provider};
use super::proxy::Failing;
use super::stage::{BRIEF, Stage, TIMEOUT};

const HTML: &str = "<!doctype html><html><form action=/login></form></html>";

/// The faults of connections, and of names.
pub(super) fn connections(stage: &mut Stage) {
    stage.line("connection refused", &Fault::Refused, Http, "connect", TIMEOUT);
    stage.line("connection reset", &Fault::Reset, Http, "connect", TIMEOUT);
    stage.line("connection closed without an answer", &Fault::Bytes(Vec::new()), Http, "connect", TIMEOUT);
    // Longer than the client's own limit for a connection, which is ten seconds.
    stage.line("connect time-out", &Fault::Full, Http, "timeout", ", timeout: 12s");
    stage.line("read time-out: no answer", &Fault::Silent, Http, "timeout", BRIEF);
    stage.line("expired certificate", &Fault::Certificate(Kind::Expired), Https, "tls", TIMEOUT);
    stage.line("untrusted certificate", &Fault::Certificate(Kind::Untrusted), Https, "tls", TIMEOUT);
    stage.line("certificate for another host", &Fault::Certificate(Kind::WrongHost), Https, "tls", TIMEOUT);
    stage.line("plain HTTP where TLS is due", &Fault::NoTls, Https, "tls", TIMEOUT);
    stage.line("HTTP/2 stream reset", &Fault::StreamReset, Http2, "connect", TIMEOUT);
    stage.line("HTTP/2 GOAWAY", &Fault::GoAway, Http2, "connect", TIMEOUT);
}

/// A host whose name nobody knows.
pub(super) fn unknown_name(stage: &mut Stage) {
    stage.unknown_name("unknown host name");
}

/// A proxy in between.
pub(super) fn proxies(stage: &mut Stage) {
    stage.proxy("a proxy that works", Failing::Not, [Up, Up]);
    stage.proxy("a proxy that refuses connections", Failing::Refuses, [Down("connect"); 2]);
    stage.proxy("a proxy that asks for authentication (407)", Failing::Asks, [Down("connect"); 2]);
    stage.proxy("a proxy that forbids (403)", Failing::Forbids, [Down("forbidden"), Down("connect")]);
    stage.proxy(
        "a proxy that cannot reach the provider (502)",
        Failing::Unable,
        [Down("server_error"), Down("connect")],
    );
    stage.proxy("a proxy that dies", Failing::Dies, [Down("connect"); 2]);
}

/// Answers that come too slowly, or break off.
pub(super) fn slow_bodies(stage: &mut Stage) {
    let head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[".to_vec();
    stage.answer("a body that trickles for ever", &Fault::Trickle(head, b' '), "timeout", BRIEF);
    let head = b"HTTP/1.1 200 OK\r\nX-Slow: ".to_vec();
    stage.answer("a header that trickles for ever", &Fault::Trickle(head, b'x'), "timeout", BRIEF);
    let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n[{\"id\": 1}".to_vec();
    stage.answer("a body shorter than its Content-Length", &Fault::Bytes(cut), "connect", TIMEOUT);
    let chunk = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n".to_vec();
    stage.answer("chunks without the last", &Fault::Bytes(chunk), "connect", TIMEOUT);
}

/// The faults of whole bodies.
pub(super) fn bodies(stage: &mut Stage) {
    stage.answer("truncated JSON", &Fault::json(r#"[{"id": 1, "na"#), "decode", TIMEOUT);
    stage.answer("concatenated JSON", &Fault::json("[][]"), "decode", TIMEOUT);
    let over = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[{\"id\": 1}]".to_vec();
    stage.answer("a body longer than its Content-Length", &Fault::Bytes(over), "decode", TIMEOUT);
    stage.answer("HTML with 200", &Fault::answer(200, &[("Content-Type", "text/html")], HTML), "decode", TIMEOUT);
    stage.answer("HTML that calls itself JSON", &Fault::json(HTML), "decode", TIMEOUT);
    stage.answer("an empty body with 200", &Fault::json(""), "decode", TIMEOUT);
    stage.answer("`null`", &Fault::json("null"), "decode", TIMEOUT);
    stage.answer("an error object with 200", &Fault::json(r#"{"error": "try later"}"#), "decode", TIMEOUT);
    stage.answer("JSON of another shape", &Fault::json(r#"{"data": {}, "values": 7}"#), "decode", TIMEOUT);
    stage.answer("100,000 brackets deep", &Fault::json("[".repeat(100_000)), "decode", TIMEOUT);
    stage.answer("invalid UTF-8 outside of a text", &Fault::json(&b"[\xff\xfe]"[..]), "decode", TIMEOUT);
    let rows = r#"[{"key": "a"}, {"key": "b"}, 7, null]"#;
    for (provider, body) in [
        (Provider::Gitlab, rows.to_owned()),
        (Provider::Atlassian, format!(r#"{{"data": {rows}, "links": {{}}}}"#)),
        (Provider::Plain, format!(r#"{{"tokens": {rows}}}"#)),
    ] {
        stage.source("rows of another shape", (Fault::json(body), Tokens, Http), Down("mapping"), provider, TIMEOUT);
    }
    for (provider, body) in [
        (Provider::Gitlab, "[]"),
        (Provider::Atlassian, r#"{"data": [], "links": {}}"#),
        (Provider::Bitbucket, r#"{"isLastPage": true, "values": []}"#),
    ] {
        stage.source("an empty list, once", (Fault::json(body), Once, Http), Up, provider, TIMEOUT);
    }
}

/// The faults that a status tells.
pub(super) fn statuses(stage: &mut Stage) {
    let status = |status: u16| Fault::answer(status, &[], "{}");
    for (row, code, reason) in [
        ("202", 202, "decode"),
        ("204", 204, "decode"),
        ("304", 304, "redirect"),
        ("400", 400, "internal"),
        ("401", 401, "unauthorized"),
        ("403", 403, "forbidden"),
        ("404", 404, "not_found"),
        ("410", 410, "not_found"),
    ] {
        stage.answer(row, &status(code), reason, TIMEOUT);
    }
    let elsewhere = stage.trap.url("/elsewhere");
    let moved = |status, place: &str| Fault::answer(status, &[("Location", place)], "");
    stage.answer("301 to another origin", &moved(301, &elsewhere), "redirect", TIMEOUT);
    stage.answer("307 to another origin", &moved(307, &elsewhere), "redirect", TIMEOUT);
    stage.answer("302 to itself", &moved(302, ""), "redirect", TIMEOUT);
}

/// The statuses after which it is asked again.
pub(super) fn passing(stage: &mut Stage) {
    for (row, code, reason) in [
        ("408", 408, "timeout"),
        ("500", 500, "server_error"),
        ("501", 501, "server_error"),
        ("502", 502, "server_error"),
        ("503", 503, "server_error"),
        ("504", 504, "server_error"),
    ] {
        stage.answer(row, &Fault::answer(code, &[], "{}"), reason, TIMEOUT);
    }
    let spent = Fault::answer(403, &[("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "1")], "{}");
    stage.limit("403 with no requests remaining", &spent, Duration::from_millis(950));
}

/// 429, and when to come again in every form. Each tells a second or two, and nobody may come sooner.
pub(super) fn limits(stage: &mut Stage) {
    let mut told = |row, header: &'static str, least: u64, value: fn(DateTime<Utc>) -> String| {
        let answer = move || {
            let now = Utc::now();
            Answer::new(429, &[(header, &value(now))], "{}")
        };
        stage.limit(row, &Fault::Answer(Arc::new(answer)), Duration::from_millis(least));
    };
    let second: fn(DateTime<Utc>) -> String = |_| "1".into();
    told("429, Retry-After in seconds", "Retry-After", 950, second);
    told("429, Retry-After as a date", "Retry-After", 950, |now| {
        (now + TimeDelta::seconds(2)).format("%a, %d %b %Y %H:%M:%S GMT").to_string()
    });
    told("429, RateLimit-Reset in seconds", "RateLimit-Reset", 950, second);
    told("429, X-RateLimit-Reset in seconds", "X-RateLimit-Reset", 950, second);
    told("429, X-Rate-Limit-Reset in epoch seconds", "X-Rate-Limit-Reset", 950, |now| {
        (now.timestamp() + 2).to_string()
    });
    told("429, X-RateLimit-Reset in epoch milliseconds", "X-RateLimit-Reset", 950, |now| {
        (now.timestamp_millis() + 1000).to_string()
    });
    told("429, X-RateLimit-Reset in ISO 8601", "X-RateLimit-Reset", 950, |now| {
        (now + TimeDelta::seconds(1)).to_rfc3339_opts(SecondsFormat::Millis, true)
    });
    told("429, RateLimit: limit=…, remaining=0, reset=…", "RateLimit", 950, |_| {
        "limit=100, remaining=0, reset=1".into()
    });
    told("429, RateLimit: \"…\";r=0;t=…", "RateLimit", 950, |_| "\"burst\";r=7;t=99, \"day\";r=0;t=1".into());
    stage.limit("429 that does not tell", &Fault::answer(429, &[], ""), Duration::ZERO);
}

/// Pages that do not hang together.
pub(super) fn pages(stage: &mut Stage) {
    for provider in Provider::ALL {
        let circle = Fault::Pages(Paging::Circle);
        stage.source("pages that loop", (circle, Tokens, Http), Down("paging"), provider, TIMEOUT);
        let endless = Fault::Pages(Paging::Endless);
        stage.source("pages that never end", (endless, Tokens, Http), Down("timeout"), provider, BRIEF);
        let shrinks = Fault::Pages(Paging::Shrinks);
        stage.source("pages that shrink while they are read", (shrinks, Once, Http), Up, provider, TIMEOUT);
    }
    for provider in [Provider::Gitlab, Provider::Plain] {
        let elsewhere = Fault::Pages(Paging::Elsewhere(stage.trap.url("")));
        let row = "a next page at another origin";
        stage.source(row, (elsewhere, Tokens, Http), Down("redirect"), provider, TIMEOUT);
    }
}

/// One scope of a thousand.
pub(super) fn one_of_many(stage: &mut Stage) {
    let what = (Fault::answer(403, &[], "{}"), OneUser, Http);
    let (row, time) = ("one scope of a thousand failing", ", timeout: 60s, interval: 4s");
    stage.source(row, what, Down("forbidden"), Provider::Bitbucket, time).gaps = Some(1.0);
}
