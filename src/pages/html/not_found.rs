//! Pages for addresses without content, each with the way on.

use axum::http::StatusCode;
use maud::{Markup, html};

use super::context::{Context, Page};
use super::layout::{Section, document};
use super::link::query;
use crate::pages::path;
use crate::schema::diagnostic::nearest;

fn page(context: &Context<'_>, title: &str, section: Section, content: &Markup) -> Page {
    (StatusCode::NOT_FOUND, document(context, title, section, content))
}

pub(super) fn token(context: &Context<'_>, source: &str, id: &str, sources: &[String]) -> Page {
    let content = html! {
        @if sources.iter().any(|name| name == source) {
            p { "The source " a href=(context.links.source(source)) { (source) } " has no token with the id " code { (id) } "." }
            p { "It may have been rotated or revoked. A token that is missing at its provider is removed, and one that has expired after " code { "expired_retention" } "." }
        } @else {
            p { "No source has the name " code { (source) } "." (suggestion(context, source, sources)) }
        }
        p { a href=(context.links.tokens(&query(&[("q", id)]))) { "Search for it" } " or " a href=(context.links.tokens("")) { "see all tokens" } "." }
    };
    page(context, "Token not found", Section::Tokens, &content)
}

pub(super) fn source(context: &Context<'_>, name: &str, sources: &[String]) -> Page {
    let content = html! {
        p { "No source has the name " code { (name) } "." (suggestion(context, name, sources)) }
        p { a href=(context.links.to(path::SOURCE, "")) { "See all sources" } "." }
    };
    page(context, "Source not found", Section::Sources, &content)
}

fn suggestion(context: &Context<'_>, name: &str, sources: &[String]) -> Markup {
    let near = nearest(name, sources.iter().map(String::as_str));
    html! { @if let Some(near) = near { " Did you mean " a href=(context.links.source(near)) { (near) } "?" } }
}

pub(super) fn owner(context: &Context<'_>, name: &str) -> Page {
    let content = html! {
        p { "No token has the owner " code { (name) } "." }
        p { "An owner is known by the name, id or address that a provider reports, or that " code { "owners" } " in the configuration gives." }
        p { a href=(context.links.to(path::OWNER, "")) { "See all owners" } " or " a href=(context.links.tokens(&query(&[("q", name)]))) { "search for the name" } "." }
    };
    page(context, "Owner not found", Section::Owners, &content)
}

pub(super) fn owners_hidden(context: &Context<'_>) -> Page {
    let content = html! {
        p { "The configuration hides owners. To show them, set " code { "labels: {owner: true}" } "." }
        p { a href=(context.links.tokens("")) { "See all tokens" } "." }
    };
    page(context, "Owners are hidden", Section::Owners, &content)
}

pub(super) fn finding(context: &Context<'_>, name: &str) -> Page {
    let content = html! {
        p { "No finding has the name " code { (name) } "." }
        p { a href=(context.links.to(path::FINDING, "")) { "See all findings" } "." }
    };
    page(context, "Finding not found", Section::Findings, &content)
}

/// An unknown path, for a browser.
pub(super) fn path(context: &Context<'_>, path: &str) -> Page {
    let content = html! {
        p { "There is no page at " code { (path) } "." }
        p { a href=(context.links.tokens("")) { "See all tokens" } "." }
    };
    page(context, "Page not found", Section::Tokens, &content)
}

/// Parameters with an error.
pub(super) fn bad_request(context: &Context<'_>, problem: &str) -> Page {
    let content = html! {
        p.notice.bad { "The address has an error: " (problem) "." }
        p { a href=(context.links.tokens("")) { "See all tokens" } "." }
    };
    (StatusCode::BAD_REQUEST, document(context, "Error in the address", Section::Tokens, &content))
}
