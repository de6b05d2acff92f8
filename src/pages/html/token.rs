//! `/token/SOURCE/ID`: everything about one token.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{Markup, html};

use super::alerting;
use super::bar::bar;
use super::context::{Context, Page, respond};
use super::layout::{Section, badge, date, document, fact, time};
use super::link::{Links, query};
use super::not_found;
use super::table::{Column, table};
use super::words::{finding_meaning, finding_title, status, time_left};
use crate::core::inventory::{Inventory, TokenView};
use crate::core::owners::TEAM_LABEL;
use crate::core::token::{LastUse, State as TokenState};
use crate::core::web_url::web_url;
use crate::pages::display::{display_name, manage_url};
use crate::pages::filter::{Parameters, parse};
use crate::pages::state::AppState;

/// The most rotations that are shown.
const MAX_ROTATIONS: usize = 20;

pub(in crate::pages) async fn get(
    State(state): State<Arc<AppState>>,
    uri: Uri,
    Path((source, id)): Path<(String, String)>,
) -> Result<Response, Response> {
    respond(state, &uri, "page of a token", move |context| page(context, &source, &id)).await
}

/// Source and id as parameters: for ids that a path cannot have, and for templates that can encode a query only.
#[derive(Default)]
struct TokenAddress {
    source: String,
    id: String,
}

impl Parameters for TokenAddress {
    fn names(&self) -> &'static [&'static str] {
        &["source", "id"]
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let field = if name == "id" { &mut self.id } else { &mut self.source };
        value.clone_into(field);
        Ok(())
    }

    fn pairs(&self) -> Vec<(&'static str, String)> {
        vec![("source", self.source.clone()), ("id", self.id.clone())]
    }
}

/// `/token?source=…&id=…`; without parameters the list of tokens.
pub(in crate::pages) async fn get_by_query(
    State(state): State<Arc<AppState>>,
    uri: Uri,
    RawQuery(query): RawQuery,
) -> Result<Response, Response> {
    let mut address = TokenAddress::default();
    let query = query.unwrap_or_default();
    if query.is_empty() {
        return Ok(Redirect::temporary(&Links::from_path("/").tokens("")).into_response());
    }
    let problem = parse(&query, &mut [&mut address]).err();
    respond(state, &uri, "page of a token", move |context| match problem {
        Some(problem) => not_found::bad_request(context, &problem),
        None => page(context, &address.source, &address.id),
    })
    .await
}

fn page(context: &Context<'_>, source: &str, id: &str) -> Page {
    let inventory = context.state.inventory.read();
    let Some(view) = inventory.token(source, id, context.now) else {
        let sources: Vec<String> = inventory.sources().map(|(name, _)| name.to_owned()).collect();
        drop(inventory);
        return not_found::token(context, source, id, &sources);
    };
    let content = html! {
        p.soft { (view.token.kind) " of the source " a href=(context.links.source(view.source)) { (view.source) } }
        (headline(context, &view))
        (warning(context, &inventory, &view))
        (renewal(&view))
        (locations(&view))
        (facts(context, &view))
        (findings(context, &view))
        (alerting::section(context, &view))
        (rotations(context, &inventory, &view))
    };
    (StatusCode::OK, document(context, display_name(&view), Section::Tokens, &content))
}

/// The most important: when it expires, and where it is renewed.
fn headline(context: &Context<'_>, view: &TokenView<'_>) -> Markup {
    let (class, text) = status(view.state, view.band);
    let words = time_left(view.expires, context.now);
    let words = if words.starts_with("in ") { format!("expires {words}") } else { words };
    html! {
        div.headline.(class) {
            p.big { (badge(class, text)) " " strong { (words) } }
            @if let Some(bands) = &view.bands { (bar(bands, view.band, context.now)) }
            @if let Some(at) = view.expires.timestamp() { p { (date(at, context.now)) } }
            @if let Some(url) = manage_url(view) {
                p { a.button href=(url) rel="noreferrer" { "Renew at the provider" } }
            }
        }
    }
}

/// Whether what the page shows may be out of date.
fn warning(context: &Context<'_>, inventory: &Inventory, view: &TokenView<'_>) -> Markup {
    let Some(source) = inventory.source(view.source).filter(|source| source.up == Some(false)) else {
        return Markup::default();
    };
    html! {
        p.notice.bad {
            "The source " a href=(context.links.source(view.source)) { (view.source) }
            " is incomplete. This is what the exporter knew last; the last complete collection was " (time(source.last_success, context.now)) "."
        }
    }
}

fn facts(context: &Context<'_>, view: &TokenView<'_>) -> Markup {
    let (token, now) = (view.token, context.now);
    let other_labels = view.labels.iter().filter(|(name, value)| *name != TEAM_LABEL && !value.is_empty());
    html! {
        section aria-labelledby="facts" {
            h2 #facts { "Facts" }
            dl.facts {
                (fact("Id", &html! { code { (token.id) } }))
                (fact("Provider", &html! { (view.provider) }))
                (fact("Listing", &html! { (view.listing) }))
                @if context.labels.owner {
                    (fact("Owner", &html! {
                        @match context.labels.owner_name(view).filter(|name| !name.is_empty()) {
                            Some(name) => a href=(context.links.owner(&name)) { bdi { (name) } },
                            None => span.soft { "nobody" },
                        }
                    }))
                }
                @if let Some(address) = context.labels.owner_email(view) { (fact("Address", &html! { (address) })) }
                @if let Some(team) = view.labels.get(TEAM_LABEL) {
                    (fact("Team", &html! { a href=(context.links.tokens(&query(&[("team", team)]))) { (team) } }))
                }
                (fact("Created", &html! { @match token.created_at { Some(at) => (date(at, now)), None => span.soft { "not reported" } } }))
                (fact("Last used", &html! {
                    @match token.last_used {
                        LastUse::At(at) => (date(at, now)),
                        LastUse::Never => "never",
                        LastUse::NotReported => span.soft { "not reported" },
                    }
                }))
                (fact("Scopes", &html! {
                    @if token.scopes.is_empty() { span.soft { "not reported" } }
                    @for (number, scope) in token.scopes.iter().enumerate() { @if number > 0 { ", " } code { (scope) } }
                }))
                @for (name, value) in other_labels { (fact(name, &html! { (value) })) }
            }
        }
    }
}

fn findings(context: &Context<'_>, view: &TokenView<'_>) -> Markup {
    html! {
        @if !view.findings.is_empty() {
            section aria-labelledby="findings" {
                h2 #findings { "Findings" }
                dl.facts {
                    @for finding in view.findings.iter() {
                        @let (meaning, remedy) = finding_meaning(finding);
                        div {
                            dt { a href=(context.links.finding(finding)) { (finding_title(finding)) } }
                            dd { (meaning) " " (remedy) }
                        }
                    }
                }
            }
        }
    }
}

fn renewal(view: &TokenView<'_>) -> Markup {
    let Some(renewal) = view.renewal() else { return Markup::default() };
    html! {
        section aria-labelledby="renewal" {
            h2 #renewal { "How to renew it" }
            ul.steps { @for step in &renewal.steps { li { (step) } } }
            @if let Some(docs) = renewal.docs.as_deref().and_then(web_url) {
                p { a href=(docs) rel="noreferrer" { "The provider's documentation" } }
            }
        }
    }
}

fn locations(view: &TokenView<'_>) -> Markup {
    html! {
        section aria-labelledby="locations" {
            h2 #locations { "Where it is used" }
            @if view.locations.iter().next().is_none() {
                p { "No location is known. A rule can note one with " code { "used_in" } "." }
            } @else {
                ul { @for location in view.locations.iter() { li { (location) } } }
            }
        }
    }
}

/// The tokens of the same kind, owner and name: those that it replaced, and the one that replaces it.
fn rotations(context: &Context<'_>, inventory: &Inventory, view: &TokenView<'_>) -> Markup {
    let mut found: Vec<TokenView<'_>> = inventory.rotations(view, context.now).collect();
    found.sort_by_key(|other| std::cmp::Reverse((other.token.created_at, other.expires.timestamp())));
    let rows = found.iter().take(MAX_ROTATIONS).map(|other| {
        let (class, text) = status(other.state, other.band);
        vec![
            html! { a href=(context.links.token(other.source, &other.token.id)) { (other.token.id) } },
            html! { @match other.token.created_at { Some(at) => (date(at, context.now)), None => span.soft { "not reported" } } },
            html! { (time_left(other.expires, context.now)) },
            badge(class, text),
        ]
    });
    let columns = [Column::text("Id"), Column::text("Created"), Column::text("Expires"), Column::text("Status")];
    html! {
        section aria-labelledby="rotations" {
            h2 #rotations { "Rotations" }
            @if found.is_empty() {
                p { "No other token of this kind, owner and name is known." }
            } @else {
                p {
                    @if view.state == TokenState::Replaced { "A newer token replaces this one, so it does not alert. " }
                    "Tokens of the same kind, owner and name, the newest first. One that is missing at the provider is removed."
                }
                (table(&html! { span.hidden { "Rotations" } }, &columns, rows))
                @if found.len() > MAX_ROTATIONS { p.soft { "The newest " (MAX_ROTATIONS) " of " (found.len()) "." } }
            }
        }
    }
}
