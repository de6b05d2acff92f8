use std::sync::Arc;

use super::{collect, day, ids, inventory, inventory_with, outcome, policy, record, scope, token};
use crate::core::failure::{Failure, Reason};
use crate::core::inventory::Inventory;
use crate::core::outcome::Outcome;
use crate::core::rules::Rule;
use crate::core::token::{Expiry, Owner, Token};

fn adjustments(inventory: &Inventory) -> Vec<(&'static str, u64)> {
    let counts = inventory.sources().next().unwrap().1.adjustments.iter();
    counts.filter(|(_, count)| **count > 0).map(|(adjustment, count)| (adjustment.label(), *count)).collect()
}

fn normalized(token: Token) -> (Token, Vec<(&'static str, u64)>) {
    let mut inventory = inventory(policy());
    collect(&mut inventory, vec![token], day(0));
    let found = inventory.tokens(day(0)).next().unwrap().token.clone();
    (found, adjustments(&inventory))
}

#[test]
fn first_row_with_an_id_and_an_expiry_counts() {
    let mut inventory = inventory(policy());
    let named = |name: &str| Token { name: name.into(), ..token("1", 60) };
    let twice = || vec![scope("a", vec![named("first"), named("second")]), scope("b", vec![named("third")])];
    for today in 0..2 {
        record(&mut inventory, outcome(twice(), vec![]), day(today));
        assert_eq!(ids(&inventory, day(today)), ["1"]);
        assert_eq!(&*inventory.tokens(day(today)).next().unwrap().token.name, "first");
        assert_eq!(adjustments(&inventory), [("duplicate_id", 2)]);
    }
    collect(&mut inventory, vec![named("first")], day(3));
    assert_eq!(adjustments(&inventory), [], "only the last collection counts");
}

#[test]
fn duplicate_that_expires_first_counts() {
    let at = |days| token("1", days).expires;
    // The expiries of two rows, and the one that counts.
    let cases = [
        (at(60), at(30), at(30)),
        (at(30), at(60), at(30)),
        (Expiry::Never, at(30), at(30)),
        (at(30), Expiry::Never, at(30)),
        (Expiry::Unknown, at(30), at(30)),
        (Expiry::Never, Expiry::Unknown, Expiry::Unknown),
    ];
    for (first, second, expected) in cases {
        let row = |expires| Token { expires, ..token("1", 60) };
        for scopes in [
            vec![scope("a", vec![row(first), row(second)])],
            vec![scope("a", vec![row(first)]), scope("b", vec![row(second)])],
        ] {
            let mut inventory = inventory(policy());
            // The first collection inserts the token, the second one updates it.
            for today in 0..2 {
                record(&mut inventory, outcome(scopes.clone(), vec![]), day(today));
                let found: Vec<_> = inventory.tokens(day(today)).map(|token| token.token.expires).collect();
                assert_eq!(found, [expected], "{first:?} {second:?} {today}");
                assert_eq!(adjustments(&inventory), [("duplicate_id", 1)]);
            }
        }
    }
}

#[test]
fn unsafe_characters_are_removed() {
    let cases = [
        ("ci", "ci", 0),
        ("  ci ", "ci", 1),
        ("c\ni", "ci", 1),
        ("ci\u{0}\t\r\n", "ci", 1),
        ("c\u{2028}i\u{2029}", "ci", 1),
        ("\u{202E}ic\u{202C}", "ic", 1),
        ("\u{2066}ci\u{2069}\u{200F}", "ci", 1),
        ("\u{85}ci", "ci", 1),
        ("Zoë 🔑 日本", "Zoë 🔑 日本", 0),
        ("\n", "", 1),
    ];
    for (text, expected, count) in cases {
        let (token, adjusted) = normalized(Token { name: text.into(), ..token("1", 60) });
        assert_eq!(&*token.name, expected, "{text:?}");
        assert_eq!(adjusted.iter().map(|(_, count)| count).sum::<u64>(), count, "{text:?}");
    }
}

#[test]
fn all_texts_are_normalized_and_empty_ones_omitted() {
    let dirty = |text: &str| format!("{text}\u{7}");
    let (token, adjusted) = normalized(Token {
        name: dirty("n").into(),
        kind: dirty("k").into(),
        owner: Some(
            Owner { id: Some(dirty("o").into()), name: Some("\u{7}".into()), email: Some(" ".into()), inactive: false }
                .into(),
        ),
        scopes: vec![dirty("s"), dirty("")].into(),
        manage_url: Some(dirty("https://example.com/").into()),
        labels: Arc::new([(dirty("l"), dirty("v")), ("empty".into(), dirty(""))].into()),
        ..token(&dirty("i"), 60)
    });
    assert_eq!((&*token.id, &*token.name, &*token.kind), ("i", "n", "k"));
    assert_eq!(token.owner, Some(Owner { id: Some("o".into()), ..Owner::default() }.into()));
    assert_eq!(*token.scopes, ["s"]);
    assert_eq!(token.manage_url.as_deref(), Some("https://example.com/"));
    assert_eq!(*token.labels, [("l".into(), "v".into())].into());
    assert_eq!(adjusted, [("cleaned_value", 11)]);
    let (token, _) =
        normalized(Token { owner: Some(Owner { name: Some(" ".into()), ..Owner::default() }.into()), ..token });
    assert_eq!(token.owner, None);
}

#[test]
fn long_text_is_truncated_and_a_long_id_stays_unique() {
    let (whole, adjusted) = normalized(Token { name: "ä".repeat(200).into(), ..token(&"x".repeat(500), 60) });
    assert_eq!((whole.name.chars().count(), whole.id.len(), adjusted.len()), (200, 500, 0));
    let (truncated, adjusted) = normalized(Token { name: "ä".repeat(201).into(), ..token("1", 60) });
    assert_eq!((truncated.name, adjusted), (format!("{}…", "ä".repeat(199)).into(), vec![("cut_value", 1)]));

    for (length, shown, adjusted) in [(200, 201, vec![]), (499, 500, vec![]), (600, 500, vec![("cut_value", 2)])] {
        let long =
            |suffix: &str| Token { name: suffix.into(), ..token(&format!("{}{suffix}", "ä".repeat(length)), 60) };
        let mut inventory = inventory(policy());
        for today in 0..2 {
            collect(&mut inventory, vec![long("a"), long("b")], day(today));
            let found = inventory.tokens(day(today)).map(|view| &view.token.id);
            let ids: Vec<_> = found.filter(|id| id.chars().count() == shown).collect();
            assert!(ids.len() == 2 && ids[0] != ids[1], "{length}: {ids:?}");
            assert_eq!(adjustments(&inventory), adjusted, "{length}");
        }
    }
}

#[test]
fn link_that_is_not_a_web_page_is_omitted() {
    let long = format!("https://example.com/{}", "x".repeat(2000));
    let cases = [
        ("https://example.com/tokens/1", true, None),
        ("HTTP://example.com", true, None),
        ("javascript:alert(1)", false, Some("cleaned_value")),
        ("java\nscript:alert(1)", false, Some("cleaned_value")),
        ("/tokens/1", false, Some("cleaned_value")),
        ("", false, None),
        (&long, false, Some("cut_value")),
    ];
    for (url, is_kept, adjustment) in cases {
        let (token, adjusted) = normalized(Token { manage_url: Some(url.into()), ..token("1", 60) });
        assert_eq!(token.manage_url.is_some(), is_kept, "{url}");
        assert_eq!(adjusted.first().map(|(name, _)| *name), adjustment, "{url}");
    }
}

#[test]
fn invalid_address_is_omitted() {
    let with = |email: &str| Token {
        owner: Some(Owner { email: Some(email.into()), name: Some("Jane".into()), id: None, inactive: false }.into()),
        ..token("1", 60)
    };
    let (token, adjusted) = normalized(with("JANE@Example.com"));
    assert_eq!(token.owner.unwrap().email.as_deref(), Some("jane@example.com"));
    assert_eq!(adjusted, []);
    let (token, adjusted) = normalized(with("a@example.com, b@example.com"));
    assert_eq!(token.owner.unwrap().email.clone(), None);
    assert_eq!(adjusted, [("refused_address", 1)]);
}

#[test]
fn invalid_address_of_a_rule_is_counted() {
    let owner = Owner { email: Some("Jane <jane@example.com>".into()), ..Owner::default() };
    let mut inventory = inventory_with(policy(), vec![Rule { owner: Some(owner), ..Rule::default() }]);
    collect(&mut inventory, vec![token("1", 60), token("2", 60)], day(0));
    assert_eq!(adjustments(&inventory), [("refused_address", 2)]);
    inventory.set_policy([("main".into(), policy())].into(), super::rules(vec![]));
    assert_eq!(adjustments(&inventory), []);
}

#[test]
fn address_in_the_label_of_an_owner_is_counted() {
    let owned = |id: &str, owner: Owner| Token { owner: Some(owner.into()), ..token(id, 60) };
    let address = || Some("jane@corp.example".into());
    let tokens = vec![
        owned("name", Owner { name: address(), ..Owner::default() }),
        owned("id", Owner { id: address(), ..Owner::default() }),
        owned("hidden id", Owner { id: address(), name: Some("Jane".into()), email: None, inactive: false }),
        owned("address", Owner { email: address(), ..Owner::default() }),
    ];
    let mut inventory = inventory(policy());
    collect(&mut inventory, tokens, day(0));
    assert_eq!(adjustments(&inventory), [("hidden_address", 2)]);
    let named = Rule { owner: Some(Owner { name: Some("Jane".into()), ..Owner::default() }), ..Rule::default() };
    inventory.set_policy([("main".into(), policy())].into(), super::rules(vec![named]));
    assert_eq!(adjustments(&inventory), [], "a rule names them");
}

#[test]
fn unreadable_fields_are_counted() {
    let mut inventory = inventory(policy());
    record(&mut inventory, Outcome { unread_fields: 3, ..outcome(vec![scope("a", vec![])], vec![]) }, day(0));
    assert_eq!(adjustments(&inventory), [("unread_field", 3)]);
    let failed = Outcome::failed(&policy().listings, &Failure::new(Reason::Timeout, "no response"));
    record(&mut inventory, failed, day(1));
    assert_eq!(adjustments(&inventory), [("unread_field", 3)], "a failed collection changes no counts");
}
