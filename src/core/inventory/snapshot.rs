//! One source as it is stored: its state and its tokens. It contains no secret, as no token does.
//!
//! Tokens are stored as their providers reported them. What follows from rules and policies is derived again.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::Inventory;
use super::entries::Entries;
use super::entry::{Entry, Places};
use super::record::{SourceState, sort_by_id};
use super::source::{FailedScopes, ListingHealth, Revision, Source, zeros};
use crate::core::adjustment::Adjustments;
use crate::core::failure::Reason;
use crate::core::intake::Pool;
use crate::core::location_report::LocationReport;
use crate::core::outcome::RateLimit;
use crate::core::refusal::Refusal;
use crate::core::token::Expiry;

/// A source as it is stored.
#[derive(Clone, Debug)]
pub struct StoredSource {
    pub state: StoredState,
    pub tokens: StoredTokens,
}

/// The state of a source without its tokens, about one kilobyte.
///
/// Fields that a later version added have a default, so that older files can be read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StoredState {
    pub provider: String,
    pub last_attempt: Option<DateTime<Utc>>,
    pub last_success: Option<DateTime<Utc>>,
    pub last_duration_milliseconds: Option<i64>,
    pub credential: Option<Expiry>,
    pub rate_limit: Option<RateLimit>,
    pub listings: BTreeMap<String, ListingHealth>,
    /// This and the next two fields: since format 2, so that an alert on them does not resolve at a restart.
    #[serde(default)]
    pub dropped: u64,
    #[serde(default)]
    pub filtered: u64,
    #[serde(default)]
    pub adjustments: Adjustments,
    /// On this machine only: a restart must not send a refused password once more. Nothing that helps to guess a password leaves
    /// the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    /// Among replicas only: after a restart counters start at 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<SharedStatus>,
    /// Where it found tokens: ids and places.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locations: Option<LocationReport>,
}

/// What replicas share and a restart resets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SharedStatus {
    /// Whether the last collection was complete.
    pub up: Option<bool>,
    /// Requests by response status.
    pub requests: BTreeMap<u16, u64>,
    pub failures: BTreeMap<Reason, u64>,
    #[serde(default, skip_serializing_if = "FailedScopes::is_empty")]
    pub failed_scopes: FailedScopes,
}

/// The tokens of a source, ordered by id. A clone shares them.
#[derive(Clone, Debug)]
pub struct StoredTokens {
    provider: String,
    entries: Entries,
}

/// One token and the scope that listed it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StoredToken(Entry);

impl StoredTokens {
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// The tokens in the form in which they are stored.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = impl Serialize + '_> {
        self.entries.iter()
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// Takes stored tokens one after the other; equal values of them share memory.
#[derive(Debug, Default)]
pub struct TokensBuilder {
    entries: Vec<Entry>,
    pool: Pool,
    places: Places,
}

impl TokensBuilder {
    pub fn push(&mut self, StoredToken(mut entry): StoredToken) {
        entry.share(&mut self.pool, &mut self.places);
        self.entries.push(entry);
    }

    pub fn build(mut self, provider: String) -> StoredTokens {
        sort_by_id(&mut self.entries);
        self.entries.shrink_to_fit();
        StoredTokens { provider, entries: self.entries.into() }
    }
}

/// The whole inventory in one JSON value: the formats 1 and 2.
#[derive(Debug, Deserialize)]
pub struct FormerInventory {
    sources: BTreeMap<String, FormerSource>,
}

#[derive(Debug, Deserialize)]
struct FormerSource {
    #[serde(flatten)]
    state: StoredState,
    tokens: Vec<StoredToken>,
}

impl FormerInventory {
    pub fn into_sources(self) -> impl Iterator<Item = (String, StoredSource)> {
        self.sources.into_iter().map(|(name, FormerSource { state, tokens })| {
            let mut builder = TokensBuilder::default();
            tokens.into_iter().for_each(|token| builder.push(token));
            let tokens = builder.build(state.provider.clone());
            (name, StoredSource { state, tokens })
        })
    }
}

impl StoredState {
    /// Whether it is of a later collection than another state: the one with the later success, otherwise the later attempt.
    pub fn is_newer_than(&self, other: &Self) -> bool {
        (self.last_success, self.last_attempt) > (other.last_success, other.last_attempt)
    }
}

impl Inventory {
    /// A source as this machine stores it; `None` before its first collection.
    pub fn stored(&self, name: &str) -> Option<StoredSource> {
        self.store(name, |state, source| state.refusal = source.refusal)
    }

    /// A source as replicas share it; `None` before its first collection.
    pub fn shared(&self, name: &str) -> Option<StoredSource> {
        self.store(name, |state, source| {
            let (requests, failures) = (source.requests.clone(), source.failures.clone());
            let failed_scopes = source.failed_scopes.clone();
            state.shared = Some(SharedStatus { up: source.up, requests, failures, failed_scopes });
        })
    }

    fn store(&self, name: &str, complete: impl FnOnce(&mut StoredState, &Source)) -> Option<StoredSource> {
        let state = self.sources.get(name).filter(|state| !state.is_new())?;
        let mut stored = StoredSource::of(state);
        complete(&mut stored.state, &state.source);
        Some(stored)
    }

    /// Restores what this machine stored, after the first [`Self::set_policy`]. Without a state, only the tokens; without tokens,
    /// only the refusal, as a state would claim a success without its result. Ignores a source that is not configured, changed its
    /// provider or was collected already.
    pub fn restore(&mut self, name: &str, stored: Option<StoredState>, tokens: Option<StoredTokens>) {
        let Some(state) = self.sources.get_mut(name).filter(|state| state.is_new()) else { return };
        let provider = state.source.policy.provider.clone();
        let stored = stored.filter(|stored| stored.provider == provider);
        state.source.refusal = stored.as_ref().and_then(|stored| stored.refusal);
        if let Some(tokens) = tokens.filter(|tokens| tokens.provider == provider) {
            if let Some(stored) = stored {
                state.apply_stored(stored);
            }
            state.set_entries(tokens.entries, name, &self.rules);
        }
        self.changes += 1;
        state.revision = Revision { tokens: self.changes, status: self.changes };
        if self.rules.owners.is_authoritative(name) {
            self.update_owners();
        }
        self.update_locations();
    }

    /// Replaces what is known of a source by what another replica stored later; without tokens, those that are known are still
    /// current. Ignores a source that is not configured or has another provider. Whether it was replaced.
    pub fn adopt(&mut self, name: &str, stored: StoredState, tokens: Option<StoredTokens>, now: DateTime<Utc>) -> bool {
        let Some(state) = self.sources.get_mut(name) else { return false };
        let is_provider = |provider: &str| *state.source.policy.provider == *provider;
        if !is_provider(&stored.provider) || !tokens.iter().all(|tokens| is_provider(&tokens.provider)) {
            return false;
        }
        let before = state.content();
        state.apply_stored(stored);
        if let Some(tokens) = tokens {
            state.set_entries(tokens.entries, name, &self.rules);
            state.update_states(name, &self.rules, now);
        } else {
            state.sum_adjustments();
        }
        self.changes += 1;
        state.revision.status = self.changes;
        if state.has_changed_since(&before) {
            state.revision.tokens = self.changes;
            if self.rules.owners.is_authoritative(name) {
                self.update_owners();
            }
        }
        self.update_locations();
        true
    }
}

impl StoredSource {
    fn of(state: &SourceState) -> Self {
        let source = &state.source;
        let provider = source.policy.provider.clone();
        let stored = StoredState {
            provider: provider.clone(),
            last_attempt: source.last_attempt,
            last_success: source.last_success,
            last_duration_milliseconds: source.last_duration.map(|duration| duration.num_milliseconds()),
            credential: source.credential_expiry,
            rate_limit: source.rate_limit,
            listings: source.listings.clone(),
            dropped: source.dropped,
            filtered: source.filtered,
            adjustments: state.collected_adjustments(),
            refusal: None,
            shared: None,
            locations: state.located.clone(),
        };
        Self { state: stored, tokens: StoredTokens { provider, entries: state.entries.clone() } }
    }
}

impl SourceState {
    /// Whether there was neither a collection nor a restored token.
    fn is_new(&self) -> bool {
        self.source.last_attempt.is_none() && self.entries.is_empty()
    }

    /// Sets everything but tokens and refusal. [`Self::set_entries`] or [`Self::sum_adjustments`] must follow.
    fn apply_stored(&mut self, stored: StoredState) {
        let source = &mut self.source;
        source.last_attempt = stored.last_attempt;
        source.last_success = stored.last_success;
        source.last_duration = stored.last_duration_milliseconds.and_then(TimeDelta::try_milliseconds);
        source.credential_expiry = stored.credential;
        source.rate_limit = stored.rate_limit;
        for (name, health) in stored.listings {
            if let Some(known) = source.listings.get_mut(&name) {
                *known = health.with_every_reason();
            }
        }
        source.dropped = stored.dropped;
        source.filtered = stored.filtered;
        if let Some(shared) = stored.shared {
            source.up = shared.up;
            source.requests = shared.requests;
            source.failed_scopes = shared.failed_scopes;
            source.failures = zeros(Reason::ALL);
            source.failures.extend(shared.failures);
        }
        self.located = stored.locations.filter(|_| self.source.policy.finds_locations);
        self.collected_adjustments = stored.adjustments;
    }
}
