//! How many tokens a source has, by listing, state, band and finding.

use std::collections::BTreeMap;

use super::families::source;
use super::text::Writer;
use crate::core::inventory::{Finding, Source, TokenView};
use crate::core::lead::Band;
use crate::core::token::State;

/// The tokens of one source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TokenCounts {
    /// By listing, and by state and kind of expiry.
    tokens: BTreeMap<String, BTreeMap<(State, &'static str), u64>>,
    due: BTreeMap<Band, u64>,
    findings: BTreeMap<Finding, u64>,
}

impl TokenCounts {
    pub(super) fn of<'a>(tokens: impl Iterator<Item = TokenView<'a>>) -> Self {
        let mut counts = Self::default();
        tokens.for_each(|view| counts.add(&view));
        counts
    }

    pub(super) fn add(&mut self, view: &TokenView<'_>) {
        if !self.tokens.contains_key(view.listing) {
            self.tokens.insert(view.listing.to_owned(), BTreeMap::new());
        }
        if let Some(listing) = self.tokens.get_mut(view.listing) {
            *listing.entry((view.state, view.expires.label())).or_default() += 1;
        }
        if let Some(band) = view.band {
            *self.due.entry(band).or_default() += 1;
        }
        for finding in view.findings.iter() {
            *self.findings.entry(finding).or_default() += 1;
        }
    }

    /// Adds other tokens of the same source.
    pub(super) fn add_all(&mut self, other: &Self) {
        for (listing, counts) in &other.tokens {
            add_each(self.tokens.entry(listing.clone()).or_default(), counts);
        }
        add_each(&mut self.due, &other.due);
        add_each(&mut self.findings, &other.findings);
    }

    pub(super) fn write_tokens(&self, to: &mut Writer, name: &str, of: &Source) {
        let mut counts = self.tokens.clone();
        for listing in of.listings.keys() {
            counts.entry(listing.clone()).or_default().entry((State::Active, "at")).or_default();
        }
        for (listing, counts) in &counts {
            for ((state, expiry), count) in counts {
                let labels = [name, &of.policy.provider, listing, state.label(), expiry];
                to.sample(&source::TOKENS).values(labels).value(*count);
            }
        }
    }

    pub(super) fn write_due_tokens(&self, to: &mut Writer, name: &str, of: &Source) {
        for band in Band::ALL {
            let count = self.due.get(&band).copied().unwrap_or_default();
            to.sample(&source::DUE_TOKENS).values([name, &of.policy.provider, band.label()]).value(count);
        }
    }

    pub(super) fn write_findings(&self, to: &mut Writer, name: &str, of: &Source) {
        for finding in Finding::ALL {
            let count = self.findings.get(&finding).copied().unwrap_or_default();
            to.sample(&source::FINDINGS).values([name, &of.policy.provider, finding.label()]).value(count);
        }
    }
}

fn add_each<K: Copy + Ord>(sums: &mut BTreeMap<K, u64>, counts: &BTreeMap<K, u64>) {
    for (key, count) in counts {
        *sums.entry(*key).or_default() += count;
    }
}
