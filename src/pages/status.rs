//! `/`: the state of the sources, and the next tokens to expire. One page without scripts or other resources.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::display::{DUE_FOR_ROTATION, display_name, manage_url};
use super::filter::expiry_order;
use super::humanize::{relative, rfc3339};
use super::path;
use super::state::AppState;
use crate::core::fleet_status::FleetStatus;
use crate::core::inventory::{Source, TokenView};
use crate::core::lead::Band;
use crate::core::token::State as TokenState;
use crate::exposition::Labels;

/// The most rows of the table of tokens.
const MAX_TOKENS: usize = 50;

/// The most sources that are named for a replica.
const MAX_HELD: usize = 20;

pub(super) const STYLE: &str = include_str!("status.css");

pub(super) async fn get(State(state): State<Arc<AppState>>) -> Result<Response, Response> {
    let body = state.render("status page", |state| Ok(page(state).into_string().into_bytes())).await?;
    Ok(([(CONTENT_TYPE, "text/html; charset=utf-8")], body).into_response())
}

/// The number of tokens by source: all, and those in each band.
type TokenCounts<'a> = BTreeMap<(&'a str, Option<Band>), u64>;

fn page(state: &AppState) -> Markup {
    let now = (state.clock)();
    let inventory = state.inventory.read();
    let mut counts = TokenCounts::new();
    let mut next = Vec::new();
    for view in inventory.tokens(now) {
        for band in [None].into_iter().chain(view.band.map(Some)) {
            *counts.entry((view.source, band)).or_default() += 1;
        }
        if view.expires.timestamp().is_some() && (view.band.is_some() || view.state == TokenState::Active) {
            next.push(view);
        }
    }
    // Due tokens first: a short-lived token always expires soon, and nobody has to act.
    next.sort_by_key(|view| (view.band.is_none(), expiry_order(view)));
    let sources: Vec<(&str, &Source)> = inventory.sources().collect();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { "Token expiry" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "Token expiry" }
                p.soft { "token-expiry-exporter " (state.version) " · " (rfc3339(now)) }
                // Relative: a proxy may serve the page below any path.
                nav {
                    a href={ "." (state.telemetry_path) } { "Metrics" }
                    a href={ "." (path::TOKENS) } { "Tokens as JSON" }
                    a href={ "." (path::CALENDAR) } { "Calendar" }
                }
                (sources_section(&sources, &counts, now))
                @if let Some(fleet) = &state.fleet { (fleet_section(&fleet.read(), now)) }
                (failed_scopes_section(&sources))
                (tokens_section(&next, state.page.labels(), now))
            }
        }
    }
}

fn sources_section(sources: &[(&str, &Source)], counts: &TokenCounts<'_>, now: DateTime<Utc>) -> Markup {
    let rows = sources.iter().map(|(name, source)| {
        let (class, result) = match source.up {
            Some(true) => ("good", "complete"),
            Some(false) => ("bad", "incomplete"),
            None => ("soft", "not yet"),
        };
        let count = |band| counts.get(&(*name, band)).copied().unwrap_or_default();
        html! {
            td { (name) }
            td { (source.policy.provider) }
            td class=(class) { (result) }
            td { (time(source.last_success, now)) }
            td { (time(source.last_attempt, now)) }
            td.number { (count(None)) }
            @for band in Band::ALL {
                td.number.(if count(Some(band)) > 0 { band.label() } else { "" }) { (count(Some(band))) }
            }
        }
    });
    let texts = ["Source", "Provider", "Last collection", "Last complete", "Last attempt"];
    html! {
        h2 { "Sources" }
        @if sources.is_empty() {
            p { "No source is configured." }
        } @else {
            (table(&texts, &["Tokens", "Warning", "Critical", "Expired"], rows))
        }
    }
}

/// The replicas that share a store, and the sources that each of them last collected.
fn fleet_section(fleet: &FleetStatus, now: DateTime<Utc>) -> Markup {
    let rows = fleet.members.iter().map(|member| {
        let held: Vec<&str> =
            fleet.holders.iter().filter(|(_, holder)| *holder == member).map(|(source, _)| source.as_str()).collect();
        html! {
            td { (member) @if *member == fleet.replica { " (this one)" } }
            td { (held.iter().take(MAX_HELD).copied().collect::<Vec<_>>().join(", ")) @if held.len() > MAX_HELD { ", …" } }
            td.number { (held.len()) }
        }
    });
    let (class, text) = if fleet.is_up { ("good", "available") } else { ("bad", "not available") };
    html! {
        h2 { "Replicas" }
        p { "Shared store: " span class=(class) { (text) } ", last read " (time(fleet.last_seen, now)) }
        (table(&["Replica", "Last collected"], &["Sources"], rows))
    }
}

fn failed_scopes_section(sources: &[(&str, &Source)]) -> Markup {
    let mut rows = Vec::new();
    for (name, source) in sources {
        for (listing, health) in &source.listings {
            for (reason, count) in health.gaps.iter().filter(|(_, count)| **count > 0) {
                rows.push(html! {
                    td { (name) }
                    td { (listing) }
                    td.bad { (reason) }
                    td.number { (count) }
                    td.number { (health.scopes) }
                });
            }
        }
    }
    html! {
        @if !rows.is_empty() {
            h2 { "Failed scopes" }
            p.soft { "Scopes whose last collection failed. Previous tokens are kept; see the log." }
            (table(&["Source", "Listing", "Reason"], &["Failed", "Scopes"], rows))
        }
    }
}

fn tokens_section(tokens: &[TokenView<'_>], labels: Labels, now: DateTime<Utc>) -> Markup {
    let rows = tokens.iter().take(MAX_TOKENS).map(|view| {
        let band = view.band.map_or("", Band::label);
        let is_overdue = view.band == Some(Band::Expired) && view.state == TokenState::Active;
        let text = if is_overdue { DUE_FOR_ROTATION } else { band };
        html! {
            td { (time(view.expires.timestamp(), now)) }
            td { (display_name(view)) }
            td { (labels.owner_name(view).unwrap_or_default()) }
            td { (view.token.kind) }
            td { (view.source) }
            td class=(band) { (text) }
            td {
                @if let Some(url) = manage_url(view) { a href=(url) rel="noreferrer" { "renew" } }
            }
        }
    });
    html! {
        h2 { "Next to expire" }
        @if tokens.is_empty() {
            p { "No active token with an expiry." }
        } @else {
            (table(&["Expires", "Name", "Owner", "Kind", "Source", "Band", "Renewal"], &[], rows))
        }
        @if tokens.len() > MAX_TOKENS {
            p.soft { "The first " (MAX_TOKENS) " of " (tokens.len()) "." }
        }
    }
}

/// A table with the columns `texts`, and then `numbers`, which are aligned to the right.
fn table(texts: &[&str], numbers: &[&str], rows: impl IntoIterator<Item = Markup>) -> Markup {
    html! {
        div.scroll {
            table {
                tr {
                    @for column in texts { th { (column) } }
                    @for column in numbers { th.number { (column) } }
                }
                @for row in rows { tr { (row) } }
            }
        }
    }
}

/// A time relative to now, with the timestamp as tooltip.
fn time(at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Markup {
    let Some(at) = at else { return html! { span.soft { "never" } } };
    let timestamp = rfc3339(at);
    html! { time datetime=(timestamp) title=(timestamp) { (relative(at, now)) } }
}
