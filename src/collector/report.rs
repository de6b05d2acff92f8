//! The log of collections: one line each, and one more for each new problem.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::TimeDelta;
use tracing::{debug, info, warn};

use crate::core::failure::Reason;
use crate::core::outcome::{Gap, MalformedRow, Outcome};

/// How many new problems of one kind are logged one by one; a fan-out may have thousands.
const MAX_LOGGED: usize = 20;

/// What identifies a problem: the listing, the scope or row, and the reason. All malformed rows of a listing without an id are
/// one problem, as their positions change with every row before them.
type Problem = (String, String, Reason);

/// Logs the collections of a source. A problem is logged again only after a collection without it.
pub(super) struct Report {
    source: String,
    previous: BTreeSet<Problem>,
}

impl Report {
    pub(super) fn new(source: &str) -> Self {
        Self { source: source.to_owned(), previous: BTreeSet::new() }
    }

    /// Logs the new problems of a collection, and a summary with its duration and the delay of the next one.
    pub(super) fn log(&mut self, outcome: &Outcome, duration: TimeDelta, delay: Duration) {
        self.log_problems(outcome);
        let source = self.source.as_str();
        let scopes = || outcome.listings.iter().flat_map(|listing| &listing.scopes);
        let tokens: usize = scopes().map(|scope| scope.tokens.len()).sum();
        let malformed_rows: usize = scopes().map(|scope| scope.malformed.len()).sum();
        let scopes = scopes().filter(|scope| !scope.is_step).count();
        let gaps: usize = outcome.listings.iter().map(|listing| listing.gaps.len()).sum();
        let requests: u64 = outcome.requests.values().sum();
        let (duration, next) = (seconds(duration.to_std().unwrap_or_default()), seconds(delay));
        if outcome.is_complete() {
            info!(source, tokens, scopes, gaps, malformed_rows, requests, duration, next, "collected");
        } else {
            warn!(source, tokens, scopes, gaps, malformed_rows, requests, duration, next, "collection incomplete");
        }
    }

    fn log_problems(&mut self, outcome: &Outcome) {
        let source = self.source.as_str();
        let mut current = BTreeSet::new();

        let gaps = outcome.listings.iter().flat_map(|listing| listing.gaps.iter().map(move |gap| (&listing.name, gap)));
        let problems =
            gaps.map(|(listing, gap)| ((listing.clone(), gap.scope.clone(), gap.failure.reason), (listing, gap)));
        let more = self.log_new(&mut current, problems, |(listing, gap)| {
            warn!(source, listing, scope = gap.scope, reason = %gap.failure.reason, "{}", describe(gap));
        });
        if more > 0 {
            warn!(source, more, "more scopes failed");
        }

        let rows = outcome.listings.iter().flat_map(|listing| {
            listing.scopes.iter().flat_map(|scope| &scope.malformed).map(move |row| (&listing.name, row))
        });
        let problems = rows.map(|(listing, row)| {
            ((listing.clone(), row.id.clone().unwrap_or_default(), Reason::Mapping), (listing, row))
        });
        let more = self.log_new(&mut current, problems, |(listing, MalformedRow { position, id, field })| {
            warn!(source, listing, row = position, id, field, "malformed row skipped");
        });
        if more > 0 {
            warn!(source, more, "more malformed rows skipped");
        }

        let problems =
            outcome.failures.iter().map(|failure| ((String::new(), failure.what.clone(), failure.reason), failure));
        self.log_new(&mut current, problems, |failure| {
            warn!(source, reason = %failure.reason, provider_message = failure.provider_message, "{failure}");
        });
        if outcome.unread_fields > 0 {
            debug!(source, fields = outcome.unread_fields, "unreadable fields omitted");
        }
        self.previous = current;
    }

    /// Logs the problems that the previous collection did not have, up to the limit. Returns how many it did not log.
    fn log_new<T>(
        &self,
        current: &mut BTreeSet<Problem>,
        problems: impl Iterator<Item = (Problem, T)>,
        log: impl Fn(T),
    ) -> usize {
        let mut new = 0_usize;
        for (problem, details) in problems {
            if !self.previous.contains(&problem) {
                new += 1;
                if new <= MAX_LOGGED {
                    log(details);
                }
            }
            current.insert(problem);
        }
        new.saturating_sub(MAX_LOGGED)
    }
}

/// A gap as one message: what failed, the provider's message, and the required permission.
pub fn describe(gap: &Gap) -> String {
    let mut text = gap.failure.what.clone();
    if let Some(message) = &gap.failure.provider_message {
        text.push_str(&format!("; provider message: {message}"));
    }
    if let Some(permission) = &gap.required_permission {
        text.push_str(&format!("; required permission: {}", permission.trim_end()));
    }
    text
}

fn seconds(duration: Duration) -> String {
    format!("{:.1}s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Write;
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;
    use crate::core::failure::Failure;
    use crate::core::intake::Tokens;
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

    /// The log of these outcomes, without times.
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
                report.log(outcome, TimeDelta::milliseconds(1500), Duration::from_secs(900));
            }
        });
        let text = String::from_utf8(written.0.lock().clone()).unwrap();
        text.lines().map(|line| line.trim().to_owned()).collect()
    }

    fn outcome(scopes: &[&str], malformed: Vec<MalformedRow>) -> Outcome {
        let gap = |scope: &&str| Gap {
            path: Path::root(),
            scope: (*scope).to_owned(),
            failure: Failure {
                provider_message: Some("403 Forbidden".into()),
                ..Failure::new(Reason::Forbidden, format!("GET {scope}: 403 after 1 attempt"))
            },
            required_permission: Some("Owner of the group\n".into()),
        };
        let scope = ScopeResult { path: Path::root(), tokens: Tokens::default(), malformed, is_step: false };
        let listed = ListingResult {
            scopes: vec![scope],
            gaps: scopes.iter().map(gap).collect(),
            ..ListingResult::new("group")
        };
        Outcome { listings: vec![listed], requests: [(200, 2), (403, 1)].into(), ..Outcome::default() }
    }

    #[test]
    fn collection_is_logged_in_one_line() {
        assert_eq!(
            log(&[outcome(&[], Vec::new())]),
            [
                r#"INFO collected source="gitlab" tokens=0 scopes=1 gaps=0 malformed_rows=0 requests=3 duration="1.5s" next="900.0s""#
            ]
        );
    }

    #[test]
    fn gap_is_logged_when_it_is_new() {
        let (gap, none) = (outcome(&["/a"], Vec::new()), outcome(&[], Vec::new()));
        let lines = log(&[gap.clone(), gap.clone(), none, gap]);
        let logged: Vec<usize> = (0..lines.len()).filter(|&line| lines[line].contains("GET /a")).collect();
        assert_eq!(logged, [0, 4], "{lines:#?}");
        assert_eq!(
            lines[0],
            "WARN GET /a: 403 after 1 attempt; provider message: 403 Forbidden; required permission: Owner of the group \
             source=\"gitlab\" listing=\"group\" scope=\"/a\" reason=forbidden"
        );
    }

    #[test]
    fn report_logs_at_most_20_new_gaps() {
        let scopes: Vec<String> = (0..1000).map(|number| format!("/{number}")).collect();
        let lines = log(&[outcome(&scopes.iter().map(String::as_str).collect::<Vec<_>>(), Vec::new())]);
        assert_eq!(lines.len(), MAX_LOGGED + 2);
        assert_eq!(lines[MAX_LOGGED], r#"WARN more scopes failed source="gitlab" more=980"#);
    }

    #[test]
    fn malformed_row_is_logged_once() {
        let row = |position| MalformedRow { position, id: None, field: "id" };
        let lines = log(&[outcome(&[], vec![row(7)]), outcome(&[], vec![row(8)])]);
        assert_eq!(lines.iter().filter(|line| line.contains("malformed row skipped")).count(), 1, "{lines:#?}");
    }
}
