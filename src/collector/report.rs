//! What a collection leaves in the log: one line, and one more for each gap and odd row that is new.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::TimeDelta;
use tracing::{debug, info, warn};

use crate::core::failure::Reason;
use crate::core::outcome::{Gap, MalformedRow, Outcome};

/// New gaps, and new odd rows, of one collection that are told one by one; a fan-out may have thousands.
const MOST: usize = 20;

/// A gap or an odd row by what makes it new. An odd row that has no identifier is known by its listing alone: its position
/// changes with every row before it.
type Known = BTreeSet<(String, String, Reason)>;

/// Tells of a source's collections. What was told is told again only after it was well in between.
pub(super) struct Report {
    source: String,
    before: Known,
}

impl Report {
    pub(super) fn new(source: &str) -> Self {
        Self { source: source.to_owned(), before: Known::new() }
    }

    pub(super) fn tell(&mut self, outcome: &Outcome, took: TimeDelta, pause: Duration) {
        let source = self.source.as_str();
        let mut now = Known::new();
        self.tell_gaps(outcome, &mut now);
        self.tell_odd_rows(outcome, &mut now);
        for failure in outcome.failures.iter().take(MOST) {
            let known = (String::new(), failure.what.clone(), failure.reason);
            if !self.before.contains(&known) {
                warn!(source, reason = %failure.reason, says = failure.provider_message, "{failure}");
            }
            now.insert(known);
        }
        if outcome.unread_fields > 0 {
            debug!(source, fields = outcome.unread_fields, "fields that cannot be read are left out");
        }
        self.before = now;

        let Counts { tokens, scopes, gaps, odd_rows, requests } = Counts::of(outcome);
        let (duration, next) = (seconds(took.to_std().unwrap_or_default()), seconds(pause));
        if outcome.is_complete() {
            info!(source, tokens, scopes, gaps, odd_rows, requests, duration, next, "collected");
        } else {
            warn!(source, tokens, scopes, gaps, odd_rows, requests, duration, next, "collected in part");
        }
    }

    fn tell_gaps(&self, outcome: &Outcome, now: &mut Known) {
        let source = self.source.as_str();
        let mut new = 0;
        for (listing, gap) in
            outcome.listings.iter().flat_map(|listed| listed.gaps.iter().map(move |gap| (listed, gap)))
        {
            let (listing, reason) = (listing.name.as_str(), gap.failure.reason);
            let known = (listing.to_owned(), gap.scope.clone(), reason);
            if !self.before.contains(&known) {
                new += 1;
                if new <= MOST {
                    warn!(source, listing, scope = gap.scope, %reason, "{}", sentence(gap));
                }
            }
            now.insert(known);
        }
        if new > MOST {
            warn!(source, more = new - MOST, "further scopes cannot be had");
        }
    }

    fn tell_odd_rows(&self, outcome: &Outcome, now: &mut Known) {
        let source = self.source.as_str();
        let mut new = 0;
        for listing in &outcome.listings {
            for row in listing.scopes.iter().flat_map(|scope| &scope.malformed) {
                let listing = listing.name.as_str();
                let known = (listing.to_owned(), row.id.clone().unwrap_or_default(), Reason::Mapping);
                if !self.before.contains(&known) {
                    new += 1;
                    if new <= MOST {
                        let MalformedRow { position, id, field } = row;
                        warn!(source, listing, row = position, id, field, "a row cannot be read, and does not count");
                    }
                }
                now.insert(known);
            }
        }
        if new > MOST {
            warn!(source, more = new - MOST, "further rows cannot be read");
        }
    }
}

/// A gap in words: what failed, what the provider says of it, and what would help.
pub fn sentence(gap: &Gap) -> String {
    let mut words = gap.failure.what.clone();
    if let Some(says) = &gap.failure.provider_message {
        words.push_str(&format!(", says the provider: {says}"));
    }
    if let Some(needs) = &gap.required_permission {
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
                counts.odd_rows += scope.malformed.len();
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Write;
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;
    use crate::core::failure::Failure;
    use crate::core::outcome::{ListingResult, Path, ScopeResult};

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// What the log says of these outcomes, one after the other, without times.
    fn log(outcomes: &[Outcome]) -> Vec<String> {
        let written = Written::default();
        let writer = written.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_target(false)
            .without_time()
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let mut report = Report::new("gitlab");
            for outcome in outcomes {
                report.tell(outcome, TimeDelta::milliseconds(1500), Duration::from_secs(900));
            }
        });
        let text = String::from_utf8(written.0.lock().clone()).unwrap();
        text.lines().map(|line| line.trim().to_owned()).collect()
    }

    fn outcome(scopes: &[&str], odd: Vec<MalformedRow>) -> Outcome {
        let gap = |scope: &&str| Gap {
            path: Path::root(),
            scope: (*scope).to_owned(),
            failure: Failure {
                provider_message: Some("403 Forbidden".into()),
                ..Failure::new(Reason::Forbidden, format!("GET {scope}: 403 after 1 attempt"))
            },
            required_permission: Some("Owner of the group\n".into()),
        };
        let scope = ScopeResult { path: Path::root(), tokens: Vec::new(), malformed: odd, is_step: false };
        let listed =
            ListingResult { name: "group".into(), scopes: vec![scope], gaps: scopes.iter().map(gap).collect() };
        Outcome { listings: vec![listed], requests: [(200, 2), (403, 1)].into(), ..Outcome::default() }
    }

    #[test]
    fn one_line_a_collection() {
        assert_eq!(
            log(&[outcome(&[], Vec::new())]),
            [
                r#"INFO collected source="gitlab" tokens=0 scopes=1 gaps=0 odd_rows=0 requests=3 duration="1.5s" next="900.0s""#
            ]
        );
    }

    #[test]
    fn a_gap_is_told_when_it_is_new() {
        let (gap, none) = (outcome(&["/a"], Vec::new()), outcome(&[], Vec::new()));
        let lines = log(&[gap.clone(), gap.clone(), none, gap]);
        let told: Vec<usize> = (0..lines.len()).filter(|&line| lines[line].contains("GET /a")).collect();
        assert_eq!(told, [0, 4], "{lines:#?}");
        assert_eq!(
            lines[0],
            "WARN GET /a: 403 after 1 attempt, says the provider: 403 Forbidden; it needs Owner of the group \
             source=\"gitlab\" listing=\"group\" scope=\"/a\" reason=forbidden"
        );
    }

    #[test]
    fn nobody_reads_a_thousand_lines() {
        let scopes: Vec<String> = (0..1000).map(|number| format!("/{number}")).collect();
        let lines = log(&[outcome(&scopes.iter().map(String::as_str).collect::<Vec<_>>(), Vec::new())]);
        assert_eq!(lines.len(), MOST + 2);
        assert_eq!(lines[MOST], r#"WARN further scopes cannot be had source="gitlab" more=980"#);
    }

    #[test]
    fn an_odd_row_is_told_once() {
        let odd = |position| MalformedRow { position, id: None, field: "id" };
        let lines = log(&[outcome(&[], vec![odd(7)]), outcome(&[], vec![odd(8)])]);
        assert_eq!(lines.iter().filter(|line| line.contains("cannot be read")).count(), 1, "{lines:#?}");
    }
}
