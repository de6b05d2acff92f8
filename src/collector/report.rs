//! What a collection leaves in the log: one line, and one more for each gap that is new.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::TimeDelta;
use tracing::{debug, info, warn};

use crate::core::failure::Reason;
use crate::core::outcome::{Gap, Outcome};

/// New gaps of one collection that are told one by one; a fan-out may have thousands.
const MOST_GAPS: usize = 20;

/// A gap by what makes it new.
type Known = BTreeSet<(String, String, Reason)>;

/// Tells of a source's collections. A gap that was told is told again only after it was closed.
pub(super) struct Report {
    source: String,
    gaps: Known,
}

impl Report {
    pub(super) fn new(source: &str) -> Self {
        Self { source: source.to_owned(), gaps: Known::new() }
    }

    pub(super) fn tell(&mut self, outcome: &Outcome, took: TimeDelta, pause: Duration) {
        let source = self.source.as_str();
        let before = std::mem::take(&mut self.gaps);
        let mut told = 0;
        let gaps = outcome.listings.iter().flat_map(|listed| listed.gaps.iter().map(move |gap| (listed, gap)));
        for (listing, gap) in gaps {
            let known = (listing.name.clone(), gap.scope.clone(), gap.failure.reason);
            if before.contains(&known) {
                debug!(source, listing = listing.name, reason = %gap.failure.reason, "still: {}", sentence(gap));
            } else if told < MOST_GAPS {
                told += 1;
                warn!(source, listing = listing.name, reason = %gap.failure.reason, "{}", sentence(gap));
            }
            self.gaps.insert(known);
        }
        for failure in &outcome.failures {
            warn!(source, reason = %failure.reason, "{failure}");
        }
        let counts = Counts::of(outcome);
        let Counts { tokens, scopes, gaps, odd_rows, requests } = counts;
        let (duration, next) = (seconds(took.to_std().unwrap_or_default()), seconds(pause));
        if outcome.is_complete() {
            info!(source, tokens, scopes, gaps, odd_rows, requests, duration, next, "collected");
        } else {
            warn!(source, tokens, scopes, gaps, odd_rows, requests, duration, next, "collected in part");
        }
    }
}

/// A gap in words: what failed, what the provider says of it, and what would help.
pub fn sentence(gap: &Gap) -> String {
    let mut words = gap.failure.what.clone();
    if let Some(says) = &gap.failure.says {
        words.push_str(&format!(", says the provider: {says}"));
    }
    if let Some(needs) = &gap.needs {
        words.push_str(&format!("; it needs {}", needs.trim_end()));
    }
    words
}

fn seconds(duration: Duration) -> String {
    format!("{:.1}s", duration.as_secs_f64())
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    tokens: usize,
    scopes: usize,
    gaps: usize,
    odd_rows: usize,
    requests: u64,
}

impl Counts {
    fn of(outcome: &Outcome) -> Self {
        let mut counts = Self { requests: outcome.requests.values().sum(), ..Self::default() };
        for listing in &outcome.listings {
            counts.gaps += listing.gaps.len();
            counts.scopes += listing.scopes.iter().filter(|scope| !scope.is_step).count();
            for scope in &listing.scopes {
                counts.tokens += scope.tokens.len();
                counts.odd_rows += scope.odd.len();
            }
        }
        counts
    }
}
