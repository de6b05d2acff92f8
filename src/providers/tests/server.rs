//! The provider: it responds as the scenario says, and reports everything else.

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

/// The origin of the server in scenarios.
pub(super) const VENDOR: &str = "https://vendor.test";

/// The session token of a login that the scenario does not contain.
const LOGIN: &str = "LOGIN-DO-NOT-LEAK";

pub(super) struct Server {
    pub(super) origin: String,
    state: Arc<Mutex<Script>>,
}

struct Script {
    origin: String,
    /// The exchanges that did not happen yet.
    open: Vec<Exchange>,
    /// The credentials for the source to identify.
    found: Vec<String>,
    errors: Vec<String>,
}

impl Server {
    pub(super) async fn start(scenario: &Scenario) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let (open, found) = (scenario.exchanges.clone(), scenario.found.clone());
        let script = Script { origin: origin.clone(), open, found, errors: Vec::new() };
        let state = Arc::new(Mutex::new(script));
        let router = Router::new().fallback(respond).with_state(state.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { origin, state }
    }

    /// Unexpected, missing and different requests.
    pub(super) fn errors(&self) -> Vec<String> {
        let script = self.state.lock().unwrap();
        let missing =
            script.open.iter().map(|exchange| format!("missing request: {} {}", exchange.method, exchange.target));
        script.errors.iter().cloned().chain(missing).collect()
    }
}

async fn respond(State(state): State<Arc<Mutex<Script>>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    let target = head.uri.path_and_query().unwrap().to_string();
    let mut script = state.lock().unwrap();
    let request = format!("{} {target} {body}", head.method);
    let has =
        |exchange: &Exchange| exchange.headers.iter().all(|(name, value)| is_sent(value, sent(&head.headers, name)));
    let is_requested = |exchange: &Exchange| {
        exchange.method == head.method.as_str()
            && is_same_target(&exchange.target, &target)
            && exchange.sends.as_ref().is_none_or(|sends| is_same_body(sends, &body, &head.headers))
    };
    // Of several the one with the same headers.
    let exact = script.open.iter().position(|exchange| is_requested(exchange) && has(exchange));
    let found = exact.or_else(|| script.open.iter().position(is_requested));
    let Some(found) = found else {
        return login_response(head.method.as_str(), &target, &body, &head.headers).unwrap_or_else(|| {
            script.errors.push(format!("unexpected request: {request}"));
            Response::builder().status(418).body(Body::empty()).unwrap()
        });
    };
    let exchange = if script.open[found].again { script.open[found].clone() } else { script.open.remove(found) };
    for (name, value) in &exchange.headers {
        let sent = sent(&head.headers, name);
        if !is_sent(value, sent) {
            script.errors.push(format!("{request}: the header {name} is {sent:?}, not {value:?}"));
        }
    }
    // A found credential is sent without that of the source.
    let is_sent_with_found = exchange.headers.iter().any(|(_, value)| script.found.contains(value));
    if is_sent_with_found == has_credential(&head.headers, &body) && !exchange.is_anonymous {
        script.errors.push(format!("{request}: without the credential"));
    }
    let mut response = Response::builder().status(exchange.status);
    for (name, value) in &exchange.response_headers {
        response = response.header(name, value.replace(VENDOR, &script.origin));
    }
    response.body(Body::from(exchange.body.replace(VENDOR, &script.origin))).unwrap()
}

fn sent<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|sent| sent.to_str().ok())
}

/// Whether a header has the expected value. `*` at the end of it stands for a signature, which depends on the server's port.
fn is_sent(expected: &str, sent: Option<&str>) -> bool {
    match expected.strip_suffix('*') {
        Some(start) => sent.is_some_and(|sent| sent.len() > start.len() && sent.starts_with(start)),
        None => sent == Some(expected),
    }
}

/// The response to a login that the scenario does not contain.
fn login_response(method: &str, target: &str, body: &str, headers: &HeaderMap) -> Option<Response> {
    // OAuth 2.0 sends the client's id and secret in the body or in a header, or a signed assertion in their place.
    let is_grant = body.contains("grant_type=") && (has_credential(headers, body) || body.contains("assertion="));
    let body = match method {
        "GET" if target.ends_with("/installation") => json!({"id": 1}),
        "POST" if target.ends_with("/access_tokens") => json!({"token": LOGIN}),
        "POST" if is_grant || body.contains("CREDENTIAL") => json!({
            "access_token": LOGIN, "token": LOGIN, "expires_in": 3600,
            "auth": {"client_token": LOGIN, "lease_duration": 3600},
        }),
        _ => return None,
    };
    // OpenStack returns the token in a header.
    let response = Response::builder().header("Content-Type", "application/json").header("X-Subject-Token", LOGIN);
    Some(response.body(Body::from(body.to_string())).unwrap())
}

/// Whether a request has the credential or a session token.
fn has_credential(headers: &HeaderMap, body: &str) -> bool {
    let values = headers.values().filter_map(|value| value.to_str().ok());
    let plain = values.map(|value| {
        let basic = value.strip_prefix("Basic ").and_then(|pair| BASE64_STANDARD.decode(pair).ok());
        basic.map_or_else(|| value.to_owned(), |pair| String::from_utf8_lossy(&pair).into_owned())
    });
    let is_secret = |text: &str| text.contains("CREDENTIAL") || text.contains("DO-NOT-LEAK");
    plain.chain([body.to_owned()]).any(|text| is_secret(&text))
}

/// Compares paths by segment, and queries without order.
fn is_same_target(expected: &str, found: &str) -> bool {
    let parts = |target: &str| {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let segments: Vec<String> = path.split('/').map(decoded).collect();
        let mut pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        pairs.sort();
        (segments, pairs)
    };
    parts(expected) == parts(found)
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
