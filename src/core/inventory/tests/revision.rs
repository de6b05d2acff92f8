//! The revision of a source's tokens rises when they change, and only then.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::property::{any_collection, outcome as any_outcome};
use super::{collect, day, gap, inventory, inventory_with, outcome, policy, record, rules, scope, token};
use crate::core::failure::{Failure, Reason};
use crate::core::inventory::{Inventory, Policy, Revision};
use crate::core::outcome::{Outcome, RateLimit};
use crate::core::rules::{Match, Rule};
use crate::core::token::{Expiry, Owner, State, Token};

fn revision(inventory: &Inventory) -> Revision {
    inventory.revision("main").unwrap()
}

fn in_state(state: State, drop: bool) -> Rule {
    let labels = if drop { BTreeMap::new() } else { [("state".to_owned(), state.label().to_owned())].into() };
    Rule { matches: Match { state: vec![state], ..Match::default() }, labels, drop, ..Rule::default() }
}

fn by_id(id: &str) -> Match {
    Match { id: Some(regex::Regex::new(&format!("^{id}$")).unwrap()), ..Match::default() }
}

/// Everything that is shown, on these and all later days.
fn shown(inventory: &Inventory, today: i64) -> String {
    let source = inventory.source("main").unwrap();
    let counts = (source.filtered, source.dropped, &source.adjustments);
    let views = |day: DateTime<Utc>| inventory.source_tokens("main", day).map(|view| format!("{view:?}\n")).collect();
    let days: Vec<String> = (today..today + 50).map(|later| views(day(later))).collect();
    format!("{counts:?}\n{}", days.concat())
}

/// Two tokens with one id, one that a rule drops, one over the limit, one that is replaced, one that needs changes.
fn busy() -> (Inventory, Outcome) {
    let limit = Policy { token_limit: 4, ..policy() };
    let rules =
        vec![Rule { matches: by_id("dropped"), drop: true, ..Rule::default() }, in_state(State::Replaced, false)];
    let named = |id: &str, expiry| Token { name: "ci".into(), ..token(id, expiry) };
    let tokens = vec![
        token("double", 90),
        token("double", 20),
        token("dropped", 30),
        Token { expires: Expiry::Never, ..token("over the limit", 0) },
        named("old", 40),
        Token { created_at: Some(day(-1)), ..named("new", 50) },
        Token { name: "unsafe\u{7}".into(), ..token("unsafe", 60) },
        token("missing", 10),
    ];
    let missing = outcome(vec![scope("a", tokens[..7].to_vec())], vec![gap("b", Reason::Timeout)]);
    let mut inventory = inventory_with(limit, rules);
    collect(&mut inventory, tokens, day(0));
    (inventory, missing)
}

#[test]
fn unchanged_outcome_keeps_the_revision_of_tokens() {
    let (mut inventory, outcome) = busy();
    // The token is missing, then removed.
    for today in [1, 2] {
        let before = revision(&inventory);
        record(&mut inventory, outcome.clone(), day(today));
        assert!(revision(&inventory).tokens > before.tokens, "day {today}");
    }
    for today in 3..6 {
        let before = revision(&inventory);
        record(&mut inventory, outcome.clone(), day(today));
        assert_eq!(revision(&inventory).tokens, before.tokens, "day {today}");
        assert!(revision(&inventory).status > before.status, "day {today}");
    }
    let failed = Outcome::failed(&policy().listings, &Failure::new(Reason::Connect, "no route"));
    let before = revision(&inventory);
    record(&mut inventory, failed, day(6));
    assert_eq!(revision(&inventory).tokens, before.tokens, "everything failed");
    let limited = Outcome { rate_limit: Some(RateLimit { limit: None, remaining: 7 }), ..outcome };
    record(&mut inventory, limited, day(7));
    assert_eq!(revision(&inventory).tokens, before.tokens);
}

#[test]
fn every_change_raises_the_revision_of_tokens() {
    let base = || vec![token("1", 60), token("2", 20)];
    let with = |change: Token| vec![token("1", 60), change];
    let cases: Vec<(&str, Outcome)> = vec![
        ("a field", outcome(vec![scope("all", with(Token { disabled: true, ..token("2", 20) }))], vec![])),
        ("another expiry", outcome(vec![scope("all", with(token("2", 21)))], vec![])),
        ("another scope", outcome(vec![scope("all", vec![token("1", 60)]), scope("b", vec![token("2", 20)])], vec![])),
        ("a new token", outcome(vec![scope("all", [base(), vec![token("3", 9)]].concat())], vec![])),
        ("a missing token", outcome(vec![scope("all", vec![token("1", 60)])], vec![])),
        ("a duplicate", outcome(vec![scope("all", [base(), vec![token("2", 20)]].concat())], vec![])),
        (
            "an adjustment",
            outcome(vec![scope("all", with(Token { name: "token 2\u{7}".into(), ..token("2", 20) }))], vec![]),
        ),
        ("an unread field", Outcome { unread_fields: 1, ..outcome(vec![scope("all", base())], vec![]) }),
    ];
    for (case, changed) in cases {
        let mut inventory = inventory(policy());
        collect(&mut inventory, base(), day(0));
        let before = revision(&inventory);
        record(&mut inventory, changed, day(1));
        assert!(revision(&inventory).tokens > before.tokens, "{case}");
    }
}

#[test]
fn equal_configuration_keeps_both_revisions() {
    let (mut inventory, outcome) = busy();
    record(&mut inventory, outcome.clone(), day(1));
    let policy = inventory.source("main").unwrap().policy.clone();
    let with =
        |rules: Vec<Rule>| [vec![Rule { matches: by_id("dropped"), drop: true, ..Rule::default() }], rules].concat();
    let set = |inventory: &mut Inventory, policy: &Policy, new: Vec<Rule>| {
        let before = revision(inventory);
        inventory.set_policy([("main".into(), policy.clone())].into(), rules(new));
        inventory.update_states(day(1));
        let after = revision(inventory);
        (after.tokens > before.tokens, after.status > before.status)
    };
    let states = || with(vec![in_state(State::Replaced, false)]);
    assert_eq!(set(&mut inventory, &policy, states()), (false, false));
    let other_source =
        Rule { matches: Match { source: vec!["x".into()], ..Match::default() }, drop: true, ..Rule::default() };
    assert_eq!(
        set(&mut inventory, &policy, [states(), vec![other_source]].concat()),
        (false, false),
        "a rule of another"
    );
    assert!(set(&mut inventory, &policy, with(vec![])).0, "a label of a rule is missing");
    let longer = Policy { interval: TimeDelta::hours(1), ..policy.clone() };
    assert_eq!(set(&mut inventory, &longer, with(vec![])), (true, true));
    assert_eq!(set(&mut inventory, &policy, with(vec![in_state(State::Replaced, false)])), (true, true));

    // A start: the policy is set before and after the tokens are restored.
    let mut next = inventory_with(policy.clone(), states());
    super::restore::restore(&mut next, &inventory);
    next.update_states(day(1));
    assert_eq!(set(&mut next, &policy, states()), (false, false));
    let before = revision(&next);
    record(&mut next, outcome.clone(), day(2));
    let removed = revision(&next);
    assert!(removed.tokens > before.tokens, "the missing token is removed");
    record(&mut next, outcome, day(3));
    assert_eq!(revision(&next).tokens, removed.tokens);
}

#[test]
fn change_of_one_source_keeps_the_revisions_of_others() {
    let mut inventory = Inventory::default();
    let sources = || BTreeMap::from([("main".to_owned(), policy()), ("other".to_owned(), policy())]);
    inventory.set_policy(sources(), rules(vec![]));
    let before = inventory.revision("other");
    collect(&mut inventory, vec![token("1", 60)], day(0));
    assert_eq!(inventory.revision("other"), before);
    let label = Rule {
        matches: Match { source: vec!["main".into()], ..Match::default() },
        owner: Some(Owner { name: Some("Jane".into()), ..Owner::default() }),
        labels: [("team".to_owned(), "web".to_owned())].into(),
        ..Rule::default()
    };
    let changed = revision(&inventory).tokens;
    inventory.set_policy(sources(), rules(vec![label]));
    assert!(revision(&inventory).tokens > changed);
    assert_eq!(inventory.revision("other"), before);
}

#[test]
fn unchanged_tokens_are_the_same_in_memory() {
    let (mut inventory, outcome) = busy();
    let addresses = |inventory: &Inventory| -> Vec<*const Token> {
        // Of two rows with one id, either may be the known token.
        let views = inventory.source_tokens("main", day(0)).filter(|view| &*view.token.id != "double");
        views.map(|view| std::ptr::from_ref(view.token)).collect()
    };
    record(&mut inventory, outcome.clone(), day(1));
    record(&mut inventory, outcome.clone(), day(2));
    let before = addresses(&inventory);
    assert_eq!(before.len(), 3);
    // Equal tokens that another collection made.
    record(&mut inventory, outcome, day(3));
    assert_eq!(addresses(&inventory), before);
}

#[derive(Clone, Debug)]
enum Change {
    Record(Box<Outcome>),
    Policy(usize, usize),
    States,
}

fn any_change() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => any_collection().prop_map(|collection| Change::Record(Box::new(any_outcome(&collection)))),
        1 => (0..2_usize, 0..4_usize).prop_map(|(policy, rules)| Change::Policy(policy, rules)),
        1 => Just(Change::States),
    ]
}

fn apply(inventory: &mut Inventory, change: &Change, today: i64) {
    match change {
        Change::Record(outcome) => record(inventory, (**outcome).clone(), day(today)),
        Change::Policy(number, with) => {
            let policies = [policy(), Policy { token_limit: 3, ..policy() }];
            let label = Rule { labels: [("team".to_owned(), "web".to_owned())].into(), ..Rule::default() };
            let with = [
                vec![],
                vec![label],
                vec![in_state(State::Replaced, false), in_state(State::Expired, true)],
                vec![Rule { matches: by_id("[12]"), rotate_after: Some(TimeDelta::days(30)), ..Rule::default() }],
            ][*with]
                .clone();
            inventory.set_policy([("main".into(), policies[*number].clone())].into(), rules(with));
            inventory.update_states(day(today));
        }
        Change::States => inventory.update_states(day(today)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn equal_revisions_show_the_same(changes in prop::collection::vec(any_change(), 1..10)) {
        let mut inventory = inventory(policy());
        for (today, change) in changes.iter().enumerate() {
            let today = i64::try_from(today).unwrap();
            let before = (revision(&inventory), shown(&inventory, today));
            apply(&mut inventory, change, today);
            if revision(&inventory).tokens == before.0.tokens {
                prop_assert_eq!(shown(&inventory, today), before.1, "{:?}", change);
            }
            // The same again: the second collection removes a missing token, and the third has no filtered one.
            apply(&mut inventory, change, today);
            apply(&mut inventory, change, today);
            let settled = revision(&inventory);
            apply(&mut inventory, change, today);
            prop_assert_eq!(revision(&inventory).tokens, settled.tokens, "{:?}", change);
        }
    }
}
