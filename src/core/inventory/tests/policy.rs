use std::collections::BTreeMap;

use chrono::TimeDelta;
use regex::Regex;

use super::{answer, day, ids, inventory, inventory_with, outcome, policy, record, rules, scope, token, view};
use crate::core::failure::{Failure, Reason};
use crate::core::inventory::{Inventory, Policy};
use crate::core::lead::{Band, Lead};
use crate::core::outcome::Outcome;
use crate::core::rules::{Match, Rule};
use crate::core::token::{Expiry, Token};

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
fn a_rule_that_drops_a_token_is_counted_and_holds_at_once() {
    let mut inventory = inventory_with(policy(), vec![drop("^1")]);
    answer(&mut inventory, vec![token("1", 100), token("2", 100), token("3", 100)], day(0));
    assert_eq!(ids(&inventory, day(0)), ["2", "3"]);
    assert_eq!(inventory.sources().next().unwrap().1.filtered, 1);
    set(&mut inventory, policy(), vec![drop("^1"), drop("^2")]);
    assert_eq!(ids(&inventory, day(0)), ["3"]);
    assert_eq!(inventory.sources().next().unwrap().1.filtered, 2);
    set(&mut inventory, policy(), vec![]);
    answer(&mut inventory, vec![token("1", 100), token("2", 100), token("3", 100)], day(1));
    assert_eq!(ids(&inventory, day(1)), ["1", "2", "3"]);
    assert_eq!(inventory.sources().next().unwrap().1.filtered, 0);
}

#[test]
fn a_token_that_changes_so_that_a_rule_drops_it_is_gone() {
    let mut inventory = inventory_with(
        policy(),
        vec![Rule {
            matches: Match { kind: vec!["session".into()], ..Match::default() },
            drop: true,
            ..Rule::default()
        }],
    );
    answer(&mut inventory, vec![token("1", 100)], day(0));
    answer(&mut inventory, vec![Token { kind: "session".into(), ..token("1", 100) }], day(1));
    assert!(ids(&inventory, day(1)).is_empty());
}

#[test]
fn a_new_configuration_holds_at_once_for_what_is_known() {
    let mut inventory = inventory(policy());
    answer(&mut inventory, vec![token("1", 60)], day(0));
    assert_eq!(view(&inventory, "1", day(0)).band, None);
    let longer = Policy { lead: Lead { warning: TimeDelta::days(90), critical: TimeDelta::days(7) }, ..policy() };
    let label = Rule { labels: [("team".into(), "platform".into())].into(), ..Rule::default() };
    set(&mut inventory, longer, vec![label]);
    let shown = view(&inventory, "1", day(0));
    assert_eq!((shown.band, shown.labels.len()), (Some(Band::Warning), 1));
    set(&mut inventory, policy(), vec![]);
    let shown = view(&inventory, "1", day(0));
    assert_eq!((shown.band, shown.labels.len()), (None, 0), "and so does the one of before, when it is back");
}

#[test]
fn a_source_that_is_no_longer_configured_is_forgotten() {
    let mut inventory = inventory(policy());
    answer(&mut inventory, vec![token("1", 60)], day(0));
    inventory.set_policy(BTreeMap::from([("other".into(), policy())]), rules(vec![]));
    assert_eq!(inventory.sources().map(|(name, _)| name).collect::<Vec<_>>(), ["other"]);
    assert!(ids(&inventory, day(0)).is_empty());
    set(&mut inventory, policy(), vec![]);
    assert!(ids(&inventory, day(0)).is_empty());
}

#[test]
fn a_source_with_another_provider_begins_anew() {
    let mut inventory = inventory(policy());
    answer(&mut inventory, vec![token("1", 60)], day(0));
    set(&mut inventory, Policy { provider: "other".into(), ..policy() }, vec![]);
    assert!(ids(&inventory, day(0)).is_empty());
    assert_eq!(inventory.sources().next().unwrap().1.up, None);
}

#[test]
fn a_listing_that_no_longer_runs_is_forgotten_and_a_new_one_begins_at_0() {
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
fn over_the_limit_the_soonest_to_end_are_kept() {
    let of = |limit| {
        let mut inventory = inventory(Policy { token_limit: limit, ..policy() });
        let tokens = vec![
            Token { expires: Expiry::Never, ..token("a-never", 0) },
            token("b-late", 300),
            token("c-long-ended", -100),
            token("d-soon", 5),
            Token { expires: Expiry::Unknown, ..token("e-unknown", 0) },
            token("f-just-ended", -1),
        ];
        answer(&mut inventory, tokens, day(0));
        let dropped = inventory.sources().next().unwrap().1.dropped;
        (ids(&inventory, day(0)).join(" "), dropped)
    };
    let cases = [
        (6, "a-never b-late c-long-ended d-soon e-unknown f-just-ended", 0),
        (5, "a-never b-late d-soon e-unknown f-just-ended", 1),
        (4, "b-late d-soon e-unknown f-just-ended", 2),
        (3, "b-late d-soon f-just-ended", 3),
        (2, "d-soon f-just-ended", 4),
        (1, "f-just-ended", 5),
        (0, "", 6),
    ];
    for (limit, kept, dropped) in cases {
        assert_eq!(of(limit), (kept.to_owned(), dropped), "{limit}");
    }
}

#[test]
fn counts_of_what_was_left_out_outlive_a_failure() {
    let mut inventory = inventory_with(Policy { token_limit: 1, ..policy() }, vec![drop("^3")]);
    answer(&mut inventory, vec![token("1", 60), token("2", 61), token("3", 62)], day(0));
    let failed = Outcome::failed(&policy().listings, &Failure::new(Reason::Connect, "no route"));
    record(&mut inventory, failed, day(1));
    let source = inventory.sources().next().unwrap().1;
    assert_eq!((source.dropped, source.filtered), (1, 1));
}
