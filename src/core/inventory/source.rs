//! A source: what the configuration says of it, and how it is doing.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::core::failure::Reason;
use crate::core::lead::{Band, Bands, Lead};
use crate::core::outcome::{CredentialExpiry, ListingResult, Outcome, RateLimit};
use crate::core::token::Expiry;

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

/// What was done to a provider's words so that they can be shown. Each is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Adjustment {
    /// Another row of the source had the same id: the first counts.
    DuplicateId,
    /// Control characters, or blanks around it, were taken out of a value; or it was a link that is not for a browser.
    CleanedValue,
    /// A value was cut at the limit.
    CutValue,
    /// A field other than id and expiry could not be read.
    UnreadField,
    /// An owner's address was not one bare, valid address.
    RefusedAddress,
}

impl Adjustment {
    /// All adjustments.
    pub const ALL: [Self; 5] =
        [Self::DuplicateId, Self::CleanedValue, Self::CutValue, Self::UnreadField, Self::RefusedAddress];

    /// The value of the label `adjustment`.
    pub fn label(self) -> &'static str {
        match self {
            Self::DuplicateId => "duplicate_id",
            Self::CleanedValue => "cleaned_value",
            Self::CutValue => "cut_value",
            Self::UnreadField => "unread_field",
            Self::RefusedAddress => "refused_address",
        }
    }
}

/// How a source is doing.
#[derive(Debug)]
pub struct Source {
    /// What the configuration says of it.
    pub policy: Policy,
    /// Whether the last collection was complete. None before the first, also after a restart.
    pub up: Option<bool>,
    /// When the last attempt began.
    pub last_attempt: Option<DateTime<Utc>>,
    /// When the last complete collection was done.
    pub last_success: Option<DateTime<Utc>>,
    /// How long the last attempt took.
    pub last_duration: Option<TimeDelta>,
    /// When its own credential ends.
    pub credential: Option<Expiry>,
    /// Its rate limit as last told.
    pub rate_limit: Option<RateLimit>,
    /// Tokens over the limit, left out by the last collection that was answered.
    pub dropped: u64,
    /// Tokens that a rule left out of the last collection that was answered, and those that a rule has removed since.
    pub filtered: u64,
    /// What the last collection that was answered had to adjust, every adjustment present.
    pub adjustments: BTreeMap<Adjustment, u64>,
    /// Failures since the start of the process, every reason present.
    pub failures: BTreeMap<Reason, u64>,
    /// Requests since the start of the process, by status; 0 without an answer.
    pub requests: BTreeMap<u16, u64>,
    /// Every running listing by name: the scopes that the last collection walked, and those that failed.
    pub listings: BTreeMap<String, ListingHealth>,
}

impl Source {
    pub(super) fn new(policy: Policy) -> Self {
        Self {
            policy,
            up: None,
            last_attempt: None,
            last_success: None,
            last_duration: None,
            credential: None,
            rate_limit: None,
            dropped: 0,
            filtered: 0,
            adjustments: Adjustment::ALL.map(|adjustment| (adjustment, 0)).into(),
            failures: no_failures(),
            requests: BTreeMap::new(),
            listings: BTreeMap::new(),
        }
    }

    /// The band that its own credential is in: the lead is the source's, and what has ended stays so until another end is
    /// told.
    pub fn credential_band(&self, now: DateTime<Utc>) -> Option<Band> {
        self.credential_bands()?.at(now)
    }

    pub(super) fn credential_bands(&self) -> Option<Bands> {
        let end = self.credential?.instant()?;
        Some(Bands::before(end, self.policy.lead, TimeDelta::MAX))
    }

    pub(super) fn set_policy(&mut self, policy: Policy) {
        let mut before = std::mem::take(&mut self.listings);
        let health = |name: &String| (name.clone(), before.remove(name).unwrap_or_default());
        self.listings = policy.listings.iter().map(health).collect();
        self.policy = policy;
    }

    /// What an outcome tells beside its tokens.
    pub(super) fn note(&mut self, outcome: &Outcome, started: DateTime<Utc>, now: DateTime<Utc>) {
        let complete = outcome.is_complete();
        self.up = Some(complete);
        self.last_attempt = Some(started);
        self.last_success = if complete { Some(now) } else { self.last_success };
        self.last_duration = Some((now - started).max(TimeDelta::zero()));
        self.rate_limit = outcome.rate_limit.or(self.rate_limit);
        if let CredentialExpiry::Reported(expires) = outcome.own {
            self.credential = Some(expires);
        }
        for (reason, count) in outcome.reasons() {
            *self.failures.entry(reason).or_default() += count;
        }
        for (status, count) in &outcome.requests {
            *self.requests.entry(*status).or_default() += count;
        }
        for listed in &outcome.listings {
            if let Some(health) = self.listings.get_mut(&listed.name) {
                *health = ListingHealth::of(listed);
            }
        }
    }
}

/// How a listing is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListingHealth {
    /// Scopes walked by the last collection, failed ones included.
    pub scopes: u64,
    /// Scopes whose last answer was a failure, by reason; every reason present.
    pub gaps: BTreeMap<Reason, u64>,
}

impl Default for ListingHealth {
    fn default() -> Self {
        Self { scopes: 0, gaps: no_failures() }
    }
}

impl ListingHealth {
    fn of(listed: &ListingResult) -> Self {
        let mut health = Self::default();
        for gap in &listed.gaps {
            *health.gaps.entry(gap.failure.reason).or_default() += 1;
        }
        let answered = listed.scopes.iter().filter(|scope| !scope.is_step).count();
        health.scopes = (answered + listed.gaps.len()) as u64;
        health
    }

    /// The same with every reason: another version of the program may have stored fewer.
    pub(super) fn completed(mut self) -> Self {
        for reason in Reason::ALL {
            self.gaps.entry(reason).or_insert(0);
        }
        self
    }
}

fn no_failures() -> BTreeMap<Reason, u64> {
    Reason::ALL.map(|reason| (reason, 0)).into()
}
