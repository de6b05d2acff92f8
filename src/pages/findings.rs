//! `/api/v1/findings`: every policy that a token violates, with the token.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::json;

use super::api::{Depends, Format, Page, Request, bad_request};
use super::csv;
use super::filter::{self, Filter, Sort, Window};
use super::json::to_json;
use super::state::AppState;
use crate::core::inventory::TokenView;

pub(super) async fn get(
    State(state): State<Arc<AppState>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Response> {
    let (mut filter, mut sort) = (Filter::default(), Sort::default());
    let query = query.unwrap_or_default();
    let request = Request::parse(&state, &headers, &query, &mut [&mut filter, &mut sort], Depends::Tokens)
        .map_err(|why| bad_request(&why))?;
    request.respond(state, "findings", move |state, format, window| list(state, &filter, sort, format, window)).await
}

fn list(state: &AppState, filter: &Filter, sort: Sort, format: Format, window: Window) -> Page {
    let labels = state.page.labels();
    let now = (state.clock)();
    let inventory = state.inventory.read();
    let views = filter::select(&inventory, filter, sort, labels, now);
    let is_wanted = |finding| filter.findings.is_empty() || filter.findings.contains(&finding);
    let of_view = |view: &TokenView<'_>| {
        view.findings.iter().filter(|finding| is_wanted(*finding)).map(|finding| finding.label()).collect::<Vec<_>>()
    };
    let rows: Vec<_> =
        views.iter().flat_map(|view| of_view(view).into_iter().map(move |finding| (finding, view))).collect();
    let total = rows.len();
    let part = window.of(&rows);
    match format {
        Format::Json => {
            let row = |(finding, view): &(&str, &_)| json!({"finding": finding, "token": to_json(view, labels)});
            Page::json(state, "findings", total, window, part.iter().map(row).collect())
        }
        Format::Csv => Page { total, body: csv::tokens_with("finding", part.iter().copied(), labels) },
    }
}
