//! The exposition of any inventory, parsed back by a strict parser of the text format 0.0.4.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;

use token_expiry_exporter::core::inventory::{Inventory, Policy, StoredState, StoredTokens};
use token_expiry_exporter::core::lead::Lead;
use token_expiry_exporter::core::outcome::{ListingResult, Outcome, Path, ScopeResult};
use token_expiry_exporter::core::token::{Expiry, LastUse, Owner, Token};
use token_expiry_exporter::exposition::{Labels, render};

use super::now;

type Sample = (String, BTreeMap<String, String>, f64);

/// Tokens whose texts are pieces of the input: the byte 0xFF separates pieces, ten of which make a token.
pub fn round_trip(input: &[u8]) {
    let pieces: Vec<String> =
        input.split(|byte| *byte == 0xFF).map(|piece| String::from_utf8_lossy(piece).into_owned()).collect();
    let tokens = pieces.chunks(10).take(50).map(token).collect();
    let scope = ScopeResult { path: Path::root(), tokens, malformed: Vec::new(), is_step: false };
    let listed = ListingResult { scopes: vec![scope], ..ListingResult::new("tokens") };
    let mut inventory = inventory_with(&["fuzzed"]);
    inventory.record("fuzzed", Outcome { listings: vec![listed], ..Outcome::default() }, now(), now());
    check(&inventory);
}

/// The exposition of a restored source.
pub(super) fn restored(state: Option<StoredState>, tokens: StoredTokens) {
    let mut inventory = inventory_with(&["fuzzed"]);
    inventory.restore("fuzzed", state, Some(tokens));
    check(&inventory);
}

fn inventory_with(sources: &[&str]) -> Inventory {
    let policy = || Policy {
        provider: "gitlab".to_owned(),
        listings: vec!["tokens".to_owned(), "personal".to_owned()],
        interval: TimeDelta::minutes(15),
        lead: Lead { warning: TimeDelta::days(30), critical: TimeDelta::days(7) },
        min_lifetime: TimeDelta::days(1),
        expired_retention: TimeDelta::days(7),
        token_limit: 40,
        never_expires: true,
        max_lifetime: Some(TimeDelta::days(366)),
        unused_after: Some(TimeDelta::days(90)),
        rotate_after: None,
        without_replacement: Vec::new(),
        owner_logins: Vec::new(),
        renewals: std::sync::Arc::default(),
        finds_locations: false,
        finds_credentials: false,
        identifies: false,
    };
    let mut inventory = Inventory::default();
    inventory.set_policy(sources.iter().map(|name| ((*name).to_owned(), policy())).collect(), Arc::new([]));
    inventory
}

fn token(pieces: &[String]) -> Token {
    let piece = |number: usize| pieces.get(number).cloned().unwrap_or_default();
    let optional = |number| pieces.get(number).cloned();
    let days = |number: usize| TimeDelta::days(i64::try_from(piece(number).len()).unwrap_or_default() - 3);
    Token {
        id: piece(0).into(),
        name: piece(1).into(),
        kind: piece(2).into(),
        owner: optional(3).map(|name| {
            Owner {
                id: optional(4).map(Into::into),
                name: Some(name.into()),
                email: optional(5).map(Into::into),
                inactive: false,
            }
            .into()
        }),
        created_at: None,
        expires: Expiry::At(now() + days(1)),
        last_used: LastUse::At(now() - days(2)),
        scopes: vec![piece(6)].into(),
        disabled: false,
        lifetime: None,
        renews_before: None,
        manage_url: optional(7).map(Arc::from),
        renew: None,
        labels: BTreeMap::from([(piece(8), piece(9)), ("team".to_owned(), piece(9))]).into(),
        approximate: false,
    }
}

/// Every token has one `token_info` series with the labels that the other outputs show.
fn check(inventory: &Inventory) {
    let text = render(inventory, Labels { owner: true, owner_email: true }, now());
    let samples = match parse(&text) {
        Ok(samples) => samples,
        Err(line) => panic!("invalid line: {line:?}"),
    };
    let mut series: Vec<_> = samples.iter().map(|(name, labels, _)| (name, labels)).collect();
    series.sort();
    let all = series.len();
    series.dedup();
    assert_eq!(series.len(), all, "duplicate series");
    let infos: Vec<_> = samples.iter().filter(|(name, ..)| name == "token_info").collect();
    let views: Vec<_> = inventory.tokens(now()).collect();
    assert_eq!(infos.len(), views.len());
    for ((_, labels, _), view) in infos.iter().zip(&views) {
        let label = |name: &str| labels.get(name).map_or("", String::as_str);
        let owner = view.owner.and_then(Owner::label).unwrap_or_default();
        let shown = [label("token_id"), label("token_name"), label("token_kind"), label("token_owner"), label("team")];
        let team = view.labels.get("team").map_or("", String::as_str);
        assert_eq!(shown, [&*view.token.id, &*view.token.name, &*view.token.kind, owner, team]);
    }
}

/// Parses the text format 0.0.4; an error is the invalid line.
fn parse(text: &str) -> Result<Vec<Sample>, &str> {
    if !text.ends_with('\n') && !text.is_empty() {
        return Err("the last line does not end in a newline");
    }
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let mut samples = Vec::new();
    for line in text.split_terminator('\n') {
        if line.starts_with("# HELP ") || line.starts_with("# TYPE ") {
            continue;
        }
        let end = line.find(['{', ' ']).ok_or(line)?;
        let (name, rest) = line.split_at(end);
        let (labels, rest) = match rest.strip_prefix('{') {
            Some(rest) => labels(rest, is_name).ok_or(line)?,
            None => (BTreeMap::new(), rest),
        };
        let value: f64 = rest.strip_prefix(' ').and_then(|value| value.parse().ok()).ok_or(line)?;
        if !is_name(name) || !value.is_finite() {
            return Err(line);
        }
        samples.push((name.to_owned(), labels, value));
    }
    Ok(samples)
}

/// Parses labels up to their `}`; returns the rest of the line as well.
fn labels(mut rest: &str, is_name: impl Fn(&str) -> bool) -> Option<(BTreeMap<String, String>, &str)> {
    let mut labels = BTreeMap::new();
    loop {
        let (name, after) = rest.split_once("=\"")?;
        let (value, after) = quoted(after)?;
        // The exporter omits empty labels.
        if !is_name(name) || value.is_empty() || labels.insert(name.to_owned(), value).is_some() {
            return None;
        }
        match after.strip_prefix(',') {
            Some(after) => rest = after,
            None => return Some((labels, after.strip_prefix('}')?)),
        }
    }
}

/// Parses a value up to its closing quote; returns the rest as well.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    loop {
        match chars.next()? {
            (at, '"') => return Some((value, &text[at + 1..])),
            (_, '\\') => value.push(match chars.next()?.1 {
                'n' => '\n',
                same @ ('\\' | '"') => same,
                _ => return None,
            }),
            (_, c) => value.push(c),
        }
    }
}
