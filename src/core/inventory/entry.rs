//! One token as the inventory holds it.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::source::Policy;
use crate::core::lead::{Bands, Lead};
use crate::core::outcome::Path;
use crate::core::rules::Overrides;
use crate::core::token::{Expiry, State, Token};

/// An end that was told as seconds from now wavers by the latency of each answer: a former one this close stays.
const WAVER: TimeDelta = TimeDelta::minutes(1);

/// A token, where it was listed, and what follows from the configuration and from the other tokens.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    /// As its provider last listed it.
    pub(super) token: Token,
    /// Its listing.
    pub(super) listing: Arc<str>,
    /// Its scope.
    pub(super) path: Path,
    /// Whether the last word of its scope named it.
    pub(super) presence: Presence,
    /// Whether the collection that is being recorded named it; of no meaning otherwise.
    #[serde(skip)]
    pub(super) named: bool,
    /// What the rules make of it; none where they leave it as it is.
    #[serde(skip)]
    pub(super) changes: Option<Arc<Overrides>>,
    /// Until when another one replaces it.
    #[serde(skip)]
    pub(super) replaced_until: Option<DateTime<Utc>>,
}

/// Whether the last complete answer of a token's scope named it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Presence {
    /// It did.
    Listed,
    /// It did not, and the one before did. The token had not ended then.
    #[serde(rename = "missed_once")]
    MissingOnce,
    /// It did not, and the token has ended: it is kept so that its alert does not end by itself.
    #[serde(rename = "over")]
    ExpiredAndMissing,
}

impl Entry {
    pub(super) fn new(token: Token, listing: Arc<str>, path: Path) -> Self {
        Self { token, listing, path, presence: Presence::Listed, named: true, changes: None, replaced_until: None }
    }

    pub(super) fn id(&self) -> &str {
        &self.token.id
    }

    /// Its end after the rules.
    pub(super) fn expires(&self) -> Expiry {
        self.changes.as_ref().map_or(self.token.expires, |changes| changes.expires(&self.token))
    }

    /// A complete answer named it, here.
    pub(super) fn seen(&mut self, mut token: Token, listing: Arc<str>, path: Path) {
        if let (true, Expiry::At(new), Expiry::At(former)) = (token.approximate, token.expires, self.token.expires)
            && (new - former).abs() <= WAVER
        {
            token.expires = self.token.expires;
        }
        *self = Self::new(token, listing, path);
    }

    /// A complete answer of its scope did not name it. Whether it is kept all the same.
    ///
    /// One answer is not enough to remove it before its end: a list with page numbers skips a row when another is deleted
    /// while it is read. An end that a rule has set does not keep it: then it was renewed, as people were told to.
    pub(super) fn missed(&mut self, now: DateTime<Utc>, retention: TimeDelta) -> bool {
        let ended = matches!(self.token.expires, Expiry::At(end) if end <= now);
        match self.presence {
            _ if ended => {
                self.presence = Presence::ExpiredAndMissing;
                !self.is_forgotten(now, retention)
            }
            Presence::Listed => {
                self.presence = Presence::MissingOnce;
                true
            }
            Presence::MissingOnce | Presence::ExpiredAndMissing => false,
        }
    }

    /// When an ended token that is listed no more is forgotten.
    pub(super) fn forgotten_at(&self, retention: TimeDelta) -> Option<DateTime<Utc>> {
        match (self.presence, self.token.expires) {
            (Presence::ExpiredAndMissing, Expiry::At(end)) => end.checked_add_signed(retention),
            _ => None,
        }
    }

    pub(super) fn is_forgotten(&self, now: DateTime<Utc>, retention: TimeDelta) -> bool {
        self.forgotten_at(retention).is_some_and(|at| at <= now)
    }

    pub(super) fn state(&self, now: DateTime<Utc>) -> State {
        match self.expires().instant() {
            _ if self.token.disabled => State::Disabled,
            _ if self.replaced_until.is_some_and(|until| now < until) => State::Replaced,
            Some(end) if end <= now => State::Expired,
            _ => State::Active,
        }
    }

    pub(super) fn bands(&self, state: State, policy: &Policy) -> Option<Bands> {
        let lead: Lead = self.changes.as_ref().map_or(policy.lead, |changes| policy.lead.changed(changes.lead));
        Bands::ending(&self.token, self.expires(), state, lead, policy.min_lifetime, policy.expired_retention)
    }
}
