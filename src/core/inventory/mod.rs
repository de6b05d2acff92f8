//! The inventory: every known token, and the status of every source.
//!
//! `record` defines how the result of a collection changes the inventory; `view` derives a token's state, band and findings
//! at a given time. Time is always an argument: tokens change band, expire and are evicted without any call.

mod entries;
mod entry;
mod joined;
mod limit;
mod locations;
mod record;
mod replaced;
mod snapshot;
mod source;
mod view;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use parking_lot::RwLock;

pub use self::joined::{FoundCredentials, FoundResult};
use self::record::SourceState;
pub use self::snapshot::{
    FormerInventory, SharedStatus, StoredSource, StoredState, StoredToken, StoredTokens, TokensBuilder,
};
pub use self::source::{FailedScope, FailedScopes, ListingHealth, Policy, Revision, Source};
pub use self::view::{Finding, Findings, TokenView};
use super::intake::Intake;
use super::location_report::LocationReport;
use super::outcome::Outcome;
use super::owners::Join;
use super::rules::{self, Rule, RuleEffect, RuleResult, RuledSource, Rules};
use super::token::State;

/// The inventory as the collector writes it and everything else reads it.
pub type SharedInventory = Arc<RwLock<Inventory>>;

/// All sources and their tokens.
#[derive(Debug, Default)]
pub struct Inventory {
    sources: BTreeMap<String, SourceState>,
    rules: Rules,
    /// The number of changes.
    changes: u64,
}

impl Inventory {
    /// Applies the configuration, at the start and at each reload. Removes sources that it does not contain or that changed
    /// their provider, and the tokens of listings that no longer run. Rules and leads apply to known tokens at once.
    pub fn set_policy(&mut self, sources: BTreeMap<String, Policy>, rules: impl Into<Rules>) {
        let mut previous = std::mem::take(&mut self.sources);
        self.rules = rules.into();
        self.changes += 1;
        let changed = Revision { tokens: self.changes, status: self.changes };
        for (name, policy) in sources {
            let known = previous.remove(&name).filter(|state| state.source.policy.provider == policy.provider);
            let is_same = known.as_ref().is_some_and(|state| state.source.policy == policy);
            let mut state = known.unwrap_or_else(|| SourceState::new(policy.clone()));
            let before = state.content();
            state.set_policy(&name, policy, &self.rules);
            if !is_same || state.has_changed_since(&before) {
                state.revision = changed;
            }
            self.sources.insert(name, state);
        }
        self.update_owners();
        self.update_locations();
    }

    /// Joins every token again if the owners that authoritative sources report have changed.
    fn update_owners(&mut self) {
        let authoritative = self.sources.iter().filter(|(name, _)| self.rules.owners.is_authoritative(name));
        let reported: Vec<_> = authoritative.flat_map(|(_, state)| state.reported_owners()).collect();
        if !self.rules.owners.set_reported(reported.into_iter()) {
            return;
        }
        self.changes += 1;
        for (name, state) in &mut self.sources {
            let before = state.content();
            state.apply_all_rules(name, &self.rules);
            if state.has_changed_since(&before) {
                state.revision.tokens = self.changes;
            }
        }
    }

    /// Applies rules that match a state to tokens whose state has changed. Call it after [`Self::set_policy`] and
    /// [`Self::restore`], and at [`Self::next_change`].
    pub fn update_states(&mut self, now: DateTime<Utc>) {
        self.changes += 1;
        for (name, state) in &mut self.sources {
            let before = state.content();
            state.update_states(name, &self.rules, now);
            if state.has_changed_since(&before) {
                state.revision.tokens = self.changes;
            }
        }
    }

    /// What the next collection of a source needs to recognize unchanged tokens; nothing for a source that the configuration does
    /// not contain.
    pub fn intake(&self, source: &str) -> Intake {
        self.sources.get(source).map(SourceState::intake).unwrap_or_default()
    }

    /// Records the outcome of a collection: complete scopes replace their tokens, failed ones keep them. Ignores sources and
    /// listings that the configuration no longer contains.
    pub fn record(&mut self, source: &str, mut outcome: Outcome, started: DateTime<Utc>, now: DateTime<Utc>) {
        let report = outcome.locations.take().map(|report| self.without_ids_inside(report));
        if let Some(state) = self.sources.get_mut(source) {
            let before = state.content();
            if let Some(report) = report {
                state.located = Some(report.over(state.located.take(), now));
            }
            state.record(source, &self.rules, outcome, started, now);
            self.changes += 1;
            state.revision.status = self.changes;
            if state.has_changed_since(&before) {
                state.revision.tokens = self.changes;
                if self.rules.owners.is_authoritative(source) {
                    self.update_owners();
                }
            }
        }
        self.update_locations();
    }

    /// Removes the ids that were read from a value, and that no listing publishes: they are a part of a secret.
    fn without_ids_inside(&self, mut report: LocationReport) -> LocationReport {
        for located in report.located.iter_mut().filter(|located| located.is_id_inside) {
            let state = self.sources.get(&*located.source);
            located.id = located.id.take().filter(|id| state.is_some_and(|state| state.lists(Some(id))));
        }
        report
    }

    /// What the directory and each rule do with a token that is in this state before rules change its expiry. It may be a token
    /// that they drop. `None` for a source that the configuration does not contain.
    pub fn explain(&self, view: &TokenView<'_>, state: State) -> Option<(Join<'_>, RuleResult, Vec<RuleEffect>)> {
        let policy = &self.sources.get(view.source)?.source.policy;
        let source = RuledSource { name: view.source, provider: view.provider, rotate_after: policy.rotate_after };
        let is_login = policy.owner_logins.iter().any(|listing| listing == view.listing);
        let owner = view.token.owner.as_deref();
        let find = |owner| self.rules.owners.find(view.source, view.provider, owner, is_login);
        let join = owner.map_or(Join::Nobody, find);
        let (result, effects) = rules::trace(&self.rules.list, join, source, view.token, state);
        Some((join, result, effects))
    }

    /// The rules, in order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules.list
    }

    /// All sources, by name.
    pub fn sources(&self) -> impl Iterator<Item = (&str, &Source)> {
        self.sources.iter().map(|(name, state)| (name.as_str(), &state.source))
    }

    /// The source with this name.
    pub fn source(&self, name: &str) -> Option<&Source> {
        self.sources.get(name).map(|state| &state.source)
    }

    /// The number of tokens of every source, by name; expired and missing ones count until the next collection.
    pub fn token_counts(&self) -> impl Iterator<Item = (String, usize)> {
        self.sources.iter().map(|(name, state)| (name.clone(), state.entries.len()))
    }

    /// The number of tokens of one source, as [`Self::token_counts`] counts them.
    pub fn token_count(&self, name: &str) -> usize {
        self.sources.get(name).map_or(0, |state| state.entries.len())
    }

    /// What the source with this name was at its last change.
    pub fn revision(&self, name: &str) -> Option<Revision> {
        self.sources.get(name).map(|state| state.revision)
    }

    /// The tokens of one source, ordered by id.
    pub fn source_tokens(&self, name: &str, now: DateTime<Utc>) -> impl Iterator<Item = TokenView<'_>> {
        self.source_tokens_at(name, 0..usize::MAX, now)
    }

    /// Some tokens of one source, by their positions in the list of [`Self::token_count`] tokens.
    pub fn source_tokens_at(
        &self,
        name: &str,
        positions: Range<usize>,
        now: DateTime<Utc>,
    ) -> impl Iterator<Item = TokenView<'_>> {
        let source = self.sources.get_key_value(name);
        source.into_iter().flat_map(move |(name, state)| state.views(name, positions.clone(), now))
    }

    /// One token.
    pub fn token(&self, source: &str, id: &str, now: DateTime<Utc>) -> Option<TokenView<'_>> {
        self.sources.get_key_value(source).and_then(|(name, state)| state.view(name, id, now))
    }

    /// The other tokens of the same source, kind, owner and name: those that a token replaces, or that replace it. Ordered by id.
    pub fn rotations<'a>(&'a self, of: &'a TokenView<'a>, now: DateTime<Utc>) -> impl Iterator<Item = TokenView<'a>> {
        let source = self.sources.get_key_value(of.source);
        source.into_iter().flat_map(move |(name, state)| state.rotations(name, of, now))
    }

    /// When one of the tokens at these positions changes, see [`Self::next_change`].
    pub fn source_next_change(&self, name: &str, positions: Range<usize>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.sources.get(name).and_then(|state| state.next_change(positions, now))
    }

    /// All tokens, ordered by source and id.
    pub fn tokens(&self, now: DateTime<Utc>) -> impl Iterator<Item = TokenView<'_>> {
        self.sources.iter().flat_map(move |(name, state)| state.views(name, 0..usize::MAX, now))
    }

    /// When a token changes band, state or findings, or is evicted, or the exporter's own credential changes band, without a
    /// collection.
    pub fn next_change(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let of_tokens = self.sources.values().filter_map(|state| state.next_change(0..usize::MAX, now));
        let of_credentials = self.sources().filter_map(|(_, source)| source.credential_next_change(now));
        of_tokens.chain(of_credentials).min()
    }
}

#[cfg(test)]
mod tests;
