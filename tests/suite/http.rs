//! The HTTP client against real sockets.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use http::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;
use url::Url;

use token_expiry_exporter::core::certificates::TlsMaterial;
use token_expiry_exporter::core::failure::{Failure, Reason};
use token_expiry_exporter::core::outcome::RateLimit;
use token_expiry_exporter::core::secret::Secret;
use token_expiry_exporter::http::client::{Body, Client, Options, Request, Response};

mod server;
mod tls;

use server::{Reaction, Server, respond, truncated};

const CREDENTIAL: &str = "Bearer DO-NOT-LEAK";

fn options() -> Options {
    Options {
        connect_timeout: Duration::from_secs(5),
        request_timeout: Duration::from_secs(5),
        body_limit: 64 * 1024,
        retries: 2,
        max_retry_delay: Duration::from_millis(40),
        concurrency: 4,
        rate: None,
        certificates: Arc::new(TlsMaterial::default()),
        proxy: None,
    }
}

/// 1994-11-06T08:49:37Z.
fn clock() -> DateTime<Utc> {
    DateTime::from_timestamp(784_111_777, 0).unwrap()
}

/// A client without jitter.
fn client(options: Options) -> Client {
    Client::new(options, Arc::new(clock)).unwrap().with_jitter(Arc::new(|| 0.0))
}

fn get(url: Url) -> Request {
    Request {
        method: Method::GET,
        url,
        headers: vec![],
        credential: vec![("Authorization".into(), Secret::new(CREDENTIAL))],
        body: Body::Empty,
        retry: vec![],
    }
}

fn post(url: Url, body: Body) -> Request {
    Request { method: Method::POST, body, ..get(url) }
}

fn deadline() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

async fn fetch(client: &Client, url: Url) -> Result<Response, Failure> {
    client.send(&get(url), deadline()).await
}

fn usage(client: &Client) -> Vec<(u16, u64)> {
    client.take_usage().requests.into_iter().collect()
}

#[tokio::test]
async fn request_has_the_expected_headers() {
    let server = Server::start(vec![respond(200, &["Set-Cookie: a=b"], b"{}")]).await;
    let client = client(options());
    let response = fetch(&client, server.url("/v1/tokens?page=1")).await.unwrap();
    assert_eq!(
        (response.status, response.body.as_slice(), response.attempts, response.failure_reason()),
        (200, b"{}".as_slice(), 1, None)
    );
    assert_eq!(response.url, server.url("/v1/tokens?page=1"));
    fetch(&client, server.url("/v1/tokens?page=2")).await.unwrap();

    let agent = format!("user-agent: token-expiry-exporter/{}\r\n", env!("CARGO_PKG_VERSION"));
    for request in server.requests() {
        let request = request.to_lowercase();
        for line in [
            &agent,
            "accept: application/json\r\n",
            "accept-encoding: gzip\r\n",
            "authorization: bearer do-not-leak\r\n",
        ] {
            assert!(request.contains(line), "{line} in {request}");
        }
        assert!(!request.contains("cookie") && !request.contains("referer"), "{request}");
    }
    assert_eq!(client.take_usage().requests, BTreeMap::from([(200, 2)]));
    assert_eq!(client.take_usage().requests, BTreeMap::new(), "reset by the first call");
}

#[tokio::test]
async fn post_sends_json_or_a_form() {
    let server = Server::start(vec![respond(200, &[], b"{}")]).await;
    let client = client(options());
    let form = Body::Form(vec![("grant_type".into(), "a b".into()), ("x".into(), "ü&".into())]);
    for body in [Body::Json(json!({"a": [1, "ü"]})), form] {
        client.send(&post(server.url("/q"), body), deadline()).await.unwrap();
    }
    let requests = server.requests();
    assert!(
        requests[0].contains("content-type: application/json\r\n")
            && requests[0].ends_with("\r\n\r\n{\"a\":[1,\"ü\"]}"),
        "{}",
        requests[0]
    );
    let form = "content-type: application/x-www-form-urlencoded\r\n";
    assert!(
        requests[1].contains(form) && requests[1].ends_with("\r\n\r\ngrant_type=a+b&x=%C3%BC%26"),
        "{}",
        requests[1]
    );
}

#[tokio::test]
async fn temporary_failures_are_retried() {
    let reactions = vec![respond(503, &[], b""), respond(408, &[], b""), respond(200, &[], b"[]")];
    let server = Server::start(reactions).await;
    let client = client(options());
    assert_eq!(fetch(&client, server.url("/a")).await.unwrap().attempts, 3);
    assert_eq!(usage(&client), [(200, 1), (408, 1), (503, 1)]);
}

#[tokio::test]
async fn failed_responses_are_returned_with_their_attempts() {
    for (status, reason, attempts) in [
        (500, Reason::ServerError, 3),
        (429, Reason::RateLimited, 3),
        (401, Reason::Unauthorized, 1),
        (403, Reason::Forbidden, 1),
        (404, Reason::NotFound, 1),
        (400, Reason::Internal, 1),
        (202, Reason::Decode, 1),
        (304, Reason::Redirect, 1),
    ] {
        let body: &[u8] = if status == 304 { b"" } else { b"body" };
        let server = Server::start(vec![respond(status, &[], body)]).await;
        let response = fetch(&client(options()), server.url("/a")).await.unwrap();
        assert_eq!((response.status, response.failure_reason(), response.attempts), (status, Some(reason), attempts));
        assert_eq!((response.body.as_slice(), server.requests().len()), (body, attempts as usize));
    }
}

#[tokio::test]
async fn reset_is_relative_to_the_provider_s_clock() {
    // 30 ms by the provider's clock, but decades by the test's.
    let headers = [
        "Date: Wed, 25 Nov 2026 10:00:00 GMT",
        "X-RateLimit-Reset: 2026-11-25T10:00:00.030Z",
        "X-RateLimit-Limit: 100",
        "X-RateLimit-Remaining: 0",
    ];
    let server =
        Server::start(vec![respond(429, &headers, b""), respond(200, &["X-RateLimit-Remaining: 99"], b"[]")]).await;
    let client = client(Options { max_retry_delay: Duration::from_secs(10), ..options() });
    let start = Instant::now();
    assert_eq!(fetch(&client, server.url("/a")).await.unwrap().attempts, 2);
    assert!(start.elapsed() >= Duration::from_millis(30) && start.elapsed() < Duration::from_secs(5));
    let usage = client.take_usage();
    assert_eq!(usage.requests, BTreeMap::from([(200, 1), (429, 1)]));
    assert_eq!(usage.rate_limit, Some(RateLimit { limit: None, remaining: 99 }), "as last reported");
}

#[tokio::test]
async fn rate_limited_403_is_retried_after_a_capped_delay() {
    let server = Server::start(vec![respond(403, &["Retry-After: 3600"], b""), respond(200, &[], b"[]")]).await;
    let start = Instant::now();
    assert_eq!(fetch(&client(options()), server.url("/a")).await.unwrap().attempts, 2);
    assert!(start.elapsed() >= options().max_retry_delay && start.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn status_that_the_request_names_is_retried() {
    let server = Server::start(vec![respond(412, &[], b""), respond(412, &[], b""), respond(200, &[], b"[]")]).await;
    let request = Request { retry: vec![412], ..get(server.url("/a")) };
    let response = client(options()).send(&request, deadline()).await.unwrap();
    assert_eq!((response.status, response.attempts, response.failure_reason()), (200, 3, None));

    let server = Server::start(vec![respond(412, &[], b"")]).await;
    let response = fetch(&client(options()), server.url("/a")).await.unwrap();
    assert_eq!((response.attempts, response.failure_reason()), (1, Some(Reason::Internal)));
}

#[tokio::test]
async fn delay_beyond_the_deadline_is_skipped_and_blocks_other_requests() {
    let server = Server::start(vec![respond(429, &["Retry-After: 60"], b"slow down"), respond(200, &[], b"[]")]).await;
    let client = client(Options { max_retry_delay: Duration::from_secs(60), ..options() });
    let start = Instant::now();

    let response = fetch(&client, server.url("/a")).await.unwrap();
    assert_eq!((response.failure_reason(), response.attempts), (Some(Reason::RateLimited), 1));
    let failure = fetch(&client, server.url("/b")).await.unwrap_err();
    assert_eq!(failure.reason, Reason::RateLimited);
    assert_eq!(failure.what, format!("GET {}: the provider's rate limit resets after the deadline", server.url("/b")));

    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(server.lines(), ["GET /a HTTP/1.1"]);
    assert_eq!(usage(&client), [(429, 1)]);
}

#[tokio::test]
async fn failed_response_is_returned_if_the_limits_prevent_a_retry() {
    let server = Server::start(vec![respond(429, &[], b"slow down")]).await;
    let client = client(Options { rate: Some((1, Duration::from_secs(60))), ..options() });
    let response = fetch(&client, server.url("/a")).await.unwrap();
    assert_eq!(
        (response.failure_reason(), response.attempts, server.requests().len()),
        (Some(Reason::RateLimited), 1, 1)
    );
}

#[tokio::test]
async fn truncated_body_is_retried_and_never_accepted() {
    let server = Server::start(vec![truncated(100, b"[1,"), respond(200, &[], b"[1,2]")]).await;
    let client = client(options());
    assert_eq!(fetch(&client, server.url("/a")).await.unwrap().body, b"[1,2]");
    assert_eq!(usage(&client), [(0, 1), (200, 1)]);

    let chunk = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n[1,\r\n".to_vec();
    let half = gzip(&vec![b'7'; 5000]);
    let half = respond(200, &["Content-Encoding: gzip"], &half[..half.len() / 2]);
    for reaction in [truncated(100, b"[1,"), Reaction::Send(chunk), Reaction::Send(vec![]), half] {
        let server = Server::start(vec![reaction]).await;
        let failure = fetch(&client, server.url("/a?b=1")).await.unwrap_err();
        assert_eq!((failure.reason, server.requests().len()), (Reason::Connect, 3), "{failure}");
        let start = format!("GET {}: connection closed before the response was complete: ", server.url("/a?b=***"));
        assert!(failure.what.starts_with(&start) && failure.what.ends_with(" after 3 attempts"), "{failure}");
    }
}

#[tokio::test]
async fn body_is_limited() {
    let limit = options().body_limit;
    let server = Server::start(vec![respond(200, &[], &vec![b'1'; limit])]).await;
    assert_eq!(fetch(&client(options()), server.url("/a")).await.unwrap().body.len(), limit);

    let close = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec();
    let promised = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", limit + 1).into_bytes();
    for reaction in [Reaction::Endless(close), Reaction::Endless(promised), respond(200, &[], &vec![b'1'; limit + 1])] {
        let server = Server::start(vec![reaction]).await;
        let failure = fetch(&client(options()), server.url("/a")).await.unwrap_err();
        assert_eq!((failure.reason, server.requests().len()), (Reason::TooLarge, 1));
        let url = server.url("/a");
        assert_eq!(failure.what, format!("GET {url}: response exceeds 65536 bytes after 1 attempt"));
        // The sockets' buffers are filled too.
        assert!(server.written() < 100 * limit, "{}", server.written());
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn decompressed_body_is_limited() {
    let compressed = |body: &[u8]| respond(200, &["Content-Encoding: gzip"], body);
    let limit = options().body_limit;
    let server = Server::start(vec![compressed(&gzip(&vec![b'7'; limit]))]).await;
    assert_eq!(fetch(&client(options()), server.url("/a")).await.unwrap().body, vec![b'7'; limit]);

    let bomb = gzip(&vec![0; 64 * 1024 * 1024]);
    assert!(bomb.len() < 2 * limit);
    let small = Options { body_limit: bomb.len(), ..options() };
    let server = Server::start(vec![compressed(&bomb)]).await;
    let failure = fetch(&client(small), server.url("/a")).await.unwrap_err();
    assert_eq!((failure.reason, server.requests().len()), (Reason::TooLarge, 1));

    let server = Server::start(vec![compressed(b"not gzip, but long enough for its header")]).await;
    let failure = fetch(&client(options()), server.url("/a")).await.unwrap_err();
    assert_eq!((failure.reason, server.requests().len()), (Reason::Decode, 1), "{failure}");
}

#[tokio::test]
async fn codings_of_the_response_are_undone_and_do_not_hide_its_status() {
    let members = [gzip(b"[1,"), gzip(b"2]")].concat();
    for (coding, body) in
        [("x-gzip", members.clone()), ("identity, gzip", members.clone()), ("gzip, gzip", gzip(&members))]
    {
        let server = Server::start(vec![respond(200, &[&format!("Content-Encoding: {coding}")], &body)]).await;
        assert_eq!(fetch(&client(options()), server.url("/a")).await.unwrap().body, b"[1,2]", "{coding}");
    }
    let server = Server::start(vec![respond(401, &["Content-Encoding: br"], b"not readable")]).await;
    let response = fetch(&client(options()), server.url("/a")).await.unwrap();
    assert_eq!((response.failure_reason(), response.body.as_slice()), (Some(Reason::Unauthorized), &b""[..]));
}

#[tokio::test]
async fn redirect_to_the_same_origin_is_followed_with_the_credential() {
    let server = Server::start(vec![respond(302, &["Location: /b?c=d"], b""), respond(200, &[], b"[]")]).await;
    let client = client(options());
    let response = fetch(&client, server.url("/a")).await.unwrap();
    assert_eq!((response.url, response.attempts), (server.url("/b?c=d"), 1));
    assert_eq!(server.lines(), ["GET /a HTTP/1.1", "GET /b?c=d HTTP/1.1"]);
    assert!(server.requests()[1].contains(CREDENTIAL));
    assert_eq!(usage(&client), [(200, 1), (302, 1)]);
}

#[tokio::test]
async fn redirect_to_another_origin_is_not_followed() {
    let other = Server::start(vec![respond(200, &[], b"[]")]).await;
    let server =
        Server::start(vec![respond(302, &[&format!("Location: {}", other.url("/login?secret=1"))], b"")]).await;
    for request in [get(server.url("/a")), post(server.url("/a"), Body::Empty)] {
        let failure = client(options()).send(&request, deadline()).await.unwrap_err();
        assert_eq!(failure.reason, Reason::Redirect);
        let [own, other] = [&server, &other].map(|server| server.url("/").origin().ascii_serialization());
        let end = format!(
            ": 302: redirect target is at {other}, a different origin than {own}: not followed after 1 attempt"
        );
        assert!(failure.what.ends_with(&end), "{failure}");
    }
    assert_eq!(other.requests(), Vec::<String>::new());
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn redirects_are_limited_and_never_followed_by_a_post() {
    let server = Server::start(vec![respond(307, &["Location: /a"], b"")]).await;
    let failure = fetch(&client(options()), server.url("/a")).await.unwrap_err();
    assert_eq!((failure.reason, server.requests().len()), (Reason::Redirect, 6));

    let server = Server::start(vec![respond(307, &["Location: /b"], b"")]).await;
    let failure = client(options()).send(&post(server.url("/a"), Body::Empty), deadline()).await.unwrap_err();
    assert_eq!((failure.reason, server.requests().len()), (Reason::Redirect, 1));
}

#[tokio::test]
async fn refused_connection_is_reported_with_its_cause() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let client = client(options());
    let url = Url::parse(&format!("http://jane:hunter2@{closed}/a")).unwrap();
    let failure = fetch(&client, url).await.unwrap_err();
    assert_eq!(failure.reason, Reason::Connect);
    assert_eq!(failure.what, format!("GET http://{closed}/a: connection failed: Connection refused after 2 attempts"));
    assert_eq!(usage(&client), [(0, 2)]);
}

#[tokio::test]
async fn slow_response_is_a_timeout() {
    let server = Server::start(vec![Reaction::Hang(vec![])]).await;
    let url = server.url("/a");
    let impatient = Options { request_timeout: Duration::from_millis(200), retries: 1, ..options() };
    let failure = fetch(&client(impatient), url.clone()).await.unwrap_err();
    assert_eq!((failure.reason, server.requests().len()), (Reason::Timeout, 2));
    assert_eq!(failure.what, format!("GET {url}: no response within 200ms after 2 attempts"));

    let client = client(options());
    let start = Instant::now();
    let failure = client.send(&get(url.clone()), start + Duration::from_millis(100)).await.unwrap_err();
    assert_eq!(failure.what, format!("GET {url}: no response before the deadline after 1 attempt"));
    assert_eq!(failure.reason, Reason::Timeout);
    assert!(start.elapsed() >= Duration::from_millis(100) && start.elapsed() < Duration::from_secs(4));

    let sent = server.requests().len();
    let failure = client.send(&get(url), start).await.unwrap_err();
    assert_eq!((failure.reason, server.requests().len()), (Reason::Timeout, sent), "the deadline is past");
}

#[tokio::test]
async fn stalled_body_is_a_timeout() {
    let stalled = Reaction::Hang(b"HTTP/1.1 200 OK\r\nContent-Length: 4096\r\n\r\n[".to_vec());
    let server = Server::start(vec![stalled]).await;
    let impatient = Options { request_timeout: Duration::from_millis(50), retries: 0, ..options() };
    assert_eq!(fetch(&client(impatient), server.url("/a")).await.unwrap_err().reason, Reason::Timeout);
}

#[tokio::test]
async fn configured_proxy_is_used_for_all_requests() {
    let proxy = Server::start(vec![respond(200, &[], b"[]")]).await;
    let server = Server::start(vec![respond(200, &[], b"[]")]).await;
    let mut url = proxy.url("/");
    url.set_username("jane").unwrap();
    url.set_password(Some("hunter2")).unwrap();
    let options = Options { proxy: Some(url), ..options() };

    fetch(&client(options.clone()), server.url("/a")).await.unwrap();
    assert_eq!(proxy.lines(), [format!("GET {} HTTP/1.1", server.url("/a"))]);
    assert!(proxy.requests()[0].contains("proxy-authorization: Basic amFuZTpodW50ZXIy\r\n"), "{}", proxy.requests()[0]);
    assert_eq!(server.requests().len(), 0);

    let rejecting = Server::start(vec![respond(407, &[], b"")]).await;
    let options = Options { proxy: Some(rejecting.url("/")), retries: 0, ..options };
    let failure = fetch(&client(options), Url::parse("https://h.example/a").unwrap()).await.unwrap_err();
    assert_eq!(
        (failure.reason, rejecting.lines()),
        (Reason::Connect, vec!["CONNECT h.example:443 HTTP/1.1".to_owned()])
    );
    assert!(!rejecting.requests()[0].contains("DO-NOT-LEAK"));
}

/// Set for the process that runs `loopback_and_remote` with a proxy in its environment.
const WITH_PROXY: &str = "LOOPBACK_AND_REMOTE_WITH_PROXY";

#[tokio::test]
async fn loopback_and_remote() {
    if std::env::var_os(WITH_PROXY).is_none() {
        return;
    }
    let loopback = Server::start(vec![respond(200, &[], b"[]")]).await;
    fetch(&client(options()), loopback.url("/loopback")).await.unwrap();
    assert_eq!(loopback.lines(), ["GET /loopback HTTP/1.1"]);
    fetch(&client(options()), Url::parse("http://h.example/remote").unwrap()).await.unwrap();
}

#[tokio::test]
async fn proxy_of_the_environment_is_not_used_for_loopback() {
    let proxy = Server::start(vec![respond(200, &[], b"[]")]).await;
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "http::loopback_and_remote"]).env(WITH_PROXY, "1");
    child.env("http_proxy", proxy.url("/").as_str()).env_remove("NO_PROXY").env_remove("no_proxy");
    let output = tokio::task::spawn_blocking(move || child.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(proxy.lines(), ["GET http://h.example/remote HTTP/1.1"]);
}

/// Set for the process that runs `host_of_no_proxy` with a proxy in its environment: the port of a server on this machine.
const DIRECT_PORT: &str = "HOST_OF_NO_PROXY_PORT";

#[tokio::test]
async fn host_of_no_proxy() {
    let Ok(port) = std::env::var(DIRECT_PORT) else { return };
    // On Linux a connection to this address reaches loopback, but the address is not one of loopback's.
    let url = Url::parse(&format!("http://0.0.0.0:{port}/direct")).unwrap();
    assert_eq!(fetch(&client(options()), url).await.unwrap().body, b"[\"direct\"]");
}

#[tokio::test]
async fn host_of_no_proxy_is_reached_without_the_proxy() {
    let proxy = Server::start(vec![respond(200, &[], b"[\"proxy\"]")]).await;
    let direct = Server::start(vec![respond(200, &[], b"[\"direct\"]")]).await;
    let port = direct.url("/").port().unwrap();
    for list in [format!("h.example, 0.0.0.0:{port}"), "0.0.0.0/8".to_owned(), "*".to_owned()] {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "http::host_of_no_proxy"]).env(DIRECT_PORT, port.to_string());
        child.env("http_proxy", proxy.url("/").as_str()).env("NO_PROXY", &list).env_remove("no_proxy");
        let output = tokio::task::spawn_blocking(move || child.output().unwrap()).await.unwrap();
        assert!(output.status.success(), "{list}: {}", String::from_utf8_lossy(&output.stdout));
    }
    assert_eq!((proxy.lines().len(), direct.lines().len()), (0, 3));
}

#[tokio::test]
async fn debug_output_shows_neither_headers_nor_bodies() {
    let body = b"{\"token\": \"DO-NOT-LEAK\"}";
    let server = Server::start(vec![respond(200, &["X-Token: DO-NOT-LEAK"], body)]).await;
    let client = client(options());
    let request = post(server.url("/a"), Body::Json(json!({"secret": "DO-NOT-LEAK"})));
    let response = client.send(&request, deadline()).await.unwrap();
    let all = format!("{request:?} {response:?} {:?}", client.take_usage());
    assert!(!all.contains("DO-NOT-LEAK"), "{all}");
    assert!(all.contains(server.url("/a").as_str()), "{all}");
}

#[test]
fn invalid_certificates_and_proxies_are_errors() {
    let with = |certificates: TlsMaterial| Options { certificates: Arc::new(certificates), ..options() };
    let cases = [
        (with(TlsMaterial { ca: Some(b"no PEM".to_vec()), identity: None }), "no certificate in the CA bundle"),
        (
            with(TlsMaterial { ca: None, identity: Some(Secret::new("hunter2")) }),
            "invalid PEM in the client certificate or its key",
        ),
        (
            Options { proxy: Some(Url::parse("ftp://a:hunter2@h/").unwrap()), ..options() },
            "unsupported proxy scheme ftp",
        ),
    ];
    for (options, expected) in cases {
        let error = Client::new(options, Arc::new(clock)).map(|_| ()).unwrap_err();
        assert!(error.contains(expected) && !error.contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn idle_connection_is_closed_within_ten_seconds() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut read = [0; 4096];
        assert!(stream.read(&mut read).await.unwrap() > 0, "a request");
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
        let responded = Instant::now();
        assert_eq!(stream.read(&mut read).await.unwrap(), 0, "closed");
        responded.elapsed()
    };
    let client = client(options());
    let request = async {
        let response = client.send(&get(url), Instant::now() + Duration::from_secs(5)).await.unwrap();
        assert_eq!((response.status, &*response.body), (200, &b"ok"[..]));
    };
    let (idle, ()) =
        tokio::time::timeout(Duration::from_secs(30), async { tokio::join!(server, request) }).await.unwrap();
    assert!((Duration::from_secs(4)..Duration::from_secs(12)).contains(&idle), "{idle:?}");
}
