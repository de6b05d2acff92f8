//! Behaviour over several collections, listings or clock times: more than a scenario can express.

#![allow(clippy::unwrap_used, clippy::expect_used)]
use std::time::Duration;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::response::Builder;
use axum::response::Response;
use chrono::TimeDelta;

use super::*;
use crate::core::certificates::TlsMaterial;
use crate::core::failure::Reason;
use crate::core::intake::Intake;
use crate::core::outcome::Path;
use crate::core::secret::{Credential, Credentials, Secret};
use crate::core::time::parse_timestamp;
use crate::core::token::Expiry;
use crate::providers::engine::page_limit::PageLimit;
use crate::providers::language::compile::compile;
use crate::providers::{SourceSpec, catalogue};
use crate::schema::diagnostic::SourceText;
use crate::schema::yaml::{Key, Kind, Node, parse};

mod paging;

/// The requests so far, as `GET /path?query`, with the value of `Authorization` and the body if there are any.
#[derive(Clone, Default)]
struct Requests(Arc<Mutex<Vec<String>>>);

impl Requests {
    /// The requests since the last call, in alphabetical order.
    fn take(&self) -> Vec<String> {
        let mut requests = std::mem::take(&mut *self.0.lock());
        requests.sort();
        requests
    }
}

/// A provider on this machine: status and body for each request. Status 0: it never responds.
async fn serve(respond: impl Fn(&str) -> (u16, String) + Clone + Send + Sync + 'static) -> (String, Requests) {
    serve_responses(move |request| {
        let (status, body) = respond(request);
        let silent = if status == 0 { 999 } else { status };
        (Response::builder().status(silent).header("content-type", "application/json"), body)
    })
    .await
}

/// The same with headers. Status 999: it never responds.
async fn serve_responses(
    respond: impl Fn(&str) -> (Builder, String) + Clone + Send + Sync + 'static,
) -> (String, Requests) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let requests = Requests::default();
    let recorded = requests.clone();
    let router = Router::new().fallback(move |request: Request| {
        let (recorded, respond) = (recorded.clone(), respond.clone());
        async move {
            let (head, body) = request.into_parts();
            let authorization =
                head.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
            let body = String::from_utf8(to_bytes(body, 1 << 20).await.unwrap().to_vec()).unwrap();
            let line = format!("{} {} {authorization} {body}", head.method, head.uri);
            let line = line.trim_end().to_owned();
            recorded.0.lock().push(line.clone());
            let (response, body) = respond(&line);
            let response = response.body(axum::body::Body::from(body)).unwrap();
            if response.status() == 999 {
                std::future::pending::<()>().await;
            }
            response
        }
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    (origin, requests)
}

/// A credential that changes.
#[derive(Clone)]
struct Changing(Arc<Mutex<Result<&'static str, Failure>>>);

impl Changing {
    fn new(secret: &'static str) -> Self {
        Self(Arc::new(Mutex::new(Ok(secret))))
    }

    fn set(&self, secret: Result<&'static str, Failure>) {
        *self.0.lock() = secret;
    }
}

impl Credentials for Changing {
    fn read(&self) -> Result<Credential, Failure> {
        self.0.lock().clone().map(|secret| Credential::single(Secret::new(secret)))
    }

    fn parts(&self) -> Vec<String> {
        vec![String::new()]
    }
}

/// A source of this definition, to which it adds the keys that all have in common.
fn source(definition: &str, origin: &str, credential: Changing) -> Box<dyn Source> {
    source_with(definition, origin, credential, Arc::default(), Arc::default())
}

fn source_with(
    definition: &str,
    origin: &str,
    credential: Changing,
    passwords: Arc<SharedPasswords>,
    pages: Arc<PageLimit>,
) -> Box<dyn Source> {
    let head = "format: 1\nprovider: test\ntitle: Test\ndocs: https://example.com\nexpiry: a timestamp\n\
                permission: everything\nsettings: {url: {type: url, help: where it is}}\n";
    let definition = SourceText::new("test.yaml", format!("{head}{definition}"));
    let provider = compile(&definition, &[]).unwrap_or_else(|errors| panic!("{errors}"));
    let text = SourceText::new("config.yaml", format!("url: {origin}"));
    let node: Node = parse(&text).unwrap();
    let Kind::Map(settings) = node.kind else { panic!("a map") };
    let settings: Vec<(Key, Node)> = settings;
    let spec = SourceSpec {
        text,
        at: node.at,
        name: "test".into(),
        auth: None,
        listings: None,
        settings,
        credentials: Arc::new(credential),
        credential_at: None,
    };
    let options = Options {
        connect_timeout: Duration::from_secs(5),
        request_timeout: Duration::from_secs(5),
        body_limit: 1 << 20,
        retries: 0,
        max_retry_delay: Duration::ZERO,
        concurrency: 2,
        rate: None,
        certificates: Arc::new(TlsMaterial::default()),
        proxy: None,
    };
    catalogue::connect(Arc::new(provider), spec, options, Arc::new(noon), passwords, pages)
        .unwrap_or_else(|errors| panic!("{errors}"))
}

fn noon() -> DateTime<Utc> {
    parse_timestamp("2026-11-23T12:00:00Z").unwrap()
}

async fn collect(source: &dyn Source, now: DateTime<Utc>) -> Outcome {
    source.collect(now, Instant::now() + Duration::from_secs(5), &Intake::default()).await
}

fn ids(outcome: &Outcome) -> Vec<&str> {
    let scopes = outcome.listings.iter().flat_map(|listed| &listed.scopes);
    scopes.flat_map(|scope| &scope.tokens).map(|token| &*token.id).collect()
}

/// Each gap as `scope: reason`.
fn gaps(outcome: &Outcome) -> Vec<String> {
    let gaps = outcome.listings.iter().flat_map(|listed| &listed.gaps);
    gaps.map(|gap| format!("{}: {}", gap.scope, gap.failure.reason)).collect()
}

const EACH: &str = "auth: bearer
error: .message
listings:
  - name: key
    kind: key
    for_each: {get: /keys, rows: ., as: one}
    get: /keys/{one}
    none: {status: 404}
    recheck: 24h
    row: .
    token: {id: .id, expires_at: .ends}
";

#[tokio::test]
async fn scope_is_cached_until_recheck_or_half_of_its_remaining_time() {
    let (origin, requests) = serve(|request| match request.split(' ').nth(1).unwrap() {
        "/keys" => (200, r#"["far", "near", "none"]"#.into()),
        "/keys/far" => (200, r#"{"id": "far", "ends": "2027-11-23T12:00:00Z"}"#.into()),
        "/keys/near" => (200, r#"{"id": "near", "ends": "2026-11-23T16:00:00Z"}"#.into()),
        _ => (404, String::new()),
    })
    .await;
    let source = source(EACH, &origin, Changing::new("c"));
    assert_eq!(ids(&collect(&*source, noon()).await), ["far", "near"]);
    assert_eq!(requests.take().len(), 4);
    let later = collect(&*source, noon() + TimeDelta::hours(1)).await;
    assert_eq!((ids(&later), later.listings[0].scopes.len(), later.is_complete()), (vec!["far", "near"], 3, true));
    assert_eq!(requests.take(), ["GET /keys Bearer c"]);
    // Half of what remained of it is over.
    collect(&*source, noon() + TimeDelta::hours(3)).await;
    assert_eq!(requests.take(), ["GET /keys Bearer c", "GET /keys/near Bearer c"]);
    collect(&*source, noon() + TimeDelta::hours(25)).await;
    assert_eq!(requests.take().len(), 4);
}

#[tokio::test]
async fn scopes_past_the_deadline_are_one_gap() {
    let (origin, _) = serve(|request| match request.split(' ').nth(1).unwrap() {
        "/keys" => (200, format!("{:?}", (0..100).map(|number| number.to_string()).collect::<Vec<_>>())),
        "/keys/0" => (200, r#"{"id": "0", "ends": null}"#.into()),
        _ => (0, String::new()),
    })
    .await;
    let source = source(EACH, &origin, Changing::new("c"));
    let outcome = source.collect(noon(), Instant::now() + Duration::from_millis(400), &Intake::default()).await;
    assert_eq!(ids(&outcome), ["0"]);
    assert_eq!(gaps(&outcome), ["99 more scopes: timeout"]);
    assert!(outcome.listings[0].gaps[0].path.covers(&Path::root().join("/keys").join("/keys/1")));
}

#[tokio::test]
async fn circuit_breaker_skips_the_scopes_of_a_provider_that_is_down() {
    let (origin, requests) = serve(|request| match request.split(' ').nth(1).unwrap() {
        "/keys" => (200, format!("{:?}", (0..1000).map(|number| number.to_string()).collect::<Vec<_>>())),
        _ => (503, String::new()),
    })
    .await;
    let source = source(EACH, &origin, Changing::new("c"));
    let outcome = collect(&*source, noon()).await;
    let requests = requests.take().len() - 1;
    assert!((50..=52).contains(&requests), "{requests}");
    assert_eq!(outcome.listings[0].gaps.len(), requests + 1);
    assert_eq!(gaps(&outcome).pop().unwrap(), format!("{} more scopes: server_error", 1000 - requests));
}

#[tokio::test]
async fn denied_scope_is_a_gap_with_the_provider_message() {
    let words = format!("no\\u0000t\\n{} allowed", "so ".repeat(100));
    let (origin, _) = serve(move |request| match request.split(' ').nth(1).unwrap() {
        "/keys" => (200, r#"["a", "b", ".."]"#.into()),
        "/keys/a" => (403, format!(r#"{{"message": "{words}"}}"#)),
        _ => (403, r#"{"message": "SECRET is not allowed"}"#.into()),
    })
    .await;
    let outcome = collect(&*source(EACH, &origin, Changing::new("SECRET")), noon()).await;
    assert_eq!(
        gaps(&outcome),
        ["/keys/a: forbidden", "/keys/b: forbidden", "..: cannot build the request path: mapping"]
    );
    let says: Vec<_> = outcome.listings[0].gaps.iter().map(|gap| gap.failure.provider_message.clone()).collect();
    let message = says[0].as_deref().unwrap();
    assert!(message.starts_with("no t so so") && message.ends_with('…') && message.chars().count() == 201, "{message}");
    assert_eq!(says[1..], [None, None]);
    let first = &outcome.listings[0].gaps[0];
    assert_eq!(first.failure.what, format!("GET {origin}/keys/a: 403 after 1 attempt"));
    assert_eq!(first.required_permission.as_deref(), Some("everything"));
}

const LOGIN: &str = "auth:
  login: {post: /login, form: {secret: '{credential}'}, token: .token, lifetime: .seconds}
  bearer: '{login}'
listings:
  - {name: a, kind: key, get: /a, rows: ., token: {id: .id, expires_at: .ends}}
  - {name: b, kind: key, get: /b, rows: ., token: {id: .id, expires_at: .ends}}
";

#[tokio::test]
async fn login_is_reused_and_renewed_once_when_rejected() {
    let logins = Arc::new(Mutex::new(0));
    let valid = Arc::new(Mutex::new("t1".to_owned()));
    let (count, accepted) = (logins.clone(), valid.clone());
    let (origin, requests) = serve(move |request| {
        if request.starts_with("POST /login") {
            let mut count = count.lock();
            *count += 1;
            return (201, format!(r#"{{"token": "t{count}", "seconds": 3600}}"#));
        }
        let is_valid = request.ends_with(&format!("Bearer {}", accepted.lock()));
        if is_valid { (200, "[]".into()) } else { (401, String::new()) }
    })
    .await;
    let credential = Changing::new("c");
    let source = source(LOGIN, &origin, credential.clone());
    assert!(collect(&*source, noon()).await.is_complete());
    assert_eq!(requests.take(), ["GET /a Bearer t1", "GET /b Bearer t1", "POST /login  secret=c"]);
    assert!(collect(&*source, noon()).await.is_complete());
    assert_eq!(requests.take(), ["GET /a Bearer t1", "GET /b Bearer t1"]);
    // The provider drops the session.
    *valid.lock() = "t2".into();
    assert!(collect(&*source, noon()).await.is_complete());
    assert_eq!(*logins.lock(), 2);
    // The provider rejects every session.
    *valid.lock() = "none".into();
    assert_eq!(gaps(&collect(&*source, noon()).await), ["/a: unauthorized", "/b: unauthorized"]);
    assert_eq!(*logins.lock(), 3);
    // A new credential needs a new login.
    requests.take();
    *valid.lock() = "t4".into();
    credential.set(Ok("d"));
    assert!(collect(&*source, noon()).await.is_complete());
    assert_eq!(requests.take().last().unwrap(), "POST /login  secret=d");
}

#[tokio::test]
async fn nothing_is_requested_without_a_credential_or_a_login() {
    let (origin, requests) = serve(|_| (400, r#"{"error": "invalid_client"}"#.into())).await;
    let credential = Changing::new("c");
    let source = source(LOGIN, &origin, credential.clone());
    let outcome = collect(&*source, noon()).await;
    assert_eq!(gaps(&outcome), ["all: unauthorized", "all: unauthorized"]);
    assert_eq!(requests.take(), ["POST /login  secret=c"]);
    assert_eq!(outcome.requests.get(&400), Some(&1));
    credential.set(Err(Failure::new(Reason::Credential, "/run/secrets/x: not found")));
    assert_eq!(gaps(&collect(&*source, noon()).await), ["all: credential", "all: credential"]);
    assert_eq!(requests.take(), Vec::<String>::new());
}

const PASSWORD: &str = "auth: {basic: {user: ada, password: '{credential}'}}
error: .message
listings:
  - {name: a, kind: key, get: /a, rows: ., token: {id: .id, expires_at: .ends}}
  - {name: b, kind: key, get: /b, rows: ., token: {id: .id, expires_at: .ends}}
  - {name: c, kind: key, get: /c, rows: ., token: {id: .id, expires_at: .ends}}
";

/// The failures of an outcome's gaps: reason, provider message and permission.
fn refusals(outcome: &Outcome) -> Vec<(Reason, Option<&str>, Option<&str>)> {
    let gaps = outcome.listings.iter().flat_map(|listed| &listed.gaps);
    gaps.map(|gap| (gap.failure.reason, gap.failure.provider_message.as_deref(), gap.required_permission.as_deref()))
        .collect()
}

#[tokio::test]
async fn refused_password_is_sent_once_until_it_changes_or_an_hour_has_passed() {
    let valid = Arc::new(Mutex::new("YWRhOm5ldw=="));
    let accepted = valid.clone();
    let (origin, requests) = serve(move |request| match request.ends_with(*accepted.lock()) {
        true => (200, r#"[{"id": 1, "ends": null}]"#.into()),
        false => (401, r#"{"message": "no"}"#.into()),
    })
    .await;
    let credential = Changing::new("old");
    let source = source(PASSWORD, &origin, credential.clone());
    let first = collect(&*source, noon()).await;
    assert_eq!(refusals(&first), [(Reason::Unauthorized, Some("no"), None); 3]);
    assert_eq!(requests.take().len(), 1);
    let refusal = first.refusal.unwrap();

    let later = collect(&*source, noon() + TimeDelta::minutes(59)).await;
    assert_eq!(refusals(&later), [(Reason::Unauthorized, Some("no"), None); 3]);
    assert_eq!((requests.take(), later.requests.len(), later.refusal), (vec![], 0, Some(refusal)));
    assert_eq!(
        later.listings[0].gaps[0].failure.what,
        "no request sent: the provider refused this secret at 2026-11-23T12:00:00Z; replace it, or wait until \
         2026-11-23T13:00:00Z"
    );
    collect(&*source, noon() + TimeDelta::minutes(61)).await;
    assert_eq!(requests.take().len(), 1, "an hour has passed");
    collect(&*source, noon() + TimeDelta::minutes(90)).await;
    assert_eq!(requests.take().len(), 0, "refused again");

    credential.set(Ok("new"));
    let changed = collect(&*source, noon() + TimeDelta::minutes(91)).await;
    assert_eq!((ids(&changed).len(), changed.is_complete(), changed.refusal), (3, true, None));
    assert_eq!(requests.take().len(), 3);
    // The password is changed at the provider.
    *valid.lock() = "YWRhOm5ld2Vy";
    assert!(!collect(&*source, noon() + TimeDelta::minutes(92)).await.is_complete());
    assert_eq!(requests.take().len(), 1);
}

#[tokio::test]
async fn refusal_that_is_restored_stops_requests_until_the_secret_changes() {
    let (origin, requests) = serve(|_| (401, "{}".into())).await;
    let refusal = collect(&*source(PASSWORD, &origin, Changing::new("old")), noon()).await.refusal.unwrap();
    requests.take();
    let stored = serde_json::from_str(&serde_json::to_string(&refusal).unwrap()).unwrap();
    for (secret, minutes, sent) in [("old", 59, 0), ("old", 61, 1), ("new", 1, 1)] {
        let source = source(PASSWORD, &origin, Changing::new(secret));
        source.restore_refusal(stored);
        let outcome = collect(&*source, noon() + TimeDelta::minutes(minutes)).await;
        assert_eq!(gaps(&outcome).len(), 3, "{secret} {minutes}");
        assert_eq!(requests.take().len(), sent, "{secret} {minutes}");
    }
}

#[tokio::test]
async fn refused_password_of_several_sources_is_sent_once() {
    let (origin, requests) = serve(|_| (401, r#"{"message": "no"}"#.into())).await;
    let passwords = Arc::<SharedPasswords>::default();
    let with = |secret| source_with(PASSWORD, &origin, Changing::new(secret), Arc::clone(&passwords), Arc::default());
    let (first, second, other) = (with("old"), with("old"), with("another"));
    let outcomes = tokio::join!(collect(&*first, noon()), collect(&*second, noon()), collect(&*other, noon()));
    assert_eq!(requests.take().len(), 2, "one for each password");
    for outcome in [&outcomes.0, &outcomes.1, &outcomes.2] {
        assert_eq!(refusals(outcome), [(Reason::Unauthorized, Some("no"), None); 3]);
        assert!(outcome.refusal.is_some());
    }
    for (minutes, sent) in [(59, 0), (61, 1), (90, 0)] {
        for source in [&first, &second] {
            assert!(!collect(&**source, noon() + TimeDelta::minutes(minutes)).await.is_complete());
        }
        assert_eq!(requests.take().len(), sent, "{minutes}");
    }
}

#[tokio::test]
async fn later_401_concerns_its_scope_alone() {
    let (origin, requests) = serve(|request| match request.split(' ').nth(1).unwrap() {
        "/b" => (401, r#"{"message": "not your project"}"#.into()),
        _ => (200, r#"[{"id": 1, "ends": null}]"#.into()),
    })
    .await;
    let source = source(PASSWORD, &origin, Changing::new("right"));
    for _ in 0..2 {
        let outcome = collect(&*source, noon()).await;
        assert_eq!((gaps(&outcome), ids(&outcome).len()), (vec!["/b: unauthorized".to_owned()], 2));
        assert_eq!((requests.take().len(), outcome.refusal), (3, None));
    }
}

#[tokio::test]
async fn provider_that_is_down_does_not_refuse_the_password() {
    let (origin, requests) = serve(|_| (503, String::new())).await;
    let source = source(PASSWORD, &origin, Changing::new("right"));
    for _ in 0..2 {
        let outcome = collect(&*source, noon()).await;
        assert_eq!((gaps(&outcome).len(), requests.take().len(), outcome.refusal), (3, 3, None));
    }
}

#[tokio::test]
async fn denied_login_stops_the_collection_and_its_reason_is_shown() {
    for status in [401, 403] {
        let (origin, requests) = serve_responses(move |request| {
            let denied = Response::builder().status(status).header("content-type", "text/html").header(
                "x-authentication-denied-reason",
                "CAPTCHA_CHALLENGE; login-url=https://jira.example.com/login.jsp",
            );
            match request.starts_with("GET /a ") {
                true => (Response::builder(), "[]".to_owned()),
                false => (denied, "<p>".to_owned()),
            }
        })
        .await;
        // Also after a login that succeeded: an administrator may lock the account at any time.
        let outcome = collect(&*source(PASSWORD, &origin, Changing::new("old")), noon()).await;
        let message = "X-Authentication-Denied-Reason: CAPTCHA_CHALLENGE; login-url=https://jira.example.com/login.jsp";
        let refused = refusals(&outcome);
        assert!(refused.contains(&(Reason::Unauthorized, Some(message), None)), "{status}: {refused:?}");
        assert!(outcome.refusal.is_some() && requests.take().len() >= 2, "{status}");
    }
}

#[tokio::test]
async fn login_with_a_refused_secret_is_not_repeated() {
    for (status, is_repeated) in [(400, false), (401, false), (403, true), (503, true)] {
        let (origin, requests) = serve(move |_| (status, "{}".into())).await;
        let source = source(LOGIN, &origin, Changing::new("c"));
        collect(&*source, noon()).await;
        assert_eq!(requests.take().len(), 1, "{status}");
        assert_eq!(gaps(&collect(&*source, noon()).await).len(), 2, "{status}");
        assert_eq!(requests.take().len(), usize::from(is_repeated), "{status}");
    }
}

#[tokio::test]
async fn refused_bearer_token_is_sent_again() {
    let (origin, requests) = serve(|_| (401, "{}".into())).await;
    let source = source(EACH, &origin, Changing::new("c"));
    for _ in 0..2 {
        let outcome = collect(&*source, noon()).await;
        assert_eq!((refusals(&outcome), outcome.refusal), (vec![(Reason::Unauthorized, None, None)], None));
        assert_eq!(requests.take().len(), 1);
    }
}

const MAPS: &str = "auth: bearer
maps:
  users: {get: /users, rows: ., key: .id, value: .name}
  teams: {for: .team, get: '/teams/{key}', value: .name}
listings:
  - name: key
    kind: key
    get: /keys
    rows: .
    token: {id: .id, expires_at: .ends, name: '$maps.teams[.team]', owner: '$maps.users[.user]'}
";

#[tokio::test]
async fn look_up_does_not_wait_for_the_page_that_needs_it() {
    let (origin, requests) = serve(|request| match request.split(' ').nth(1).unwrap() {
        "/keys" => (200, r#"[{"id": 1, "user": "u", "team": "t"}]"#.into()),
        "/users" => (200, r#"[{"id": "u", "name": "Ada"}]"#.into()),
        _ => (200, r#"{"name": "Team"}"#.into()),
    })
    .await;
    let pages = Arc::new(PageLimit::new(1));
    let source = || source_with(MAPS, &origin, Changing::new("c"), Arc::default(), Arc::clone(&pages));
    let (one, other) = (source(), source());
    let both = async { tokio::join!(collect(&*one, noon()), collect(&*other, noon())) };
    let (one, other) = tokio::time::timeout(Duration::from_secs(10), both).await.unwrap();
    for outcome in [one, other] {
        let token = &outcome.listings[0].scopes[0].tokens[0];
        let owner = token.owner.as_ref().and_then(|owner| owner.name.as_deref());
        assert_eq!((&*token.name, owner), ("Team", Some("Ada")));
    }
    assert_eq!(requests.take().len(), 6);
}

#[tokio::test]
async fn page_waits_for_the_pages_of_other_sources() {
    let (origin, requests) = serve(|_| (200, r#"[{"id": 1}]"#.into())).await;
    let pages = Arc::new(PageLimit::new(1));
    let listing = "auth: bearer
listings:
  - {name: key, kind: key, get: /keys, rows: ., token: {id: .id, expires_at: .ends}}
";
    let source = source_with(listing, &origin, Changing::new("c"), Arc::default(), Arc::clone(&pages));
    let other_page = pages.acquire().await;
    let mut collecting = std::pin::pin!(collect(&*source, noon()));
    let waiting = tokio::time::timeout(Duration::from_millis(300), &mut collecting).await;
    assert!(waiting.is_err(), "{waiting:?}");
    assert_eq!(requests.take().len(), 1, "the provider has answered");
    drop(other_page);
    assert_eq!(ids(&collecting.await), ["1"]);
}

#[tokio::test]
async fn failed_map_keeps_its_values_and_is_reported() {
    let is_down = Arc::new(Mutex::new(false));
    let down = is_down.clone();
    let (origin, requests) = serve(move |request| match request.split(' ').nth(1).unwrap() {
        "/keys" => {
            (200, r#"[{"id": 1, "user": "u", "team": "t"}, {"id": 2, "user": "u", "team": "t"}, {"id": 3}]"#.into())
        }
        _ if *down.lock() => (500, String::new()),
        "/users" => (200, r#"[{"id": "u", "name": "Ada"}]"#.into()),
        _ => (200, r#"{"name": "Team"}"#.into()),
    })
    .await;
    let source = source(MAPS, &origin, Changing::new("c"));
    let names = |outcome: &Outcome| -> Vec<(String, Option<String>)> {
        let tokens = &outcome.listings[0].scopes[0].tokens;
        tokens
            .iter()
            .map(|token| (token.name.to_string(), token.owner.as_ref().and_then(|owner| owner.name.clone())))
            .collect()
    };
    let expected = [("Team".into(), Some("Ada".into())), ("Team".into(), Some("Ada".into())), (String::new(), None)];
    let first = collect(&*source, noon()).await;
    assert_eq!(names(&first), expected);
    assert_eq!(requests.take().iter().filter(|request| request.contains("/teams/t")).count(), 1);
    *is_down.lock() = true;
    let second = collect(&*source, noon() + TimeDelta::days(40)).await;
    assert_eq!(names(&second), expected);
    assert!(second.is_complete());
    let failed: Vec<_> = second.failures.iter().map(|failure| failure.what.as_str()).collect();
    assert_eq!(
        failed,
        [
            format!("maps.users: GET {origin}/users: 500 after 1 attempt"),
            format!("maps.teams: GET {origin}/teams/t: 500 after 1 attempt"),
        ]
    );
}

#[tokio::test]
async fn sample_is_limited_to_some_scopes_and_pages() {
    let definition = "auth: bearer
listings:
  - name: key
    kind: key
    for_each: {get: /groups, rows: ., as: group}
    get: /keys/{group}
    next: {page: page}
    rows: .
    take: select(.kind == \"key\")
    token: {id: .id, expires_at: .ends, owner: .owner}
";
    let (origin, requests) = serve(|request| match request.split(' ').nth(1).unwrap() {
        "/groups" => (200, format!("{:?}", (0..50).map(|number| format!("g{number}")).collect::<Vec<_>>())),
        path => {
            let key = |kind: &str| format!(r#"{{"id": "{path} {kind}", "kind": "{kind}", "ends": "2027-01-01"}}"#);
            (200, format!("[{}, {}]", key("key"), key("other")))
        }
    })
    .await;
    let source = source(definition, &origin, Changing::new("c"));
    let outcome = source.sample(noon(), Instant::now() + Duration::from_secs(5), &Intake::default()).await;
    assert_eq!((requests.take().len(), outcome.is_complete()), (1 + 10 * 3, true));
    let rows = outcome.listings[0].rows.as_ref().unwrap();
    assert_eq!((rows.read, rows.taken, rows.is_sample, ids(&outcome).len()), (60, 30, true, 30));
    let fields = |name| rows.fields.get(name).map(|field| (field.values, field.unreadable));
    assert_eq!((fields("expires_at"), fields("owner"), fields("name")), (Some((30, 0)), Some((0, 0)), None));
}

#[tokio::test]
async fn own_credential_is_found_by_its_hint() {
    let definition = "auth: bearer
self: {listing: key, hint: '.hint | split(\"...\")[]'}
listings: [{name: key, kind: key, get: /keys, rows: ., token: {id: .hint, expires_at: .ends}}]
";
    let (origin, _) = serve(|_| {
        let rows = r#"[{"hint": "npm_aB...7890", "ends": "2027-03-01"}, {"hint": "npm_aB...0000", "ends": "2027-01-01"},
            {"hint": "npm_aB", "ends": "2027-02-01"}, {"hint": null, "ends": "2026-12-01"}]"#;
        (200, rows.into())
    })
    .await;
    let outcome = collect(&*source(definition, &origin, Changing::new("npm_aBxyz7890")), noon()).await;
    let end = Expiry::At(parse_timestamp("2027-02-01").unwrap());
    assert_eq!(outcome.credential_expiry, crate::core::outcome::CredentialExpiry::Reported(end));
}

#[tokio::test]
async fn listing_with_only_malformed_rows_is_a_gap() {
    let definition = "auth: bearer
listings: [{name: key, kind: key, get: /keys, rows: ., token: {id: .id, expires_at: .ends}}]
";
    for (rows, gap) in [
        (r"[]", None),
        (r#"[{"id": 1}, {"key": 2}]"#, None),
        (r#"[{"key": 1}, 2, null]"#, Some("all 3 rows are malformed, the first at `id`")),
        (r#"[{"key": 1}]"#, Some("all 1 rows are malformed, the first at `id`")),
    ] {
        let (origin, _) = serve(move |_| (200, rows.to_owned())).await;
        let outcome = collect(&*source(definition, &origin, Changing::new("c")), noon()).await;
        let found = outcome.listings[0].gaps.first().map(|gap| (gap.failure.reason, gap.failure.what.as_str()));
        let expected = gap.map(|gap| format!("{gap}: the response does not match the definition"));
        assert_eq!(found, expected.as_deref().map(|what| (Reason::Mapping, what)), "{rows}");
    }
}

#[tokio::test]
async fn cached_value_expires_when_the_clock_is_set_back() {
    let (origin, requests) = serve(|request| match request.split(' ').nth(1).unwrap() {
        "/keys" => (200, r#"[{"id": 1, "team": "t"}]"#.into()),
        "/users" => (200, "[]".into()),
        _ => (200, r#"{"name": "Team"}"#.into()),
    })
    .await;
    let source = source(MAPS, &origin, Changing::new("c"));
    let far = noon() + TimeDelta::days(4000);
    for (now, is_requested) in [(far, true), (far - TimeDelta::hours(1), false), (noon(), true), (noon(), false)] {
        collect(&*source, now).await;
        let looked_up = requests.take().iter().any(|request| request.contains("/teams/t"));
        assert_eq!(looked_up, is_requested, "{now}");
    }
}

#[tokio::test]
async fn definition_that_would_publish_the_credential_is_refused() {
    let definition = |token: &str| {
        format!("auth: bearer\nlistings:\n  - {{name: key, kind: key, get: /keys, rows: ., token: {token}}}\n")
    };
    let rows = r#"[{"id": 1, "secret": "other-secret-01234", "ends": null}, {"id": 2, "secret": "glpat-0123456789", "ends": null}]"#;
    let (origin, requests) = serve(move |_| (200, rows.into())).await;
    for (token, field) in [
        ("{id: .secret, expires_at: .ends}", "id"),
        ("{id: .id, name: '\"key \\(.secret)\"', expires_at: .ends}", "name"),
        ("{id: '.secret | .[:12]', expires_at: .ends}", "id"),
    ] {
        let source = source(&definition(token), &origin, Changing::new("glpat-0123456789"));
        let outcome = collect(&*source, noon()).await;
        assert_eq!((ids(&outcome).len(), requests.take().len()), (0, 1), "{token}");
        let failure = &outcome.listings[0].gaps[0].failure;
        let start = format!("`token.{field}` of row 2 shows the credential");
        assert!(failure.reason == Reason::Credential && failure.what.starts_with(&start), "{failure}");
        assert!(!format!("{outcome:?}").contains("glpat-"), "{outcome:?}");
    }
    let hashed =
        source(&definition("{id: .secret | sha256, expires_at: .ends}"), &origin, Changing::new("glpat-0123456789"));
    assert_eq!(ids(&collect(&*hashed, noon()).await).len(), 2);
}

#[tokio::test]
async fn method_of_a_later_version_fails_only_the_sources_that_use_it() {
    let definition = |auth: &str| {
        let auth = format!("auth: {auth}\n");
        auth + "listings:\n  - {name: key, kind: key, get: /keys, rows: ., token: {id: .id, expires_at: .ends}}\n"
    };
    let (origin, requests) = serve(|_| (200, r#"[{"id": 1, "ends": null}]"#.into())).await;
    let signed =
        source(&definition("{name: signed, future_signature: {key: '{credential}'}}"), &origin, Changing::new("c"));
    let outcome = collect(&*signed, noon()).await;
    assert_eq!(gaps(&outcome), ["all: credential"]);
    assert!(outcome.listings[0].gaps[0].failure.what.contains("`future_signature`"));
    assert_eq!(requests.take().len(), 0);
    assert!(signed.warning().unwrap().contains("`future_signature`"));

    let both = definition("[{name: token, bearer: '{credential}'}, {name: signed, future_signature: {}}]");
    assert_eq!(ids(&collect(&*source(&both, &origin, Changing::new("c")), noon()).await), ["1"]);
}

const LOOKUPS: &str = "auth: bearer
listings:
  - name: key
    kind: key
    for_each: {get: /keys, rows: ., as: one}
    get: /keys/{one}
    none: {status: 403, if_others_succeed: true}
    recheck: 24h
    row: .
    token: {id: .id, expires_at: .ends}
";

#[tokio::test]
async fn refused_scope_is_gone_while_others_succeed() {
    let allowed = Arc::new(Mutex::new(true));
    let is_allowed = Arc::clone(&allowed);
    let listed = Arc::new(Mutex::new(r#"["gone", "live"]"#));
    let keys = Arc::clone(&listed);
    let (origin, requests) = serve(move |request| match request.split(' ').nth(1).unwrap() {
        "/keys" => (200, (*keys.lock()).to_owned()),
        "/keys/live" if *is_allowed.lock() => (200, r#"{"id": "live", "ends": "2029-11-23T12:00:00Z"}"#.into()),
        _ => (403, r#"{"message": "permission denied"}"#.into()),
    })
    .await;
    let source = source(LOOKUPS, &origin, Changing::new("c"));
    let first = collect(&*source, noon()).await;
    assert_eq!((ids(&first), gaps(&first), requests.take().len()), (vec!["live"], vec![], 3));
    // Both are cached.
    let second = collect(&*source, noon() + TimeDelta::hours(1)).await;
    assert_eq!((ids(&second), gaps(&second)), (vec!["live"], vec![]));
    assert_eq!(requests.take(), ["GET /keys Bearer c"]);
    // A new one is refused while the other one is cached: that one is requested again, as proof.
    *listed.lock() = r#"["gone", "live", "gone-2"]"#;
    let third = collect(&*source, noon() + TimeDelta::hours(2)).await;
    assert_eq!((ids(&third), gaps(&third)), (vec!["live"], vec![]));
    assert_eq!(requests.take(), ["GET /keys Bearer c", "GET /keys/gone-2 Bearer c", "GET /keys/live Bearer c"]);
    // The permission is lost: now a refusal proves nothing.
    *allowed.lock() = false;
    *listed.lock() = r#"["gone", "live", "gone-2", "new"]"#;
    let fourth = collect(&*source, noon() + TimeDelta::hours(3)).await;
    assert_eq!(gaps(&fourth), ["/keys/new: forbidden"]);
    let later = collect(&*source, noon() + TimeDelta::hours(30)).await;
    assert_eq!((ids(&later), gaps(&later).len()), (vec![], 4));
}

#[tokio::test]
async fn definition_names_further_statuses_that_are_retried() {
    let (origin, _) = serve(|_| (412, String::new())).await;
    let definition = |first: &str, second: &str| {
        format!(
            "{first}\nauth: bearer\nlistings:\n  - {{name: key, kind: key, get: /keys, {second}, rows: ., \
             token: {{id: .id, expires_at: .ends}}}}\n"
        )
    };
    for (first, second, reason) in [
        ("headers: {}", "query: {}", "internal"),
        ("retry: 412", "query: {}", "server_error"),
        ("retry: [409, 412]", "query: {}", "server_error"),
        ("retry: 412", "retry: []", "internal"),
        ("headers: {}", "retry: [412]", "server_error"),
    ] {
        let source = source(&definition(first, second), &origin, Changing::new("c"));
        assert_eq!(gaps(&collect(&*source, noon()).await), [format!("/keys: {reason}")], "{first} {second}");
    }
}
