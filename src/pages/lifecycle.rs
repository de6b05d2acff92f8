//! `/-/healthy`, `/-/ready` and `/-/reload`, as in Prometheus's own programs.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::{Request, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tokio::sync::oneshot;

use super::state::AppState;

/// The process responds. No provider can make it unhealthy: a restart would not help.
pub(super) async fn healthy() -> &'static str {
    "healthy\n"
}

/// Every source was collected, or restored, once.
pub(super) async fn ready(State(state): State<Arc<AppState>>) -> (StatusCode, &'static str) {
    if state.stopping.load(Ordering::Acquire) {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready: shutting down\n")
    } else if state.starting.load(Ordering::Acquire) {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready: restoring the inventory\n")
    } else if state.ready.load(Ordering::Acquire) {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready: some sources have not been collected yet\n")
    }
}

/// Rejects requests until the inventory is restored.
pub(super) async fn reject_while_starting(
    State(state): State<Arc<AppState>>,
    request: Request,
    next: Next,
) -> Response {
    if state.starting.load(Ordering::Acquire) {
        let sentence = "restoring the inventory; retry in a second\n";
        return (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "1")], sentence).into_response();
    }
    next.run(request).await
}

/// The headers by which a browser identifies the page that sends a request. It always sends one of them with a POST; a page cannot
/// omit them: <https://fetch.spec.whatwg.org/#origin-header>, <https://www.w3.org/TR/fetch-metadata/>.
const BROWSER_HEADERS: [&str; 2] = ["origin", "sec-fetch-site"];

/// Reloads the configuration.
pub(super) async fn reload(State(state): State<Arc<AppState>>, headers: HeaderMap) -> (StatusCode, String) {
    // No page of this program requests a reload, so the page is foreign, even if its host name resolves to this address.
    if BROWSER_HEADERS.into_iter().any(|name| headers.contains_key(name)) {
        let sentence = "reload rejected: not allowed from a web page; use curl or SIGHUP\n";
        return (StatusCode::FORBIDDEN, sentence.to_owned());
    }
    let Some(reload) = &state.reload else {
        let sentence = "reload over HTTP is disabled; start with --web.enable-lifecycle or send SIGHUP\n";
        return (StatusCode::FORBIDDEN, sentence.to_owned());
    };
    let (sender, result) = oneshot::channel();
    // A receiver that is gone drops the sender, and so ends the wait.
    drop(reload.send(sender).await);
    match result.await {
        Ok(Ok(())) => (StatusCode::OK, "reloaded\n".to_owned()),
        Ok(Err(why)) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("reload failed; the previous configuration stays active:\n{why}\n"),
        ),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "reload rejected: shutting down\n".to_owned()),
    }
}
