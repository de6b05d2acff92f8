//! Replicas of a fleet in one process, over a store in memory, with paused time.

#![allow(clippy::unwrap_used)]

mod memory;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep};

use super::super::{Collector, SourceJob, Timing};
use super::FleetOptions;
use crate::core::fleet_status::SharedFleetStatus;
use crate::core::intake::Intake;
use crate::core::inventory::{Policy, SharedInventory};
use crate::core::lead::Lead;
use crate::core::outcome::{ListingResult, Outcome, Path, ScopeResult};
use crate::core::schedule::Times;
use crate::core::token::{Expiry, Token};
use crate::providers::Source;
use memory::MemoryStore;

const INTERVAL: Duration = Duration::from_secs(120);

/// A provider that counts the collections of all replicas.
struct Provider {
    listings: [String; 1],
    name: String,
    collections: Arc<AtomicUsize>,
    duration: Duration,
}

impl Source for Provider {
    fn listings(&self) -> &[String] {
        &self.listings
    }

    fn without_replacement(&self) -> Vec<String> {
        Vec::new()
    }

    fn collect<'c>(&'c self, _: DateTime<Utc>, _: Instant, intake: &'c Intake) -> BoxFuture<'c, Outcome> {
        async move {
            let number = self.collections.fetch_add(1, Ordering::Relaxed) + 1;
            sleep(self.duration).await;
            let token = Token::new(format!("{}-{number}", self.name), "key", Expiry::Never);
            let scope = ScopeResult {
                path: Path::root(),
                tokens: intake.tokens([token]),
                malformed: Vec::new(),
                is_step: false,
            };
            let listing = ListingResult { scopes: vec![scope], ..ListingResult::new("l") };
            Outcome { listings: vec![listing], requests: [(200, 1)].into(), ..Outcome::default() }
        }
        .boxed()
    }
}

struct Replica {
    collector: Collector,
    inventory: SharedInventory,
    status: SharedFleetStatus,
}

/// The sources of an installation, and the collections of each.
struct Installation {
    store: Arc<MemoryStore>,
    collections: BTreeMap<String, Arc<AtomicUsize>>,
    duration: Duration,
}

impl Installation {
    fn new(sources: usize) -> Self {
        let sources = (0..sources).map(|number| (format!("source {number}"), Arc::default()));
        Self { store: Arc::default(), collections: sources.collect(), duration: Duration::from_secs(2) }
    }

    async fn start(&self, name: &str) -> Replica {
        self.start_as(name, "test").await
    }

    async fn start_as(&self, name: &str, installation: &str) -> Replica {
        let (inventory, status) = (SharedInventory::default(), SharedFleetStatus::default());
        let options = FleetOptions {
            store: self.store.clone(),
            replica: name.to_owned(),
            version: "1",
            installation: installation.to_owned(),
            times: Times::default(),
            status: Arc::clone(&status),
        };
        let start = Instant::now();
        let timing = Timing {
            clock: Arc::new(move || {
                DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::from_std(start.elapsed()).unwrap()
            }),
            jitter: Arc::new(|| 0.5),
            spread: Duration::from_secs(1),
        };
        let mut collector = Collector::shared(Arc::clone(&inventory), timing, options);
        let jobs = self.collections.iter().map(|(name, collections)| SourceJob {
            name: name.clone(),
            source: Arc::new(Provider {
                listings: ["l".to_owned()],
                name: name.clone(),
                collections: Arc::clone(collections),
                duration: self.duration,
            }),
            interval: INTERVAL,
            timeout: Duration::from_secs(600),
            fingerprint: "f".to_owned(),
        });
        let policies = self.collections.keys().map(|name| (name.clone(), policy())).collect();
        collector.apply(jobs.collect(), policies, Arc::new([])).await;
        Replica { collector, inventory, status }
    }

    fn total(&self) -> usize {
        self.collections.values().map(|count| count.load(Ordering::Relaxed)).sum()
    }
}

fn policy() -> Policy {
    Policy {
        provider: "p".to_owned(),
        listings: vec!["l".to_owned()],
        interval: TimeDelta::from_std(INTERVAL).unwrap(),
        lead: Lead { warning: TimeDelta::zero(), critical: TimeDelta::zero() },
        min_lifetime: TimeDelta::zero(),
        expired_retention: TimeDelta::zero(),
        token_limit: 10,
        never_expires: false,
        max_lifetime: None,
        unused_after: None,
        rotate_after: None,
        without_replacement: Vec::new(),
        owner_logins: Vec::new(),
        renewals: std::sync::Arc::default(),
        finds_locations: false,
        finds_credentials: false,
        identifies: false,
    }
}

impl Replica {
    /// The tokens that it serves.
    fn tokens(&self) -> Vec<String> {
        self.inventory.read().tokens(DateTime::UNIX_EPOCH).map(|view| view.token.id.to_string()).collect()
    }

    /// The requests of a source, as exposed.
    fn requests(&self, source: &str) -> u64 {
        self.inventory.read().source(source).unwrap().requests.values().sum()
    }
}

/// Lets the tasks of all replicas run, also those that block.
async fn pass(time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        sleep(Duration::from_millis(250)).await;
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn replicas_collect_each_source_once_and_all_serve_it() {
    let installation = Installation::new(6);
    let (a, b) = (installation.start("a").await, installation.start("b").await);
    pass(Duration::from_secs(30)).await;
    assert_eq!(installation.total(), 6, "a cold start");
    assert_eq!(a.tokens().len(), 6);
    assert_eq!(a.tokens(), b.tokens());
    assert_eq!((a.requests("source 3"), b.requests("source 3")), (1, 1), "counters are shared");
    assert_eq!(a.status.read().members, ["a", "b"]);
    assert!(a.status.read().is_complete && a.status.read().is_up);
    pass(2 * INTERVAL).await;
    assert_eq!(installation.total(), 18, "each source once an interval");
    assert_eq!(a.tokens(), b.tokens());
    assert_eq!((a.requests("source 3"), b.requests("source 3")), (3, 3));
    let preferred = a.status.read().preferred_sources + b.status.read().preferred_sources;
    assert_eq!(preferred, 6);
}

#[tokio::test(start_paused = true)]
async fn new_replica_serves_everything_without_a_request() {
    let installation = Installation::new(3);
    let a = installation.start("a").await;
    pass(Duration::from_secs(20)).await;
    let b = installation.start("b").await;
    pass(Duration::from_secs(3)).await;
    assert_eq!((installation.total(), b.tokens()), (3, a.tokens()));
    assert!(b.status.read().is_complete);
}

#[tokio::test(start_paused = true)]
async fn stopped_replica_is_replaced_at_once() {
    let mut installation = Installation::new(4);
    installation.duration = Duration::from_secs(60);
    let (a, b) = (installation.start("a").await, installation.start("b").await);
    pass(Duration::from_secs(30)).await;
    let before = installation.total();
    a.collector.stop().await;
    pass(Duration::from_secs(90)).await;
    assert!(installation.total() > before, "what it was collecting is collected again");
    assert_eq!(b.tokens().len(), 4);
    assert_eq!(b.status.read().members, ["b"]);
}

#[tokio::test(start_paused = true)]
async fn replicas_go_on_while_the_store_is_down_and_publish_later() {
    let installation = Installation::new(4);
    let (a, b) = (installation.start("a").await, installation.start("b").await);
    pass(Duration::from_secs(30)).await;
    installation.store.set_down(true);
    pass(Duration::from_secs(170)).await;
    assert_eq!(installation.total(), 8, "each source once more, by the replica that holds it");
    assert!(!a.status.read().is_up);
    installation.store.set_down(false);
    pass(Duration::from_secs(30)).await;
    assert_eq!(installation.total(), 8);
    assert_eq!(a.tokens(), b.tokens(), "results of the outage are published");
    assert_eq!(a.tokens().len(), 8, "a token that is missing once stays");
}

#[tokio::test(start_paused = true)]
async fn replica_that_never_saw_the_store_collects_nothing() {
    let installation = Installation::new(2);
    installation.store.set_down(true);
    let a = installation.start("a").await;
    pass(Duration::from_secs(300)).await;
    assert_eq!((installation.total(), a.status.read().is_complete), (0, false));
    installation.store.set_down(false);
    pass(Duration::from_secs(20)).await;
    assert_eq!((installation.total(), a.status.read().is_complete), (2, true));
}

#[tokio::test(start_paused = true)]
async fn damaged_objects_are_counted_and_replaced() {
    let installation = Installation::new(1);
    let (a, b) = (installation.start("a").await, installation.start("b").await);
    pass(Duration::from_secs(30)).await;
    installation.store.overwrite("live/sources/", b"{\"format\":3}\nx");
    pass(Duration::from_secs(60)).await;
    assert_eq!(installation.total(), 2, "collected again");
    assert!(a.status.read().counts.unreadable + b.status.read().counts.unreadable > 0);
    assert_eq!(a.tokens(), b.tokens());
    assert_eq!(a.tokens().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn damaged_tokens_are_replaced_by_a_replica_that_has_them() {
    let installation = Installation::new(4);
    let (a, b) = (installation.start("a").await, installation.start("b").await);
    pass(Duration::from_secs(30)).await;
    let before = a.tokens();
    installation.store.overwrite("blobs/", b"x");
    let c = installation.start("c").await;
    pass(Duration::from_secs(3)).await;
    assert_eq!((c.status.read().is_complete, c.tokens().len()), (false, 0), "it is not scraped yet");
    pass(Duration::from_secs(60)).await;
    assert_eq!(installation.total(), 8, "each source is collected again, once");
    assert!(c.status.read().is_complete && c.status.read().counts.unreadable == 4);
    // A token that is missing once stays, which only those know that had it.
    assert_eq!(c.tokens().len(), 8);
    assert!(before.iter().all(|token| c.tokens().contains(token)));
    assert_eq!((a.tokens(), b.tokens()), (c.tokens(), c.tokens()));
}

#[tokio::test(start_paused = true)]
async fn damaged_tokens_that_no_replica_has_are_collected_at_once() {
    let installation = Installation::new(2);
    drop(installation.start("a").await);
    let a = installation.start("b").await;
    pass(Duration::from_secs(60)).await;
    a.collector.stop().await;
    installation.store.overwrite("blobs/", b"x");
    let c = installation.start("c").await;
    pass(Duration::from_secs(30)).await;
    assert_eq!((c.status.read().is_complete, c.tokens().len()), (true, 2));
}

#[tokio::test(start_paused = true)]
async fn slow_puts_do_not_delay_the_next_collection() {
    let installation = Installation::new(1);
    installation.store.set_latency(Duration::from_secs(4));
    let _a = installation.start("a").await;
    pass(Duration::from_secs(30)).await;
    assert_eq!(installation.total(), 1);
    // A collection of 2 s, an interval of 120 s, a claim of 4 s and a decision; two more puts take 8 s.
    pass(10 * Duration::from_secs(127)).await;
    assert_eq!(installation.total(), 11);
}

#[tokio::test(start_paused = true)]
async fn prefix_of_another_installation_is_not_used() {
    let installation = Installation::new(2);
    let a = installation.start_as("a", "test").await;
    pass(Duration::from_secs(30)).await;
    let before = installation.store.contents("live/sources/");
    let b = installation.start_as("b", "prod").await;
    pass(Duration::from_secs(60)).await;
    assert_eq!((b.status.read().is_complete, b.tokens().len(), installation.total()), (false, 0, 2));
    assert_eq!(installation.store.contents("live/sources/"), before);
    assert_eq!((a.tokens().len(), a.status.read().members.len()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn objects_of_another_installation_are_not_used_and_not_replaced() {
    let installation = Installation::new(1);
    let a = installation.start("a").await;
    pass(Duration::from_secs(30)).await;
    drop(a);
    installation.store.replace("live/sources/", "\"installation\":\"test\"", "\"installation\":\"prod\"");
    let before = installation.store.contents("live/sources/");
    let b = installation.start("b").await;
    pass(Duration::from_secs(300)).await;
    assert_eq!((b.tokens().len(), installation.total()), (0, 1));
    assert_eq!(installation.store.contents("live/sources/"), before);
    assert_eq!(b.status.read().counts.unreadable, 1);
}
