//! How an answer changes what is known: a complete scope replaces, a failed one keeps.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::entry::Entry;
use super::normalize::AdjustmentCounts;
use super::source::{Adjustment, Policy, Source};
use super::{limit, replaced};
use crate::core::outcome::{Outcome, Path};
use crate::core::rules::{self, Overrides, Rule, RuleResult};

/// A source and its tokens.
#[derive(Debug)]
pub(super) struct SourceState {
    pub(super) source: Source,
    /// In the order of their ids, each once.
    pub(super) entries: Vec<Entry>,
    /// What the rules make of tokens. For many it is the same, and kept once.
    changes: BTreeSet<Arc<Overrides>>,
    /// Addresses that the provider told and that were refused.
    refused: u64,
}

impl SourceState {
    pub(super) fn new(policy: Policy) -> Self {
        Self { source: Source::new(policy), entries: Vec::new(), changes: BTreeSet::new(), refused: 0 }
    }

    pub(super) fn set_policy(&mut self, name: &str, policy: Policy, rules: &[Rule]) {
        self.source.set_policy(policy);
        let known = std::mem::take(&mut self.entries);
        self.hold(known, name, rules);
    }

    /// Holds these tokens, in the order of their ids, as far as their listing runs and the rules leave them in.
    pub(super) fn hold(&mut self, mut entries: Vec<Entry>, name: &str, rules: &[Rule]) {
        entries.retain(|entry| self.source.listings.contains_key(&*entry.listing));
        self.entries = entries;
        self.source.filtered += self.rule(name, rules, |_| true);
        self.settle();
    }

    pub(super) fn record(
        &mut self,
        name: &str,
        rules: &[Rule],
        outcome: Outcome,
        started: DateTime<Utc>,
        now: DateTime<Utc>,
    ) {
        self.source.note(&outcome, started, now);
        let word = Coverage::of(&outcome);
        let answered = outcome.is_complete() || outcome.listings.iter().any(|listed| !listed.scopes.is_empty());
        let adjusted = self.take_in(outcome);

        let retention = self.source.policy.expired_retention;
        self.entries.retain_mut(|entry| {
            entry.named
                || if word.counts_for(entry) {
                    entry.missed(now, retention)
                } else {
                    !entry.is_forgotten(now, retention)
                }
        });
        let filtered = self.rule(name, rules, |entry| entry.named);
        let dropped = limit::keep(&mut self.entries, &self.source.policy, now);
        self.entries.shrink_to_fit();
        if answered {
            self.source.filtered = filtered;
            self.source.dropped = dropped;
            self.refused = adjusted.refused();
            self.source.adjustments = adjusted.0;
        }
        self.settle();
    }

    /// Takes in every token that is named, where its id is named first. Entries stay in the order of their ids.
    fn take_in(&mut self, outcome: Outcome) -> Adjustments {
        let known = self.entries.len();
        let mut counts = AdjustmentCounts::default();
        let mut duplicates = 0;
        for entry in &mut self.entries {
            entry.named = false;
        }
        for listed in outcome.listings.into_iter().filter(|listed| self.source.listings.contains_key(&listed.name)) {
            let listing: Arc<str> = listed.name.into();
            for scope in listed.scopes {
                for mut token in scope.tokens {
                    counts.clean(&mut token);
                    match self.entries[..known].binary_search_by(|entry| entry.id().cmp(&token.id)) {
                        Ok(at) if self.entries[at].named => duplicates += 1,
                        Ok(at) => self.entries[at].seen(token, listing.clone(), scope.path.clone()),
                        Err(_) => self.entries.push(Entry::new(token, listing.clone(), scope.path.clone())),
                    }
                }
            }
        }
        let named = self.entries.len();
        self.entries.sort_by(|a, b| a.id().cmp(b.id()));
        self.entries.dedup_by(|later, first| later.id() == first.id());
        duplicates += (named - self.entries.len()) as u64;
        Adjustments::of(counts, duplicates, outcome.unread_fields)
    }

    /// Applies the rules to these entries; says how many they leave out.
    fn rule(&mut self, name: &str, rules: &[Rule], concerned: impl Fn(&Entry) -> bool) -> u64 {
        let before = self.entries.len();
        let provider = &self.source.policy.provider;
        self.entries.retain_mut(|entry| {
            if !concerned(entry) {
                return true;
            }
            match rules::apply(rules, name, provider, &entry.token) {
                RuleResult::Dropped => false,
                RuleResult::Kept(changes) => {
                    entry.changes = (changes != Overrides::default()).then(|| shared(&mut self.changes, changes));
                    true
                }
            }
        });
        (before - self.entries.len()) as u64
    }

    /// What the last answer had to adjust, without what rules have added to it since.
    pub(super) fn adjusted(&self) -> BTreeMap<Adjustment, u64> {
        let mut adjustments = self.source.adjustments.clone();
        adjustments.insert(Adjustment::RefusedAddress, self.refused);
        adjustments
    }

    /// Takes in what an earlier process has told by [`Self::adjusted`]. [`Self::hold`] follows.
    pub(super) fn adjust(&mut self, adjustments: &BTreeMap<Adjustment, u64>) {
        self.source.adjustments.extend(adjustments);
        self.refused = adjustments.get(&Adjustment::RefusedAddress).copied().unwrap_or_default();
    }

    /// Brings in order what follows from all tokens together.
    fn settle(&mut self) {
        replaced::mark(&mut self.entries, &self.source.policy.without_replacement);
        self.changes.retain(|changes| Arc::strong_count(changes) > 1);
        let refused = |entry: &&Entry| entry.changes.as_ref().is_some_and(|changes| changes.refused_address);
        let by_rules = self.entries.iter().filter(refused).count() as u64;
        self.source.adjustments.insert(Adjustment::RefusedAddress, self.refused + by_rules);
    }
}

/// The one that is kept of those that are equal.
fn shared(known: &mut BTreeSet<Arc<Overrides>>, changes: Overrides) -> Arc<Overrides> {
    if let Some(same) = known.get(&changes) {
        return same.clone();
    }
    let new = Arc::new(changes);
    known.insert(new.clone());
    new
}

/// What a collection had to adjust.
struct Adjustments(BTreeMap<Adjustment, u64>);

impl Adjustments {
    fn of(counts: AdjustmentCounts, duplicates: u64, unread: u64) -> Self {
        let count = |adjustment| match adjustment {
            Adjustment::DuplicateId => duplicates,
            Adjustment::CleanedValue => counts.cleaned,
            Adjustment::CutValue => counts.cut,
            Adjustment::UnreadField => unread,
            Adjustment::RefusedAddress => counts.refused,
        };
        Self(Adjustment::ALL.map(|adjustment| (adjustment, count(adjustment))).into())
    }

    fn refused(&self) -> u64 {
        self.0.get(&Adjustment::RefusedAddress).copied().unwrap_or_default()
    }
}

/// Of which scopes an outcome's silence says that a token is not there any more.
struct Coverage(HashMap<String, HashSet<Path>>);

impl Coverage {
    /// By listing, the paths under which silence says nothing: gaps, and answers with rows that could not be read, for each
    /// of these may be the missing token.
    fn of(outcome: &Outcome) -> Self {
        let mut silent: HashMap<String, HashSet<Path>> = HashMap::new();
        for listed in &outcome.listings {
            let gaps = listed.gaps.iter().map(|gap| &gap.path);
            let odd = listed.scopes.iter().filter(|scope| !scope.odd.is_empty()).map(|scope| &scope.path);
            silent.entry(listed.name.clone()).or_default().extend(gaps.chain(odd).cloned());
        }
        Self(silent)
    }

    /// Whether it says something of a token that it does not name. Of a listing that is not in the outcome, it does not.
    fn counts_for(&self, entry: &Entry) -> bool {
        let silent = self.0.get(&*entry.listing);
        silent.is_some_and(|silent| !entry.path.covering().any(|path| silent.contains(path)))
    }
}
