//! What cannot be waited for or set from outside: a rate limit of ages, and the clock; and a thousand scopes, which would
//! measure the switching between processes. The same collector and the same client, within the test.

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

use super::door::{Door, Speaks};
use super::fault::{At, Expected, Fault};
use super::provider::{CREDENTIAL, Provider};
use super::scrape;
use super::stage::Stage;
use super::subject::{Seen, Subject, Switch, write_files};

/// For how long these may take.
const LONG: Duration = Duration::from_secs(100);

/// The longest wait that a provider can ask these clients for; the program's own is two minutes.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// 429 with what no clock can mean. None may silence a source for longer than the longest wait.
pub(super) fn absurd_limits(stage: &mut Stage) {
    let page = "come back later ".repeat(500);
    let cases: [(&'static str, &[(&str, &str)]); 9] = [
        ("429, Retry-After: a date in the year 9999", &[("Retry-After", "Fri, 31 Dec 9999 23:59:59 GMT")]),
        ("429, X-RateLimit-Reset in the year 9999", &[("X-RateLimit-Reset", "9999-12-31T23:59:59Z")]),
        ("429, Retry-After: ten years", &[("Retry-After", "315360000")]),
        ("429, Retry-After: negative", &[("Retry-After", "-86400")]),
        ("429, Retry-After: NaN, reset: infinity", &[("Retry-After", "NaN"), ("RateLimit-Reset", "inf")]),
        ("429, Retry-After: 1e308", &[("Retry-After", "1e308")]),
        ("429, Retry-After: thirty digits", &[("Retry-After", "999999999999999999999999999999")]),
        ("429, Retry-After: a page of text", &[("Retry-After", &page), ("X-RateLimit-Reset", &page)]),
        ("429, Retry-After: no text at all", &[("Retry-After", "\u{ff}\u{fe}"), ("RateLimit", ";;=,=")]),
    ];
    for (row, headers) in cases {
        let fault = Fault::answer(429, headers, "{}");
        stage.source(row, (fault, At::Tokens, Speaks::Http), Expected::Down("rate_limited"), Provider::Gitlab, "");
    }
}

/// A clock that is set while any source is to see it so, and set back afterwards.
struct Jump {
    set: Arc<AtomicI64>,
    door: Arc<Door>,
}

impl Switch for Jump {
    fn set(&self, faulty: bool) {
        self.set.fetch_add(if faulty { 1 } else { -1 }, Ordering::SeqCst);
        if faulty {
            self.door.note();
        }
    }

    fn struck(&self) -> u64 {
        self.door.struck()
    }

    fn whole(&self) -> u64 {
        self.door.whole()
    }
}

/// Sources under a clock that jumps by so many seconds.
pub(super) fn clock(stage: &mut Stage, row: &'static str, by: i64) -> Clock {
    let set = Arc::<AtomicI64>::default();
    for provider in Provider::ALL {
        let set = Arc::clone(&set);
        let what = (Fault::Silent, At::Once, Speaks::Http);
        stage.switched(row, what, Expected::Up, provider, "", |door| Arc::new(Jump { set, door }));
    }
    let is_set = move || set.load(Ordering::SeqCst) > 0;
    Arc::new(move || Utc::now() + if is_set() { TimeDelta::seconds(by) } else { TimeDelta::zero() })
}

/// Collects the sources under this clock until each is through with its fault.
pub(super) async fn play(stage: &mut Stage, clock: Clock) {
    let setup = setup(stage, &clock);
    collect(stage, setup, clock).await;
}

/// The same with clients that wait for a second at most.
pub(super) async fn play_impatiently(stage: &mut Stage) {
    let clock: Clock = Arc::new(Utc::now);
    let mut setup = setup(stage, &clock);
    let catalogue = Catalogue::builtin(&token_expiry_exporter::config::source_keys()).unwrap();
    let orders = setup.jobs.into_iter().zip(&stage.subjects);
    setup.jobs = orders.map(|(order, subject)| impatient(order, subject, &catalogue)).collect();
    collect(stage, setup, clock).await;
}

fn setup(stage: &Stage, clock: &Clock) -> Setup {
    let dir = &stage.dir;
    write_files(dir.path(), &stage.authority.pem);
    let config = dir.path().join("config.yaml");
    std::fs::write(&config, stage.config()).unwrap();
    let places = ConfigPaths { config, providers: None };
    Setup::load(&places, Shard::WHOLE, clock).unwrap_or_else(|mistakes| panic!("{mistakes}"))
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

/// The same order with a client that waits briefly.
fn impatient(order: SourceJob, subject: &Subject, catalogue: &Catalogue) -> SourceJob {
    let text = SourceText::new("source.yaml", subject.config.clone());
    let root = parse(&text).unwrap();
    let Kind::Map(entries) = root.kind else { panic!("a source is a map") };
    let settings = entries.into_iter().filter(|(key, _)| ["url", "admin"].contains(&key.name.as_str())).collect();
    let wanted = SourceSpec {
        text,
        at: root.at,
        name: order.name.clone(),
        auth: None,
        listings: Some(vec![("instance".to_owned(), root.at)]),
        settings,
        credentials: Arc::new(Fixed),
        credential_at: Some(root.at),
    };
    let options = Options {
        connect_timeout: Duration::from_secs(10),
        request_timeout: Duration::from_secs(20),
        body_limit: 1 << 20,
        retries: 1,
        max_retry_delay: LONGEST_WAIT,
        concurrency: 4,
        rate: None,
        certificates: Arc::new(TlsMaterial::default()),
        proxy: None,
    };
    let source = catalogue.connect(("gitlab", root.at), wanted, options, Arc::new(Utc::now));
    SourceJob { source: Arc::from(source.unwrap_or_else(|mistakes| panic!("{mistakes}"))), ..order }
}

async fn collect(stage: &mut Stage, setup: Setup, clock: Clock) {
    let inventory: SharedInventory = Arc::new(RwLock::new(Inventory::default()));
    let surroundings = Timing { clock: Arc::clone(&clock), ..Timing::default() };
    let mut collector = Collector::new(Arc::clone(&inventory), surroundings);
    collector.apply(setup.jobs, setup.policies, setup.rules).await;
    scrape::look(&mut stage.subjects, LONG, || async { seen(&inventory, &clock) }).await;
    collector.stop().await;
}

/// What the metrics would say of each source.
fn seen(inventory: &SharedInventory, clock: &Clock) -> BTreeMap<String, Seen> {
    let inventory = inventory.read();
    let mut all: BTreeMap<String, Seen> = BTreeMap::new();
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
        all.entry(view.source.to_owned()).or_default().tokens.insert(view.token.id.clone());
    }
    all
}
