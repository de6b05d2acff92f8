//! Months of simulated time: the real collector, inventory and storage format under a paused clock. Tokens of the simulated
//! providers are created, revoked and expire at random, and the providers fail in every way. The inventory is compared with
//! a model, the simplest implementation of the same rules.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use parking_lot::RwLock;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use token_expiry_exporter::collector::{Collector, SourceJob, Timing};
use token_expiry_exporter::core::failure::{Failure, Reason};
use token_expiry_exporter::core::intake::Intake;
use token_expiry_exporter::core::inventory::{Inventory, Policy, SharedInventory};
use token_expiry_exporter::core::lead::{Band, Lead};
use token_expiry_exporter::core::outcome::{Gap, ListingResult, Outcome, Path, ScopeResult};
use token_expiry_exporter::core::token::{Expiry, LastUse, Token};
use token_expiry_exporter::providers::Source;
use token_expiry_exporter::storage::encoding::{decode_state, encode_state, read_tokens, write_tokens};
use tokio::time::{Instant, sleep};

use crate::report::Row;

const DAY: i64 = 86_400;
/// The message of simulated failures and panics.
const SIMULATED: &str = "simulated by the soak";
/// The sources: their tokens, and how often each is collected, in minutes.
const SOURCES: [(&str, u64, u64); 5] =
    [("ten", 10, 15), ("hundred", 100, 15), ("thousand", 1_000, 60), ("tens", 10_000, 360), ("most", 50_000, 1_440)];

/// A token in the model.
#[derive(Clone, Copy)]
struct ModelToken {
    expiry: i64,
    /// Consecutive complete responses without it.
    missed: u32,
    /// Missing at or after its expiry: retained for seven days.
    retained: bool,
}

/// The state of a provider, and the model of its inventory.
struct ProviderState {
    rng: StdRng,
    tokens: BTreeMap<u64, i64>,
    model: BTreeMap<u64, ModelToken>,
    next: u64,
    changed: i64,
    collections: u64,
    failures: u64,
}

impl ProviderState {
    fn new(seed: u64, tokens: u64, now: i64) -> Self {
        let mut state = Self {
            rng: StdRng::seed_from_u64(seed),
            tokens: BTreeMap::new(),
            model: BTreeMap::new(),
            next: 0,
            changed: now,
            collections: 0,
            failures: 0,
        };
        for _ in 0..tokens {
            let days = state.rng.random_range(1..360);
            state.create(now + days * DAY);
        }
        state
    }

    fn create(&mut self, expiry: i64) {
        self.next += 1;
        self.tokens.insert(self.next, expiry);
    }

    /// Simulates the time since the last call: tokens are revoked and replaced, and deleted some days after their expiry.
    fn advance(&mut self, now: i64) {
        let days = (now - self.changed) as f64 / DAY as f64;
        self.changed = now;
        let Self { tokens, rng, .. } = self;
        let before = tokens.len();
        tokens.retain(|_, expiry| {
            let revoked = rng.random_bool((days / 100.0).min(0.5));
            let deleted = *expiry <= now && rng.random_bool((days / 4.0).min(0.9));
            !revoked && !deleted
        });
        for _ in self.tokens.len()..before {
            let expiry = now + self.rng.random_range(DAY..360 * DAY);
            self.create(expiry);
        }
    }

    /// The tokens of a complete response for a scope. Updates the model: a token that is missing twice in a row before its
    /// expiry is removed.
    fn list(&mut self, scope: u64, now: i64) -> Vec<Token> {
        for (&number, &expiry) in self.tokens.iter().filter(|(number, _)| **number % 2 == scope) {
            self.model.insert(number, ModelToken { expiry, missed: 0, retained: false });
        }
        let tokens = &self.tokens;
        self.model.retain(|number, token| {
            if number % 2 != scope || tokens.contains_key(number) {
                return true;
            }
            if token.expiry <= now {
                token.retained = true;
                return token.expiry + 7 * DAY > now;
            }
            token.missed += 1;
            token.missed < 2 && !token.retained
        });
        self.tokens
            .iter()
            .filter(|(number, _)| **number % 2 == scope)
            .map(|(&number, &expiry)| token(number, expiry))
            .collect()
    }
}

fn token(number: u64, expiry: i64) -> Token {
    let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
    Token {
        id: format!("t{number}").into(),
        name: format!("token-{number}").into(),
        kind: "api-token".into(),
        owner: None,
        created_at: Some(at(expiry - 360 * DAY)),
        expires: Expiry::At(at(expiry)),
        last_used: LastUse::NotReported,
        scopes: Arc::default(),
        disabled: false,
        lifetime: None,
        renews_before: None,
        manage_url: None,
        renew: None,
        labels: Arc::default(),
        approximate: false,
    }
}

/// A provider as the collector calls it.
struct Provider {
    listings: [String; 1],
    state: Mutex<ProviderState>,
}

impl Source for Provider {
    fn listings(&self) -> &[String] {
        &self.listings
    }

    fn without_replacement(&self) -> Vec<String> {
        Vec::new()
    }

    fn collect<'c>(&'c self, now: DateTime<Utc>, _: Instant, intake: &'c Intake) -> BoxFuture<'c, Outcome> {
        async move {
            let outcome = {
                let mut state = self.state.lock().unwrap();
                state.advance(now.timestamp());
                state.collections += 1;
                let outcome = state.rng.random_range(0..100);
                state.failures += u64::from(outcome < 20);
                outcome
            };
            let reason = [Reason::ServerError, Reason::Forbidden, Reason::Decode, Reason::Connect][outcome % 4];
            match outcome {
                0 => panic!("{SIMULATED}"),
                1 => std::future::pending().await,
                2..10 => Outcome::failed(&self.listings, &Failure::new(reason, SIMULATED)),
                10..20 => self.respond(&[(outcome % 2) as u64], Some(reason), now, intake),
                _ => self.respond(&[0, 1], None, now, intake),
            }
        }
        .boxed()
    }
}

impl Provider {
    /// The outcome if these scopes respond and the others fail.
    fn respond(&self, scopes: &[u64], failed: Option<Reason>, now: DateTime<Utc>, intake: &Intake) -> Outcome {
        let mut state = self.state.lock().unwrap();
        let path = |scope: u64| Path::root().join(&scope.to_string());
        let responses = scopes.iter().map(|&scope| ScopeResult {
            path: path(scope),
            tokens: intake.tokens(state.list(scope, now.timestamp())),
            malformed: Vec::new(),
            is_step: false,
        });
        let scopes_listed = responses.collect();
        let gaps = failed.iter().map(|&reason| Gap {
            path: path(1 - scopes[0]),
            scope: "the other half".to_owned(),
            failure: Failure::new(reason, SIMULATED),
            required_permission: None,
        });
        let listed =
            ListingResult { scopes: scopes_listed, gaps: gaps.collect(), ..ListingResult::new(&self.listings[0]) };
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
    };
    SOURCES.iter().map(|(name, _, minutes)| ((*name).to_owned(), policy(*minutes))).collect()
}

fn band(expiry: i64, now: i64) -> Option<Band> {
    match expiry - now {
        left if left <= -7 * DAY => None,
        left if left <= 0 => Some(Band::Expired),
        left if left <= 7 * DAY => Some(Band::Critical),
        left if left <= 30 * DAY => Some(Band::Warning),
        _ => None,
    }
}

#[derive(Default)]
struct Counts {
    compared: u64,
    due: u64,
    lost: u64,
    invented: u64,
    wrong_band: u64,
    restarts: u64,
}

/// Compares the inventory with the model.
fn compare(inventory: &Inventory, providers: &[(String, Arc<Provider>)], now: DateTime<Utc>, counts: &mut Counts) {
    let mut shown: BTreeMap<(&str, u64), Option<Band>> = BTreeMap::new();
    for view in inventory.tokens(now) {
        shown.insert((view.source, view.token.id[1..].parse().unwrap()), view.band);
    }
    let seconds = now.timestamp();
    for (name, provider) in providers {
        let state = provider.state.lock().unwrap();
        for (&number, token) in &state.model {
            if token.retained && token.expiry + 7 * DAY <= seconds {
                continue;
            }
            counts.compared += 1;
            match shown.remove(&(name.as_str(), number)) {
                None => counts.lost += 1,
                Some(shown) => {
                    counts.due += u64::from(shown.is_some());
                    counts.wrong_band += u64::from(shown != band(token.expiry, seconds));
                }
            }
        }
    }
    counts.invented += shown.len() as u64;
}

fn jobs(providers: &[(String, Arc<Provider>)]) -> Vec<SourceJob> {
    let job = |((name, provider), (_, _, minutes)): (&(String, Arc<Provider>), &(&str, u64, u64))| SourceJob {
        name: name.clone(),
        source: Arc::clone(provider) as Arc<dyn Source>,
        interval: Duration::from_secs(minutes * 60),
        timeout: Duration::from_secs(300),
        fingerprint: String::new(),
    };
    providers.iter().zip(&SOURCES).map(job).collect()
}

async fn simulate(seed: u64, days: u64) -> (Counts, u64, u64) {
    let start = Instant::now();
    // Whole seconds, so that the model and the inventory use the same time.
    let wall = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    let clock = Arc::new(move || wall + TimeDelta::seconds(start.elapsed().as_secs() as i64));
    let providers: Vec<(String, Arc<Provider>)> = (0..)
        .zip(&SOURCES)
        .map(|(index, (name, tokens, _))| {
            let state = ProviderState::new(seed.wrapping_add(index), *tokens, wall.timestamp());
            ((*name).to_owned(), Arc::new(Provider { listings: ["tokens".to_owned()], state: Mutex::new(state) }))
        })
        .collect();
    let mut rng = StdRng::seed_from_u64(seed.wrapping_add(1_000));
    let jitter = Mutex::new(StdRng::seed_from_u64(seed.wrapping_add(2_000)));
    let timing = Timing {
        clock: clock.clone(),
        jitter: Arc::new(move || jitter.lock().unwrap().random_range(0.0..1.0)),
        spread: Duration::from_secs(5),
    };
    let (mut counts, mut inventory) = (Counts::default(), SharedInventory::default());
    let mut collector = Collector::new(Arc::clone(&inventory), timing.clone());
    collector.apply(jobs(&providers), policies(), Arc::new([])).await;
    while start.elapsed() < Duration::from_secs(days * DAY as u64) {
        sleep(Duration::from_secs(rng.random_range(3_600..24 * 3_600))).await;
        // Let collections that finish at this time record their results.
        for _ in 0..64 {
            tokio::task::yield_now().await;
        }
        compare(&inventory.read(), &providers, clock(), &mut counts);
        if rng.random_bool(0.1) {
            collector.stop().await;
            let mut next = Inventory::default();
            next.set_policy(policies(), Arc::new([]));
            restore(&mut next, &inventory.read(), clock());
            inventory = Arc::new(RwLock::new(next));
            compare(&inventory.read(), &providers, clock(), &mut counts);
            collector = Collector::new(Arc::clone(&inventory), timing.clone());
            collector.apply(jobs(&providers), policies(), Arc::new([])).await;
            counts.restarts += 1;
        }
    }
    let sum =
        |of: fn(&ProviderState) -> u64| providers.iter().map(|(_, provider)| of(&provider.state.lock().unwrap())).sum();
    (counts, sum(|state| state.collections), sum(|state| state.failures))
}

/// Restores what another process has stored.
fn restore(next: &mut Inventory, previous: &Inventory, now: DateTime<Utc>) {
    for (name, _) in previous.sources() {
        let Some(source) = previous.stored(name) else { continue };
        let state = encode_state(&source.state, now).unwrap();
        let mut tokens = Cursor::new(Vec::new());
        write_tokens(&mut tokens, &source.tokens).unwrap();
        let tokens = read_tokens(&tokens.into_inner()[..], u64::MAX).unwrap();
        next.restore(name, Some(decode_state(&state).unwrap()), Some(tokens));
    }
}

pub(crate) fn run(seed: u64, days: u64) -> Vec<Row> {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.payload_as_str() != Some(SIMULATED) {
            hook(panic);
        }
    }));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let (counts, collections, failures) = runtime.block_on(simulate(seed, days));
    let sources = format!("{} sources of 10 to 50,000 tokens", SOURCES.len());
    vec![
        Row::least(format!("simulated days, {sources}"), days, 1),
        Row::least("simulated collections", collections, days * 100),
        Row::least("simulated collections that failed, were incomplete, hung or panicked", failures, days),
        Row::least("simulated restarts from the persisted inventory", counts.restarts, days / 30),
        Row::least("tokens compared with the model", counts.compared, days * 10_000),
        Row::least("compared tokens in a band", counts.due, days),
        Row::count("tokens lost", counts.lost, 0),
        Row::count("unexpected tokens", counts.invented, 0),
        Row::count("tokens in a wrong band (a false or missing alert)", counts.wrong_band, 0),
    ]
}
