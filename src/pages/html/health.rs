//! The health of a source: its last collection, what failed and why, and what the exporter changed or omitted.

use std::borrow::Cow;

use maud::{Markup, html};

use super::context::Context;
use super::layout::{badge, date, fact, time};
use super::table::{Column, table};
use super::words::{adjustment_meaning, reason_meaning};
use crate::core::address::without_domains;
use crate::core::inventory::{FailedScope, Source};
use crate::core::token::Expiry;
use crate::pages::humanize::duration;

/// The class and text of the last collection.
pub(super) fn result(up: Option<bool>) -> (&'static str, &'static str) {
    match up {
        Some(true) => ("good", "complete"),
        Some(false) => ("bad", "incomplete"),
        None => ("soft", "not yet"),
    }
}

pub(super) fn section(context: &Context<'_>, source: &Source) -> Markup {
    html! {
        section aria-labelledby="health" {
            h2 #health { "Health" }
            @if source.up == Some(false) {
                p.notice.bad { "The last collection was incomplete. The tokens of failed scopes stay as they were; new ones may be missing." }
            }
            @if let Some(refusal) = source.refusal.filter(|refusal| !refusal.is_over(context.now)) {
                p.notice.bad {
                    "The provider refused the secret. Nothing is requested until it changes, or until " (date(refusal.retry_at(), context.now))
                    ", since wrong logins can lock the account."
                }
            }
            (facts(context, source))
        }
        (failures(context, source))
        (changes(context, source))
    }
}

fn facts(context: &Context<'_>, source: &Source) -> Markup {
    let now = context.now;
    let (class, text) = result(source.up);
    html! {
        dl.facts {
            (fact("Last collection", &badge(class, text)))
            (fact("Last complete", &time(source.last_success, now)))
            (fact("Last attempt", &time(source.last_attempt, now)))
            @if let Some(length) = source.last_duration { (fact("Duration", &html! { (duration(length)) })) }
            (fact("Interval", &html! { (duration(source.policy.interval)) }))
            (fact("Credential", &html! {
                @match source.credential_expiry {
                    Some(Expiry::Never) => "never expires",
                    Some(Expiry::Unknown) => "its expiry is unreadable",
                    Some(Expiry::At(at) | Expiry::Policy(at)) => {
                        @if let Some(band) = source.credential_band(now) { (badge(band.label(), band.label())) " " }
                        "expires " (date(at, now))
                    }
                    None => span.soft { "expiry not reported" },
                }
            }))
            @if let Some(limit) = source.rate_limit {
                (fact("Rate limit", &html! { (limit.remaining) @if let Some(all) = limit.limit { " of " (all) } " requests left" }))
            }
        }
    }
}

/// The failed scopes by listing and reason, and some of them with the provider's message and the missing permission.
fn failures(context: &Context<'_>, source: &Source) -> Markup {
    let failed = source.listings.iter().flat_map(|(listing, health)| {
        let gaps = health.gaps.iter().filter(|(_, count)| **count > 0);
        gaps.map(move |(reason, count)| (listing, *reason, *count, health.scopes))
    });
    let rows: Vec<Vec<Markup>> = failed
        .map(|(listing, reason, count, scopes)| {
            let (meaning, remedy) = reason_meaning(reason);
            let reason = html! { (meaning) " " strong { (remedy) } span.soft.line { (reason.label()) } };
            vec![html! { (listing) }, reason, html! { (count) " of " (scopes) }]
        })
        .collect();
    let columns = [Column::text("Listing"), Column::text("Reason"), Column::number("Failed scopes")];
    html! {
        @if !rows.is_empty() {
            section aria-labelledby="failures" {
                h2 #failures { "Failed scopes" }
                (table(&html! { span.hidden { "Failed scopes by listing and reason" } }, &columns, rows))
                @for (listing, scopes) in &source.failed_scopes {
                    h3 { "Listing " (listing) }
                    ul.failures { @for scope in scopes { li { (failed_scope(context, scope)) } } }
                }
                p.soft { "At most " (FailedScope::MAX) " of each listing; all are in the log." }
            }
        }
    }
}

fn failed_scope(context: &Context<'_>, failed: &FailedScope) -> Markup {
    let shown = |text| hide_addresses(context, text);
    html! {
        code { (shown(&failed.what)) }
        @if failed.scope != "all" { span.soft.line { "Scope " (shown(&failed.scope)) } }
        @if let Some(message) = &failed.provider_message { span.line { "The provider says: “" (shown(message)) "”" } }
        @if let Some(permission) = &failed.required_permission { span.line { "Missing permission: " strong { (permission) } } }
    }
}

/// A text without the domains of addresses, if these are not exposed. A URL has them in encoded form.
fn hide_addresses<'a>(context: &Context<'_>, text: &'a str) -> Cow<'a, str> {
    if context.labels.owner_email {
        return Cow::Borrowed(text);
    }
    match text.replace("%40", "@") {
        decoded if decoded == text => without_domains(text),
        decoded => Cow::Owned(without_domains(&decoded).into_owned()),
    }
}

/// What the exporter omitted or changed.
fn changes(context: &Context<'_>, source: &Source) -> Markup {
    let adjustments: Vec<_> = source.adjustments.iter().filter(|(_, count)| **count > 0).collect();
    let hidden = |adjustment| context.state.page.labels().applies(adjustment);
    html! {
        @if source.dropped + source.filtered > 0 || !adjustments.is_empty() {
            section aria-labelledby="changes" {
                h2 #changes { "Omitted and changed" }
                dl.facts {
                    @if source.dropped > 0 { (fact("Dropped", &html! { span.bad { (source.dropped) } " over " code { "token_limit" } " (" (source.policy.token_limit) ")" })) }
                    @if source.filtered > 0 { (fact("Excluded", &html! { (source.filtered) " by rules" })) }
                    @for (adjustment, count) in adjustments.into_iter().filter(|(adjustment, _)| hidden(**adjustment)) {
                        (fact(adjustment.label(), &html! { (count) " — " (adjustment_meaning(*adjustment)) }))
                    }
                }
            }
        }
    }
}
