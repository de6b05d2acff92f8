#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::*;
use crate::core::adjustment::Adjustment;
use crate::core::token::Owner;

fn at(minutes: i64) -> Expiry {
    Expiry::At(DateTime::<Utc>::UNIX_EPOCH + TimeDelta::minutes(minutes))
}

fn token(id: &str) -> Token {
    Token {
        name: "deploy".into(),
        owner: Some(Owner { name: Some("Jane".into()), ..Owner::default() }.into()),
        scopes: vec!["api".to_owned()].into(),
        manage_url: Some("https://example.com/".into()),
        labels: BTreeMap::from([("team".to_owned(), "web".to_owned())]).into(),
        ..Token::new(id, "api-token", at(0))
    }
}

/// An intake that knows these tokens.
fn intake(mut known: Vec<Token>) -> Intake {
    known.sort_by(|a, b| a.id.cmp(&b.id));
    Intake::new(known.into_iter().map(triomphe::Arc::new).collect(), Arc::default())
}

#[test]
fn unchanged_token_becomes_the_known_one() {
    let intake = intake(vec![token("b"), token("a"), token("c")]);
    let renamed = Token { name: "deploy 2".into(), ..token("c") };
    let added = intake.tokens([token("a"), token(" b\n"), renamed.clone(), token("d")]);
    let is_known = |at: usize| triomphe::Arc::ptr_eq(&added[at], &intake.known[at]);
    assert!(is_known(0));
    assert!(is_known(1), "compared after it is normalized");
    assert_eq!(added.adjustments(), &[(Adjustment::CleanedValue, 1)].into());
    assert!(!is_known(2));
    assert_eq!((&*added[2], &*added[3]), (&renamed, &token("d")));
}

#[test]
fn approximate_expiry_within_a_minute_is_unchanged() {
    let intake = intake(vec![token("a")]);
    for (expires, approximate, is_known) in [
        (at(1), true, true),
        (at(-1), true, true),
        (at(2), true, false),
        (at(1), false, false),
        (Expiry::Never, true, false),
    ] {
        // Whether the expiry is approximate is itself part of a token.
        let known = Intake::new(vec![triomphe::Arc::new(Token { approximate, ..token("a") })], Arc::default());
        let added = known.tokens([Token { expires, approximate, ..token("a") }]);
        assert_eq!(triomphe::Arc::ptr_eq(&added[0], &known.known[0]), is_known, "{expires:?} {approximate}");
        let exact = intake.tokens([Token { expires, approximate, ..token("a") }]);
        assert_eq!(exact[0].expires, if is_known { at(0) } else { expires }, "{expires:?} {approximate}");
    }
}

#[test]
fn new_tokens_share_equal_values() {
    let intake = Intake::default();
    let added = intake.tokens([token("a"), token("b")]);
    let [a, b] = &*added else { panic!("two tokens") };
    assert!(Arc::ptr_eq(&a.kind, &b.kind));
    assert!(triomphe::Arc::ptr_eq(a.owner.as_ref().unwrap(), b.owner.as_ref().unwrap()));
    assert!(Arc::ptr_eq(&a.scopes, &b.scopes));
    assert!(Arc::ptr_eq(a.manage_url.as_ref().unwrap(), b.manage_url.as_ref().unwrap()));
    assert!(Arc::ptr_eq(&a.labels, &b.labels));
    assert_eq!((a.as_ref(), b.as_ref()), (&token("a"), &token("b")));
}

#[test]
fn pool_keeps_only_values_that_two_tokens_have() {
    let intake = Intake::default();
    let own = |id: &str, link: &str| Token { manage_url: Some(link.into()), ..token(id) };
    let mut added: Vec<_> =
        intake.tokens([own("a", "https://a.example/"), own("b", "https://b.example/")]).into_iter().collect();
    let texts = || {
        let mut pool = intake.pool.lock();
        pool.prune();
        let mut texts: Vec<_> = pool.texts().map(str::to_owned).collect();
        texts.sort();
        texts
    };
    assert_eq!(texts(), ["api-token"]);
    added.extend(intake.tokens([own("c", "https://c.example/"), own("d", "https://c.example/")]));
    assert_eq!(texts(), ["api-token", "https://c.example/"]);
    added.clear();
    assert_eq!(texts(), [""; 0]);
}
