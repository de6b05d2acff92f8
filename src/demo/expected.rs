//! The numbers that the exporter must show for the invented organisation: for readers who compare, and for tests.
//!
//! They come from the scenarios alone and share no code with the exporter.

use std::collections::BTreeMap;

use serde::Serialize;

use super::config::MANUAL_TOKENS;
use super::organisation::{DEPARTURE, Organisation};
use super::scenario::DemoScenario;
use crate::core::adjustment::Adjustment;

type Counts = BTreeMap<&'static str, u64>;

/// The numbers over all sources.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Expected {
    /// Seconds after the start from which on the numbers hold.
    pub settled_after_seconds: u64,
    /// Tokens of all sources.
    pub tokens: u64,
    /// By source name.
    pub sources: BTreeMap<&'static str, ExpectedSource>,
}

/// The numbers of one source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ExpectedSource {
    /// Whether its collections are complete.
    pub up: bool,
    /// Tokens shown.
    pub tokens: u64,
    /// Tokens by state.
    pub states: Counts,
    /// Tokens by kind of expiry.
    pub expiries: Counts,
    /// Tokens by kind.
    pub kinds: Counts,
    /// Due tokens by band.
    pub bands: Counts,
    /// Tokens that violate a policy, by finding.
    pub findings: Counts,
    /// Listings with a failed scope, with the reason.
    pub gaps: BTreeMap<&'static str, &'static str>,
    /// Rows without an id.
    pub malformed_rows: u64,
    /// Tokens that a rule drops.
    pub filtered: u64,
    /// Values changed before they are shown.
    pub adjustments: Counts,
}

impl Expected {
    pub(super) fn of(organisation: &Organisation) -> Self {
        let mut expected =
            Self { settled_after_seconds: DEPARTURE.num_seconds().unsigned_abs() + 1, ..Self::default() };
        for token in &organisation.tokens {
            expected.add(token.listing.source, token.listing.kind, token.scenario);
        }
        for (_, kind, _, scenario) in MANUAL_TOKENS {
            expected.add("by-hand", kind, *scenario);
        }
        for (name, source) in &mut expected.sources {
            source.up = *name != "atlassian-sandbox";
        }
        expected.sources.entry("atlassian-sandbox").or_default().gaps.insert("api-keys", "forbidden");
        expected
    }

    fn add(&mut self, source: &'static str, kind: &'static str, scenario: DemoScenario) {
        let source = self.sources.entry(source).or_default();
        let count = |counts: &mut Counts, label| *counts.entry(label).or_default() += 1;
        match scenario {
            DemoScenario::Session => source.filtered += 1,
            DemoScenario::Malformed => source.malformed_rows += 1,
            DemoScenario::UnsafeName => count(&mut source.adjustments, Adjustment::CleanedValue.label()),
            _ => {}
        }
        let Some(token) = scenario.expected() else { return };
        self.tokens += 1;
        source.tokens += 1;
        count(&mut source.states, token.state.label());
        count(&mut source.expiries, token.expiry);
        count(&mut source.kinds, kind);
        if let Some(band) = token.band {
            count(&mut source.bands, band.label());
        }
        if let Some(finding) = token.finding {
            count(&mut source.findings, finding.label());
        }
    }
}
