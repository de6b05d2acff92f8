//! The form that filters the list of tokens. Its fields are the parameters of the API.

use std::cmp::Reverse;

use maud::{Markup, html};

use super::context::Context;
use super::link::query;
use super::overview::{Choices, Values};
use super::words::finding_title;
use crate::core::inventory::Finding;
use crate::core::lead::Band;
use crate::core::token::State;
use crate::pages::filter::{Filter, Parameters as _, Sort, SortKey};

/// The most values of a list to choose from; more are suggestions for a text, of which the most frequent are shown.
const MAX_OPTIONS: usize = 100;

/// A field to choose one value.
struct Field<'a> {
    name: &'static str,
    label: &'static str,
    /// The values that the filter has.
    chosen: Vec<&'a str>,
}

pub(super) fn form(context: &Context<'_>, choices: &Choices, filter: &Filter, sort: Sort) -> Markup {
    let pairs = filter.pairs();
    let chosen = |name: &str| pairs.iter().filter(|(other, _)| *other == name).map(|(_, value)| &**value).collect();
    let field = |name, label| Field { name, label, chosen: chosen(name) };
    let search: Vec<&str> = chosen("q");
    let labels = |list: &[&'static str]| list.iter().map(|label| (*label, (*label).to_owned())).collect::<Vec<_>>();
    let bands = labels(&Band::ALL.map(Band::label));
    let states = labels(&State::ALL.map(State::label));
    let findings: Vec<_> =
        Finding::ALL.into_iter().map(|finding| (finding.label(), finding_title(finding).to_owned())).collect();
    let has_more = pairs.iter().any(|(name, _)| *name != "q");
    html! {
        form role="search" aria-label="Tokens" method="get" action=(context.links.tokens("")) {
            div.search {
                label for="q" { "Search" }
                input #q type="search" name="q" value=(search.first().unwrap_or(&"")) placeholder="Name, owner, location" autocomplete="off";
                button type="submit" { "Search" }
            }
            details.filters open[has_more] {
                summary { "Filters and order" }
                div.fields {
                    (field("band", "Due").select(&bands))
                    (field("provider", "Provider").values(&choices.providers))
                    (field("source", "Source").values(&choices.sources))
                    @if context.labels.owner { (field("owner", "Owner").values(&choices.owners)) }
                    @if !choices.teams.is_empty() { (field("team", "Team").values(&choices.teams)) }
                    (field("kind", "Kind").values(&choices.kinds))
                    (field("state", "State").select(&states))
                    (field("finding", "Finding").select(&findings))
                    (field("within", "Expires within").select(&[("1d", "1 day".to_owned()), ("7d", "7 days".to_owned()), ("30d", "30 days".to_owned()), ("90d", "90 days".to_owned())]))
                    (order(sort))
                    button type="submit" { "Apply" }
                }
            }
            @for text in search.iter().skip(1) { input type="hidden" name="q" value=(text); }
        }
        (active(context, &pairs, sort))
    }
}

fn order(sort: Sort) -> Markup {
    let orders = [
        (SortKey::Expiry, "Expiry"),
        (SortKey::Name, "Name"),
        (SortKey::Owner, "Owner"),
        (SortKey::Source, "Source"),
        (SortKey::Kind, "Kind"),
        (SortKey::LastUsed, "Last use"),
    ];
    html! {
        div.field {
            label for="sort" { "Order" }
            select #sort name="sort" {
                @for (key, label) in orders {
                    @let is_key = sort.key == key;
                    @let value = if key == SortKey::default() { "" } else { key.label() };
                    option value=(value) selected[is_key && !sort.is_descending] { (label) }
                    option value={ "-" (key.label()) } selected[is_key && sort.is_descending] { (label) ", reversed" }
                }
            }
        }
    }
}

/// The filters that apply, each with a link that removes it.
fn active(context: &Context<'_>, pairs: &[(&'static str, String)], sort: Sort) -> Markup {
    let sort = sort.pairs();
    let without = |removed: usize| {
        let kept = pairs.iter().enumerate().filter(|(number, _)| *number != removed).map(|(_, pair)| pair);
        let kept: Vec<(&str, &str)> = kept.chain(&sort).map(|(name, value)| (*name, value.as_str())).collect();
        context.links.tokens(&query(&kept))
    };
    html! {
        @if !pairs.is_empty() {
            ul.active aria-label="Active filters" {
                @for (number, (name, value)) in pairs.iter().enumerate() {
                    li {
                        a href=(without(number)) {
                            span { @if *name == "q" { "search" } @else { (name) } ": " (value) }
                            span.hidden { ", remove" }
                            span aria-hidden="true" { " ×" }
                        }
                    }
                }
                li { a.quiet href=(context.links.tokens("")) { "Remove all" } }
            }
        }
    }
}

impl Field<'_> {
    /// A choice among these values, or a text with suggestions if there are too many.
    fn values(&self, values: &Values) -> Markup {
        if values.len() <= MAX_OPTIONS {
            let options: Vec<_> =
                values.iter().map(|(value, count)| (value.as_str(), format!("{value} ({count})"))).collect();
            return self.select(&options);
        }
        let mut frequent: Vec<(&String, &u64)> = values.iter().collect();
        frequent.sort_by_key(|(_, count)| Reverse(**count));
        html! {
            div.field {
                label for=(self.name) { (self.label) }
                input #(self.name) name=(self.name) list={ (self.name) "-values" } value=(self.chosen.first().unwrap_or(&"")) autocomplete="off";
                datalist #{ (self.name) "-values" } {
                    @for (value, _) in frequent.iter().take(MAX_OPTIONS) { option value=(value) {} }
                }
            }
            (self.others())
        }
    }

    /// A choice among these values with their texts, or any.
    fn select(&self, options: &[(&str, String)]) -> Markup {
        let chosen = self.chosen.first().copied();
        let is_chosen = |value: &str| chosen.is_some_and(|chosen| value == chosen || value.to_lowercase() == chosen);
        let is_listed =
            chosen.is_none_or(|chosen| options.iter().any(|(value, _)| is_chosen(value) || *value == chosen));
        html! {
            div.field {
                label for=(self.name) { (self.label) }
                select #(self.name) name=(self.name) {
                    option value="" { "Any" }
                    @if let (Some(chosen), false) = (chosen, is_listed) { option value=(chosen) selected { (chosen) } }
                    @for (value, text) in options { option value=(value) selected[is_chosen(value)] { (text) } }
                }
            }
            (self.others())
        }
    }

    /// The URL may have more values than the field shows; they stay.
    fn others(&self) -> Markup {
        html! { @for value in self.chosen.iter().skip(1) { input type="hidden" name=(self.name) value=(value); } }
    }
}
