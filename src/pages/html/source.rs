//! `/source`: every source and its health. `/source/NAME`: one of them.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use maud::{Markup, html};

use super::context::{Context, Page, respond};
use super::fleet;
use super::health;
use super::layout::{Section, badge, document, time};
use super::link::query;
use super::listing::{Listing, Selected};
use super::named::Name;
use super::not_found;
use super::overview::{Overview, SourceSummary};
use super::table::{Column, table};
use crate::core::inventory::Inventory;
use crate::core::lead::Band;
use crate::pages::filter::parse;
use crate::pages::path;
use crate::pages::state::AppState;

pub(in crate::pages) async fn get(
    State(state): State<Arc<AppState>>,
    uri: Uri,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Response> {
    let query = query.unwrap_or_default();
    respond(state, &uri, "page of a source", move |context| page(context, &name, &query)).await
}

pub(in crate::pages) async fn index(
    State(state): State<Arc<AppState>>,
    uri: Uri,
    RawQuery(query): RawQuery,
) -> Result<Response, Response> {
    let query = query.unwrap_or_default();
    respond(state, &uri, "page of sources", move |context| {
        let mut name = Name::default();
        match parse(&query, &mut [&mut name]) {
            Err(problem) => not_found::bad_request(context, &problem),
            Ok(()) => name.0.map_or_else(|| sources(context), |name| page(context, &name, "")),
        }
    })
    .await
}

fn page(context: &Context<'_>, name: &str, parameters: &str) -> Page {
    let mut list = Listing::new(context.links.source(name));
    list.filter.sources = vec![name.to_owned()];
    if let Err(problem) = parse(parameters, &mut [&mut list.sort, &mut list.window]) {
        return not_found::bad_request(context, &problem);
    }
    let inventory = context.state.inventory.read();
    let Some(source) = inventory.source(name) else {
        let sources: Vec<String> = inventory.sources().map(|(name, _)| name.to_owned()).collect();
        drop(inventory);
        return not_found::source(context, name, &sources);
    };
    let health = health::section(context, source);
    let selected = list.select(context, &inventory);
    let content = html! {
        p.soft { "Provider " a href=(context.links.tokens(&query(&[("provider", &source.policy.provider)]))) { (source.policy.provider) } }
        (health)
        (unlisted(&inventory, name))
        (tokens(context, name, &list, &selected))
    };
    drop(inventory);
    (StatusCode::OK, document(context, name, Section::Sources, &content))
}

/// Credentials of this source that are in use, and that no listing lists.
fn unlisted(inventory: &Inventory, name: &str) -> Markup {
    let mut found = inventory.unlisted_credentials().filter(|credential| credential.source == name).peekable();
    html! {
        @if found.peek().is_some() {
            section aria-labelledby="unlisted" {
                h2 #unlisted { "Unlisted credentials" }
                p.soft { "These credentials are in use, but no listing lists them, so their expiry is not monitored." }
                ul { @for credential in found {
                    li {
                        (credential.token_id.unwrap_or("without an id")) ": "
                        bdi { (credential.location) } ", found by " (credential.found_by)
                    }
                } }
            }
        }
    }
}

fn tokens(context: &Context<'_>, name: &str, list: &Listing, selected: &Selected) -> Markup {
    let of_source = query(&[("source", name)]);
    html! {
        section aria-labelledby="tokens" {
            h2 #tokens { "Tokens" }
            p.soft { (list.range(selected.total)) }
            (list.table(context, selected, "Tokens of this source; due ones first, then by expiry"))
        }
        p.actions {
            a href=(context.links.tokens(&of_source)) { "Filter these tokens" } " "
            a href=(context.links.to(path::CALENDAR, &of_source)) { "Calendar" } " "
            a href=(context.links.to(path::TOKENS, &of_source)) { "As JSON" }
        }
    }
}

fn sources(context: &Context<'_>) -> Page {
    let inventory = context.state.inventory.read();
    let overview = Overview::of(context, &inventory);
    drop(inventory);
    let content = html! {
        @if overview.sources.is_empty() {
            p.empty { "No source is configured. Add one to the configuration file." }
        } @else {
            (index_table(context, &overview.sources))
        }
        @if let Some(fleet) = &context.state.fleet { (fleet::section(&fleet.read(), context.now)) }
    };
    (StatusCode::OK, document(context, "Sources", Section::Sources, &content))
}

fn index_table(context: &Context<'_>, sources: &[SourceSummary]) -> Markup {
    let mut columns = vec![Column::text("Source"), Column::text("Provider"), Column::text("Last collection")];
    columns.extend(["Last complete", "Last attempt"].map(Column::text));
    columns.extend(["Failed scopes", "Tokens", "Warning", "Critical", "Expired"].map(Column::number));
    let rows = sources.iter().map(|source| {
        let (class, text) = health::result(source.up);
        let failed: u64 = source.failed.values().sum();
        let mut cells = vec![
            html! { a href=(context.links.source(&source.name)) { (source.name) } },
            html! { (source.provider) },
            badge(class, text),
            time(source.last_success, context.now),
            time(source.last_attempt, context.now),
            html! { span.(if failed > 0 { "bad" } else { "soft" }) { (failed) } },
            html! { (source.counts.tokens) },
        ];
        cells.extend(Band::ALL.map(|band| {
            let count = source.counts.band(band);
            html! { span.(if count > 0 { band.label() } else { "soft" }) { (count) } }
        }));
        cells
    });
    table(&html! { span.hidden { "Sources and their last collections" } }, &columns, rows)
}
