//! Around every response: limits, access control, headers, the request counter.

use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CONNECTION, HeaderValue};
use axum::http::{HeaderMap, StatusCode, Version};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use http_body::Body as _;

use super::HasKey;
use super::access::AccessControl;
use super::limits::{HEAD_BYTES, MAX_HEADERS};
use crate::exposition::exporter::ExporterMetrics;

struct Middleware {
    headers: HeaderMap,
    access: Option<Arc<AccessControl>>,
    has_key: Option<HasKey>,
    metrics: Arc<ExporterMetrics>,
}

pub(super) fn around(
    router: Router,
    headers: HeaderMap,
    access: Option<Arc<AccessControl>>,
    has_key: Option<HasKey>,
    metrics: Arc<ExporterMetrics>,
) -> Router {
    router.layer(from_fn_with_state(Arc::new(Middleware { headers, access, has_key, metrics }), handle))
}

async fn handle(State(middleware): State<Arc<Middleware>>, request: Request, next: Next) -> Response {
    let Middleware { headers, access, has_key, metrics } = &*middleware;
    // Unknown paths share one label value, as clients can invent any number of them.
    let path = request.extensions().get::<MatchedPath>().cloned();
    let version = request.version();
    let admitted = match (check_size(&request), access) {
        (Err(rejection), _) => Err(rejection.into_response()),
        (Ok(()), Some(access)) => {
            let has_key = has_key.as_ref().is_some_and(|has_key| has_key(request.uri()));
            access.admit(request.headers(), has_key).await
        }
        (Ok(()), None) => Ok(()),
    };
    let mut response = match admitted {
        Ok(()) => next.run(request).await,
        Err(rejection) => rejection,
    };
    if response.status() == StatusCode::PAYLOAD_TOO_LARGE && version < Version::HTTP_2 {
        // The body is not read.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    // Replaces headers of the same name.
    response.headers_mut().extend(headers.clone());
    if let Some(access) = access {
        for (name, value) in access.headers() {
            response.headers_mut().insert(name, value);
        }
    }
    metrics.request_served(path.as_ref().map_or("other", MatchedPath::as_str), response.status().as_u16());
    response
}

fn check_size(request: &Request) -> Result<(), (StatusCode, String)> {
    let headers = request.headers();
    let fields = headers.iter().map(|(name, value)| name.as_str().len() + value.len());
    let line = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
    if headers.len() > MAX_HEADERS || line + fields.sum::<usize>() > HEAD_BYTES {
        let limit = format!("at most {MAX_HEADERS} headers and {} KiB", HEAD_BYTES / 1_024);
        return Err((StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, format!("request headers too large: {limit}\n")));
    }
    let body = request.body();
    if !body.is_end_stream() && body.size_hint().exact() != Some(0) {
        return Err((StatusCode::PAYLOAD_TOO_LARGE, "requests must not have a body\n".to_owned()));
    }
    Ok(())
}
