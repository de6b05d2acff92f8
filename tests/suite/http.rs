//! The manners of HTTP against real sockets: what goes over the wire, and what never does.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use http::Method;
use serde_json::json;
use tokio::time::Instant;
use url::Url;

use token_expiry_exporter::core::certificates::TlsMaterial;
use token_expiry_exporter::core::failure::{Failure, Reason};
use token_expiry_exporter::core::outcome::RateLimit;
use token_expiry_exporter::core::secret::Secret;
use token_expiry_exporter::http::client::{Body, Client, Options, Reply, Request};

mod server;
mod tls;

use server::{Act, Server, answer, cut};

/// The credential, in all tests.
const CREDENTIAL: &str = "Bearer DO-NOT-LEAK";

fn options() -> Options {
    Options {
        connect_timeout: Duration::from_secs(5),
        request_timeout: Duration::from_secs(5),
        body_limit: 64 * 1024,
        retries: 2,
        longest_wait: Duration::from_millis(40),
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
    }
}

fn post(url: Url, body: Body) -> Request {
    Request { method: Method::POST, body, ..get(url) }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

async fn ask(client: &Client, url: Url) -> Result<Reply, Failure> {
    client.send(&get(url), soon()).await
}

fn usage(client: &Client) -> Vec<(u16, u64)> {
    client.take_usage().requests.into_iter().collect()
}

#[tokio::test]
async fn a_request_says_who_asks_for_what() {
    let server = Server::start(vec![answer(200, &["Set-Cookie: a=b"], b"{}")]).await;
    let client = client(options());
    let reply = ask(&client, server.url("/v1/tokens?page=1")).await.unwrap();
    assert_eq!(
        (reply.status, reply.body.as_slice(), reply.attempts, reply.refusal()),
        (200, b"{}".as_slice(), 1, None)
    );
    assert_eq!(reply.url, server.url("/v1/tokens?page=1"));
    ask(&client, server.url("/v1/tokens?page=2")).await.unwrap();

    let agent = format!("user-agent: token-expiry-exporter/{}\r\n", env!("CARGO_PKG_VERSION"));
    for asked in server.asked() {
        let asked = asked.to_lowercase();
        for line in [
            &agent,
            "accept: application/json\r\n",
            "accept-encoding: gzip\r\n",
            "authorization: bearer do-not-leak\r\n",
        ] {
            assert!(asked.contains(line), "{line} in {asked}");
        }
        assert!(!asked.contains("cookie") && !asked.contains("referer"), "{asked}");
    }
    assert_eq!(client.take_usage().requests, BTreeMap::from([(200, 2)]));
    assert_eq!(client.take_usage().requests, BTreeMap::new(), "asked and forgotten");
}

#[tokio::test]
async fn a_post_carries_json_or_a_form() {
    let server = Server::start(vec![answer(200, &[], b"{}")]).await;
    let client = client(options());
    let form = Body::Form(vec![("grant_type".into(), "a b".into()), ("x".into(), "ü&".into())]);
    for body in [Body::Json(json!({"a": [1, "ü"]})), form] {
        client.send(&post(server.url("/q"), body), soon()).await.unwrap();
    }
    let asked = server.asked();
    assert!(
        asked[0].contains("content-type: application/json\r\n") && asked[0].ends_with("\r\n\r\n{\"a\":[1,\"ü\"]}"),
        "{}",
        asked[0]
    );
    let form = "content-type: application/x-www-form-urlencoded\r\n";
    assert!(asked[1].contains(form) && asked[1].ends_with("\r\n\r\ngrant_type=a+b&x=%C3%BC%26"), "{}", asked[1]);
}

#[tokio::test]
async fn what_passes_by_itself_is_tried_again() {
    let acts = vec![answer(503, &[], b""), answer(408, &[], b""), answer(200, &[], b"[]")];
    let server = Server::start(acts).await;
    let client = client(options());
    assert_eq!(ask(&client, server.url("/a")).await.unwrap().attempts, 3);
    assert_eq!(usage(&client), [(200, 1), (408, 1), (503, 1)]);
}

#[tokio::test]
async fn what_stays_is_handed_over_with_its_attempts() {
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
        let body: &[u8] = if status == 304 { b"" } else { b"words" };
        let server = Server::start(vec![answer(status, &[], body)]).await;
        let reply = ask(&client(options()), server.url("/a")).await.unwrap();
        assert_eq!((reply.status, reply.refusal(), reply.attempts), (status, Some(reason), attempts));
        assert_eq!((reply.body.as_slice(), server.asked().len()), (body, attempts as usize));
    }
}

#[tokio::test]
async fn a_reset_is_read_by_the_clock_of_the_provider() {
    // By the test's own clock this reset is decades away; by the provider's it is 30 ms.
    let headers = [
        "Date: Wed, 25 Nov 2026 10:00:00 GMT",
        "X-RateLimit-Reset: 2026-11-25T10:00:00.030Z",
        "X-RateLimit-Limit: 100",
        "X-RateLimit-Remaining: 0",
    ];
    let server =
        Server::start(vec![answer(429, &headers, b""), answer(200, &["X-RateLimit-Remaining: 99"], b"[]")]).await;
    let client = client(Options { longest_wait: Duration::from_secs(10), ..options() });
    let start = Instant::now();
    assert_eq!(ask(&client, server.url("/a")).await.unwrap().attempts, 2);
    assert!(start.elapsed() >= Duration::from_millis(30) && start.elapsed() < Duration::from_secs(5));
    let usage = client.take_usage();
    assert_eq!(usage.requests, BTreeMap::from([(200, 1), (429, 1)]));
    assert_eq!(usage.rate_limit, Some(RateLimit { limit: None, remaining: 99 }), "as last told");
}

#[tokio::test]
async fn a_403_about_the_limit_is_waited_for_and_the_wait_has_a_cap() {
    let server = Server::start(vec![answer(403, &["Retry-After: 3600"], b""), answer(200, &[], b"[]")]).await;
    let start = Instant::now();
    assert_eq!(ask(&client(options()), server.url("/a")).await.unwrap().attempts, 2);
    assert!(start.elapsed() >= options().longest_wait && start.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_wait_beyond_the_deadline_is_not_begun_and_holds_the_others_too() {
    let server = Server::start(vec![answer(429, &["Retry-After: 60"], b"slow down"), answer(200, &[], b"[]")]).await;
    let client = client(Options { longest_wait: Duration::from_secs(60), ..options() });
    let start = Instant::now();

    let reply = ask(&client, server.url("/a")).await.unwrap();
    assert_eq!((reply.refusal(), reply.attempts), (Some(Reason::RateLimited), 1));
    let failure = ask(&client, server.url("/b")).await.unwrap_err();
    assert_eq!(failure.reason, Reason::RateLimited);
    assert_eq!(failure.what, format!("GET {}: the provider's rate limit resets after the deadline", server.url("/b")));

    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(server.lines(), ["GET /a HTTP/1.1"]);
    assert_eq!(usage(&client), [(429, 1)]);
}

#[tokio::test]
async fn a_refusal_that_finds_no_second_turn_is_still_told() {
    let server = Server::start(vec![answer(429, &[], b"slow down")]).await;
    let client = client(Options { rate: Some((1, Duration::from_secs(60))), ..options() });
    let reply = ask(&client, server.url("/a")).await.unwrap();
    assert_eq!((reply.refusal(), reply.attempts, server.asked().len()), (Some(Reason::RateLimited), 1, 1));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_asked_for_again_and_never_taken_for_whole() {
    let server = Server::start(vec![cut(100, b"[1,"), answer(200, &[], b"[1,2]")]).await;
    let client = client(options());
    assert_eq!(ask(&client, server.url("/a")).await.unwrap().body, b"[1,2]");
    assert_eq!(usage(&client), [(0, 1), (200, 1)]);

    let chunk = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n[1,\r\n".to_vec();
    let half = gzip(&vec![b'7'; 5000]);
    let half = answer(200, &["Content-Encoding: gzip"], &half[..half.len() / 2]);
    for act in [cut(100, b"[1,"), Act::Say(chunk), Act::Say(vec![]), half] {
        let server = Server::start(vec![act]).await;
        let failure = ask(&client, server.url("/a?b=1")).await.unwrap_err();
        assert_eq!((failure.reason, server.asked().len()), (Reason::Connect, 3), "{failure}");
        let start = format!("GET {}: the answer broke off: ", server.url("/a?b=***"));
        assert!(failure.what.starts_with(&start) && failure.what.ends_with(" after 3 attempts"), "{failure}");
    }
}

#[tokio::test]
async fn a_body_is_read_up_to_the_limit_and_not_beyond() {
    let limit = options().body_limit;
    let server = Server::start(vec![answer(200, &[], &vec![b'1'; limit])]).await;
    assert_eq!(ask(&client(options()), server.url("/a")).await.unwrap().body.len(), limit);

    let close = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec();
    let promised = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", limit + 1).into_bytes();
    for act in [Act::Endless(close), Act::Endless(promised), answer(200, &[], &vec![b'1'; limit + 1])] {
        let server = Server::start(vec![act]).await;
        let failure = ask(&client(options()), server.url("/a")).await.unwrap_err();
        assert_eq!((failure.reason, server.asked().len()), (Reason::TooLarge, 1));
        let url = server.url("/a");
        assert_eq!(failure.what, format!("GET {url}: the answer is over the limit of 65536 bytes after 1 attempt"));
        // What the sockets' buffers hold is sent too, but no more.
        assert!(server.written() < 100 * limit, "{}", server.written());
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_compressed_body_is_unpacked_within_the_limit() {
    let compressed = |body: &[u8]| answer(200, &["Content-Encoding: gzip"], body);
    let limit = options().body_limit;
    let server = Server::start(vec![compressed(&gzip(&vec![b'7'; limit]))]).await;
    assert_eq!(ask(&client(options()), server.url("/a")).await.unwrap().body, vec![b'7'; limit]);

    let bomb = gzip(&vec![0; 64 * 1024 * 1024]);
    assert!(bomb.len() < 2 * limit);
    let roomy = Options { body_limit: bomb.len(), ..options() };
    let server = Server::start(vec![compressed(&bomb)]).await;
    let failure = ask(&client(roomy), server.url("/a")).await.unwrap_err();
    assert_eq!((failure.reason, server.asked().len()), (Reason::TooLarge, 1));

    let server = Server::start(vec![compressed(b"no gzip at all, but long enough to look for a header")]).await;
    let failure = ask(&client(options()), server.url("/a")).await.unwrap_err();
    assert_eq!((failure.reason, server.asked().len()), (Reason::Decode, 1), "{failure}");
}

#[tokio::test]
async fn a_redirection_at_home_is_followed_with_the_credential() {
    let server = Server::start(vec![answer(302, &["Location: /b?c=d"], b""), answer(200, &[], b"[]")]).await;
    let client = client(options());
    let reply = ask(&client, server.url("/a")).await.unwrap();
    assert_eq!((reply.url, reply.attempts), (server.url("/b?c=d"), 1));
    assert_eq!(server.lines(), ["GET /a HTTP/1.1", "GET /b?c=d HTTP/1.1"]);
    assert!(server.asked()[1].contains(CREDENTIAL));
    assert_eq!(usage(&client), [(200, 1), (302, 1)]);
}

#[tokio::test]
async fn a_redirection_elsewhere_is_refused_and_nothing_goes_there() {
    let other = Server::start(vec![answer(200, &[], b"[]")]).await;
    let server = Server::start(vec![answer(302, &[&format!("Location: {}", other.url("/login?secret=1"))], b"")]).await;
    for request in [get(server.url("/a")), post(server.url("/a"), Body::Empty)] {
        let failure = client(options()).send(&request, soon()).await.unwrap_err();
        assert_eq!(failure.reason, Reason::Redirect);
        let origin = other.url("/").as_str().trim_end_matches('/').to_owned();
        let words = format!(": 302, redirected to {origin}, another origin: not followed after 1 attempt");
        assert!(failure.what.ends_with(&words), "{failure}");
    }
    assert_eq!(other.asked(), Vec::<String>::new());
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn redirections_end_and_a_post_is_not_redirected() {
    let server = Server::start(vec![answer(307, &["Location: /a"], b"")]).await;
    let failure = ask(&client(options()), server.url("/a")).await.unwrap_err();
    assert_eq!((failure.reason, server.asked().len()), (Reason::Redirect, 6));

    let server = Server::start(vec![answer(307, &["Location: /b"], b"")]).await;
    let failure = client(options()).send(&post(server.url("/a"), Body::Empty), soon()).await.unwrap_err();
    assert_eq!((failure.reason, server.asked().len()), (Reason::Redirect, 1));
}

#[tokio::test]
async fn a_refused_connection_is_told_with_its_cause() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let client = client(options());
    let url = Url::parse(&format!("http://jane:hunter2@{closed}/a")).unwrap();
    let failure = ask(&client, url).await.unwrap_err();
    assert_eq!(failure.reason, Reason::Connect);
    assert_eq!(failure.what, format!("GET http://{closed}/a: no connection: Connection refused after 3 attempts"));
    assert_eq!(usage(&client), [(0, 3)]);
}

#[tokio::test]
async fn a_slow_answer_is_a_timeout() {
    let server = Server::start(vec![Act::Hang(vec![])]).await;
    let url = server.url("/a");
    let brief = Options { request_timeout: Duration::from_millis(200), retries: 1, ..options() };
    let failure = ask(&client(brief), url.clone()).await.unwrap_err();
    assert_eq!((failure.reason, server.asked().len()), (Reason::Timeout, 2));
    assert_eq!(failure.what, format!("GET {url}: no answer within 200ms after 2 attempts"));

    let client = client(options());
    let start = Instant::now();
    let failure = client.send(&get(url.clone()), start + Duration::from_millis(100)).await.unwrap_err();
    assert_eq!(failure.what, format!("GET {url}: no answer before the deadline after 1 attempt"));
    assert_eq!(failure.reason, Reason::Timeout);
    assert!(start.elapsed() >= Duration::from_millis(100) && start.elapsed() < Duration::from_secs(4));

    let asked = server.asked().len();
    let failure = client.send(&get(url), start).await.unwrap_err();
    assert_eq!((failure.reason, server.asked().len()), (Reason::Timeout, asked), "the deadline is past");
}

#[tokio::test]
async fn a_body_that_stalls_is_a_timeout() {
    let stalled = Act::Hang(b"HTTP/1.1 200 OK\r\nContent-Length: 4096\r\n\r\n[".to_vec());
    let server = Server::start(vec![stalled]).await;
    let brief = Options { request_timeout: Duration::from_millis(50), retries: 0, ..options() };
    assert_eq!(ask(&client(brief), server.url("/a")).await.unwrap_err().reason, Reason::Timeout);
}

#[tokio::test]
async fn a_configured_proxy_is_asked_for_everything() {
    let proxy = Server::start(vec![answer(200, &[], b"[]")]).await;
    let server = Server::start(vec![answer(200, &[], b"[]")]).await;
    let mut through = proxy.url("/");
    through.set_username("jane").unwrap();
    through.set_password(Some("hunter2")).unwrap();
    let options = Options { proxy: Some(through), ..options() };
    assert!(!format!("{options:?}").contains("hunter2"), "{options:?}");

    ask(&client(options.clone()), server.url("/a")).await.unwrap();
    assert_eq!(proxy.lines(), [format!("GET {} HTTP/1.1", server.url("/a"))]);
    assert!(proxy.asked()[0].contains("proxy-authorization: Basic amFuZTpodW50ZXIy\r\n"), "{}", proxy.asked()[0]);
    assert_eq!(server.asked().len(), 0);

    let refusing = Server::start(vec![answer(407, &[], b"")]).await;
    let options = Options { proxy: Some(refusing.url("/")), retries: 0, ..options };
    let failure = ask(&client(options), Url::parse("https://h.example/a").unwrap()).await.unwrap_err();
    assert_eq!(
        (failure.reason, refusing.lines()),
        (Reason::Connect, vec!["CONNECT h.example:443 HTTP/1.1".to_owned()])
    );
    assert!(!refusing.asked()[0].contains("DO-NOT-LEAK"));
}

/// Set for the run of this program that has a proxy in its environment.
const WITH_PROXY: &str = "NEAR_AND_FAR_WITH_PROXY";

#[tokio::test]
async fn near_and_far() {
    if std::env::var_os(WITH_PROXY).is_none() {
        return;
    }
    let near = Server::start(vec![answer(200, &[], b"[]")]).await;
    ask(&client(options()), near.url("/near")).await.unwrap();
    assert_eq!(near.lines(), ["GET /near HTTP/1.1"]);
    ask(&client(options()), Url::parse("http://h.example/far").unwrap()).await.unwrap();
}

#[tokio::test]
async fn the_proxy_of_the_environment_is_asked_but_not_for_loopback() {
    let proxy = Server::start(vec![answer(200, &[], b"[]")]).await;
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "http::near_and_far"]).env(WITH_PROXY, "1");
    child.env("http_proxy", proxy.url("/").as_str()).env_remove("NO_PROXY").env_remove("no_proxy");
    let output = tokio::task::spawn_blocking(move || child.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(proxy.lines(), ["GET http://h.example/far HTTP/1.1"]);
}

#[tokio::test]
async fn no_debug_shows_headers_or_bodies() {
    let body = b"{\"token\": \"DO-NOT-LEAK\"}";
    let server = Server::start(vec![answer(200, &["X-Token: DO-NOT-LEAK"], body)]).await;
    let client = client(options());
    let request = post(server.url("/a"), Body::Json(json!({"secret": "DO-NOT-LEAK"})));
    let reply = client.send(&request, soon()).await.unwrap();
    let all = format!("{request:?} {:?} {client:?} {reply:?} {:?}", request.body, client.take_usage());
    assert!(!all.contains("DO-NOT-LEAK"), "{all}");
    assert!(all.contains(server.url("/a").as_str()), "{all}");
}

#[test]
fn what_cannot_be_used_is_named() {
    let with = |trust: TlsMaterial| Options { certificates: Arc::new(trust), ..options() };
    let cases = [
        (with(TlsMaterial { ca: Some(b"no PEM".to_vec()), identity: None }), "the certificates to trust hold none"),
        (
            with(TlsMaterial { ca: None, identity: Some(Secret::new("hunter2")) }),
            "client certificate and its key cannot be read",
        ),
        (
            Options { proxy: Some(Url::parse("ftp://a:hunter2@h/").unwrap()), ..options() },
            "a proxy cannot be reached by ftp",
        ),
    ];
    for (options, words) in cases {
        let sentence = Client::new(options, Arc::new(clock)).map(|_| ()).unwrap_err();
        assert!(sentence.contains(words) && !sentence.contains("hunter2"), "{sentence}");
    }
}
