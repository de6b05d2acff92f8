//! `/api/v1/tokens`: the tokens as JSON, for scripts and for pages of one's own.
//!
//! ```json
//! {"now": "2026-03-01T08:00:00Z", "total": 1, "offset": 0, "limit": 1000, "tokens": [
//!   {"source": "gitlab", "provider": "gitlab", "listing": "personal", "id": "7", "kind": "personal-access-token",
//!    "name": "deploy", "owner": {"id": "12", "name": "Jane"}, "state": "active", "expiry": "at",
//!    "expires_at": "2026-03-05T00:00:00Z", "band": "critical", "findings": [], "created_at": null,
//!    "last_used": "never", "scopes": ["api"], "labels": {"team": "platform"}, "manage_url": null}]}
//! ```
//!
//! The soonest to end come first; those without an end last. `total` counts what the filter found, before `offset` and
//! `limit`. `last_used` is an instant, `never`, or null where the provider does not tell. Times are RFC 3339, in UTC.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::Surface;
use super::filter::Filter;
use super::words::exact;
use crate::core::inventory::TokenView;
use crate::core::token::{LastUse, Owner};
use crate::exposition::Labels;

/// Tokens in one answer, unless the request says otherwise.
const LIMIT: usize = 1_000;
/// The most that a request may ask for.
const HIGHEST_LIMIT: usize = 10_000;

/// Which part of what was found is asked for.
#[derive(Debug, PartialEq, Eq)]
struct Window {
    offset: usize,
    limit: usize,
}

pub(super) async fn answer(State(surface): State<Arc<Surface>>, RawQuery(query): RawQuery) -> Response {
    let mut window = Window { offset: 0, limit: LIMIT };
    let filter = Filter::parse(query.as_deref().unwrap_or_default(), &["offset", "limit"], |name, value| {
        let number = value.parse().map_err(|_| format!("{name}: `{value}` is no whole number"))?;
        match name {
            "offset" => window.offset = number,
            _ if number <= HIGHEST_LIMIT => window.limit = number,
            _ => return Err(format!("limit: at most {HIGHEST_LIMIT}; ask again with `offset` for the rest")),
        }
        Ok(())
    });
    let filter = match filter {
        Ok(filter) => filter,
        Err(why) => return respond(StatusCode::BAD_REQUEST, format!("{}\n", json!({"error": why})).into()),
    };
    let writing = Arc::clone(&surface);
    let write = move || Ok(format!("{}\n", found(&writing, &filter, &window)).into_bytes());
    match surface.desk.write("the list of tokens", write).await {
        Ok(found) => respond(StatusCode::OK, found),
        Err(refusal) => refusal,
    }
}

fn respond(status: StatusCode, body: Body) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}

fn found(surface: &Surface, filter: &Filter, window: &Window) -> Value {
    let labels = surface.page.labels();
    let now = (surface.clock)();
    let inventory = surface.inventory();
    let mut found: Vec<TokenView<'_>> = inventory.tokens(now).filter(|view| filter.matches(view, labels)).collect();
    found.sort_by_key(soonest);
    let tokens: Vec<Value> =
        found.iter().skip(window.offset).take(window.limit).map(|view| token(view, labels)).collect();
    json!({"now": exact(now), "total": found.len(), "offset": window.offset, "limit": window.limit, "tokens": tokens})
}

/// Puts the soonest to end first, and those without an end last. The order of the inventory decides between equals.
pub(crate) fn soonest(view: &TokenView<'_>) -> DateTime<Utc> {
    view.expires.instant().unwrap_or(DateTime::<Utc>::MAX_UTC)
}

pub(crate) fn token(view: &TokenView<'_>, labels: Labels) -> Value {
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
        "expires_at": view.expires.instant().map(exact),
        "band": view.band.map(|band| band.label()),
        "findings": view.findings.iter().map(|finding| finding.label()).collect::<Vec<_>>(),
        "created_at": token.created_at.map(exact),
        "last_used": match token.last_used {
            LastUse::NotReported => Value::Null,
            LastUse::Never => "never".into(),
            LastUse::At(at) => exact(at).into(),
        },
        "scopes": token.scopes,
        "labels": view.labels,
        "manage_url": token.manage_url,
    })
}

/// An owner, as far as the configuration lets it be shown.
fn owner(owner: &Owner, labels: Labels) -> Value {
    let mut shown = serde_json::Map::new();
    if labels.owner {
        shown.insert("id".to_owned(), owner.id.clone().into());
        shown.insert("name".to_owned(), owner.name.clone().into());
    }
    if labels.owner_email {
        shown.insert("email".to_owned(), owner.email.clone().into());
    }
    if shown.is_empty() { Value::Null } else { Value::Object(shown) }
}
