//! The collector's times and shields, with paused time and sources that do as a test says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::RwLock;
use token_expiry_exporter::collector::{Collector, SourceJob, Timing};
use token_expiry_exporter::core::failure::{Failure, Reason};
use token_expiry_exporter::core::inventory::SharedInventory;
use token_expiry_exporter::core::inventory::{Inventory, Policy};
use token_expiry_exporter::core::lead::Lead;
use token_expiry_exporter::core::outcome::{ListingResult, Outcome, Path, ScopeResult};
use token_expiry_exporter::core::token::{Expiry, LastUse, Token};
use token_expiry_exporter::providers::{Probe, Source};
use tokio::time::{Instant, sleep};

const INTERVAL: Duration = Duration::from_secs(900);
const TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Clone, Copy)]
enum Does {
    Answer,
    Fail(Reason),
    Panic,
    Hang,
}

/// A source that does what it is told, the last thing over and over, and notes when it was asked.
struct Fake {
    listings: Vec<String>,
    token: String,
    script: Mutex<Vec<Does>>,
    asked: Mutex<Vec<Instant>>,
}

impl Fake {
    fn new(token: &str, script: &[Does]) -> Arc<Self> {
        Arc::new(Self {
            listings: vec!["tokens".into()],
            token: token.into(),
            script: Mutex::new(script.iter().rev().copied().collect()),
            asked: Mutex::default(),
        })
    }

    /// Seconds between the calls, the first since `start`.
    fn pauses(&self, start: Instant) -> Vec<u64> {
        let asked = self.asked.lock().unwrap();
        let before = std::iter::once(&start).chain(asked.iter());
        before.zip(asked.iter()).map(|(a, b)| (*b - *a).as_secs()).collect()
    }

    fn next(&self) -> Does {
        self.asked.lock().unwrap().push(Instant::now());
        let mut script = self.script.lock().unwrap();
        if script.len() > 1 { script.pop().unwrap() } else { script[0] }
    }
}

impl Source for Fake {
    fn listings(&self) -> &[String] {
        &self.listings
    }

    fn without_replacement(&self) -> Vec<String> {
        Vec::new()
    }

    fn collect(&self, now: DateTime<Utc>, _: Instant) -> BoxFuture<'_, Outcome> {
        async move {
            match self.next() {
                Does::Answer => answer(&self.token, now),
                Does::Fail(reason) => Outcome::failed(&self.listings, &Failure::new(reason, "as the test says")),
                Does::Panic => panic!("as the test says"),
                Does::Hang => std::future::pending().await,
            }
        }
        .boxed()
    }

    fn probe(&self, _: DateTime<Utc>, _: Instant) -> BoxFuture<'_, Vec<Probe>> {
        async { Vec::new() }.boxed()
    }
}

fn answer(id: &str, now: DateTime<Utc>) -> Outcome {
    let token = Token {
        id: id.into(),
        name: id.into(),
        kind: "api-token".into(),
        owner: None,
        created_at: None,
        expires: Expiry::At(now + TimeDelta::days(90)),
        last_used: LastUse::NotReported,
        scopes: Vec::new(),
        disabled: false,
        lifetime: None,
        manage_url: None,
        labels: BTreeMap::new(),
        approximate: false,
    };
    let scope = ScopeResult { path: Path::root(), tokens: vec![token], malformed: Vec::new(), is_step: false };
    Outcome {
        listings: vec![ListingResult { name: "tokens".into(), scopes: vec![scope], gaps: Vec::new() }],
        requests: BTreeMap::from([(200, 1)]),
        ..Outcome::default()
    }
}

fn policy() -> Policy {
    Policy {
        provider: "fake".into(),
        listings: vec!["tokens".into()],
        interval: TimeDelta::from_std(INTERVAL).unwrap(),
        lead: Lead { warning: TimeDelta::days(30), critical: TimeDelta::days(7) },
        min_lifetime: TimeDelta::days(1),
        expired_retention: TimeDelta::days(7),
        token_limit: 1000,
        max_lifetime: None,
        unused_after: None,
        without_replacement: Vec::new(),
    }
}

struct Stage {
    start: Instant,
    inventory: SharedInventory,
    collector: Collector,
}

impl Stage {
    /// A collector whose chance is always the same number.
    fn with_jitter(jitter: f64) -> Self {
        let inventory: SharedInventory = Arc::new(RwLock::new(Inventory::default()));
        let (start, wall) = (Instant::now(), Utc::now());
        let surroundings = Timing {
            clock: Arc::new(move || wall + start.elapsed()),
            jitter: Arc::new(move || jitter),
            spread: Duration::from_secs(5),
        };
        let collector = Collector::new(Arc::clone(&inventory), surroundings);
        Self { start, inventory, collector }
    }

    async fn apply(&mut self, sources: &[(&str, &Arc<Fake>, &str)]) {
        let orders = sources
            .iter()
            .map(|(name, source, fingerprint)| SourceJob {
                name: (*name).into(),
                source: Arc::clone(source) as Arc<dyn Source>,
                interval: INTERVAL,
                timeout: TIMEOUT,
                fingerprint: (*fingerprint).into(),
            })
            .collect();
        let policies = sources.iter().map(|(name, ..)| ((*name).into(), policy())).collect();
        self.collector.apply(orders, policies, Arc::new([])).await;
    }

    fn known(&self) -> BTreeSet<(String, String)> {
        let inventory = self.inventory.read();
        inventory.tokens(Utc::now()).map(|view| (view.source.to_owned(), view.token.id.clone())).collect()
    }

    fn up(&self, source: &str) -> Option<bool> {
        let inventory = self.inventory.read();
        inventory.sources().find(|(name, _)| *name == source).and_then(|(_, source)| source.up)
    }

    fn failures(&self, source: &str, reason: Reason) -> u64 {
        let inventory = self.inventory.read();
        let (_, source) = inventory.sources().find(|(name, _)| *name == source).unwrap();
        source.failures[&reason]
    }
}

fn pairs(pairs: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    pairs.iter().map(|(source, id)| ((*source).into(), (*id).into())).collect()
}

#[tokio::test(start_paused = true)]
async fn a_source_is_collected_at_once_and_then_in_its_interval() {
    let source = Fake::new("t", &[Does::Answer]);
    let mut stage = Stage::with_jitter(0.5);
    stage.apply(&[("a", &source, "1")]).await;
    assert_eq!(stage.up("a"), None, "not yet attempted");
    sleep(Duration::from_secs(1900)).await;
    assert_eq!(source.pauses(stage.start), [2, 900, 900]);
    assert_eq!(stage.up("a"), Some(true));
    assert_eq!(stage.known(), pairs(&[("a", "t")]));
}

#[tokio::test(start_paused = true)]
async fn the_jitter_keeps_within_a_tenth() {
    for (chance, expected) in [(0.0, [0, 810, 810]), (0.999_999, [5, 990, 990])] {
        let source = Fake::new("t", &[Does::Answer]);
        let mut stage = Stage::with_jitter(chance);
        stage.apply(&[("a", &source, "1")]).await;
        sleep(Duration::from_secs(2000)).await;
        assert_eq!(source.pauses(stage.start), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_it_is_tried_again_soon_until_it_is_complete() {
    let fails = Does::Fail(Reason::ServerError);
    let source = Fake::new("t", &[Does::Answer, fails, fails, fails, Does::Answer]);
    let mut stage = Stage::with_jitter(0.999_999);
    stage.apply(&[("a", &source, "1")]).await;
    sleep(Duration::from_secs(1100)).await;
    assert_eq!(stage.up("a"), Some(false));
    assert_eq!(stage.known(), pairs(&[("a", "t")]), "what was known stays");
    assert_eq!(stage.failures("a", Reason::ServerError), 3);
    sleep(Duration::from_secs(1500)).await;
    assert_eq!(stage.up("a"), Some(true));
    assert_eq!(source.pauses(stage.start), [5, 990, 30, 60, 120, 990]);
}

#[tokio::test(start_paused = true)]
async fn what_a_person_must_heal_is_not_asked_for_more_often() {
    let source = Fake::new("t", &[Does::Fail(Reason::Forbidden)]);
    let mut stage = Stage::with_jitter(0.5);
    stage.apply(&[("a", &source, "1")]).await;
    sleep(Duration::from_secs(2000)).await;
    assert_eq!(source.pauses(stage.start), [2, 900, 900]);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failure_of_its_source_alone() {
    let (bad, good) = (Fake::new("b", &[Does::Panic, Does::Answer]), Fake::new("g", &[Does::Answer]));
    let mut stage = Stage::with_jitter(0.5);
    stage.apply(&[("bad", &bad, "1"), ("good", &good, "1")]).await;
    sleep(Duration::from_secs(5)).await;
    assert_eq!((stage.up("bad"), stage.up("good")), (Some(false), Some(true)));
    assert_eq!(stage.failures("bad", Reason::Internal), 1);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(stage.up("bad"), Some(true), "and it goes on");
    assert_eq!(bad.pauses(stage.start), [2, 15]);
}

#[tokio::test(start_paused = true)]
async fn a_hang_is_cut_off() {
    let source = Fake::new("t", &[Does::Hang, Does::Answer]);
    let mut stage = Stage::with_jitter(0.5);
    stage.apply(&[("a", &source, "1")]).await;
    sleep(TIMEOUT + Duration::from_secs(13)).await;
    assert_eq!(stage.up("a"), Some(false));
    assert_eq!(stage.failures("a", Reason::Timeout), 1);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(stage.up("a"), Some(true));
}

#[tokio::test(start_paused = true)]
async fn a_reload_disturbs_only_what_it_changes() {
    let (stays, goes) = (Fake::new("s", &[Does::Answer]), Fake::new("g", &[Does::Answer]));
    let mut stage = Stage::with_jitter(0.5);
    let old = Fake::new("old", &[Does::Hang]);
    stage.apply(&[("stays", &stays, "1"), ("goes", &goes, "1"), ("changes", &old, "1")]).await;
    sleep(Duration::from_secs(30)).await;
    assert_eq!(stage.known(), pairs(&[("stays", "s"), ("goes", "g")]));

    let (unused, new, added) =
        (Fake::new("unused", &[Does::Answer]), Fake::new("new", &[Does::Answer]), Fake::new("added", &[Does::Answer]));
    stage.apply(&[("stays", &unused, "1"), ("changes", &new, "2"), ("added", &added, "1")]).await;
    assert_eq!(stage.known(), pairs(&[("stays", "s")]), "what is gone is forgotten at once");
    sleep(Duration::from_secs(1000)).await;
    assert_eq!(stage.known(), pairs(&[("stays", "s"), ("changes", "new"), ("added", "added")]));
    assert_eq!(stays.pauses(stage.start), [2, 900], "its own source and its own time");
    assert!(unused.asked.lock().unwrap().is_empty());
    assert_eq!(goes.asked.lock().unwrap().len(), 1);
    assert_eq!(old.asked.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn every_change_is_told() {
    let source = Fake::new("t", &[Does::Answer]);
    let mut stage = Stage::with_jitter(0.5);
    let mut revision = stage.collector.revision();
    stage.apply(&[("a", &source, "1")]).await;
    assert!(revision.has_changed().unwrap(), "the configuration");
    revision.mark_unchanged();
    sleep(Duration::from_secs(5)).await;
    assert!(revision.has_changed().unwrap(), "the collection");
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_a_collection() {
    let source = Fake::new("t", &[Does::Hang]);
    let mut stage = Stage::with_jitter(0.0);
    stage.apply(&[("a", &source, "1")]).await;
    sleep(Duration::from_secs(1)).await;
    let before = Instant::now();
    stage.collector.stop().await;
    assert_eq!(before.elapsed(), Duration::ZERO);
    sleep(Duration::from_secs(5000)).await;
    assert_eq!(source.asked.lock().unwrap().len(), 1);
}
