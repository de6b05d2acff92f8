//! `digest`: what it reads from an exporter, what it mails to whom, and what it does when something fails. The mail server is a real
//! one; the exporter is a stub with fixed times, and once the demo.

mod browser;
mod delivery;
mod examples;
mod exporter;
mod hostile;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

const NOW: &str = "2026-11-23T08:00:00Z";

/// The API of an exporter, with fixed times.
#[derive(Clone, Default)]
struct Api {
    tokens: Arc<Mutex<Vec<Value>>>,
    sources: Arc<Mutex<Vec<Value>>>,
    /// The header Authorization that it requires.
    authorization: Option<String>,
    /// The number of requests whose list differs from the one before.
    changes: Arc<Mutex<usize>>,
    requests: Arc<Mutex<Vec<String>>>,
}

#[derive(Deserialize)]
struct Window {
    offset: usize,
    limit: usize,
}

impl Api {
    fn new(tokens: Vec<Value>, sources: Vec<Value>) -> Self {
        Self { tokens: Arc::new(Mutex::new(tokens)), sources: Arc::new(Mutex::new(sources)), ..Self::default() }
    }

    /// Starts it; returns its URL.
    async fn start(&self) -> String {
        let router = Router::new()
            .route("/api/v1/tokens", get(|state, headers, uri, query| list("tokens", state, headers, uri, query)))
            .route("/api/v1/sources", get(|state, headers, uri, query| list("sources", state, headers, uri, query)))
            .with_state(self.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        url
    }
}

async fn list(
    name: &'static str,
    State(api): State<Api>,
    headers: HeaderMap,
    uri: axum::http::Uri,
    Query(window): Query<Window>,
) -> Response {
    api.requests.lock().unwrap().push(uri.to_string());
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    if api.authorization.is_some() && header("authorization") != api.authorization {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let mut changes = api.changes.lock().unwrap();
    let tag = format!("W/\"{}\"", *changes);
    *changes = changes.saturating_sub(1);
    if header("if-none-match").as_ref() == Some(&tag) {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    let rows = if name == "tokens" { &api.tokens } else { &api.sources }.lock().unwrap().clone();
    let part: Vec<_> = rows.iter().skip(window.offset).take(window.limit).collect();
    let body = json!({"now": NOW, "total": rows.len(), "offset": window.offset, "limit": window.limit, name: part});
    ([("etag", tag)], Json(body)).into_response()
}

/// A due token of Jane's, with changes.
fn token(id: &str, changes: Value) -> Value {
    let mut token = json!({
        "source": "gitlab", "provider": "gitlab", "listing": "personal", "id": id, "kind": "personal-access-token", "name": id,
        "owner": {"id": "12", "name": "Jane Doe", "email": "jane@example.com"}, "state": "active", "expiry": "at",
        "expires_at": "2026-11-27T08:00:00Z", "band": "critical", "findings": [], "created_at": null, "last_used": null,
        "scopes": [], "labels": {"team": "platform"}, "manage_url": null, "warning_at": "2026-11-01T08:00:00Z",
        "critical_at": "2026-11-22T08:00:00Z", "locations": [], "renewal": null,
    });
    for (key, value) in changes.as_object().unwrap() {
        token[key] = value.clone();
    }
    token
}

fn owned_by(id: &str, address: &str) -> Value {
    token(id, json!({"owner": {"id": null, "name": null, "email": address}}))
}

fn source(name: &str, up: bool) -> Value {
    json!({
        "source": name, "provider": "gitlab", "up": up, "last_attempt": NOW, "last_success": "2026-11-20T08:00:00Z",
        "last_duration_seconds": 1.5, "interval_seconds": 3600, "tokens": {}, "failed_scopes": [], "credential": null,
        "refused_at": null, "dropped": 0, "filtered": 0, "unlisted_credentials": [],
    })
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter"));
    command.arg("digest").args(args).env_remove("HTTP_PROXY").env_remove("http_proxy");
    command
}

/// Runs it while servers of this process respond: exit code, standard output and standard error.
async fn digest(args: &[&str]) -> (i32, String, String) {
    let mut command = command(args);
    let output: Output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn write(dir: &Path, name: &str, content: &str) -> String {
    let path = dir.join(name);
    std::fs::write(&path, content).unwrap();
    path.display().to_string()
}

/// Compares with a golden file; `UPDATE_GOLDEN=1` writes it.
fn assert_golden(name: &str, text: &str) {
    let path: PathBuf = root().join("tests/golden/digest").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, golden, "{name} is out of date; update it with UPDATE_GOLDEN=1");
}

/// Tokens of each urgency, with every fact.
fn sample() -> Vec<Value> {
    let renewal = json!({
        "steps": ["The owner signs in to GitLab.", "Preferences > Access tokens > Rotate.", "Replace the old value wherever it is used."],
        "docs": "https://docs.example.com/rotate",
    });
    let places = json!([
        {"kind": "kubernetes_secret", "place": "Secret prod/ci/renovate", "last_seen": null},
        {"kind": "file", "place": "/etc/renovate/token", "last_seen": NOW},
    ]);
    vec![
        token(
            "renovate",
            json!({"last_used": "2026-11-22T08:00:00Z", "locations": places, "renewal": renewal,
                   "manage_url": "https://gitlab.example.com/-/user_settings/personal_access_tokens"}),
        ),
        token("backup", json!({"band": "expired", "expires_at": "2026-11-20T08:00:00Z", "last_used": "never"})),
        token(
            "deploy",
            json!({"band": "warning", "expires_at": "2026-12-12T08:00:00Z", "expiry": "policy", "findings": ["owner_inactive"]}),
        ),
        token(
            "mirror",
            json!({"band": null, "expires_at": "2027-01-01T08:00:00Z", "warning_at": "2026-11-28T08:00:00Z"}),
        ),
        token("license", json!({"owner": null, "labels": {}})),
    ]
}

fn base<'a>(url: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["--exporter.url", url, "--mail.allow-domain=example.com"], more].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_of_an_owner_is_golden_in_both_forms() {
    let url = Api::new(sample(), vec![source("gitlab", true), source("vault", false)]).start().await;
    let link = "--web.external-url=https://tokens.example.com/";
    let (code, text, problems) = digest(&base(&url, &["--dry-run", link, "--mail.fallback=ops@example.com"])).await;
    assert_eq!(code, 3, "a source is incomplete: {problems}");
    assert!(
        problems.contains("source vault: its last collection was incomplete (last complete 3 days ago)"),
        "{problems}"
    );
    assert!(
        problems.contains("gitlab/license: its owner has no address: in the mail to ops@example.com"),
        "{problems}"
    );
    assert_golden("owners.txt", &text);
    let (_, html, _) =
        digest(&base(&url, &["--dry-run", link, "--format=html", "--mail.fallback=ops@example.com"])).await;
    assert_golden("owners.html", &html);
    let (_, text, _) = digest(&base(
        &url,
        &["--mail.by=team", "--mail.team=platform=platform@example.com", "--mail.fallback=ops@example.com"],
    ))
    .await;
    assert_golden("teams.txt", &text);
}

#[tokio::test(flavor = "multi_thread")]
async fn token_without_a_recipient_is_named_if_there_is_no_fallback() {
    let tokens = vec![owned_by("outside", "jane@evil.example"), token("nobody", json!({"owner": null}))];
    let url = Api::new(tokens, vec![source("gitlab", true)]).start().await;
    let (code, text, problems) = digest(&base(&url, &[])).await;
    assert_eq!((code, text.as_str()), (3, ""), "{problems}");
    let remedy = "in no mail; set --mail.fallback";
    assert!(problems.contains(&format!("gitlab/nobody: its owner has no address: {remedy}")), "{problems}");
    assert!(
        problems.contains(&format!("gitlab/outside: the domain of jane@evil.example is not allowed: {remedy}")),
        "{problems}"
    );
    assert!(!problems.contains("no token is due"), "{problems}");
}

#[tokio::test(flavor = "multi_thread")]
async fn incomplete_source_is_never_read_as_nothing_expires() {
    let url = Api::new(Vec::new(), vec![source("gitlab", false)]).start().await;
    let (code, text, problems) = digest(&base(&url, &[])).await;
    assert_eq!((code, text.as_str()), (3, ""));
    assert!(problems.contains("source gitlab: its last collection was incomplete"), "{problems}");
    assert!(!problems.contains("no token is due"), "{problems}");
    let (code, text, _) = digest(&base(&url, &["--mail.fallback=ops@example.com"])).await;
    assert_eq!(code, 3);
    assert!(text.starts_with("To: ops@example.com\nSubject: Tokens: list may be incomplete\n"), "{text}");
    assert!(text.contains("a token that is not here may still expire"), "{text}");
    let url = Api::new(Vec::new(), vec![source("gitlab", true)]).start().await;
    let (code, text, problems) = digest(&base(&url, &["--mail.fallback=ops@example.com"])).await;
    assert_eq!((code, text.as_str(), problems.trim()), (0, "", "no mails: no token is due this week"));
}

#[test]
fn invalid_flags_are_errors_before_anything_is_read() {
    for (args, problem) in [
        (&["--mail.allow-domain=example"][..], "--mail.allow-domain: expected a domain such as example.com"),
        (&[], "--mail.allow-domain <DOMAIN>"),
        (&["--mail.allow-domain=example.com", "--smtp.server=localhost"], "--state.file <FILE>"),
        (
            &["--mail.allow-domain=example.com", "--mail.fallback=ops@evil.example"],
            "--mail.fallback: the domain of `ops@evil.example` is not allowed; add it with --mail.allow-domain",
        ),
        (
            &["--mail.allow-domain=example.com", "--exporter.url=ftp://localhost/"],
            "--exporter.url: expected a URL such as `https://example.com/tokens/`",
        ),
        (
            &["--mail.allow-domain=example.com", "--exporter.username=a", "--exporter.password-file=/does/not/exist"],
            "--exporter.password-file: cannot read /does/not/exist",
        ),
        (
            &["--mail.allow-domain=example.com", "--band=critcal"],
            "--band: unknown value `critcal`; did you mean `critical`?",
        ),
    ] {
        let output = command(args).output().unwrap();
        let problems = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {problems}");
        assert!(problems.contains(problem), "{args:?}: {problems}");
    }
}
