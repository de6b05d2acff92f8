//! One token of the inventory.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::source::Policy;
use crate::core::lead::{Bands, Lead};
use crate::core::outcome::Path;
use crate::core::rules::Overrides;
use crate::core::token::{Expiry, State, Token};

/// An expiry that is reported as seconds from now varies with the latency of each response. Up to this difference the
/// previous one stays.
const EXPIRY_TOLERANCE: TimeDelta = TimeDelta::minutes(1);

/// A token, the scope that listed it, and what follows from the configuration and from other tokens.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) token: Token,
    pub(super) listing: Arc<str>,
    pub(super) path: Path,
    pub(super) presence: Presence,
    /// Whether the collection that is being recorded listed it.
    #[serde(skip)]
    pub(super) listed_now: bool,
    /// The state with which the rules were applied; `None` if unknown.
    #[serde(skip)]
    pub(super) rule_state: Option<State>,
    /// What the rules change.
    #[serde(skip)]
    pub(super) overrides: Option<Arc<Overrides>>,
    /// Until when a newer token replaces it.
    #[serde(skip)]
    pub(super) replaced_until: Option<DateTime<Utc>>,
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

impl Entry {
    pub(super) fn new(token: Token, listing: Arc<str>, path: Path) -> Self {
        Self {
            token,
            listing,
            path,
            presence: Presence::Listed,
            listed_now: true,
            rule_state: None,
            overrides: None,
            replaced_until: None,
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.token.id
    }

    /// The expiry after the rules.
    pub(super) fn expires(&self) -> Expiry {
        self.overrides.as_ref().map_or(self.token.expires, |overrides| overrides.expires(&self.token))
    }

    /// Replaces the token after a complete scope listed it.
    pub(super) fn update(&mut self, mut token: Token, listing: Arc<str>, path: Path) {
        if let (true, Expiry::At(new), Expiry::At(previous)) = (token.approximate, token.expires, self.token.expires)
            && (new - previous).abs() <= EXPIRY_TOLERANCE
        {
            token.expires = self.token.expires;
        }
        *self = Self::new(token, listing, path);
    }

    /// Notes that a complete scope did not list the token. Returns whether to retain it.
    ///
    /// Before its expiry it is removed only when it is missing twice: a page-numbered list skips a row if another one is
    /// deleted while it is read. An expiry that a rule sets does not count: a missing token was rotated, as required.
    pub(super) fn mark_missing(&mut self, now: DateTime<Utc>, retention: TimeDelta) -> bool {
        let has_expired = matches!(self.token.expires, Expiry::At(at) if at <= now);
        match self.presence {
            _ if has_expired => {
                self.presence = Presence::ExpiredAndMissing;
                !self.is_evictable(now, retention)
            }
            Presence::Listed => {
                self.presence = Presence::MissingOnce;
                true
            }
            Presence::MissingOnce | Presence::ExpiredAndMissing => false,
        }
    }

    /// When the retention of a token that is expired and missing ends.
    pub(super) fn evict_at(&self, retention: TimeDelta) -> Option<DateTime<Utc>> {
        match (self.presence, self.token.expires) {
            (Presence::ExpiredAndMissing, Expiry::At(at)) => at.checked_add_signed(retention),
            _ => None,
        }
    }

    pub(super) fn is_evictable(&self, now: DateTime<Utc>, retention: TimeDelta) -> bool {
        self.evict_at(retention).is_some_and(|at| at <= now)
    }

    pub(super) fn state(&self, now: DateTime<Utc>) -> State {
        self.state_with(self.expires(), now)
    }

    /// The state with this expiry.
    pub(super) fn state_with(&self, expires: Expiry, now: DateTime<Utc>) -> State {
        match expires {
            _ if self.token.disabled => State::Disabled,
            _ if self.replaced_until.is_some_and(|until| now < until) => State::Replaced,
            Expiry::At(at) if at <= now => State::Expired,
            // A token that is due for rotation still works.
            _ => State::Active,
        }
    }

    pub(super) fn bands(&self, state: State, policy: &Policy) -> Option<Bands> {
        let lead: Lead = self.overrides.as_ref().map_or(policy.lead, |overrides| policy.lead.changed(overrides.lead));
        Bands::for_token(&self.token, self.expires(), state, lead, policy.min_lifetime, policy.expired_retention)
    }
}
