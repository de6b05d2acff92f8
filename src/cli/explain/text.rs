//! The explanation as text.

use std::borrow::Cow;

use chrono::{DateTime, TimeDelta, Utc};
use comfy_table::{ContentArrangement, Table, presets};

use crate::cli::columns::Color;
use crate::cli::list::{expiry_text, table};
use crate::cli::terminal::Terminal;
use crate::core::inventory::{Inventory, TokenView};
use crate::core::lead::{Bands, Lead, lifetime, renews_before};
use crate::core::owners::Join;
use crate::core::rules::{Rule, RuleEffect, RuleResult};
use crate::core::sanitize::replace_unsafe;
use crate::core::token::{Expiry, LastUse, State};
use crate::exposition::Labels;
use crate::pages::display::{display_name, manage_url};
use crate::pages::humanize::{duration, relative, rfc3339};

/// The token that is explained.
pub(super) struct Subject<'a> {
    /// Before the rules.
    pub(super) before: &'a TokenView<'a>,
    /// With the rules.
    pub(super) inventory: &'a Inventory,
    /// The file and line of each rule.
    pub(super) places: &'a [String],
    pub(super) labels: Labels,
}

type Field = (String, String);

fn field(name: impl Into<String>, value: impl Into<String>) -> Field {
    (name.into(), value.into())
}

impl Subject<'_> {
    pub(super) fn text(&self, terminal: Terminal, now: DateTime<Utc>) -> String {
        let before = self.before;
        let after = self.inventory.token(before.source, &before.token.id, now);
        let Some((join, result, effects)) = self.inventory.explain(before, before.state) else { return String::new() };
        let view = after.as_ref().unwrap_or(before);
        let title = replace_unsafe(&format!("{} ({})", display_name(view), view.token.kind), &[]);
        let color = table::color(view).filter(|_| terminal.colored);
        let mut text = format!("{}\n", color.map_or(title.clone(), |color| color.paint(&title)));
        let mut section = |name: &str, fields: Vec<Field>| {
            if !fields.is_empty() {
                let heading = if terminal.colored { Color::Bold.paint(name) } else { name.to_owned() };
                text += &format!("\n{heading}\n{}", paragraph(&fields, terminal.width));
            }
        };
        section("Token", self.facts(view, now));
        section("Owner", self.owner(view, join, &result));
        section("Rules", self.rules(&effects));
        section("Lead", lead(view, after.is_some(), &effects, self.inventory.rules(), self.places));
        section("Alerts", self.alerts(view, after.is_some(), &result, now));
        section("Renewal", renewal(view));
        text
    }

    fn facts(&self, view: &TokenView<'_>, now: DateTime<Utc>) -> Vec<Field> {
        let token = view.token;
        let dated = |at: DateTime<Utc>| format!("{}, {}", rfc3339(at), relative(at, now));
        let mut facts = vec![
            field("source", format!("{} (provider {}), listing {}", view.source, view.provider, view.listing)),
            field("id", &*token.id),
        ];
        let expiry = expiry_text(view.expires, now);
        let at = view.expires.timestamp().map(|at| format!("{}, ", rfc3339(at))).unwrap_or_default();
        facts.push(field("expiry", format!("{at}{expiry}")));
        facts.extend(token.created_at.map(|at| field("created", dated(at))));
        facts.push(field(
            "last used",
            match token.last_used {
                LastUse::NotReported => "not reported by the provider".to_owned(),
                LastUse::Never => "never".to_owned(),
                LastUse::At(at) => dated(at),
            },
        ));
        facts.push(field("state", view.state.label()));
        if !token.scopes.is_empty() {
            facts.push(field("scopes", token.scopes.join(", ")));
        }
        if !view.labels.is_empty() {
            let labels: Vec<_> = view.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
            facts.push(field("labels", labels.join(", ")));
        }
        let findings: Vec<_> = view.findings.iter().map(|finding| finding.label()).collect();
        if !findings.is_empty() {
            facts.push(field("findings", findings.join(", ")));
        }
        facts.extend(view.locations.iter().map(|location| field("used in", location.to_string())));
        facts
    }

    fn owner(&self, view: &TokenView<'_>, join: Join<'_>, result: &RuleResult) -> Vec<Field> {
        let name = self.labels.owner_name(view).map(Cow::into_owned);
        let mut fields = vec![field("owner", name.unwrap_or_else(|| "unknown".to_owned()))];
        let reported = self.before.token.owner.is_some();
        fields.push(field(
            "directory",
            match join {
                Join::Person(_) => "an entry matches the owner that the provider reports",
                Join::Ambiguous => "several entries match the owner that the provider reports, so none counts",
                Join::Nobody if reported => "no entry matches the owner that the provider reports",
                Join::Nobody => "the provider reports no owner",
            },
        ));
        if matches!(result, RuleResult::Kept(overrides) if overrides.refused_address) {
            fields.push(field("address", "a rule sets an invalid address, which is not used"));
        }
        fields
    }

    /// What each rule did.
    fn rules(&self, effects: &[RuleEffect]) -> Vec<Field> {
        let rules = self.inventory.rules();
        let mut fields = Vec::new();
        for (number, (rule, place)) in rules.iter().zip(self.places).enumerate() {
            let effect = match effects.get(number) {
                Some(RuleEffect::NotMatched(condition)) => format!("does not match: {condition}"),
                Some(RuleEffect::Applied) => format!("matches: {}", changes(rule)),
                Some(RuleEffect::Dropped) => "matches: drops the token".to_owned(),
                None => "not applied: an earlier rule dropped the token".to_owned(),
            };
            fields.push(field(place, effect));
        }
        if fields.is_empty() {
            fields.push(field("none", "the configuration has no rules"));
        }
        fields
    }

    /// When it alerts, and whom.
    fn alerts(&self, view: &TokenView<'_>, is_known: bool, result: &RuleResult, now: DateTime<Utc>) -> Vec<Field> {
        if !is_known {
            let why = match result {
                RuleResult::Dropped => "a rule drops the token",
                RuleResult::Kept(_) => "the token is over the token_limit of its source",
            };
            return vec![field("never", format!("{why}: it has no metrics, alerts or page"))];
        }
        let Some(bands) = view.bands else { return vec![field("never", why_never(view))] };
        let Bands { warning, critical, expired, over } = bands;
        let address = match (view.owner.and_then(|owner| owner.email.as_deref()), self.labels.owner_email) {
            (Some(_), true) => "the owner by mail".to_owned(),
            (Some(_), false) => {
                "the receiver no-owner: addresses are not exposed (labels: {owner_email: true})".to_owned()
            }
            (None, _) => "the receiver no-owner: the owner's address is unknown".to_owned(),
        };
        let on_call = match view.expires {
            Expiry::Policy(_) => "nobody else: a rotation that only `rotate_after` requires never pages",
            _ => "on-call at any hour",
        };
        let from = |at: DateTime<Utc>| {
            let begin = if at <= now { "since" } else { "from" };
            format!("{begin} {} ({})", rfc3339(at), relative(at, now))
        };
        let mut fields = vec![
            field("warning", format!("{}: {address}, and the team in working hours", from(warning))),
            field("critical", format!("{}: also {on_call}", from(critical))),
            field("expired", format!("{}: the same", from(expired))),
        ];
        if over < DateTime::<Utc>::MAX_UTC {
            fields.push(field("until", format!("{} ({}), unless it is renewed", rfc3339(over), relative(over, now))));
        }
        fields.push(field("now", view.band.map_or("no alert", |band| band.label())));
        fields.push(field("whom", "as in the shipped alerts/alertmanager.yaml; your routes may differ"));
        fields
    }
}

/// The effects of a rule.
fn changes(rule: &Rule) -> String {
    // Names every field, so that none is forgotten.
    let Rule { matches: _, labels, owner, alert_lead, rotate_after, renew, used_in, must_be_located, drop: _ } = rule;
    let mut changes: Vec<String> = labels.iter().map(|(name, value)| format!("label {name}={value}")).collect();
    if let Some(owner) = owner {
        let parts = [("id", owner.id.is_some()), ("name", owner.name.is_some()), ("address", owner.email.is_some())];
        let set: Vec<_> = parts.into_iter().filter(|(_, is_set)| *is_set).map(|(part, _)| part).collect();
        changes.push(format!("owner ({})", set.join(", ")));
    }
    let leads = [("warning", alert_lead.warning), ("critical", alert_lead.critical)];
    changes.extend(leads.into_iter().filter_map(|(band, lead)| Some(format!("{band} lead {}", duration(lead?)))));
    changes.extend(rotate_after.map(|age| format!("rotation after {}", duration(age))));
    changes.extend(renew.as_ref().map(|_| "renewal steps".to_owned()));
    changes.extend(used_in.iter().map(|place| format!("used in {place}")));
    changes.extend(must_be_located.then(|| "a location is required".to_owned()));
    if changes.is_empty() { "changes nothing".to_owned() } else { changes.join("; ") }
}

/// Which lead applies, and why.
fn lead(view: &TokenView<'_>, is_known: bool, effects: &[RuleEffect], rules: &[Rule], places: &[String]) -> Vec<Field> {
    let (Some(bands), true) = (view.bands, is_known) else { return Vec::new() };
    let life = lifetime(view.token, view.expires);
    let last_rule = |sets: fn(&Rule) -> bool| {
        let mut applied =
            rules.iter().zip(effects).zip(places).filter(|((_, effect), _)| **effect == RuleEffect::Applied);
        applied.rfind(|((rule, _), _)| sets(rule)).map(|(_, place)| format!("the rule at {place}"))
    };
    let line = |configured: TimeDelta, from: Option<String>, start: DateTime<Utc>, (share, overdue): (i32, i32)| {
        let from = from.unwrap_or_else(|| "alert_lead of the source, or of the file".to_owned());
        let actual = bands.expired - start;
        match (life, renews_before(view.token, view.expires)) {
            (_, Some(before)) if actual < configured && actual == before / 3 * overdue => format!(
                "{}: {} ({from}), capped to {overdue}/3 of the {} in which its provider renews it by itself",
                duration(actual),
                duration(configured),
                duration(before)
            ),
            (Some(life), _) if actual < configured => format!(
                "{}: {} ({from}), capped to 1/{share} of its lifetime of {}",
                duration(actual),
                duration(configured),
                duration(life)
            ),
            _ => format!("{} ({from})", duration(actual)),
        }
    };
    let Lead { warning, critical } = view.lead;
    vec![
        field("warning", line(warning, last_rule(|rule| rule.alert_lead.warning.is_some()), bands.warning, (3, 2))),
        field(
            "critical",
            line(critical, last_rule(|rule| rule.alert_lead.critical.is_some()), bands.critical, (10, 1)),
        ),
    ]
}

fn why_never(view: &TokenView<'_>) -> &'static str {
    match (view.state, view.expires) {
        (State::Replaced, _) => "a newer token with the same name replaces it",
        (State::Disabled, _) => "it is disabled at the provider",
        (_, Expiry::Never) => {
            "it never expires; `rotate_after` on its source or in a rule would make it due for rotation"
        }
        (_, Expiry::Unknown) => "its expiry is unreadable: see the finding unreadable_expiry",
        _ => "its lifetime is shorter than min_lifetime: it is renewed automatically",
    }
}

fn renewal(view: &TokenView<'_>) -> Vec<Field> {
    let Some(renewal) = view.renewal() else { return Vec::new() };
    let step = |step: &String| match step.split_once(": ").filter(|(title, _)| title.len() <= 7) {
        Some((title, text)) => field(title.to_lowercase(), text),
        None => field("", step),
    };
    let mut fields: Vec<Field> = renewal.steps.iter().map(step).collect();
    fields.extend(renewal.docs.as_ref().map(|docs| field("docs", docs)));
    fields.extend(manage_url(view).map(|link| field("link", link)));
    fields
}

/// Names and values in two columns; values are wrapped at the width.
fn paragraph(fields: &[Field], width: Option<usize>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
    }
    for (name, value) in fields {
        // A provider's texts must not reach the terminal as commands.
        table.add_row([name, value].map(|cell| replace_unsafe(cell, &[])));
    }
    for column in table.column_iter_mut() {
        column.set_padding((2, 0));
    }
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}
