//! `/-/healthy`, `/-/ready` and `/-/reload`, as Prometheus's own programs have them.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use tokio::sync::oneshot;

use super::Surface;
use super::routes::text;

/// A request for a reload, and where its result goes: what is wrong, in words, where it was refused.
pub type Reload = oneshot::Sender<Result<(), String>>;

/// The process lives and answers. No provider can make it unhealthy: a restart would not help.
pub(super) async fn healthy() -> Response {
    text(StatusCode::OK, "healthy\n")
}

/// There is something to be said of the tokens.
pub(super) async fn ready(State(surface): State<Arc<Surface>>) -> Response {
    if surface.stopping.load(Ordering::Acquire) {
        text(StatusCode::SERVICE_UNAVAILABLE, "not ready: the program is stopping\n")
    } else if surface.ready.load(Ordering::Acquire) {
        text(StatusCode::OK, "ready\n")
    } else {
        text(StatusCode::SERVICE_UNAVAILABLE, "not ready: no collection has ended yet, and no inventory was restored\n")
    }
}

/// The headers by which a browser tells where a request comes from. It always sends one of them with a POST; a page cannot
/// leave them out: <https://fetch.spec.whatwg.org/#origin-header>, <https://www.w3.org/TR/fetch-metadata/>.
const FROM_A_PAGE: [&str; 2] = ["origin", "sec-fetch-site"];

/// Reads the configuration again.
pub(super) async fn reload(State(surface): State<Arc<Surface>>, headers: HeaderMap) -> Response {
    // No page of this program asks for a reload, so one that does is foreign; also where its name leads to this address.
    if FROM_A_PAGE.into_iter().any(|name| headers.contains_key(name)) {
        return text(StatusCode::FORBIDDEN, "not reloaded: no web page may ask for it; use curl, or send a SIGHUP\n");
    }
    let Some(reload) = &surface.reload else {
        return text(
            StatusCode::FORBIDDEN,
            "reloading over HTTP is off: start with --web.enable-lifecycle, or send the process a SIGHUP\n",
        );
    };
    let (tell, told) = oneshot::channel();
    if reload.send(tell).await.is_err() {
        return text(StatusCode::SERVICE_UNAVAILABLE, "not reloaded: the program is stopping\n");
    }
    match told.await {
        Ok(Ok(())) => text(StatusCode::OK, "reloaded\n"),
        Ok(Err(why)) => text(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("not reloaded, the configuration of before still runs:\n{why}\n"),
        ),
        Err(_) => text(StatusCode::SERVICE_UNAVAILABLE, "not reloaded: the program is stopping\n"),
    }
}
