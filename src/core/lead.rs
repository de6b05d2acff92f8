//! How long before a token's end people are told: bands.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::token::{State, Token};

/// How long before the end each band begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lead {
    /// The band `warning`.
    pub warning: TimeDelta,
    /// The band `critical`.
    pub critical: TimeDelta,
}

/// A lead that a source or a rule changes in part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeadChange {
    /// The band `warning`, if changed.
    pub warning: Option<TimeDelta>,
    /// The band `critical`, if changed.
    pub critical: Option<TimeDelta>,
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
        todo!("{token:?} {state:?} {lead:?} {min_lifetime} {retention}")
    }

    /// The band at this instant.
    pub fn at(&self, now: DateTime<Utc>) -> Option<Band> {
        todo!("{now}")
    }

    /// The next instant at which the band changes.
    pub fn next_change(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        todo!("{now}")
    }
}
