use super::{answer, day, ids, inventory, inventory_with, outcome, policy, record, scope, token};
use crate::core::failure::{Failure, Reason};
use crate::core::inventory::Inventory;
use crate::core::outcome::Outcome;
use crate::core::rules::Rule;
use crate::core::token::{Owner, Token};

fn adjusted(inventory: &Inventory) -> Vec<(&'static str, u64)> {
    let counts = inventory.sources().next().unwrap().1.adjustments.iter();
    counts.filter(|(_, count)| **count > 0).map(|(adjustment, count)| (adjustment.label(), *count)).collect()
}

fn recorded(token: Token) -> (Token, Vec<(&'static str, u64)>) {
    let mut inventory = inventory(policy());
    answer(&mut inventory, vec![token], day(0));
    let shown = inventory.tokens(day(0)).next().unwrap().token.clone();
    (shown, adjusted(&inventory))
}

#[test]
fn of_two_rows_with_one_id_the_first_counts() {
    let mut inventory = inventory(policy());
    let named = |name: &str| Token { name: name.into(), ..token("1", 60) };
    let twice = || vec![scope("a", vec![named("first"), named("second")]), scope("b", vec![named("third")])];
    for today in 0..2 {
        record(&mut inventory, outcome(twice(), vec![]), day(today));
        assert_eq!(ids(&inventory, day(today)), ["1"]);
        assert_eq!(inventory.tokens(day(today)).next().unwrap().token.name, "first");
        assert_eq!(adjusted(&inventory), [("duplicate_id", 2)]);
    }
    answer(&mut inventory, vec![named("first")], day(3));
    assert_eq!(adjusted(&inventory), [], "what is counted is the last collection's");
}

#[test]
fn what_would_spoil_a_label_or_a_mail_is_taken_out() {
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
    for (text, shown, count) in cases {
        let (token, adjusted) = recorded(Token { name: text.into(), ..token("1", 60) });
        assert_eq!(token.name, shown, "{text:?}");
        assert_eq!(adjusted.iter().map(|(_, count)| count).sum::<u64>(), count, "{text:?}");
    }
}

#[test]
fn every_text_of_a_token_is_cleaned_and_what_is_empty_then_is_left_out() {
    let dirty = |text: &str| format!("{text}\u{7}");
    let (token, adjusted) = recorded(Token {
        name: dirty("n"),
        kind: dirty("k"),
        owner: Some(Owner { id: Some(dirty("o")), name: Some("\u{7}".into()), email: Some(" ".into()) }),
        scopes: vec![dirty("s"), dirty("")],
        manage_url: Some(dirty("https://example.com/")),
        labels: [(dirty("l"), dirty("v")), ("empty".into(), dirty(""))].into(),
        ..token(&dirty("i"), 60)
    });
    assert_eq!((token.id.as_str(), token.name.as_str(), token.kind.as_str()), ("i", "n", "k"));
    assert_eq!(token.owner, Some(Owner { id: Some("o".into()), ..Owner::default() }));
    assert_eq!(token.scopes, ["s"]);
    assert_eq!(token.manage_url.as_deref(), Some("https://example.com/"));
    assert_eq!(token.labels, [("l".into(), "v".into())].into());
    assert_eq!(adjusted, [("cleaned_value", 11)]);
    let (token, _) = recorded(Token { owner: Some(Owner { name: Some(" ".into()), ..Owner::default() }), ..token });
    assert_eq!(token.owner, None);
}

#[test]
fn a_long_text_is_cut_and_a_long_id_stays_unique() {
    let (whole, adjusted) = recorded(Token { name: "ä".repeat(200), ..token(&"x".repeat(500), 60) });
    assert_eq!((whole.name.chars().count(), whole.id.len(), adjusted.len()), (200, 500, 0));
    let (cut, adjusted) = recorded(Token { name: "ä".repeat(201), ..token("1", 60) });
    assert_eq!((cut.name, adjusted), (format!("{}…", "ä".repeat(199)), vec![("cut_value", 1)]));

    let mut inventory = inventory(policy());
    let long = |end: &str| token(&format!("{}{end}", "x".repeat(600)), 60);
    for today in 0..2 {
        answer(&mut inventory, vec![long("a"), long("b")], day(today));
        let ids = ids(&inventory, day(today));
        assert_eq!(ids.iter().map(|id| id.chars().count()).collect::<Vec<_>>(), [500, 500]);
        assert_ne!(ids[0], ids[1]);
    }
}

#[test]
fn a_link_that_a_browser_would_run_is_left_out() {
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
    for (url, kept, adjustment) in cases {
        let (token, adjusted) = recorded(Token { manage_url: Some(url.into()), ..token("1", 60) });
        assert_eq!(token.manage_url.is_some(), kept, "{url}");
        assert_eq!(adjusted.first().map(|(name, _)| *name), adjustment, "{url}");
    }
}

#[test]
fn an_address_is_bare_or_it_is_left_out() {
    let with = |email: &str| Token {
        owner: Some(Owner { email: Some(email.into()), name: Some("Jane".into()), id: None }),
        ..token("1", 60)
    };
    let (kept, adjusted) = recorded(with("JANE@Example.com"));
    assert_eq!(kept.owner.unwrap().email.as_deref(), Some("jane@example.com"));
    assert_eq!(adjusted, []);
    let (kept, adjusted) = recorded(with("a@example.com, b@example.com"));
    assert_eq!(kept.owner.unwrap().email, None);
    assert_eq!(adjusted, [("refused_address", 1)]);
}

#[test]
fn an_address_of_a_rule_is_refused_likewise() {
    let owner = Owner { email: Some("Jane <jane@example.com>".into()), ..Owner::default() };
    let mut inventory = inventory_with(policy(), vec![Rule { owner: Some(owner), ..Rule::default() }]);
    answer(&mut inventory, vec![token("1", 60), token("2", 60)], day(0));
    assert_eq!(adjusted(&inventory), [("refused_address", 2)]);
    inventory.set_policy([("main".into(), policy())].into(), super::rules(vec![]));
    assert_eq!(adjusted(&inventory), []);
}

#[test]
fn fields_that_could_not_be_read_are_counted() {
    let mut inventory = inventory(policy());
    record(&mut inventory, Outcome { unread_fields: 3, ..outcome(vec![scope("a", vec![])], vec![]) }, day(0));
    assert_eq!(adjusted(&inventory), [("unread_field", 3)]);
    let failed = Outcome::failed(&policy().listings, &Failure::new(Reason::Timeout, "no response"));
    record(&mut inventory, failed, day(1));
    assert_eq!(adjusted(&inventory), [("unread_field", 3)], "a failure says nothing new");
}
