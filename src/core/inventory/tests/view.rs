use std::sync::Arc;

use chrono::TimeDelta;

use super::{collect, day, inventory, inventory_with, policy, states, token, view};
use crate::core::inventory::{Finding, Policy};
use crate::core::lead::{Band, LeadChange};
use crate::core::renewal::{Renewal, Renewals};
use crate::core::rules::{Match, Rule};
use crate::core::token::{Expiry, LastUse, Lifetime, Owner, State, Token};

#[test]
fn token_changes_its_band_without_a_collection() {
    let mut inventory = inventory(policy());
    collect(&mut inventory, vec![token("1", 100)], day(0));
    let second = TimeDelta::seconds(1);
    let cases = [
        (day(0), State::Active, None, day(70)),
        (day(70) - second, State::Active, None, day(70)),
        (day(70), State::Active, Some(Band::Warning), day(93)),
        (day(93), State::Active, Some(Band::Critical), day(100)),
        (day(100) - second, State::Active, Some(Band::Critical), day(100)),
        (day(100), State::Expired, Some(Band::Expired), day(107)),
    ];
    for (now, state, band, next) in cases {
        let found = view(&inventory, "1", now);
        assert_eq!((found.state, found.band, inventory.next_change(now)), (state, band, Some(next)), "{now}");
    }
    let later = view(&inventory, "1", day(107));
    assert_eq!((later.state, later.band), (State::Expired, None), "still listed, but no longer due");
    assert_eq!(inventory.next_change(day(107)), None);
}

#[test]
fn short_lived_token_is_never_due() {
    let mut inventory = inventory(policy());
    let short = Token { created_at: Some(day(10) - TimeDelta::hours(1)), ..token("1", 10) };
    collect(&mut inventory, vec![short], day(9));
    assert_eq!(inventory.next_change(day(9)), Some(day(10)));
    let found = view(&inventory, "1", day(10));
    assert_eq!((found.state, found.band), (State::Expired, None));
}

#[test]
fn active_token_that_violates_a_policy_has_findings() {
    let strict =
        Policy { max_lifetime: Some(TimeDelta::days(400)), unused_after: Some(TimeDelta::days(90)), ..policy() };
    let used = |days| LastUse::At(day(days));
    let fine = || token("1", 30);
    let cases: Vec<(&str, Token, &[Finding])> = vec![
        ("no violation", fine(), &[]),
        ("never expires", Token { expires: Expiry::Never, ..fine() }, &[Finding::NeverExpires]),
        ("unreadable", Token { expires: Expiry::Unknown, ..fine() }, &[Finding::UnreadableExpiry]),
        ("exactly the maximum lifetime", token("1", 35), &[]),
        ("a day longer", token("1", 36), &[Finding::LivesTooLong]),
        (
            "renewed for a long time",
            Token { lifetime: Lifetime::new(TimeDelta::days(500)), ..fine() },
            &[Finding::LivesTooLong],
        ),
        (
            "old, but renewed for a month each time",
            Token { lifetime: Lifetime::new(TimeDelta::days(30)), ..token("1", 300) },
            &[],
        ),
        ("unknown creation time", Token { created_at: None, ..token("1", 3000) }, &[]),
        ("last use not reported", Token { last_used: LastUse::NotReported, ..fine() }, &[]),
        ("used just in time", Token { last_used: used(-89), ..fine() }, &[]),
        ("not used for 90 days", Token { last_used: used(-90), ..fine() }, &[Finding::Unused]),
        ("never used", Token { last_used: LastUse::Never, ..fine() }, &[Finding::Unused]),
        ("never used, and new", Token { last_used: LastUse::Never, created_at: Some(day(-89)), ..fine() }, &[]),
        (
            "never used, unknown creation time",
            Token { last_used: LastUse::Never, created_at: None, ..fine() },
            &[Finding::Unused],
        ),
        ("no owner", Token { owner: None, ..fine() }, &[Finding::NoOwner]),
        ("an empty owner", Token { owner: Some(triomphe::Arc::new(Owner::default())), ..fine() }, &[Finding::NoOwner]),
        (
            "several at once",
            Token { expires: Expiry::Never, owner: None, last_used: LastUse::Never, ..fine() },
            &[Finding::NeverExpires, Finding::Unused, Finding::NoOwner],
        ),
        ("disabled", Token { expires: Expiry::Never, disabled: true, owner: None, ..fine() }, &[]),
        ("expired", Token { owner: None, ..token("1", -1) }, &[]),
    ];
    for (case, token, findings) in cases {
        let mut inventory = inventory(strict.clone());
        collect(&mut inventory, vec![token.clone()], day(0));
        assert_eq!(view(&inventory, "1", day(0)).findings.iter().collect::<Vec<_>>(), findings, "{case}");
    }
}

#[test]
fn no_finding_without_limits() {
    let mut inventory = inventory(Policy { never_expires: false, ..policy() });
    let unused = Token { last_used: LastUse::Never, ..token("1", 9999) };
    collect(&mut inventory, vec![unused, Token { expires: Expiry::Never, ..token("2", 0) }], day(0));
    let findings: Vec<_> = inventory.tokens(day(0)).map(|view| view.findings.is_empty()).collect();
    assert_eq!(findings, [true, true]);
}

#[test]
fn unused_token_changes_without_a_collection() {
    let mut inventory = inventory(Policy { unused_after: Some(TimeDelta::days(40)), ..policy() });
    collect(&mut inventory, vec![token("1", 200)], day(0));
    assert_eq!(inventory.next_change(day(0)), Some(day(39)));
    assert!(view(&inventory, "1", day(38)).findings.is_empty());
    assert_eq!(view(&inventory, "1", day(39)).findings, [Finding::Unused].into_iter().collect());
}

#[test]
fn view_shows_the_overrides_of_rules() {
    let platform = Owner { id: None, name: None, email: Some("platform@example.com".into()), inactive: false };
    let rule = Rule {
        matches: Match { id: Some(regex::Regex::new("^1$").unwrap()), ..Match::default() },
        labels: [("team".into(), "platform".into())].into(),
        owner: Some(platform),
        alert_lead: LeadChange { warning: Some(TimeDelta::days(90)), critical: None },
        ..Rule::default()
    };
    let mut inventory = inventory_with(policy(), vec![rule]);
    collect(&mut inventory, vec![token("1", 60), token("2", 60)], day(0));
    let found = view(&inventory, "1", day(0));
    assert_eq!(found.labels["team"], "platform");
    assert_eq!(found.band, Some(Band::Warning));
    let owner = found.owner.unwrap();
    assert_eq!((owner.name.as_deref(), owner.email.as_deref()), (Some("Jane"), Some("platform@example.com")));
    assert!(found.token.labels.is_empty());
    let other = view(&inventory, "2", day(0));
    assert_eq!((other.labels.len(), other.band), (0, None));
    assert_eq!((other.source, other.provider, other.listing), ("main", "vendor", "tokens"));
}

#[test]
fn token_is_active_and_due_for_rotation_until_it_is_removed() {
    let rule = Rule { rotate_after: Some(TimeDelta::days(370)), ..Rule::default() };
    let mut inventory = inventory_with(policy(), vec![rule]);
    let unlimited = || Token { expires: Expiry::Never, ..token("1", 0) };
    collect(&mut inventory, vec![unlimited()], day(0));
    let found = view(&inventory, "1", day(0));
    assert_eq!((found.expires, found.band), (Expiry::Policy(day(5)), Some(Band::Critical)));
    assert!(found.findings.is_empty(), "a rule requires its rotation");
    for later in [day(5), day(500)] {
        let found = view(&inventory, "1", later);
        assert_eq!((found.state, found.band), (State::Active, Some(Band::Expired)), "it still works");
    }
    collect(&mut inventory, vec![], day(6));
    collect(&mut inventory, vec![], day(7));
    assert!(states(&inventory, day(7)).is_empty(), "it was rotated, not expired");
}

#[test]
fn renewal_of_a_rule_comes_before_that_of_the_entry_and_the_definition() {
    let steps = |text: &str| Arc::new(Renewal::parse(text).unwrap());
    let kind = token("1", 100).kind.to_string();
    let renewals: Renewals = [(kind, Renewal::parse("definition").unwrap())].into_iter().collect();
    let rule = |id: &str, text: &str| Rule {
        matches: Match { id: Some(regex::Regex::new(id).unwrap()), ..Match::default() },
        renew: Some(steps(text)),
        ..Rule::default()
    };
    let policy = Policy { renewals: Arc::new(renewals), ..policy() };
    let mut inventory = inventory_with(policy, vec![rule("^3$", "first rule"), rule("^[34]$", "rule")]);
    let declared = |id: &str| Token { renew: Some(steps("entry")), ..token(id, 100) };
    let other = Token { kind: "other".into(), ..token("5", 100) };
    collect(&mut inventory, vec![token("1", 100), declared("2"), declared("3"), token("4", 100), other], day(0));
    for (id, expected) in
        [("1", Some("definition")), ("2", Some("entry")), ("3", Some("rule")), ("4", Some("rule")), ("5", None)]
    {
        let found = view(&inventory, id, day(0)).renewal().map(|renewal| renewal.steps[0].as_str());
        assert_eq!(found, expected, "{id}");
    }
}
