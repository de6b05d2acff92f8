//! A token at a given time: its state, its band, the policies that it violates.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use chrono::{DateTime, Utc};

use super::entry::Entry;
use super::joined::Joined;
use super::record::SourceState;
use super::replaced::is_rotation;
use super::source::Policy;
use crate::core::label_values::label_values;
use crate::core::lead::{self, Band, Bands, Lead};
use crate::core::location::Locations;
use crate::core::renewal::{Renewal, Renewals};
use crate::core::token::{Expiry, LastUse, Owner, State, Token};

label_values! {
    /// A policy that an active token violates.
    pub enum Finding {
        NeverExpires = "never_expires",
        /// The lifetime exceeds `max_lifetime`.
        LivesTooLong = "lives_too_long",
        /// Not used for `unused_after`.
        Unused = "unused",
        /// The expiry is unknown.
        UnreadableExpiry = "unreadable_expiry",
        NoOwner = "no_owner",
        /// The provider reports the owner's account as deactivated.
        OwnerInactive = "owner_inactive",
        /// A rule says that it must be located, every place was searched, and it is in none.
        NotLocated = "not_located",
    }
}

/// A set of findings.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Findings(u8);

impl Findings {
    /// In the order of [`Finding::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Finding> {
        Finding::ALL.into_iter().filter(move |finding| self.contains(*finding))
    }

    pub fn contains(self, finding: Finding) -> bool {
        self.0 & (1 << finding as u8) != 0
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<Finding> for Findings {
    fn from_iter<I: IntoIterator<Item = Finding>>(findings: I) -> Self {
        Self(findings.into_iter().fold(0, |set, finding| set | 1 << finding as u8))
    }
}

impl fmt::Debug for Findings {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_set().entries(self.iter()).finish()
    }
}

/// A token at a given time, as it is shown.
#[derive(Debug, PartialEq)]
pub struct TokenView<'a> {
    pub source: &'a str,
    pub provider: &'a str,
    pub listing: &'a str,
    /// As its provider last reported it. Show `expires`, `owner` and `labels` instead, which the rules may change.
    pub token: &'a Token,
    pub expires: Expiry,
    pub owner: Option<&'a Owner>,
    pub labels: &'a BTreeMap<String, String>,
    pub state: State,
    /// When it enters each band; `None` if it never alerts.
    pub bands: Option<Bands>,
    pub band: Option<Band>,
    /// The lead before it is capped by the lifetime.
    pub lead: Lead,
    /// Only active tokens have any.
    pub findings: Findings,
    /// Where it is used or stored, as far as it is known.
    pub locations: Locations<'a>,
    renew: Option<&'a Renewal>,
    renewals: &'a Renewals,
}

impl<'a> TokenView<'a> {
    /// How it is renewed: as a rule says, else its entry, else its definition.
    pub fn renewal(&self) -> Option<&'a Renewal> {
        self.renew.or_else(|| self.renewals.of_kind(&self.token.kind))
    }
}

impl SourceState {
    pub(super) fn views<'a>(
        &'a self,
        name: &'a str,
        positions: Range<usize>,
        now: DateTime<Utc>,
    ) -> impl Iterator<Item = TokenView<'a>> {
        let policy = &self.source.policy;
        let retained =
            self.entries.at(positions).iter().filter(move |entry| !entry.is_evictable(now, policy.expired_retention));
        let shown = retained.filter(|entry| !self.joined.merged.contains(entry.id()));
        shown.map(move |entry| entry.view(name, policy, &self.joined, now))
    }

    /// The token with this id.
    pub(super) fn view<'a>(&'a self, name: &'a str, id: &str, now: DateTime<Utc>) -> Option<TokenView<'a>> {
        let policy = &self.source.policy;
        let position = self.entries.binary_search_by(|entry| entry.id().cmp(id)).ok()?;
        let entry = self.entries.get(position)?;
        let is_hidden = entry.is_evictable(now, policy.expired_retention) || self.joined.merged.contains(id);
        (!is_hidden).then(|| entry.view(name, policy, &self.joined, now))
    }

    /// The rotations of a token: the other tokens of its kind, owner and name.
    pub(super) fn rotations<'a>(
        &'a self,
        name: &'a str,
        of: &'a TokenView<'a>,
        now: DateTime<Utc>,
    ) -> impl Iterator<Item = TokenView<'a>> {
        let policy = &self.source.policy;
        let without = |listing: &str| policy.without_replacement.iter().any(|name| name == listing);
        let views = self.views(name, 0..usize::MAX, now).filter(move |_| !without(of.listing));
        views.filter(move |view| {
            view.token.id != of.token.id && !without(view.listing) && is_rotation(view.token, of.token)
        })
    }

    pub(super) fn next_change(&self, positions: Range<usize>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let of_tokens =
            self.entries.at(positions).iter().filter_map(|entry| entry.next_change(&self.source.policy, now));
        of_tokens.filter(|at| *at < DateTime::<Utc>::MAX_UTC).min()
    }
}

impl Entry {
    fn view<'a>(
        &'a self,
        source: &'a str,
        policy: &'a Policy,
        joined: &'a Joined,
        now: DateTime<Utc>,
    ) -> TokenView<'a> {
        let state = self.state(now);
        let locations = Locations {
            found: joined.locations.get(self.id()).map(Vec::as_slice).unwrap_or_default(),
            noted: self.overrides.as_ref().map(|overrides| &*overrides.used_in).unwrap_or_default(),
        };
        let bands = self.bands(state, policy);
        TokenView {
            source,
            provider: &policy.provider,
            listing: &self.place.listing,
            token: &self.token,
            expires: self.expires(),
            owner: self.owner(),
            labels: self.labels(),
            state,
            bands,
            band: bands.and_then(|bands| bands.at(now)),
            lead: self.lead(policy),
            findings: self.findings(state, policy, locations.is_empty() && joined.is_searched, now),
            locations,
            renew: self.renew(),
            renewals: &policy.renewals,
        }
    }

    pub(super) fn owner(&self) -> Option<&Owner> {
        let overridden = self.overrides.as_ref().and_then(|overrides| overrides.owner.as_ref());
        overridden.or(self.token.owner.as_deref())
    }

    fn renew(&self) -> Option<&Renewal> {
        let overridden = self.overrides.as_ref().and_then(|overrides| overrides.renew.as_deref());
        overridden.or(self.token.renew.as_deref())
    }

    fn labels(&self) -> &BTreeMap<String, String> {
        let overridden = self.overrides.as_ref().and_then(|overrides| overrides.labels.as_ref());
        overridden.unwrap_or(&self.token.labels)
    }

    fn findings(&self, state: State, policy: &Policy, is_nowhere: bool, now: DateTime<Utc>) -> Findings {
        if state != State::Active {
            return Findings::default();
        }
        let violates = |finding: &Finding| match finding {
            Finding::NeverExpires => policy.never_expires && self.expires() == Expiry::Never,
            Finding::LivesTooLong => lead::lifetime(&self.token, self.expires())
                .zip(policy.max_lifetime)
                .is_some_and(|(life, max)| life > max),
            Finding::Unused => self.unused_from(policy).is_some_and(|from| from <= now),
            Finding::UnreadableExpiry => self.expires() == Expiry::Unknown,
            Finding::NoOwner => self.owner().is_none_or(Owner::is_nobody),
            Finding::NotLocated => {
                is_nowhere && self.overrides.as_ref().is_some_and(|overrides| overrides.must_be_located)
            }
            Finding::OwnerInactive => self.token.owner.as_ref().is_some_and(|owner| owner.inactive),
        };
        Finding::ALL.into_iter().filter(violates).collect()
    }

    /// From when it counts as unused. The time since its creation counts too, so a new token is not unused.
    fn unused_from(&self, policy: &Policy) -> Option<DateTime<Utc>> {
        let used = match self.token.last_used {
            LastUse::NotReported => return None,
            LastUse::Never => DateTime::<Utc>::MIN_UTC,
            LastUse::At(used) => used,
        };
        let since = self.token.created_at.map_or(used, |created| created.max(used));
        since.checked_add_signed(policy.unused_after?)
    }

    /// The end of a replacement needs no entry of its own: the token that replaces it expires at the same time.
    fn next_change(&self, policy: &Policy, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let changes = [
            self.expires().timestamp(),
            self.bands(self.state(now), policy).and_then(|bands| bands.next_change(now)),
            self.unused_from(policy),
            self.evict_at(policy.expired_retention),
        ];
        changes.into_iter().flatten().filter(|at| *at > now).min()
    }
}
