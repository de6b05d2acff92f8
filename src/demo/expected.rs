//! The numbers that the exporter must show of the invented company: for people who check, and for tests.
//!
//! They come from the stories alone, by no code of the exporter.

use std::collections::BTreeMap;

use serde::Serialize;

use super::organisation::{DEPARTURE, Organisation};
use super::scenario::DemoScenario;
use crate::core::inventory::Adjustment;

type Counts = BTreeMap<&'static str, u64>;

/// What must be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Expected {
    /// The numbers hold from so many seconds after the start.
    pub settled_after_seconds: u64,
    /// Tokens over all sources.
    pub tokens: u64,
    /// Every source by name.
    pub sources: BTreeMap<&'static str, ExpectedSource>,
}

/// What must be seen of one source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ExpectedSource {
    /// Whether its collections are complete.
    pub up: bool,
    /// Tokens.
    pub tokens: u64,
    /// Tokens by state.
    pub states: Counts,
    /// Tokens by what is known of their end.
    pub expiries: Counts,
    /// Tokens by kind.
    pub kinds: Counts,
    /// Tokens that people are to be told of, by band.
    pub bands: Counts,
    /// Tokens that break a policy, by finding.
    pub findings: Counts,
    /// Listings that cannot be had, with the reason.
    pub gaps: BTreeMap<&'static str, &'static str>,
    /// Rows that cannot be read.
    pub odd_rows: u64,
    /// Tokens that a rule leaves out.
    pub filtered: u64,
    /// What must be adjusted to be shown.
    pub adjustments: Counts,
}

impl Expected {
    /// What must be seen of these tokens.
    pub(super) fn of(organisation: &Organisation) -> Self {
        let settled = u64::try_from(DEPARTURE.num_seconds()).unwrap_or_default() + 1;
        let mut expected = Self { settled_after_seconds: settled, ..Self::default() };
        for token in organisation.all() {
            expected.add(token.listing.source, token.listing.kind, token.story);
        }
        for (_, kind, _, story) in crate::demo::config::BY_HAND {
            expected.add("by-hand", kind, *story);
        }
        for (name, source) in &mut expected.sources {
            source.up = *name != "atlassian-sandbox";
        }
        let sandbox = expected.sources.entry("atlassian-sandbox").or_default();
        sandbox.gaps.insert("api-keys", "forbidden");
        expected
    }

    fn add(&mut self, source: &'static str, kind: &'static str, story: DemoScenario) {
        let source = self.sources.entry(source).or_default();
        let count = |counts: &mut Counts, label| *counts.entry(label).or_default() += 1;
        let Some(sense) = story.sense() else {
            match story {
                DemoScenario::Session => source.filtered += 1,
                _ => source.odd_rows += 1,
            }
            return;
        };
        if story == DemoScenario::Scrawled {
            count(&mut source.adjustments, Adjustment::CleanedValue.label());
        }
        self.tokens += 1;
        source.tokens += 1;
        count(&mut source.states, sense.state.label());
        count(&mut source.expiries, sense.expiry);
        count(&mut source.kinds, kind);
        if let Some(band) = sense.band {
            count(&mut source.bands, band.label());
        }
        if let Some(finding) = sense.finding {
            count(&mut source.findings, finding.label());
        }
    }
}
