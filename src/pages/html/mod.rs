//! The pages for people: tokens, owners, findings and sources, rendered by the server.
//!
//! `maud` checks the templates when the program is compiled, and escapes every value. The inventory is locked while rows are
//! copied, and for the page of one token or source; never while a list is rendered.

mod alerting;
mod bar;
mod context;
mod filter_form;
mod finding;
mod fleet;
mod health;
mod home;
mod layout;
mod link;
mod listing;
mod named;
mod not_found;
mod overview;
mod owner;
mod source;
mod table;
mod token;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use axum::routing::get;

use super::path;
use super::path::RoutePrefix;
use super::state::AppState;

pub(super) use layout::{SCRIPT, STYLE};

pub(super) fn routes(prefix: &RoutePrefix) -> Router<Arc<AppState>> {
    let below = |page: &str, names: &str| prefix.with(&format!("{page}/{names}"));
    Router::new()
        .route(&prefix.with(path::STATUS), get(home::get))
        .route(&prefix.with(path::TOKEN), get(token::get_by_query))
        .route(&below(path::TOKEN, "{source}/{*id}"), get(token::get))
        .route(&prefix.with(path::OWNER), get(owner::index))
        .route(&below(path::OWNER, "{*name}"), get(owner::get))
        .route(&prefix.with(path::FINDING), get(finding::index))
        .route(&below(path::FINDING, "{*name}"), get(finding::get))
        .route(&prefix.with(path::SOURCE), get(source::index))
        .route(&below(path::SOURCE, "{*name}"), get(source::get))
}

/// The page for an unknown path.
pub(super) async fn unknown_path(State(state): State<Arc<AppState>>, uri: Uri) -> Result<Response, Response> {
    let path = uri.path().to_owned();
    context::respond(state, &uri, "page for an unknown path", move |context| not_found::path(context, &path)).await
}
