//! Any sequence of collections: no token is lost to a failed scope, none stays that was missing twice in a row before its expiry,
//! tokens are replaced exactly by the rule, and nothing panics.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use proptest::prelude::*;

use super::{day, gap, ids, inventory, malformed_scope, policy, record, scope, token};
use crate::core::failure::Reason;
use crate::core::inventory::Inventory;
use crate::core::inventory::record::urgency;
use crate::core::outcome::{ListingResult, Outcome, Path, ScopeResult};
use crate::core::token::{Expiry, State, Token};

const SCOPES: [&str; 4] = ["a/x", "a/y", "b", ""];

/// The result of one scope.
#[derive(Clone, Debug)]
pub(super) enum ScopeCase {
    Complete(Vec<Token>),
    Malformed(Vec<Token>),
    Gap,
    GapAbove,
    Nothing,
}

fn any_token() -> impl Strategy<Value = Token> {
    let expires = prop_oneof![
        (-5..40_i64).prop_map(|expiry| Expiry::At(day(expiry))),
        Just(Expiry::Never),
        Just(Expiry::Unknown)
    ];
    let created = prop::option::of((-50..0_i64).prop_map(day));
    (0..6_u8, expires, created, any::<bool>(), any::<bool>(), 0..3_u8).prop_map(
        |(id, expires, created_at, disabled, approximate, name)| Token {
            expires,
            created_at,
            disabled,
            approximate,
            name: format!("{name}").into(),
            ..token(&id.to_string(), 0)
        },
    )
}

fn any_scope() -> impl Strategy<Value = ScopeCase> {
    let tokens = || prop::collection::vec(any_token(), 0..4);
    prop_oneof![
        4 => tokens().prop_map(ScopeCase::Complete),
        1 => tokens().prop_map(ScopeCase::Malformed),
        1 => Just(ScopeCase::Gap),
        1 => Just(ScopeCase::GapAbove),
        1 => Just(ScopeCase::Nothing),
    ]
}

pub(super) type Collection = Option<(Vec<ScopeCase>, Vec<ScopeCase>)>;

pub(super) fn any_collection() -> impl Strategy<Value = Collection> {
    let listing = || prop::collection::vec(any_scope(), SCOPES.len());
    prop::option::weighted(0.9, (listing(), listing()))
}

fn listing(name: &str, cases: &[ScopeCase]) -> ListingResult {
    let mut result = ListingResult::new(name);
    for (steps, case) in SCOPES.into_iter().zip(cases) {
        match case {
            ScopeCase::Complete(tokens) => result.scopes.push(scope(steps, tokens.clone())),
            ScopeCase::Malformed(tokens) => result.scopes.push(malformed_scope(steps, tokens.clone())),
            ScopeCase::Gap => result.gaps.push(gap(steps, Reason::Timeout)),
            ScopeCase::GapAbove => result.gaps.push(gap(steps.split('/').next().unwrap(), Reason::Timeout)),
            ScopeCase::Nothing => {}
        }
    }
    result
}

pub(super) fn outcome(collection: &Collection) -> Outcome {
    let listings = match collection {
        Some((tokens, keys)) => vec![listing("tokens", tokens), listing("keys", keys)],
        None => Vec::new(),
    };
    Outcome { listings, ..Outcome::default() }
}

/// The expected inventory, computed per token: where it was last listed, its expiry, and how often it was missing.
#[derive(Default)]
struct Model(BTreeMap<Box<str>, (String, Path, Expiry, u32)>);

impl Model {
    fn record(&mut self, outcome: &Outcome, today: i64) {
        let mut listed_now = BTreeMap::new();
        for listing in &outcome.listings {
            for ScopeResult { path, tokens, .. } in &listing.scopes {
                for token in tokens {
                    let known = (listing.name.clone(), path.clone(), token.expires, 0);
                    let listed: &mut (_, _, Expiry, _) = listed_now.entry(token.id.clone()).or_insert(known.clone());
                    if urgency(token.expires) < urgency(listed.2) {
                        *listed = known;
                    }
                }
            }
        }
        for (id, (listing, path, expires, missed)) in std::mem::take(&mut self.0) {
            if listed_now.contains_key(&id) {
                continue;
            }
            let result = outcome.listings.iter().find(|result| result.name == listing);
            let is_uncovered = result.is_none_or(|result| {
                let malformed =
                    result.scopes.iter().filter(|scope| !scope.malformed.is_empty()).map(|scope| &scope.path);
                result.gaps.iter().map(|gap| &gap.path).chain(malformed).any(|above| above.covers(&path))
            });
            let has_expired = matches!(expires, Expiry::At(at) if at <= day(today));
            let missed = match missed {
                _ if is_uncovered => missed,
                _ if has_expired => 2,
                _ => missed + 1,
            };
            let is_evicted =
                has_expired && missed == 2 && expires.timestamp().unwrap() + policy().expired_retention <= day(today);
            if (missed < 2 || has_expired) && !is_evicted {
                listed_now.insert(id, (listing, path, expires, missed));
            }
        }
        self.0 = listed_now;
    }
}

fn check(inventory: &Inventory, model: &Model, today: i64) -> Result<(), TestCaseError> {
    let known: Vec<&str> = ids(inventory, day(today));
    let expected: Vec<&str> = model.0.keys().map(|id| &**id).collect();
    prop_assert_eq!(known, expected, "on day {}", today);
    let mut now = day(today);
    let mut changes = BTreeSet::new();
    while let Some(next) = inventory.next_change(now) {
        prop_assert!(next > now && changes.insert(next));
        let _ = inventory.tokens(next).count();
        now = next;
    }
    Ok(())
}

/// Whether another token of the same kind, owner and name replaces this one, computed by pairs.
fn is_replaced(token: &Token, others: &[Token], now: DateTime<Utc>) -> bool {
    let expiry = |token: &Token| match token.expires {
        Expiry::Never => Some(DateTime::<Utc>::MAX_UTC),
        other => other.timestamp(),
    };
    !token.disabled
        && others.iter().any(|other| {
            let is_active = !other.disabled && expiry(other).is_some_and(|at| at > now);
            let is_newer = other.created_at.zip(token.created_at).is_none_or(|(other, own)| other > own);
            is_active && is_newer && expiry(other).zip(expiry(token)).is_some_and(|(other, own)| other > own)
        })
}

proptest! {
    #[test]
    fn token_is_replaced_exactly_by_the_rule(
        tokens in prop::collection::vec(any_token(), 1..24),
        now in -10..45_i64,
    ) {
        let numbered = tokens.into_iter().enumerate();
        let tokens: Vec<_> = numbered.map(|(id, token)| Token { id: format!("{id:02}").into(), name: "ci".into(), ..token }).collect();
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
    fn inventory_matches_the_model(collections in prop::collection::vec(any_collection(), 1..12)) {
        let mut inventory = inventory(policy());
        let mut model = Model::default();
        for (today, collection) in collections.iter().enumerate() {
            let today = i64::try_from(today).unwrap();
            let outcome = outcome(collection);
            model.record(&outcome, today);
            record(&mut inventory, outcome, day(today));
            check(&inventory, &model, today)?;
        }
        let mut next = super::inventory(policy());
        super::restore::restore(&mut next, &inventory);
        let today = i64::try_from(collections.len()).unwrap();
        prop_assert_eq!(super::states(&next, day(today)), super::states(&inventory, day(today)));
    }
}
