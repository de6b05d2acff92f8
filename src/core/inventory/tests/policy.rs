use std::collections::BTreeMap;

use chrono::TimeDelta;
use regex::Regex;

use super::{collect, day, ids, inventory, inventory_with, outcome, policy, record, rules, scope, token, view};
use crate::core::failure::{Failure, Reason};
use crate::core::inventory::{Inventory, Policy};
use crate::core::lead::{Band, Lead};
use crate::core::outcome::Outcome;
use crate::core::rules::{Match, Rule};
use crate::core::token::{Expiry, State, Token};

fn by_id(pattern: &str) -> Match {
    Match { id: Some(Regex::new(pattern).unwrap()), ..Match::default() }
}

fn drop(pattern: &str) -> Rule {
    Rule { matches: by_id(pattern), drop: true, ..Rule::default() }
}

fn set(inventory: &mut Inventory, policy: Policy, with: Vec<Rule>) {
    inventory.set_policy(BTreeMap::from([("main".into(), policy)]), rules(with));
}

#[test]
fn dropped_tokens_are_counted_and_rules_apply_at_once() {
    let mut inventory = inventory_with(policy(), vec![drop("^1")]);
    collect(&mut inventory, vec![token("1", 100), token("2", 100), token("3", 100)], day(0));
    assert_eq!(ids(&inventory, day(0)), ["2", "3"]);
    assert_eq!(inventory.sources().next().unwrap().1.filtered, 1);
    set(&mut inventory, policy(), vec![drop("^1"), drop("^2")]);
    assert_eq!(ids(&inventory, day(0)), ["3"]);
    assert_eq!(inventory.sources().next().unwrap().1.filtered, 2);
    set(&mut inventory, policy(), vec![]);
    collect(&mut inventory, vec![token("1", 100), token("2", 100), token("3", 100)], day(1));
    assert_eq!(ids(&inventory, day(1)), ["1", "2", "3"]);
    assert_eq!(inventory.sources().next().unwrap().1.filtered, 0);
}

/// Drops tokens in this state.
fn drop_in(state: State) -> Rule {
    Rule { matches: Match { state: vec![state], ..Match::default() }, drop: true, ..Rule::default() }
}

#[test]
fn rule_matches_the_state_that_the_provider_reports() {
    let named = |id: &str, expiry: i64, created: i64| Token {
        name: "deploy".into(),
        created_at: Some(day(created)),
        ..token(id, expiry)
    };
    let tokens = || {
        vec![
            token("active", 100),
            token("expired", -1),
            Token { disabled: true, ..token("disabled", 100) },
            named("replaced", 20, -100),
            named("replacement", 200, -10),
            Token { expires: Expiry::Never, ..token("rotated", 0) },
        ]
    };
    // Its expiry is set by a rule and is over: that does not make it `expired` for rules.
    let rotate = Rule { matches: by_id("rotated"), rotate_after: Some(TimeDelta::days(30)), ..Rule::default() };
    let cases = [
        (State::Active, vec!["disabled", "expired", "replaced"]),
        (State::Expired, vec!["active", "disabled", "replaced", "replacement", "rotated"]),
        (State::Disabled, vec!["active", "expired", "replaced", "replacement", "rotated"]),
        (State::Replaced, vec!["active", "disabled", "expired", "replacement", "rotated"]),
    ];
    for (state, kept) in cases {
        let mut inventory = inventory_with(policy(), vec![rotate.clone(), drop_in(state)]);
        collect(&mut inventory, tokens(), day(0));
        assert_eq!(ids(&inventory, day(0)), kept, "{state:?}");
        let filtered = tokens().len() - kept.len();
        assert_eq!(inventory.sources().next().unwrap().1.filtered, filtered as u64, "{state:?}");
        // The same after a reload, and in a process that restores the tokens.
        set(&mut inventory, policy(), vec![]);
        collect(&mut inventory, tokens(), day(0));
        let (stored, tokens) = super::restore::stored(&inventory);
        set(&mut inventory, policy(), vec![rotate.clone(), drop_in(state)]);
        inventory.update_states(day(0));
        assert_eq!(ids(&inventory, day(0)), kept, "{state:?}");
        let mut restored = inventory_with(policy(), vec![rotate.clone(), drop_in(state)]);
        restored.restore("main", Some(stored), Some(tokens));
        restored.update_states(day(0));
        assert_eq!(ids(&restored, day(0)), kept, "{state:?}");
    }
}

#[test]
fn rule_applies_when_the_state_changes_without_a_collection() {
    let label = |state: State| Rule {
        matches: Match { state: vec![state], ..Match::default() },
        labels: [("state".to_owned(), state.label().to_owned())].into(),
        ..Rule::default()
    };
    let mut inventory =
        inventory_with(policy(), vec![label(State::Active), label(State::Expired), label(State::Replaced)]);
    let named = |id: &str, expiry: i64, created: i64| Token {
        name: "deploy".into(),
        created_at: Some(day(created)),
        ..token(id, expiry)
    };
    collect(&mut inventory, vec![named("1", 20, -100), named("2", 10, -10), named("3", 15, -5)], day(0));
    for (now, states) in [
        (0, ["active", "replaced", "active"]),
        (10, ["active", "replaced", "active"]),
        (15, ["active", "expired", "expired"]),
        (20, ["expired", "expired", "expired"]),
    ] {
        if now > 0 {
            assert_eq!(inventory.next_change(day(now) - TimeDelta::seconds(1)), Some(day(now)));
            inventory.update_states(day(now));
        }
        let labels: Vec<_> = inventory.tokens(day(now)).map(|view| view.labels["state"].clone()).collect();
        assert_eq!(labels, states, "day {now}");
    }
    // A token of a failed scope, too.
    let mut dropping = inventory_with(policy(), vec![drop_in(State::Expired)]);
    collect(&mut dropping, vec![token("1", 5), token("2", 100)], day(0));
    record(&mut dropping, outcome(vec![], vec![super::gap("all", Reason::Timeout)]), day(5));
    assert_eq!(ids(&dropping, day(5)), ["2"]);
}

#[test]
fn changed_token_is_dropped_by_a_rule() {
    let mut inventory = inventory_with(
        policy(),
        vec![Rule {
            matches: Match { kind: vec!["session".into()], ..Match::default() },
            drop: true,
            ..Rule::default()
        }],
    );
    collect(&mut inventory, vec![token("1", 100)], day(0));
    collect(&mut inventory, vec![Token { kind: "session".into(), ..token("1", 100) }], day(1));
    assert!(ids(&inventory, day(1)).is_empty());
}

#[test]
fn new_policy_applies_to_known_tokens_at_once() {
    let mut inventory = inventory(policy());
    collect(&mut inventory, vec![token("1", 60)], day(0));
    assert_eq!(view(&inventory, "1", day(0)).band, None);
    let longer = Policy { lead: Lead { warning: TimeDelta::days(90), critical: TimeDelta::days(7) }, ..policy() };
    let label = Rule { labels: [("team".into(), "platform".into())].into(), ..Rule::default() };
    set(&mut inventory, longer, vec![label]);
    let found = view(&inventory, "1", day(0));
    assert_eq!((found.band, found.labels.len()), (Some(Band::Warning), 1));
    set(&mut inventory, policy(), vec![]);
    let found = view(&inventory, "1", day(0));
    assert_eq!((found.band, found.labels.len()), (None, 0), "and so does the previous one");
}

#[test]
fn source_that_is_no_longer_configured_is_removed() {
    let mut inventory = inventory(policy());
    collect(&mut inventory, vec![token("1", 60)], day(0));
    inventory.set_policy(BTreeMap::from([("other".into(), policy())]), rules(vec![]));
    assert_eq!(inventory.sources().map(|(name, _)| name).collect::<Vec<_>>(), ["other"]);
    assert!(ids(&inventory, day(0)).is_empty());
    set(&mut inventory, policy(), vec![]);
    assert!(ids(&inventory, day(0)).is_empty());
}

#[test]
fn source_with_another_provider_is_reset() {
    let mut inventory = inventory(policy());
    collect(&mut inventory, vec![token("1", 60)], day(0));
    set(&mut inventory, Policy { provider: "other".into(), ..policy() }, vec![]);
    assert!(ids(&inventory, day(0)).is_empty());
    assert_eq!(inventory.sources().next().unwrap().1.up, None);
}

#[test]
fn tokens_of_a_removed_listing_are_removed() {
    let mut inventory = inventory(policy());
    let mut both = outcome(vec![scope("a", vec![token("1", 60)])], vec![]);
    both.listings[1].scopes = vec![scope("", vec![token("2", 60)])];
    record(&mut inventory, both, day(0));
    set(&mut inventory, Policy { listings: vec!["keys".into(), "apps".into()], ..policy() }, vec![]);
    assert_eq!(ids(&inventory, day(0)), ["2"]);
    let source = inventory.sources().next().unwrap().1;
    assert_eq!(source.listings.keys().collect::<Vec<_>>(), ["apps", "keys"]);
    assert_eq!((source.listings["keys"].scopes, source.listings["apps"].scopes), (1, 0));
    assert_eq!(source.listings["apps"].gaps.len(), Reason::ALL.len());
    assert_eq!(source.up, Some(true));
}

#[test]
fn token_limit_keeps_the_soonest_to_expire() {
    let of = |limit| {
        let mut inventory = inventory(Policy { token_limit: limit, ..policy() });
        let tokens = vec![
            Token { expires: Expiry::Never, ..token("a-never", 0) },
            token("b-late", 300),
            token("c-long-expired", -100),
            token("d-soon", 5),
            Token { expires: Expiry::Unknown, ..token("e-unknown", 0) },
            token("f-just-expired", -1),
        ];
        collect(&mut inventory, tokens, day(0));
        let dropped = inventory.sources().next().unwrap().1.dropped;
        (ids(&inventory, day(0)).join(" "), dropped)
    };
    let cases = [
        (6, "a-never b-late c-long-expired d-soon e-unknown f-just-expired", 0),
        (5, "a-never b-late d-soon e-unknown f-just-expired", 1),
        (4, "b-late d-soon e-unknown f-just-expired", 2),
        (3, "b-late d-soon f-just-expired", 3),
        (2, "d-soon f-just-expired", 4),
        (1, "f-just-expired", 5),
        (0, "", 6),
    ];
    for (limit, kept, dropped) in cases {
        assert_eq!(of(limit), (kept.to_owned(), dropped), "{limit}");
    }
}

#[test]
fn token_limit_keeps_tokens_that_are_due_for_rotation() {
    let rule = Rule { rotate_after: Some(TimeDelta::days(30)), ..Rule::default() };
    let mut inventory = inventory_with(Policy { token_limit: 1, ..policy() }, vec![rule]);
    let unlimited = Token { expires: Expiry::Never, ..token("a-overdue-for-a-year", 0) };
    collect(&mut inventory, vec![unlimited, token("b-late", 300)], day(0));
    assert_eq!(ids(&inventory, day(0)), ["a-overdue-for-a-year"]);
}

#[test]
fn dropped_and_filtered_counts_survive_a_failure() {
    let mut inventory = inventory_with(Policy { token_limit: 1, ..policy() }, vec![drop("^3")]);
    collect(&mut inventory, vec![token("1", 60), token("2", 61), token("3", 62)], day(0));
    let failed = Outcome::failed(&policy().listings, &Failure::new(Reason::Connect, "no route"));
    record(&mut inventory, failed, day(1));
    let source = inventory.sources().next().unwrap().1;
    assert_eq!((source.dropped, source.filtered), (1, 1));
}
