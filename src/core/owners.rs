//! The owners directory: by which names and ids each provider knows a person or group.
//!
//! Joins decide who receives mail. So the directory is written by the administrator, or taken from a source that he calls
//! authoritative; and of a token's owner only values count that the provider keeps unique: its id, its address, and its name if
//! it is a login. A display name, which its bearer chooses, joins nothing. A value that several entries claim matches none of
//! them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::address;
use super::token::Owner;

/// The label that an entry's team becomes.
pub const TEAM_LABEL: &str = "team";

/// A person or group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    pub name: Option<String>,
    /// One address in lower case, see [`super::address`].
    pub email: Option<String>,
    pub team: Option<String>,
    /// Further names, ids and addresses.
    pub also: Vec<Alias>,
}

/// A name, id or address by which a provider knows a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The source or provider that uses it; `None`: all.
    pub place: Option<String>,
    pub text: String,
}

/// The result of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join<'a> {
    Nobody,
    /// Several entries match, so none counts.
    Ambiguous,
    Person(&'a Person),
}

/// Two entries that claim the same value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    pub text: String,
    /// The numbers of the entries.
    pub entries: (usize, usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claim {
    One(usize),
    Several,
}

/// Entries, found by their names, addresses and aliases.
#[derive(Debug, Default)]
pub struct Directory {
    people: Vec<Person>,
    /// By place, then by text. The place "" is that of values without one.
    claims: BTreeMap<String, HashMap<String, Claim>>,
    conflicts: Vec<Conflict>,
}

impl Directory {
    pub fn new(people: Vec<Person>) -> Self {
        let mut directory = Self::default();
        for (entry, person) in people.iter().enumerate() {
            for text in [&person.name, &person.email].into_iter().flatten() {
                directory.claim("", text, entry);
            }
            for alias in &person.also {
                let place = alias.place.as_deref().unwrap_or_default();
                // Addresses of tokens are in lower case.
                let text = address::normalize(&alias.text);
                directory.claim(place, text.as_ref().unwrap_or(&alias.text), entry);
            }
        }
        directory.people = people;
        directory
    }

    /// The people that a source reports as the owners of its tokens. Those without an address join nothing.
    fn of_owners<'a>(owners: impl Iterator<Item = &'a Owner>) -> Self {
        let with_address = owners.filter_map(|owner| Some((owner.email.as_deref()?, owner.name.as_deref()?)));
        let unique: BTreeSet<(&str, &str)> = with_address.collect();
        let mut people: Vec<Person> = Vec::new();
        for (email, name) in unique {
            match people.last_mut().filter(|person| person.email.as_deref() == Some(email)) {
                Some(person) => person.also.push(Alias { place: None, text: name.to_owned() }),
                None => people.push(Person {
                    name: Some(name.to_owned()),
                    email: Some(email.to_owned()),
                    ..Person::default()
                }),
            }
        }
        Self::new(people)
    }

    fn claim(&mut self, place: &str, text: &str, entry: usize) {
        let claims = self.claims.entry(place.to_owned()).or_default();
        let claim = claims.entry(text.to_owned()).or_insert(Claim::One(entry));
        if let Claim::One(first) = *claim
            && first != entry
        {
            *claim = Claim::Several;
            self.conflicts.push(Conflict { text: text.to_owned(), entries: (first, entry) });
        }
    }

    pub fn is_empty(&self) -> bool {
        self.people.is_empty()
    }

    /// Values that more than one entry claims, which therefore match nobody.
    pub fn conflicts(&self) -> &[Conflict] {
        &self.conflicts
    }

    /// The entry that these values identify, in places from the most specific to the most general.
    fn find<'v>(&self, places: &[&str], values: impl IntoIterator<Item = &'v str>) -> Join<'_> {
        let mut found = None;
        for value in values {
            match places.iter().find_map(|place| self.claims.get(*place)?.get(value)) {
                None => {}
                Some(Claim::One(entry)) if found.is_none_or(|other| other == *entry) => found = Some(*entry),
                Some(_) => return Join::Ambiguous,
            }
        }
        found.and_then(|entry| self.people.get(entry)).map_or(Join::Nobody, Join::Person)
    }

    /// The entry that an owner identifies whom the administrator wrote, such as that of a rule.
    pub fn find_written(&self, owner: &Owner) -> Join<'_> {
        let values = [&owner.id, &owner.name, &owner.email].map(Option::as_deref);
        self.find(&[""], values.into_iter().flatten())
    }
}

/// Who owns tokens: the directory of the configuration, and what authoritative sources report.
#[derive(Clone, Debug, Default)]
pub struct Owners {
    directory: Arc<Directory>,
    /// The authoritative sources.
    sources: BTreeSet<String>,
    reported: Arc<Directory>,
}

impl Owners {
    pub fn new(directory: Directory, sources: BTreeSet<String>) -> Self {
        Self { directory: Arc::new(directory), sources, reported: Arc::default() }
    }

    pub fn is_authoritative(&self, source: &str) -> bool {
        self.sources.contains(source)
    }

    /// Sets the owners that the authoritative sources report. Returns whether they differ from the previous ones.
    pub fn set_reported<'a>(&mut self, owners: impl Iterator<Item = &'a Owner>) -> bool {
        let reported = Directory::of_owners(owners);
        let differs = reported.people != self.reported.people;
        if differs {
            self.reported = Arc::new(reported);
        }
        differs
    }

    /// The entry of an owner as this source reports it. Entries of the configuration come first.
    pub fn find(&self, source: &str, provider: &str, owner: &Owner, name_is_login: bool) -> Join<'_> {
        let name = owner.name.as_deref().filter(|_| name_is_login);
        let (id, email) = (owner.id.as_deref(), owner.email.as_deref());
        match self.directory.find(&[source, provider, ""], [id, name, email].into_iter().flatten()) {
            // An id of one provider means nothing at another.
            Join::Nobody if !self.is_authoritative(source) => {
                self.reported.find(&[""], [name, email].into_iter().flatten())
            }
            found => found,
        }
    }
}

#[cfg(test)]
mod tests;
