//! Whatever collections bring, in whatever order: no token is lost under a gap, none stays that two complete answers in a
//! row did not name before its end, one is replaced exactly where the rule says so, and nothing panics.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use proptest::prelude::*;

use super::{day, gap, ids, inventory, odd_scope, policy, record, scope, token};
use crate::core::failure::Reason;
use crate::core::inventory::Inventory;
use crate::core::outcome::{ListingResult, Outcome, Path, ScopeResult};
use crate::core::token::{Expiry, State, Token};

const SCOPES: [&str; 4] = ["a/x", "a/y", "b", ""];

/// What a collection brings of one scope.
#[derive(Clone, Debug)]
enum Brings {
    Answer(Vec<Token>),
    Odd(Vec<Token>),
    Gap,
    GapAbove,
    Nothing,
}

fn any_token() -> impl Strategy<Value = Token> {
    let expires =
        prop_oneof![(-5..40_i64).prop_map(|end| Expiry::At(day(end))), Just(Expiry::Never), Just(Expiry::Unknown)];
    let made = prop::option::of((-50..0_i64).prop_map(day));
    (0..6_u8, expires, made, any::<bool>(), any::<bool>(), 0..3_u8).prop_map(
        |(id, expires, created_at, disabled, approximate, name)| Token {
            expires,
            created_at,
            disabled,
            approximate,
            name: format!("{name}"),
            ..token(&id.to_string(), 0)
        },
    )
}

fn any_brings() -> impl Strategy<Value = Brings> {
    let tokens = || prop::collection::vec(any_token(), 0..4);
    prop_oneof![
        4 => tokens().prop_map(Brings::Answer),
        1 => tokens().prop_map(Brings::Odd),
        1 => Just(Brings::Gap),
        1 => Just(Brings::GapAbove),
        1 => Just(Brings::Nothing),
    ]
}

type Collection = Option<(Vec<Brings>, Vec<Brings>)>;

fn any_collection() -> impl Strategy<Value = Collection> {
    let listing = || prop::collection::vec(any_brings(), SCOPES.len());
    prop::option::weighted(0.9, (listing(), listing()))
}

fn listed(name: &str, brings: &[Brings]) -> ListingResult {
    let mut listed = ListingResult { name: name.into(), scopes: Vec::new(), gaps: Vec::new() };
    for (steps, brings) in SCOPES.into_iter().zip(brings) {
        match brings {
            Brings::Answer(tokens) => listed.scopes.push(scope(steps, tokens.clone())),
            Brings::Odd(tokens) => listed.scopes.push(odd_scope(steps, tokens.clone())),
            Brings::Gap => listed.gaps.push(gap(steps, Reason::Timeout)),
            Brings::GapAbove => listed.gaps.push(gap(steps.split('/').next().unwrap(), Reason::Timeout)),
            Brings::Nothing => {}
        }
    }
    listed
}

fn outcome(collection: &Collection) -> Outcome {
    let listings = match collection {
        Some((tokens, keys)) => vec![listed("tokens", tokens), listed("keys", keys)],
        None => Vec::new(),
    };
    Outcome { listings, ..Outcome::default() }
}

/// What the rules say of tokens, worked out one token at a time: where it was last named, its end, how often it was missed.
#[derive(Default)]
struct Model(BTreeMap<String, (String, Path, Expiry, u32)>);

impl Model {
    fn record(&mut self, outcome: &Outcome, today: i64) {
        let mut named = BTreeMap::new();
        for listed in &outcome.listings {
            for ScopeResult { path, tokens, .. } in &listed.scopes {
                for token in tokens {
                    let known = (listed.name.clone(), path.clone(), token.expires, 0);
                    named.entry(token.id.clone()).or_insert(known);
                }
            }
        }
        for (id, (listing, path, expires, missed)) in std::mem::take(&mut self.0) {
            if named.contains_key(&id) {
                continue;
            }
            let of_listing = outcome.listings.iter().find(|listed| listed.name == listing);
            let silent = of_listing.is_none_or(|listed| {
                let odd = listed.scopes.iter().filter(|scope| !scope.malformed.is_empty()).map(|scope| &scope.path);
                listed.gaps.iter().map(|gap| &gap.path).chain(odd).any(|above| above.covers(&path))
            });
            let over = matches!(expires, Expiry::At(end) if end <= day(today));
            let missed = match missed {
                _ if silent => missed,
                _ if over => 2,
                _ => missed + 1,
            };
            let forgotten =
                over && missed == 2 && expires.timestamp().unwrap() + policy().expired_retention <= day(today);
            if (missed < 2 || over) && !forgotten {
                named.insert(id, (listing, path, expires, missed));
            }
        }
        self.0 = named;
    }
}

fn check(inventory: &Inventory, model: &Model, today: i64) -> Result<(), TestCaseError> {
    let known: Vec<&str> = ids(inventory, day(today));
    let expected: Vec<&str> = model.0.keys().map(String::as_str).collect();
    prop_assert_eq!(known, expected, "on day {}", today);
    let mut now = day(today);
    let mut instants = BTreeSet::new();
    while let Some(next) = inventory.next_change(now) {
        prop_assert!(next > now && instants.insert(next));
        let _ = inventory.tokens(next).count();
        now = next;
    }
    Ok(())
}

/// Whether another token of the same kind, owner and name replaces this one, asked of each pair.
fn is_replaced(token: &Token, others: &[Token], now: DateTime<Utc>) -> bool {
    let end = |token: &Token| match token.expires {
        Expiry::Never => Some(DateTime::<Utc>::MAX_UTC),
        other => other.timestamp(),
    };
    !token.disabled
        && others.iter().any(|other| {
            let lives = !other.disabled && end(other).is_some_and(|end| end > now);
            let newer = other.created_at.zip(token.created_at).is_none_or(|(other, own)| other > own);
            lives && newer && end(other).zip(end(token)).is_some_and(|(other, own)| other > own)
        })
}

proptest! {
    #[test]
    fn a_token_is_replaced_exactly_where_another_one_outlives_it(
        tokens in prop::collection::vec(any_token(), 1..24),
        now in -10..45_i64,
    ) {
        let numbered = tokens.into_iter().enumerate();
        let tokens: Vec<_> = numbered.map(|(id, token)| Token { id: format!("{id:02}"), name: "ci".into(), ..token }).collect();
        let mut inventory = inventory(policy());
        record(&mut inventory, super::outcome(vec![scope("a", tokens.clone())], vec![]), day(-20));
        for (view, token) in inventory.tokens(day(now)).zip(&tokens) {
            prop_assert_eq!(view.state == State::Replaced, is_replaced(token, &tokens, day(now)), "{:?}", token);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn what_is_known_follows_from_what_was_answered(story in prop::collection::vec(any_collection(), 1..12)) {
        let mut inventory = inventory(policy());
        let mut model = Model::default();
        for (today, collection) in story.iter().enumerate() {
            let today = i64::try_from(today).unwrap();
            let outcome = outcome(collection);
            model.record(&outcome, today);
            record(&mut inventory, outcome, day(today));
            check(&inventory, &model, today)?;
        }
        let stored = serde_json::to_string(&inventory.snapshot()).unwrap();
        let mut next = super::inventory(policy());
        next.restore(serde_json::from_str(&stored).unwrap());
        let today = i64::try_from(story.len()).unwrap();
        prop_assert_eq!(super::states(&next, day(today)), super::states(&inventory, day(today)));
    }
}
