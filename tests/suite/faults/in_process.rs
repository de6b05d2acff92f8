//! Faults that cannot be tested from outside: rate limits of years, clock jumps, and a thousand scopes, which would measure
//! context switches. The same collector and client run inside the test.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use parking_lot::RwLock;
use token_expiry_exporter::app::Shard;
use token_expiry_exporter::app::setup::{ConfigPaths, Setup};
use token_expiry_exporter::collector::{Collector, SourceJob, Timing};
use token_expiry_exporter::core::certificates::TlsMaterial;
use token_expiry_exporter::core::clock::Clock;
use token_expiry_exporter::core::failure::Failure;
use token_expiry_exporter::core::inventory::Inventory;
use token_expiry_exporter::core::inventory::SharedInventory;
use token_expiry_exporter::core::secret::{Credential, Credentials, Secret};
use token_expiry_exporter::http::options::Options;
use token_expiry_exporter::providers::{Catalogue, SourceSpec};
use token_expiry_exporter::schema::diagnostic::SourceText;
use token_expiry_exporter::schema::yaml::{Kind, parse};

use super::fault::{Expected, Fault, Requests};
use super::provider::{CREDENTIAL, Provider};
use super::scrape;
use super::server::{FaultyServer, Protocol};
use super::source::{FaultSwitch, Observation, SourceUnderTest, write_files};
use super::testbed::Testbed;

/// The maximum wait of these clients; the program's is two minutes.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// 429 with absurd times. None may delay a source for longer than the maximum wait.
pub(super) fn absurd_limits(testbed: &mut Testbed) {
    let page = "come back later ".repeat(500);
    let cases: [(&'static str, &[(&str, &str)]); 9] = [
        ("429, Retry-After in the year 9999", &[("Retry-After", "Fri, 31 Dec 9999 23:59:59 GMT")]),
        ("429, X-RateLimit-Reset in the year 9999", &[("X-RateLimit-Reset", "9999-12-31T23:59:59Z")]),
        ("429, Retry-After: 10 years", &[("Retry-After", "315360000")]),
        ("429, Retry-After: negative", &[("Retry-After", "-86400")]),
        ("429, Retry-After: NaN, reset: infinity", &[("Retry-After", "NaN"), ("RateLimit-Reset", "inf")]),
        ("429, Retry-After: 1e308", &[("Retry-After", "1e308")]),
        ("429, Retry-After: 30 digits", &[("Retry-After", "999999999999999999999999999999")]),
        ("429, Retry-After: 8 KB of text", &[("Retry-After", &page), ("X-RateLimit-Reset", &page)]),
        ("429, Retry-After: not ASCII", &[("Retry-After", "\u{ff}\u{fe}"), ("RateLimit", ";;=,=")]),
    ];
    for (row, headers) in cases {
        let fault = Fault::response(429, headers, "{}");
        testbed.source(
            row,
            (fault, Requests::Tokens, Protocol::Http),
            Expected::Down("rate_limited"),
            Provider::Gitlab,
            "",
        );
    }
}

/// A clock that is changed while any source is faulty.
struct ClockSwitch {
    set: Arc<AtomicI64>,
    server: Arc<FaultyServer>,
}

impl FaultSwitch for ClockSwitch {
    fn set(&self, faulty: bool) {
        self.set.fetch_add(if faulty { 1 } else { -1 }, Ordering::SeqCst);
        if faulty {
            self.server.count_hit();
        }
    }

    fn hits(&self) -> u64 {
        self.server.hits()
    }

    fn complete_listings(&self) -> u64 {
        self.server.complete_listings()
    }
}

/// Sources with a clock that jumps by `by` seconds.
pub(super) fn clock(testbed: &mut Testbed, row: &'static str, by: i64) -> Clock {
    let set = Arc::<AtomicI64>::default();
    for provider in Provider::ALL {
        let set = Arc::clone(&set);
        let no_fault = (Fault::Silent, Requests::Once, Protocol::Http);
        testbed.source_with_switch(row, no_fault, Expected::Up, provider, "", |server| {
            Arc::new(ClockSwitch { set, server })
        });
    }
    let is_set = move || set.load(Ordering::SeqCst) > 0;
    Arc::new(move || Utc::now() + if is_set() { TimeDelta::seconds(by) } else { TimeDelta::zero() })
}

/// A provider that refuses a password until it is repaired, an hour later.
struct PasswordSwitch {
    hours: Arc<AtomicI64>,
    server: Arc<FaultyServer>,
}

impl FaultSwitch for PasswordSwitch {
    fn set(&self, faulty: bool) {
        self.server.set(faulty);
        self.hours.fetch_add(i64::from(!faulty), Ordering::SeqCst);
    }

    fn hits(&self) -> u64 {
        self.server.hits()
    }
}

/// A source with a password that is refused, and then accepted an hour later.
pub(super) fn refused_password(testbed: &mut Testbed) -> Clock {
    let hours = Arc::<AtomicI64>::default();
    let switch = |server| Arc::new(PasswordSwitch { hours: Arc::clone(&hours), server }) as Arc<dyn FaultSwitch>;
    let fault = (Fault::response(401, &[], "{}"), Requests::All, Protocol::Http);
    let (row, expected) = ("401 to a password, until an hour later", Expected::Down("unauthorized"));
    testbed.source_with_switch(row, fault, expected, Provider::Bitbucket, "", switch);
    Arc::new(move || Utc::now() + TimeDelta::hours(hours.load(Ordering::SeqCst)))
}

/// Collects the sources with this clock until all have recovered.
pub(super) async fn run(testbed: &mut Testbed, clock: Clock) {
    let setup = setup(testbed, &clock);
    collect(testbed, setup, clock).await;
}

/// Collects the sources with clients that wait at most [`MAX_WAIT`].
pub(super) async fn run_with_max_wait(testbed: &mut Testbed) {
    let clock: Clock = Arc::new(Utc::now);
    let mut setup = setup(testbed, &clock);
    let catalogue = Catalogue::builtin(&token_expiry_exporter::config::source_keys());
    let jobs = setup.jobs.into_iter().zip(&testbed.sources);
    setup.jobs = jobs.map(|(job, source)| with_max_wait(job, source, &catalogue)).collect();
    collect(testbed, setup, clock).await;
}

fn setup(testbed: &Testbed, clock: &Clock) -> Setup {
    let dir = &testbed.dir;
    write_files(dir.path(), &testbed.ca.pem);
    let config = dir.path().join("config.yaml");
    std::fs::write(&config, testbed.config()).unwrap();
    let paths = ConfigPaths { config, providers: None };
    Setup::load(&paths, Shard::WHOLE, clock).unwrap_or_else(|errors| panic!("{errors}"))
}

struct Fixed;

impl Credentials for Fixed {
    fn read(&self) -> Result<Credential, Failure> {
        Ok(Credential::single(Secret::new(CREDENTIAL)))
    }

    fn parts(&self) -> Vec<String> {
        vec![String::new()]
    }
}

/// The job with another client.
fn with_max_wait(job: SourceJob, source: &SourceUnderTest, catalogue: &Catalogue) -> SourceJob {
    let text = SourceText::new("source.yaml", source.config.clone());
    let root = parse(&text).unwrap();
    let Kind::Map(entries) = root.kind else { panic!("a source is a map") };
    let settings = entries.into_iter().filter(|(key, _)| ["url", "admin"].contains(&key.name.as_str())).collect();
    let spec = SourceSpec {
        text,
        at: root.at,
        name: job.name.clone(),
        auth: None,
        listings: Some(vec![("instance".to_owned(), root.at)]),
        settings,
        credentials: Arc::new(Fixed),
        credential_at: Some(root.at),
        kubeconfig: None,
        has_client_certificate: false,
        headers: token_expiry_exporter::core::extra_headers::ExtraHeaders::default(),
        header_names: Vec::new(),
        identify: None,
    };
    let options = Options {
        connect_timeout: Duration::from_secs(10),
        request_timeout: Duration::from_secs(20),
        body_limit: 1 << 20,
        retries: 1,
        max_retry_delay: MAX_WAIT,
        concurrency: 4,
        rate: None,
        certificates: Arc::new(TlsMaterial::default()),
        proxy: None,
    };
    let source = catalogue.connect(("gitlab", root.at), spec, options, Arc::new(Utc::now));
    SourceJob { source: Arc::from(source.unwrap_or_else(|errors| panic!("{errors}"))), ..job }
}

async fn collect(testbed: &mut Testbed, setup: Setup, clock: Clock) {
    let inventory: SharedInventory = Arc::new(RwLock::new(Inventory::default()));
    let timing = Timing { clock: Arc::clone(&clock), ..Timing::default() };
    let mut collector = Collector::new(Arc::clone(&inventory), timing);
    collector.apply(setup.jobs, setup.policies, setup.rules).await;
    scrape::observe(&mut testbed.sources, || async { scrape_inventory(&inventory, &clock) }).await;
    collector.stop().await;
}

/// What the metrics would show of each source.
fn scrape_inventory(inventory: &SharedInventory, clock: &Clock) -> BTreeMap<String, Observation> {
    let inventory = inventory.read();
    let mut all: BTreeMap<String, Observation> = BTreeMap::new();
    for (name, source) in inventory.sources() {
        let seen = all.entry(name.to_owned()).or_default();
        seen.up = source.up.map(|up| f64::from(u8::from(up)));
        let count = |count: &u64| f64::from(u32::try_from(*count).unwrap());
        seen.failures =
            source.failures.iter().map(|(reason, failures)| (reason.to_string(), count(failures))).collect();
        for (reason, gaps) in source.listings.values().flat_map(|health| &health.gaps).filter(|(_, gaps)| **gaps > 0) {
            *seen.gaps.entry(reason.to_string()).or_default() += count(gaps);
        }
    }
    for view in inventory.tokens(clock()) {
        all.entry(view.source.to_owned()).or_default().tokens.insert(view.token.id.to_string());
    }
    all
}
