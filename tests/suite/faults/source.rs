//! A source under test: its configuration, its fault, and what the metrics show of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::fault::Expected;
use super::provider::CREDENTIAL;
use super::proxy::Proxy;
use super::server::FaultyServer;

/// Turns a fault on and off.
pub(super) trait FaultSwitch: Send + Sync {
    fn set(&self, faulty: bool);
    /// The number of requests that the fault affected, as far as known.
    fn hits(&self) -> u64;
    /// Complete listings since then; for faults that are not failures.
    fn complete_listings(&self) -> u64 {
        0
    }
}

impl FaultSwitch for FaultyServer {
    fn set(&self, faulty: bool) {
        Self::set(self, faulty);
    }

    fn hits(&self) -> u64 {
        Self::hits(self)
    }

    fn complete_listings(&self) -> u64 {
        Self::complete_listings(self)
    }
}

impl FaultSwitch for Proxy {
    fn set(&self, faulty: bool) {
        Self::set(self, faulty);
    }

    fn hits(&self) -> u64 {
        Self::hits(self)
    }

    fn complete_listings(&self) -> u64 {
        2 * Self::hits(self)
    }
}

/// What a scrape shows of one source.
#[derive(Clone, Debug, Default)]
pub(super) struct Observation {
    pub(super) tokens: BTreeSet<String>,
    pub(super) up: Option<f64>,
    /// Gaps by reason, without those of 0.
    pub(super) gaps: BTreeMap<String, f64>,
    pub(super) failures: BTreeMap<String, f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Not all tokens have been listed yet.
    Before,
    Faulty,
    Recovering,
    Done,
}

pub(super) struct SourceUnderTest {
    pub(super) name: String,
    /// Its entry in the configuration.
    pub(super) config: String,
    /// The fault's name in the table.
    pub(super) row: &'static str,
    pub(super) expected: Expected,
    /// The expected number of gaps; `None`: any.
    pub(super) gaps: Option<f64>,
    pub(super) switch: Arc<dyn FaultSwitch>,
    phase: Phase,
    since: Instant,
    /// The number of tokens at which the fault is turned on.
    expected_tokens: usize,
    before: Observation,
    last: Observation,
    /// The lowest number of its tokens in any scrape since then.
    pub(super) fewest_tokens: usize,
    /// The reasons of the failures during the fault.
    pub(super) reasons: BTreeSet<String>,
    pub(super) recovered_in: Option<Duration>,
}

impl SourceUnderTest {
    pub(super) fn new(
        row: &'static str,
        name: String,
        config: String,
        expected: Expected,
        expected_tokens: u64,
        switch: Arc<dyn FaultSwitch>,
    ) -> Self {
        Self {
            name,
            config,
            row,
            expected,
            gaps: None,
            switch,
            phase: Phase::Before,
            since: Instant::now(),
            expected_tokens: usize::try_from(expected_tokens).unwrap(),
            before: Observation::default(),
            last: Observation::default(),
            fewest_tokens: usize::MAX,
            reasons: BTreeSet::new(),
            recovered_in: None,
        }
    }

    pub(super) fn tokens_before(&self) -> usize {
        self.before.tokens.len()
    }

    pub(super) fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    /// Records a scrape, and moves on when the phase is over.
    pub(super) fn observe(&mut self, seen: Observation) {
        if self.phase != Phase::Before {
            let kept = self.before.tokens.intersection(&seen.tokens).count();
            self.fewest_tokens = self.fewest_tokens.min(kept);
        }
        match self.phase {
            Phase::Before if seen.up == Some(1.0) && seen.tokens.len() == self.expected_tokens => {
                self.before = seen.clone();
                self.switch.set(true);
                self.enter(Phase::Faulty);
            }
            Phase::Faulty if self.shows_fault(&seen) => {
                if let Expected::Down(reason) = self.expected {
                    self.reasons.insert(reason.to_owned());
                }
                self.switch.set(false);
                self.enter(Phase::Recovering);
            }
            Phase::Recovering if seen.up == Some(1.0) && seen.gaps.is_empty() => {
                self.recovered_in = Some(self.since.elapsed());
                self.enter(Phase::Done);
            }
            _ => {}
        }
        self.last = seen;
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.since = Instant::now();
    }

    /// Whether the metrics show the expected result.
    fn shows_fault(&self, seen: &Observation) -> bool {
        let counted = |reason: &str| seen.failures.get(reason) > self.before.failures.get(reason);
        match self.expected {
            Expected::Up => self.switch.hits() > 0 && self.switch.complete_listings() >= 2 && seen.up == Some(1.0),
            Expected::Down(reason) => {
                let reasons: Vec<&str> = seen.gaps.keys().map(String::as_str).collect();
                self.switch.hits() > 0
                    && seen.up == Some(0.0)
                    && reasons == [reason]
                    && counted(reason)
                    && self.gaps.is_none_or(|gaps| seen.gaps[reason] == gaps)
            }
        }
    }

    pub(super) fn problem(&self) -> Option<String> {
        let Self { name, row, phase, expected, last, .. } = self;
        if *phase != Phase::Done {
            let (up, tokens, gaps) = (last.up, last.tokens.len(), &last.gaps);
            let (failures, hits) = (counted(&last.failures), self.switch.hits());
            return Some(format!(
                "{row} ({name}): {phase:?} for {:?}, expected {expected:?}: up {up:?}, {tokens} tokens, gaps {gaps:?}, failures \
                 {failures:?}, {hits} hits",
                self.since.elapsed()
            ));
        }
        let page_failure = ["redirect", "paging"]
            .iter()
            .find(|reason| last.failures.get(**reason) > self.before.failures.get(**reason));
        if let (Expected::Up, Some(reason)) = (expected, page_failure) {
            return Some(format!("{row} ({name}): expected no failure, but {reason} was counted"));
        }
        let lost = self.tokens_before() - self.fewest_tokens;
        (lost > 0).then(|| format!("{row} ({name}): {lost} of {} tokens were lost", self.tokens_before()))
    }
}

fn counted(failures: &BTreeMap<String, f64>) -> BTreeMap<&str, f64> {
    failures.iter().filter(|(_, count)| **count > 0.0).map(|(reason, count)| (reason.as_str(), *count)).collect()
}

/// The configuration of a source at a server.
pub(super) fn config(name: &str, server: &FaultyServer, url: &str, extra: &str) -> String {
    let (provider, settings) = (server.provider.name(), server.provider.settings());
    let tls = if url.starts_with("https") { ", tls: {ca_file: ca.pem}" } else { "" };
    format!("{{name: {name}, provider: {provider}, url: '{url}', {settings}, credential: {{file: token}}{tls}{extra}}}")
}

/// Writes the files that the configurations name.
pub(super) fn write_files(dir: &std::path::Path, ca: &str) {
    std::fs::write(dir.join("token"), CREDENTIAL).unwrap();
    std::fs::write(dir.join("ca.pem"), ca).unwrap();
    std::fs::create_dir_all(dir.join("providers")).unwrap();
    std::fs::write(dir.join("providers/plain.yaml"), super::provider::PLAIN).unwrap();
}
