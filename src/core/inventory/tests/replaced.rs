use super::{collect, day, inventory, outcome, policy, record, scope, states, token, view};
use crate::core::inventory::Policy;
use crate::core::token::{Expiry, Owner, State, Token};

/// A token with these days of creation and expiry.
fn created(id: &str, created: i64, expiry: i64) -> Token {
    Token { name: "ci".into(), created_at: Some(day(created)), ..token(id, expiry) }
}

fn owner(id: &str, name: &str) -> Option<triomphe::Arc<Owner>> {
    Some(Owner { id: Some(id.into()), name: Some(name.into()), email: None, inactive: false }.into())
}

/// The ids of the tokens that are replaced on the first day.
fn replaced(tokens: Vec<Token>) -> Vec<String> {
    let mut inventory = inventory(policy());
    collect(&mut inventory, tokens, day(0));
    let replaced = states(&inventory, day(0)).into_iter().filter(|(_, state)| *state == State::Replaced);
    replaced.map(|(id, _)| id.to_owned()).collect()
}

#[test]
fn newer_token_with_the_same_name_replaces_the_older() {
    let old = || created("old", -300, 20);
    let new = || created("new", -10, 300);
    let cases: Vec<(&str, Vec<Token>, &[&str])> = vec![
        ("newer, expires later", vec![old(), new()], &["old"]),
        ("never expires: counts as latest", vec![old(), Token { expires: Expiry::Never, ..new() }], &["old"]),
        ("both never expire", [old(), new()].map(|token| Token { expires: Expiry::Never, ..token }).into(), &[]),
        ("the same expiry", vec![old(), created("new", -10, 20)], &[]),
        ("newer, but expires sooner", vec![created("old", -300, 300), created("new", -10, 20)], &[]),
        ("created first, but renewed", vec![created("old", -300, 300), created("new", -10, 300)], &[]),
        ("expires later, but was created before", vec![created("old", -10, 20), created("new", -300, 300)], &[]),
        ("created at the same time", vec![created("old", -10, 20), created("new", -10, 300)], &[]),
        ("unknown creation time", vec![Token { created_at: None, ..old() }, new()], &["old"]),
        ("unknown creation time of the newer", vec![old(), Token { created_at: None, ..new() }], &["old"]),
        ("an unknown expiry replaces nothing", vec![old(), Token { expires: Expiry::Unknown, ..new() }], &[]),
        ("an unknown expiry is not replaced", vec![Token { expires: Expiry::Unknown, ..old() }, new()], &[]),
        ("another kind", vec![old(), Token { kind: "session".into(), ..new() }], &[]),
        ("another name", vec![old(), Token { name: "cd".into(), ..new() }], &[]),
        ("no names", [old(), new()].map(|token| Token { name: Box::default(), ..token }).into(), &[]),
        ("another owner", vec![old(), Token { owner: owner("2", "Jane"), ..new() }], &[]),
        ("no owners", [old(), new()].map(|token| Token { owner: None, ..token }).into(), &[]),
        (
            "the same owner under a new name",
            vec![Token { owner: owner("2", "Jane"), ..old() }, Token { owner: owner("2", "Jane Doe"), ..new() }],
            &["old"],
        ),
        ("the newer is disabled", vec![old(), Token { disabled: true, ..new() }], &[]),
        ("the newer has expired too", vec![created("old", -300, -20), created("new", -200, -10)], &[]),
        ("the older has expired", vec![created("old", -300, -2), new()], &["old"]),
        ("three in a row", vec![old(), created("mid", -100, 100), new()], &["mid", "old"]),
        (
            "one in between was created last: the longest does not replace it",
            vec![created("a", -300, 10), created("b", -5, 100), created("c", -100, 300)],
            &["a"],
        ),
    ];
    for (case, tokens, expected) in cases {
        let reversed = tokens.iter().rev().cloned().collect();
        assert_eq!(replaced(tokens), expected, "{case}");
        assert_eq!(replaced(reversed), expected, "{case}, in reverse order");
    }
}

#[test]
fn replaced_token_has_no_band_and_no_findings() {
    let mut inventory = inventory(policy());
    collect(&mut inventory, vec![created("old", -300, 3), created("new", -10, 300)], day(0));
    let old = view(&inventory, "old", day(0));
    assert_eq!((old.state, old.band, old.findings.is_empty()), (State::Replaced, None, true));
    assert_eq!(view(&inventory, "old", day(5)).state, State::Replaced, "also when it has expired");
}

#[test]
fn disabled_takes_precedence_over_replaced() {
    let mut inventory = inventory(policy());
    collect(
        &mut inventory,
        vec![Token { disabled: true, ..created("old", -300, 3) }, created("new", -10, 300)],
        day(0),
    );
    assert_eq!(view(&inventory, "old", day(0)).state, State::Disabled);
    assert_eq!(view(&inventory, "old", day(5)).state, State::Disabled);
}

#[test]
fn replacement_ends_when_the_newer_token_expires_or_is_disabled() {
    let mut inventory = inventory(policy());
    collect(&mut inventory, vec![created("old", -300, 18), created("new", -10, 20)], day(0));
    assert_eq!(view(&inventory, "old", day(19)).state, State::Replaced);
    assert_eq!(view(&inventory, "old", day(20)).state, State::Expired);
    collect(
        &mut inventory,
        vec![created("old", -300, 18), Token { disabled: true, ..created("new", -10, 20) }],
        day(1),
    );
    assert_eq!(view(&inventory, "old", day(1)).state, State::Active);
}

#[test]
fn listings_without_replacement_take_no_part() {
    let mut inventory = inventory(Policy { without_replacement: vec!["tokens".into()], ..policy() });
    let mut both = outcome(vec![scope("a", vec![created("old", -300, 20)])], vec![]);
    both.listings[1].scopes = vec![scope("", vec![created("new", -10, 300)])];
    record(&mut inventory, both.clone(), day(0));
    assert_eq!(view(&inventory, "old", day(0)).state, State::Active);
    inventory.set_policy([("main".into(), policy())].into(), super::rules(vec![]));
    assert_eq!(view(&inventory, "old", day(0)).state, State::Replaced, "otherwise also across listings");
}

#[test]
fn rotations_are_the_other_tokens_of_the_same_kind_owner_and_name() {
    let mut inventory = inventory(Policy { without_replacement: vec!["keys".into()], ..policy() });
    let disabled = Token { disabled: true, ..created("disabled", -400, 3) };
    let other = Token { name: "other".into(), ..created("other", -5, 300) };
    let mut both =
        outcome(vec![scope("a", vec![created("old", -300, 20), created("new", -10, 300), disabled, other])], vec![]);
    both.listings[1].scopes = vec![scope("", vec![created("key", -10, 300), created("key-2", -9, 300)])];
    record(&mut inventory, both, day(0));
    let rotations = |id: &str| {
        let view = inventory.token("main", id, day(0)).unwrap();
        inventory.rotations(&view, day(0)).map(|view| view.token.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(rotations("new"), ["disabled", "old"]);
    assert_eq!(rotations("old"), ["disabled", "new"]);
    assert!(rotations("other").is_empty() && rotations("key").is_empty());
    assert_eq!(inventory.token("main", "absent", day(0)), None);
    assert_eq!(inventory.token("elsewhere", "new", day(0)), None);
}

#[test]
fn token_is_gone_when_its_retention_is_over() {
    let mut inventory = inventory(policy());
    collect(&mut inventory, vec![token("a", 1)], day(0));
    collect(&mut inventory, vec![], day(2));
    assert!(inventory.token("main", "a", day(7)).is_some());
    assert_eq!(inventory.token("main", "a", day(8)), None);
}
