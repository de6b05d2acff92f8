use super::{answer, day, gap, ids, inventory, odd_scope, outcome, policy, record, scope, states, token};
use crate::core::failure::Reason;
use crate::core::inventory::Inventory;
use crate::core::outcome::Outcome;
use crate::core::token::{Expiry, State, Token};

/// What a collection brings of the scope `a/x`, where the one token of these stories lives.
#[derive(Clone, Copy, Debug)]
enum Brings {
    /// A complete answer that names it.
    It,
    /// A complete answer that does not.
    Others,
    /// A failure of this path.
    Gap(&'static str),
    /// A complete answer of this path with a row that could not be read, and without the token.
    Odd(&'static str),
    /// The listing is not in the outcome at all.
    Absent,
}
use Brings::{Absent, Gap, It, Odd, Others};

fn brought(brings: Brings, token: &Token) -> Outcome {
    match brings {
        It => outcome(vec![scope("a/x", vec![token.clone()])], Vec::new()),
        Others => outcome(vec![scope("a/x", vec![])], Vec::new()),
        Gap(path) => outcome(vec![scope("b/y", vec![])], vec![gap(path, Reason::Timeout)]),
        Odd(path) => outcome(vec![odd_scope(path, vec![])], Vec::new()),
        Absent => Outcome::default(),
    }
}

/// The token's state after one collection a day, from the first day on.
fn after(token: &Token, story: &[Brings]) -> Option<State> {
    let mut inventory = inventory(policy());
    let mut today = 0;
    for brings in story {
        today += 1;
        record(&mut inventory, brought(*brings, token), day(today));
    }
    states(&inventory, day(today)).first().map(|(_, state)| *state)
}

#[test]
fn a_token_goes_when_two_complete_answers_in_a_row_do_not_name_it() {
    let kept = Some(State::Active);
    let cases: [(&str, &[Brings], Option<State>); 12] = [
        ("listed", &[It], kept),
        ("missing from one answer: a page may have skipped it", &[It, Others], kept),
        ("missing from two", &[It, Others, Others], None),
        ("missing, there again, missing", &[It, Others, It, Others], kept),
        ("missing from one, then failures", &[It, Others, Gap("a/x"), Gap("a/x")], kept),
        ("a failure between two answers is no response", &[It, Others, Gap("a/x"), Others], None),
        ("its scope fails for long", &[It, Gap("a/x"), Gap("a/x"), Gap("a/x")], kept),
        ("a step above it fails", &[It, Gap("a"), Gap("a"), Gap("a")], kept),
        ("the whole listing fails", &[It, Gap(""), Gap(""), Gap("")], kept),
        ("another scope fails, its own is no longer walked", &[It, Gap("b"), Gap("a/xy")], None),
        ("rows of its scope cannot be read", &[It, Odd("a/x"), Odd("a/x"), Odd("a/x")], kept),
        ("rows of the step above it cannot be read", &[It, Odd("a"), Odd("a"), Odd("")], kept),
    ];
    for (case, story, expected) in cases {
        assert_eq!(after(&token("1", 100), story), expected, "{case}");
    }
    assert_eq!(after(&token("1", 100), &[It, Odd("b"), Odd("b")]), None, "odd rows elsewhere");
    assert_eq!(after(&token("1", 100), &[It, Absent, Absent, Absent]), kept, "the listing was not run");
}

#[test]
fn a_token_without_an_end_goes_likewise() {
    for expires in [Expiry::Never, Expiry::Unknown] {
        let token = Token { expires, ..token("1", 0) };
        assert_eq!(after(&token, &[It, Others]), Some(State::Active), "{expires:?}");
        assert_eq!(after(&token, &[It, Others, Others]), None, "{expires:?}");
    }
}

#[test]
fn a_token_that_is_missing_from_its_end_on_has_expired_and_is_kept_for_a_while() {
    let expired = Some(State::Expired);
    let cases: [(&str, i64, &[Brings], Option<State>); 6] = [
        ("missing at its very end", 2, &[It, Others], expired),
        ("missing once before its end, then after it", 3, &[It, Others, Others], expired),
        ("missing often after its end", 2, &[It, Others, Others, Others, Others, Others], expired),
        ("missing until the last day", 2, &[It, Others, Others, Others, Others, Others, Others, Others], expired),
        (
            "forgotten when its time is over",
            2,
            &[It, Others, Others, Others, Others, Others, Others, Others, Others],
            None,
        ),
        ("missing for the first time long after its end", -20, &[It, Others], None),
    ];
    for (case, end, story, expected) in cases {
        assert_eq!(after(&token("1", end), story), expected, "{case}");
    }
}

#[test]
fn an_expired_token_is_forgotten_without_a_collection() {
    let mut inventory = inventory(policy());
    answer(&mut inventory, vec![token("1", 2)], day(1));
    answer(&mut inventory, vec![], day(3));
    assert_eq!(ids(&inventory, day(8)), ["1"]);
    assert_eq!(inventory.next_change(day(3)), Some(day(9)));
    assert!(ids(&inventory, day(9)).is_empty());
    assert_eq!(inventory.next_change(day(9)), None);
}

#[test]
fn an_expired_token_that_is_still_listed_stays() {
    let mut inventory = inventory(policy());
    answer(&mut inventory, vec![token("1", 2)], day(1));
    answer(&mut inventory, vec![token("1", 2)], day(300));
    assert_eq!(states(&inventory, day(300)), [("1", State::Expired)]);
    record(&mut inventory, outcome(vec![], vec![gap("all", Reason::Forbidden)]), day(400));
    assert_eq!(states(&inventory, day(400)), [("1", State::Expired)], "and under a failure too");
}

#[test]
fn a_token_that_was_renewed_after_it_was_missed_is_active_again() {
    let mut inventory = inventory(policy());
    answer(&mut inventory, vec![token("1", 2)], day(1));
    answer(&mut inventory, vec![], day(3));
    answer(&mut inventory, vec![token("1", 200)], day(4));
    assert_eq!(states(&inventory, day(4)), [("1", State::Active)]);
    answer(&mut inventory, vec![], day(5));
    assert_eq!(ids(&inventory, day(5)), ["1"], "what was missed before is past");
}

#[test]
fn a_token_that_moves_to_another_scope_is_known_there() {
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
fn a_scope_that_fails_holds_nobody_up() {
    let mut inventory = inventory(policy());
    let both = vec![scope("a", vec![token("1", 100)]), scope("b", vec![token("2", 100)])];
    record(&mut inventory, outcome(both, vec![]), day(1));
    for today in 2..4 {
        let fresh = scope("b", vec![token("3", 100)]);
        record(&mut inventory, outcome(vec![fresh], vec![gap("a", Reason::Forbidden)]), day(today));
    }
    assert_eq!(ids(&inventory, day(4)), ["1", "3"]);
}

/// What the inventory says of an end that the provider tells as seconds from now.
fn end_after(inventory: &mut Inventory, end_seconds: i64, today: i64) -> i64 {
    let end = day(100) + chrono::TimeDelta::seconds(end_seconds);
    let told = Token { expires: Expiry::At(end), approximate: true, ..token("1", 0) };
    answer(inventory, vec![told], day(today));
    let shown = inventory.tokens(day(today)).next().unwrap().expires.timestamp().unwrap();
    (shown - day(100)).num_seconds()
}

#[test]
fn an_end_that_wavers_by_the_latency_of_the_answer_stands_still() {
    let mut inventory = inventory(policy());
    assert_eq!(end_after(&mut inventory, 0, 1), 0);
    assert_eq!(end_after(&mut inventory, 60, 2), 0);
    assert_eq!(end_after(&mut inventory, -60, 3), 0);
    assert_eq!(end_after(&mut inventory, 61, 4), 61);
    assert_eq!(end_after(&mut inventory, 3600, 5), 3600);
    answer(&mut inventory, vec![token("1", 100)], day(6));
    assert_eq!(inventory.tokens(day(6)).next().unwrap().expires, Expiry::At(day(100)), "an exact end counts as told");
}
