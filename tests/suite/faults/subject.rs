//! A source under a fault: what is configured, what makes it faulty, and how it was seen to do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::door::Door;
use super::fault::Expected;
use super::provider::CREDENTIAL;
use super::proxy::Proxy;

/// What makes a source faulty, and well again.
pub(super) trait Switch: Send + Sync {
    fn set(&self, faulty: bool);
    /// How often the fault has struck, as far as is known.
    fn struck(&self) -> u64;
    /// Whole answers since then; of use where the fault is no failure.
    fn whole(&self) -> u64 {
        0
    }
}

impl Switch for Door {
    fn set(&self, faulty: bool) {
        Self::set(self, faulty);
    }

    fn struck(&self) -> u64 {
        Self::struck(self)
    }

    fn whole(&self) -> u64 {
        Self::whole(self)
    }
}

impl Switch for Proxy {
    fn set(&self, faulty: bool) {
        Self::set(self, faulty);
    }

    fn struck(&self) -> u64 {
        Self::struck(self)
    }

    fn whole(&self) -> u64 {
        2 * Self::struck(self)
    }
}

/// What a scrape says of one source.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) tokens: BTreeSet<String>,
    pub(super) up: Option<f64>,
    /// Gaps by reason, those of 0 left out.
    pub(super) gaps: BTreeMap<String, f64>,
    pub(super) failures: BTreeMap<String, f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Not yet seen with all its tokens.
    Before,
    Faulty,
    Recovering,
    Done,
}

/// A source under a fault.
pub(super) struct Subject {
    pub(super) name: String,
    /// Its entry in the configuration.
    pub(super) config: String,
    /// The fault, as the table has it.
    pub(super) row: &'static str,
    pub(super) expected: Expected,
    /// How many of its scopes the fault concerns; none: it is not looked at.
    pub(super) gaps: Option<f64>,
    pub(super) switch: Arc<dyn Switch>,
    phase: Phase,
    since: Instant,
    /// How many tokens there must be before anything is made faulty.
    expects: usize,
    before: Seen,
    last: Seen,
    /// The fewest of its tokens that a scrape has shown since.
    pub(super) least: usize,
    /// The reasons that were counted while it was faulty.
    pub(super) reasons: BTreeSet<String>,
    pub(super) recovered_in: Option<Duration>,
}

impl Subject {
    pub(super) fn new(
        row: &'static str,
        name: String,
        config: String,
        expected: Expected,
        expects: u64,
        switch: Arc<dyn Switch>,
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
            expects: usize::try_from(expects).unwrap(),
            before: Seen::default(),
            last: Seen::default(),
            least: usize::MAX,
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

    /// Takes in what a scrape says, and goes on to the next phase when this one is over.
    pub(super) fn look(&mut self, seen: Seen) {
        if self.phase != Phase::Before {
            let kept = self.before.tokens.intersection(&seen.tokens).count();
            self.least = self.least.min(kept);
        }
        match self.phase {
            Phase::Before if seen.up == Some(1.0) && seen.tokens.len() == self.expects => {
                self.before = seen.clone();
                self.switch.set(true);
                self.enter(Phase::Faulty);
            }
            Phase::Faulty if self.has_come_true(&seen) => {
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

    /// Whether the metrics say what must be said of the fault.
    fn has_come_true(&self, seen: &Seen) -> bool {
        let counted = |reason: &str| seen.failures.get(reason) > self.before.failures.get(reason);
        match self.expected {
            Expected::Up => self.switch.struck() > 0 && self.switch.whole() >= 2 && seen.up == Some(1.0),
            Expected::Down(reason) => {
                let told: Vec<&str> = seen.gaps.keys().map(String::as_str).collect();
                self.switch.struck() > 0
                    && seen.up == Some(0.0)
                    && told == [reason]
                    && counted(reason)
                    && self.gaps.is_none_or(|gaps| seen.gaps[reason] == gaps)
            }
        }
    }

    /// What is wrong with it, if anything is.
    pub(super) fn complaint(&self) -> Option<String> {
        let Self { name, row, phase, expected, last, .. } = self;
        if *phase != Phase::Done {
            let (up, tokens, gaps) = (last.up, last.tokens.len(), &last.gaps);
            let (failures, struck) = (counted(&last.failures), self.switch.struck());
            return Some(format!(
                "{row} ({name}): {phase:?} for {:?}, {expected:?} expected: up {up:?}, {tokens} tokens, gaps {gaps:?}, failures \
                 {failures:?}, struck {struck}",
                self.since.elapsed()
            ));
        }
        let lost = self.tokens_before() - self.least;
        (lost > 0).then(|| format!("{row} ({name}): {lost} of {} tokens were lost", self.tokens_before()))
    }
}

fn counted(failures: &BTreeMap<String, f64>) -> BTreeMap<&str, f64> {
    failures.iter().filter(|(_, count)| **count > 0.0).map(|(reason, count)| (reason.as_str(), *count)).collect()
}

/// The entry of a source at a door.
pub(super) fn config(name: &str, door: &Door, url: &str, further: &str) -> String {
    let (provider, settings) = (door.provider.name(), door.provider.settings());
    let tls = if url.starts_with("https") { ", tls: {ca_file: ca.pem}" } else { "" };
    format!(
        "{{name: {name}, provider: {provider}, url: '{url}', {settings}, credential: {{file: token}}{tls}{further}}}"
    )
}

/// Writes what the configurations of these tests name.
pub(super) fn write_files(dir: &std::path::Path, ca: &str) {
    std::fs::write(dir.join("token"), CREDENTIAL).unwrap();
    std::fs::write(dir.join("ca.pem"), ca).unwrap();
    std::fs::create_dir_all(dir.join("providers")).unwrap();
    std::fs::write(dir.join("providers/plain.yaml"), super::provider::PLAIN).unwrap();
}
