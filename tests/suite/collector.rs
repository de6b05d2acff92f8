//! The collector, with paused time and scripted sources.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::RwLock;
use token_expiry_exporter::collector::{Collector, SourceJob, Timing};
use token_expiry_exporter::core::failure::{Failure, Reason};
use token_expiry_exporter::core::intake::Intake;
use token_expiry_exporter::core::inventory::{Inventory, Policy, SharedInventory};
use token_expiry_exporter::core::lead::Lead;
use token_expiry_exporter::core::outcome::{ListingResult, Outcome, Path, ScopeResult};
use token_expiry_exporter::core::refusal::Refusal;
use token_expiry_exporter::core::secret::{Credential, Secret};
use token_expiry_exporter::core::token::{Expiry, LastUse, Token};
use token_expiry_exporter::providers::Source;
use tokio::time::{Instant, sleep};

const INTERVAL: Duration = Duration::from_secs(900);
const TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Clone, Copy)]
enum Action {
    Respond,
    Fail(Reason),
    Panic,
    Hang,
    /// The provider refuses the secret.
    Refuse,
}

/// A source that follows a script, repeats its last action, and records when it was collected.
struct ScriptedSource {
    listings: Vec<String>,
    token: String,
    script: Mutex<Vec<Action>>,
    collections: Mutex<Vec<Instant>>,
    restored: Mutex<Option<Refusal>>,
}

impl ScriptedSource {
    fn new(token: &str, script: &[Action]) -> Arc<Self> {
        Arc::new(Self {
            listings: vec!["tokens".into()],
            token: token.into(),
            script: Mutex::new(script.iter().rev().copied().collect()),
            collections: Mutex::default(),
            restored: Mutex::default(),
        })
    }

    /// Seconds between collections, the first since `start`.
    fn delays(&self, start: Instant) -> Vec<u64> {
        let collections = self.collections.lock().unwrap();
        let before = std::iter::once(&start).chain(collections.iter());
        before.zip(collections.iter()).map(|(a, b)| (*b - *a).as_secs()).collect()
    }

    fn next(&self) -> Action {
        self.collections.lock().unwrap().push(Instant::now());
        let mut script = self.script.lock().unwrap();
        if script.len() > 1 { script.pop().unwrap() } else { script[0] }
    }
}

impl Source for ScriptedSource {
    fn listings(&self) -> &[String] {
        &self.listings
    }

    fn without_replacement(&self) -> Vec<String> {
        Vec::new()
    }

    fn restore_refusal(&self, refusal: Refusal) {
        *self.restored.lock().unwrap() = Some(refusal);
    }

    fn collect<'c>(&'c self, now: DateTime<Utc>, _: Instant, _: &'c Intake) -> BoxFuture<'c, Outcome> {
        async move {
            match self.next() {
                Action::Respond => outcome(&self.token, now),
                Action::Fail(reason) => Outcome::failed(&self.listings, &Failure::new(reason, "scripted")),
                Action::Panic => panic!("scripted"),
                Action::Hang => std::future::pending().await,
                Action::Refuse => Outcome {
                    refusal: Some(Refusal::new(now, "account", &Credential::single(Secret::new("secret")))),
                    ..Outcome::failed(&self.listings, &Failure::new(Reason::Unauthorized, "scripted"))
                },
            }
        }
        .boxed()
    }
}

fn outcome(id: &str, now: DateTime<Utc>) -> Outcome {
    let token = Token {
        id: id.into(),
        name: id.into(),
        kind: "api-token".into(),
        owner: None,
        created_at: None,
        expires: Expiry::At(now + TimeDelta::days(90)),
        last_used: LastUse::NotReported,
        scopes: Arc::default(),
        disabled: false,
        lifetime: None,
        renews_before: None,
        manage_url: None,
        renew: None,
        labels: Arc::default(),
        approximate: false,
    };
    let scope = ScopeResult {
        path: Path::root(),
        tokens: [token].into_iter().collect(),
        malformed: Vec::new(),
        is_step: false,
    };
    Outcome {
        listings: vec![ListingResult { scopes: vec![scope], ..ListingResult::new("tokens") }],
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
        never_expires: true,
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

struct Testbed {
    start: Instant,
    inventory: SharedInventory,
    collector: Collector,
}

impl Testbed {
    /// A collector with constant jitter.
    fn with_jitter(jitter: f64) -> Self {
        let inventory: SharedInventory = Arc::new(RwLock::new(Inventory::default()));
        let (start, wall) = (Instant::now(), Utc::now());
        let timing = Timing {
            clock: Arc::new(move || wall + start.elapsed()),
            jitter: Arc::new(move || jitter),
            spread: Duration::from_secs(5),
        };
        let collector = Collector::new(Arc::clone(&inventory), timing);
        Self { start, inventory, collector }
    }

    async fn apply(&mut self, sources: &[(&str, &Arc<ScriptedSource>, &str)]) {
        let jobs = sources
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
        self.collector.apply(jobs, policies, Arc::new([])).await;
    }

    fn known(&self) -> BTreeSet<(String, String)> {
        let inventory = self.inventory.read();
        inventory.tokens(Utc::now()).map(|view| (view.source.to_owned(), view.token.id.to_string())).collect()
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
async fn source_is_collected_after_the_start_and_then_at_its_interval() {
    let source = ScriptedSource::new("t", &[Action::Respond]);
    let mut testbed = Testbed::with_jitter(0.5);
    testbed.apply(&[("a", &source, "1")]).await;
    assert_eq!(testbed.up("a"), None, "not collected yet");
    sleep(Duration::from_secs(1900)).await;
    assert_eq!(source.delays(testbed.start), [2, 900, 900]);
    assert_eq!(testbed.up("a"), Some(true));
    assert_eq!(testbed.known(), pairs(&[("a", "t")]));
}

#[tokio::test(start_paused = true)]
async fn jitter_is_at_most_a_tenth_of_the_interval() {
    for (jitter, expected) in [(0.0, [0, 810, 810]), (0.999_999, [5, 990, 990])] {
        let source = ScriptedSource::new("t", &[Action::Respond]);
        let mut testbed = Testbed::with_jitter(jitter);
        testbed.apply(&[("a", &source, "1")]).await;
        sleep(Duration::from_secs(2000)).await;
        assert_eq!(source.delays(testbed.start), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn temporary_failure_is_retried_with_backoff() {
    let fails = Action::Fail(Reason::ServerError);
    let source = ScriptedSource::new("t", &[Action::Respond, fails, fails, fails, Action::Respond]);
    let mut testbed = Testbed::with_jitter(0.999_999);
    testbed.apply(&[("a", &source, "1")]).await;
    sleep(Duration::from_secs(1100)).await;
    assert_eq!(testbed.up("a"), Some(false));
    assert_eq!(testbed.known(), pairs(&[("a", "t")]), "previous tokens stay");
    assert_eq!(testbed.failures("a", Reason::ServerError), 3);
    sleep(Duration::from_secs(1500)).await;
    assert_eq!(testbed.up("a"), Some(true));
    assert_eq!(source.delays(testbed.start), [5, 990, 30, 60, 120, 990]);
}

#[tokio::test(start_paused = true)]
async fn permanent_failure_is_not_retried_early() {
    let source = ScriptedSource::new("t", &[Action::Fail(Reason::Forbidden)]);
    let mut testbed = Testbed::with_jitter(0.5);
    testbed.apply(&[("a", &source, "1")]).await;
    sleep(Duration::from_secs(2000)).await;
    assert_eq!(source.delays(testbed.start), [2, 900, 900]);
}

#[tokio::test(start_paused = true)]
async fn panic_is_a_failure_of_its_source_only() {
    let (bad, good) =
        (ScriptedSource::new("b", &[Action::Panic, Action::Respond]), ScriptedSource::new("g", &[Action::Respond]));
    let mut testbed = Testbed::with_jitter(0.5);
    testbed.apply(&[("bad", &bad, "1"), ("good", &good, "1")]).await;
    sleep(Duration::from_secs(5)).await;
    assert_eq!((testbed.up("bad"), testbed.up("good")), (Some(false), Some(true)));
    assert_eq!(testbed.failures("bad", Reason::Internal), 1);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(testbed.up("bad"), Some(true), "collection continues");
    assert_eq!(bad.delays(testbed.start), [2, 15]);
}

#[tokio::test(start_paused = true)]
async fn hanging_collection_times_out() {
    let source = ScriptedSource::new("t", &[Action::Hang, Action::Respond]);
    let mut testbed = Testbed::with_jitter(0.5);
    testbed.apply(&[("a", &source, "1")]).await;
    sleep(TIMEOUT + Duration::from_secs(13)).await;
    assert_eq!(testbed.up("a"), Some(false));
    assert_eq!(testbed.failures("a", Reason::Timeout), 1);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(testbed.up("a"), Some(true));
}

#[tokio::test(start_paused = true)]
async fn reload_affects_only_changed_sources() {
    let (unchanged, removed) =
        (ScriptedSource::new("s", &[Action::Respond]), ScriptedSource::new("g", &[Action::Respond]));
    let mut testbed = Testbed::with_jitter(0.5);
    let old = ScriptedSource::new("old", &[Action::Hang]);
    testbed.apply(&[("unchanged", &unchanged, "1"), ("removed", &removed, "1"), ("changed", &old, "1")]).await;
    sleep(Duration::from_secs(30)).await;
    assert_eq!(testbed.known(), pairs(&[("unchanged", "s"), ("removed", "g")]));

    let (unused, new, added) = (
        ScriptedSource::new("unused", &[Action::Respond]),
        ScriptedSource::new("new", &[Action::Respond]),
        ScriptedSource::new("added", &[Action::Respond]),
    );
    testbed.apply(&[("unchanged", &unused, "1"), ("changed", &new, "2"), ("added", &added, "1")]).await;
    assert_eq!(testbed.known(), pairs(&[("unchanged", "s")]), "tokens of removed sources are removed at once");
    sleep(Duration::from_secs(1000)).await;
    assert_eq!(testbed.known(), pairs(&[("unchanged", "s"), ("changed", "new"), ("added", "added")]));
    assert_eq!(unchanged.delays(testbed.start), [2, 900], "same source and schedule");
    assert!(unused.collections.lock().unwrap().is_empty());
    assert_eq!(removed.collections.lock().unwrap().len(), 1);
    assert_eq!(old.collections.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn changed_source_is_given_the_refusal_of_the_previous_one() {
    let before = ScriptedSource::new("t", &[Action::Refuse, Action::Panic]);
    let mut testbed = Testbed::with_jitter(0.5);
    testbed.apply(&[("a", &before, "1")]).await;
    // The panic shows nothing about the secret.
    sleep(Duration::from_secs(1000)).await;
    assert!(before.collections.lock().unwrap().len() > 1);
    let after = ScriptedSource::new("t", &[Action::Respond]);
    testbed.apply(&[("a", &after, "2")]).await;
    assert!(after.restored.lock().unwrap().is_some() && before.restored.lock().unwrap().is_none());
    sleep(Duration::from_secs(10)).await;
    let next = ScriptedSource::new("t", &[Action::Respond]);
    testbed.apply(&[("a", &next, "3")]).await;
    assert!(next.restored.lock().unwrap().is_none(), "the secret was accepted");
}

#[tokio::test(start_paused = true)]
async fn revision_changes_with_the_inventory() {
    let source = ScriptedSource::new("t", &[Action::Respond]);
    let mut testbed = Testbed::with_jitter(0.5);
    let mut revision = testbed.collector.revision();
    testbed.apply(&[("a", &source, "1")]).await;
    assert!(revision.has_changed().unwrap(), "the configuration");
    revision.mark_unchanged();
    sleep(Duration::from_secs(5)).await;
    assert!(revision.has_changed().unwrap(), "the collection");
}

#[tokio::test(start_paused = true)]
async fn stop_does_not_wait_for_a_collection() {
    let source = ScriptedSource::new("t", &[Action::Hang]);
    let mut testbed = Testbed::with_jitter(0.0);
    testbed.apply(&[("a", &source, "1")]).await;
    sleep(Duration::from_secs(1)).await;
    let before = Instant::now();
    testbed.collector.stop().await;
    assert_eq!(before.elapsed(), Duration::ZERO);
    sleep(Duration::from_secs(5000)).await;
    assert_eq!(source.collections.lock().unwrap().len(), 1);
}

/// Holds the inventory's read lock in a thread until `release` receives something, or for two seconds.
struct Reader {
    release: mpsc::Sender<()>,
    /// Returns whether `release` received something.
    thread: thread::JoinHandle<bool>,
}

impl Reader {
    fn start(inventory: &SharedInventory) -> Self {
        let inventory = Arc::clone(inventory);
        let ((release, released), (lock, locked)) = (mpsc::channel(), mpsc::channel());
        let thread = thread::spawn(move || {
            let _guard = inventory.read();
            lock.send(()).unwrap();
            released.recv_timeout(Duration::from_secs(2)).is_ok()
        });
        locked.recv().unwrap();
        Self { release, thread }
    }
}

#[tokio::test]
async fn recording_does_not_block_the_event_loop() {
    let source = ScriptedSource::new("t", &[Action::Respond]);
    let mut testbed = Testbed::with_jitter(0.0);
    testbed.apply(&[("a", &source, "1")]).await;
    let reader = Reader::start(&testbed.inventory);
    while source.collections.lock().unwrap().is_empty() {
        sleep(Duration::from_millis(10)).await;
    }
    sleep(Duration::from_millis(200)).await;
    reader.release.send(()).ok();
    assert!(reader.thread.join().unwrap(), "this thread waited for the lock");
    while testbed.up("a").is_none() {
        sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(testbed.known(), pairs(&[("a", "t")]));
}

#[tokio::test]
async fn stop_waits_for_a_recording() {
    let source = ScriptedSource::new("t", &[Action::Respond]);
    let mut testbed = Testbed::with_jitter(0.0);
    testbed.apply(&[("a", &source, "1")]).await;
    let reader = Reader::start(&testbed.inventory);
    while source.collections.lock().unwrap().is_empty() {
        sleep(Duration::from_millis(10)).await;
    }
    sleep(Duration::from_millis(200)).await;
    let stopped = tokio::spawn(testbed.collector.stop());
    sleep(Duration::from_millis(200)).await;
    assert!(!stopped.is_finished(), "the recording waits for the lock");
    reader.release.send(()).unwrap();
    stopped.await.unwrap();
    assert_eq!(testbed.inventory.try_read().expect("nobody writes").tokens(Utc::now()).count(), 1);
}
