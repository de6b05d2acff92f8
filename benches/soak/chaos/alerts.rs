//! The real rules in a real Prometheus: the alerts that fire must be exactly those that the chaos run causes.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use chrono::Utc;
use serde_json::json;
use tokio::time::Instant;

use super::SOURCES;
use crate::report::Row;
use crate::stub_provider::Org;
use crate::test_servers::{Server, free_port, query, tool};

const DAY: i64 = 86_400;
/// Number of tokens per source with a planned expiry. They are never rotated at random.
pub(super) const FIXED_TOKENS: u32 = 6;
/// A rule is evaluated every minute, and a change needs a collection and a scrape to become visible.
const SLACK: Duration = Duration::from_secs(180);
const MINUTE: u64 = 60;

/// Sets the expiries of the first tokens of a source: every band, with three that change their band during the run.
pub(super) fn prepared(mut org: Org, now: i64) -> Org {
    let minutes = |minutes: i64| minutes * 60;
    let expiries = [20 * DAY, 3 * DAY, -2 * DAY, 7 * DAY + minutes(8), minutes(10), 30 * DAY + minutes(9)];
    for (number, left) in (1..).zip(expiries) {
        org.tokens.insert(number, now + left);
    }
    org
}

/// The alert on a token with `left` seconds to its expiry, and the minutes until it fires.
fn alert(left: i64) -> Option<(&'static str, u64)> {
    match left {
        ..=0 => Some(("TokenExpired", 0)),
        left if left <= 7 * DAY => Some(("TokenExpiryCritical", 0)),
        left if left <= 30 * DAY => Some(("TokenExpiryWarning", 5)),
        _ => None,
    }
}

/// Name, source and token of an alert.
type Name = (String, String, String);

pub(super) struct Alerts {
    prometheus: Server,
    begun: Instant,
    expiries: Vec<(&'static str, u32, i64)>,
    /// Since when one source is rejected.
    rejected: Option<Instant>,
    /// When the configuration became invalid, and valid again.
    config_invalid: Option<(Instant, Option<Instant>)>,
    comparisons: u64,
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
                // Only the metrics that the rules use.
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
        let expiries = SOURCES.iter().flat_map(|(source, tokens, _)| {
            let org = prepared(Org::with(*tokens, now), now);
            org.tokens
                .into_iter()
                .take(FIXED_TOKENS as usize)
                .map(|(number, expiry)| (*source, number, expiry))
                .collect::<Vec<_>>()
        });
        Self {
            prometheus,
            begun: Instant::now(),
            expiries: expiries.collect(),
            rejected: None,
            config_invalid: None,
            comparisons: 0,
            fired: BTreeSet::new(),
            false_ones: BTreeSet::new(),
            missing: BTreeSet::new(),
        }
    }

    pub(super) fn is_rejected(&self) -> bool {
        self.rejected.is_some()
    }

    pub(super) fn reject(&mut self) {
        self.rejected = Some(Instant::now());
    }

    pub(super) fn is_config_invalid(&self) -> bool {
        self.config_invalid.is_some_and(|(_, until)| until.is_none())
    }

    pub(super) fn set_config_invalid(&mut self, invalid: bool) {
        self.config_invalid = match (invalid, self.config_invalid) {
            (false, Some((from, _))) => Some((from, Some(Instant::now()))),
            _ => Some((Instant::now(), None)),
        };
    }

    /// The alerts that must fire now, and those that may.
    fn expected(&self) -> (BTreeSet<Name>, BTreeSet<Name>) {
        let (mut must, mut may) = (BTreeSet::new(), BTreeSet::new());
        let (now, age) = (Utc::now().timestamp(), self.begun.elapsed());
        let slack = SLACK.as_secs() as i64;
        for (source, number, expiry) in &self.expiries {
            let name = |alert: &str| (alert.to_owned(), (*source).to_owned(), format!("t{number}"));
            let (left, before) = (expiry - now, expiry - now + slack);
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
        if let Some(from) = self.rejected {
            fault("TokenSourcePermissionLost", "rejected", from, None, 15);
            fault("TokenSourceFailing", "rejected", from, None, 30);
        }
        if let Some((from, until)) = self.config_invalid {
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
        self.comparisons += 1;
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
            Row::least("comparisons with the alerts of a real Prometheus", self.comparisons, 100),
            Row::least(format!("expected alerts that fired, of {} kinds", kinds.len()), self.fired.len() as u64, 30),
            named("alerts that fired unexpectedly", &self.false_ones),
            named("expected alerts that did not fire", &self.missing),
        ]
    }
}
