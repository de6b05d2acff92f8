//! What the exporter serves over HTTP: metrics, pages for people, API, calendar and lifecycle. It knows no sockets.

mod api;
mod body;
mod calendar;
pub mod calendar_key;
pub(crate) mod csv;
pub(crate) mod display;
pub mod filter;
mod findings;
mod html;
pub(crate) mod humanize;
pub(crate) mod json;
mod lifecycle;
mod metrics;
pub mod path;
pub mod render_limit;
mod security_headers;
mod sources;
mod state;
pub mod tags;
pub(crate) mod tokens;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE, HeaderName};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};

use path::RoutePrefix;

pub use security_headers::security_headers;
pub use state::{AppState, Reload};

/// Every path, for the main listeners: with and without the prefix, as a proxy may remove it.
pub fn router(state: Arc<AppState>) -> Router {
    let mut router = routes(&state, &RoutePrefix::default());
    let prefix = &state.route_prefix;
    if !prefix.is_empty() {
        let relative = prefix.with_slash();
        let redirect = async move || Redirect::temporary(&relative);
        router = router.merge(routes(&state, prefix)).route(&prefix.to_string(), get(redirect));
    }
    router.fallback(unknown_path).method_not_allowed_fallback(unknown_method).with_state(state)
}

fn routes(state: &Arc<AppState>, prefix: &RoutePrefix) -> Router<Arc<AppState>> {
    let until_started = from_fn_with_state(Arc::clone(state), lifecycle::reject_while_starting);
    Router::new()
        .merge(html::routes(prefix))
        .route(&prefix.with(&state.telemetry_path.to_string()), get(metrics::get))
        .route(&prefix.with(path::TOKENS), get(tokens::get))
        .route(&prefix.with(path::SOURCES), get(sources::get))
        .route(&prefix.with(path::FINDINGS), get(findings::get))
        .route(&prefix.with(path::OPENAPI), get(openapi))
        .route(&prefix.with(path::CALENDAR), get(calendar::get))
        .route(&prefix.with(path::RELOAD), post(lifecycle::reload).put(lifecycle::reload))
        .route_layer(until_started)
        .merge(probes(prefix))
}

/// `/-/healthy` and `/-/ready` only, for the listener without access control.
pub fn probe_router(state: Arc<AppState>) -> Router {
    probes(&RoutePrefix::default())
        .fallback(unknown_probe)
        .method_not_allowed_fallback(unknown_method)
        .with_state(state)
}

fn probes(prefix: &RoutePrefix) -> Router<Arc<AppState>> {
    let (healthy, ready) = (prefix.with(path::HEALTHY), prefix.with(path::READY));
    Router::new().route(&healthy, get(lifecycle::healthy)).route(&ready, get(lifecycle::ready))
}

/// A page for a browser, else a line of text.
async fn unknown_path(State(state): State<Arc<AppState>>, headers: HeaderMap, uri: Uri) -> Result<Response, Response> {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if accept.contains("text/html") {
        return html::unknown_path(State(state), uri).await;
    }
    let (telemetry_path, tokens, calendar) = (&state.telemetry_path, path::TOKENS, path::CALENDAR);
    let available = format!("available: `/`, `{telemetry_path}`, `{tokens}` and `{calendar}`");
    Ok((StatusCode::NOT_FOUND, format!("{}: not found; {available}\n", uri.path())).into_response())
}

async fn unknown_probe(uri: Uri) -> (StatusCode, String) {
    let available = format!("this listener serves only `{}` and `{}`", path::HEALTHY, path::READY);
    (StatusCode::NOT_FOUND, format!("{}: not found; {available}\n", uri.path()))
}

/// OPTIONS gets the header Allow only, which the router adds: no other origin has access.
async fn unknown_method(method: Method, uri: Uri) -> Response {
    if method == Method::OPTIONS {
        return StatusCode::NO_CONTENT.into_response();
    }
    let sentence = format!("{}: method {method} not allowed; see the Allow header\n", uri.path());
    (StatusCode::METHOD_NOT_ALLOWED, sentence).into_response()
}

/// The description of the API, OpenAPI 3.1.
async fn openapi() -> ([(HeaderName, &'static str); 1], &'static str) {
    ([(CONTENT_TYPE, "application/vnd.oai.openapi+json;version=3.1")], include_str!("openapi.json"))
}
