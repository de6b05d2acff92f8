//! The inventory after sequences of collections.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod adjustments;
mod health;
mod missing;
mod owners;
mod policy;
mod property;
mod replaced;
mod restore;
mod revision;
mod view;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Inventory, Policy, TokenView};
use crate::core::failure::{Failure, Reason};
use crate::core::lead::Lead;
use crate::core::outcome::{Gap, ListingResult, MalformedRow, Outcome, Path, ScopeResult};
use crate::core::rules::Rule;
use crate::core::token::{Expiry, LastUse, Owner, State, Token};

/// Midnight, this many days after 1 November 2026, the start of every test.
fn day(days: i64) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339("2026-11-01T00:00:00Z").unwrap().to_utc() + TimeDelta::days(days)
}

/// A token that was created a year before the start, used a day before it, and expires on this day.
fn token(id: &str, expiry: i64) -> Token {
    Token {
        id: id.into(),
        name: format!("token {id}").into(),
        kind: "api-token".into(),
        owner: Some(Owner { name: Some("Jane".into()), ..Owner::default() }.into()),
        created_at: Some(day(-365)),
        expires: Expiry::At(day(expiry)),
        last_used: LastUse::At(day(-1)),
        scopes: Arc::default(),
        disabled: false,
        lifetime: None,
        renews_before: None,
        manage_url: None,
        renew: None,
        labels: Arc::default(),
        approximate: false,
    }
}

fn policy() -> Policy {
    Policy {
        provider: "vendor".into(),
        listings: vec!["tokens".into(), "keys".into()],
        interval: TimeDelta::minutes(15),
        lead: Lead { warning: TimeDelta::days(30), critical: TimeDelta::days(7) },
        min_lifetime: TimeDelta::days(1),
        expired_retention: TimeDelta::days(7),
        token_limit: 100,
        never_expires: true,
        max_lifetime: None,
        unused_after: None,
        rotate_after: None,
        without_replacement: Vec::new(),
        owner_logins: Vec::new(),
        renewals: std::sync::Arc::default(),
        finds_locations: false,
        finds_credentials: false,
        identifies: false,
    }
}

/// An inventory of one source, `main`.
fn inventory(policy: Policy) -> Inventory {
    inventory_with(policy, Vec::new())
}

fn inventory_with(policy: Policy, list: Vec<Rule>) -> Inventory {
    let mut inventory = Inventory::default();
    inventory.set_policy(BTreeMap::from([("main".into(), policy)]), rules(list));
    inventory
}

fn rules(rules: Vec<Rule>) -> Arc<[Rule]> {
    rules.into()
}

/// A path from steps separated by slashes.
fn path(steps: &str) -> Path {
    steps.split('/').filter(|step| !step.is_empty()).fold(Path::root(), |path, step| path.join(step))
}

/// A complete scope.
fn scope(steps: &str, tokens: Vec<Token>) -> ScopeResult {
    ScopeResult { path: path(steps), tokens: tokens.into_iter().collect(), malformed: Vec::new(), is_step: false }
}

/// A complete scope with a malformed row.
fn malformed_scope(steps: &str, tokens: Vec<Token>) -> ScopeResult {
    ScopeResult { malformed: vec![MalformedRow { position: 1, id: None, field: "expires_at" }], ..scope(steps, tokens) }
}

fn gap(steps: &str, reason: Reason) -> Gap {
    let failure = Failure::new(reason, format!("GET /{steps}: no"));
    Gap { path: path(steps), scope: format!("/{steps}"), failure, required_permission: None }
}

/// An outcome with these scopes and gaps in the listing `tokens`; `keys` is complete and empty.
fn outcome(scopes: Vec<ScopeResult>, gaps: Vec<Gap>) -> Outcome {
    let listing = |name: &str, scopes, gaps| ListingResult { scopes, gaps, ..ListingResult::new(name) };
    Outcome {
        listings: vec![listing("tokens", scopes, gaps), listing("keys", vec![scope("", Vec::new())], Vec::new())],
        ..Outcome::default()
    }
}

/// Records a complete collection with these tokens in one scope.
fn collect(inventory: &mut Inventory, tokens: Vec<Token>, now: DateTime<Utc>) {
    let tokens = inventory.intake("main").tokens(tokens);
    record(inventory, outcome(vec![ScopeResult { tokens, ..scope("all", Vec::new()) }], Vec::new()), now);
}

fn record(inventory: &mut Inventory, outcome: Outcome, now: DateTime<Utc>) {
    inventory.record("main", outcome, now - TimeDelta::seconds(10), now);
}

fn ids(inventory: &Inventory, now: DateTime<Utc>) -> Vec<&str> {
    inventory.tokens(now).map(|view| &*view.token.id).collect()
}

fn states(inventory: &Inventory, now: DateTime<Utc>) -> Vec<(&str, State)> {
    inventory.tokens(now).map(|view| (&*view.token.id, view.state)).collect()
}

fn view<'a>(inventory: &'a Inventory, id: &str, now: DateTime<Utc>) -> TokenView<'a> {
    inventory.tokens(now).find(|view| *view.token.id == *id).expect("the token is there")
}
