//! Every fault on the wire, and the expected result: the matrix.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use super::certificates::CertificateKind;
use super::fault::Expected::{Down, Up};
use super::fault::Fault;
use super::fault::Requests::{Once, OneUser, Tokens};
use super::provider::{Paging, Provider, Response};
use super::proxy::ProxyFault;
use super::server::Protocol::{Http, Http2, Https};
use super::testbed::{SHORT_TIMEOUT, TIMEOUT, Testbed};

const HTML: &str = "<!doctype html><html><form action=/login></form></html>";

/// Faults of connections.
pub(super) fn connections(testbed: &mut Testbed) {
    testbed.connection_fault("connection refused", &Fault::Refused, Http, "connect", TIMEOUT);
    testbed.connection_fault("connection reset", &Fault::Reset, Http, "connect", TIMEOUT);
    testbed.connection_fault(
        "connection closed without a response",
        &Fault::Bytes(Vec::new()),
        Http,
        "connect",
        TIMEOUT,
    );
    // Longer than the client's connect timeout of ten seconds.
    testbed.connection_fault("connect timeout", &Fault::BacklogFull, Http, "timeout", ", timeout: 12s");
    testbed.connection_fault("read timeout: no response", &Fault::Silent, Http, "timeout", SHORT_TIMEOUT);
    testbed.connection_fault(
        "expired certificate",
        &Fault::Certificate(CertificateKind::Expired),
        Https,
        "tls",
        TIMEOUT,
    );
    testbed.connection_fault(
        "untrusted certificate",
        &Fault::Certificate(CertificateKind::Untrusted),
        Https,
        "tls",
        TIMEOUT,
    );
    testbed.connection_fault(
        "certificate for another host",
        &Fault::Certificate(CertificateKind::WrongHost),
        Https,
        "tls",
        TIMEOUT,
    );
    testbed.connection_fault("plain HTTP instead of TLS", &Fault::NoTls, Https, "tls", TIMEOUT);
    testbed.connection_fault("HTTP/2 stream reset", &Fault::StreamReset, Http2, "connect", TIMEOUT);
    testbed.connection_fault("HTTP/2 GOAWAY", &Fault::GoAway, Http2, "connect", TIMEOUT);
}

/// A host name that does not resolve.
pub(super) fn unknown_name(testbed: &mut Testbed) {
    testbed.unknown_name("unknown host name");
}

/// Faults of a proxy.
pub(super) fn proxies(testbed: &mut Testbed) {
    testbed.proxy("working proxy", ProxyFault::None, [Up, Up]);
    testbed.proxy("proxy refuses connections", ProxyFault::RefusesConnections, [Down("connect"); 2]);
    testbed.proxy("proxy requires authentication (407)", ProxyFault::RequiresAuthentication, [Down("connect"); 2]);
    testbed.proxy("proxy denies access (403)", ProxyFault::DeniesAccess, [Down("forbidden"), Down("connect")]);
    testbed.proxy(
        "proxy cannot connect to the provider (502)",
        ProxyFault::CannotConnect,
        [Down("server_error"), Down("connect")],
    );
    testbed.proxy("proxy closes the connection", ProxyFault::ClosesConnection, [Down("connect"); 2]);
}

/// Responses that are too slow or incomplete.
pub(super) fn slow_bodies(testbed: &mut Testbed) {
    let head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[".to_vec();
    testbed.response_fault("endless slow body", &Fault::Trickle(head, b' '), "timeout", SHORT_TIMEOUT);
    let head = b"HTTP/1.1 200 OK\r\nX-Slow: ".to_vec();
    testbed.response_fault("endless slow header", &Fault::Trickle(head, b'x'), "timeout", SHORT_TIMEOUT);
    let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n[{\"id\": 1}".to_vec();
    testbed.response_fault("body shorter than Content-Length", &Fault::Bytes(cut), "connect", TIMEOUT);
    let chunk = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n".to_vec();
    testbed.response_fault("chunked body without the last chunk", &Fault::Bytes(chunk), "connect", TIMEOUT);
}

/// Faults of bodies.
pub(super) fn bodies(testbed: &mut Testbed) {
    testbed.response_fault("truncated JSON", &Fault::json(r#"[{"id": 1, "na"#), "decode", TIMEOUT);
    testbed.response_fault("concatenated JSON", &Fault::json("[][]"), "decode", TIMEOUT);
    let over = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[{\"id\": 1}]".to_vec();
    testbed.response_fault("body longer than Content-Length", &Fault::Bytes(over), "decode", TIMEOUT);
    testbed.response_fault(
        "HTML with 200",
        &Fault::response(200, &[("Content-Type", "text/html")], HTML),
        "decode",
        TIMEOUT,
    );
    testbed.response_fault("HTML with the content type of JSON", &Fault::json(HTML), "decode", TIMEOUT);
    let coded = |coding: &str| Fault::response(200, &[("Content-Encoding", coding)], r#"[{"id": 1}]"#);
    testbed.response_fault("content coding br, not requested", &coded("br"), "decode", TIMEOUT);
    testbed.response_fault("damaged gzip", &coded("gzip"), "decode", TIMEOUT);
    testbed.response_fault("empty body with 200", &Fault::json(""), "decode", TIMEOUT);
    testbed.response_fault("`null`", &Fault::json("null"), "decode", TIMEOUT);
    testbed.response_fault("error object with 200", &Fault::json(r#"{"error": "try later"}"#), "decode", TIMEOUT);
    testbed.response_fault(
        "JSON with an unexpected structure",
        &Fault::json(r#"{"data": {}, "values": 7}"#),
        "decode",
        TIMEOUT,
    );
    testbed.response_fault("JSON with 100,000 levels", &Fault::json("[".repeat(100_000)), "decode", TIMEOUT);
    testbed.response_fault("invalid UTF-8 outside a string", &Fault::json(&b"[\xff\xfe]"[..]), "decode", TIMEOUT);
    let rows = r#"[{"key": "a"}, {"key": "b"}, 7, null]"#;
    for (provider, body) in [
        (Provider::Gitlab, rows.to_owned()),
        (Provider::Atlassian, format!(r#"{{"data": {rows}, "links": {{}}}}"#)),
        (Provider::Plain, format!(r#"{{"tokens": {rows}}}"#)),
    ] {
        testbed.source(
            "rows with an unexpected structure",
            (Fault::json(body), Tokens, Http),
            Down("mapping"),
            provider,
            TIMEOUT,
        );
    }
    for (provider, body) in [
        (Provider::Gitlab, "[]"),
        (Provider::Atlassian, r#"{"data": [], "links": {}}"#),
        (Provider::Bitbucket, r#"{"isLastPage": true, "values": []}"#),
    ] {
        testbed.source("empty list in one collection", (Fault::json(body), Once, Http), Up, provider, TIMEOUT);
    }
}

/// Statuses without a retry.
pub(super) fn statuses(testbed: &mut Testbed) {
    let status = |status: u16| Fault::response(status, &[], "{}");
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
        testbed.response_fault(row, &status(code), reason, TIMEOUT);
    }
    let foreign = testbed.foreign_origin.url("/foreign");
    let moved = |status, location: &str| Fault::response(status, &[("Location", location)], "");
    testbed.response_fault("301 to a different origin", &moved(301, &foreign), "redirect", TIMEOUT);
    testbed.response_fault("307 to a different origin", &moved(307, &foreign), "redirect", TIMEOUT);
    testbed.response_fault("302 to itself", &moved(302, ""), "redirect", TIMEOUT);
}

/// Statuses with retries.
pub(super) fn retried_statuses(testbed: &mut Testbed) {
    for (row, code, reason) in [
        ("408", 408, "timeout"),
        ("500", 500, "server_error"),
        ("501", 501, "server_error"),
        ("502", 502, "server_error"),
        ("503", 503, "server_error"),
        ("504", 504, "server_error"),
    ] {
        testbed.response_fault(row, &Fault::response(code, &[], "{}"), reason, TIMEOUT);
    }
    let exhausted = Fault::response(403, &[("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "1")], "{}");
    testbed.rate_limit("403 with no requests remaining", &exhausted, Duration::from_millis(950));
}

/// 429 with every format of the time to wait, which is one or two seconds. No request may be sent sooner.
pub(super) fn rate_limits(testbed: &mut Testbed) {
    let mut with_header = |row, header: &'static str, least: u64, value: fn(DateTime<Utc>) -> String| {
        let response = move || {
            let now = Utc::now();
            Response::new(429, &[(header, &value(now))], "{}")
        };
        testbed.rate_limit(row, &Fault::Response(Arc::new(response)), Duration::from_millis(least));
    };
    let second: fn(DateTime<Utc>) -> String = |_| "1".into();
    with_header("429, Retry-After in seconds", "Retry-After", 950, second);
    with_header("429, Retry-After as a date", "Retry-After", 950, |now| {
        (now + TimeDelta::seconds(2)).format("%a, %d %b %Y %H:%M:%S GMT").to_string()
    });
    with_header("429, RateLimit-Reset in seconds", "RateLimit-Reset", 950, second);
    with_header("429, X-RateLimit-Reset in seconds", "X-RateLimit-Reset", 950, second);
    with_header("429, X-Rate-Limit-Reset in epoch seconds", "X-Rate-Limit-Reset", 950, |now| {
        (now.timestamp() + 2).to_string()
    });
    with_header("429, X-RateLimit-Reset in epoch milliseconds", "X-RateLimit-Reset", 950, |now| {
        (now.timestamp_millis() + 1000).to_string()
    });
    with_header("429, X-RateLimit-Reset in ISO 8601", "X-RateLimit-Reset", 950, |now| {
        (now + TimeDelta::seconds(1)).to_rfc3339_opts(SecondsFormat::Millis, true)
    });
    with_header("429, RateLimit: limit=…, remaining=0, reset=…", "RateLimit", 950, |_| {
        "limit=100, remaining=0, reset=1".into()
    });
    with_header("429, RateLimit: \"…\";r=0;t=…", "RateLimit", 950, |_| {
        "\"burst\";r=7;t=99, \"day\";r=0;t=1".into()
    });
    testbed.rate_limit("429 without a time", &Fault::response(429, &[], ""), Duration::ZERO);
}

/// Pages in a wrong sequence.
pub(super) fn pages(testbed: &mut Testbed) {
    for provider in Provider::ALL {
        let repeated = Fault::Pages(Paging::Loop);
        testbed.source("pages that loop", (repeated, Tokens, Http), Down("paging"), provider, TIMEOUT);
        let endless = Fault::Pages(Paging::Endless);
        testbed.source("endless pages", (endless, Tokens, Http), Down("timeout"), provider, SHORT_TIMEOUT);
        let shrinking = Fault::Pages(Paging::Shrinking);
        testbed.source("list that shrinks while it is read", (shrinking, Once, Http), Up, provider, TIMEOUT);
    }
    for provider in [Provider::Gitlab, Provider::Bitbucket, Provider::Plain] {
        let cut_off = Fault::Pages(Paging::CutOff);
        testbed.source(
            "list with more rows, but no next page",
            (cut_off, Tokens, Http),
            Down("paging"),
            provider,
            TIMEOUT,
        );
        let ignored = Fault::Pages(Paging::Ignored);
        testbed.source("the same page again", (ignored, Tokens, Http), Down("paging"), provider, TIMEOUT);
    }
    for provider in [Provider::Gitlab, Provider::Plain] {
        let address = testbed.foreign_origin.address;
        for (row, origin, expected) in [
            ("next page at a different origin", format!("http://{address}"), Up),
            ("next page at an https address of a different port", format!("https://{address}"), Up),
            ("next page under a context path of a different origin", format!("http://{address}/public/context"), Up),
            ("next page at a URL with a password", format!("http://jane:x@{address}"), Down("redirect")),
        ] {
            let foreign = Fault::Pages(Paging::ForeignOrigin(origin));
            let requests = if expected == Up { Once } else { Tokens };
            testbed.source(row, (foreign, requests, Http), expected, provider, TIMEOUT);
        }
    }
}

/// One failed scope of a thousand.
pub(super) fn one_of_many(testbed: &mut Testbed) {
    let fault = (Fault::response(403, &[], "{}"), OneUser, Http);
    let (row, extra) = ("one of 1,000 scopes fails", ", timeout: 60s, interval: 4s");
    testbed.source(row, fault, Down("forbidden"), Provider::Bitbucket, extra).gaps = Some(1.0);
}
