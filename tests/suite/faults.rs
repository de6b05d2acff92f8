//! A provider that misbehaves in every way: the tokens of before stay, the source is down, the right reason is counted,
//! and the credential goes nowhere else.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use futures_util::stream;
use serde::Deserialize;
use serde_json::json;
use tokio::runtime::Runtime;

use crate::equipment::{Server, exporter, metrics, samples, wait_for};

const CREDENTIAL: &str = "glpat-only-for-gitlab";
const SOON: Duration = Duration::from_secs(60);

/// How the provider misbehaves.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Healthy,
    /// The second page is refused.
    Half,
    /// A login page where the list should be.
    Html,
    /// The connection is cut in the middle of a body.
    Cut,
    /// The next page is this page.
    Loop,
    /// The next page is at another origin.
    Elsewhere,
    /// The list is at another origin.
    Moved,
}

/// A GitLab with 150 tokens on two pages, and another server that must never be asked.
struct Gitlab {
    shared: Shared,
    address: std::net::SocketAddr,
    runtime: Option<Runtime>,
}

#[derive(Clone)]
struct Shared {
    fault: Arc<Mutex<Fault>>,
    /// Requests, with their credentials, that reached the other origin.
    elsewhere: Arc<Mutex<Vec<String>>>,
    other: String,
}

#[derive(Deserialize)]
struct Page {
    page: Option<u32>,
}

impl Gitlab {
    fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let listen = || runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let (listener, other) = (listen(), listen());
        let address = listener.local_addr().unwrap();
        let shared = Shared {
            fault: Arc::new(Mutex::new(Fault::Healthy)),
            elsewhere: Arc::default(),
            other: format!("http://localhost:{}", other.local_addr().unwrap().port()),
        };
        let router = Router::new()
            .route("/api/v4/deploy_tokens", get(|| async { axum::Json(json!([])) }))
            .route("/api/v4/users", get(|| async { axum::Json(json!([{"id": 1, "username": "ada"}])) }))
            .route("/api/v4/personal_access_tokens/self", get(|| async { axum::Json(json!({"expires_at": "2099-01-01"})) }))
            .route("/api/v4/personal_access_tokens", get(tokens))
            .with_state(shared.clone());
        let trap = Router::new().fallback(stolen).with_state(shared.clone());
        runtime.spawn(async move { axum::serve(listener, router).await });
        runtime.spawn(async move { axum::serve(other, trap).await });
        Self { shared, address, runtime: Some(runtime) }
    }

    fn set(&self, fault: Fault) {
        *self.shared.fault.lock().unwrap() = fault;
    }

    /// Ends the process, as it were: the port refuses, and open connections are cut.
    fn stop(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

async fn stolen(State(shared): State<Shared>, headers: HeaderMap) -> &'static str {
    shared.elsewhere.lock().unwrap().push(format!("{headers:?}"));
    "[]"
}

async fn tokens(State(shared): State<Shared>, Query(page): Query<Page>, headers: HeaderMap) -> Response {
    assert_eq!(headers["private-token"], CREDENTIAL);
    let fault = *shared.fault.lock().unwrap();
    let number = page.page.unwrap_or(1);
    let base = format!("http://{}/api/v4/personal_access_tokens", headers["host"].to_str().unwrap());
    let rows: Vec<_> = (number * 100 - 99..=(number * 100).min(150))
        .map(|id| json!({"id": id, "name": format!("token-{id}"), "user_id": 1, "expires_at": "2099-12-31", "scopes": []}))
        .collect();
    let next = match fault {
        Fault::Loop => Some(format!("{base}?page={number}")),
        Fault::Elsewhere => Some(format!("{}/api/v4/personal_access_tokens?page=2", shared.other)),
        _ if number == 1 => Some(format!("{base}?page=2")),
        _ => None,
    };
    match fault {
        Fault::Half if number == 2 => return StatusCode::FORBIDDEN.into_response(),
        Fault::Html => return Html("<html><form action=/login></form></html>").into_response(),
        Fault::Moved => {
            let place = format!("{}/api/v4/personal_access_tokens", shared.other);
            return (StatusCode::FOUND, [(header::LOCATION, place)]).into_response();
        }
        Fault::Cut => {
            let half = Ok::<_, std::io::Error>(br#"[{"id": 1, "name": "tok"#.to_vec());
            let chunks = stream::iter([half, Err(std::io::Error::other("cut"))]);
            return ([(header::CONTENT_TYPE, "application/json")], Body::from_stream(chunks)).into_response();
        }
        _ => {}
    }
    let mut link = HeaderMap::new();
    if let Some(next) = next {
        link.insert(header::LINK, format!("<{next}>; rel=\"next\"").parse().unwrap());
    }
    (link, axum::Json(json!(rows))).into_response()
}

async fn up(exporter: &Server) -> Option<f64> {
    samples(&metrics(exporter).await, "token_source_up").first().map(|up| up.value)
}

async fn failures(exporter: &Server, reason: &str) -> f64 {
    let counts = samples(&metrics(exporter).await, "token_source_failures_total");
    counts.iter().find(|count| count.label("reason") == reason).expect("every reason is present").value
}

async fn listed(exporter: &Server) -> usize {
    samples(&metrics(exporter).await, "token_expiry_timestamp_seconds").len()
}

#[test]
fn a_provider_that_misbehaves_costs_no_token_and_gets_no_credential_elsewhere() {
    // Not an async test: the provider runs on a runtime of its own, which ends in the middle.
    let mut gitlab = Gitlab::start();
    Runtime::new().unwrap().block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let config = format!(
            "interval: 1s\nsources: [{{name: gitlab, provider: gitlab, url: 'http://{}', admin: true, listings: [instance], \
             credential: {{file: token}}}}]\n",
            gitlab.address
        );
        std::fs::write(dir.path().join("token"), CREDENTIAL).unwrap();
        let exporter = exporter(dir.path(), &config, &[]).await;
        wait_for("150 tokens", SOON, || async { (listed(&exporter).await == 150).then_some(()) }).await;
        assert_eq!(up(&exporter).await, Some(1.0));

        let faults = [
            (Fault::Half, "forbidden"),
            (Fault::Html, "decode"),
            (Fault::Cut, "connect"),
            (Fault::Loop, "paging"),
            (Fault::Elsewhere, "redirect"),
            (Fault::Moved, "redirect"),
        ];
        for (fault, reason) in faults {
            let before = failures(&exporter, reason).await;
            gitlab.set(fault);
            wait_for(&format!("{fault:?} to be noticed"), SOON, || async {
                (up(&exporter).await == Some(0.0)).then_some(())
            })
            .await;
            assert!(failures(&exporter, reason).await > before, "{fault:?} is counted under {reason}");
            assert_eq!(listed(&exporter).await, 150, "{fault:?} costs no token");
            gitlab.set(Fault::Healthy);
            wait_for(&format!("recovery from {fault:?}"), SOON, || async {
                (up(&exporter).await == Some(1.0)).then_some(())
            })
            .await;
        }

        let before = failures(&exporter, "connect").await;
        gitlab.stop();
        wait_for("the stop to be noticed", SOON, || async { (up(&exporter).await == Some(0.0)).then_some(()) }).await;
        assert!(failures(&exporter, "connect").await > before);
        assert_eq!(listed(&exporter).await, 150, "a provider that is down costs no token");

        let elsewhere = gitlab.shared.elsewhere.lock().unwrap().clone();
        assert!(elsewhere.is_empty(), "another origin was asked: {elsewhere:?}");
        assert!(!exporter.log().contains(CREDENTIAL), "the credential is in the log");
        assert!(!metrics(&exporter).await.contains(CREDENTIAL), "the credential is in a metric");
    });
}
