//! `/calendar.ics`: the expiries of active tokens, to subscribe to in a calendar.
//!
//! One event at each expiry, the next first, at most [`MAX_EVENTS`]: calendars reject more. The query parameters are those of
//! the API, such as `?source=gitlab&owner=jane`.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Datelike as _, Utc};
use icalendar::{Calendar, Component as _, Event, EventLike as _};
use ring::digest;

use super::display::{display_name, manage_url};
use super::filter::{self, Filter, Sort};
use super::humanize::rfc3339;
use super::state::AppState;
use crate::core::inventory::TokenView;
use crate::core::token::{Expiry, State as TokenState};
use crate::exposition::Labels;

/// The most events of one calendar.
const MAX_EVENTS: usize = 1_000;

pub(super) async fn get(State(state): State<Arc<AppState>>, RawQuery(query): RawQuery) -> Result<Response, Response> {
    let mut filter = Filter::default();
    filter::parse(query.as_deref().unwrap_or_default(), &mut [&mut filter])
        .map_err(|why| (StatusCode::BAD_REQUEST, format!("{why}\n")).into_response())?;
    let body = state.render("calendar", move |state| Ok(calendar(state, &filter).into_bytes())).await?;
    Ok(([(CONTENT_TYPE, "text/calendar; charset=utf-8")], body).into_response())
}

fn calendar(state: &AppState, filter: &Filter) -> String {
    let labels = state.page.labels();
    let now = (state.clock)();
    let inventory = state.inventory.read();
    let mut tokens = filter::select(&inventory, filter, Sort::default(), labels, now);
    tokens.retain(|view| view.state == TokenState::Active && view.expires.timestamp().is_some_and(has_four_digits));
    // `Calendar::new` adds the library's PRODID, and RFC 5545, 3.6 allows only one.
    let mut calendar = Calendar::empty();
    for property in [("VERSION", "2.0"), ("PRODID", "-//token-expiry-exporter//EN"), ("CALSCALE", "GREGORIAN")] {
        calendar.append_property(property);
    }
    calendar.name("Token expiry");
    calendar.extend(tokens.iter().take(MAX_EVENTS).filter_map(|view| event(view, labels, now)));
    calendar.to_string()
}

/// RFC 5545 requires years of four digits.
fn has_four_digits(at: DateTime<Utc>) -> bool {
    (0..=9_999).contains(&at.year())
}

fn event(view: &TokenView<'_>, labels: Labels, now: DateTime<Utc>) -> Option<Event> {
    let at = view.expires.timestamp()?;
    let token = view.token;
    let verb = if matches!(view.expires, Expiry::Policy(_)) { "is due for rotation" } else { "expires" };
    let mut lines = vec![
        format!("{} {} at {} ({})", token.kind, token.id, view.source, view.provider),
        format!("Owner: {}", labels.owner_name(view).as_deref().unwrap_or("unknown")),
    ];
    let mut event = Event::new();
    if let Some(link) = manage_url(view) {
        lines.push(format!("Renew at {link}"));
        event.url(&link);
    }
    lines.push(format!("As of {}", rfc3339(now)));
    event
        .uid(&uid(view.source, &token.id))
        .timestamp(now)
        .starts(at)
        .summary(&format!("{} {verb}", display_name(view)))
        .description(&lines.join("\n"))
        // An expiry does not block time in a calendar.
        .add_property("TRANSP", "TRANSPARENT");
    Some(event.done())
}

/// Stable for a token, so that a renewed token moves its event instead of adding one.
fn uid(source: &str, id: &str) -> String {
    // The length separates what would be equal when joined.
    let hash = digest::digest(&digest::SHA256, format!("{} {source} {id}", source.len()).as_bytes());
    let short: String = hash.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("{short}@token-expiry-exporter")
}
