//! How long before a token's end people are told: bands.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::token::{Expiry, State, Token};

/// How long before the end each band begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lead {
    /// The band `warning`.
    pub warning: TimeDelta,
    /// The band `critical`.
    pub critical: TimeDelta,
}

impl Lead {
    /// This lead, where the change does not say otherwise.
    #[must_use]
    pub fn changed(self, by: LeadChange) -> Self {
        Self { warning: by.warning.unwrap_or(self.warning), critical: by.critical.unwrap_or(self.critical) }
    }

    /// This lead for a token that lives so long: at most a third of its life is `warning`, at most a tenth `critical`, so
    /// that a token of a week is not about to end from its first day. Critical never begins before warning.
    #[must_use]
    fn capped(self, lifetime: Option<TimeDelta>) -> Self {
        let cap = |lead: TimeDelta, share| lifetime.map_or(lead, |lifetime| lead.min(lifetime / share));
        let warning = cap(self.warning, 3).max(TimeDelta::zero());
        Self { warning, critical: cap(self.critical, 10).clamp(TimeDelta::zero(), warning) }
    }
}

/// A lead that a source or a rule changes in part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeadChange {
    /// The band `warning`, if changed.
    pub warning: Option<TimeDelta>,
    /// The band `critical`, if changed.
    pub critical: Option<TimeDelta>,
}

impl LeadChange {
    /// Both changes in one; where both say something, the later one's word counts.
    #[must_use]
    pub fn then(self, later: Self) -> Self {
        Self { warning: later.warning.or(self.warning), critical: later.critical.or(self.critical) }
    }
}

/// The band that a token is in, for as long as people are to be told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Band {
    /// Within its warning lead.
    Warning,
    /// Within its critical lead.
    Critical,
    /// At or past its end.
    Expired,
}

impl Band {
    /// All bands.
    pub const ALL: [Self; 3] = [Self::Warning, Self::Critical, Self::Expired];

    /// The value of the label `band`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Expired => "expired",
        }
    }
}

/// The instants at which a token enters each band, and leaves the last one. None where people are never told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bands {
    /// From here `warning`.
    pub warning: DateTime<Utc>,
    /// From here `critical`.
    pub critical: DateTime<Utc>,
    /// From here `expired`.
    pub expired: DateTime<Utc>,
    /// From here nothing more is said.
    pub over: DateTime<Utc>,
}

impl Bands {
    /// The bands of a token in this state; none without an end, replaced, disabled, or too short-lived.
    pub fn of(token: &Token, state: State, lead: Lead, min_lifetime: TimeDelta, retention: TimeDelta) -> Option<Self> {
        Self::ending(token, token.expires, state, lead, min_lifetime, retention)
    }

    /// The same, where the rules have given the token another end.
    pub(crate) fn ending(
        token: &Token,
        expires: Expiry,
        state: State,
        lead: Lead,
        min_lifetime: TimeDelta,
        retention: TimeDelta,
    ) -> Option<Self> {
        let expired = expires.instant()?;
        let lifetime = lifetime(token, expires);
        if matches!(state, State::Replaced | State::Disabled) || lifetime.is_some_and(|life| life < min_lifetime) {
            return None;
        }
        // A token that is overdue for rotation still works: only its rotation ends the telling, never the time.
        let retention = if matches!(expires, Expiry::Policy(_)) { TimeDelta::MAX } else { retention };
        Some(Self::before(expired, lead.capped(lifetime), retention))
    }

    /// The bands of an end of which no more is known: the lead as it is.
    pub(crate) fn before(expired: DateTime<Utc>, lead: Lead, retention: TimeDelta) -> Self {
        let Lead { warning, critical } = lead.capped(None);
        let early = |lead| expired.checked_sub_signed(lead).unwrap_or(DateTime::<Utc>::MIN_UTC);
        let over = expired.checked_add_signed(retention.max(TimeDelta::zero())).unwrap_or(DateTime::<Utc>::MAX_UTC);
        Self { warning: early(warning), critical: early(critical), expired, over }
    }

    /// The band at this instant.
    pub fn at(&self, now: DateTime<Utc>) -> Option<Band> {
        match now {
            _ if now < self.warning || now >= self.over => None,
            _ if now >= self.expired => Some(Band::Expired),
            _ if now >= self.critical => Some(Band::Critical),
            _ => Some(Band::Warning),
        }
    }

    /// The next instant at which the band changes.
    pub fn next_change(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let Self { warning, critical, expired, over } = *self;
        [warning, critical, expired, over].into_iter().find(|at| *at > now && *at < DateTime::<Utc>::MAX_UTC)
    }
}

/// How long a token lives: as its provider grants, else from its making to its end; where a rule sets the end, always the
/// latter. None where it has no end, and where neither is known or makes sense.
pub(crate) fn lifetime(token: &Token, expires: Expiry) -> Option<TimeDelta> {
    let positive = |lifetime: &TimeDelta| *lifetime > TimeDelta::zero();
    let granted = token.lifetime.filter(positive).filter(|_| matches!(expires, Expiry::At(_)));
    let end = expires.instant()?;
    granted.or_else(|| token.created_at.map(|created| end - created).filter(positive))
}

#[cfg(test)]
mod tests;
