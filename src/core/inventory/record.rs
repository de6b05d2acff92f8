//! How the outcome of a collection changes the inventory: complete scopes replace their tokens, failed ones keep them.
//!
//! The tokens are copied when they are written, and only what differs is written: a collection that changes nothing leaves them
//! as they are.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use parking_lot::Mutex;

use super::entries::Entries;
use super::entry::{Entry, Place, Presence, RulesApplied, intern};
use super::joined::Joined;
use super::source::{Policy, Revision, Source};
use super::{limit, replaced};
use crate::core::adjustment::{Adjustment, Adjustments};
use crate::core::intake::{Intake, Pool};
use crate::core::location_report::LocationReport;
use crate::core::outcome::{Outcome, Path};
use crate::core::owners::Join;
use crate::core::rules::{self, Overrides, RuleResult, RuledSource, Rules};
use crate::core::token::{Expiry, Owner};

/// A source and its tokens.
#[derive(Debug)]
pub(super) struct SourceState {
    pub(super) source: Source,
    pub(super) revision: Revision,
    /// Ordered by id, without duplicates.
    pub(super) entries: Entries,
    /// The values that its tokens share.
    pub(super) pool: Arc<Mutex<Pool>>,
    /// Where it found tokens of all sources; `None` if it does not look for them, or did not yet.
    pub(super) located: Option<LocationReport>,
    /// Where its own tokens were found.
    pub(super) joined: Joined,
    /// The overrides of all entries. Many are equal and share one.
    overrides: BTreeSet<Arc<Overrides>>,
    /// The adjustments of the last collection, without those that depend on rules. One that is absent did not occur.
    pub(super) collected_adjustments: Adjustments,
    /// Addresses that a rule sets and that were refused.
    refused_by_rules: u64,
    hidden_addresses: u64,
    ambiguous_owners: u64,
}

/// The tokens of a source and the counts that are derived from them, at one time.
pub(super) struct Content {
    entries: Entries,
    counts: (u64, u64, Adjustments),
}

impl SourceState {
    pub(super) fn new(policy: Policy) -> Self {
        Self {
            source: Source::new(policy),
            revision: Revision::default(),
            entries: Entries::default(),
            pool: Arc::default(),
            located: None,
            joined: Joined::default(),
            overrides: BTreeSet::new(),
            collected_adjustments: Adjustments::new(),
            refused_by_rules: 0,
            hidden_addresses: 0,
            ambiguous_owners: 0,
        }
    }

    /// For the next collection.
    pub(super) fn intake(&self) -> Intake {
        let known = self.entries.iter().map(|entry| triomphe::Arc::clone(&entry.token)).collect();
        let newest = self.located.as_ref().map(|report| report.newest.clone()).unwrap_or_default();
        Intake::new(known, Arc::clone(&self.pool)).after(newest)
    }

    pub(super) fn content(&self) -> Content {
        let Source { filtered, dropped, adjustments, .. } = &self.source;
        Content { entries: self.entries.clone(), counts: (*filtered, *dropped, adjustments.clone()) }
    }

    /// Whether the tokens or their counts were different.
    pub(super) fn has_changed_since(&self, before: &Content) -> bool {
        let now = self.content();
        let is_same = |(one, other): (&Entry, &Entry)| one.is_same(other);
        now.counts != before.counts
            || !now.entries.is_same_list(&before.entries)
                && (now.entries.len() != before.entries.len()
                    || !now.entries.iter().zip(before.entries.iter()).all(is_same))
    }

    pub(super) fn set_policy(&mut self, name: &str, policy: Policy, rules: &Rules) {
        self.source.set_policy(policy);
        self.located = self.located.take().filter(|_| self.source.policy.finds_locations);
        let is_removed = |entry: &Entry| !self.source.listings.contains_key(&*entry.place.listing);
        if self.entries.iter().any(is_removed) {
            self.entries.retain(|entry| !is_removed(entry));
        }
        self.apply_all_rules(name, rules);
    }

    /// Sets the tokens, ordered by id, except those whose listing does not run and those that a rule drops.
    pub(super) fn set_entries(&mut self, mut entries: Entries, name: &str, rules: &Rules) {
        let is_removed = |entry: &Entry| !self.source.listings.contains_key(&*entry.place.listing);
        if entries.iter().any(is_removed) {
            entries.retain(|entry| !is_removed(entry));
        }
        self.entries = entries;
        self.apply_all_rules(name, rules);
    }

    /// Applies the rules to all tokens, with the state that they last had: [`Self::update_states`] must follow.
    pub(super) fn apply_all_rules(&mut self, name: &str, rules: &Rules) {
        let depends = depend_on_state(rules);
        let known = |_: usize, entry: &Entry| match entry.rules_applied {
            known @ RulesApplied::WithState(_) if depends => known,
            _ => RulesApplied::WithoutState,
        };
        self.source.filtered += self.apply_rules(name, rules, known, true);
        self.update_derived();
    }

    /// The owners of its tokens, as the provider reports them.
    pub(super) fn reported_owners(&self) -> impl Iterator<Item = &Owner> {
        self.entries.iter().filter_map(|entry| entry.token.owner.as_deref())
    }

    /// Applies the rules again to tokens whose state has changed since.
    pub(super) fn update_states(&mut self, name: &str, rules: &Rules, now: DateTime<Utc>) {
        if !depend_on_state(rules) {
            return;
        }
        let before = self.entries.clone();
        self.source.filtered += self.apply_rules_at(name, rules, now);
        if !self.entries.is_same_list(&before) {
            self.update_derived();
        }
    }

    pub(super) fn record(
        &mut self,
        name: &str,
        rules: &Rules,
        outcome: Outcome,
        started: DateTime<Utc>,
        now: DateTime<Utc>,
    ) {
        let before = self.entries.clone();
        self.source.record(&outcome, started, now);
        let coverage = Coverage::of(&outcome);
        let has_scopes = outcome.is_complete() || outcome.listings.iter().any(|listing| !listing.scopes.is_empty());
        let Merged { is_listed, new, adjustments } = self.merge(outcome);
        self.mark_missing(&is_listed, &coverage, now);
        insert_sorted(&mut self.entries, new);
        let filtered = self.apply_rules_at(name, rules, now);
        let dropped = limit::enforce(&mut self.entries, &self.source.policy, now);
        self.entries.shrink();
        if has_scopes {
            self.source.filtered = filtered;
            self.source.dropped = dropped;
            self.collected_adjustments = adjustments;
        }
        if self.entries.is_same_list(&before) {
            self.sum_adjustments();
        } else {
            self.update_derived();
        }
        self.pool.lock().prune();
    }

    /// Updates every known token that is listed. Of rows with the same id the one that expires first counts, so that a duplicate
    /// hides no alert.
    fn merge(&mut self, outcome: Outcome) -> Merged {
        let mut is_listed = vec![false; self.entries.len()];
        let (mut new, mut adjustments) = (Vec::new(), Adjustments::new());
        let mut duplicates = 0;
        for result in outcome.listings.into_iter().filter(|result| self.source.listings.contains_key(&result.name)) {
            let listing: Arc<str> = result.name.into();
            for scope in result.scopes {
                for (adjustment, count) in scope.tokens.adjustments() {
                    *adjustments.entry(*adjustment).or_default() += count;
                }
                let mut place = Arc::new(Place { listing: Arc::clone(&listing), path: scope.path });
                for token in scope.tokens {
                    let Ok(at) = self.entries.binary_search_by(|entry| entry.id().cmp(&token.id)) else {
                        new.push(Entry::new(token, Arc::clone(&place)));
                        continue;
                    };
                    let entry = &self.entries[at];
                    if std::mem::replace(&mut is_listed[at], true) {
                        duplicates += 1;
                        if urgency(token.expires) >= urgency(entry.token.expires) {
                            continue;
                        }
                    }
                    if !Arc::ptr_eq(&entry.place, &place) && entry.place == place {
                        place = Arc::clone(&entry.place);
                    }
                    if !entry.is_listed_as(&token, &place) {
                        self.entries[at] = Entry::new(token, Arc::clone(&place));
                    }
                }
            }
        }
        let with_duplicates = new.len();
        sort_by_id(&mut new);
        duplicates += with_duplicates - new.len();
        adjustments.insert(Adjustment::DuplicateId, duplicates as u64);
        adjustments.insert(Adjustment::UnreadField, outcome.unread_fields);
        Merged { is_listed, new, adjustments }
    }

    /// Marks or removes the tokens that were not listed.
    fn mark_missing(&mut self, is_listed: &[bool], coverage: &Coverage, now: DateTime<Utc>) {
        let retention = self.source.policy.expired_retention;
        let presence = |entry: &Entry| -> Option<Presence> {
            if coverage.covers(entry) {
                entry.presence_if_missing(now, retention)
            } else {
                (!entry.is_evictable(now, retention)).then_some(entry.presence)
            }
        };
        let mut removed = Vec::new();
        for at in (0..is_listed.len()).filter(|at| !is_listed[*at]) {
            match presence(&self.entries[at]) {
                None => removed.push(at),
                Some(presence) if presence != self.entries[at].presence => {
                    self.entries[at].presence = presence;
                }
                Some(_) => {}
            }
        }
        remove(&mut self.entries, &removed);
    }

    /// Applies the rules to new and changed tokens, and to those whose state has changed. Returns how many it dropped.
    fn apply_rules_at(&mut self, name: &str, rules: &Rules, now: DateTime<Utc>) -> u64 {
        if !depend_on_state(rules) {
            return self.apply_rules(name, rules, |_, _| RulesApplied::WithoutState, false);
        }
        let without = &self.source.policy.without_replacement;
        let mut replaced = replaced::find(&self.entries, without, |entry| entry.token.expires).into_iter().peekable();
        let state = |at: usize, entry: &Entry| {
            let until = replaced.next_if(|(position, _)| *position == at).map(|(_, until)| until);
            RulesApplied::WithState(entry.state_with(entry.token.expires, until, now))
        };
        self.apply_rules(name, rules, state, false)
    }

    /// Applies the rules to all tokens, or to those to which they were not yet applied in this way. Returns how many it dropped.
    fn apply_rules(
        &mut self,
        name: &str,
        rules: &Rules,
        mut wanted: impl FnMut(usize, &Entry) -> RulesApplied,
        all: bool,
    ) -> u64 {
        let Policy { provider, owner_logins, rotate_after, .. } = &self.source.policy;
        let ruled = RuledSource { name, provider, rotate_after: *rotate_after };
        let mut dropped = Vec::new();
        for at in 0..self.entries.len() {
            let entry = &self.entries[at];
            let rules_applied = wanted(at, entry);
            if !all && entry.rules_applied == rules_applied {
                continue;
            }
            let state = match rules_applied {
                RulesApplied::WithState(state) => Some(state),
                RulesApplied::Not | RulesApplied::WithoutState => None,
            };
            let is_login = owner_logins.iter().any(|listing| **listing == *entry.place.listing);
            let owner = entry.token.owner.as_deref();
            let join = owner.map_or(Join::Nobody, |owner| rules.owners.find(name, provider, owner, is_login));
            let result = rules::apply(&rules.list, join, ruled, &entry.token, state);
            let RuleResult::Kept(overrides) = result else {
                dropped.push(at);
                continue;
            };
            let has_overrides = overrides != Overrides::default();
            let overrides = has_overrides.then(|| intern(&mut self.overrides, Arc::new(overrides)));
            if entry.rules_applied != rules_applied || entry.overrides != overrides {
                let entry = &mut self.entries[at];
                (entry.rules_applied, entry.overrides) = (rules_applied, overrides);
            }
        }
        remove(&mut self.entries, &dropped);
        dropped.len() as u64
    }

    /// Every adjustment of the last collection, without those that depend on rules.
    pub(super) fn collected_adjustments(&self) -> Adjustments {
        let collected = Adjustment::ALL.into_iter().filter(|adjustment| {
            !matches!(
                adjustment,
                Adjustment::HiddenAddress
                    | Adjustment::AmbiguousOwner
                    | Adjustment::CutLocations
                    | Adjustment::HiddenValues
            )
        });
        let count = |adjustment| self.collected_adjustments.get(&adjustment).copied().unwrap_or_default();
        collected.map(|adjustment| (adjustment, count(adjustment))).collect()
    }

    /// Updates what depends on all tokens of the source.
    fn update_derived(&mut self) {
        let replaced = replaced::find(&self.entries, &self.source.policy.without_replacement, Entry::expires);
        let mut replaced = replaced.into_iter().peekable();
        for at in 0..self.entries.len() {
            let until = replaced.next_if(|(position, _)| *position == at).map(|(_, until)| until);
            if self.entries[at].replaced_until != until {
                self.entries[at].replaced_until = until;
            }
        }
        self.overrides.retain(|overrides| Arc::strong_count(overrides) > 1);
        let count = |is_counted: fn(&Overrides) -> bool| {
            let overrides = self.entries.iter().filter_map(|entry| entry.overrides.as_deref());
            overrides.filter(|overrides| is_counted(overrides)).count() as u64
        };
        self.refused_by_rules = count(|overrides| overrides.refused_address);
        self.ambiguous_owners = count(|overrides| overrides.ambiguous_owner);
        let has_address = |entry: &&Entry| entry.owner().is_some_and(Owner::has_address_in_label);
        self.hidden_addresses = self.entries.iter().filter(has_address).count() as u64;
        self.sum_adjustments();
    }

    pub(super) fn sum_adjustments(&mut self) {
        let adjustments = &mut self.source.adjustments;
        *adjustments = Adjustment::ALL.map(|adjustment| (adjustment, 0)).into();
        adjustments.extend(&self.collected_adjustments);
        *adjustments.entry(Adjustment::RefusedAddress).or_default() += self.refused_by_rules;
        adjustments.insert(Adjustment::HiddenAddress, self.hidden_addresses);
        adjustments.insert(Adjustment::AmbiguousOwner, self.ambiguous_owners);
        let (cut, hidden) = self.located.as_ref().map_or((0, 0), |report| (report.cut, report.hidden));
        adjustments.extend([(Adjustment::CutLocations, cut), (Adjustment::HiddenValues, hidden)]);
    }
}

/// What a collection listed.
struct Merged {
    /// Of each known token, whether it was listed.
    is_listed: Vec<bool>,
    /// Ordered by id.
    new: Vec<Entry>,
    adjustments: Adjustments,
}

fn depend_on_state(rules: &Rules) -> bool {
    rules.list.iter().any(|rule| !rule.matches.state.is_empty())
}

/// Sorts entries by id. Of duplicates it keeps the one that expires first.
pub(super) fn sort_by_id(entries: &mut Vec<Entry>) {
    entries.sort_by(|a, b| a.id().cmp(b.id()).then_with(|| urgency(a.token.expires).cmp(&urgency(b.token.expires))));
    entries.dedup_by(|later, first| later.id() == first.id());
}

/// Inserts entries into others; both are ordered by id, and no id is in both.
fn insert_sorted(entries: &mut Entries, mut new: Vec<Entry>) {
    let Some(placeholder) = new.first().cloned() else { return };
    if entries.is_empty() {
        *entries = new.into();
        return;
    }
    let mut known = entries.len();
    let mut free = known + new.len();
    entries.reserve_exact(new.len());
    entries.resize(free, placeholder);
    // From the end, so that each known entry moves once.
    while let Some(last) = new.pop() {
        while known > 0 && entries[known - 1].id() > last.id() {
            known -= 1;
            free -= 1;
            entries.swap(known, free);
        }
        free -= 1;
        entries[free] = last;
    }
}

/// Removes the entries at these positions, which ascend.
fn remove(entries: &mut Entries, positions: &[usize]) {
    if positions.is_empty() {
        return;
    }
    let (mut at, mut removed) = (0, positions.iter().peekable());
    entries.retain(|_| {
        let is_removed = removed.next_if_eq(&&at).is_some();
        at += 1;
        !is_removed
    });
}

/// Orders expiries: the soonest, then an unknown one, then never.
pub(super) fn urgency(expires: Expiry) -> (u8, Option<DateTime<Utc>>) {
    match expires {
        Expiry::At(at) | Expiry::Policy(at) => (0, Some(at)),
        Expiry::Unknown => (1, None),
        Expiry::Never => (2, None),
    }
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
        let uncovered = self.uncovered.get(&*entry.place.listing);
        uncovered.is_some_and(|uncovered| !entry.place.path.covering().any(|path| uncovered.contains(path)))
    }
}
