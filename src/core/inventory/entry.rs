//! One token of the inventory.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::source::Policy;
use crate::core::intake::Pool;
use crate::core::lead::{Bands, Lead};
use crate::core::outcome::Path;
use crate::core::rules::Overrides;
use crate::core::token::{Expiry, State, Token};

/// A token, the scope that listed it, and what follows from the configuration and from other tokens.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "StoredEntry")]
pub(super) struct Entry {
    /// As its provider last reported it.
    pub(super) token: triomphe::Arc<Token>,
    pub(super) place: Arc<Place>,
    /// What the rules change.
    pub(super) overrides: Option<Arc<Overrides>>,
    /// Until when a newer token replaces it.
    pub(super) replaced_until: Option<DateTime<Utc>>,
    pub(super) presence: Presence,
    pub(super) rules_applied: RulesApplied,
}

/// The listing and the scope that a token was last listed by. Most tokens share one.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) listing: Arc<str>,
    pub(super) path: Path,
}

/// The places of a source's restored entries.
#[derive(Debug, Default)]
pub(super) struct Places {
    listings: BTreeSet<Arc<str>>,
    places: BTreeSet<Arc<Place>>,
}

/// Whether the last complete collection of a token's scope listed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Presence {
    Listed,
    /// Missing for the first time, before its expiry.
    #[serde(rename = "missed_once")]
    MissingOnce,
    /// Missing at or after its expiry. It is retained, so that its alert does not resolve by itself.
    #[serde(rename = "over")]
    ExpiredAndMissing,
}

/// How the rules were applied to a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RulesApplied {
    /// Not since the token was reported.
    Not,
    WithoutState,
    WithState(State),
}

impl Entry {
    pub(super) fn new(token: triomphe::Arc<Token>, place: Arc<Place>) -> Self {
        let (presence, rules_applied) = (Presence::Listed, RulesApplied::Not);
        Self { token, place, overrides: None, replaced_until: None, presence, rules_applied }
    }

    /// Replaces the values of a restored entry by equal ones of others.
    pub(super) fn share(&mut self, pool: &mut Pool, places: &mut Places) {
        pool.share(triomphe::Arc::make_mut(&mut self.token));
        let Place { listing, path } = &*self.place;
        let listing = intern(&mut places.listings, Arc::clone(listing));
        self.place = intern(&mut places.places, Arc::new(Place { listing, path: path.clone() }));
    }

    pub(super) fn id(&self) -> &str {
        &self.token.id
    }

    /// The expiry after the rules.
    pub(super) fn expires(&self) -> Expiry {
        self.overrides.as_ref().map_or(self.token.expires, |overrides| overrides.expires(&self.token))
    }

    /// Whether a complete scope that lists this token at this place leaves the entry unchanged.
    pub(super) fn is_listed_as(&self, token: &triomphe::Arc<Token>, place: &Arc<Place>) -> bool {
        self.presence == Presence::Listed && self.token == *token && self.place == *place
    }

    /// The presence of a token that a complete scope did not list; `None`: remove it.
    ///
    /// Before its expiry it is removed only when it is missing twice: a page-numbered list skips a row if another one is
    /// deleted while it is read. An expiry that `rotate_after` sets does not count: a missing token was rotated, as required.
    pub(super) fn presence_if_missing(&self, now: DateTime<Utc>, retention: TimeDelta) -> Option<Presence> {
        if matches!(self.token.expires, Expiry::At(at) if at <= now) {
            let is_over =
                evict_at(Presence::ExpiredAndMissing, self.token.expires, retention).is_some_and(|at| at <= now);
            return (!is_over).then_some(Presence::ExpiredAndMissing);
        }
        (self.presence == Presence::Listed).then_some(Presence::MissingOnce)
    }

    /// When the retention of a token that is expired and missing ends.
    pub(super) fn evict_at(&self, retention: TimeDelta) -> Option<DateTime<Utc>> {
        evict_at(self.presence, self.token.expires, retention)
    }

    pub(super) fn is_evictable(&self, now: DateTime<Utc>, retention: TimeDelta) -> bool {
        self.evict_at(retention).is_some_and(|at| at <= now)
    }

    pub(super) fn state(&self, now: DateTime<Utc>) -> State {
        self.state_with(self.expires(), self.replaced_until, now)
    }

    /// The state with this expiry and replacement.
    pub(super) fn state_with(
        &self,
        expires: Expiry,
        replaced_until: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> State {
        match expires {
            _ if self.token.disabled => State::Disabled,
            _ if replaced_until.is_some_and(|until| now < until) => State::Replaced,
            Expiry::At(at) if at <= now => State::Expired,
            // A token that is due for rotation still works.
            _ => State::Active,
        }
    }

    /// The lead of its source as the rules change it.
    pub(super) fn lead(&self, policy: &Policy) -> Lead {
        self.overrides.as_ref().map_or(policy.lead, |overrides| policy.lead.changed(overrides.lead))
    }

    pub(super) fn bands(&self, state: State, policy: &Policy) -> Option<Bands> {
        let lead = self.lead(policy);
        Bands::for_token(&self.token, self.expires(), state, lead, policy.min_lifetime, policy.expired_retention)
    }

    /// Whether both are shown and stored alike.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let Self { token, place, overrides, replaced_until, presence, rules_applied: _ } = self;
        *token == other.token
            && *place == other.place
            && *overrides == other.overrides
            && *replaced_until == other.replaced_until
            && *presence == other.presence
    }
}

fn evict_at(presence: Presence, expires: Expiry, retention: TimeDelta) -> Option<DateTime<Utc>> {
    match (presence, expires) {
        (Presence::ExpiredAndMissing, Expiry::At(at)) => at.checked_add_signed(retention),
        _ => None,
    }
}

/// An entry in the persisted inventory. The rest follows from the configuration.
#[derive(Deserialize)]
struct StoredEntry {
    token: triomphe::Arc<Token>,
    listing: Arc<str>,
    path: Path,
    presence: Presence,
}

impl From<StoredEntry> for Entry {
    fn from(StoredEntry { token, listing, path, presence }: StoredEntry) -> Self {
        Self { presence, ..Self::new(token, Arc::new(Place { listing, path })) }
    }
}

impl Serialize for Entry {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Stored<'a> {
            token: &'a Token,
            listing: &'a str,
            path: &'a Path,
            presence: Presence,
        }

        let Place { listing, path } = &*self.place;
        Stored { token: &self.token, listing, path, presence: self.presence }.serialize(to)
    }
}

/// The first of all equal values, so that they share memory.
pub(super) fn intern<T: Clone + Ord>(known: &mut BTreeSet<T>, value: T) -> T {
    if let Some(first) = known.get(&value) {
        return first.clone();
    }
    known.insert(value.clone());
    value
}
