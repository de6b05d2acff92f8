//! What a token is at an instant: its state, its band, the policies that it breaks.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::entry::Entry;
use super::record::SourceState;
use super::source::Policy;
use crate::core::lead::{self, Band};
use crate::core::token::{Expiry, LastUse, Owner, State, Token};

/// A policy that an active token breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Finding {
    /// It never ends.
    NeverExpires,
    /// It lives longer than `max_lifetime`.
    LivesTooLong,
    /// It was not used for `unused_after`.
    Unused,
    /// Its end cannot be read.
    UnreadableExpiry,
    /// It has no owner.
    NoOwner,
}

impl Finding {
    /// All findings.
    pub const ALL: [Self; 5] =
        [Self::NeverExpires, Self::LivesTooLong, Self::Unused, Self::UnreadableExpiry, Self::NoOwner];

    /// The value of the label `finding`.
    pub fn label(self) -> &'static str {
        match self {
            Self::NeverExpires => "never_expires",
            Self::LivesTooLong => "lives_too_long",
            Self::Unused => "unused",
            Self::UnreadableExpiry => "unreadable_expiry",
            Self::NoOwner => "no_owner",
        }
    }
}

/// A token as people are shown it at an instant.
#[derive(Debug)]
pub struct TokenView<'a> {
    /// Its source.
    pub source: &'a str,
    /// Its provider.
    pub provider: &'a str,
    /// Its listing.
    pub listing: &'a str,
    /// The token as its provider last listed it. What the rules have changed is in `expires`, `owner` and `labels`: show those.
    pub token: &'a Token,
    /// Its end after the rules.
    pub expires: Expiry,
    /// Its owner after the rules.
    pub owner: Option<&'a Owner>,
    /// Its labels after the rules.
    pub labels: &'a BTreeMap<String, String>,
    /// What has become of it.
    pub state: State,
    /// The band that it is in.
    pub band: Option<Band>,
    /// Policies that it breaks, in the order of `Finding::ALL`. Only an active token does.
    pub findings: Vec<Finding>,
}

impl SourceState {
    pub(super) fn views<'a>(&'a self, name: &'a str, now: DateTime<Utc>) -> impl Iterator<Item = TokenView<'a>> {
        let policy = &self.source.policy;
        let known = self.entries.iter().filter(move |entry| !entry.is_forgotten(now, policy.expired_retention));
        known.map(move |entry| {
            let state = entry.state(now);
            TokenView {
                source: name,
                provider: &policy.provider,
                listing: &entry.listing,
                token: &entry.token,
                expires: entry.expires(),
                owner: entry.owner(),
                labels: entry.labels(),
                state,
                band: entry.bands(state, policy).and_then(|bands| bands.at(now)),
                findings: entry.findings(state, policy, now),
            }
        })
    }

    pub(super) fn next_change(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let of_credential = self.source.credential_bands().and_then(|bands| bands.next_change(now));
        let of_tokens = self.entries.iter().filter_map(|entry| entry.next_change(&self.source.policy, now));
        of_tokens.chain(of_credential).filter(|at| *at < DateTime::<Utc>::MAX_UTC).min()
    }
}

impl Entry {
    fn owner(&self) -> Option<&Owner> {
        let changed = self.changes.as_ref().and_then(|changes| changes.owner.as_ref());
        changed.or(self.token.owner.as_ref())
    }

    fn labels(&self) -> &BTreeMap<String, String> {
        let changed = self.changes.as_ref().and_then(|changes| changes.labels.as_ref());
        changed.unwrap_or(&self.token.labels)
    }

    fn findings(&self, state: State, policy: &Policy, now: DateTime<Utc>) -> Vec<Finding> {
        if state != State::Active {
            return Vec::new();
        }
        let breaks = |finding: &Finding| match finding {
            Finding::NeverExpires => self.expires() == Expiry::Never,
            Finding::LivesTooLong => lead::lifetime(&self.token, self.expires())
                .zip(policy.max_lifetime)
                .is_some_and(|(life, max)| life > max),
            Finding::Unused => self.unused_from(policy).is_some_and(|from| from <= now),
            Finding::UnreadableExpiry => self.expires() == Expiry::Unknown,
            Finding::NoOwner => self.owner().is_none_or(|owner| *owner == Owner::default()),
        };
        Finding::ALL.into_iter().filter(breaks).collect()
    }

    /// From when it counts as unused; a token that is new has not been used for long, and that says nothing.
    fn unused_from(&self, policy: &Policy) -> Option<DateTime<Utc>> {
        let used = match self.token.last_used {
            LastUse::NotReported => return None,
            LastUse::Never => DateTime::<Utc>::MIN_UTC,
            LastUse::At(used) => used,
        };
        let since = self.token.created_at.map_or(used, |created| created.max(used));
        since.checked_add_signed(policy.unused_after?)
    }

    /// That it is replaced no longer is no change of its own: it comes with the end of the one that replaced it.
    fn next_change(&self, policy: &Policy, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let changes = [
            self.expires().instant(),
            self.bands(self.state(now), policy).and_then(|bands| bands.next_change(now)),
            self.unused_from(policy),
            self.forgotten_at(policy.expired_retention),
        ];
        changes.into_iter().flatten().filter(|at| *at > now).min()
    }
}
