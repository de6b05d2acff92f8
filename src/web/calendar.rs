//! `/calendar.ics`: the ends of active tokens, to subscribe to in a calendar.
//!
//! One event at the instant of each end, the soonest first, at most [`MOST_EVENTS`]: calendars refuse more. The parameters
//! are those of the list, such as `?source=gitlab&owner=jane`.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Datelike as _, Utc};
use icalendar::{Calendar, Component as _, Event, EventLike as _};
use ring::digest;

use super::Surface;
use super::filter::Filter;
use super::html::web_link;
use super::routes::text;
use super::tokens::soonest;
use super::words::exact;
use crate::core::inventory::TokenView;
use crate::core::token::{Expiry, State as TokenState};
use crate::exposition::Labels;

/// The most events of one calendar.
const MOST_EVENTS: usize = 1_000;

pub(super) async fn answer(State(surface): State<Arc<Surface>>, RawQuery(query): RawQuery) -> Response {
    let filter = match Filter::parse(query.as_deref().unwrap_or_default(), &[], |_, _| Ok(())) {
        Ok(filter) => filter,
        Err(why) => return text(StatusCode::BAD_REQUEST, format!("{why}\n")),
    };
    let writing = Arc::clone(&surface);
    match surface.desk.write("the calendar", move || Ok(calendar(&writing, &filter).into_bytes())).await {
        Ok(calendar) => ([(CONTENT_TYPE, "text/calendar; charset=utf-8")], calendar).into_response(),
        Err(refusal) => refusal,
    }
}

fn calendar(surface: &Surface, filter: &Filter) -> String {
    let labels = surface.page.labels();
    let now = (surface.clock)();
    let inventory = surface.inventory();
    let mut ends: Vec<TokenView<'_>> = inventory
        .tokens(now)
        .filter(|view| view.state == TokenState::Active && view.expires.instant().is_some_and(has_four_digits))
        .filter(|view| filter.matches(view, labels))
        .collect();
    ends.sort_by_key(soonest);
    // Not `new`, which names the library as the maker: a second PRODID is against RFC 5545, 3.6.
    let mut calendar = Calendar::empty();
    for property in [("VERSION", "2.0"), ("PRODID", "-//token-expiry-exporter//EN"), ("CALSCALE", "GREGORIAN")] {
        calendar.append_property(property);
    }
    calendar.name("Token expiry");
    calendar.extend(ends.iter().take(MOST_EVENTS).filter_map(|view| event(view, labels, now)));
    calendar.to_string()
}

/// A date of RFC 5545 has a year of four digits.
fn has_four_digits(at: DateTime<Utc>) -> bool {
    (0..=9_999).contains(&at.year())
}

fn event(view: &TokenView<'_>, labels: Labels, now: DateTime<Utc>) -> Option<Event> {
    let at = view.expires.instant()?;
    let token = view.token;
    let name = if token.name.is_empty() { &token.id } else { &token.name };
    let verb = if matches!(view.expires, Expiry::Policy(_)) { "is to be renewed" } else { "expires" };
    let owner = view.owner.and_then(|owner| owner.label()).filter(|_| labels.owner);
    let mut lines = vec![
        format!("{} {} at {} ({})", token.kind, token.id, view.source, view.provider),
        format!("Owner: {}", owner.unwrap_or("not known")),
    ];
    let mut event = Event::new();
    if let Some(link) = token.manage_url.as_deref().and_then(web_link) {
        lines.push(format!("Renew it at {link}"));
        event.url(&link);
    }
    lines.push(format!("As listed on {}", exact(now)));
    event
        .uid(&uid(view.source, &token.id))
        .timestamp(now)
        .starts(at)
        .summary(&format!("{name} {verb}"))
        .description(&lines.join("\n"))
        // The end of a token does not make anybody busy.
        .add_property("TRANSP", "TRANSPARENT");
    Some(event.done())
}

/// The same for a token whenever it is asked for, so that a renewed one moves instead of standing twice.
fn uid(source: &str, id: &str) -> String {
    // The length keeps apart what would read the same when put together.
    let told = digest::digest(&digest::SHA256, format!("{} {source} {id}", source.len()).as_bytes());
    let short: String = told.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("{short}@token-expiry-exporter")
}
