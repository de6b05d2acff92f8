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
use crate::schema::diagnostic::{Diagnostics, SourceText};
use crate::schema::yaml::{Key, Kind, Node, parse};

mod credentials;
mod extra_headers;
mod paging;
mod scopes;
mod signing;
mod stated_reason;

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
            let authorization = ["authorization", "x-ovh-signature"].iter().find_map(|name| head.headers.get(*name));
            let authorization = authorization.and_then(|value| value.to_str().ok()).unwrap_or_default();
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
    connect_source(definition, origin, credential, (passwords, pages), (0, Arc::new(noon)))
}

fn connect_source(
    definition: &str,
    origin: &str,
    credential: Changing,
    around: (Arc<SharedPasswords>, Arc<PageLimit>),
    timing: (u32, Clock),
) -> Box<dyn Source> {
    connect_spec(definition, origin, credential, around, timing, |_| {}).unwrap_or_else(|errors| panic!("{errors}"))
}

/// The same, after a change of the configuration.
fn connect_spec(
    definition: &str,
    origin: &str,
    credential: Changing,
    (passwords, pages): (Arc<SharedPasswords>, Arc<PageLimit>),
    (retries, clock): (u32, Clock),
    change: impl FnOnce(&mut SourceSpec),
) -> Result<Box<dyn Source>, Diagnostics> {
    let head = "format: 1\nprovider: test\ntitle: Test\ndocs: https://example.com\nexpiry: a timestamp\n\
                permission: everything\nsettings: {url: {type: url, help: where it is}}\n";
    let definition = SourceText::new("test.yaml", format!("{head}{definition}"));
    let provider = compile(&definition, &[]).unwrap_or_else(|errors| panic!("{errors}"));
    let text = SourceText::new("config.yaml", format!("url: {origin}"));
    let node: Node = parse(&text).unwrap();
    let Kind::Map(settings) = node.kind else { panic!("a map") };
    let settings: Vec<(Key, Node)> = settings;
    let mut spec = SourceSpec {
        text,
        at: node.at,
        name: "test".into(),
        auth: None,
        listings: None,
        settings,
        credentials: Arc::new(credential),
        credential_at: None,
        kubeconfig: None,
        has_client_certificate: false,
        headers: ExtraHeaders::default(),
        header_names: Vec::new(),
        identify: None,
    };
    change(&mut spec);
    let options = Options {
        connect_timeout: Duration::from_secs(5),
        request_timeout: Duration::from_secs(5),
        body_limit: 1 << 20,
        retries,
        max_retry_delay: Duration::ZERO,
        concurrency: 2,
        rate: None,
        certificates: Arc::new(TlsMaterial::default()),
        proxy: None,
    };
    catalogue::connect(Arc::new(provider), spec, options, clock, passwords, pages)
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

const LOGIN: &str = "auth:
  login: {post: /login, form: {secret: '{credential}'}, token: .token, lifetime: .seconds}
  bearer: '{login}'
listings:
  - {name: a, kind: key, get: /a, rows: ., token: {id: .id, expires_at: .ends}}
  - {name: b, kind: key, get: /b, rows: ., token: {id: .id, expires_at: .ends}}
";

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
    let names = |outcome: &Outcome| -> Vec<(String, Option<Box<str>>)> {
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
