//! Lead times before expiry, and the alert bands that follow from them.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::label_values::label_values;
use super::token::{Expiry, Lifetime, State, Token};

/// The lead times: how long before expiry each band starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lead {
    pub warning: TimeDelta,
    pub critical: TimeDelta,
}

impl Lead {
    #[must_use]
    pub fn changed(self, by: LeadChange) -> Self {
        Self { warning: by.warning.unwrap_or(self.warning), critical: by.critical.unwrap_or(self.critical) }
    }

    /// Caps `warning` at a third and `critical` at a tenth of the lifetime, so that a token that lives for a week is not due
    /// from its first day. Critical never starts before warning.
    ///
    /// A token that its provider renews by itself is due only while that is overdue: for a third of the time between the renewal
    /// and the expiry nothing alerts, since a renewal and the next collection need some of it.
    #[must_use]
    fn capped(self, lifetime: Option<TimeDelta>, renews_before: Option<TimeDelta>) -> Self {
        let cap = |lead: TimeDelta, share, overdue: i32| {
            let lead = lifetime.map_or(lead, |lifetime| lead.min(lifetime / share));
            renews_before.map_or(lead, |before| lead.min(before / 3 * overdue))
        };
        let warning = cap(self.warning, 3, 2).max(TimeDelta::zero());
        Self { warning, critical: cap(self.critical, 10, 1).clamp(TimeDelta::zero(), warning) }
    }
}

/// Changes to a lead, by a source or a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeadChange {
    pub warning: Option<TimeDelta>,
    pub critical: Option<TimeDelta>,
}

impl LeadChange {
    /// Both changes; if both set a value, the later one wins.
    #[must_use]
    pub fn then(self, later: Self) -> Self {
        Self { warning: later.warning.or(self.warning), critical: later.critical.or(self.critical) }
    }
}

label_values! {
    /// The alert band of a due token.
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum Band {
        /// Within its warning lead.
        Warning = "warning",
        /// Within its critical lead.
        Critical = "critical",
        Expired = "expired",
    }
}

/// When a token enters each band, and when it leaves the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bands {
    pub warning: DateTime<Utc>,
    pub critical: DateTime<Utc>,
    pub expired: DateTime<Utc>,
    /// From here on it is in no band.
    pub over: DateTime<Utc>,
}

impl Bands {
    /// The bands of a token that expires at `expires` after the rules. `None` if it never expires, is replaced or disabled, or
    /// lives for less than `min_lifetime`.
    pub(crate) fn for_token(
        token: &Token,
        expires: Expiry,
        state: State,
        lead: Lead,
        min_lifetime: TimeDelta,
        retention: TimeDelta,
    ) -> Option<Self> {
        let expired = expires.timestamp()?;
        let lifetime = lifetime(token, expires);
        if matches!(state, State::Replaced | State::Disabled) || lifetime.is_some_and(|life| life < min_lifetime) {
            return None;
        }
        // A token that is overdue for rotation still works, so it stays in its band until it is rotated.
        let retention = if matches!(expires, Expiry::Policy(_)) { TimeDelta::MAX } else { retention };
        Some(Self::for_expiry(expired, lead.capped(lifetime, renews_before(token, expires)), retention))
    }

    /// The bands before an expiry, with the uncapped lead.
    pub(crate) fn for_expiry(expired: DateTime<Utc>, lead: Lead, retention: TimeDelta) -> Self {
        let Lead { warning, critical } = lead.capped(None, None);
        let early = |lead| expired.checked_sub_signed(lead).unwrap_or(DateTime::<Utc>::MIN_UTC);
        let over = expired.checked_add_signed(retention.max(TimeDelta::zero())).unwrap_or(DateTime::<Utc>::MAX_UTC);
        Self { warning: early(warning), critical: early(critical), expired, over }
    }

    pub fn at(&self, now: DateTime<Utc>) -> Option<Band> {
        match now {
            _ if now < self.warning || now >= self.over => None,
            _ if now >= self.expired => Some(Band::Expired),
            _ if now >= self.critical => Some(Band::Critical),
            _ => Some(Band::Warning),
        }
    }

    /// When the band changes next.
    pub fn next_change(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let Self { warning, critical, expired, over } = *self;
        [warning, critical, expired, over].into_iter().find(|at| *at > now && *at < DateTime::<Utc>::MAX_UTC)
    }
}

/// The lifetime of a token: as granted by its provider, else from creation to expiry; always the latter if a rule sets the
/// expiry. `None` if it never expires, or if the lifetime is unknown or not positive.
pub(crate) fn lifetime(token: &Token, expires: Expiry) -> Option<TimeDelta> {
    let positive = |lifetime: &TimeDelta| *lifetime > TimeDelta::zero();
    let granted = token.lifetime.map(Lifetime::duration).filter(|_| matches!(expires, Expiry::At(_)));
    let expiry = expires.timestamp()?;
    granted.or_else(|| token.created_at.map(|created| expiry - created).filter(positive))
}

/// How long before this expiry the provider renews the token by itself; `None` if a rule sets the expiry.
pub(crate) fn renews_before(token: &Token, expires: Expiry) -> Option<TimeDelta> {
    token.renews_before.map(Lifetime::duration).filter(|_| matches!(expires, Expiry::At(_)))
}

#[cfg(test)]
mod tests;
