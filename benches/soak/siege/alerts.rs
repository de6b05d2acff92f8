//! The real rules in a real Prometheus: what fires must be what the siege explains.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use chrono::Utc;
use serde_json::json;
use tokio::time::Instant;

use super::SOURCES;
use crate::equipment::{Server, free_port, query, tool};
use crate::stub::Org;
use crate::table::Row;

const DAY: i64 = 86_400;
/// So many tokens of each source have ends that are told of, and are not touched by chance.
pub(super) const OURS: u32 = 6;
/// A rule is evaluated every minute, and a change takes a collection and a scrape to be seen.
const SLACK: Duration = Duration::from_secs(180);
const MINUTE: u64 = 60;

/// Gives the first tokens of a source ends in every band, three of which change their band while the soak runs.
pub(super) fn prepared(mut org: Org, now: i64) -> Org {
    let minutes = |minutes: i64| minutes * 60;
    let ends = [20 * DAY, 3 * DAY, -2 * DAY, 7 * DAY + minutes(8), minutes(10), 30 * DAY + minutes(9)];
    for (number, end) in (1..).zip(ends) {
        org.tokens.insert(number, now + end);
    }
    org
}

/// The alert on a token that ends so many seconds from now.
fn alert(left: i64) -> Option<(&'static str, u64)> {
    match left {
        ..=0 => Some(("TokenExpired", 0)),
        left if left <= 7 * DAY => Some(("TokenExpiryCritical", 0)),
        left if left <= 30 * DAY => Some(("TokenExpiryWarning", 5)),
        _ => None,
    }
}

/// An alert by its name, source and token.
type Name = (String, String, String);

pub(super) struct Alerts {
    prometheus: Server,
    begun: Instant,
    ends: Vec<(&'static str, u32, i64)>,
    refused: Option<Instant>,
    /// From when, and until when, the configuration is spoilt.
    spoilt: Option<(Instant, Option<Instant>)>,
    looks: u64,
    fired: BTreeSet<Name>,
    false_ones: BTreeSet<Name>,
    missing: BTreeSet<Name>,
}

impl Alerts {
    pub(super) async fn start(dir: &Path, port: u16, now: i64) -> Self {
        let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("alerts/token-expiry.rules.yaml");
        let config = json!({
            "global": {"scrape_interval": "10s"},
            "rule_files": [rules],
            "scrape_configs": [{
                "job_name": "token-expiry-exporter",
                "static_configs": [{"targets": [format!("127.0.0.1:{port}")]}],
                // The rules read no other.
                "metric_relabel_configs": [{
                    "source_labels": ["__name__"],
                    "regex": "token_due_.*|token_finding|token_source_.*|token_expiry_exporter_.*",
                    "action": "keep",
                }],
            }],
        });
        let file = dir.join("prometheus.yaml");
        std::fs::write(&file, config.to_string()).unwrap();
        let port = free_port();
        let mut command = Command::new(tool("prometheus"));
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", dir.join("prometheus").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"));
        let prometheus = Server::start("prometheus", command, dir, port, "/-/ready").await;
        let ends = SOURCES.iter().flat_map(|(source, tokens, _)| {
            let org = prepared(Org::with(*tokens, now), now);
            org.tokens.into_iter().take(OURS as usize).map(|(number, end)| (*source, number, end)).collect::<Vec<_>>()
        });
        Self {
            prometheus,
            begun: Instant::now(),
            ends: ends.collect(),
            refused: None,
            spoilt: None,
            looks: 0,
            fired: BTreeSet::new(),
            false_ones: BTreeSet::new(),
            missing: BTreeSet::new(),
        }
    }

    pub(super) fn is_refused(&self) -> bool {
        self.refused.is_some()
    }

    pub(super) fn refuse(&mut self) {
        self.refused = Some(Instant::now());
    }

    pub(super) fn is_spoilt(&self) -> bool {
        self.spoilt.is_some_and(|(_, until)| until.is_none())
    }

    pub(super) fn spoil(&mut self, spoil: bool) {
        self.spoilt = match (spoil, self.spoilt) {
            (false, Some((from, _))) => Some((from, Some(Instant::now()))),
            _ => Some((Instant::now(), None)),
        };
    }

    /// What must fire now, and what may.
    fn expected(&self) -> (BTreeSet<Name>, BTreeSet<Name>) {
        let (mut must, mut may) = (BTreeSet::new(), BTreeSet::new());
        let (now, age) = (Utc::now().timestamp(), self.begun.elapsed());
        let slack = SLACK.as_secs() as i64;
        for (source, number, end) in &self.ends {
            let name = |alert: &str| (alert.to_owned(), (*source).to_owned(), format!("t{number}"));
            let (left, before) = (end - now, end - now + slack);
            may.extend([alert(left), alert(before)].into_iter().flatten().map(|(alert, _)| name(alert)));
            let Some((is, minutes)) = alert(left) else { continue };
            let waits = Duration::from_secs(minutes * MINUTE) + SLACK;
            let since = alert(left + waits.as_secs() as i64);
            if age > waits && since.is_some_and(|(was, _)| was == is) {
                must.insert(name(is));
            }
        }
        let mut fault = |alert: &str, source: &str, from: Instant, until: Option<Instant>, minutes: u64| {
            let name = (alert.to_owned(), source.to_owned(), String::new());
            let waits = Duration::from_secs(minutes * MINUTE);
            let lasted = until.unwrap_or_else(Instant::now) - from;
            if lasted > waits + SLACK && until.is_none() {
                must.insert(name.clone());
            }
            if lasted + SLACK > waits && until.is_none_or(|until| until.elapsed() < SLACK) {
                may.insert(name);
            }
        };
        if let Some(from) = self.refused {
            fault("TokenSourcePermissionLost", "refused", from, None, 15);
            fault("TokenSourceFailing", "refused", from, None, 30);
        }
        if let Some((from, until)) = self.spoilt {
            fault("TokenExporterReloadFailed", "", from, until, 5);
        }
        may.extend(must.iter().cloned());
        (must, may)
    }

    pub(super) async fn compare(&mut self) {
        let firing: BTreeSet<Name> = query(&self.prometheus, "ALERTS{alertstate=\"firing\"}")
            .await
            .iter()
            .map(|alert| {
                let label = |name| alert.label(name).to_owned();
                (label("alertname"), label("source"), label("token_id"))
            })
            .collect();
        let (must, may) = self.expected();
        self.looks += 1;
        self.false_ones.extend(firing.difference(&may).cloned());
        self.missing.extend(must.difference(&firing).cloned());
        self.fired.extend(firing);
    }

    pub(super) fn rows(&self) -> Vec<Row> {
        let named = |what, names: &BTreeSet<Name>| {
            let mut row = Row::count(what, names.len() as u64, 0);
            if !names.is_empty() {
                row.measured = format!("{} ({:?})", names.len(), names.first());
            }
            row
        };
        let kinds: BTreeSet<_> = self.fired.iter().map(|(alert, ..)| alert).collect();
        vec![
            Row::least("looks at the alerts of a real Prometheus", self.looks, 100),
            Row::least(
                format!("alerts that fired and were due, of {} kinds", kinds.len()),
                self.fired.len() as u64,
                30,
            ),
            named("alerts that fired and were not due", &self.false_ones),
            named("alerts that were due and did not fire", &self.missing),
        ]
    }
}
