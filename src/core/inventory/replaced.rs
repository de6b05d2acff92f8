//! Which tokens a newer one replaces.
//!
//! Owners who renew a token often create a new one with the same name and forget to delete the old one, which must not
//! alert. Of two tokens with the same kind, owner and name, one replaces the other if it expires later (never counts as
//! latest) and was created later, if both creation times are known; and while it is neither disabled nor expired itself.
//! The owner is the one that the provider reports, and is required: a rule that sets one mailbox for a hundred projects does
//! not make their tokens replace one another.

use std::cmp::Reverse;
use std::hash::{DefaultHasher, Hash, Hasher};

use chrono::{DateTime, Utc};

use super::entry::Entry;
use crate::core::token::{Expiry, Owner, Token};

/// The tokens that are replaced, with these expiries: position and until when, in the order of the entries. Tokens of the listings
/// in `without` neither replace nor are replaced.
pub(super) fn find(
    entries: &[Entry],
    without: &[String],
    expires: impl Fn(&Entry) -> Expiry,
) -> Vec<(usize, DateTime<Utc>)> {
    let candidate = |position: usize| Candidate::of(position, &entries[position], expires(&entries[position]));
    // Few tokens share a name, so only their hashes are sorted: candidates of a million tokens would take 70 MB.
    let is_included = |entry: &Entry| !without.iter().any(|listing| **listing == *entry.place.listing);
    let mut hashes: Vec<(u32, u32)> = (0..entries.len())
        .filter(|position| is_included(&entries[*position]))
        .filter_map(|position| Some((candidate(position)?.hash(), u32::try_from(position).ok()?)))
        .collect();
    hashes.sort_unstable();
    let mut replaced = Vec::new();
    for same_hash in hashes.chunk_by(|a, b| a.0 == b.0).filter(|group| group.len() > 1) {
        let mut candidates: Vec<Candidate> =
            same_hash.iter().filter_map(|(_, position)| candidate(*position as usize)).collect();
        candidates.sort_unstable_by_key(|candidate| (candidate.name, Reverse(candidate.expires)));
        for group in candidates.chunk_by(|a, b| a.name == b.name) {
            find_in_group(group, &mut replaced);
        }
    }
    replaced.sort_unstable();
    replaced
}

/// Whether two tokens have the same kind, owner and name, so that one can be the rotation of the other.
pub(super) fn is_rotation(one: &Token, other: &Token) -> bool {
    let name = name_of(one);
    name.is_some() && name == name_of(other)
}

/// Kind, owner and name of a token that has an owner and a name.
fn name_of(token: &Token) -> Option<(&str, &str, &str)> {
    let owner = identity(token.owner.as_ref()?)?;
    (!token.name.is_empty()).then_some((&token.kind, owner, &token.name))
}

/// Candidates with the same name, the latest expiry first.
fn find_in_group(group: &[Candidate], replaced: &mut Vec<(usize, DateTime<Utc>)>) {
    let mut successors = Successors::default();
    for same_expiry in group.chunk_by(|a, b| a.expires == b.expires) {
        for candidate in same_expiry {
            replaced.extend(successors.of(candidate).map(|until| (candidate.position, until)));
        }
        for candidate in same_expiry {
            successors.add(candidate);
        }
    }
}

/// A token that can replace another and be replaced.
struct Candidate<'a> {
    position: usize,
    /// Kind, owner and name.
    name: (&'a str, &'a str, &'a str),
    created: Option<DateTime<Utc>>,
    /// The end of time if it never expires.
    expires: DateTime<Utc>,
}

impl<'a> Candidate<'a> {
    fn of(position: usize, entry: &'a Entry, expires: Expiry) -> Option<Self> {
        let token = &entry.token;
        let expires = match expires {
            Expiry::At(at) | Expiry::Policy(at) => at,
            Expiry::Never => DateTime::<Utc>::MAX_UTC,
            Expiry::Unknown => return None,
        };
        let name = name_of(token)?;
        (!token.disabled).then_some(Self { position, name, created: token.created_at, expires })
    }

    fn hash(&self) -> u32 {
        let mut hasher = DefaultHasher::new();
        self.name.hash(&mut hasher);
        // Half of the hash is enough to find groups; each is compared by name.
        (hasher.finish() >> 32) as u32
    }
}

/// What distinguishes an owner: the identifier, else the address, else the name.
fn identity(owner: &Owner) -> Option<&str> {
    owner.id.as_deref().or(owner.email.as_deref()).or(owner.name.as_deref())
}

/// The creation and expiry of candidates that expire later than those still to come. Only candidates that were created after
/// all earlier ones are added, so creation times ascend while expiries descend: the first one created after a token
/// replaces it for the longest time.
#[derive(Default)]
struct Successors(Vec<(DateTime<Utc>, DateTime<Utc>)>);

impl Successors {
    /// Until when a candidate is replaced.
    fn of(&self, candidate: &Candidate) -> Option<DateTime<Utc>> {
        let first = candidate.created.map_or(0, |own| self.0.partition_point(|(created, _)| *created <= own));
        self.0.get(first).map(|(_, expires)| *expires)
    }

    /// Adds a candidate; must be called in descending order of expiry. An unknown creation time counts as the latest.
    fn add(&mut self, candidate: &Candidate) {
        let created = candidate.created.unwrap_or(DateTime::<Utc>::MAX_UTC);
        if self.0.last().is_none_or(|(latest, _)| *latest < created) {
            self.0.push((created, candidate.expires));
        }
    }
}
