use std::collections::{BTreeMap, BTreeSet};

use super::{Inventory, Policy, Rule, collect, day, outcome, policy, rules, scope, token, view};
use crate::core::adjustment::Adjustment;
use crate::core::inventory::{Finding, Findings};
use crate::core::owners::{Alias, Directory, Owners, Person};
use crate::core::rules::Rules;
use crate::core::token::{Owner, State, Token};

fn person(name: &str, also: &[&str]) -> Person {
    let alias = |text: &&str| Alias { place: None, text: (*text).to_owned() };
    let email = Some(format!("{name}@example.com"));
    Person { name: Some(name.to_owned()), email, team: Some("web".into()), also: also.iter().map(alias).collect() }
}

fn owned(id: &str, owner: Owner) -> Token {
    Token { owner: Some(owner.into()), ..token(id, 100) }
}

fn named(name: &str) -> Owner {
    Owner { name: Some(name.into()), ..Owner::default() }
}

fn logins() -> Policy {
    Policy { owner_logins: vec!["tokens".into()], ..policy() }
}

/// The source `main` and an authoritative one, `people`.
fn inventory(people: Vec<Person>, list: Vec<Rule>) -> Inventory {
    let mut inventory = Inventory::default();
    let sources = BTreeMap::from([("main".into(), logins()), ("people".into(), policy())]);
    let owners = Owners::new(Directory::new(people), BTreeSet::from(["people".to_owned()]));
    inventory.set_policy(sources, Rules { list: rules(list), owners });
    inventory
}

fn email(inventory: &Inventory, id: &str) -> Option<Box<str>> {
    view(inventory, id, day(0)).owner.and_then(|owner| owner.email.clone())
}

fn record_people(inventory: &mut Inventory, owners: &[(&str, &str)]) {
    let tokens = owners.iter().enumerate().map(|(number, (name, email))| {
        owned(&format!("people-{number}"), Owner { email: Some((*email).into()), ..named(name) })
    });
    let outcome = outcome(vec![scope("all", tokens.collect())], Vec::new());
    inventory.record("people", outcome, day(0), day(0));
}

#[test]
fn entry_of_the_directory_sets_owner_and_team() {
    let mut inventory = inventory(vec![person("Jane", &["jdoe"])], Vec::new());
    collect(&mut inventory, vec![owned("a", named("jdoe")), owned("b", named("other"))], day(0));
    let joined = view(&inventory, "a", day(0));
    assert_eq!(
        joined.owner.map(|owner| (owner.name.as_deref(), owner.email.as_deref())),
        Some((Some("Jane"), Some("Jane@example.com")))
    );
    assert_eq!(joined.labels.get("team").map(String::as_str), Some("web"));
    assert_eq!(email(&inventory, "b"), None);
}

#[test]
fn ambiguous_owner_is_counted_and_keeps_what_the_provider_reports() {
    let mut inventory = inventory(vec![person("Jane", &["jdoe"]), person("John", &["jdoe"])], Vec::new());
    collect(&mut inventory, vec![owned("a", named("jdoe")), owned("b", named("Jane"))], day(0));
    assert_eq!((email(&inventory, "a"), email(&inventory, "b")), (None, Some("Jane@example.com".into())));
    assert_eq!(inventory.source("main").unwrap().adjustments[&Adjustment::AmbiguousOwner], 1);
    let stored = inventory.stored("main").unwrap().state.adjustments;
    assert!(stored.contains_key(&Adjustment::DuplicateId), "{stored:?}");
    assert!(!stored.contains_key(&Adjustment::AmbiguousOwner), "it depends on the configuration: {stored:?}");
}

#[test]
fn owners_of_an_authoritative_source_join_tokens_of_others() {
    let mut inventory = inventory(Vec::new(), Vec::new());
    collect(&mut inventory, vec![owned("a", named("jdoe"))], day(0));
    assert_eq!(email(&inventory, "a"), None);
    let before = inventory.revision("main").unwrap();
    record_people(&mut inventory, &[("jdoe", "jane@example.com"), ("ada", "ada@example.com")]);
    assert_eq!(email(&inventory, "a"), Some("jane@example.com".into()), "at once");
    let joined = inventory.revision("main").unwrap();
    assert_ne!(joined.tokens, before.tokens);
    record_people(&mut inventory, &[("jdoe", "jane@example.com"), ("ada", "ada@example.com")]);
    assert_eq!(inventory.revision("main"), Some(joined), "nothing changed");
    record_people(&mut inventory, &[("jdoe", "jane@example.com"), ("jdoe", "mallory@example.com")]);
    assert_eq!(email(&inventory, "a"), None, "ambiguous");
    assert_eq!(inventory.source("main").unwrap().adjustments[&Adjustment::AmbiguousOwner], 1);
}

#[test]
fn restored_owners_of_an_authoritative_source_join() {
    let mut first = inventory(Vec::new(), Vec::new());
    collect(&mut first, vec![owned("a", named("jdoe"))], day(0));
    record_people(&mut first, &[("jdoe", "jane@example.com")]);
    for order in [["main", "people"], ["people", "main"]] {
        let mut second = inventory(Vec::new(), Vec::new());
        for source in order {
            let stored = first.stored(source).unwrap();
            second.restore(source, Some(stored.state), Some(stored.tokens));
        }
        assert_eq!(email(&second, "a"), Some("jane@example.com".into()), "{order:?}");
    }
}

#[test]
fn owners_of_other_sources_join_nothing() {
    let mut inventory = inventory(Vec::new(), Vec::new());
    let self_named = Owner { email: Some("mallory@example.com".into()), ..named("ada") };
    record_people(&mut inventory, &[("jdoe", "jane@example.com")]);
    collect(&mut inventory, vec![owned("a", self_named), owned("b", named("ada")), owned("c", named("jdoe"))], day(0));
    assert_eq!((email(&inventory, "b"), email(&inventory, "c")), (None, Some("jane@example.com".into())));
    // Nor when the owners of the authoritative source change later.
    record_people(&mut inventory, &[("jdoe", "joe@example.com")]);
    assert_eq!((email(&inventory, "b"), email(&inventory, "c")), (None, Some("joe@example.com".into())));
}

#[test]
fn deactivated_owner_is_a_finding_of_active_tokens() {
    let mut inventory = inventory(vec![person("Jane", &["jdoe"])], Vec::new());
    let inactive = || Owner { inactive: true, ..named("jdoe") };
    let disabled = Token { disabled: true, ..owned("c", inactive()) };
    collect(&mut inventory, vec![owned("a", inactive()), owned("b", named("jdoe")), disabled], day(0));
    let findings = |id| view(&inventory, id, day(0)).findings;
    assert_eq!((findings("a"), findings("b")), (Findings::from_iter([Finding::OwnerInactive]), Findings::default()));
    assert_eq!((view(&inventory, "c", day(0)).state, findings("c")), (State::Disabled, Findings::default()));
}
