//! Compares the outcome of a scenario with what it expects.

use std::collections::BTreeSet;

use crate::core::address;
use crate::core::location_report::FoundToken;
use crate::core::outcome::{CredentialExpiry, Gap, Outcome};
use crate::core::token::{Expiry, LastUse, Token};
use crate::providers::Identified;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::Object;
use super::server::VENDOR;

/// Every difference.
pub(super) fn compare(expected: &Object, outcome: &Outcome, origin: &str) -> Vec<String> {
    let mut errors = Vec::new();
    let known = [
        "self",
        "tokens",
        "gaps",
        "malformed",
        "duplicates",
        "maps_failed",
        "locations",
        "hidden",
        "newest",
        "identified",
    ];
    errors
        .extend(expected.keys().filter(|key| !known.contains(&key.as_str())).map(|key| format!("unknown key `{key}`")));

    let (mut tokens, mut ids, mut duplicates) = (Vec::new(), BTreeSet::new(), 0_u64);
    for token in outcome.listings.iter().flat_map(|listed| &listed.scopes).flat_map(|scope| &scope.tokens) {
        if ids.insert(token.id.clone()) {
            tokens.push(at_vendor(&token_fields(token), origin));
        } else {
            duplicates += 1;
        }
    }
    let gaps = outcome.listings.iter().flat_map(|listed| listed.gaps.iter().map(|gap| gap_fields(&listed.name, gap)));
    let gaps = gaps.map(|gap| at_vendor(&gap, origin)).collect();
    let malformed: usize =
        outcome.listings.iter().flat_map(|listed| &listed.scopes).map(|scope| scope.malformed.len()).sum();
    let maps_failed = outcome.failures.iter().filter(|failure| failure.what.starts_with("maps.")).count();
    let own = match outcome.credential_expiry {
        CredentialExpiry::NotReported | CredentialExpiry::Unstated => Value::Null,
        CredentialExpiry::Reported(expires) => expiry(expires),
    };

    compare_lists("token", expected.get("tokens"), tokens, &mut errors);
    compare_lists("gap", expected.get("gaps"), gaps, &mut errors);
    let found = outcome.found.credentials.iter().map(|found| {
        let token = match &found.token {
            FoundToken::Id(id) => json!(id),
            FoundToken::Value(_) => Value::Null,
        };
        let last_seen = found.location.last_seen.map(instant);
        let location = json!(found.location.to_string());
        let (group, own) = (json!(found.group), json!(found.own_id));
        filled([
            ("location", location),
            ("token", token),
            ("group", group),
            ("own", own),
            ("last_seen", json!(last_seen)),
        ])
    });
    // A place may have the host of its service.
    let host = |url: &str| url.split_once("://").map(|(_, host)| host.to_owned()).unwrap_or_default();
    let found =
        found.map(|found| serde_json::from_str(&found.to_string().replace(&host(origin), &host(VENDOR))).unwrap());
    compare_lists("location", expected.get("locations"), found.collect(), &mut errors);
    let newest: Vec<_> = outcome.found.newest.iter().map(|(log, at)| json!({log: instant(*at)})).collect();
    compare_lists("newest", expected.get("newest"), newest, &mut errors);
    for (key, value, without) in [
        ("self", own, Value::Null),
        ("malformed", json!(malformed), json!(0)),
        ("duplicates", json!(duplicates), json!(0)),
        ("maps_failed", json!(maps_failed), json!(0)),
        ("hidden", json!(outcome.found.hidden), json!(0)),
    ] {
        let expected = expected.get(key).unwrap_or(&without);
        if *expected != value {
            errors.push(format!("{key}: {value}, not {expected}"));
        }
    }
    errors
}

/// Compares which tokens the found credentials are: by number, `tokens`, and how many are `rejected` or `skipped`.
pub(super) fn compare_identified(expected: &Object, identified: &Identified) -> Vec<String> {
    let mut tokens: Vec<_> = identified.tokens.iter().map(|(number, token)| (*number, token.id.clone())).collect();
    tokens.sort();
    let reason = identified.failure.as_ref().map(|failure| failure.reason.label());
    let found = json!({
        "tokens": tokens.iter().map(|(number, id)| json!([number, id])).collect::<Vec<_>>(),
        "rejected": identified.counts.rejected,
        "skipped": identified.counts.skipped,
        "failure": reason,
    });
    let none = json!({"tokens": [], "rejected": 0, "skipped": 0, "failure": null});
    let expected = expected.get("identified").unwrap_or(&none);
    if *expected == found { Vec::new() } else { vec![format!("identified: {found}, not {expected}")] }
}

/// Compares without order.
fn compare_lists(what: &str, expected: Option<&Value>, mut found: Vec<Value>, errors: &mut Vec<String>) {
    for expected in expected.and_then(Value::as_array).into_iter().flatten().map(trimmed) {
        match found.iter().position(|found| *found == expected) {
            Some(number) => _ = found.remove(number),
            None => errors.push(format!("missing {what}: {expected}")),
        }
    }
    errors.extend(found.iter().map(|found| format!("unexpected {what}: {found}")));
}

/// Strings without the line break that YAML's `|` appends.
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

fn gap_fields(listing: &str, gap: &Gap) -> Value {
    let mut fields = Map::new();
    fields.insert("listing".into(), listing.into());
    fields.insert("scope".into(), gap.scope.as_str().into());
    fields.insert("reason".into(), gap.failure.reason.label().into());
    let failure = &gap.failure;
    for (key, value) in
        [("message", &failure.provider_message), ("permission", &gap.required_permission), ("remedy", &failure.remedy)]
    {
        if let Some(value) = value {
            fields.insert(key.into(), value.trim_end().into());
        }
    }
    Value::Object(fields)
}

/// The fields of a token that are not empty.
fn token_fields(token: &Token) -> Value {
    let owner = token.owner.as_ref().map(|owner| {
        let email = owner.email.as_deref().and_then(address::normalize);
        filled([
            ("id", json!(owner.id)),
            ("name", json!(owner.name)),
            ("email", json!(email)),
            ("active", if owner.inactive { json!(false) } else { Value::Null }),
        ])
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
        ("expires", expiry(token.expires)),
        ("last_used_at", last_used),
        ("scopes", json!(token.scopes)),
        ("disabled", if token.disabled { json!(true) } else { Value::Null }),
        ("lifetime", json!(token.lifetime.map(|lifetime| lifetime.duration().num_seconds()))),
        ("renews_before", json!(token.renews_before.map(|before| before.duration().num_seconds()))),
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

fn expiry(expires: Expiry) -> Value {
    match expires {
        Expiry::At(at) | Expiry::Policy(at) => json!(instant(at)),
        Expiry::Never | Expiry::Unknown => json!(expires.label()),
    }
}

fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
