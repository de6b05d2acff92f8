//! Months of simulated time: the real collector, inventory and stored form under a paused clock, against providers whose
//! tokens come, go and end by chance, and which fail in every way. A model of what must be known is kept beside them, in the
//! plainest form of the rules.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use parking_lot::RwLock;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use token_expiry_exporter::collector::{Collector, SharedInventory, SourceJob, Timing};
use token_expiry_exporter::core::failure::{Failure, Reason};
use token_expiry_exporter::core::inventory::{Inventory, Policy, Snapshot};
use token_expiry_exporter::core::lead::{Band, Lead};
use token_expiry_exporter::core::outcome::{Gap, ListingResult, Outcome, Path, ScopeResult};
use token_expiry_exporter::core::token::{Expiry, LastUse, Token};
use token_expiry_exporter::providers::{Probe, Source};
use token_expiry_exporter::storage::{decode, encode};
use tokio::time::{Instant, sleep};

use crate::table::Row;

const DAY: i64 = 86_400;
/// What a provider says when it fails, and with what a collection panics.
const MEANT: &str = "the soak wants it so";
/// The sources: their tokens, and how often each is collected, in minutes.
const SOURCES: [(&str, u64, u64); 5] =
    [("ten", 10, 15), ("hundred", 100, 15), ("thousand", 1_000, 60), ("tens", 10_000, 360), ("most", 50_000, 1_440)];

/// What must be known of a token.
#[derive(Clone, Copy)]
struct Known {
    end: i64,
    /// Complete answers in a row that did not name it.
    missed: u32,
    /// Not named at or after its end: kept for seven days more.
    over: bool,
}

/// A provider, and what must be known of it.
struct DemoState {
    chance: StdRng,
    tokens: BTreeMap<u64, i64>,
    known: BTreeMap<u64, Known>,
    next: u64,
    changed: i64,
    collections: u64,
    failures: u64,
}

impl DemoState {
    fn new(seed: u64, tokens: u64, now: i64) -> Self {
        let mut world = Self {
            chance: StdRng::seed_from_u64(seed),
            tokens: BTreeMap::new(),
            known: BTreeMap::new(),
            next: 0,
            changed: now,
            collections: 0,
            failures: 0,
        };
        for _ in 0..tokens {
            let days = world.chance.random_range(1..360);
            world.make(now + days * DAY);
        }
        world
    }

    fn make(&mut self, end: i64) {
        self.next += 1;
        self.tokens.insert(self.next, end);
    }

    /// What has happened at the provider since it was last looked at: tokens are revoked and replaced, and cleared away
    /// some days after their end.
    fn pass(&mut self, now: i64) {
        let days = (now - self.changed) as f64 / DAY as f64;
        self.changed = now;
        let Self { tokens, chance, .. } = self;
        let before = tokens.len();
        tokens.retain(|_, end| {
            let revoked = chance.random_bool((days / 100.0).min(0.5));
            let cleared = *end <= now && chance.random_bool((days / 4.0).min(0.9));
            !revoked && !cleared
        });
        for _ in self.tokens.len()..before {
            let end = now + self.chance.random_range(DAY..360 * DAY);
            self.make(end);
        }
    }

    /// A scope's complete answer, by the rules: two silences in a row remove a token before its end.
    fn told(&mut self, scope: u64, now: i64) -> Vec<Token> {
        for (&number, &end) in self.tokens.iter().filter(|(number, _)| **number % 2 == scope) {
            self.known.insert(number, Known { end, missed: 0, over: false });
        }
        let tokens = &self.tokens;
        self.known.retain(|number, known| {
            if number % 2 != scope || tokens.contains_key(number) {
                return true;
            }
            if known.end <= now {
                known.over = true;
                return known.end + 7 * DAY > now;
            }
            known.missed += 1;
            known.missed < 2 && !known.over
        });
        self.tokens
            .iter()
            .filter(|(number, _)| **number % 2 == scope)
            .map(|(&number, &end)| token(number, end))
            .collect()
    }
}

fn token(number: u64, end: i64) -> Token {
    let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
    Token {
        id: format!("t{number}"),
        name: format!("token-{number}"),
        kind: "api-token".to_owned(),
        owner: None,
        created_at: Some(at(end - 360 * DAY)),
        expires: Expiry::At(at(end)),
        last_used: LastUse::NotReported,
        scopes: Vec::new(),
        disabled: false,
        lifetime: None,
        manage_url: None,
        labels: BTreeMap::new(),
        approximate: false,
    }
}

/// A provider as the collector sees it.
struct Provider {
    listings: [String; 1],
    world: Mutex<DemoState>,
}

impl Source for Provider {
    fn listings(&self) -> &[String] {
        &self.listings
    }

    fn without_replacement(&self) -> Vec<String> {
        Vec::new()
    }

    fn collect(&self, now: DateTime<Utc>, _: Instant) -> BoxFuture<'_, Outcome> {
        async move {
            let fate = {
                let mut world = self.world.lock().unwrap();
                world.pass(now.timestamp());
                world.collections += 1;
                let fate = world.chance.random_range(0..100);
                world.failures += u64::from(fate < 20);
                fate
            };
            let reason = [Reason::ServerError, Reason::Forbidden, Reason::Decode, Reason::Connect][fate % 4];
            match fate {
                0 => panic!("{MEANT}"),
                1 => std::future::pending().await,
                2..10 => Outcome::failed(&self.listings, &Failure::new(reason, MEANT)),
                10..20 => self.answer(&[(fate % 2) as u64], Some(reason), now),
                _ => self.answer(&[0, 1], None, now),
            }
        }
        .boxed()
    }

    fn probe(&self, _: DateTime<Utc>, _: Instant) -> BoxFuture<'_, Vec<Probe>> {
        async { Vec::new() }.boxed()
    }
}

impl Provider {
    /// The answers of these scopes; the others failed.
    fn answer(&self, scopes: &[u64], failed: Option<Reason>, now: DateTime<Utc>) -> Outcome {
        let mut world = self.world.lock().unwrap();
        let path = |scope: u64| Path::root().join(&scope.to_string());
        let answered = scopes.iter().map(|&scope| ScopeResult {
            path: path(scope),
            tokens: world.told(scope, now.timestamp()),
            odd: Vec::new(),
            is_step: false,
        });
        let scopes_answered = answered.collect();
        let gaps = failed.iter().map(|&reason| Gap {
            path: path(1 - scopes[0]),
            scope: "the other half".to_owned(),
            failure: Failure::new(reason, MEANT),
            needs: None,
        });
        let listed = ListingResult { name: self.listings[0].clone(), scopes: scopes_answered, gaps: gaps.collect() };
        Outcome { listings: vec![listed], requests: BTreeMap::from([(200, 1)]), ..Outcome::default() }
    }
}

fn policies() -> BTreeMap<String, Policy> {
    let policy = |minutes: u64| Policy {
        provider: "soak".to_owned(),
        listings: vec!["tokens".to_owned()],
        interval: TimeDelta::minutes(minutes as i64),
        lead: Lead { warning: TimeDelta::days(30), critical: TimeDelta::days(7) },
        min_lifetime: TimeDelta::days(1),
        expired_retention: TimeDelta::days(7),
        token_limit: 100_000,
        max_lifetime: None,
        unused_after: None,
        without_replacement: Vec::new(),
    };
    SOURCES.iter().map(|(name, _, minutes)| ((*name).to_owned(), policy(*minutes))).collect()
}

fn band(end: i64, now: i64) -> Option<Band> {
    match end - now {
        left if left <= -7 * DAY => None,
        left if left <= 0 => Some(Band::Expired),
        left if left <= 7 * DAY => Some(Band::Critical),
        left if left <= 30 * DAY => Some(Band::Warning),
        _ => None,
    }
}

#[derive(Default)]
struct Found {
    compared: u64,
    due: u64,
    lost: u64,
    invented: u64,
    wrong_band: u64,
    restarts: u64,
}

/// Compares what is known with what must be.
fn compare(inventory: &Inventory, providers: &[(String, Arc<Provider>)], now: DateTime<Utc>, found: &mut Found) {
    let mut shown: BTreeMap<(&str, u64), Option<Band>> = BTreeMap::new();
    for view in inventory.tokens(now) {
        shown.insert((view.source, view.token.id[1..].parse().unwrap()), view.band);
    }
    let seconds = now.timestamp();
    for (name, provider) in providers {
        let world = provider.world.lock().unwrap();
        for (&number, known) in &world.known {
            if known.over && known.end + 7 * DAY <= seconds {
                continue;
            }
            found.compared += 1;
            match shown.remove(&(name.as_str(), number)) {
                None => found.lost += 1,
                Some(shown) => {
                    found.due += u64::from(shown.is_some());
                    found.wrong_band += u64::from(shown != band(known.end, seconds));
                }
            }
        }
    }
    found.invented += shown.len() as u64;
}

fn orders(providers: &[(String, Arc<Provider>)]) -> Vec<SourceJob> {
    let order = |((name, provider), (_, _, minutes)): (&(String, Arc<Provider>), &(&str, u64, u64))| SourceJob {
        name: name.clone(),
        source: Arc::clone(provider) as Arc<dyn Source>,
        interval: Duration::from_secs(minutes * 60),
        timeout: Duration::from_secs(300),
        fingerprint: String::new(),
    };
    providers.iter().zip(&SOURCES).map(order).collect()
}

async fn simulate(seed: u64, days: u64) -> (Found, u64, u64) {
    let start = Instant::now();
    // Whole seconds, so that the model and the inventory see the same instant.
    let wall = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    let clock = Arc::new(move || wall + TimeDelta::seconds(start.elapsed().as_secs() as i64));
    let providers: Vec<(String, Arc<Provider>)> = (0..)
        .zip(&SOURCES)
        .map(|(index, (name, tokens, _))| {
            let world = DemoState::new(seed.wrapping_add(index), *tokens, wall.timestamp());
            ((*name).to_owned(), Arc::new(Provider { listings: ["tokens".to_owned()], world: Mutex::new(world) }))
        })
        .collect();
    let mut chance = StdRng::seed_from_u64(seed.wrapping_add(1_000));
    let jitter = Mutex::new(StdRng::seed_from_u64(seed.wrapping_add(2_000)));
    let surroundings = Timing {
        clock: clock.clone(),
        chance: Arc::new(move || jitter.lock().unwrap().random_range(0.0..1.0)),
        spread: Duration::from_secs(5),
    };
    let (mut found, mut inventory) = (Found::default(), SharedInventory::default());
    let mut collector = Collector::new(Arc::clone(&inventory), surroundings.clone());
    collector.apply(orders(&providers), policies(), Arc::new([])).await;
    while start.elapsed() < Duration::from_secs(days * DAY as u64) {
        sleep(Duration::from_secs(chance.random_range(3_600..24 * 3_600))).await;
        // Whoever has been answered at this very moment shall have recorded it.
        for _ in 0..64 {
            tokio::task::yield_now().await;
        }
        compare(&inventory.read(), &providers, clock(), &mut found);
        if chance.random_bool(0.1) {
            collector.stop().await;
            let stored = encode(&inventory.read().snapshot(), clock()).unwrap();
            let mut next = Inventory::default();
            next.set_policy(policies(), Arc::new([]));
            next.restore(decode::<Snapshot<'static>>(&stored).unwrap());
            inventory = Arc::new(RwLock::new(next));
            compare(&inventory.read(), &providers, clock(), &mut found);
            collector = Collector::new(Arc::clone(&inventory), surroundings.clone());
            collector.apply(orders(&providers), policies(), Arc::new([])).await;
            found.restarts += 1;
        }
    }
    let sum =
        |of: fn(&DemoState) -> u64| providers.iter().map(|(_, provider)| of(&provider.world.lock().unwrap())).sum();
    (found, sum(|world| world.collections), sum(|world| world.failures))
}

pub(crate) fn run(seed: u64, days: u64) -> Vec<Row> {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.payload_as_str() != Some(MEANT) {
            hook(panic);
        }
    }));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let (found, collections, failures) = runtime.block_on(simulate(seed, days));
    let sources = format!("{} sources of 10 to 50,000 tokens", SOURCES.len());
    vec![
        Row::least(format!("simulated days, {sources}"), days, 1),
        Row::least("simulated collections", collections, days * 100),
        Row::least("of which failed, in part or whole, hung or panicked", failures, days),
        Row::least("simulated restarts from the stored form", found.restarts, days / 30),
        Row::least("tokens compared with the model", found.compared, days * 10_000),
        Row::least("of which in a band", found.due, days),
        Row::count("tokens lost", found.lost, 0),
        Row::count("tokens shown that must not be", found.invented, 0),
        Row::count("tokens in a wrong band: an alert that is false or missing", found.wrong_band, 0),
    ]
}
