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

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::filter::{self, Filter, Sort, Window};
use super::humanize::rfc3339;
use super::state::AppState;
use crate::core::inventory::TokenView;
use crate::core::token::{LastUse, Owner};
use crate::exposition::Labels;

/// The default of `limit`, and its maximum.
const LIMITS: (usize, usize) = (1_000, 10_000);

pub(super) async fn get(State(state): State<Arc<AppState>>, RawQuery(query): RawQuery) -> Result<Response, Response> {
    let content_type = [(CONTENT_TYPE, "application/json")];
    let (mut filter, mut sort, mut window) = (Filter::default(), Sort::default(), Window::new(LIMITS.0, LIMITS.1));
    filter::parse(query.as_deref().unwrap_or_default(), &mut [&mut filter, &mut sort, &mut window]).map_err(|why| {
        (StatusCode::BAD_REQUEST, content_type.clone(), format!("{}\n", json!({"error": why}))).into_response()
    })?;
    let page = move |state: &AppState| Ok(format!("{}\n", list(state, &filter, sort, window)).into_bytes());
    Ok((content_type, state.render("list of tokens", page).await?).into_response())
}

fn list(state: &AppState, filter: &Filter, sort: Sort, window: Window) -> Value {
    let labels = state.page.labels();
    let now = (state.clock)();
    let inventory = state.inventory.read();
    let found = filter::select(&inventory, filter, sort, labels, now);
    let tokens: Vec<Value> = window.of(&found).iter().map(|view| to_json(view, labels)).collect();
    json!({"now": rfc3339(now), "total": found.len(), "offset": window.offset, "limit": window.limit, "tokens": tokens})
}

pub(crate) fn to_json(view: &TokenView<'_>, labels: Labels) -> Value {
    let token = view.token;
    json!({
        "source": view.source,
        "provider": view.provider,
        "listing": view.listing,
        "id": token.id,
        "kind": token.kind,
        "name": token.name,
        "owner": view.owner.map_or(Value::Null, |found| owner(found, labels)),
        "state": view.state.label(),
        "expiry": view.expires.label(),
        "expires_at": view.expires.timestamp().map(rfc3339),
        "band": view.band.map(|band| band.label()),
        "findings": view.findings.iter().map(|finding| finding.label()).collect::<Vec<_>>(),
        "created_at": token.created_at.map(rfc3339),
        "last_used": match token.last_used {
            LastUse::NotReported => Value::Null,
            LastUse::Never => "never".into(),
            LastUse::At(at) => rfc3339(at).into(),
        },
        "scopes": token.scopes,
        "labels": view.labels,
        "manage_url": token.manage_url,
    })
}

/// An owner, as far as the configuration exposes it.
fn owner(owner: &Owner, labels: Labels) -> Value {
    let mut exposed = serde_json::Map::new();
    if labels.owner {
        exposed.insert("id".to_owned(), labels.owner_text(owner.id.as_deref()).into());
        exposed.insert("name".to_owned(), labels.owner_text(owner.name.as_deref()).into());
    }
    if labels.owner_email {
        exposed.insert("email".to_owned(), owner.email.clone().into());
    }
    if exposed.is_empty() { Value::Null } else { Value::Object(exposed) }
}
