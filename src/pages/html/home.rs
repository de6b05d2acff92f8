//! `/`: the tokens, the next to expire first, with search and filters.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use maud::{Markup, html};

use super::context::{Context, Page, respond};
use super::filter_form::form;
use super::layout::{Section, count, document, time};
use super::link::query;
use super::listing::Listing;
use super::overview::{Overview, SourceSummary};
use super::words::reason_meaning;
use crate::core::lead::Band;
use crate::pages::filter::{Filter, parse};
use crate::pages::path;
use crate::pages::state::AppState;

/// The most sources that are named in a notice.
const MAX_NOTICES: usize = 5;

pub(in crate::pages) async fn get(
    State(state): State<Arc<AppState>>,
    uri: Uri,
    RawQuery(query): RawQuery,
) -> Result<Response, Response> {
    let query = query.unwrap_or_default();
    respond(state, &uri, "status page", move |context| page(context, &query)).await
}

fn page(context: &Context<'_>, query: &str) -> Page {
    let mut list = Listing::new(context.links.tokens(""));
    list.has_filter_in_url = true;
    let Listing { filter, sort, window, .. } = &mut list;
    let problem = parse(query, &mut [filter, sort, window]).err();
    // A typo must not select more tokens.
    let status = if problem.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let inventory = context.state.inventory.read();
    let overview = Overview::of(context, &inventory);
    let selected = problem.is_none().then(|| list.select(context, &inventory));
    drop(inventory);
    let has_filter = list.filter != Filter::default();
    let content = html! {
        (notices(context, &overview.sources))
        (tiles(context, &overview))
        (form(context, &overview.choices, &list.filter, list.sort))
        section #results aria-labelledby="results-title" {
            h2 #results-title { @if has_filter { "Selected tokens" } @else { "Next to expire" } }
            @match (&problem, &selected) {
                (Some(problem), _) => p.notice.bad role="alert" { "The address has an error: " (problem) ". " a href=(context.links.tokens("")) { "Show all tokens" } },
                (None, Some(selected)) if overview.counts.tokens == 0 && selected.total == 0 => (empty(&overview)),
                (None, Some(selected)) => {
                    p.soft role="status" { (list.range(selected.total)) }
                    (list.table(context, selected, "Tokens; due ones first, then by expiry"))
                }
                (None, None) => "",
            }
        }
    };
    (status, document(context, "Token expiry", Section::Tokens, &content))
}

/// What a reader must know before he trusts the list.
fn notices(context: &Context<'_>, sources: &[SourceSummary]) -> Markup {
    let (waiting, failing): (Vec<_>, Vec<_>) =
        sources.iter().filter(|source| source.needs_attention()).partition(|source| source.up.is_none());
    html! {
        @if !failing.is_empty() {
            div.notice.bad {
                p { strong { (count(failing.len(), "source")) " incomplete." } " Previous tokens are kept; new ones may be missing." }
                ul {
                    @for source in failing.iter().take(MAX_NOTICES) {
                        li {
                            a href=(context.links.source(&source.name)) { (source.name) } ": "
                            @match source.failed.keys().next() {
                                Some(reason) => (reason_meaning(*reason).0),
                                None => "The last collection was incomplete.",
                            }
                            " Last complete " (time(source.last_success, context.now)) "."
                        }
                    }
                    @if failing.len() > MAX_NOTICES {
                        li { a href=(context.links.to(path::SOURCE, "")) { "and " (failing.len() - MAX_NOTICES) " more" } }
                    }
                }
            }
        }
        @if !waiting.is_empty() {
            div.notice {
                p {
                    (count(waiting.len(), "source")) " not collected since the start: "
                    @for (number, source) in waiting.iter().take(MAX_NOTICES).enumerate() {
                        @if number > 0 { ", " }
                        a href=(context.links.source(&source.name)) { (source.name) }
                    }
                    @if waiting.len() > MAX_NOTICES { ", …" }
                }
            }
        }
    }
}

fn tiles(context: &Context<'_>, overview: &Overview) -> Markup {
    let bands = [(Band::Expired, "Expired"), (Band::Critical, "Critical"), (Band::Warning, "Warning")];
    let failing = overview.sources.iter().filter(|source| source.up == Some(false)).count();
    let tile = |href: String, class: &str, number: u64, label: &str| {
        html! {
            li { a.{ "tile " (if number > 0 { class } else { "none" }) } href=(href) { strong { (number) } " " span { (label) } } }
        }
    };
    html! {
        ul.tiles aria-label="Summary" {
            @for (band, label) in bands {
                (tile(context.links.tokens(&query(&[("band", band.label())])), band.label(), overview.counts.band(band), label))
            }
            (tile(context.links.to(path::FINDING, ""), "finding", overview.counts.with_findings, "With findings"))
            (tile(context.links.to(path::SOURCE, ""), "bad", failing as u64, "Sources incomplete"))
            (tile(context.links.tokens(""), "soft", overview.counts.tokens, "All tokens"))
        }
    }
}

/// Why there is no token.
fn empty(overview: &Overview) -> Markup {
    html! {
        @if overview.sources.is_empty() {
            p.empty { "No source is configured. Add one to the configuration file." }
        } @else if overview.sources.iter().any(SourceSummary::needs_attention) {
            p.empty { "No token is known yet, since not every source was collected completely." }
        } @else {
            p.empty { "Every source was collected completely, and none has a token." }
        }
    }
}
