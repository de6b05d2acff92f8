//! Replicas as real processes with one store and one provider, and a scraper of each.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio::time::sleep;

use token_expiry_exporter::storage::shared::SharedStore;

use crate::buckets::server::Address;
use crate::stub_provider::{Org, StubProvider};
use crate::test_servers::{Server, client, free_port, metrics, samples};

/// The times of an experiment.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// `--storage.poll`.
    pub poll: Duration,
    /// The interval of every source.
    pub interval: Duration,
    /// How long the provider takes for a collection.
    pub collection: Duration,
}

/// How often a replica decides what is due.
const TICK: Duration = Duration::from_millis(500);

impl Times {
    /// For the suite.
    pub const SHORT: Self = Self {
        poll: Duration::from_secs(1),
        interval: Duration::from_secs(15),
        collection: Duration::from_millis(500),
    };

    /// Some collections are always under way.
    pub const LONG: Self = Self { collection: Duration::from_secs(3), ..Self::SHORT };

    /// With the poll that is shipped.
    pub const SHIPPED: Self =
        Self { poll: Duration::from_secs(10), interval: Duration::from_secs(60), collection: Duration::from_secs(5) };

    /// The longest time between two collections of a source: its interval and a tenth more by chance, the collection itself, and a
    /// decision.
    pub fn longest_gap(self) -> Duration {
        self.interval.mul_f64(1.1) + self.collection + TICK
    }

    /// By how much more a source may be late whose holder leaves: the next one has seen the last collection at its next look.
    pub fn change_of_holder(self) -> Duration {
        self.poll.mul_f64(1.1) + TICK
    }

    /// How long a claim or a member lasts without a sign of life.
    pub fn ttl(self) -> Duration {
        self.poll * 9 / 2
    }

    /// The limit of a takeover: the claim ends, a look notices it, and a second for the decision.
    pub fn takeover(self) -> Duration {
        self.ttl() + self.poll + Duration::from_secs(1)
    }
}

/// Tokens of each source.
const TOKENS: u32 = 3;

/// What went wrong in a scrape.
type Violations = Arc<Mutex<Vec<String>>>;

/// Names of tokens, with their sources.
type Tokens = BTreeSet<String>;

/// A replica, and what it serves.
pub struct Replica {
    /// `None` after it was killed or stopped.
    server: Option<Server>,
    pub name: String,
    served: Arc<Mutex<Tokens>>,
    ready: Arc<AtomicBool>,
    scraper: JoinHandle<()>,
}

impl Replica {
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::SeqCst)
    }

    pub fn served(&self) -> Tokens {
        self.served.lock().unwrap().clone()
    }

    fn signal(&self, signal: &str) {
        let pid = self.server.as_ref().unwrap().pid().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    pub fn pause(&self) {
        self.signal("-STOP");
    }

    pub fn resume(&self) {
        self.signal("-CONT");
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        self.server.as_ref().unwrap().log()
    }

    /// A sample without labels of its own metrics.
    pub async fn sample(&self, metric: &str) -> f64 {
        let text = metrics(self.server.as_ref().unwrap()).await;
        samples(&text, metric)[0].value
    }

    /// As a node that fails.
    pub fn kill(&mut self) {
        self.scraper.abort();
        drop(self.server.take());
    }

    /// As in a rollout: SIGTERM. Returns how long it took.
    pub fn stop(&mut self) -> Duration {
        self.scraper.abort();
        let started = Instant::now();
        self.server.take().unwrap().stop();
        started.elapsed()
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.scraper.abort();
    }
}

/// Two collections of one source, one after the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    pub source: String,
    pub first: Instant,
    pub gap: Duration,
}

/// An installation: a provider with sources, a store, and replicas.
pub struct Fleet {
    pub times: Times,
    pub provider: StubProvider,
    pub sources: Vec<String>,
    directory: PathBuf,
    config: PathBuf,
    pub replicas: Vec<Replica>,
    started: usize,
    /// What any replica has served.
    known: Arc<Mutex<Tokens>>,
    violations: Violations,
    scrapes: Arc<AtomicUsize>,
    /// The longest time in milliseconds by which the machine or the store delayed this test.
    delay: Arc<AtomicU64>,
    meter: Option<JoinHandle<()>>,
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if let Some(meter) = &self.meter {
            meter.abort();
        }
    }
}

impl Fleet {
    pub async fn new(directory: &Path, times: Times, sources: usize) -> Self {
        let names: Vec<String> = (1..=sources).map(|number| format!("org-{number}")).collect();
        let now = chrono::Utc::now().timestamp();
        let provider = StubProvider::start(names.iter().map(|name| (name.as_str(), Org::with(TOKENS, now)))).await;
        for name in &names {
            provider.org(name, |org| org.delay = times.collection);
        }
        let interval = format!("{}s", times.interval.as_secs());
        let list: Vec<String> = names.iter().map(|name| provider.source(name, &interval)).collect();
        std::fs::write(directory.join("key"), "a-key").unwrap();
        let config = directory.join("config.yaml");
        std::fs::write(&config, format!("sources:\n  - {}\n", list.join("\n  - "))).unwrap();
        Self {
            times,
            provider,
            sources: names,
            directory: directory.to_owned(),
            config,
            replicas: Vec::new(),
            started: 0,
            known: Arc::default(),
            violations: Arc::default(),
            scrapes: Arc::default(),
            delay: Arc::default(),
            meter: None,
        }
    }

    /// Starts a replica.
    pub async fn start(&mut self, address: &Address) {
        self.start_with(address, &[]).await;
    }

    /// Starts a replica with these environment variables.
    pub async fn start_with(&mut self, address: &Address, environment: &[(&str, &str)]) {
        if self.meter.is_none() {
            self.meter = Some(tokio::spawn(measure_delays(address.open(), Arc::clone(&self.delay))));
        }
        self.started += 1;
        let name = format!("replica-{}", self.started);
        let port = free_port();
        let mut command = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter"));
        command
            .arg("serve")
            .arg(format!("--config.file={}", self.config.display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg(format!("--storage.url={}", address.url))
            .arg(format!("--storage.poll={}s", self.times.poll.as_secs()))
            .envs(address.environment.iter().map(|(name, value)| (name, value)))
            .envs(environment.iter().copied());
        let server = Server::start("replica", command, &self.directory, port, "/-/healthy").await;
        let served = Arc::new(Mutex::new(Tokens::new()));
        let ready = Arc::new(AtomicBool::new(false));
        let scraper = tokio::spawn(scrape(Scrape {
            name: name.clone(),
            url: server.url.clone(),
            served: Arc::clone(&served),
            ready: Arc::clone(&ready),
            expected: self.known.lock().unwrap().clone(),
            known: Arc::clone(&self.known),
            violations: Arc::clone(&self.violations),
            scrapes: Arc::clone(&self.scrapes),
        }));
        self.replicas.push(Replica { server: Some(server), name, served, ready, scraper });
    }

    /// The number of tokens that there are.
    pub fn all(&self) -> usize {
        self.sources.len() * TOKENS as usize
    }

    /// Waits until each of these replicas is ready and serves every token. Returns how long it took.
    pub async fn serve_all(&self, within: Duration) -> Duration {
        let started = Instant::now();
        loop {
            let live = self.replicas.iter().filter(|replica| replica.server.is_some());
            let lacking: Vec<String> = live
                .filter(|replica| !replica.is_ready() || replica.served().len() < self.all())
                .map(|replica| format!("{}: {} of {}", replica.name, replica.served().len(), self.all()))
                .collect();
            if lacking.is_empty() {
                return started.elapsed();
            }
            if started.elapsed() > within {
                let logs: Vec<String> =
                    self.replicas.iter().filter_map(|replica| Some(replica.server.as_ref()?.log())).collect();
                panic!("not within {within:?}: {lacking:?}\n{}", logs.join("\n---\n"));
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// All collections that were started, by source.
    pub fn asks(&self) -> Vec<(String, Vec<Instant>)> {
        let starts = |name: &String| self.provider.org(name, |org| org.starts.clone());
        self.sources.iter().map(|name| (name.clone(), starts(name))).collect()
    }

    /// The collections since a time.
    pub fn asks_since(&self, since: Instant) -> usize {
        self.asks().iter().map(|(_, starts)| starts.iter().filter(|start| **start >= since).count()).sum()
    }

    /// Two collections of one source, one after the other, of which the later began after a time.
    fn pairs_since(&self, since: Instant) -> Vec<Pair> {
        let asks = self.asks();
        let pairs = asks.iter().flat_map(|(name, starts)| starts.windows(2).map(move |pair| (name, pair)));
        let pairs = pairs.filter(|(_, pair)| pair[1] >= since);
        pairs.map(|(source, pair)| Pair { source: source.clone(), first: pair[0], gap: pair[1] - pair[0] }).collect()
    }

    /// Those that are closer than the shortest interval, which is a tenth shorter by chance.
    pub fn early_since(&self, since: Instant) -> Vec<Pair> {
        let limit = self.times.interval.mul_f64(0.9);
        self.pairs_since(since).into_iter().filter(|pair| pair.gap < limit).collect()
    }

    /// The longest gap, counted to now for the last collection of a source.
    pub fn longest_gap_since(&self, since: Instant) -> Duration {
        let open = self.asks().into_iter().filter_map(|(_, starts)| starts.last().map(Instant::elapsed)).max();
        let closed = self.pairs_since(since).into_iter().map(|pair| pair.gap).max();
        closed.max(open).unwrap_or_default()
    }

    /// No source waited for longer than this since a time. Only what the machine and the store were measured to be slow is added: a
    /// claim waits for one response and a decision, and another holder in addition for a beat and a look.
    pub fn assert_none_late(&self, since: Instant, limit: Duration, changes_holder: bool) {
        let (longest, delay) = (self.longest_gap_since(since), self.delay());
        let waits = if changes_holder { 4 } else { 2 };
        // The store's answers are not all that a machine with other work delays.
        let limit = limit + Duration::from_secs(1);
        assert!(longest <= limit + waits * delay, "collected late: {longest:?} > {limit:?}, delays of {delay:?}");
    }

    fn delay(&self) -> Duration {
        Duration::from_millis(self.delay.load(Ordering::SeqCst))
    }

    /// All scrapes of ready replicas.
    pub fn scrapes(&self) -> usize {
        self.scrapes.load(Ordering::SeqCst)
    }

    /// No scrape lacks a token that was known.
    pub fn assert_no_loss(&self) {
        let violations = self.violations.lock().unwrap();
        assert!(violations.is_empty(), "{}", violations.join("\n"));
    }
}

/// Measures how late this machine wakes a task, and how long a list of the store takes.
async fn measure_delays(store: Arc<dyn SharedStore>, delay: Arc<AtomicU64>) {
    let pause = Duration::from_millis(200);
    loop {
        let started = Instant::now();
        sleep(pause).await;
        let late = started.elapsed().saturating_sub(pause);
        let asked = Instant::now();
        let took = store.list("live/members/").await.map_or(Duration::ZERO, |_| asked.elapsed());
        delay.fetch_max(u64::try_from((late + took).as_millis()).unwrap(), Ordering::SeqCst);
    }
}

/// A scraper of one replica.
struct Scrape {
    name: String,
    url: String,
    served: Arc<Mutex<Tokens>>,
    ready: Arc<AtomicBool>,
    /// What was known when the replica started.
    expected: Tokens,
    known: Arc<Mutex<Tokens>>,
    violations: Violations,
    scrapes: Arc<AtomicUsize>,
}

/// Scrapes five times a second. From its readiness on, a replica must serve what was known at its start, and what it has
/// served before.
async fn scrape(mut scrape: Scrape) {
    let client = client();
    loop {
        let status = client.get(format!("{}/-/ready", scrape.url)).send().await;
        if status.is_ok_and(|response| response.status().is_success()) {
            let response = client.get(format!("{}/metrics", scrape.url)).send().await;
            if let Ok(text) = async { response?.error_for_status()?.text().await }.await {
                scrape.scrapes.fetch_add(1, Ordering::SeqCst);
                let tokens: Tokens = samples(&text, "token_expiry_timestamp_seconds")
                    .iter()
                    .map(|sample| format!("{}/{}", sample.label("source"), sample.label("token_name")))
                    .collect();
                let missing = scrape.expected.difference(&tokens).count();
                if missing > 0 {
                    let what = format!("{}: a scrape lacks {missing} tokens that were known", scrape.name);
                    scrape.violations.lock().unwrap().push(what);
                }
                scrape.expected.extend(tokens.iter().cloned());
                scrape.known.lock().unwrap().extend(tokens.iter().cloned());
                *scrape.served.lock().unwrap() = tokens;
                scrape.ready.store(true, Ordering::SeqCst);
            }
        }
        sleep(Duration::from_millis(200)).await;
    }
}
