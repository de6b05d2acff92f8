//! What outlives the process. It holds no secret, for a token holds none.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::entry::Entry;
use super::record::SourceState;
use super::source::{Adjustment, ListingHealth};
use crate::core::outcome::{Path, RateLimit};
use crate::core::rules::Rule;
use crate::core::token::Expiry;

/// The content of the stored inventory: tokens as their providers listed them, and how each source was doing. What rules and
/// policies make of it is worked out anew; counters begin anew with the process.
///
/// A field that a later version added has a default, so that the files of the versions before are read.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Snapshot<'a> {
    sources: BTreeMap<Cow<'a, str>, Stored<'a>>,
}

/// What is stored of one source.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Stored<'a> {
    provider: Cow<'a, str>,
    last_attempt: Option<DateTime<Utc>>,
    last_success: Option<DateTime<Utc>>,
    last_duration_milliseconds: Option<i64>,
    credential: Option<Expiry>,
    rate_limit: Option<RateLimit>,
    listings: Cow<'a, BTreeMap<String, ListingHealth>>,
    /// Since version 2, as all that follows but the tokens: an alert on what was left out must not end with the process.
    #[serde(default)]
    dropped: u64,
    #[serde(default)]
    filtered: u64,
    #[serde(default)]
    adjustments: BTreeMap<Adjustment, u64>,
    tokens: Cow<'a, [Entry]>,
}

impl<'a> Snapshot<'a> {
    /// The version of this content's form. It is stored beside it, and raised when the form changes.
    pub const VERSION: u32 = 2;

    /// Whether there is nothing in it: no token, and no source that was ever attempted.
    pub fn is_empty(&self) -> bool {
        self.sources.values().all(|stored| stored.last_attempt.is_none() && stored.tokens.is_empty())
    }

    pub(super) fn of(sources: impl Iterator<Item = (&'a String, &'a SourceState)>) -> Self {
        let stored = |(name, held): (&'a String, &'a SourceState)| (Cow::from(name.as_str()), Stored::of(held));
        Self { sources: sources.map(stored).collect() }
    }

    pub(super) fn restore(self, sources: &mut BTreeMap<String, SourceState>, rules: &[Rule]) {
        for (name, stored) in self.sources {
            let held = sources.get_mut(&*name);
            let held = held
                .filter(|held| *held.source.policy.provider == *stored.provider && held.source.last_attempt.is_none());
            if let Some(held) = held {
                stored.restore(held, &name, rules);
            }
        }
    }
}

impl<'a> Stored<'a> {
    fn of(held: &'a SourceState) -> Self {
        let source = &held.source;
        Self {
            provider: Cow::from(&source.policy.provider),
            last_attempt: source.last_attempt,
            last_success: source.last_success,
            last_duration_milliseconds: source.last_duration.map(|duration| duration.num_milliseconds()),
            credential: source.credential,
            rate_limit: source.rate_limit,
            listings: Cow::Borrowed(&source.listings),
            dropped: source.dropped,
            filtered: source.filtered,
            adjustments: held.adjusted(),
            tokens: Cow::Borrowed(&held.entries),
        }
    }

    fn restore(self, held: &mut SourceState, name: &str, rules: &[Rule]) {
        let source = &mut held.source;
        source.last_attempt = self.last_attempt;
        source.last_success = self.last_success;
        source.last_duration = self.last_duration_milliseconds.and_then(TimeDelta::try_milliseconds);
        source.credential = self.credential;
        source.rate_limit = self.rate_limit;
        for (name, health) in self.listings.into_owned() {
            if let Some(known) = source.listings.get_mut(&name) {
                *known = health.completed();
            }
        }
        source.dropped = self.dropped;
        source.filtered = self.filtered;
        held.adjust(&self.adjustments);
        held.hold(sound(self.tokens.into_owned()), name, rules);
    }
}

/// The entries in the order of their ids, each once, with one text for what many have in common.
fn sound(mut entries: Vec<Entry>) -> Vec<Entry> {
    let mut listings: HashSet<Arc<str>> = HashSet::new();
    let mut paths: HashSet<Path> = HashSet::new();
    for entry in &mut entries {
        entry.listing = once(&mut listings, &entry.listing);
        entry.path = once(&mut paths, &entry.path);
    }
    entries.sort_by(|a, b| a.id().cmp(b.id()));
    entries.dedup_by(|later, first| later.id() == first.id());
    entries
}

/// The first of those that are equal.
fn once<T: Clone + Eq + std::hash::Hash>(known: &mut HashSet<T>, value: &T) -> T {
    if let Some(first) = known.get(value) {
        return first.clone();
    }
    known.insert(value.clone());
    value.clone()
}
