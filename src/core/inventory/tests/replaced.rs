use super::{answer, day, inventory, outcome, policy, record, scope, states, token, view};
use crate::core::inventory::Policy;
use crate::core::token::{Expiry, Owner, State, Token};

/// Made on one day, ends on another.
fn made(id: &str, created: i64, end: i64) -> Token {
    Token { name: "ci".into(), created_at: Some(day(created)), ..token(id, end) }
}

fn owner(id: &str, name: &str) -> Option<Owner> {
    Some(Owner { id: Some(id.into()), name: Some(name.into()), email: None })
}

/// The ids of the tokens that are replaced on the first day.
fn replaced(tokens: Vec<Token>) -> Vec<String> {
    let mut inventory = inventory(policy());
    answer(&mut inventory, tokens, day(0));
    let replaced = states(&inventory, day(0)).into_iter().filter(|(_, state)| *state == State::Replaced);
    replaced.map(|(id, _)| id.to_owned()).collect()
}

#[test]
fn a_newer_token_of_the_same_name_replaces_the_older() {
    let old = || made("old", -300, 20);
    let new = || made("new", -10, 300);
    let cases: Vec<(&str, Vec<Token>, &[&str])> = vec![
        ("newer, ends later", vec![old(), new()], &["old"]),
        ("never ends: that is latest", vec![old(), Token { expires: Expiry::Never, ..new() }], &["old"]),
        ("both never end", [old(), new()].map(|token| Token { expires: Expiry::Never, ..token }).into(), &[]),
        ("the same end", vec![old(), made("new", -10, 20)], &[]),
        ("newer, but ends sooner", vec![made("old", -300, 300), made("new", -10, 20)], &[]),
        ("made first, but renewed", vec![made("old", -300, 300), made("new", -10, 300)], &[]),
        ("ends later, but was made before", vec![made("old", -10, 20), made("new", -300, 300)], &[]),
        ("made at the same time", vec![made("old", -10, 20), made("new", -10, 300)], &[]),
        ("made nobody knows when", vec![Token { created_at: None, ..old() }, new()], &["old"]),
        ("the newer made nobody knows when", vec![old(), Token { created_at: None, ..new() }], &["old"]),
        ("an unknown end replaces nothing", vec![old(), Token { expires: Expiry::Unknown, ..new() }], &[]),
        ("an unknown end is not replaced", vec![Token { expires: Expiry::Unknown, ..old() }, new()], &[]),
        ("another kind", vec![old(), Token { kind: "session".into(), ..new() }], &[]),
        ("another name", vec![old(), Token { name: "cd".into(), ..new() }], &[]),
        ("no names", [old(), new()].map(|token| Token { name: String::new(), ..token }).into(), &[]),
        ("another owner", vec![old(), Token { owner: owner("2", "Jane"), ..new() }], &[]),
        ("no owners", [old(), new()].map(|token| Token { owner: None, ..token }).into(), &[]),
        (
            "the same owner under a new name",
            vec![Token { owner: owner("2", "Jane"), ..old() }, Token { owner: owner("2", "Jane Doe"), ..new() }],
            &["old"],
        ),
        ("the newer is disabled", vec![old(), Token { disabled: true, ..new() }], &[]),
        ("the newer has ended too", vec![made("old", -300, -20), made("new", -200, -10)], &[]),
        ("the older has ended", vec![made("old", -300, -2), new()], &["old"]),
        ("three in a row", vec![old(), made("mid", -100, 100), new()], &["mid", "old"]),
        (
            "one in between was made last: the longest does not replace it",
            vec![made("a", -300, 10), made("b", -5, 100), made("c", -100, 300)],
            &["a"],
        ),
    ];
    for (case, tokens, expected) in cases {
        let backwards = tokens.iter().rev().cloned().collect();
        assert_eq!(replaced(tokens), expected, "{case}");
        assert_eq!(replaced(backwards), expected, "{case}, listed the other way round");
    }
}

#[test]
fn a_replaced_token_is_in_no_band_and_breaks_no_policy() {
    let mut inventory = inventory(policy());
    answer(&mut inventory, vec![made("old", -300, 3), made("new", -10, 300)], day(0));
    let old = view(&inventory, "old", day(0));
    assert_eq!((old.state, old.band, old.findings.len()), (State::Replaced, None, 0));
    assert_eq!(view(&inventory, "old", day(5)).state, State::Replaced, "also when it has ended");
}

#[test]
fn a_disabled_token_is_disabled_rather_than_replaced() {
    let mut inventory = inventory(policy());
    answer(&mut inventory, vec![Token { disabled: true, ..made("old", -300, 3) }, made("new", -10, 300)], day(0));
    assert_eq!(view(&inventory, "old", day(0)).state, State::Disabled);
    assert_eq!(view(&inventory, "old", day(5)).state, State::Disabled);
}

#[test]
fn a_token_is_replaced_only_as_long_as_the_newer_one_lives() {
    let mut inventory = inventory(policy());
    answer(&mut inventory, vec![made("old", -300, 18), made("new", -10, 20)], day(0));
    assert_eq!(view(&inventory, "old", day(19)).state, State::Replaced);
    assert_eq!(view(&inventory, "old", day(20)).state, State::Expired);
    answer(&mut inventory, vec![made("old", -300, 18), Token { disabled: true, ..made("new", -10, 20) }], day(1));
    assert_eq!(view(&inventory, "old", day(1)).state, State::Active);
}

#[test]
fn where_live_credentials_share_a_name_none_replaces_another() {
    let mut inventory = inventory(Policy { without_replacement: vec!["tokens".into()], ..policy() });
    let mut both = outcome(vec![scope("a", vec![made("old", -300, 20)])], vec![]);
    both.listings[1].scopes = vec![scope("", vec![made("new", -10, 300)])];
    record(&mut inventory, both.clone(), day(0));
    assert_eq!(view(&inventory, "old", day(0)).state, State::Active);
    inventory.set_policy([("main".into(), policy())].into(), super::rules(vec![]));
    assert_eq!(view(&inventory, "old", day(0)).state, State::Replaced, "over listings it does");
}
