//! What has come of a scenario, beside what must.

use std::collections::BTreeSet;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};
use token_expiry_exporter::core::address;
use token_expiry_exporter::core::outcome::{CredentialExpiry, Gap, Outcome};
use token_expiry_exporter::core::token::{Expiry, LastUse, Token};

use super::Object;
use super::server::VENDOR;

/// Every difference.
pub(crate) fn compare(told: &Object, outcome: &Outcome, origin: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let known = ["self", "tokens", "gaps", "odd", "duplicates", "maps_failed"];
    faults.extend(told.keys().filter(|key| !known.contains(&key.as_str())).map(|key| format!("unknown key `{key}`")));

    let (mut tokens, mut ids, mut duplicates) = (Vec::new(), BTreeSet::new(), 0_u64);
    for token in outcome.listings.iter().flat_map(|listed| &listed.scopes).flat_map(|scope| &scope.tokens) {
        if ids.insert(token.id.clone()) {
            tokens.push(at_vendor(&shown(token), origin));
        } else {
            duplicates += 1;
        }
    }
    let gaps = outcome.listings.iter().flat_map(|listed| listed.gaps.iter().map(|gap| gap_shown(&listed.name, gap)));
    let gaps = gaps.map(|gap| at_vendor(&gap, origin)).collect();
    let odd: usize = outcome.listings.iter().flat_map(|listed| &listed.scopes).map(|scope| scope.malformed.len()).sum();
    let maps_failed = outcome.failures.iter().filter(|failure| failure.what.starts_with("the map ")).count();
    let own = match outcome.credential_expiry {
        CredentialExpiry::NotReported => Value::Null,
        CredentialExpiry::Reported(expiry) => end(expiry),
    };

    compare_lists("token", told.get("tokens"), tokens, &mut faults);
    compare_lists("gap", told.get("gaps"), gaps, &mut faults);
    for (key, value, without) in [
        ("self", own, Value::Null),
        ("odd", json!(odd), json!(0)),
        ("duplicates", json!(duplicates), json!(0)),
        ("maps_failed", json!(maps_failed), json!(0)),
    ] {
        let told = told.get(key).unwrap_or(&without);
        if *told != value {
            faults.push(format!("{key}: {value}, not {told}"));
        }
    }
    faults
}

/// In any order, but each once and whole.
fn compare_lists(what: &str, told: Option<&Value>, mut came: Vec<Value>, faults: &mut Vec<String>) {
    for told in told.and_then(Value::as_array).into_iter().flatten().map(trimmed) {
        match came.iter().position(|came| *came == told) {
            Some(found) => _ = came.remove(found),
            None => faults.push(format!("missing {what}: {told}")),
        }
    }
    faults.extend(came.iter().map(|came| format!("unexpected {what}: {came}")));
}

/// Texts without the line end that YAML's `|` leaves.
fn trimmed(value: &Value) -> Value {
    match value {
        Value::String(text) => text.trim_end().into(),
        Value::Object(object) => object.iter().map(|(key, value)| (key.clone(), trimmed(value))).collect(),
        other => other.clone(),
    }
}

fn at_vendor(value: &Value, origin: &str) -> Value {
    serde_json::from_str(&value.to_string().replace(origin, VENDOR)).unwrap()
}

fn gap_shown(listing: &str, gap: &Gap) -> Value {
    let mut shown = Map::new();
    shown.insert("listing".into(), listing.into());
    shown.insert("scope".into(), gap.scope.as_str().into());
    shown.insert("reason".into(), gap.failure.reason.label().into());
    for (key, value) in [("says", &gap.failure.provider_message), ("needs", &gap.required_permission)] {
        if let Some(value) = value {
            shown.insert(key.into(), value.trim_end().into());
        }
    }
    Value::Object(shown)
}

/// A token without what is empty.
fn shown(token: &Token) -> Value {
    let owner = token.owner.as_ref().map(|owner| {
        let email = owner.email.as_deref().and_then(address::normalize);
        filled([("id", json!(owner.id)), ("name", json!(owner.name)), ("email", json!(email))])
    });
    let last_used = match token.last_used {
        LastUse::At(at) => json!(instant(at)),
        LastUse::Never | LastUse::NotReported => Value::Null,
    };
    filled([
        ("id", json!(token.id)),
        ("kind", json!(token.kind)),
        ("name", json!(token.name)),
        ("owner", json!(owner)),
        ("created_at", json!(token.created_at.map(instant))),
        ("expires", end(token.expires)),
        ("last_used_at", last_used),
        ("scopes", json!(token.scopes)),
        ("disabled", if token.disabled { json!(true) } else { Value::Null }),
        ("lifetime", json!(token.lifetime.map(|lifetime| lifetime.num_seconds()))),
        ("manage_url", json!(token.manage_url)),
        ("labels", json!(token.labels)),
    ])
}

fn filled<const N: usize>(entries: [(&str, Value); N]) -> Value {
    let is_empty = |value: &Value| match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(object) => object.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    };
    let entries = entries.into_iter().filter(|(_, value)| !is_empty(value));
    Value::Object(entries.map(|(key, value)| (key.to_owned(), value)).collect())
}

fn end(expiry: Expiry) -> Value {
    match expiry {
        Expiry::At(at) | Expiry::Policy(at) => json!(instant(at)),
        Expiry::Never | Expiry::Unknown => json!(expiry.label()),
    }
}

fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
