//! Compares the exposition with the state of the provider.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::SOURCES;
use crate::report::Row;
use crate::stub_provider::StubProvider;
use crate::test_servers::samples;

/// After this time a token is persisted too: the exporter saves within ten seconds.
const PERSISTED_AFTER: Duration = Duration::from_secs(20);

#[derive(Default)]
pub(super) struct Comparison {
    /// First scrape with each token that the provider still has.
    first_seen: BTreeMap<(&'static str, u32), Instant>,
    /// All tokens that the provider has had.
    ever: BTreeSet<(&'static str, u32)>,
    /// The last two values of the last success of each source.
    last_successes: BTreeMap<&'static str, (f64, f64)>,
    compared: u64,
    lost: BTreeSet<(&'static str, u32)>,
    unexpected: u64,
    older: u64,
    /// Sources that differ from their provider after the recovery.
    differ: Vec<String>,
}

impl Comparison {
    pub(super) fn compare(&mut self, stub: &StubProvider, page: &str, recovered: bool) {
        let now = Instant::now();
        let mut seen: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
        for sample in samples(page, "token_expiry_timestamp_seconds") {
            let source = SOURCES.iter().find(|(name, ..)| *name == sample.label("source")).unwrap().0;
            seen.entry(source).or_default().insert(sample.label("token_id")[1..].parse().unwrap());
        }
        for (source, ..) in SOURCES {
            let existing: BTreeSet<u32> = stub.org(source, |org| org.tokens.keys().copied().collect());
            let seen = seen.remove(source).unwrap_or_default();
            self.ever.extend(existing.iter().map(|number| (source, *number)));
            self.first_seen.retain(|(name, number), _| *name != source || existing.contains(number));
            for number in existing.intersection(&seen) {
                self.first_seen.entry((source, *number)).or_insert(now);
            }
            let lost = existing.difference(&seen).map(|number| (source, *number));
            self.lost.extend(
                lost.filter(|token| self.first_seen.get(token).is_some_and(|first| now - *first > PERSISTED_AFTER)),
            );
            self.unexpected += seen.iter().filter(|number| !self.ever.contains(&(source, **number))).count() as u64;
            self.compared += seen.len() as u64;
            let missing = existing.difference(&seen).count();
            if recovered && source != "rejected" && missing > 0 {
                self.differ.push(format!("{source}: {missing}"));
            }
        }
        self.compare_last_successes(page);
    }

    /// A kill may lose one collection, so the last success may go back by one.
    fn compare_last_successes(&mut self, page: &str) {
        for sample in samples(page, "token_source_last_success_timestamp_seconds") {
            let source = SOURCES.iter().find(|(name, ..)| *name == sample.label("source")).unwrap().0;
            let (older, last) = *self.last_successes.get(source).unwrap_or(&(0.0, 0.0));
            self.older += u64::from(sample.value < older);
            if sample.value > last {
                self.last_successes.insert(source, (last, sample.value));
            }
        }
    }

    pub(super) fn rows(&self) -> Vec<Row> {
        let mut differ =
            Row::count("sources that differ from their provider after the recovery", self.differ.len() as u64, 0);
        if !self.differ.is_empty() {
            differ.measured = self.differ.join("; ");
        }
        vec![
            Row::least("tokens compared with the provider", self.compared, 1_000_000),
            Row::count(
                "lost tokens: seen for 20 s, still at the provider, and missing from a scrape",
                self.lost.len() as u64,
                0,
            ),
            Row::count("tokens that no provider had", self.unexpected, 0),
            Row::count("scrapes with a last success older than the one before the last", self.older, 0),
            differ,
        ]
    }
}
