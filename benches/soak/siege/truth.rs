//! What the metrics show, against what the provider has.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::SOURCES;
use crate::equipment::samples;
use crate::stub::Stub;
use crate::table::Row;

/// A token that was shown for the first time so long ago is on disk too: the exporter saves within ten seconds.
const SETTLED: Duration = Duration::from_secs(20);

#[derive(Default)]
pub(super) struct Truth {
    /// When each token that the provider still has was first shown.
    shown: BTreeMap<(&'static str, u32), Instant>,
    /// Every token that the provider ever had.
    ever: BTreeSet<(&'static str, u32)>,
    /// The last two complete collections that were shown.
    ages: BTreeMap<&'static str, (f64, f64)>,
    compared: u64,
    lost: BTreeSet<(&'static str, u32)>,
    invented: u64,
    aged: u64,
    /// Sources that, when all was well again, did not show what the provider has; as last seen.
    differ: Vec<String>,
}

impl Truth {
    pub(super) fn compare(&mut self, stub: &Stub, page: &str, is_well: bool) {
        let now = Instant::now();
        let mut seen: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
        for sample in samples(page, "token_expiry_timestamp_seconds") {
            let source = SOURCES.iter().find(|(name, ..)| *name == sample.label("source")).unwrap().0;
            seen.entry(source).or_default().insert(sample.label("token_id")[1..].parse().unwrap());
        }
        self.differ.clear();
        for (source, ..) in SOURCES {
            let has: BTreeSet<u32> = stub.org(source, |org| org.tokens.keys().copied().collect());
            let seen = seen.remove(source).unwrap_or_default();
            self.ever.extend(has.iter().map(|number| (source, *number)));
            self.shown.retain(|(name, number), _| *name != source || has.contains(number));
            for number in has.intersection(&seen) {
                self.shown.entry((source, *number)).or_insert(now);
            }
            let lost = has.difference(&seen).map(|number| (source, *number));
            self.lost.extend(lost.filter(|token| self.shown.get(token).is_some_and(|first| now - *first > SETTLED)));
            self.invented += seen.iter().filter(|number| !self.ever.contains(&(source, **number))).count() as u64;
            self.compared += seen.len() as u64;
            let missing = has.difference(&seen).count();
            if is_well && source != "refused" && missing > 0 {
                self.differ.push(format!("{source}: {missing}"));
            }
        }
        self.compare_ages(page);
    }

    /// A kill may cost one collection, and so one step of the age.
    fn compare_ages(&mut self, page: &str) {
        for sample in samples(page, "token_source_last_success_timestamp_seconds") {
            let source = SOURCES.iter().find(|(name, ..)| *name == sample.label("source")).unwrap().0;
            let (older, last) = *self.ages.get(source).unwrap_or(&(0.0, 0.0));
            self.aged += u64::from(sample.value < older);
            if sample.value > last {
                self.ages.insert(source, (last, sample.value));
            }
        }
    }

    pub(super) fn rows(&self) -> Vec<Row> {
        let mut end = Row::count(
            "sources that at the end, all well again, did not show all that their provider has",
            self.differ.len() as u64,
            0,
        );
        if !self.differ.is_empty() {
            end.measured = self.differ.join("; ");
        }
        vec![
            Row::least("tokens compared with the provider's", self.compared, 1_000_000),
            Row::count(
                "tokens lost: shown for 20 s, still at the provider, and missing from a scrape",
                self.lost.len() as u64,
                0,
            ),
            Row::count("tokens shown that no provider ever had", self.invented, 0),
            Row::count("scrapes that showed an age older than the collection before the last", self.aged, 0),
            end,
        ]
    }
}
