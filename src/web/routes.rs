//! Which path is answered by whom, and what every answer has in common.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY};
use axum::http::header::{X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use super::{Surface, calendar, lifecycle, metrics, path, status, tokens};

/// The paths and who answers them.
pub fn routes(surface: Arc<Surface>) -> Router {
    Router::new()
        .route(path::STATUS, get(status::answer))
        .route(surface.telemetry_path.as_str(), get(metrics::answer))
        .route(path::TOKENS, get(tokens::answer))
        .route(path::CALENDAR, get(calendar::answer))
        .route(path::HEALTHY, get(lifecycle::healthy))
        .route(path::READY, get(lifecycle::ready))
        .route(path::RELOAD, post(lifecycle::reload).put(lifecycle::reload))
        .fallback(unknown_path)
        .method_not_allowed_fallback(unknown_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&surface), around))
        .with_state(surface)
}

/// Around every answer: whether it may be given, the headers, the count.
async fn around(State(surface): State<Arc<Surface>>, request: Request, next: Next) -> Response {
    let label = surface.telemetry_path.label(request.uri().path()).to_owned();
    let refusal = match &surface.guard {
        Some(guard) => guard.refusal(request.headers()).await,
        None => None,
    };
    let mut response = match refusal {
        Some(refusal) => refusal,
        None => next.run(request).await,
    };
    add_headers(&surface, &mut response);
    surface.program.answered(&label, response.status().as_u16());
    response
}

fn add_headers(surface: &Surface, response: &mut Response) {
    // Tokens' names and owners are nobody else's business: no cache, no frame, no referrer.
    const ALWAYS: [(HeaderName, &str); 4] = [
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "deny"),
    ];
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Some(guard) = &surface.guard {
        for (name, value) in guard.headers() {
            headers.insert(name, value);
        }
    }
}

async fn unknown_path(State(surface): State<Arc<Surface>>, uri: Uri) -> Response {
    let telemetry_path = &surface.telemetry_path;
    let [tokens, calendar] = [path::TOKENS, path::CALENDAR];
    text(
        StatusCode::NOT_FOUND,
        format!("{}: nothing is here; there are `/`, `{telemetry_path}`, `{tokens}` and `{calendar}`\n", uri.path()),
    )
}

async fn unknown_method(method: Method, uri: Uri) -> Response {
    text(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("{}: {method} is not answered here; see the header Allow\n", uri.path()),
    )
}

/// A plain answer of one sentence.
pub(super) fn text(status: StatusCode, sentence: impl Into<String>) -> Response {
    (status, [(CONTENT_TYPE, "text/plain; charset=utf-8")], sentence.into()).into_response()
}

/// The answer where this program is at fault. The cause goes to the log.
pub(super) fn fault(what: &str, cause: &dyn std::fmt::Display) -> Response {
    tracing::error!(error = %cause, "{what}");
    text(StatusCode::INTERNAL_SERVER_ERROR, format!("{what}; the log says more\n"))
}
