//! `/calendar.ics`: the expiries of tokens that alert, to subscribe to in a calendar.
//!
//! One event at each expiry, with an alarm at its lead, the next first, at most [`MAX_EVENTS`]: calendars reject more. Expired
//! tokens stay as long as they alert. Short-lived sessions never alert, and have none. The query parameters are those of the API,
//! such as `?source=gitlab&owner=jane`.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Datelike as _, TimeDelta, Utc};
use icalendar::{Alarm, Calendar, CalendarDateTime, Component as _, Event, EventLike as _};
use ring::digest;

use super::calendar_key::KeyParameter;
use super::display::{display_name, manage_url};
use super::filter::{self, Filter, Parameters, Sort};
use super::humanize::rfc3339;
use super::state::AppState;
use crate::core::inventory::{Inventory, TokenView};
use crate::core::token::Expiry;
use crate::exposition::Labels;

/// The most events of one calendar.
const MAX_EVENTS: usize = 1_000;

/// The most locations in a description.
const MAX_LOCATIONS: usize = 5;

/// How often a calendar should be read again.
const REFRESH: TimeDelta = TimeDelta::hours(1);

pub(super) async fn get(State(state): State<Arc<AppState>>, RawQuery(query): RawQuery) -> Result<Response, Response> {
    let filter = parse(query.as_deref().unwrap_or_default(), state.calendar_key.is_some())
        .map_err(|why| (StatusCode::BAD_REQUEST, format!("{why}\n")).into_response())?;
    let body = state.render("calendar", move |state| Ok(calendar(state, &filter).into_bytes())).await?;
    Ok(([(CONTENT_TYPE, "text/calendar; charset=utf-8")], body).into_response())
}

/// The filter of a request. The server has verified its key, or the client has logged in.
fn parse(query: &str, has_keys: bool) -> Result<Filter, String> {
    let (mut filter, mut key) = (Filter::default(), KeyParameter::default());
    let mut parts: Vec<&mut dyn Parameters> = vec![&mut filter];
    parts.extend(has_keys.then_some(&mut key as &mut dyn Parameters));
    filter::parse(query, &mut parts)?;
    Ok(filter)
}

fn calendar(state: &AppState, filter: &Filter) -> String {
    let labels = state.page.labels();
    let now = (state.clock)();
    let inventory = state.inventory.read();
    let mut tokens = filter::select(&inventory, filter, Sort::default(), labels, now);
    tokens.retain(has_event);
    let uids = Uids::new(&inventory, labels, now);
    // `Calendar::new` adds the library's PRODID, and RFC 5545, 3.6 allows only one.
    let mut calendar = Calendar::empty();
    for property in [("VERSION", "2.0"), ("PRODID", "-//token-expiry-exporter//EN"), ("CALSCALE", "GREGORIAN")] {
        calendar.append_property(property);
    }
    calendar.name(&name(filter)).ttl(&REFRESH);
    calendar.extend(tokens.iter().take(MAX_EVENTS).filter_map(|view| event(view, &uids, labels, now)));
    fold(&calendar.to_string())
}

/// Folds lines at 75 octets, between characters (RFC 5545, 3.1): the library does not count the blank before the last part.
fn fold(text: &str) -> String {
    const LIMIT: usize = 75;
    let mut folded = String::with_capacity(text.len());
    for line in text.replace("\r\n ", "").split_inclusive("\r\n") {
        let (line, end) = line.strip_suffix("\r\n").map_or((line, ""), |line| (line, "\r\n"));
        let mut length = 0;
        for c in line.chars() {
            if length + c.len_utf8() > LIMIT {
                folded.push_str("\r\n ");
                length = 1;
            }
            folded.push(c);
            length += c.len_utf8();
        }
        folded.push_str(end);
    }
    folded
}

/// `Token expiry`, and the filter.
fn name(filter: &Filter) -> String {
    let pairs: Vec<String> = filter.pairs().into_iter().map(|(name, value)| format!("{name} {value}")).collect();
    let filter = if pairs.is_empty() { String::new() } else { format!(": {}", pairs.join(", ")) };
    format!("Token expiry{filter}")
}

/// Whether a token alerts. RFC 5545 requires years of four digits.
fn has_event(view: &TokenView<'_>) -> bool {
    view.bands.is_some() && view.expires.timestamp().is_some_and(|at| (0..=9_999).contains(&at.year()))
}

fn event(view: &TokenView<'_>, uids: &Uids, labels: Labels, now: DateTime<Utc>) -> Option<Event> {
    let at = view.expires.timestamp()?;
    let verb = match view.expires {
        Expiry::Policy(_) => "is due for rotation",
        _ if at <= now => "has expired",
        _ => "expires",
    };
    let summary = format!("{} {verb}", display_name(view));
    let mut event = Event::new();
    if let Some(link) = manage_url(view) {
        event.url(&link);
    }
    event
        .uid(&uids.of(view))
        .timestamp(now)
        .starts(at)
        .summary(&summary)
        .description(&description(view, labels, now))
        // An expiry does not block time in a calendar.
        .add_property("TRANSP", "TRANSPARENT");
    let warning = view.bands.map(|bands| bands.warning).filter(|warning| (0..=9_999).contains(&warning.year()));
    if let Some(warning) = warning.filter(|warning| *warning < at) {
        let mut alarm = Alarm::display(&summary, CalendarDateTime::from(warning));
        // The library would add a random one, and the time of the clock.
        event.alarm(alarm.uid(&format!("alarm-{}", uids.of(view))).timestamp(now).done());
    }
    Some(event.done())
}

fn description(view: &TokenView<'_>, labels: Labels, now: DateTime<Utc>) -> String {
    let token = view.token;
    let mut lines = vec![
        format!("{} {} at {} ({})", token.kind, token.id, view.source, view.provider),
        format!("Owner: {}", labels.owner_name(view).as_deref().unwrap_or("unknown")),
    ];
    lines.extend(view.locations.iter().take(MAX_LOCATIONS).map(|location| format!("Used in: {location}")));
    if let Some(more) = view.locations.len().checked_sub(MAX_LOCATIONS).filter(|more| *more > 0) {
        lines.push(format!("Used in {more} more places"));
    }
    if let Some(renewal) = view.renewal() {
        lines.push("How to renew it:".to_owned());
        lines.extend(renewal.steps.iter().map(|step| format!("- {step}")));
        lines.extend(renewal.docs.iter().map(|docs| format!("Documentation: {docs}")));
    }
    lines.extend(manage_url(view).map(|link| format!("Renew at {link}")));
    lines.push(format!("As of {}", rfc3339(now)));
    lines.join("\n")
}

/// The identifiers of events.
///
/// A rotated token has another id, but the same source, kind, owner and name: its event moves. If several tokens that alert have
/// these in common, the id distinguishes them.
struct Uids {
    labels: Labels,
    /// How many tokens have it.
    counts: HashMap<String, usize>,
}

impl Uids {
    fn new(inventory: &Inventory, labels: Labels, now: DateTime<Utc>) -> Self {
        let mut uids = Self { labels, counts: HashMap::new() };
        for view in inventory.tokens(now).filter(has_event) {
            *uids.counts.entry(uids.of_rotations(&view)).or_default() += 1;
        }
        uids
    }

    fn of(&self, view: &TokenView<'_>) -> String {
        let of_rotations = self.of_rotations(view);
        let is_unique = self.counts.get(&of_rotations).is_none_or(|count| *count < 2);
        if is_unique && !view.token.name.is_empty() { of_rotations } else { uid(&[view.source, &view.token.id]) }
    }

    fn of_rotations(&self, view: &TokenView<'_>) -> String {
        let token = view.token;
        let owner = self.labels.owner_name(view).unwrap_or_default();
        uid(&[view.source, &token.kind, &owner, &token.name])
    }
}

/// A hash of texts.
fn uid(texts: &[&str]) -> String {
    // The lengths separate what would be equal when joined.
    let text: String = texts.iter().map(|text| format!("{} {text} ", text.len())).collect();
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    let short: String = hash.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("{short}@token-expiry-exporter")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fold_keeps_lines_within_75_octets_and_characters_whole() {
        for (line, expected) in [
            ("a".repeat(75), "a".repeat(75)),
            ("a".repeat(76), format!("{}\r\n a", "a".repeat(75))),
            ("a".repeat(150), format!("{}\r\n {}\r\n a", "a".repeat(75), "a".repeat(74))),
            ("\u{e4}".repeat(38), format!("{}\r\n \u{e4}", "\u{e4}".repeat(37))),
            (format!("{} b", "a".repeat(75)), format!("{}\r\n  b", "a".repeat(75))),
        ] {
            assert_eq!(fold(&format!("{line}\r\nX:1\r\n")), format!("{expected}\r\nX:1\r\n"), "{line}");
        }
    }
}
