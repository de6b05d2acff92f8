//! `/owner`: everybody who owns a token. `/owner/NAME`: the tokens of one of them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::context::{Context, Page, respond};
use super::layout::{Section, count, document, time};
use super::link::query;
use super::listing::{Listing, Selected};
use super::named::Name;
use super::not_found;
use super::overview::Counts;
use super::table::{Column, table};
use crate::core::inventory::TokenView;
use crate::core::lead::Band;
use crate::core::owners::TEAM_LABEL;
use crate::pages::filter::{Window, parse};
use crate::pages::path;
use crate::pages::state::AppState;

/// Owners on a page of the index.
const OWNERS: usize = 100;

const KEY: &str = "Its key opens this calendar without a login: give the link only to those who may see these tokens.";

const ACCESS: &str = "Every user who may read this site sees the tokens of all owners. The users of the web configuration are not owners.";

pub(in crate::pages) async fn get(
    State(state): State<Arc<AppState>>,
    uri: Uri,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Response> {
    let query = query.unwrap_or_default();
    respond(state, &uri, "page of an owner", move |context| page(context, &name, &query)).await
}

pub(in crate::pages) async fn index(
    State(state): State<Arc<AppState>>,
    uri: Uri,
    RawQuery(query): RawQuery,
) -> Result<Response, Response> {
    let query = query.unwrap_or_default();
    respond(state, &uri, "page of owners", move |context| {
        let (mut name, mut window) = (Name::default(), Window::new(OWNERS, OWNERS));
        match parse(&query, &mut [&mut name, &mut window]) {
            Err(problem) => not_found::bad_request(context, &problem),
            Ok(()) => match name.0 {
                Some(name) => page(context, &name, ""),
                None => owners(context, window),
            },
        }
    })
    .await
}

fn page(context: &Context<'_>, name: &str, parameters: &str) -> Page {
    if !context.labels.owner {
        return not_found::owners_hidden(context);
    }
    let mut list = Listing::new(context.links.owner(name));
    list.filter.owners = vec![name.to_lowercase()];
    list.shows_owner = false;
    if let Err(problem) = parse(parameters, &mut [&mut list.sort, &mut list.window]) {
        return not_found::bad_request(context, &problem);
    }
    let inventory = context.state.inventory.read();
    let mut counts = Counts::default();
    let (mut teams, mut addresses) = (BTreeSet::new(), BTreeSet::new());
    let is_owned = |view: &TokenView<'_>| list.filter.matches(view, context.labels, context.now);
    for view in inventory.tokens(context.now).filter(is_owned) {
        counts.add(&view);
        teams.extend(view.labels.get(TEAM_LABEL).map(|team| format!("team {team}")));
        addresses.extend(context.labels.owner_email(&view).map(str::to_owned));
    }
    let selected = list.select(context, &inventory);
    drop(inventory);
    if counts.tokens == 0 {
        return not_found::owner(context, name);
    }
    let about: Vec<String> = teams.into_iter().chain(addresses).collect();
    (
        StatusCode::OK,
        document(context, name, Section::Owners, &content(context, name, &list, &selected, &counts, &about)),
    )
}

fn content(
    context: &Context<'_>,
    name: &str,
    list: &Listing,
    selected: &Selected,
    counts: &Counts,
    about: &[String],
) -> Markup {
    let of_owner = query(&[("owner", name)]);
    // A reader of this page may read the calendar anyway, and a calendar program cannot log in.
    let keyed = context.state.calendar_key.as_ref().and_then(|key| key.query(&list.filter));
    html! {
        p.soft {
            (count(usize::try_from(counts.tokens).unwrap_or(usize::MAX), "token"))
            @for fact in about { " · " bdi { (fact) } }
        }
        p { (due(counts)) }
        p.actions {
            a.button href=(context.links.to(path::CALENDAR, keyed.as_ref().unwrap_or(&of_owner))) { "Calendar of these tokens" }
            " " a href=(context.links.to(path::TOKENS, &of_owner)) { "As JSON" }
        }
        section aria-labelledby="tokens" {
            h2 #tokens { "Tokens" }
            p.soft { (list.range(selected.total)) }
            (list.table(context, selected, "Tokens of this owner; due ones first, then by expiry"))
        }
        p.soft {
            "To subscribe, copy the link of the calendar into your calendar program. "
            @if keyed.is_some() { (KEY) " " }
            (ACCESS)
        }
    }
}

/// `1 expired, 2 critical`.
fn due(counts: &Counts) -> Markup {
    let due: Vec<_> = Band::ALL.into_iter().rev().filter(|band| counts.band(*band) > 0).collect();
    html! {
        @if due.is_empty() { span.good { "No token is due." } }
        @for (number, band) in due.iter().enumerate() {
            @if number > 0 { ", " }
            span.(band.label()) { (counts.band(*band)) " " (band.label()) }
        }
    }
}

/// An owner in the index.
#[derive(Default)]
struct Summary {
    counts: Counts,
    team: Option<String>,
    /// When the next active token expires.
    next: Option<DateTime<Utc>>,
}

fn owners(context: &Context<'_>, window: Window) -> Page {
    if !context.labels.owner {
        return not_found::owners_hidden(context);
    }
    let mut owners: BTreeMap<String, Summary> = BTreeMap::new();
    let mut unowned = 0;
    let inventory = context.state.inventory.read();
    for view in inventory.tokens(context.now) {
        let Some(name) = context.labels.owner_name(&view).filter(|name| !name.is_empty()) else {
            unowned += 1;
            continue;
        };
        let summary = match owners.get_mut(&*name) {
            Some(summary) => summary,
            None => owners.entry(Cow::into_owned(name)).or_default(),
        };
        summary.counts.add(&view);
        summary.team = summary.team.take().or_else(|| view.labels.get(TEAM_LABEL).cloned());
        let next = view.bands.map(|bands| bands.expired).filter(|at| *at > context.now);
        summary.next = [summary.next, next].into_iter().flatten().min();
    }
    drop(inventory);
    let mut owners: Vec<(String, Summary)> = owners.into_iter().collect();
    owners.sort_by_key(|(_, summary)| summary.counts.urgency());
    let content = html! {
        p { (count(owners.len(), "owner")) ", the most urgent first." @if unowned > 0 { " " (count(unowned, "token")) " without an owner." } }
        @if owners.is_empty() { p.empty { "No token has an owner." } } @else { (index_table(context, window.of(&owners))) }
        (pager(context, window, owners.len()))
        p.soft { (ACCESS) }
    };
    (StatusCode::OK, document(context, "Owners", Section::Owners, &content))
}

fn index_table(context: &Context<'_>, owners: &[(String, Summary)]) -> Markup {
    let mut columns = vec![Column::text("Owner"), Column::text("Team"), Column::number("Tokens")];
    columns.extend(["Warning", "Critical", "Expired", "With findings"].map(Column::number));
    columns.push(Column::text("Next expiry"));
    let rows = owners.iter().map(|(name, Summary { counts, team, next })| {
        let number = |band: Band| html! { span.(if counts.band(band) > 0 { band.label() } else { "soft" }) { (counts.band(band)) } };
        let mut cells = vec![
            html! { a href=(context.links.owner(name)) { bdi { (name) } } },
            html! { (team.as_deref().unwrap_or_default()) },
            html! { (counts.tokens) },
        ];
        cells.extend(Band::ALL.map(number));
        cells.push(html! { (counts.with_findings) });
        cells.push(html! { @if next.is_some() { (time(*next, context.now)) } });
        cells
    });
    table(&html! { span.hidden { "Owners, the most urgent first" } }, &columns, rows)
}

fn pager(context: &Context<'_>, window: Window, total: usize) -> Markup {
    let link = |window: Window| context.links.to(path::OWNER, &query(&[("offset", &window.offset.to_string())]));
    html! {
        @if total > OWNERS {
            nav.pager aria-label="Pages of the list" {
                @if let Some(window) = window.previous(total) { a rel="prev" href=(link(window)) { "← Previous" } }
                @if let Some(window) = window.next(total) { a rel="next" href=(link(window)) { "Next →" } }
            }
        }
    }
}
