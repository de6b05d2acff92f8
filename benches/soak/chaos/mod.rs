//! The chaos run: the real program under random faults, reloads and kills, and a real Prometheus that scrapes it and evaluates
//! the real rules.
//!
//! Kills happen in the first half, so that the memory of the last process can be judged. From the first minute on one source is
//! rejected with 403, and for some minutes the configuration is invalid: the alerts on both must fire, and no others. In the
//! last three minutes every provider except the rejected one works. The log is written to a small disk, which it fills.

mod alerts;
mod compare;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use chrono::Utc;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use reqwest::Client;
use tokio::time::{Instant, sleep};

use crate::burst;
use crate::report::Row;
use crate::restarts::{command, config_dir};
use crate::stub_provider::{Org, ProviderFault, StubProvider};
use crate::test_servers::{Server, client, free_port, samples};
use alerts::Alerts;
use compare::Comparison;

/// Name, number of tokens and interval in seconds of each source.
pub(crate) const SOURCES: [(&str, u32, u64); 6] = [
    ("ten", 10, 5),
    ("rejected", 10, 5),
    ("hundred", 100, 5),
    ("thousand", 1_000, 10),
    ("tens", 10_000, 30),
    ("most", 50_000, 60),
];
const FAULTS: [ProviderFault; 8] = [
    ProviderFault::Status(500),
    ProviderFault::Status(503),
    ProviderFault::Status(404),
    ProviderFault::Status(429),
    ProviderFault::Html,
    ProviderFault::Truncate,
    ProviderFault::Silence,
    ProviderFault::Half,
];
const STEP: Duration = Duration::from_secs(4);
/// Time without faults at the end: three times the longest interval.
const RECOVERY: Duration = Duration::from_secs(180);
/// Maximum wait until each source is collected once more, on a busy machine.
const MAX_WAIT: Duration = Duration::from_secs(600);
/// Allowed growth of memory from the second to the last third of a process's life: in MiB, plus a share.
const MAX_GROWTH: (f64, f64) = (16.0, 0.2);
/// Size of the disk with the exporter's log, in KiB: it is full after a few minutes.
const LOG_DISK: u32 = 32;
/// The same for open files.
const MAX_FILE_GROWTH: f64 = 16.0;

struct Chaos {
    begun: Instant,
    duration: Duration,
    rng: StdRng,
    stub: StubProvider,
    dir: tempfile::TempDir,
    port: u16,
    client: Client,
    exporter: Option<Server>,
    /// When each active fault is removed.
    faults: BTreeMap<&'static str, Instant>,
    valid_config: String,
    counts: BTreeMap<&'static str, u64>,
    /// Log lines that the current process could not write.
    lost_log_lines: u64,
    /// Memory in MiB and open files of the current process, over time.
    usage: Vec<(f64, f64)>,
}

pub(crate) async fn run(seed: u64, duration: Duration) -> Vec<Row> {
    let now = Utc::now().timestamp();
    let orgs = SOURCES.map(|(name, tokens, _)| (name, alerts::prepared(Org::with(tokens, now), now)));
    let stub = StubProvider::start(orgs).await;
    let sources: Vec<_> = SOURCES.iter().map(|(name, _, seconds)| stub.source(name, &format!("{seconds}s"))).collect();
    let valid_config = format!("sources: [{}]\n", sources.join(", "));
    let dir = config_dir(&valid_config);
    let (port, rng) = (free_port(), StdRng::seed_from_u64(seed.wrapping_add(4_000)));
    let mut chaos = Chaos {
        begun: Instant::now(),
        duration,
        rng,
        stub,
        dir,
        port,
        client: client(),
        exporter: None,
        faults: BTreeMap::new(),
        valid_config,
        counts: BTreeMap::new(),
        lost_log_lines: 0,
        usage: Vec::new(),
    };
    chaos.start().await;
    let mut alerts = Alerts::start(chaos.dir.path(), port, now).await;
    let mut comparison = Comparison::default();
    let mut rows = Vec::new();
    while chaos.begun.elapsed() < duration {
        sleep(STEP).await;
        chaos.step(&mut alerts).await;
        if let Some(page) = chaos.scrape().await {
            comparison.compare(&chaos.stub, &page, false);
        }
        alerts.compare().await;
        if rows.is_empty() && chaos.progress() > 0.66 {
            rows = chaos.burst().await;
        }
    }
    if let Some(page) = chaos.recovered().await {
        comparison.compare(&chaos.stub, &page, true);
    }
    rows.extend(chaos.rows());
    rows.extend(comparison.rows());
    rows.extend(alerts.rows());
    rows
}

/// The same command with its log on a small disk of its own; on one that is always full if mounts are not allowed.
fn with_small_log_disk(command: &Command, dir: &Path) -> Command {
    const SCRIPT: &str = r#"
        disk=$1 size=$2; shift 2
        mount='mount -t tmpfs -o size=$1 tmpfs "$0"'
        alone='unshare --map-root-user --mount sh -c'
        $alone "$mount" "$disk" "$size" 2>/dev/null || exec "$@" 2>/dev/full
        exec $alone "$mount"' && shift && exec "$@" 2>"$0/log"' "$disk" "$size" "$@""#;
    let disk = dir.join("log-disk");
    std::fs::create_dir_all(&disk).unwrap();
    let mut wrapped = Command::new("sh");
    wrapped.args(["-c", SCRIPT, "sh"]).arg(disk).arg(format!("{LOG_DISK}k"));
    wrapped.arg(command.get_program()).args(command.get_args()).current_dir(dir);
    wrapped
}

impl Chaos {
    /// The elapsed share of the duration.
    fn progress(&self) -> f64 {
        self.begun.elapsed().as_secs_f64() / self.duration.as_secs_f64()
    }

    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    async fn start(&mut self) {
        let dir = self.dir.path();
        let command = with_small_log_disk(&command(dir, self.port), dir);
        self.exporter = Some(Server::start("token-expiry-exporter", command, dir, self.port, "/-/healthy").await);
        self.usage.clear();
    }

    fn reload(&self) {
        let pid = self.exporter.as_ref().unwrap().pid().to_string();
        assert!(Command::new("kill").args(["-HUP", &pid]).stderr(Stdio::null()).status().unwrap().success());
    }

    fn configure(&self, text: &str) {
        std::fs::write(self.dir.path().join("config.yaml"), text).unwrap();
        self.reload();
    }

    async fn scrape(&mut self) -> Option<String> {
        let url = format!("http://127.0.0.1:{}/metrics", self.port);
        let page = self.client.get(url).send().await.ok()?.text().await.ok()?;
        let value = |name| samples(&page, name).first().map(|sample| sample.value);
        self.usage.push((value("process_resident_memory_bytes")? / 1_048_576.0, value("process_open_fds")?));
        self.lost_log_lines = value("token_expiry_exporter_log_lines_lost_total")? as u64;
        self.count("scrapes compared token by token");
        Some(page)
    }

    /// The next planned and random events.
    async fn step(&mut self, alerts: &mut Alerts) {
        let (progress, left) = (self.progress(), self.duration.saturating_sub(self.begun.elapsed()));
        if !alerts.is_rejected() && self.begun.elapsed() > Duration::from_secs(60) {
            self.stub.org("rejected", |org| org.fault = Some(ProviderFault::Status(403)));
            alerts.reject();
        }
        // Long enough for the alert, which fires after five minutes.
        let invalid = (0.5..0.88).contains(&progress);
        if invalid != alerts.is_config_invalid() {
            let text = if invalid {
                self.valid_config.replace("interval: 30s", "intervall: 30s")
            } else {
                self.valid_config.clone()
            };
            self.configure(&text);
            alerts.set_config_invalid(invalid);
        }
        let now = Instant::now();
        for (name, until) in self.faults.clone() {
            if now > until || left < RECOVERY {
                self.stub.org(name, |org| org.fault = None);
                self.faults.remove(name);
            }
        }
        if left < RECOVERY {
            return;
        }
        let (name, tokens, _) = SOURCES[self.rng.random_range(0..SOURCES.len())];
        match self.rng.random_range(0..10) {
            0..3 if name != "rejected" && !self.faults.contains_key(name) => {
                let fault = FAULTS[self.rng.random_range(0..FAULTS.len())];
                self.stub.org(name, |org| org.fault = Some(fault));
                let seconds = self.rng.random_range(5..90);
                self.faults.insert(name, now + Duration::from_secs(seconds));
                self.count("provider faults");
            }
            3..6 => {
                let (old, days) =
                    (self.rng.random_range(alerts::FIXED_TOKENS + 1..=tokens), self.rng.random_range(50..300));
                let expiry = Utc::now().timestamp() + days * 86_400;
                self.stub.org(name, |org| {
                    let new = org.tokens.last_key_value().map_or(1, |(last, _)| last + 1);
                    org.tokens.remove(&old);
                    org.tokens.insert(new, expiry);
                });
                self.count("tokens rotated");
            }
            6 if !invalid => {
                let days = self.rng.random_range(8..365);
                self.configure(&format!("policy: {{unused_after: {days}d}}\n{}", self.valid_config));
                self.count("reloads");
            }
            7 if progress < 0.48 => {
                self.exporter = None; // Kills it.
                self.start().await;
                self.count("kills");
            }
            _ => {}
        }
    }

    /// A scrape after every source but the rejected one has been collected once more, or after `MAX_WAIT`.
    async fn recovered(&mut self) -> Option<String> {
        let (begun, recovered_at) = (Instant::now(), Utc::now().timestamp() as f64);
        loop {
            sleep(STEP).await;
            let Some(page) = self.scrape().await else { continue };
            let ages = samples(&page, "token_source_last_success_timestamp_seconds");
            let new = ages.iter().filter(|age| age.value > recovered_at).count();
            if new >= SOURCES.len() - 1 || begun.elapsed() > MAX_WAIT {
                return Some(page);
            }
        }
    }

    /// 1,000 scrapes per second of a small exporter and of this one.
    async fn burst(&mut self) -> Vec<Row> {
        let stub = StubProvider::start([("small", Org::with(1_000, Utc::now().timestamp()))]).await;
        let small = config_dir(&format!("sources: [{}]\n", stub.source("small", "10s")));
        let port = free_port();
        let server = Server::start("small", command(small.path(), port), small.path(), port, "/-/ready").await;
        let minute = Duration::from_secs(60);
        let mut rows = burst::run("1,000 tokens", format!("{}/metrics", server.url), minute, 900.0).await;
        drop(server);
        let large = format!("http://127.0.0.1:{}/metrics", self.port);
        rows.extend(burst::run("61,120 tokens, during the chaos run", large, minute / 2, 0.0).await);
        rows
    }

    fn rows(&self) -> Vec<Row> {
        let minutes = self.duration.as_secs() / 60;
        let mut rows = vec![Row::least("minutes of chaos run: 6 sources of 10 to 50,000 tokens", minutes, 20)];
        rows.extend(self.counts.iter().map(|(what, count)| Row::least(*what, *count, 1)));
        let what = format!("log lines lost by the last process, whose log disk of {LOG_DISK} KiB is full");
        rows.push(Row::least(what, self.lost_log_lines, 1));
        let third = self.usage.len() / 3;
        let median = |part: &[(f64, f64)], of: fn(&(f64, f64)) -> f64| {
            let mut values: Vec<f64> = part.iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
        };
        // Memory still grows in the first third.
        let (before, last) = (&self.usage[third..2 * third], &self.usage[2 * third..]);
        let (memory, after) = (median(before, |usage| usage.0), median(last, |usage| usage.0));
        rows.push(Row::most(
            format!("memory in the second third of the last process's life: {memory:.0} MiB; growth to the last third"),
            after - memory,
            MAX_GROWTH.0 + memory * MAX_GROWTH.1,
            "MiB",
        ));
        let (files, after) = (median(before, |usage| usage.1), median(last, |usage| usage.1));
        rows.push(Row::most(
            format!("open files in the second third: {files:.0}; growth to the last third"),
            after - files,
            MAX_FILE_GROWTH,
            "files",
        ));
        rows
    }
}
