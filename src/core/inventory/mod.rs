//! What is known now: every token of every source, and how each source is doing.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::failure::Reason;
use super::lead::{Band, Lead};
use super::outcome::{Outcome, RateLimit};
use super::rules::Rule;
use super::token::{Expiry, Owner, State, Token};

/// What the configuration says of one source.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// The provider's name.
    pub provider: String,
    /// The listings that run, in order.
    pub listings: Vec<String>,
    /// How often it is collected.
    pub interval: TimeDelta,
    /// How long before their end people are told of its tokens.
    pub lead: Lead,
    /// A token that lives shorter than this has no lead.
    pub min_lifetime: TimeDelta,
    /// For how long an expired token is kept after its end.
    pub expired_retention: TimeDelta,
    /// How many tokens are kept; the soonest to end.
    pub token_limit: usize,
    /// A token that lives longer is a finding.
    pub max_lifetime: Option<TimeDelta>,
    /// A token that was not used for so long is a finding.
    pub unused_after: Option<TimeDelta>,
    /// Listings whose tokens cannot replace one another.
    pub without_replacement: Vec<String>,
}

/// A token that breaks a policy.
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

/// What was done to a provider's words so that they can be shown. Each is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Adjustment {
    /// Another row of the source had the same id: the first counts.
    DuplicateId,
    /// Control characters were taken out of a value.
    CleanedValue,
    /// A value was cut at the limit.
    CutValue,
    /// A field other than id and expiry could not be read.
    UnreadField,
    /// An owner's address was not one bare, valid address.
    RefusedAddress,
}

/// Every source, and its tokens.
#[derive(Debug, Default)]
pub struct Inventory {}

impl Inventory {
    /// Sets what the configuration says, at the start and at each reload. Sources that it does not name are forgotten, and so
    /// are the tokens of listings that no longer run; rules and leads hold at once for what is known.
    pub fn set_policy(&mut self, sources: BTreeMap<String, Policy>, rules: Arc<[Rule]>) {
        todo!("{sources:?} {rules:?}")
    }

    /// Takes in what a collection of a source has brought: a complete scope replaces, a failed one keeps.
    pub fn record(&mut self, source: &str, outcome: Outcome, started: DateTime<Utc>, now: DateTime<Utc>) {
        todo!("{source} {outcome:?} {started} {now}")
    }

    /// Every source by name.
    pub fn sources(&self) -> impl Iterator<Item = (&str, &Source)> {
        std::iter::empty()
    }

    /// Every token, in the order of source and id.
    pub fn tokens(&self, now: DateTime<Utc>) -> impl Iterator<Item = View<'_>> {
        let _ = now;
        std::iter::empty()
    }

    /// The next instant at which a token changes its band or state without any collection.
    pub fn next_change(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        todo!("{now}")
    }
}

/// How a source is doing.
#[derive(Debug)]
pub struct Source {
    /// What the configuration says of it.
    pub policy: Policy,
    /// Whether the last collection was complete. None before the first, also after a restart.
    pub up: Option<bool>,
    /// When it was last attempted.
    pub last_attempt: Option<DateTime<Utc>>,
    /// When it was last complete.
    pub last_success: Option<DateTime<Utc>>,
    /// How long the last attempt took.
    pub last_duration: Option<TimeDelta>,
    /// When its own credential ends.
    pub credential: Option<Expiry>,
    /// Its rate limit as last told.
    pub rate_limit: Option<RateLimit>,
    /// Tokens over the limit, left out by the last collection.
    pub dropped: u64,
    /// Tokens that a rule left out of the last collection.
    pub filtered: u64,
    /// What the last collection had to adjust.
    pub adjustments: BTreeMap<Adjustment, u64>,
    /// Failures since the start of the process, every reason present.
    pub failures: BTreeMap<Reason, u64>,
    /// Requests since the start of the process, by status; 0 without an answer.
    pub requests: BTreeMap<u16, u64>,
    /// Every running listing by name: the scopes that the last collection walked, and those that failed.
    pub listings: BTreeMap<String, ListingHealth>,
}

/// How a listing is doing.
#[derive(Debug, Default)]
pub struct ListingHealth {
    /// Scopes walked by the last collection, failed ones included.
    pub scopes: u64,
    /// Scopes whose last answer was a failure, by reason; every reason present.
    pub gaps: BTreeMap<Reason, u64>,
}

/// A token as people are shown it at an instant.
#[derive(Debug)]
pub struct View<'a> {
    /// Its source.
    pub source: &'a str,
    /// Its provider.
    pub provider: &'a str,
    /// Its listing.
    pub listing: &'a str,
    /// The token, with what the rules have made of its expiry.
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
    /// Policies that it breaks.
    pub findings: Vec<Finding>,
}
