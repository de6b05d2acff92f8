use super::{collect, day, gap, ids, inventory, malformed_scope, outcome, policy, record, scope, states, token};
use crate::core::failure::Reason;
use crate::core::inventory::Inventory;
use crate::core::outcome::Outcome;
use crate::core::token::{Expiry, State, Token};

/// A collection of the scope `a/x`, which contains the token of these tests.
#[derive(Clone, Copy, Debug)]
enum Collection {
    /// The scope is complete and lists the token.
    Listed,
    /// The scope is complete without the token.
    Missing,
    /// This path failed.
    Gap(&'static str),
    /// This path is complete without the token, with a malformed row.
    Malformed(&'static str),
    /// The listing is not in the outcome.
    NotRun,
}
use Collection::{Gap, Listed, Malformed, Missing, NotRun};

fn outcome_of(collection: Collection, token: &Token) -> Outcome {
    match collection {
        Listed => outcome(vec![scope("a/x", vec![token.clone()])], Vec::new()),
        Missing => outcome(vec![scope("a/x", vec![])], Vec::new()),
        Gap(path) => outcome(vec![scope("b/y", vec![])], vec![gap(path, Reason::Timeout)]),
        Malformed(path) => outcome(vec![malformed_scope(path, vec![])], Vec::new()),
        NotRun => Outcome::default(),
    }
}

/// The token's state after one collection per day, from the first day on.
fn after(token: &Token, collections: &[Collection]) -> Option<State> {
    let mut inventory = inventory(policy());
    let mut today = 0;
    for collection in collections {
        today += 1;
        record(&mut inventory, outcome_of(*collection, token), day(today));
    }
    states(&inventory, day(today)).first().map(|(_, state)| *state)
}

#[test]
fn token_is_removed_when_it_is_missing_twice_in_a_row() {
    let active = Some(State::Active);
    let cases: [(&str, &[Collection], Option<State>); 12] = [
        ("listed", &[Listed], active),
        ("missing once: a page may have skipped it", &[Listed, Missing], active),
        ("missing twice", &[Listed, Missing, Missing], None),
        ("missing, listed, missing", &[Listed, Missing, Listed, Missing], active),
        ("missing once, then failures", &[Listed, Missing, Gap("a/x"), Gap("a/x")], active),
        ("a failure in between does not count", &[Listed, Missing, Gap("a/x"), Missing], None),
        ("its scope fails repeatedly", &[Listed, Gap("a/x"), Gap("a/x"), Gap("a/x")], active),
        ("a step above it fails", &[Listed, Gap("a"), Gap("a"), Gap("a")], active),
        ("the whole listing fails", &[Listed, Gap(""), Gap(""), Gap("")], active),
        ("another scope fails, its own no longer exists", &[Listed, Gap("b"), Gap("a/xy")], None),
        ("its scope has malformed rows", &[Listed, Malformed("a/x"), Malformed("a/x"), Malformed("a/x")], active),
        ("a step above it has malformed rows", &[Listed, Malformed("a"), Malformed("a"), Malformed("")], active),
    ];
    for (case, collections, expected) in cases {
        assert_eq!(after(&token("1", 100), collections), expected, "{case}");
    }
    assert_eq!(
        after(&token("1", 100), &[Listed, Malformed("b"), Malformed("b")]),
        None,
        "malformed rows in another scope"
    );
    assert_eq!(after(&token("1", 100), &[Listed, NotRun, NotRun, NotRun]), active, "the listing was not run");
}

#[test]
fn token_that_never_expires_is_removed_likewise() {
    for expires in [Expiry::Never, Expiry::Unknown] {
        let token = Token { expires, ..token("1", 0) };
        assert_eq!(after(&token, &[Listed, Missing]), Some(State::Active), "{expires:?}");
        assert_eq!(after(&token, &[Listed, Missing, Missing]), None, "{expires:?}");
    }
}

#[test]
fn token_missing_after_its_expiry_is_retained() {
    let expired = Some(State::Expired);
    let cases: [(&str, i64, &[Collection], Option<State>); 6] = [
        ("missing exactly at its expiry", 2, &[Listed, Missing], expired),
        ("missing once before and once after its expiry", 3, &[Listed, Missing, Missing], expired),
        ("missing repeatedly after its expiry", 2, &[Listed, Missing, Missing, Missing, Missing, Missing], expired),
        (
            "missing until the last day of its retention",
            2,
            &[Listed, Missing, Missing, Missing, Missing, Missing, Missing, Missing],
            expired,
        ),
        (
            "evicted after its retention",
            2,
            &[Listed, Missing, Missing, Missing, Missing, Missing, Missing, Missing, Missing],
            None,
        ),
        ("missing for the first time long after its expiry", -20, &[Listed, Missing], None),
    ];
    for (case, expiry, collections, expected) in cases {
        assert_eq!(after(&token("1", expiry), collections), expected, "{case}");
    }
}

#[test]
fn expired_token_is_evicted_without_a_collection() {
    let mut inventory = inventory(policy());
    collect(&mut inventory, vec![token("1", 2)], day(1));
    collect(&mut inventory, vec![], day(3));
    assert_eq!(ids(&inventory, day(8)), ["1"]);
    assert_eq!(inventory.next_change(day(3)), Some(day(9)));
    assert!(ids(&inventory, day(9)).is_empty());
    assert_eq!(inventory.next_change(day(9)), None);
}

#[test]
fn expired_token_stays_while_it_is_listed() {
    let mut inventory = inventory(policy());
    collect(&mut inventory, vec![token("1", 2)], day(1));
    collect(&mut inventory, vec![token("1", 2)], day(300));
    assert_eq!(states(&inventory, day(300)), [("1", State::Expired)]);
    record(&mut inventory, outcome(vec![], vec![gap("all", Reason::Forbidden)]), day(400));
    assert_eq!(states(&inventory, day(400)), [("1", State::Expired)], "also if its scope fails");
}

#[test]
fn token_that_is_listed_again_with_a_new_expiry_is_active() {
    let mut inventory = inventory(policy());
    collect(&mut inventory, vec![token("1", 2)], day(1));
    collect(&mut inventory, vec![], day(3));
    collect(&mut inventory, vec![token("1", 200)], day(4));
    assert_eq!(states(&inventory, day(4)), [("1", State::Active)]);
    collect(&mut inventory, vec![], day(5));
    assert_eq!(ids(&inventory, day(5)), ["1"], "earlier misses do not count");
}

#[test]
fn token_can_move_to_another_scope() {
    let mut inventory = inventory(policy());
    let it = || token("1", 100);
    record(&mut inventory, outcome(vec![scope("a", vec![it()]), scope("b", vec![])], vec![]), day(1));
    record(&mut inventory, outcome(vec![scope("a", vec![]), scope("b", vec![it()])], vec![]), day(2));
    for today in 3..6 {
        record(&mut inventory, outcome(vec![scope("a", vec![])], vec![gap("b", Reason::Timeout)]), day(today));
    }
    assert_eq!(ids(&inventory, day(6)), ["1"]);
}

#[test]
fn failed_scope_does_not_affect_others() {
    let mut inventory = inventory(policy());
    let both = vec![scope("a", vec![token("1", 100)]), scope("b", vec![token("2", 100)])];
    record(&mut inventory, outcome(both, vec![]), day(1));
    for today in 2..4 {
        let fresh = scope("b", vec![token("3", 100)]);
        record(&mut inventory, outcome(vec![fresh], vec![gap("a", Reason::Forbidden)]), day(today));
    }
    assert_eq!(ids(&inventory, day(4)), ["1", "3"]);
}

/// The difference, in seconds, of a token's known expiry from day 100 after an approximate one was reported.
fn expiry_after(inventory: &mut Inventory, seconds: i64, today: i64) -> i64 {
    let expiry = day(100) + chrono::TimeDelta::seconds(seconds);
    let reported = Token { expires: Expiry::At(expiry), approximate: true, ..token("1", 0) };
    collect(inventory, vec![reported], day(today));
    let found = inventory.tokens(day(today)).next().unwrap().expires.timestamp().unwrap();
    (found - day(100)).num_seconds()
}

#[test]
fn approximate_expiry_changes_only_beyond_the_tolerance() {
    let mut inventory = inventory(policy());
    assert_eq!(expiry_after(&mut inventory, 0, 1), 0);
    assert_eq!(expiry_after(&mut inventory, 60, 2), 0);
    assert_eq!(expiry_after(&mut inventory, -60, 3), 0);
    assert_eq!(expiry_after(&mut inventory, 61, 4), 61);
    assert_eq!(expiry_after(&mut inventory, 3600, 5), 3600);
    collect(&mut inventory, vec![token("1", 100)], day(6));
    assert_eq!(inventory.tokens(day(6)).next().unwrap().expires, Expiry::At(day(100)), "an exact expiry always counts");
}
