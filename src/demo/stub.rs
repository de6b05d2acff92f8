//! An HTTP server around one function: what the simulated providers and the control endpoint have in common.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Query;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::state::DemoState;

pub(super) struct Request {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    query: HashMap<String, String>,
    /// JSON; null if it cannot be parsed.
    pub(super) body: Value,
}

impl Request {
    /// The method and the segments of the path.
    pub(super) fn target(&self) -> (&str, Vec<&str>) {
        (self.method.as_str(), self.uri.path().split('/').skip(1).collect())
    }

    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    /// A header's value; empty if there is none.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// Serves until `servers` is dropped.
pub(super) fn serve(
    servers: &mut JoinSet<()>,
    listener: TcpListener,
    state: &Arc<DemoState>,
    respond: fn(&DemoState, &Request) -> Response,
) {
    let state = Arc::clone(state);
    let handle = async move |method, uri, headers, Query(query), body: Bytes| {
        let body = serde_json::from_slice(&body).unwrap_or_default();
        respond(&state, &Request { method, uri, headers, query, body })
    };
    let router = Router::new().fallback(handle);
    servers.spawn(async move { drop(axum::serve(listener, router).await) });
}
