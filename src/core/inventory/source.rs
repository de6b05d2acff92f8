//! A source: its policy and its status.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::joined::FoundCredentials;
use crate::core::adjustment::{Adjustment, Adjustments};
use crate::core::failure::Reason;
use crate::core::lead::{Band, Bands, Lead};
use crate::core::outcome::{CredentialExpiry, Gap, ListingResult, Outcome, RateLimit};
use crate::core::refusal::Refusal;
use crate::core::renewal::Renewals;
use crate::core::sanitize::{replace_unsafe, truncate};
use crate::core::token::Expiry;

/// The configuration of a source, as far as the inventory needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    pub provider: String,
    /// The listings that run, in order.
    pub listings: Vec<String>,
    /// The time between collections.
    pub interval: TimeDelta,
    pub lead: Lead,
    /// A token with a shorter lifetime is never due.
    pub min_lifetime: TimeDelta,
    /// How long a token that is expired and missing is retained.
    pub expired_retention: TimeDelta,
    /// The maximum number of tokens.
    pub token_limit: usize,
    /// Whether a token that never expires is a finding.
    pub never_expires: bool,
    /// A token with a longer lifetime is a finding.
    pub max_lifetime: Option<TimeDelta>,
    /// A token that was not used for this long is a finding.
    pub unused_after: Option<TimeDelta>,
    /// The age at which a token that never expires is due for rotation, unless a rule sets another one.
    pub rotate_after: Option<TimeDelta>,
    /// Listings whose tokens neither replace nor are replaced.
    pub without_replacement: Vec<String>,
    /// Listings whose owners' names are logins, which the provider keeps unique.
    pub owner_logins: Vec<String>,
    /// How its tokens are renewed.
    pub renewals: Arc<Renewals>,
    /// Whether it reports locations: of its own tokens, or of credentials.
    pub finds_locations: bool,
    /// Whether it looks for credentials, of which other sources say whose tokens they are.
    pub finds_credentials: bool,
    /// Whether it can say which of its tokens a credential is.
    pub identifies: bool,
}

/// Which changes of the inventory a source contains. Two equal revisions of a source have the same content; no revision occurs
/// again, not even after the source was removed and added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Revision {
    /// The last change of its tokens, or of what rules and policies derive from them.
    pub tokens: u64,
    /// The last change of anything else, such as the time of the last attempt.
    pub status: u64,
}

/// The policy and status of a source.
#[derive(Debug)]
pub struct Source {
    pub policy: Policy,
    /// Whether the last collection was complete. `None` before the first one, also after a restart.
    pub up: Option<bool>,
    /// When the last collection started.
    pub last_attempt: Option<DateTime<Utc>>,
    /// When the last complete collection finished.
    pub last_success: Option<DateTime<Utc>>,
    pub last_duration: Option<TimeDelta>,
    /// The expiry of the exporter's own credential, as last reported.
    pub credential_expiry: Option<Expiry>,
    /// As last reported.
    pub rate_limit: Option<RateLimit>,
    /// Why nothing is requested: the provider refused the secret.
    pub refusal: Option<Refusal>,
    /// Tokens over the limit in the last collection in which a scope was complete.
    pub dropped: u64,
    /// Tokens that rules excluded in that collection and since.
    pub filtered: u64,
    /// Adjustments in that collection; contains every adjustment.
    pub adjustments: Adjustments,
    /// Failures since the start of the process; contains every reason.
    pub failures: BTreeMap<Reason, u64>,
    /// Requests since the start of the process, by response status; 0 without a response.
    pub requests: BTreeMap<u16, u64>,
    /// The status of every listing that runs, by name.
    pub listings: BTreeMap<String, ListingHealth>,
    /// Some of the failed scopes of the last collection, for people, by listing: at most [`FailedScope::MAX`] of each, of different
    /// reasons first.
    pub failed_scopes: FailedScopes,
    /// Credentials that were found in use and that this source recognised, by result; empty if none are looked for.
    pub found_credentials: FoundCredentials,
}

impl Source {
    pub(super) fn new(policy: Policy) -> Self {
        Self {
            policy,
            up: None,
            last_attempt: None,
            last_success: None,
            last_duration: None,
            credential_expiry: None,
            rate_limit: None,
            refusal: None,
            dropped: 0,
            filtered: 0,
            adjustments: zeros(Adjustment::ALL),
            failures: zeros(Reason::ALL),
            requests: BTreeMap::new(),
            listings: BTreeMap::new(),
            failed_scopes: BTreeMap::new(),
            found_credentials: FoundCredentials::new(),
        }
    }

    /// The band of the exporter's own credential, with the source's lead. It stays in `expired` until another expiry is
    /// reported.
    pub fn credential_band(&self, now: DateTime<Utc>) -> Option<Band> {
        self.credential_bands()?.at(now)
    }

    /// When [`Self::credential_band`] changes.
    pub fn credential_next_change(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.credential_bands()?.next_change(now).filter(|at| *at < DateTime::<Utc>::MAX_UTC)
    }

    pub(super) fn credential_bands(&self) -> Option<Bands> {
        let expiry = self.credential_expiry?.timestamp()?;
        Some(Bands::for_expiry(expiry, self.policy.lead, TimeDelta::MAX))
    }

    pub(super) fn set_policy(&mut self, policy: Policy) {
        let mut previous = std::mem::take(&mut self.listings);
        let health = |name: &String| (name.clone(), previous.remove(name).unwrap_or_default());
        self.listings = policy.listings.iter().map(health).collect();
        self.policy = policy;
    }

    /// Records everything of an outcome but its tokens.
    pub(super) fn record(&mut self, outcome: &Outcome, started: DateTime<Utc>, now: DateTime<Utc>) {
        let is_complete = outcome.is_complete();
        self.up = Some(is_complete);
        self.last_attempt = Some(started);
        self.last_success = if is_complete { Some(now) } else { self.last_success };
        self.last_duration = Some((now - started).max(TimeDelta::zero()));
        self.rate_limit = outcome.rate_limit.or(self.rate_limit);
        // A collection that sent nothing for another reason, such as a panic, says nothing about the secret.
        if outcome.refusal.is_some() || !outcome.requests.is_empty() {
            self.refusal = outcome.refusal;
        }
        self.credential_expiry = match outcome.credential_expiry {
            CredentialExpiry::NotReported => self.credential_expiry,
            CredentialExpiry::Unstated => None,
            CredentialExpiry::Reported(expires) => Some(expires),
        };
        for (reason, count) in outcome.reasons() {
            *self.failures.entry(reason).or_default() += count;
        }
        for (status, count) in &outcome.requests {
            *self.requests.entry(*status).or_default() += count;
        }
        self.failed_scopes = outcome.listings.iter().filter_map(FailedScope::examples).collect();
        for result in &outcome.listings {
            if let Some(health) = self.listings.get_mut(&result.name) {
                *health = ListingHealth::of(result);
            }
        }
    }
}

/// The status of a listing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListingHealth {
    /// Scopes in the last collection, including failed ones.
    pub scopes: u64,
    /// Failed scopes by reason; contains every reason.
    pub gaps: BTreeMap<Reason, u64>,
}

/// Failed scopes, by listing.
pub type FailedScopes = BTreeMap<String, Vec<FailedScope>>;

/// A failed scope, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedScope {
    /// Its name, such as `/api/v4/projects/124/access_tokens`.
    pub scope: String,
    pub reason: Reason,
    /// What failed, such as `GET https://…/api-tokens: 403 after 1 attempt`.
    pub what: String,
    /// The provider's error message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_message: Option<String>,
    /// The permission that the credential lacks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required_permission: Option<String>,
}

impl FailedScope {
    /// They are a part of the state that replicas share, which is small.
    pub const MAX: usize = 3;

    /// A listing and some of its failed scopes.
    fn examples(result: &ListingResult) -> Option<(String, Vec<Self>)> {
        let (mut reasons, mut first, mut again) = (BTreeSet::new(), Vec::new(), Vec::new());
        for gap in &result.gaps {
            let examples = if reasons.insert(gap.failure.reason) { &mut first } else { &mut again };
            if examples.len() < Self::MAX {
                examples.push(Self::of(gap));
            }
        }
        first.extend(again);
        first.truncate(Self::MAX);
        (!first.is_empty()).then(|| (result.name.clone(), first))
    }

    fn of(gap: &Gap) -> Self {
        let shown = |text: &str| replace_unsafe(&truncate(text), &[]);
        Self {
            scope: shown(&gap.scope),
            reason: gap.failure.reason,
            what: shown(&gap.failure.what),
            provider_message: gap.failure.provider_message.as_deref().map(shown),
            required_permission: gap.required_permission.as_deref().map(|text| shown(text.trim_end())),
        }
    }
}

impl Default for ListingHealth {
    fn default() -> Self {
        Self { scopes: 0, gaps: zeros(Reason::ALL) }
    }
}

impl ListingHealth {
    fn of(result: &ListingResult) -> Self {
        let mut health = Self::default();
        for gap in &result.gaps {
            *health.gaps.entry(gap.failure.reason).or_default() += 1;
        }
        let complete = result.scopes.iter().filter(|scope| !scope.is_step).count();
        health.scopes = (complete + result.gaps.len()) as u64;
        health
    }

    /// Adds the reasons that an older version of the program did not store.
    pub(super) fn with_every_reason(mut self) -> Self {
        for reason in Reason::ALL {
            self.gaps.entry(reason).or_insert(0);
        }
        self
    }
}

pub(super) fn zeros<K: Ord, const N: usize>(keys: [K; N]) -> BTreeMap<K, u64> {
    keys.map(|key| (key, 0)).into()
}
