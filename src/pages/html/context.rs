//! What the pages of one request share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use axum::http::header::CONTENT_TYPE;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use maud::Markup;

use super::link::Links;
use crate::exposition::Labels;
use crate::pages::state::AppState;

/// A request for a page.
pub(super) struct Context<'s> {
    pub(super) state: &'s AppState,
    pub(super) links: Links,
    /// Which owner labels are exposed.
    pub(super) labels: Labels,
    pub(super) now: DateTime<Utc>,
}

/// A page with its status code.
pub(super) type Page = (StatusCode, Markup);

/// Renders a page within the limits. `what` names it.
pub(super) async fn respond<F>(state: Arc<AppState>, uri: &Uri, what: &str, page: F) -> Result<Response, Response>
where
    F: FnOnce(&Context<'_>) -> Page + Send + 'static,
{
    let prefix = state.route_prefix.to_string();
    let path = uri.path().strip_prefix(&prefix).filter(|rest| rest.starts_with('/')).unwrap_or(uri.path());
    let links = Links::from_path(path);
    let status = Arc::new(AtomicU16::new(StatusCode::OK.as_u16()));
    let rendered = Arc::clone(&status);
    let body = state.render(what, move |state| {
        let context = Context { state, links, labels: state.page.labels(), now: (state.clock)() };
        let (code, markup) = page(&context);
        rendered.store(code.as_u16(), Ordering::Relaxed);
        Ok(markup.into_string().into_bytes())
    });
    let body = body.await?;
    let code = StatusCode::from_u16(status.load(Ordering::Relaxed)).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Ok((code, [(CONTENT_TYPE, "text/html; charset=utf-8")], body).into_response())
}
