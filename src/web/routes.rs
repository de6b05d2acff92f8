//! Which path is answered by whom, and what every answer has in common.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, CONTENT_TYPE, HeaderValue};
use axum::http::{Method, StatusCode, Uri, Version};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http_body::Body as _;

use super::guard::Guard;
use super::limits::{HEAD_BYTES, HEAD_FIELDS};
use super::{Surface, calendar, lifecycle, metrics, path, policy, status, tokens};

/// The paths and who answers them.
pub fn routes(surface: Arc<Surface>) -> Router {
    let router = Router::new()
        .route(path::STATUS, get(status::answer))
        .route(surface.telemetry_path.as_str(), get(metrics::answer))
        .route(path::TOKENS, get(tokens::answer))
        .route(path::CALENDAR, get(calendar::answer))
        .route(path::HEALTHY, get(lifecycle::healthy))
        .route(path::READY, get(lifecycle::ready))
        .route(path::RELOAD, post(lifecycle::reload).put(lifecycle::reload))
        .fallback(unknown_path);
    finished(router, surface.guard.clone(), surface)
}

/// What is answered at the address for probes: nothing that is worth guarding.
pub fn probes(surface: Arc<Surface>) -> Router {
    let router = Router::new()
        .route(path::HEALTHY, get(lifecycle::healthy))
        .route(path::READY, get(lifecycle::ready))
        .fallback(unknown_probe);
    finished(router, None, surface)
}

/// What goes around every answer, and what it needs.
#[derive(Clone)]
struct Around {
    surface: Arc<Surface>,
    guard: Option<Arc<Guard>>,
}

fn finished(router: Router<Arc<Surface>>, guard: Option<Arc<Guard>>, surface: Arc<Surface>) -> Router {
    let everything = Around { surface: Arc::clone(&surface), guard };
    router
        .method_not_allowed_fallback(unknown_method)
        .layer(middleware::from_fn_with_state(everything, around))
        .with_state(surface)
}

/// Around every answer: whether it may be given, the headers, the count.
async fn around(State(everything): State<Around>, request: Request, next: Next) -> Response {
    let Around { surface, guard } = everything;
    let label = surface.telemetry_path.label(request.uri().path()).to_owned();
    let version = request.version();
    let refusal = match (excess(&request), &guard) {
        (Some(refusal), _) => Some(refusal),
        (None, Some(guard)) => guard.refusal(request.headers()).await,
        (None, None) => None,
    };
    let mut response = match refusal {
        Some(refusal) => refusal,
        None => next.run(request).await,
    };
    if response.status() == StatusCode::PAYLOAD_TOO_LARGE && version < Version::HTTP_2 {
        // What would follow is not read.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    policy::apply(response.headers_mut());
    if let Some(guard) = &guard {
        for (name, value) in guard.headers() {
            response.headers_mut().insert(name, value);
        }
    }
    surface.program.answered(&label, response.status().as_u16());
    response
}

/// The answer to a request that brings too much.
fn excess(request: &Request) -> Option<Response> {
    let headers = request.headers();
    let fields = headers.iter().map(|(name, value)| name.as_str().len() + value.len());
    let line = request.uri().path_and_query().map_or(0, |asked| asked.as_str().len());
    if headers.len() > HEAD_FIELDS || line + fields.sum::<usize>() > HEAD_BYTES {
        let sentence = format!("a request may have {HEAD_FIELDS} headers and {} KiB of them\n", HEAD_BYTES / 1_024);
        return Some(text(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, sentence));
    }
    let body = request.body();
    if !body.is_end_stream() && body.size_hint().exact() != Some(0) {
        return Some(text(StatusCode::PAYLOAD_TOO_LARGE, "nothing that is answered here takes a body\n"));
    }
    None
}

async fn unknown_path(State(surface): State<Arc<Surface>>, uri: Uri) -> Response {
    let telemetry_path = &surface.telemetry_path;
    let [tokens, calendar] = [path::TOKENS, path::CALENDAR];
    text(
        StatusCode::NOT_FOUND,
        format!("{}: nothing is here; there are `/`, `{telemetry_path}`, `{tokens}` and `{calendar}`\n", uri.path()),
    )
}

async fn unknown_probe(uri: Uri) -> Response {
    let [healthy, ready] = [path::HEALTHY, path::READY];
    text(StatusCode::NOT_FOUND, format!("{}: here are only `{healthy}` and `{ready}`\n", uri.path()))
}

/// OPTIONS is answered by the header Allow alone, which the router adds: no other origin is let in.
async fn unknown_method(method: Method, uri: Uri) -> Response {
    if method == Method::OPTIONS {
        return StatusCode::NO_CONTENT.into_response();
    }
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
