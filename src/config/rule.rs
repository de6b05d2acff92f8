//! The rules.

use super::config_reader::ConfigReader;
use super::keys::RULE;
use super::source::lead_change;
use super::values::Values;
use super::{SourceConfig, lead};
use crate::core::lead::Lead;
use crate::core::rules::{Match, Rule};
use crate::core::token::Owner;
use crate::schema::diagnostic::{Span, did_you_mean};
use crate::schema::yaml::Node;

/// What the rules are checked against.
pub(super) struct Known<'a> {
    /// The sources.
    pub(super) sources: &'a [SourceConfig],
    /// The file's lead.
    pub(super) lead: Lead,
}

/// A provider that a rule names, to be checked when the providers are known.
#[derive(Clone, Debug)]
pub(super) struct NamedProvider {
    /// The rule's number.
    pub(super) rule: usize,
    /// The name or alias.
    pub(super) name: String,
    /// Where it stands.
    pub(super) at: Span,
}

/// Reads the rules, and hands out the providers that they name.
pub(super) fn read(reading: &mut ConfigReader, node: &Node, known: &Known<'_>) -> (Vec<Rule>, Vec<NamedProvider>) {
    let mut rules = Vec::new();
    let mut providers = Vec::new();
    for (index, node) in reading.reader.list(node, "rules", false).into_iter().enumerate() {
        let values = Values::read(reading, node, &format!("rules[{index}]"), RULE);
        let named = values.map("match").texts("provider").unwrap_or_default();
        providers.extend(named.into_iter().map(|(name, at)| NamedProvider { rule: index, name, at }));
        rules.push(rule(reading, &values, known));
    }
    (rules, providers)
}

fn rule(reading: &mut ConfigReader, values: &Values<'_>, known: &Known<'_>) -> Rule {
    let matches = matched(reading, values.map("match"), known);
    let owner = values.map("owner");
    let owner = Owner { id: owner.text("id"), name: owner.text("name"), email: owner.text("email") };
    let rule = Rule {
        labels: values.labels("labels").into_iter().collect(),
        owner: Some(owner).filter(|owner| *owner != Owner::default()),
        alert_lead: lead_change(values.map("alert_lead")),
        rotate_after: values.duration("rotate_after"),
        drop: values.flag("drop").unwrap_or_default(),
        matches,
    };
    if values.is_map {
        check_effect(reading, values, &rule);
    }
    check_lead(reading, values, &rule, known);
    rule
}

/// Reads a `match`. A source that is not configured is a mistake: its rule would never match, and nobody would know.
fn matched(reading: &mut ConfigReader, values: &Values<'_>, known: &Known<'_>) -> Match {
    let names = |key: &str| values.texts(key).unwrap_or_default();
    for (name, at) in names("source") {
        if known.sources.iter().any(|source| source.name.0 == name) {
            continue;
        }
        let hint = hint(&name, known.sources.iter().map(|source| source.name.0.as_str()));
        reading.error(at, format!("{}: no source is called `{name}`{hint}", values.name("source")));
    }
    let texts = |key: &str| names(key).into_iter().map(|(name, _)| name).collect();
    Match {
        source: texts("source"),
        provider: texts("provider"),
        kind: texts("kind"),
        id: values.pattern("id"),
        name: values.pattern("name"),
        owner: values.pattern("owner"),
        labels: values.patterns("labels").into_iter().collect(),
    }
}

/// `did you mean`, or else what there is.
pub(super) fn hint<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let hint = did_you_mean(name, known.clone());
    if !hint.is_empty() {
        return hint;
    }
    let mut known: Vec<_> = known.map(|name| format!("`{name}`")).collect();
    known.dedup();
    if known.is_empty() { String::new() } else { format!("; there are {}", known.join(", ")) }
}

/// Notes a rule that does nothing, or too much.
fn check_effect(reading: &mut ConfigReader, values: &Values<'_>, rule: &Rule) {
    const EFFECTS: [&str; 5] = ["labels", "owner", "alert_lead", "rotate_after", "drop"];
    if !EFFECTS.iter().any(|key| values.given(key)) {
        let keys = EFFECTS.map(|key| format!("`{key}`")).join(", ");
        reading.error(values.at, format!("{}: it changes nothing; give one of {keys}", values.what));
    }
    if rule.drop && !values.given("match") {
        let message = format!("{}: it would leave every token out; say which with `match`", values.name("drop"));
        reading.error(values.place("drop"), message);
    }
}

/// Notes a lead that is out of order for one of the sources that the rule can match.
fn check_lead(reading: &mut ConfigReader, values: &Values<'_>, rule: &Rule, known: &Known<'_>) {
    let (change, names) = (rule.alert_lead, &rule.matches.source);
    let candidates = known.sources.iter().filter(|source| names.is_empty() || names.contains(&source.name.0));
    let broken = candidates
        .map(|source| (&source.name.0, known.lead.changed(source.alert_lead)))
        // A source whose own lead is out of order has its own mistake.
        .find(|(_, own)| own.critical <= own.warning && own.changed(change).critical > own.changed(change).warning);
    if let Some((name, own)) = broken {
        lead::check(reading, values.map("alert_lead"), own.changed(change), &format!("from `{name}`"));
    }
}
