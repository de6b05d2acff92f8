//! What is known now: every token of every source, and how each source is doing.
//!
//! The rules by which an answer changes what is known stand in `record`; what a token is at an instant, in `view`. Time only
//! ever comes in as an argument: a token passes from band to band, ends and is forgotten without anything being done here.

mod entry;
mod limit;
mod normalize;
mod record;
mod replaced;
mod snapshot;
mod source;
mod view;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use self::record::SourceState;
pub use self::snapshot::Snapshot;
pub use self::source::{Adjustment, ListingHealth, Policy, Source};
pub use self::view::{Finding, TokenView};
use super::outcome::Outcome;
use super::rules::Rule;

/// Every source, and its tokens.
#[derive(Debug)]
pub struct Inventory {
    sources: BTreeMap<String, SourceState>,
    rules: Arc<[Rule]>,
}

impl Default for Inventory {
    fn default() -> Self {
        Self { sources: BTreeMap::new(), rules: Arc::new([]) }
    }
}

impl Inventory {
    /// Sets what the configuration says, at the start and at each reload. Sources that it does not name, or that have another
    /// provider now, are forgotten, and so are the tokens of listings that no longer run; rules and leads hold at once for
    /// what is known.
    pub fn set_policy(&mut self, sources: BTreeMap<String, Policy>, rules: Arc<[Rule]>) {
        let mut before = std::mem::take(&mut self.sources);
        self.rules = rules;
        for (name, policy) in sources {
            let known = before.remove(&name).filter(|held| held.source.policy.provider == policy.provider);
            let mut held = known.unwrap_or_else(|| SourceState::new(policy.clone()));
            held.set_policy(&name, policy, &self.rules);
            self.sources.insert(name, held);
        }
    }

    /// Takes in what a collection of a source has brought: a complete scope replaces, a failed one keeps. What concerns a
    /// source or a listing that the configuration no longer names is passed over.
    pub fn record(&mut self, source: &str, outcome: Outcome, started: DateTime<Utc>, now: DateTime<Utc>) {
        if let Some(held) = self.sources.get_mut(source) {
            held.record(source, &self.rules, outcome, started, now);
        }
    }

    /// Every source by name.
    pub fn sources(&self) -> impl Iterator<Item = (&str, &Source)> {
        self.sources.iter().map(|(name, held)| (name.as_str(), &held.source))
    }

    /// Every token, in the order of source and id.
    pub fn tokens(&self, now: DateTime<Utc>) -> impl Iterator<Item = TokenView<'_>> {
        self.sources.iter().flat_map(move |(name, held)| held.views(name, now))
    }

    /// The next instant at which a token changes its band, its state or its findings, or is forgotten, or a source's own
    /// credential changes its band, without any collection.
    pub fn next_change(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.sources.values().filter_map(|held| held.next_change(now)).min()
    }

    /// What outlives the process, borrowed: nothing is copied.
    pub fn snapshot(&self) -> Snapshot<'_> {
        Snapshot::of(self.sources.iter())
    }

    /// Takes in what outlived an earlier process, for those sources, of the same provider, that the policy names and that
    /// were not collected yet. Set the policy first.
    pub fn restore(&mut self, snapshot: Snapshot<'_>) {
        snapshot.restore(&mut self.sources, &self.rules);
    }
}

#[cfg(test)]
mod tests;
