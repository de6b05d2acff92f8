//! `/finding`: every policy and how many tokens violate it. `/finding/NAME`: the tokens that violate one.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use maud::html;

use super::context::{Context, Page, respond};
use super::layout::{Section, document};
use super::link::query;
use super::listing::Listing;
use super::named::Name;
use super::not_found;
use super::table::{Column, table};
use super::words::{finding_meaning, finding_title};
use crate::core::inventory::Finding;
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
    respond(state, &uri, "page of a finding", move |context| page(context, &name, &query)).await
}

pub(in crate::pages) async fn index(
    State(state): State<Arc<AppState>>,
    uri: Uri,
    RawQuery(query): RawQuery,
) -> Result<Response, Response> {
    let query = query.unwrap_or_default();
    respond(state, &uri, "page of findings", move |context| {
        let mut name = Name::default();
        match parse(&query, &mut [&mut name]) {
            Err(problem) => not_found::bad_request(context, &problem),
            Ok(()) => name.0.map_or_else(|| findings(context), |name| page(context, &name, "")),
        }
    })
    .await
}

fn page(context: &Context<'_>, name: &str, parameters: &str) -> Page {
    let Some(finding) = Finding::ALL.into_iter().find(|finding| finding.label() == name) else {
        return not_found::finding(context, name);
    };
    let mut list = Listing::new(context.links.finding(finding));
    list.filter.findings = vec![finding];
    if let Err(problem) = parse(parameters, &mut [&mut list.sort, &mut list.window]) {
        return not_found::bad_request(context, &problem);
    }
    let inventory = context.state.inventory.read();
    let selected = list.select(context, &inventory);
    drop(inventory);
    let (meaning, remedy) = finding_meaning(finding);
    let of_finding = query(&[("finding", finding.label())]);
    let content = html! {
        p { (meaning) " " strong { (remedy) } }
        section aria-labelledby="tokens" {
            h2 #tokens { "Tokens" }
            p.soft { (list.range(selected.total)) " with the finding " code { (finding.label()) } }
            (list.table(context, &selected, "Tokens with this finding; due ones first, then by expiry"))
        }
        @if selected.total > 0 {
            p.actions {
                a href=(context.links.tokens(&of_finding)) { "Filter these tokens" } " " a href=(context.links.to(path::TOKENS, &of_finding)) { "As JSON" }
            }
        }
    };
    (StatusCode::OK, document(context, finding_title(finding), Section::Findings, &content))
}

fn findings(context: &Context<'_>) -> Page {
    let mut counts = Finding::ALL.map(|finding| (finding, 0_u64));
    let inventory = context.state.inventory.read();
    for view in inventory.tokens(context.now).filter(|view| !view.findings.is_empty()) {
        for (finding, count) in &mut counts {
            *count += u64::from(view.findings.contains(*finding));
        }
    }
    drop(inventory);
    let columns = [Column::text("Finding"), Column::number("Tokens"), Column::text("Meaning"), Column::text("Remedy")];
    let rows = counts.into_iter().map(|(finding, count)| {
        let (meaning, remedy) = finding_meaning(finding);
        vec![
            html! { a href=(context.links.finding(finding)) { (finding_title(finding)) } },
            html! { span.(if count > 0 { "strong" } else { "soft" }) { (count) } },
            html! { (meaning) },
            html! { (remedy) },
        ]
    });
    let content = html! {
        p { "A finding is a policy that an active token violates. The limits are under " code { "policy" } " in the configuration." }
        (table(&html! { span.hidden { "Findings" } }, &columns, rows))
    };
    (StatusCode::OK, document(context, "Findings", Section::Findings, &content))
}
