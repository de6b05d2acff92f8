#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;
use regex::Regex;

use super::{Match, Overrides, Rule, RuleResult, RuledSource, apply};
use crate::core::lead::LeadChange;
use crate::core::owners::{Directory, Join, Person};
use crate::core::token::{Expiry, LastUse, Owner, State, Token};

fn owner(id: &str, name: &str, email: &str) -> Owner {
    let some = |text: &str| Some(text.into()).filter(|_| !text.is_empty());
    Owner { id: some(id), name: some(name), email: some(email), ..Owner::default() }
}

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn renovate() -> Token {
    Token {
        id: "4711".into(),
        name: "renovate-bot".into(),
        kind: "project-access-token".into(),
        owner: Some(owner("91", "Jane", "jane@example.com").into()),
        created_at: Some("2026-01-01T00:00:00Z".parse().unwrap()),
        expires: Expiry::Never,
        last_used: LastUse::NotReported,
        scopes: Arc::default(),
        disabled: false,
        lifetime: None,
        renews_before: None,
        manage_url: None,
        renew: None,
        labels: labels(&[("project", "acme/web")]).into(),
        approximate: false,
    }
}

fn of<'a>(name: &'a str, provider: &'a str) -> RuledSource<'a> {
    RuledSource { name, provider, rotate_after: None }
}

fn regex(text: &str) -> Option<Regex> {
    Some(Regex::new(text).unwrap())
}

fn overrides(rules: &[Rule], token: &Token) -> Overrides {
    match apply(rules, Join::Nobody, of("gitlab-eu", "gitlab"), token, Some(State::Active)) {
        RuleResult::Kept(overrides) => overrides,
        RuleResult::Dropped => panic!("dropped"),
    }
}

#[test]
fn rule_matches_if_all_conditions_hold() {
    let one = |text: &str| vec!["other".to_owned(), text.to_owned()];
    let on_label = |name: &str, text: &str| BTreeMap::from([(name.to_owned(), Regex::new(text).unwrap())]);
    let nothing = Match::default;
    let cases = [
        ("no condition", nothing(), true),
        ("source", Match { source: one("gitlab-eu"), ..nothing() }, true),
        ("another source", Match { source: one("gitlab"), ..nothing() }, false),
        ("provider", Match { provider: one("gitlab"), ..nothing() }, true),
        ("another provider", Match { provider: one("git"), ..nothing() }, false),
        ("kind", Match { kind: one("project-access-token"), ..nothing() }, true),
        ("another kind", Match { kind: one("project"), ..nothing() }, false),
        ("id, in part", Match { id: regex("71"), ..nothing() }, true),
        ("another id", Match { id: regex("^71"), ..nothing() }, false),
        ("name", Match { name: regex("^renovate"), ..nothing() }, true),
        ("another name", Match { name: regex("^bot"), ..nothing() }, false),
        ("owner's id", Match { owner: regex("^91$"), ..nothing() }, true),
        ("owner's name", Match { owner: regex("^Jane$"), ..nothing() }, true),
        ("owner's address", Match { owner: regex("@example.com$"), ..nothing() }, true),
        ("another owner", Match { owner: regex("joe"), ..nothing() }, false),
        ("label", Match { labels: on_label("project", "^acme/"), ..nothing() }, true),
        ("another label", Match { labels: on_label("project", "^other/"), ..nothing() }, false),
        ("a missing label", Match { labels: on_label("team", ".*"), ..nothing() }, false),
        ("state", Match { state: vec![State::Disabled, State::Active], ..nothing() }, true),
        ("another state", Match { state: vec![State::Disabled], ..nothing() }, false),
        ("expiry", Match { expiry: one("never"), ..nothing() }, true),
        ("another expiry", Match { expiry: one("at"), ..nothing() }, false),
        ("name, but another kind", Match { name: regex("^renovate"), kind: one("session"), ..nothing() }, false),
    ];
    for (case, matches, holds) in cases {
        let rule = Rule { matches, drop: true, ..Rule::default() };
        assert_eq!(
            apply(&[rule], Join::Nobody, of("gitlab-eu", "gitlab"), &renovate(), Some(State::Active))
                == RuleResult::Dropped,
            holds,
            "{case}"
        );
    }
    let ownerless = Token { owner: None, ..renovate() };
    let rule = Rule { matches: Match { owner: regex(""), ..nothing() }, drop: true, ..Rule::default() };
    assert_eq!(overrides(&[rule], &ownerless), Overrides::default(), "a token without an owner does not match");
}

#[test]
fn condition_on_an_unknown_state_does_not_hold() {
    let rule =
        Rule { matches: Match { state: State::ALL.to_vec(), ..Match::default() }, drop: true, ..Rule::default() };
    assert_eq!(
        apply(std::slice::from_ref(&rule), Join::Nobody, of("s", "p"), &renovate(), Some(State::Replaced)),
        RuleResult::Dropped
    );
    assert_eq!(apply(&[rule], Join::Nobody, of("s", "p"), &renovate(), None), RuleResult::Kept(Overrides::default()));
}

/// An earlier rule that sets a date makes the expiry `policy`; a rule that adds no date does not.
#[test]
fn expiry_is_matched_after_the_earlier_rules() {
    let label = |expiry: &str| Rule {
        matches: Match { expiry: vec![expiry.to_owned()], ..Match::default() },
        labels: labels(&[(expiry, "yes")]),
        ..Rule::default()
    };
    let rotate = Rule { rotate_after: Some(TimeDelta::days(90)), ..Rule::default() };
    let rules = [label("never"), rotate, label("never"), label("policy"), label("unknown")];
    let changed = |token: &Token| overrides(&rules, token).labels.unwrap();
    assert_eq!(changed(&renovate()), labels(&[("project", "acme/web"), ("never", "yes"), ("policy", "yes")]));
    let undated = Token { created_at: None, ..renovate() };
    assert_eq!(changed(&undated), labels(&[("project", "acme/web"), ("never", "yes")]));
}

#[test]
fn no_overrides_without_a_matching_rule() {
    assert_eq!(overrides(&[], &renovate()), Overrides::default());
    let other = Rule {
        matches: Match { name: regex("other"), ..Match::default() },
        labels: labels(&[("team", "platform")]),
        ..Rule::default()
    };
    assert_eq!(overrides(&[other], &renovate()), Overrides::default());
    let nothing_new = Rule { labels: labels(&[("project", "acme/web")]), ..Rule::default() };
    assert_eq!(overrides(&[nothing_new], &renovate()), Overrides::default(), "the label is unchanged");
}

#[test]
fn all_matching_rules_apply_and_a_later_one_wins() {
    let days = |days| Some(TimeDelta::days(days));
    let rules = [
        Rule {
            labels: labels(&[("team", "infra"), ("tier", "1")]),
            alert_lead: LeadChange { warning: days(14), critical: days(2) },
            rotate_after: days(30),
            ..Rule::default()
        },
        Rule {
            matches: Match {
                labels: BTreeMap::from([("team".into(), Regex::new("infra").unwrap())]),
                ..Match::default()
            },
            labels: labels(&[("team", "platform")]),
            alert_lead: LeadChange { warning: days(60), critical: None },
            rotate_after: days(90),
            ..Rule::default()
        },
    ];
    let overrides = overrides(&rules, &renovate());
    assert_eq!(overrides.labels, Some(labels(&[("project", "acme/web"), ("team", "platform"), ("tier", "1")])));
    assert_eq!(overrides.lead, LeadChange { warning: days(60), critical: days(2) });
    assert_eq!(overrides.expires(&renovate()), Expiry::Policy("2026-04-01T00:00:00Z".parse().unwrap()));
    assert_eq!(overrides.owner, None);
}

#[test]
fn owner_is_set_field_by_field() {
    let set = |change: Owner, token: &Token| overrides(&[Rule { owner: Some(change), ..Rule::default() }], token);
    let mailbox = owner("", "", "Platform@Example.com");
    assert_eq!(set(mailbox.clone(), &renovate()).owner, Some(owner("91", "Jane", "platform@example.com")));
    let ownerless = Token { owner: None, ..renovate() };
    assert_eq!(set(mailbox, &ownerless).owner, Some(owner("", "", "platform@example.com")));
    assert_eq!(set(owner("", "Team", ""), &renovate()).owner, Some(owner("91", "Team", "jane@example.com")));
    let refused = set(owner("", "Team", "a@example.com, b@example.com"), &renovate());
    assert_eq!(refused.owner, Some(owner("91", "Team", "jane@example.com")), "the previous address stays");
    assert!(refused.refused_address);
}

#[test]
fn rotate_after_applies_only_to_tokens_that_never_expire() {
    let rule = |days| [Rule { rotate_after: Some(TimeDelta::days(days)), ..Rule::default() }];
    let at = Expiry::At("2027-01-10T08:00:00Z".parse().unwrap());
    let due = Expiry::Policy("2026-01-31T00:00:00Z".parse().unwrap());
    let cases = [
        ("never", Token { expires: Expiry::Never, ..renovate() }, due),
        ("unknown", Token { expires: Expiry::Unknown, ..renovate() }, due),
        ("an expiry", Token { expires: at, ..renovate() }, at),
        ("unknown creation time", Token { created_at: None, ..renovate() }, Expiry::Never),
    ];
    for (case, token, expected) in cases {
        assert_eq!(overrides(&rule(30), &token).expires(&token), expected, "{case}");
    }
    let token = renovate();
    let too_long = [Rule { rotate_after: Some(TimeDelta::MAX), ..Rule::default() }];
    assert_eq!(overrides(&too_long, &token).expires(&token), Expiry::Never);
}

#[test]
fn entry_of_the_directory_applies_before_the_rules() {
    let jane = Person { name: Some("Jane Doe".into()), team: Some("web".into()), ..Person::default() };
    let rule = Rule {
        matches: Match {
            owner: regex("^Jane Doe$"),
            labels: BTreeMap::from([("team".into(), Regex::new("web").unwrap())]),
            ..Match::default()
        },
        owner: Some(owner("", "", "platform@example.com")),
        ..Rule::default()
    };
    let result = |rules: &[Rule], join| match apply(rules, join, of("s", "gitlab"), &renovate(), None) {
        RuleResult::Kept(overrides) => overrides,
        RuleResult::Dropped => panic!("dropped"),
    };
    let joined = result(&[], Join::Person(&jane));
    assert_eq!(joined.owner, Some(owner("91", "Jane Doe", "jane@example.com")), "id and address stay");
    assert_eq!(joined.labels, Some(labels(&[("project", "acme/web"), ("team", "web")])));
    let ruled = result(std::slice::from_ref(&rule), Join::Person(&jane));
    assert_eq!(ruled.owner, Some(owner("91", "Jane Doe", "platform@example.com")), "the rule wins");
    assert_eq!(result(&[rule], Join::Nobody), Overrides::default(), "without the entry the rule does not match");

    let same = Person { name: Some("Jane".into()), email: Some("jane@example.com".into()), ..Person::default() };
    assert_eq!(result(&[], Join::Person(&same)), Overrides::default(), "equal values override nothing");
    assert_eq!(result(&[], Join::Ambiguous), Overrides { ambiguous_owner: true, ..Overrides::default() });
}

#[test]
fn label_of_the_token_comes_before_the_team_of_the_entry() {
    let person = Person { team: Some("web".into()), ..Person::default() };
    let token = Token { labels: labels(&[("team", "own")]).into(), ..renovate() };
    match apply(&[], Join::Person(&person), of("s", "p"), &token, None) {
        RuleResult::Kept(overrides) => assert_eq!(overrides, Overrides::default()),
        RuleResult::Dropped => panic!("dropped"),
    }
}

#[test]
fn complete_owner_adds_what_the_rule_does_not_set() {
    let some = |text: &str| Some(text.to_owned());
    let (name, email) = (some("Platform"), some("platform@example.com"));
    let platform = Person { name, email, team: some("infra"), also: Vec::new() };
    let directory = Directory::new(vec![platform]);
    let complete = |owner: Owner, team: Option<&str>| {
        let labels = team.map(|team| ("team".to_owned(), team.to_owned())).into_iter().collect();
        let mut rule = Rule { owner: Some(owner), labels, ..Rule::default() };
        rule.complete_owner(&directory);
        (rule.owner.unwrap(), rule.labels.get("team").cloned())
    };
    let expected = owner("", "Platform", "platform@example.com");
    assert_eq!(complete(owner("", "Platform", ""), None), (expected.clone(), some("infra")));
    assert_eq!(complete(owner("", "", "platform@example.com"), Some("x")), (expected, some("x")));
    let other = owner("", "Platform", "other@example.com");
    assert_eq!(complete(other.clone(), None), (other, some("infra")));
    let unknown = owner("", "Nobody", "");
    assert_eq!(complete(unknown.clone(), None), (unknown, None));
}

#[test]
fn rotation_of_the_source_applies_unless_a_rule_sets_another() {
    let days = |days| Some(TimeDelta::days(days));
    let rotated = |rules: &[Rule], token: &Token| {
        let source = RuledSource { rotate_after: days(90), ..of("s", "gitlab") };
        match apply(rules, Join::Nobody, source, token, None) {
            RuleResult::Kept(overrides) => overrides.expires(token),
            RuleResult::Dropped => panic!("dropped"),
        }
    };
    let at = |date: &str| Expiry::Policy(format!("{date}T00:00:00Z").parse().unwrap());
    assert_eq!(rotated(&[], &renovate()), at("2026-04-01"));
    // A rule can match the date, and set another one.
    let by_policy = Match { expiry: vec!["policy".to_owned()], ..Match::default() };
    let rule = Rule { matches: by_policy, rotate_after: days(30), ..Rule::default() };
    assert_eq!(rotated(&[rule], &renovate()), at("2026-01-31"));
    let expires = Expiry::At("2027-01-01T00:00:00Z".parse().unwrap());
    assert_eq!(rotated(&[], &Token { expires, ..renovate() }), expires);
    assert_eq!(rotated(&[], &Token { created_at: None, ..renovate() }), Expiry::Never);
}
