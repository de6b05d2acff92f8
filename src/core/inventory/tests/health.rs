use chrono::TimeDelta;

use super::{collect, day, gap, ids, inventory, malformed_scope, outcome, policy, record, scope, token};
use crate::core::adjustment::Adjustment;
use crate::core::failure::{Failure, Reason};
use crate::core::inventory::{Inventory, Source, StoredState};
use crate::core::lead::Band;
use crate::core::outcome::{CredentialExpiry, ListingResult, Outcome, RateLimit, ScopeResult};
use crate::core::token::Expiry;

fn main(inventory: &Inventory) -> &Source {
    inventory.sources().next().unwrap().1
}

#[test]
fn every_reason_and_adjustment_is_present_from_the_start() {
    let inventory = inventory(policy());
    let source = main(&inventory);
    assert_eq!(source.up, None);
    assert!(Reason::ALL.iter().all(|reason| source.failures.get(reason) == Some(&0)));
    assert!(Adjustment::ALL.iter().all(|adjustment| source.adjustments.get(adjustment) == Some(&0)));
    assert_eq!(source.listings.keys().collect::<Vec<_>>(), ["keys", "tokens"]);
    for health in source.listings.values() {
        assert!(Reason::ALL.iter().all(|reason| health.gaps.get(reason) == Some(&0)));
    }
}

#[test]
fn complete_collection_is_a_success() {
    let mut inventory = inventory(policy());
    collect(&mut inventory, vec![], day(1));
    let source = main(&inventory);
    assert_eq!(source.up, Some(true));
    assert_eq!(source.last_attempt, Some(day(1) - TimeDelta::seconds(10)));
    assert_eq!(source.last_success, Some(day(1)));
    assert_eq!(source.last_duration, Some(TimeDelta::seconds(10)));
}

#[test]
fn collection_with_gaps_is_incomplete() {
    let mut inventory = inventory(policy());
    collect(&mut inventory, vec![], day(1));
    let step = ScopeResult { is_step: true, ..malformed_scope("b", vec![]) };
    let scopes = vec![scope("a/x", vec![]), scope("a/y", vec![]), step];
    record(&mut inventory, outcome(scopes, vec![gap("c", Reason::Forbidden), gap("d", Reason::Forbidden)]), day(2));
    let source = main(&inventory);
    assert_eq!((source.up, source.last_success), (Some(false), Some(day(1))));
    let health = &source.listings["tokens"];
    assert_eq!((health.scopes, health.gaps[&Reason::Forbidden], health.gaps.len()), (4, 2, Reason::ALL.len()));
    assert_eq!((source.failures[&Reason::Forbidden], source.failures[&Reason::Mapping]), (2, 1));

    collect(&mut inventory, vec![], day(3));
    let source = main(&inventory);
    assert_eq!(source.listings["tokens"].gaps[&Reason::Forbidden], 0, "gaps are those of the last collection");
    assert_eq!(source.failures[&Reason::Forbidden], 2, "failures are counted since the start");
}

#[test]
fn failed_scopes_are_kept_as_examples_of_different_reasons() {
    let mut inventory = inventory(policy());
    let mut gaps: Vec<_> = ["a", "b", "c"].map(|name| gap(name, Reason::Forbidden)).into();
    gaps[0].required_permission = Some("read:tokens\n".into());
    gaps[0].failure.provider_message = Some(format!("\u{202e}no\u{1b}{}", "x".repeat(300)));
    gaps.push(gap("d", Reason::Timeout));
    record(&mut inventory, outcome(vec![], gaps), day(1));
    let examples = &main(&inventory).failed_scopes["tokens"];
    let shown: Vec<_> = examples.iter().map(|it| (it.scope.as_str(), it.reason)).collect();
    assert_eq!(shown, [("/a", Reason::Forbidden), ("/d", Reason::Timeout), ("/b", Reason::Forbidden)]);
    assert_eq!(examples[0].required_permission.as_deref(), Some("read:tokens"));
    let message = examples[0].provider_message.as_deref().unwrap();
    assert!(message.starts_with("\u{fffd}no\u{fffd}xxx") && message.ends_with("x…"), "{message}");
    assert_eq!(message.chars().count(), 201);

    let json = serde_json::to_string(&inventory.shared("main").unwrap().state).unwrap();
    let read: StoredState = serde_json::from_str(&json).unwrap();
    let mut replica = super::inventory(policy());
    assert!(replica.adopt("main", read, None, day(1)));
    assert_eq!(main(&replica).failed_scopes["tokens"], *examples, "replicas share them");
    collect(&mut inventory, vec![], day(2));
    assert!(main(&inventory).failed_scopes.is_empty(), "those of the last collection");
}

#[test]
fn previous_values_stay_until_new_ones_are_reported() {
    let mut inventory = inventory(policy());
    let limit = RateLimit { limit: Some(100), remaining: 7 };
    let reporting = Outcome {
        credential_expiry: CredentialExpiry::Reported(Expiry::At(day(50))),
        rate_limit: Some(limit),
        requests: [(200, 3), (0, 1)].into(),
        ..outcome(vec![], vec![])
    };
    record(&mut inventory, reporting.clone(), day(1));
    record(&mut inventory, Outcome::failed(&policy().listings, &Failure::new(Reason::Connect, "no route")), day(2));
    record(
        &mut inventory,
        Outcome { credential_expiry: CredentialExpiry::NotReported, rate_limit: None, ..reporting },
        day(3),
    );
    let source = main(&inventory);
    assert_eq!((source.credential_expiry, source.rate_limit), (Some(Expiry::At(day(50))), Some(limit)));
    assert_eq!(source.requests, [(200, 6), (0, 2)].into());
    assert_eq!(source.failures[&Reason::Connect], 2);
    let unstated = Outcome { credential_expiry: CredentialExpiry::Unstated, ..outcome(vec![], vec![]) };
    record(&mut inventory, unstated, day(4));
    assert_eq!(main(&inventory).credential_expiry, None, "the expiry of another credential");
}

#[test]
fn duration_is_not_negative_if_the_clock_is_set_back() {
    let mut inventory = inventory(policy());
    inventory.record("main", outcome(vec![], vec![]), day(2), day(1));
    assert_eq!(main(&inventory).last_duration, Some(TimeDelta::zero()));
}

#[test]
fn outcome_of_an_unknown_source_or_listing_is_ignored() {
    let mut inventory = inventory(policy());
    inventory.record("gone", outcome(vec![scope("a", vec![token("1", 100)])], vec![]), day(1), day(1));
    let old = ListingResult { scopes: vec![scope("", vec![token("2", 100)])], ..ListingResult::new("sessions") };
    record(&mut inventory, Outcome { listings: vec![old], ..Outcome::default() }, day(1));
    assert!(ids(&inventory, day(1)).is_empty());
    assert_eq!(inventory.sources().count(), 1);
    assert_eq!(main(&inventory).listings.len(), 2);
}

#[test]
fn own_credential_has_a_band() {
    let mut inventory = inventory(policy());
    let reporting =
        |expires| Outcome { credential_expiry: CredentialExpiry::Reported(expires), ..outcome(vec![], vec![]) };
    record(&mut inventory, reporting(Expiry::Never), day(0));
    assert_eq!((main(&inventory).credential_band(day(0)), inventory.next_change(day(0))), (None, None));
    record(&mut inventory, reporting(Expiry::At(day(50))), day(0));
    let cases = [
        (0, None, Some(day(20))),
        (20, Some(Band::Warning), Some(day(43))),
        (43, Some(Band::Critical), Some(day(50))),
        (50, Some(Band::Expired), None),
        (500, Some(Band::Expired), None),
    ];
    for (today, band, next) in cases {
        let now = day(today);
        assert_eq!((main(&inventory).credential_band(now), inventory.next_change(now)), (band, next), "{today}");
    }
}
