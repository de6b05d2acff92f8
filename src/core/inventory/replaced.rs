//! Which tokens a newer one replaces.
//!
//! A person who renews a token makes a new one of the same name and forgets to delete the old one: nobody is to be told of
//! that one's end. Of two tokens with the same kind, owner and name, one replaces the other if it ends later (never ends
//! latest) and was made later, where both say when; and as long as it is itself neither disabled nor ended. The owner is
//! that of the provider, and known: a rule's mailbox for a hundred projects does not make their tokens one another's
//! successors.

use std::cmp::Reverse;

use chrono::{DateTime, Utc};

use super::entry::Entry;
use crate::core::token::{Expiry, Owner};

/// Notes in every entry until when another one replaces it. The listings in `without` take no part.
pub(super) fn mark(entries: &mut [Entry], without: &[String]) {
    let mut until = vec![None; entries.len()];
    let mut candidates: Vec<Candidate> = entries
        .iter()
        .enumerate()
        .filter(|(_, entry)| !without.iter().any(|listing| **listing == *entry.listing))
        .filter_map(|(position, entry)| Candidate::of(position, entry))
        .collect();
    candidates.sort_unstable_by_key(|candidate| (candidate.name, Reverse(candidate.end)));
    for group in candidates.chunk_by(|a, b| a.name == b.name).filter(|group| group.len() > 1) {
        let mut successors = Successors::default();
        for together in group.chunk_by(|a, b| a.end == b.end) {
            for candidate in together {
                until[candidate.position] = successors.of(candidate);
            }
            for candidate in together {
                successors.add(candidate);
            }
        }
    }
    for (entry, until) in entries.iter_mut().zip(until) {
        entry.replaced_until = until;
    }
}

/// A token that can replace and be replaced.
struct Candidate<'a> {
    position: usize,
    /// Kind, owner and name.
    name: (&'a str, &'a str, &'a str),
    created: Option<DateTime<Utc>>,
    end: DateTime<Utc>,
}

impl<'a> Candidate<'a> {
    fn of(position: usize, entry: &'a Entry) -> Option<Self> {
        let token = &entry.token;
        let end = match entry.expires() {
            Expiry::At(end) | Expiry::Policy(end) => end,
            Expiry::Never => DateTime::<Utc>::MAX_UTC,
            Expiry::Unknown => return None,
        };
        let name = (token.kind.as_str(), identity(token.owner.as_ref()?)?, token.name.as_str());
        let takes_part = !token.disabled && !token.name.is_empty();
        takes_part.then_some(Self { position, name, created: token.created_at, end })
    }
}

/// What tells an owner from others: the identifier, or else the address, or else the name.
fn identity(owner: &Owner) -> Option<&str> {
    owner.id.as_deref().or(owner.email.as_deref()).or(owner.name.as_deref())
}

/// Of those that end later than whoever asks: when each was made, and its end. Only those that were made after all before
/// them, which all end later: so both go one way, and the first that was made after a token replaces it for longest.
#[derive(Default)]
struct Successors(Vec<(DateTime<Utc>, DateTime<Utc>)>);

impl Successors {
    /// Until when this one is replaced.
    fn of(&self, candidate: &Candidate) -> Option<DateTime<Utc>> {
        let first = candidate.created.map_or(0, |own| self.0.partition_point(|(created, _)| *created <= own));
        self.0.get(first).map(|(_, end)| *end)
    }

    /// Adds one; those with a later end first. One that was made nobody knows when may have been made last.
    fn add(&mut self, candidate: &Candidate) {
        let created = candidate.created.unwrap_or(DateTime::<Utc>::MAX_UTC);
        if self.0.last().is_none_or(|(latest, _)| *latest < created) {
            self.0.push((created, candidate.end));
        }
    }
}
