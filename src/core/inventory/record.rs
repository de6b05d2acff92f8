//! How the outcome of a collection changes the inventory: complete scopes replace their tokens, failed ones keep them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::entries::Entries;
use super::entry::Entry;
use super::normalize::Normalizer;
use super::source::{Adjustment, Policy, Revision, Source};
use super::{limit, replaced};
use crate::core::outcome::{Outcome, Path};
use crate::core::rules::{self, Overrides, Rule, RuleResult};
use crate::core::token::{Expiry, Owner};

/// A source and its tokens.
#[derive(Debug)]
pub(super) struct SourceState {
    pub(super) source: Source,
    pub(super) revision: Revision,
    /// Ordered by id, without duplicates.
    pub(super) entries: Entries,
    /// The overrides of all entries. Many are equal and share one.
    overrides: BTreeSet<Arc<Overrides>>,
    /// Addresses from the provider that were refused.
    refused_addresses: u64,
}

impl SourceState {
    pub(super) fn new(policy: Policy) -> Self {
        let (entries, overrides) = (Entries::default(), BTreeSet::new());
        Self { source: Source::new(policy), revision: Revision::default(), entries, overrides, refused_addresses: 0 }
    }

    pub(super) fn set_policy(&mut self, name: &str, policy: Policy, rules: &[Rule]) {
        self.source.set_policy(policy);
        let entries = std::mem::take(&mut self.entries);
        self.set_entries(entries, name, rules);
    }

    /// Sets the tokens, ordered by id, except those whose listing does not run and those that a rule drops.
    pub(super) fn set_entries(&mut self, mut entries: Entries, name: &str, rules: &[Rule]) {
        entries.retain(|entry| self.source.listings.contains_key(&*entry.listing));
        self.entries = entries;
        self.source.filtered += self.apply_rules(name, rules, None, |_| true);
        self.update_derived();
    }

    /// Applies the rules again to tokens whose state has changed since. Whether any rule depends on the state.
    pub(super) fn update_states(&mut self, name: &str, rules: &[Rule], now: DateTime<Utc>) -> bool {
        let depends = depend_on_state(rules);
        if depends {
            self.source.filtered += self.apply_rules(name, rules, Some(now), |_| false);
            self.update_derived();
        }
        depends
    }

    pub(super) fn record(
        &mut self,
        name: &str,
        rules: &[Rule],
        outcome: Outcome,
        started: DateTime<Utc>,
        now: DateTime<Utc>,
    ) {
        self.source.record(&outcome, started, now);
        let coverage = Coverage::of(&outcome);
        let has_scopes = outcome.is_complete() || outcome.listings.iter().any(|listing| !listing.scopes.is_empty());
        let adjustments = self.merge(outcome);

        let retention = self.source.policy.expired_retention;
        self.entries.retain_mut(|entry| {
            entry.listed_now
                || if coverage.covers(entry) {
                    entry.mark_missing(now, retention)
                } else {
                    !entry.is_evictable(now, retention)
                }
        });
        let filtered = self.apply_rules(name, rules, Some(now), |entry| entry.listed_now);
        let dropped = limit::enforce(&mut self.entries, &self.source.policy, now);
        self.entries.shrink_to_fit();
        if has_scopes {
            self.source.filtered = filtered;
            self.source.dropped = dropped;
            self.refused_addresses = adjustments[&Adjustment::RefusedAddress];
            self.source.adjustments = adjustments;
        }
        self.update_derived();
    }

    /// Inserts or updates every listed token. Of rows with the same id the one that expires first counts, so that a duplicate hides no
    /// alert. Returns the adjustments.
    fn merge(&mut self, outcome: Outcome) -> BTreeMap<Adjustment, u64> {
        let known = self.entries.len();
        let mut normalizer = Normalizer::new();
        for entry in self.entries.iter_mut() {
            entry.listed_now = false;
        }
        for result in outcome.listings.into_iter().filter(|result| self.source.listings.contains_key(&result.name)) {
            let listing: Arc<str> = result.name.into();
            for scope in result.scopes {
                for mut token in scope.tokens {
                    normalizer.normalize(&mut token);
                    match self.entries[..known].binary_search_by(|entry| entry.id().cmp(&token.id)) {
                        Ok(at) if self.entries[at].listed_now => {
                            normalizer.count(Adjustment::DuplicateId);
                            if urgency(token.expires) < urgency(self.entries[at].token.expires) {
                                self.entries[at].update(token, listing.clone(), scope.path.clone());
                            }
                        }
                        Ok(at) => self.entries[at].update(token, listing.clone(), scope.path.clone()),
                        Err(_) => self.entries.push(Entry::new(token, listing.clone(), scope.path.clone())),
                    }
                }
            }
        }
        let with_duplicates = self.entries.len();
        sort_by_id(&mut self.entries);
        let mut adjustments = normalizer.counts;
        *adjustments.entry(Adjustment::DuplicateId).or_default() += (with_duplicates - self.entries.len()) as u64;
        adjustments.insert(Adjustment::UnreadField, outcome.unread_fields);
        adjustments
    }

    /// Applies the rules to these entries, and to those whose state has changed. Returns how many it dropped. Without a time the
    /// states are unknown.
    fn apply_rules(
        &mut self,
        name: &str,
        rules: &[Rule],
        now: Option<DateTime<Utc>>,
        is_affected: impl Fn(&Entry) -> bool,
    ) -> u64 {
        let before = self.entries.len();
        let Policy { provider, without_replacement, .. } = &self.source.policy;
        let now = now.filter(|_| depend_on_state(rules));
        if now.is_some() {
            replaced::mark_replaced(&mut self.entries, without_replacement, |entry| entry.token.expires);
        }
        self.entries.retain_mut(|entry| {
            let state = now.map(|now| entry.state_with(entry.token.expires, now));
            if !is_affected(entry) && state == entry.rule_state {
                return true;
            }
            entry.rule_state = state;
            match rules::apply(rules, name, provider, &entry.token, state) {
                RuleResult::Dropped => false,
                RuleResult::Kept(overrides) => {
                    entry.overrides =
                        (overrides != Overrides::default()).then(|| intern(&mut self.overrides, Arc::new(overrides)));
                    true
                }
            }
        });
        (before - self.entries.len()) as u64
    }

    /// The adjustments of the last collection, without those that depend on rules.
    pub(super) fn collected_adjustments(&self) -> BTreeMap<Adjustment, u64> {
        let mut adjustments = self.source.adjustments.clone();
        adjustments.insert(Adjustment::RefusedAddress, self.refused_addresses);
        adjustments.remove(&Adjustment::HiddenAddress);
        adjustments
    }

    /// Restores [`Self::collected_adjustments`]. [`Self::set_entries`] or [`Self::count_adjustments`] must follow.
    pub(super) fn restore_adjustments(&mut self, adjustments: &BTreeMap<Adjustment, u64>) {
        self.source.adjustments.extend(adjustments);
        self.refused_addresses = adjustments.get(&Adjustment::RefusedAddress).copied().unwrap_or_default();
    }

    /// Updates what depends on all tokens of the source.
    fn update_derived(&mut self) {
        replaced::mark_replaced(&mut self.entries, &self.source.policy.without_replacement, Entry::expires);
        self.overrides.retain(|overrides| Arc::strong_count(overrides) > 1);
        self.count_adjustments();
    }

    /// Adds the adjustments that depend on rules.
    pub(super) fn count_adjustments(&mut self) {
        let is_refused = |entry: &&Entry| entry.overrides.as_ref().is_some_and(|overrides| overrides.refused_address);
        let by_rules = self.entries.iter().filter(is_refused).count() as u64;
        self.source.adjustments.insert(Adjustment::RefusedAddress, self.refused_addresses + by_rules);
        let hidden = self.entries.iter().filter(|entry| entry.owner().is_some_and(Owner::has_address_in_label)).count();
        self.source.adjustments.insert(Adjustment::HiddenAddress, hidden as u64);
    }
}

fn depend_on_state(rules: &[Rule]) -> bool {
    rules.iter().any(|rule| !rule.matches.state.is_empty())
}

/// Sorts entries by id. Of duplicates it keeps the one that expires first.
pub(super) fn sort_by_id(entries: &mut Vec<Entry>) {
    entries.sort_by(|a, b| a.id().cmp(b.id()).then_with(|| urgency(a.token.expires).cmp(&urgency(b.token.expires))));
    entries.dedup_by(|later, first| later.id() == first.id());
}

/// Orders expiries: the soonest, then an unknown one, then never.
pub(super) fn urgency(expires: Expiry) -> (u8, Option<DateTime<Utc>>) {
    match expires {
        Expiry::At(at) | Expiry::Policy(at) => (0, Some(at)),
        Expiry::Unknown => (1, None),
        Expiry::Never => (2, None),
    }
}

/// The first of all equal values, so that they share memory.
pub(super) fn intern<T: Clone + Ord>(known: &mut BTreeSet<T>, value: T) -> T {
    if let Some(first) = known.get(&value) {
        return first.clone();
    }
    known.insert(value.clone());
    value
}

/// The scopes in which a token that was not listed counts as missing: all of the collected listings, except those at or below a
/// gap or a path with malformed rows, as any of these may be the token.
struct Coverage {
    /// Uncovered paths by listing.
    uncovered: HashMap<String, HashSet<Path>>,
}

impl Coverage {
    fn of(outcome: &Outcome) -> Self {
        let mut uncovered: HashMap<String, HashSet<Path>> = HashMap::new();
        for listing in &outcome.listings {
            let gaps = listing.gaps.iter().map(|gap| &gap.path);
            let malformed = listing.scopes.iter().filter(|scope| !scope.malformed.is_empty()).map(|scope| &scope.path);
            uncovered.entry(listing.name.clone()).or_default().extend(gaps.chain(malformed).cloned());
        }
        Self { uncovered }
    }

    fn covers(&self, entry: &Entry) -> bool {
        let uncovered = self.uncovered.get(&*entry.listing);
        uncovered.is_some_and(|uncovered| !entry.path.covering().any(|path| uncovered.contains(path)))
    }
}
