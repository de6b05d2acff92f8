use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::{collect, day, gap, ids, inventory, inventory_with, outcome, policy, record, scope, states, token, view};
use crate::core::adjustment::Adjustment;
use crate::core::failure::Reason;
use crate::core::inventory::{Inventory, Policy, StoredState, StoredToken, StoredTokens, TokensBuilder};
use crate::core::outcome::{CredentialExpiry, Outcome, RateLimit};
use crate::core::refusal::Refusal;
use crate::core::rules::{Match, Rule};
use crate::core::secret::{Credential, Secret};
use crate::core::token::{Expiry, Owner, State, Token};

/// The state and the tokens of the source, written and read.
pub(super) fn stored(inventory: &Inventory) -> (StoredState, StoredTokens) {
    let stored = inventory.stored("main").unwrap();
    (reread(&stored.state), rebuild(stored.tokens.iter().map(|token| serde_json::to_value(token).unwrap())))
}

fn reread(state: &StoredState) -> StoredState {
    serde_json::from_str(&serde_json::to_string(state).unwrap()).unwrap()
}

fn rebuild(tokens: impl Iterator<Item = serde_json::Value>) -> StoredTokens {
    let mut builder = TokensBuilder::default();
    tokens.for_each(|token| builder.push(serde_json::from_value::<StoredToken>(token).unwrap()));
    builder.build(policy().provider)
}

/// Restores what another process has stored.
pub(super) fn restore(into: &mut Inventory, from: &Inventory) {
    let (state, tokens) = stored(from);
    into.restore("main", Some(state), Some(tokens));
}

/// The inventory of the next process, with this policy.
fn restart(inventory: &Inventory, policy: Policy, rules: Vec<Rule>) -> Inventory {
    let mut next = inventory_with(policy, rules);
    restore(&mut next, inventory);
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
    restore(&mut other_source, &before);
    assert!(ids(&other_source, day(2)).is_empty());
}

#[test]
fn restore_ignores_sources_that_were_collected_already() {
    let before = collected();
    let mut after = inventory(policy());
    collect(&mut after, vec![token("9", 100)], day(3));
    restore(&mut after, &before);
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
    let source = collected().stored("main").unwrap();
    let mut tokens: Vec<_> = source.tokens.iter().map(|token| serde_json::to_value(token).unwrap()).collect();
    tokens.reverse();
    tokens.push(tokens[0].clone());
    let mut state = source.state;
    state.listings.get_mut("tokens").unwrap().gaps.clear();
    let mut after = inventory(policy());
    after.restore("main", Some(state), Some(rebuild(tokens.into_iter())));
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
    let tokens =
        vec![Token { owner: Some(refused.into()), ..token("1", 5) }, token("2", 9), token("3", 9), token("1", 5)];
    collect(&mut before, tokens, day(1));
    let after = restart(&before, one, vec![]);
    let (old, new) = (before.sources().next().unwrap().1, after.sources().next().unwrap().1);
    assert_eq!((old.dropped, old.filtered, old.adjustments[&Adjustment::DuplicateId]), (1, 1, 1));
    assert_eq!(old.adjustments[&Adjustment::RefusedAddress], 1);
    assert_eq!((new.dropped, new.filtered, &new.adjustments), (old.dropped, old.filtered, &old.adjustments));
}

#[test]
fn source_is_stored_after_its_first_collection() {
    assert!(inventory(policy()).stored("main").is_none());
    assert!(Inventory::default().stored("main").is_none());
    assert!(collected().stored("main").is_some());
}

#[test]
fn tokens_without_a_state_are_restored_and_a_state_without_tokens_is_not() {
    let (state, tokens) = stored(&collected());
    let mut after = inventory(policy());
    after.restore("main", None, Some(tokens));
    assert_eq!(ids(&after, day(2)), ["1", "2"]);
    assert_eq!(after.source("main").unwrap().last_attempt, None);

    let refusal = Refusal::new(day(1), "ada", &Credential::single(Secret::new("hunter2")));
    let mut after = inventory(policy());
    after.restore("main", Some(StoredState { refusal: Some(refusal), ..state }), None);
    let source = after.source("main").unwrap();
    assert_eq!((source.last_attempt, source.last_success), (None, None), "a success without its tokens");
    assert_eq!(source.refusal, Some(refusal), "a refused password is not sent again");
}

#[test]
fn shared_source_has_counters_and_no_refusal() {
    let mut before = collected();
    let refusal = Refusal::new(day(1), "ada", &Credential::single(Secret::new("hunter2")));
    let refused = Outcome { refusal: Some(refusal), requests: [(401, 1)].into(), ..outcome(vec![], vec![]) };
    record(&mut before, refused, day(2));
    assert_eq!(before.stored("main").unwrap().state.refusal, Some(refusal));
    let shared = before.shared("main").unwrap();
    assert_eq!(shared.state.refusal, None);
    let state = reread(&shared.state);
    let counters = state.shared.clone().unwrap();
    assert_eq!((counters.requests, counters.failures[&Reason::Forbidden]), ([(200, 3), (401, 1)].into(), 1));

    let mut other = inventory(policy());
    collect(&mut other, vec![token("9", 100)], day(1));
    let revision = other.revision("main").unwrap();
    assert!(other.adopt("main", state.clone(), None, day(2)));
    let source = other.source("main").unwrap();
    assert_eq!((source.up, source.last_attempt), (Some(true), before.source("main").unwrap().last_attempt));
    assert_eq!((source.requests[&401], source.failures[&Reason::Forbidden]), (1, 1));
    assert_eq!(ids(&other, day(2)), ["9"], "the tokens that are known are current");
    let adopted = other.revision("main").unwrap();
    assert!(adopted.tokens == revision.tokens && adopted.status > revision.status, "{revision:?} {adopted:?}");

    assert!(other.adopt("main", state.clone(), Some(shared.tokens.clone()), day(2)));
    assert_eq!(ids(&other, day(2)), ["1", "2"]);
    assert!(other.revision("main").unwrap().tokens > revision.tokens);

    assert!(!other.adopt("unknown", state.clone(), None, day(2)));
    let mut other = inventory(Policy { provider: "other".into(), ..policy() });
    assert!(!other.adopt("main", state, Some(shared.tokens), day(2)));
    assert!(ids(&other, day(2)).is_empty());
}

#[test]
fn change_after_storing_does_not_change_what_is_stored() {
    let mut inventory = collected();
    let stored = inventory.stored("main").unwrap();
    collect(&mut inventory, vec![token("9", 100)], day(2));
    assert_eq!(stored.tokens.len(), 2);
    assert_eq!(serde_json::to_value(stored.tokens.iter().next().unwrap()).unwrap()["token"]["id"], "1");
}

#[test]
fn newer_state_is_that_of_the_later_success() {
    let state = |success: Option<i64>, attempt| StoredState {
        last_success: success.map(day),
        last_attempt: Some(day(attempt)),
        ..StoredState::default()
    };
    assert!(state(Some(2), 2).is_newer_than(&state(Some(1), 3)));
    assert!(state(Some(2), 3).is_newer_than(&state(Some(2), 2)));
    assert!(!state(Some(2), 2).is_newer_than(&state(Some(2), 2)));
    assert!(!state(None, 9).is_newer_than(&state(Some(1), 1)), "no success is worse than an old one");
}
