//! The frame of every page: one document with one style and one script, without other resources.

use chrono::{DateTime, Utc};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::context::Context;
use crate::pages::humanize::{relative, rfc3339};
use crate::pages::path;

pub(in crate::pages) const STYLE: &str = include_str!("style.css");

/// Submits the filters as they change. Every page works without it.
pub(in crate::pages) const SCRIPT: &str = include_str!("script.js");

/// The parts of the site, in the order of the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Tokens,
    Owners,
    Findings,
    Sources,
}

impl Section {
    const ALL: [(Self, &'static str, &'static str); 4] = [
        (Self::Tokens, "Tokens", path::STATUS),
        (Self::Owners, "Owners", path::OWNER),
        (Self::Findings, "Findings", path::FINDING),
        (Self::Sources, "Sources", path::SOURCE),
    ];
}

pub(super) fn document(context: &Context<'_>, title: &str, section: Section, content: &Markup) -> Markup {
    let Context { state, links, now, .. } = context;
    let site = "Token expiry";
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { @if title != site { (title) " · " } (site) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#content" { "Skip to the content" }
                header.top {
                    a.brand href=(links.tokens("")) { (site) }
                    nav aria-label="Pages" {
                        @for (other, name, path) in Section::ALL {
                            a href=(links.to(path, "")) aria-current=[(other == section).then_some("true")] { (name) }
                        }
                    }
                }
                main id="content" tabindex="-1" {
                    h1 class=[(title == site).then_some("hidden")] { bdi { (title) } }
                    (content)
                }
                footer {
                    p { "token-expiry-exporter " (state.version) " · as of " time datetime=(rfc3339(*now)) { (minute(*now)) } }
                    nav aria-label="Data" {
                        a href=(links.to(&state.telemetry_path.to_string(), "")) { "Metrics" }
                        a href=(links.to(path::TOKENS, "")) { "Tokens as JSON" }
                        a href=(links.to(path::CALENDAR, "")) { "Calendar" }
                    }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
}

/// A time relative to now, with the timestamp as tooltip.
pub(super) fn time(at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Markup {
    let Some(at) = at else { return html! { span.soft { "never" } } };
    let timestamp = rfc3339(at);
    html! { time datetime=(timestamp) title=(timestamp) { (relative(at, now)) } }
}

/// A time as a date, and relative to now.
pub(super) fn date(at: DateTime<Utc>, now: DateTime<Utc>) -> Markup {
    html! { time datetime=(rfc3339(at)) { (minute(at)) } " " span.soft { "(" (relative(at, now)) ")" } }
}

/// A timestamp to the minute.
pub(super) fn minute(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// A status of one or two words. The words say it, the colour repeats it.
pub(super) fn badge(class: &str, text: &str) -> Markup {
    html! { span.{ "badge " (class) } { (text) } }
}

/// A row of facts: a term and its value.
pub(super) fn fact(term: &str, value: &Markup) -> Markup {
    html! { div { dt { (term) } dd { (value) } } }
}

/// `1 token`, `2 tokens`.
pub(super) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
