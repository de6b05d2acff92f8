#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use super::{Alias, Conflict, Directory, Join, Owners, Person};
use crate::core::token::Owner;

fn some(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

fn owner(id: &str, name: &str, email: &str) -> Owner {
    let some = |text: &str| some(text).map(Into::into);
    Owner { id: some(id), name: some(name), email: some(email), ..Owner::default() }
}

/// Aliases as `place:text`, or without a place.
fn person(name: &str, also: &[&str]) -> Person {
    let alias = |text: &&str| match text.split_once(':') {
        Some((place, text)) => Alias { place: some(place), text: text.to_owned() },
        None => Alias { place: None, text: (*text).to_owned() },
    };
    let email = format!("{}@example.com", name.to_lowercase());
    Person { name: some(name), email: Some(email), team: None, also: also.iter().map(alias).collect() }
}

fn owners(people: &[Person], sources: &[&str]) -> Owners {
    let sources = sources.iter().map(|source| (*source).to_owned()).collect::<BTreeSet<_>>();
    Owners::new(Directory::new(people.to_vec()), sources)
}

fn name_of(join: Join<'_>) -> &str {
    match join {
        Join::Nobody => "nobody",
        Join::Ambiguous => "ambiguous",
        Join::Person(person) => person.name.as_deref().unwrap(),
    }
}

#[test]
fn find_matches_ids_addresses_and_logins() {
    let people = [
        person("Jane", &["jdoe", "vault:jane", "gitlab-eu:12", "Jane.Old@example.com"]),
        person("Ada", &["jane", "gitlab:12", "712020:5f3a"]),
    ];
    let owners = owners(&people, &[]);
    let found = |source, provider, owner: &Owner| name_of(owners.find(source, provider, owner, true)).to_owned();
    for (source, provider, owner, expected) in [
        ("any", "any", owner("jdoe", "", ""), "Jane"),
        ("any", "any", owner("", "jdoe", ""), "Jane"),
        ("any", "any", owner("", "Jane", ""), "Jane"),
        ("any", "any", owner("", "", "jane@example.com"), "Jane"),
        ("any", "any", owner("", "", "jane.old@example.com"), "Jane"),
        ("any", "any", owner("JDOE", "", ""), "nobody"),
        ("vault", "vault", owner("", "jane", ""), "Jane"),
        ("secrets", "vault", owner("", "jane", ""), "Jane"),
        ("github", "github", owner("", "jane", ""), "Ada"),
        ("gitlab-eu", "gitlab", owner("12", "", ""), "Jane"),
        ("gitlab-us", "gitlab", owner("12", "", ""), "Ada"),
        ("github", "github", owner("12", "", ""), "nobody"),
        ("any", "any", owner("x", "jdoe", "ada@example.com"), "ambiguous"),
        ("any", "any", owner("x", "jdoe", "new@example.com"), "Jane"),
        ("any", "any", owner("", "", ""), "nobody"),
    ] {
        assert_eq!(found(source, provider, &owner), expected, "{source} {owner:?}");
    }
}

#[test]
fn display_name_joins_nobody() {
    let owners = owners(&[person("Jane", &["jdoe"])], &["atlassian"]);
    for name in ["Jane", "jdoe", "jane@example.com"] {
        let owner = owner("4711", name, "");
        assert_eq!(name_of(owners.find("atlassian", "atlassian-cloud", &owner, false)), "nobody", "{name}");
    }
    let with_address = owner("4711", "jdoe", "jane@example.com");
    assert_eq!(name_of(owners.find("atlassian", "atlassian-cloud", &with_address, false)), "Jane");
}

#[test]
fn value_of_two_entries_matches_nobody_and_is_a_conflict() {
    let people = [person("Jane", &["jdoe", "jdoe", "Jane"]), person("John", &["jdoe", "vault:jdoe"])];
    let directory = Directory::new(people.to_vec());
    assert_eq!(directory.conflicts(), [Conflict { text: "jdoe".into(), entries: (0, 1) }]);
    let owners = owners(&people, &[]);
    assert_eq!(name_of(owners.find("github", "github", &owner("", "jdoe", ""), true)), "ambiguous");
    assert_eq!(name_of(owners.find("vault", "vault", &owner("", "jdoe", ""), true)), "John", "the closer place counts");
}

#[test]
fn reported_owners_join_names_and_addresses_of_other_sources() {
    let mut owners = owners(&[person("Ada", &["ada"])], &["bitbucket"]);
    let reported = [
        owner("1", "jdoe", "jane@example.com"),
        owner("1", "jdoe", "jane@example.com"),
        owner("2", "ada", "other@example.com"),
        owner("3", "twin", "one@example.com"),
        owner("4", "twin", "two@example.com"),
        owner("5", "no-address", ""),
        owner("6", "12", "mallory@example.com"),
    ];
    assert!(owners.set_reported(reported.iter()));
    assert!(!owners.set_reported(reported.iter().rev()), "the same owners in another order");
    let email = |owner: &Owner| match owners.find("vault", "vault", owner, true) {
        Join::Person(person) => person.email.clone().unwrap(),
        other => name_of(other).to_owned(),
    };
    assert_eq!(email(&owner("", "jdoe", "")), "jane@example.com");
    assert_eq!(email(&owner("", "ada", "")), "ada@example.com", "the configuration comes first");
    assert_eq!(email(&owner("", "twin", "")), "ambiguous");
    assert_eq!(email(&owner("", "no-address", "")), "nobody");
    assert_eq!(email(&owner("12", "", "")), "nobody", "a name does not match an id");
    assert_eq!(name_of(owners.find("bitbucket", "b", &owner("1", "jdoe", ""), true)), "nobody", "its own owners stay");
}
