//! The provider's part: it answers what the scenario tells, and notes everything else.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderMap;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::scenario::{Exchange, Scenario};

/// How scenarios write the server's own origin.
pub(crate) const VENDOR: &str = "https://vendor.test";

/// What a login is answered with where the scenario does not tell.
const LOGIN: &str = "LOGIN-DO-NOT-LEAK";

pub(crate) struct Server {
    pub(crate) origin: String,
    state: Arc<Mutex<Told>>,
}

struct Told {
    origin: String,
    /// Those that were not asked yet.
    open: Vec<Exchange>,
    faults: Vec<String>,
}

impl Server {
    pub(crate) async fn start(scenario: &Scenario) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let told = Told { origin: origin.clone(), open: scenario.exchanges.clone(), faults: Vec::new() };
        let state = Arc::new(Mutex::new(told));
        let router = Router::new().fallback(answer).with_state(state.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { origin, state }
    }

    /// What was asked and not told, told and not asked, or asked otherwise than told.
    pub(crate) fn faults(&self) -> Vec<String> {
        let told = self.state.lock().unwrap();
        let unasked =
            told.open.iter().map(|exchange| format!("never asked for: {} {}", exchange.method, exchange.target));
        told.faults.iter().cloned().chain(unasked).collect()
    }
}

async fn answer(State(state): State<Arc<Mutex<Told>>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    let target = head.uri.path_and_query().unwrap().to_string();
    let mut told = state.lock().unwrap();
    let asked = format!("{} {target} {body}", head.method);
    let found = told.open.iter().position(|exchange| {
        exchange.method == head.method.as_str()
            && is_same_target(&exchange.target, &target)
            && exchange.sends.as_ref().is_none_or(|sends| is_same_body(sends, &body, &head.headers))
    });
    let Some(found) = found else {
        return implied(head.method.as_str(), &target, &body).unwrap_or_else(|| {
            told.faults.push(format!("asked for, and not told: {asked}"));
            Response::builder().status(418).body(Body::empty()).unwrap()
        });
    };
    let exchange = told.open.remove(found);
    for (name, value) in &exchange.headers {
        let sent = head.headers.get(name).and_then(|sent| sent.to_str().ok());
        if sent != Some(value.as_str()) {
            told.faults.push(format!("{asked}: the header {name} is {sent:?}, not {value:?}"));
        }
    }
    if !has_credential(&head.headers, &body) {
        told.faults.push(format!("{asked}: without the credential"));
    }
    let mut response = Response::builder().status(exchange.status);
    for (name, value) in &exchange.answer_headers {
        response = response.header(name, value.replace(VENDOR, &told.origin));
    }
    response.body(Body::from(exchange.body.replace(VENDOR, &told.origin))).unwrap()
}

/// The answers to logins that a scenario need not tell.
fn implied(method: &str, target: &str, body: &str) -> Option<Response> {
    let body = match method {
        "GET" if target.ends_with("/installation") => json!({"id": 1}),
        "POST" if target.ends_with("/access_tokens") => json!({"token": LOGIN}),
        "POST" if body.contains("CREDENTIAL") => json!({
            "access_token": LOGIN, "token": LOGIN, "expires_in": 3600,
            "auth": {"client_token": LOGIN, "lease_duration": 3600},
        }),
        _ => return None,
    };
    Some(Response::builder().header("Content-Type", "application/json").body(Body::from(body.to_string())).unwrap())
}

/// Whether the credential, or what a login gave for it, is on a request.
fn has_credential(headers: &HeaderMap, body: &str) -> bool {
    let values = headers.values().filter_map(|value| value.to_str().ok());
    let plain = values.map(|value| {
        let basic = value.strip_prefix("Basic ").and_then(|pair| BASE64_STANDARD.decode(pair).ok());
        basic.map_or_else(|| value.to_owned(), |pair| String::from_utf8_lossy(&pair).into_owned())
    });
    let is_secret = |text: &str| text.contains("CREDENTIAL") || text.contains("DO-NOT-LEAK");
    plain.chain([body.to_owned()]).any(|text| is_secret(&text))
}

/// Whether two targets are the same: the path by its segments, the query as a set.
fn is_same_target(told: &str, asked: &str) -> bool {
    let parts = |target: &str| {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let segments: Vec<String> = path.split('/').map(decoded).collect();
        let mut pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        pairs.sort();
        (segments, pairs)
    };
    parts(told) == parts(asked)
}

fn decoded(segment: &str) -> String {
    let escaped = segment.replace('+', "%2B");
    form_urlencoded::parse(escaped.as_bytes()).map(|(name, _)| name.into_owned()).collect()
}

fn is_same_body(sends: &Value, body: &str, headers: &HeaderMap) -> bool {
    let is_form = headers.get("content-type").is_some_and(|kind| kind == "application/x-www-form-urlencoded");
    if is_form {
        let form: serde_json::Map<String, Value> =
            form_urlencoded::parse(body.as_bytes()).map(|(name, value)| (name.into(), Value::from(&*value))).collect();
        return *sends == Value::Object(form);
    }
    serde_json::from_str::<Value>(body).is_ok_and(|body| body == *sends)
}
