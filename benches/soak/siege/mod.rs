//! The siege: the real program for a while of real time, with troubles, reloads and kills by chance, and a real Prometheus
//! that scrapes it and evaluates the real rules.
//!
//! The plan: kills come in the first half of the time; the process that lives then is the one whose memory is
//! judged. One source is refused from the first minute on, and the configuration is spoilt for some minutes: the alerts on
//! both must fire, and no other may. In the last three minutes all but the refused source are well again.

mod alerts;
mod truth;

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::Duration;

use chrono::Utc;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use reqwest::Client;
use tokio::time::{Instant, sleep};

use crate::burst;
use crate::equipment::{Server, client, free_port, samples};
use crate::restarts::{command, folder};
use crate::stub::{Org, Stub, Trouble};
use crate::table::Row;
use alerts::Alerts;
use truth::Truth;

/// The sources: their tokens, and how often each is collected, in seconds.
pub(crate) const SOURCES: [(&str, u32, u64); 6] = [
    ("ten", 10, 5),
    ("refused", 10, 5),
    ("hundred", 100, 5),
    ("thousand", 1_000, 10),
    ("tens", 10_000, 30),
    ("most", 50_000, 60),
];
const TROUBLES: [Trouble; 8] = [
    Trouble::Status(500),
    Trouble::Status(503),
    Trouble::Status(404),
    Trouble::Status(429),
    Trouble::Html,
    Trouble::Cut,
    Trouble::Silence,
    Trouble::Half,
];
const STEP: Duration = Duration::from_secs(4);
/// At the end nothing more happens for so long: three times the longest interval.
const QUIET: Duration = Duration::from_secs(180);
/// How much more memory the last third of a process's life may need than the one before, in MiB and as a share.
const GROWTH: (f64, f64) = (16.0, 0.2);
const MORE_FILES: f64 = 16.0;

/// What happens from now on.
struct Siege {
    begun: Instant,
    lasting: Duration,
    chance: StdRng,
    stub: Stub,
    dir: tempfile::TempDir,
    port: u16,
    client: Client,
    exporter: Option<Server>,
    healed: BTreeMap<&'static str, Instant>,
    good: String,
    done: BTreeMap<&'static str, u64>,
    /// Of the process that lives now: memory in MiB and open files, over time.
    usage: Vec<(f64, f64)>,
}

pub(crate) async fn run(seed: u64, lasting: Duration) -> Vec<Row> {
    let now = Utc::now().timestamp();
    let orgs = SOURCES.map(|(name, tokens, _)| (name, alerts::prepared(Org::with(tokens, now), now)));
    let stub = Stub::start(orgs).await;
    let sources: Vec<_> = SOURCES.iter().map(|(name, _, seconds)| stub.source(name, &format!("{seconds}s"))).collect();
    let good = format!("sources: [{}]\n", sources.join(", "));
    let dir = folder(&good);
    let (port, chance) = (free_port(), StdRng::seed_from_u64(seed.wrapping_add(4_000)));
    let mut siege = Siege {
        begun: Instant::now(),
        lasting,
        chance,
        stub,
        dir,
        port,
        client: client(),
        exporter: None,
        healed: BTreeMap::new(),
        good,
        done: BTreeMap::new(),
        usage: Vec::new(),
    };
    siege.start().await;
    let mut alerts = Alerts::start(siege.dir.path(), port, now).await;
    let mut truth = Truth::default();
    let mut rows = Vec::new();
    while siege.begun.elapsed() < lasting {
        sleep(STEP).await;
        siege.trouble(&mut alerts).await;
        if let Some(page) = siege.scrape().await {
            truth.compare(&siege.stub, &page, siege.begun.elapsed() + STEP * 4 > lasting);
        }
        alerts.compare().await;
        if rows.is_empty() && siege.part() > 0.66 {
            rows = siege.burst().await;
        }
    }
    rows.extend(siege.rows());
    rows.extend(truth.rows());
    rows.extend(alerts.rows());
    rows
}

impl Siege {
    /// How much of the time has passed.
    fn part(&self) -> f64 {
        self.begun.elapsed().as_secs_f64() / self.lasting.as_secs_f64()
    }

    fn count(&mut self, what: &'static str) {
        *self.done.entry(what).or_default() += 1;
    }

    async fn start(&mut self) {
        let dir = self.dir.path();
        self.exporter =
            Some(Server::start("token-expiry-exporter", command(dir, self.port), dir, self.port, "/-/healthy").await);
        self.usage.clear();
    }

    fn hang_up(&self) {
        let pid = self.exporter.as_ref().unwrap().pid().to_string();
        assert!(Command::new("kill").args(["-HUP", &pid]).stderr(Stdio::null()).status().unwrap().success());
    }

    fn configure(&self, text: &str) {
        std::fs::write(self.dir.path().join("config.yaml"), text).unwrap();
        self.hang_up();
    }

    async fn scrape(&mut self) -> Option<String> {
        let url = format!("http://127.0.0.1:{}/metrics", self.port);
        let page = self.client.get(url).send().await.ok()?.text().await.ok()?;
        let value = |name| samples(&page, name).first().map(|sample| sample.value);
        self.usage.push((value("process_resident_memory_bytes")? / 1_048_576.0, value("process_open_fds")?));
        self.count("scrapes compared token by token");
        Some(page)
    }

    /// Lets something happen, as the plan and chance will it.
    async fn trouble(&mut self, alerts: &mut Alerts) {
        let (part, left) = (self.part(), self.lasting.saturating_sub(self.begun.elapsed()));
        if !alerts.is_refused() && self.begun.elapsed() > Duration::from_secs(60) {
            self.stub.org("refused", |org| org.trouble = Some(Trouble::Status(403)));
            alerts.refuse();
        }
        // Long enough for the rule, which waits for five minutes.
        let spoil = (0.5..0.88).contains(&part);
        if spoil != alerts.is_spoilt() {
            let text = if spoil { self.good.replace("interval: 30s", "intervall: 30s") } else { self.good.clone() };
            self.configure(&text);
            alerts.spoil(spoil);
        }
        let now = Instant::now();
        for (name, until) in self.healed.clone() {
            if now > until || left < QUIET {
                self.stub.org(name, |org| org.trouble = None);
                self.healed.remove(name);
            }
        }
        if left < QUIET {
            return;
        }
        let (name, tokens, _) = SOURCES[self.chance.random_range(0..SOURCES.len())];
        match self.chance.random_range(0..10) {
            0..3 if name != "refused" && !self.healed.contains_key(name) => {
                let trouble = TROUBLES[self.chance.random_range(0..TROUBLES.len())];
                self.stub.org(name, |org| org.trouble = Some(trouble));
                let seconds = self.chance.random_range(5..90);
                self.healed.insert(name, now + Duration::from_secs(seconds));
                self.count("troubles of a provider");
            }
            3..6 => {
                let (old, end) =
                    (self.chance.random_range(alerts::OURS + 1..=tokens), self.chance.random_range(50..300));
                let end = Utc::now().timestamp() + end * 86_400;
                self.stub.org(name, |org| {
                    let new = org.tokens.last_key_value().map_or(1, |(last, _)| last + 1);
                    org.tokens.remove(&old);
                    org.tokens.insert(new, end);
                });
                self.count("tokens rotated");
            }
            6 if !spoil => {
                let days = self.chance.random_range(8..365);
                self.configure(&format!("policy: {{unused_after: {days}d}}\n{}", self.good));
                self.count("reloads");
            }
            7 if part < 0.48 => {
                self.exporter = None; // It is killed.
                self.start().await;
                self.count("kills");
            }
            _ => {}
        }
    }

    /// A thousand scrapes a second, of this exporter and of a small one.
    async fn burst(&mut self) -> Vec<Row> {
        let small = folder(&format!("sources: [{}]\n", self.stub.source("thousand", "10s")));
        let port = free_port();
        let server = Server::start("small", command(small.path(), port), small.path(), port, "/-/ready").await;
        let minute = Duration::from_secs(60);
        let mut rows = burst::run("1,000 tokens", format!("{}/metrics", server.url), minute, 900.0).await;
        drop(server);
        let large = format!("http://127.0.0.1:{}/metrics", self.port);
        rows.extend(burst::run("61,120 tokens, under siege", large, minute / 2, 0.0).await);
        rows
    }

    fn rows(&self) -> Vec<Row> {
        let minutes = self.lasting.as_secs() / 60;
        let mut rows = vec![Row::least("minutes of siege: 6 sources of 10 to 50,000 tokens", minutes, 20)];
        rows.extend(self.done.iter().map(|(what, count)| Row::least(*what, *count, 1)));
        let third = self.usage.len() / 3;
        let median = |part: &[(f64, f64)], of: fn(&(f64, f64)) -> f64| {
            let mut values: Vec<f64> = part.iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
        };
        // The first third is the warming up.
        let (before, last) = (&self.usage[third..2 * third], &self.usage[2 * third..]);
        let (memory, after) = (median(before, |usage| usage.0), median(last, |usage| usage.0));
        rows.push(Row::most(
            format!(
                "memory: {memory:.0} MiB in the second third of the last process's life; growth until the last third"
            ),
            after - memory,
            GROWTH.0 + memory * GROWTH.1,
            "MiB",
        ));
        let (files, after) = (median(before, |usage| usage.1), median(last, |usage| usage.1));
        rows.push(Row::most(
            format!("open files: {files:.0} in the second third; growth until the last third"),
            after - files,
            MORE_FILES,
            "files",
        ));
        rows
    }
}
