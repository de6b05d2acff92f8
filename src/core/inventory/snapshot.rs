//! The persistent part of the inventory. It contains no secret, as no token does.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::entry::Entry;
use super::record::{SourceState, intern, sort_by_id};
use super::source::{Adjustment, ListingHealth};
use crate::core::outcome::RateLimit;
use crate::core::refusal::Refusal;
use crate::core::rules::Rule;
use crate::core::token::Expiry;

/// The content of the persisted inventory: tokens as their providers reported them, and the status of each source. What follows
/// from rules and policies is derived again; counters start at 0.
///
/// Fields that a later version added have a default, so that files of older versions can be read.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Snapshot<'a> {
    sources: BTreeMap<Cow<'a, str>, Stored<'a>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Stored<'a> {
    provider: Cow<'a, str>,
    last_attempt: Option<DateTime<Utc>>,
    last_success: Option<DateTime<Utc>>,
    last_duration_milliseconds: Option<i64>,
    credential: Option<Expiry>,
    rate_limit: Option<RateLimit>,
    listings: Cow<'a, BTreeMap<String, ListingHealth>>,
    /// This and the next two fields: since version 2, so that an alert on them does not resolve at a restart.
    #[serde(default)]
    dropped: u64,
    #[serde(default)]
    filtered: u64,
    #[serde(default)]
    adjustments: BTreeMap<Adjustment, u64>,
    /// Absent without a refusal, so that versions that do not know it can read the file. A restart must not send a refused
    /// password once more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refusal: Option<Refusal>,
    tokens: Cow<'a, [Entry]>,
}

impl<'a> Snapshot<'a> {
    /// The version of this format, stored in the file's header.
    pub const VERSION: u32 = 2;

    /// Whether it contains no token and no source was ever collected.
    pub fn is_empty(&self) -> bool {
        self.sources.values().all(|stored| stored.last_attempt.is_none() && stored.tokens.is_empty())
    }

    pub(super) fn of(sources: impl Iterator<Item = (&'a String, &'a SourceState)>) -> Self {
        let stored = |(name, state): (&'a String, &'a SourceState)| (Cow::from(name.as_str()), Stored::of(state));
        Self { sources: sources.map(stored).collect() }
    }

    pub(super) fn restore(self, sources: &mut BTreeMap<String, SourceState>, rules: &[Rule]) {
        for (name, stored) in self.sources {
            if let Some(state) = sources.get_mut(&*name)
                && *state.source.policy.provider == *stored.provider
                && state.source.last_attempt.is_none()
            {
                stored.restore(state, &name, rules);
            }
        }
    }
}

impl<'a> Stored<'a> {
    fn of(state: &'a SourceState) -> Self {
        let source = &state.source;
        Self {
            provider: Cow::from(&source.policy.provider),
            last_attempt: source.last_attempt,
            last_success: source.last_success,
            last_duration_milliseconds: source.last_duration.map(|duration| duration.num_milliseconds()),
            credential: source.credential_expiry,
            rate_limit: source.rate_limit,
            listings: Cow::Borrowed(&source.listings),
            dropped: source.dropped,
            filtered: source.filtered,
            adjustments: state.collected_adjustments(),
            refusal: source.refusal,
            tokens: Cow::Borrowed(&state.entries),
        }
    }

    fn restore(self, state: &mut SourceState, name: &str, rules: &[Rule]) {
        let source = &mut state.source;
        source.last_attempt = self.last_attempt;
        source.last_success = self.last_success;
        source.last_duration = self.last_duration_milliseconds.and_then(TimeDelta::try_milliseconds);
        source.credential_expiry = self.credential;
        source.rate_limit = self.rate_limit;
        source.refusal = self.refusal;
        for (name, health) in self.listings.into_owned() {
            if let Some(known) = source.listings.get_mut(&name) {
                *known = health.with_every_reason();
            }
        }
        source.dropped = self.dropped;
        source.filtered = self.filtered;
        state.restore_adjustments(&self.adjustments);
        let mut entries = self.tokens.into_owned();
        let (mut listings, mut paths) = (BTreeSet::new(), BTreeSet::new());
        for entry in &mut entries {
            entry.listing = intern(&mut listings, entry.listing.clone());
            entry.path = intern(&mut paths, entry.path.clone());
        }
        sort_by_id(&mut entries);
        state.set_entries(entries, name, rules);
    }
}
