use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::{collect, day, gap, ids, inventory, inventory_with, outcome, policy, record, scope, states, token, view};
use crate::core::failure::Reason;
use crate::core::inventory::{Adjustment, Inventory, Policy, Snapshot};
use crate::core::outcome::{CredentialExpiry, Outcome, RateLimit};
use crate::core::rules::{Match, Rule};
use crate::core::token::{Expiry, Owner, State, Token};

/// The inventory of the next process, with this policy.
fn restart(inventory: &Inventory, policy: Policy, rules: Vec<Rule>) -> Inventory {
    let file = serde_json::to_string(&inventory.snapshot()).unwrap();
    let mut next = inventory_with(policy, rules);
    next.restore(serde_json::from_str::<Snapshot<'_>>(&file).unwrap());
    next
}

fn collected() -> Inventory {
    let mut inventory = inventory(policy());
    let full = Outcome {
        credential_expiry: CredentialExpiry::Reported(Expiry::At(day(50))),
        rate_limit: Some(RateLimit { limit: None, remaining: 7 }),
        requests: [(200, 3)].into(),
        ..outcome(vec![scope("a", vec![token("1", 100), token("2", 3)])], vec![gap("b", Reason::Forbidden)])
    };
    record(&mut inventory, full, day(1));
    inventory
}

#[test]
fn restored_inventory_is_the_same_except_counters() {
    let before = collected();
    let after = restart(&before, policy(), vec![]);
    let tokens = |inventory: &Inventory| inventory.tokens(day(2)).map(|view| view.token.clone()).collect::<Vec<_>>();
    assert_eq!(tokens(&after), tokens(&before));
    let (old, new) = (before.sources().next().unwrap().1, after.sources().next().unwrap().1);
    assert_eq!(new.up, None);
    assert_eq!((new.last_attempt, new.last_success), (old.last_attempt, old.last_success));
    assert_eq!((new.credential_expiry, new.rate_limit), (old.credential_expiry, old.rate_limit));
    assert_eq!((new.last_duration, &new.listings), (Some(TimeDelta::seconds(10)), &old.listings));
    assert_eq!((new.requests.len(), new.failures[&Reason::Forbidden]), (0, 0), "counters start at 0");
    assert_eq!(after.next_change(day(2)), before.next_change(day(2)));
}

#[test]
fn missing_tokens_are_remembered_across_a_restart() {
    let mut before = collected();
    record(&mut before, outcome(vec![scope("a", vec![])], vec![]), day(2));
    let mut after = restart(&before, policy(), vec![]);
    assert_eq!(states(&after, day(2)), [("1", State::Active), ("2", State::Active)]);
    record(&mut after, outcome(vec![scope("a", vec![])], vec![]), day(3));
    assert_eq!(states(&after, day(3)), [("2", State::Expired)]);
    let again = restart(&after, policy(), vec![]);
    assert_eq!(states(&again, day(9)), [("2", State::Expired)]);
    assert!(ids(&again, day(10)).is_empty(), "evicted after its retention");
}

#[test]
fn restore_applies_the_current_configuration() {
    let before = collected();
    let drop = Rule { drop: true, ..Rule::default() };
    let label = Rule { labels: [("team".into(), "platform".into())].into(), ..Rule::default() };
    assert!(ids(&restart(&before, policy(), vec![drop]), day(2)).is_empty());
    assert_eq!(view(&restart(&before, policy(), vec![label]), "1", day(2)).labels["team"], "platform");
    let other = Policy { provider: "other".into(), ..policy() };
    assert!(ids(&restart(&before, other, vec![]), day(2)).is_empty());
    let keys = Policy { listings: vec!["keys".into()], ..policy() };
    let after = restart(&before, keys, vec![]);
    assert!(ids(&after, day(2)).is_empty());
    assert_eq!(after.sources().next().unwrap().1.listings.len(), 1);

    let mut other_source = Inventory::default();
    other_source.set_policy(BTreeMap::from([("other".into(), policy())]), super::rules(vec![]));
    other_source.restore(before.snapshot());
    assert!(ids(&other_source, day(2)).is_empty());
}

#[test]
fn restore_ignores_sources_that_were_collected_already() {
    let before = collected();
    let mut after = inventory(policy());
    collect(&mut after, vec![token("9", 100)], day(3));
    after.restore(before.snapshot());
    assert_eq!(ids(&after, day(3)), ["9"]);
}

#[test]
fn restored_token_is_replaced_too() {
    let mut before = inventory(policy());
    let named = |id, expiry, created| Token { name: "ci".into(), created_at: Some(day(created)), ..token(id, expiry) };
    collect(&mut before, vec![named("1", 20, -300), named("2", 300, -1)], day(1));
    let after = restart(&before, policy(), vec![]);
    assert_eq!(states(&after, day(1)), [("1", State::Replaced), ("2", State::Active)]);
}

#[test]
fn restore_accepts_unordered_and_incomplete_content() {
    let mut stored = serde_json::to_value(collected().snapshot()).unwrap();
    let tokens = stored["sources"]["main"]["tokens"].as_array_mut().unwrap();
    tokens.reverse();
    tokens.push(tokens[0].clone());
    stored["sources"]["main"]["listings"]["tokens"]["gaps"] = serde_json::json!({});
    let mut after = inventory(policy());
    after.restore(serde_json::from_value(stored).unwrap());
    assert_eq!(ids(&after, day(2)), ["1", "2"]);
    assert_eq!(after.sources().next().unwrap().1.listings["tokens"].gaps.len(), Reason::ALL.len());
    collect(&mut after, vec![token("1", 100), token("2", 3)], day(2));
    assert_eq!(ids(&after, day(2)), ["1", "2"]);
}

#[test]
fn counts_are_restored() {
    let one = Policy { token_limit: 1, ..policy() };
    let mut before = inventory_with(
        one.clone(),
        vec![Rule {
            matches: Match { id: Some(regex::Regex::new("^3$").unwrap()), ..Match::default() },
            drop: true,
            ..Rule::default()
        }],
    );
    let refused = Owner { email: Some("no address".into()), ..Owner::default() };
    let tokens = vec![Token { owner: Some(refused), ..token("1", 5) }, token("2", 9), token("3", 9), token("1", 5)];
    collect(&mut before, tokens, day(1));
    let after = restart(&before, one, vec![]);
    let (old, new) = (before.sources().next().unwrap().1, after.sources().next().unwrap().1);
    assert_eq!((old.dropped, old.filtered, old.adjustments[&Adjustment::DuplicateId]), (1, 1, 1));
    assert_eq!(old.adjustments[&Adjustment::RefusedAddress], 1);
    assert_eq!((new.dropped, new.filtered, &new.adjustments), (old.dropped, old.filtered, &old.adjustments));
}

#[test]
fn snapshot_without_tokens_and_collections_is_empty() {
    assert!(inventory(policy()).snapshot().is_empty());
    assert!(Inventory::default().snapshot().is_empty());
    assert!(!collected().snapshot().is_empty());
}
