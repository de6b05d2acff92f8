//! `/api/v1/tokens`: the tokens as JSON, for scripts and other pages.
//!
//! ```json
//! {"now": "2026-03-01T08:00:00Z", "total": 1, "offset": 0, "limit": 1000, "tokens": [
//!   {"source": "gitlab", "provider": "gitlab", "listing": "personal", "id": "7", "kind": "personal-access-token",
//!    "name": "deploy", "owner": {"id": "12", "name": "Jane"}, "state": "active", "expiry": "at",
//!    "expires_at": "2026-03-05T00:00:00Z", "band": "critical", "findings": [], "created_at": null,
//!    "last_used": "never", "scopes": ["api"], "labels": {"team": "platform"}, "manage_url": null}]}
//! ```
//!
//! The next to expire come first; tokens that never expire come last. `total` counts the selected tokens before `offset` and
//! `limit`. `last_used` is a timestamp, `never`, or null if the provider does not report it. Times are RFC 3339, in UTC.

use std::sync::Arc;

use super::api::{Depends, Format, Page, Request, bad_request};
use super::csv;
use super::filter::{self, Filter, Sort, Window};
use super::json::to_json;
use super::state::AppState;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;

pub(super) async fn get(
    State(state): State<Arc<AppState>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Response> {
    let (mut filter, mut sort) = (Filter::default(), Sort::default());
    let query = query.unwrap_or_default();
    let request = Request::parse(&state, &headers, &query, &mut [&mut filter, &mut sort], Depends::Tokens)
        .map_err(|why| bad_request(&why))?;
    request.respond(state, "tokens", move |state, format, window| list(state, &filter, sort, format, window)).await
}

fn list(state: &AppState, filter: &Filter, sort: Sort, format: Format, window: Window) -> Page {
    let labels = state.page.labels();
    let inventory = state.inventory.read();
    let found = filter::select(&inventory, filter, sort, labels, (state.clock)());
    let (total, part) = (found.len(), window.of(&found));
    match format {
        Format::Json => {
            let tokens = part.iter().map(|view| to_json(view, labels)).collect();
            Page::json(state, "tokens", total, window, tokens)
        }
        Format::Csv => Page { total, body: csv::tokens(part, labels) },
    }
}
