//! The rules.

use std::sync::Arc;

use regex::Regex;

use super::{SourceConfig, lead};
use crate::core::address;
use crate::core::lead::Lead;
use crate::core::location::{Location, LocationKind};
use crate::core::renewal::Renewal;
use crate::core::rules::{Match, Rule};
use crate::core::token::{Owner, State};
use crate::schema::diagnostic::{Span, suggest};
use crate::schema::reader::Reader;
use crate::schema::record::Record;

/// A provider or a kind that a rule names, to be checked when the providers are known.
#[derive(Clone, Debug)]
pub struct Named {
    /// The rule's number.
    pub rule: usize,
    /// A provider's name or alias, or a kind.
    pub name: String,
    pub at: Span,
}

/// What the rules name.
#[derive(Debug, Default)]
pub(super) struct RuleNames {
    pub(super) providers: Vec<Named>,
    pub(super) kinds: Vec<Named>,
    /// The position of each rule.
    pub(super) positions: Vec<Span>,
}

/// Reads the rules, and lists the providers and kinds that they name.
pub(super) fn read(reader: &mut Reader, file: &Record<'_>, sources: &[SourceConfig]) -> (Vec<Rule>, RuleNames) {
    let mut rules = Vec::new();
    let mut names = RuleNames::default();
    for (rule, values) in file.records("rules").iter().enumerate() {
        for (key, list) in [("match.provider", &mut names.providers), ("match.kind", &mut names.kinds)] {
            let named = values.texts(key).unwrap_or_default();
            list.extend(named.into_iter().map(|(name, at)| Named { rule, name, at }));
        }
        names.positions.push(values.at);
        rules.push(read_rule(reader, values, sources));
    }
    (rules, names)
}

fn read_rule(reader: &mut Reader, values: &Record<'_>, sources: &[SourceConfig]) -> Rule {
    let email = values.text("owner.email").and_then(|text| address::normalize(&text));
    let text = |key| values.text(key).map(Into::into);
    let owner = Owner { id: text("owner.id"), name: text("owner.name"), email: email.map(Into::into), inactive: false };
    let rule = Rule {
        labels: values.map("labels").into_iter().collect(),
        owner: Some(owner).filter(|owner| *owner != Owner::default()),
        alert_lead: lead::change(values),
        rotate_after: values.duration("rotate_after"),
        renew: values.text("renew").and_then(|steps| Renewal::parse(&steps).ok()).map(Arc::new),
        used_in: used_in(values),
        must_be_located: values.flag("must_be_located").unwrap_or_default(),
        drop: values.flag("drop").unwrap_or_default(),
        matches: read_match(reader, values, sources),
    };
    check_effect(reader, values, &rule);
    check_lead(reader, values, &rule, sources);
    rule
}

fn used_in(values: &Record<'_>) -> Vec<Location> {
    let places = values.texts("used_in").unwrap_or_default();
    places.iter().filter_map(|(place, _)| Location::new(LocationKind::Noted, place, None)).collect()
}

/// Reads a `match`. A source that is not configured is an error: its rule would silently match nothing.
fn read_match(reader: &mut Reader, values: &Record<'_>, sources: &[SourceConfig]) -> Match {
    let known = sources.iter().map(|source| source.name.0.as_str());
    for (name, at) in values.texts("match.source").unwrap_or_default() {
        if known.clone().all(|known| known != name) {
            let hint = suggest(&name, known.clone());
            reader.error(at, format!("{}: unknown source `{name}`{hint}", values.path_of("match.source")));
        }
    }
    let texts = |key: &str| -> Vec<String> {
        values.texts(key).unwrap_or_default().into_iter().map(|(text, _)| text).collect()
    };
    let states = texts("match.state");
    let pattern = |key: &str| Regex::new(&values.text(key)?).ok();
    let labels = values.map("match.labels").into_iter();
    Match {
        source: texts("match.source"),
        provider: texts("match.provider"),
        kind: texts("match.kind"),
        state: State::ALL.into_iter().filter(|state| states.iter().any(|known| known == state.label())).collect(),
        expiry: texts("match.expiry"),
        id: pattern("match.id"),
        name: pattern("match.name"),
        owner: pattern("match.owner"),
        labels: labels.filter_map(|(name, pattern)| Some((name, Regex::new(&pattern).ok()?))).collect(),
    }
}

/// Reports a rule that does nothing, or drops everything.
fn check_effect(reader: &mut Reader, values: &Record<'_>, rule: &Rule) {
    const EFFECTS: [&str; 8] =
        ["labels", "owner", "alert_lead", "rotate_after", "renew", "used_in", "must_be_located", "drop"];
    if values.is_map && values.first_given(&EFFECTS).is_none() {
        let keys = EFFECTS.map(|key| format!("`{key}`")).join(", ");
        reader.error(values.at, format!("{}: has no effect; set one of {keys}", values.path));
    }
    if rule.drop && !values.is_given("match") {
        let message = format!("{}: would drop every token; add `match`", values.path_of("drop"));
        reader.error(values.value_at("drop"), message);
    }
}

/// Reports a lead whose bands are out of order for one of the sources that the rule can match.
fn check_lead(reader: &mut Reader, values: &Record<'_>, rule: &Rule, sources: &[SourceConfig]) {
    let names = &rule.matches.source;
    let is_ordered = |lead: Lead| lead.critical <= lead.warning;
    let matched = sources.iter().filter(|source| names.is_empty() || names.contains(&source.name.0));
    let leads =
        matched.map(|source| (source.shared.alert_lead, source.shared.alert_lead.changed(rule.alert_lead), source));
    // A source whose own lead is out of order has its own error.
    let broken = leads.into_iter().find(|(before, after, _)| is_ordered(*before) && !is_ordered(*after));
    if let Some((_, lead, source)) = broken {
        lead::check(reader, values, lead, &format!("from `{}`", source.name.0));
    }
}
