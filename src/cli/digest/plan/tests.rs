#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::*;
use crate::cli::digest::records::Source;

const NOW: &str = "2026-11-23T12:00:00Z";

fn token(id: &str, changes: Value) -> Token {
    let mut token = json!({
        "source": "gitlab", "provider": "gitlab", "id": id, "kind": "api-token", "name": id, "state": "active", "expiry": "at",
        "owner": {"id": null, "name": "Jane", "email": "jane@example.com"}, "expires_at": "2026-11-25T12:00:00Z",
        "band": "critical", "findings": [], "last_used": null, "labels": {"team": "Platform"}, "manage_url": null,
        "warning_at": "2026-11-01T12:00:00Z", "locations": [], "renewal": null,
    });
    for (key, value) in changes.as_object().unwrap() {
        token[key] = value.clone();
    }
    serde_json::from_value(token).unwrap()
}

fn source(up: bool) -> Source {
    serde_json::from_value(json!({
        "source": "gitlab", "up": up, "last_attempt": NOW, "last_success": null, "interval_seconds": 3600, "dropped": 0,
    }))
    .unwrap()
}

fn recipients(by: Group, fallback: Option<&str>) -> Recipients {
    Recipients {
        by,
        allowed_domains: BTreeSet::from(["example.com".to_owned()]),
        teams: BTreeMap::from([("platform".to_owned(), "platform@example.com".to_owned())]),
        fallback: fallback.map(str::to_owned),
    }
}

fn plan(tokens: Vec<Token>, sources: Vec<Source>, recipients: &Recipients) -> Plan {
    Plan::new(Report { now: NOW.parse().unwrap(), tokens, sources }, recipients)
}

/// Addresses, each with its own tokens and those without a recipient.
fn mails(plan: &Plan) -> Vec<(&str, Vec<&str>, Vec<&str>)> {
    plan.mails
        .iter()
        .map(|(address, mail)| {
            let own = mail.items.iter().map(|item| item.token.id.as_str()).collect();
            let others = mail.unaddressed.iter().map(|(item, _)| item.token.id.as_str()).collect();
            (address.as_str(), own, others)
        })
        .collect()
}

#[test]
fn mail_has_the_due_tokens_of_its_owner_the_most_urgent_first() {
    let tokens = vec![
        token("upcoming", json!({"band": null, "warning_at": "2026-11-30T11:00:00Z"})),
        token("later", json!({"band": null, "warning_at": "2026-11-30T13:00:00Z"})),
        token("session", json!({"band": null, "warning_at": null})),
        token("disabled", json!({"band": null, "state": "disabled", "warning_at": "2026-11-24T12:00:00Z"})),
        token("warning", json!({"band": "warning"})),
        token("second", json!({"expires_at": "2026-11-26T12:00:00Z"})),
        token("first", json!({})),
        token("unknown-band", json!({"band": "catastrophic", "expires_at": "2026-11-27T12:00:00Z"})),
        token("expired", json!({"band": "expired"})),
        token("joes", json!({"owner": {"id": null, "name": null, "email": "JOE@example.com"}})),
    ];
    let plan = plan(tokens, vec![source(true)], &recipients(Group::Owner, Some("ops@example.com")));
    let expected = ["expired", "first", "second", "unknown-band", "warning", "upcoming"].to_vec();
    assert_eq!(
        mails(&plan),
        [("jane@example.com", expected, Vec::new()), ("joe@example.com", vec!["joes"], Vec::new())]
    );
    assert_eq!(plan.week(), "2026-W48");
}

#[test]
fn token_without_a_recipient_goes_to_the_fallback() {
    let tokens = || {
        vec![
            token("nobody", json!({"owner": null})),
            token("hidden", json!({"owner": {"id": "7", "name": "Jane", "email": null}})),
            token("two", json!({"owner": {"id": null, "name": null, "email": "a@example.com, b@evil.example"}})),
            token("outside", json!({"owner": {"id": null, "name": null, "email": "jane@evil.example"}})),
        ]
    };
    let with = plan(tokens(), vec![source(true)], &recipients(Group::Owner, Some("ops@example.com")));
    assert_eq!(mails(&with), [("ops@example.com", vec![], vec!["nobody", "hidden", "two", "outside"])]);
    let reasons: Vec<_> = with.unaddressed.iter().map(|(_, why)| why.reason()).collect();
    assert_eq!(reasons, ["no_address", "no_address", "invalid_address", "domain_not_allowed"]);
    let without = plan(tokens(), vec![source(true)], &recipients(Group::Owner, None));
    assert_eq!((without.mails.len(), without.unaddressed.len()), (0, 4));
}

#[test]
fn mails_per_team_go_to_the_addresses_of_the_flags() {
    let tokens = vec![
        token("ours", json!({})),
        token("theirs", json!({"labels": {"team": "data"}})),
        token("no-team", json!({"labels": {}})),
    ];
    let plan = plan(tokens, vec![source(true)], &recipients(Group::Team, Some("platform@example.com")));
    assert_eq!(mails(&plan), [("platform@example.com", vec!["ours"], vec!["no-team", "theirs"])]);
    assert_eq!(plan.mails["platform@example.com"].teams, [Line::new("Platform")]);
    let reasons: Vec<_> = plan.unaddressed.iter().map(|(_, why)| why.reason()).collect();
    assert_eq!(reasons, ["no_team", "team_without_address"]);
}

#[test]
fn incomplete_source_is_mailed_to_the_fallback_although_no_token_is_due() {
    let recipients = recipients(Group::Owner, Some("ops@example.com"));
    let incomplete = plan(Vec::new(), vec![source(false)], &recipients);
    assert_eq!(mails(&incomplete), [("ops@example.com", vec![], vec![])]);
    assert_eq!(incomplete.problems.len(), 1);
    assert!(plan(Vec::new(), vec![source(true)], &recipients).mails.is_empty());
}
