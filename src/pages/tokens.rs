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
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::filter::Filter;
use super::humanize::rfc3339;
use super::state::AppState;
use crate::core::inventory::TokenView;
use crate::core::token::{LastUse, Owner};
use crate::core::web_url::web_url;
use crate::exposition::Labels;

/// The default of `limit`.
const LIMIT: usize = 1_000;
/// The maximum of `limit`.
const MAX_LIMIT: usize = 10_000;

/// The part of the selected tokens to return.
struct Window {
    offset: usize,
    limit: usize,
}

pub(super) async fn get(State(state): State<Arc<AppState>>, RawQuery(query): RawQuery) -> Result<Response, Response> {
    let content_type = [(CONTENT_TYPE, "application/json")];
    let mut window = Window { offset: 0, limit: LIMIT };
    let filter = Filter::parse(query.as_deref().unwrap_or_default(), &["offset", "limit"], |name, value| {
        let number = value.parse().map_err(|_| format!("{name}: `{value}` is not a whole number"))?;
        match name {
            "offset" => window.offset = number,
            _ if number <= MAX_LIMIT => window.limit = number,
            _ => return Err(format!("limit: at most {MAX_LIMIT}; use `offset` for the rest")),
        }
        Ok(())
    });
    let filter = filter.map_err(|why| {
        (StatusCode::BAD_REQUEST, content_type.clone(), format!("{}\n", json!({"error": why}))).into_response()
    })?;
    let page = move |state: &AppState| Ok(format!("{}\n", list(state, &filter, &window)).into_bytes());
    Ok((content_type, state.render("list of tokens", page).await?).into_response())
}

fn list(state: &AppState, filter: &Filter, window: &Window) -> Value {
    let labels = state.page.labels();
    let now = (state.clock)();
    let inventory = state.inventory.read();
    let mut found: Vec<TokenView<'_>> = inventory.tokens(now).filter(|view| filter.matches(view, labels)).collect();
    found.sort_by_key(expiry_order);
    let tokens: Vec<Value> =
        found.iter().skip(window.offset).take(window.limit).map(|view| to_json(view, labels)).collect();
    json!({"now": rfc3339(now), "total": found.len(), "offset": window.offset, "limit": window.limit, "tokens": tokens})
}

/// Sort key: the next to expire first, tokens that never expire last. A stable sort keeps the inventory's order otherwise.
pub(crate) fn expiry_order(view: &TokenView<'_>) -> DateTime<Utc> {
    view.expires.timestamp().unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// Shown instead of the band `expired` for a token that still works.
pub(crate) const DUE_FOR_ROTATION: &str = "due for rotation";

/// The name, or the id of a token without one.
pub(crate) fn display_name<'a>(view: &TokenView<'a>) -> &'a str {
    let token = view.token;
    if token.name.is_empty() { &token.id } else { &token.name }
}

/// The link to renew the token, with characters that a URL must not have encoded.
pub(super) fn manage_url(view: &TokenView<'_>) -> Option<String> {
    view.token.manage_url.as_deref().and_then(web_url).map(Into::into)
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
