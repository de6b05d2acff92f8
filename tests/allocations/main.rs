//! Allocations of the hot paths on fixed data, compared with `baselines.json`: a regression of time or memory nearly always allocates
//! more, and unlike time the numbers are the same on every machine. `UPDATE_GOLDEN=1` writes the file; review its diff.
//!
//! Only the test's thread is counted, so that the provider's is not.

#![allow(clippy::expect_used, clippy::print_stderr, clippy::unwrap_used)]

mod provider;

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use allocation_counter::{AllocationInfo, measure};
use chrono::{DateTime, Utc};
use parking_lot::RwLock;
use serde_json::{Value, json};
use token_expiry_exporter::app::Shard;
use token_expiry_exporter::app::setup::{ConfigPaths, Setup};
use token_expiry_exporter::collector::{Identifiers, SourceJob, collect};
use token_expiry_exporter::core::clock::Clock;
use token_expiry_exporter::core::inventory::{Inventory, SharedInventory};
use token_expiry_exporter::core::outcome::Outcome;
use token_expiry_exporter::exposition::Labels;
use token_expiry_exporter::exposition::exporter::{Build, ExporterMetrics};
use token_expiry_exporter::exposition::page::Page;
use token_expiry_exporter::exposition::text::Format;
use token_expiry_exporter::storage::encoding::{read_tokens, write_tokens};
use tokio::runtime::Runtime;

const TOKENS: usize = 10_000;

/// By how much a number may exceed its baseline: some buffers depend on how a response arrives.
const MARGIN: f64 = 0.05;
/// In allocations and in bytes, for steps with few of them.
const MIN_MARGIN: [u64; 3] = [50, 64 << 10, 64 << 10];
/// The buffers of a response, and the peak of a collection, depend on how the pages arrive: 8 MB and 0.3 MB on a busy machine.
const COLLECTION_MIN_MARGIN: [u64; 3] = [50, 8 << 20, 512 << 10];
/// Below this share of its baseline, a step is better or no longer measured. Either way the baseline must be written again.
const STALE: f64 = 0.5;

type Steps = BTreeMap<&'static str, AllocationInfo>;

fn now() -> DateTime<Utc> {
    "2026-11-20T08:00:00Z".parse().unwrap()
}

/// The one source of the configuration, and its inventory without tokens.
fn setup(url: &str) -> (SourceJob, Inventory) {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("config.yaml");
    let key = directory.path().join("key");
    std::fs::write(&key, "a-key").unwrap();
    let source = format!(
        "sources: [{{name: s, provider: atlassian-cloud, org_id: o, listings: [api-tokens], credential: {{file: {}}}, url: '{url}'}}]\n",
        key.display()
    );
    std::fs::write(&config, source).unwrap();
    let clock: Clock = Arc::new(now);
    let mut setup = Setup::load(&ConfigPaths { config, providers: None }, Shard::WHOLE, &clock).unwrap();
    let job = setup.jobs.pop().unwrap();
    // The secret is read when it is needed.
    std::mem::forget(directory);
    let mut inventory = Inventory::default();
    inventory.set_policy(setup.policies, setup.rules);
    (job, inventory)
}

fn collected(runtime: &Runtime, job: &SourceJob, inventory: &SharedInventory) -> Outcome {
    let clock: Clock = Arc::new(now);
    let intake = inventory.read().intake("s");
    runtime.block_on(collect(job, intake, Identifiers::default(), &clock)).outcome
}

/// What a step allocates, and its result.
fn step<T>(steps: &mut Steps, name: &'static str, action: impl FnOnce() -> T) -> T {
    let mut result = None;
    let info = measure(|| result = Some(action()));
    steps.insert(name, info);
    result.unwrap()
}

fn measure_steps() -> Steps {
    let provider = provider::start(TOKENS);
    let (job, inventory) = setup(&provider.url);
    let inventory: SharedInventory = Arc::new(RwLock::new(inventory));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let exporter = ExporterMetrics::new(Build { version: "1.2.3", revision: "abc" }, (1, 1), Arc::default()).unwrap();
    let page = Page::new(Arc::clone(&inventory), Labels::default(), Arc::new(exporter), Arc::new(now)).unwrap();

    let mut steps = Steps::new();
    // The first one connects, and compiles what is compiled once.
    drop(collected(&runtime, &job, &inventory));
    let first = step(&mut steps, "collect and decode", || collected(&runtime, &job, &inventory));
    step(&mut steps, "record new tokens", || inventory.write().record("s", first, now(), now()));
    assert_eq!(inventory.read().tokens(now()).count(), TOKENS);
    let again = step(&mut steps, "collect known tokens", || collected(&runtime, &job, &inventory));
    step(&mut steps, "record known tokens", || inventory.write().record("s", again, now(), now()));
    step(&mut steps, "render", || page.render().unwrap());
    let packed = step(&mut steps, "scrape, gzip", || page.compressed(Format::Text).unwrap());
    assert!(packed.concat().len() > TOKENS);
    let text = step(&mut steps, "scrape, identity", || {
        let (size, chunks) = page.plain(Format::Text);
        assert_eq!(chunks.map(|chunk| chunk.unwrap().len() as u64).sum::<u64>(), size);
        size
    });
    assert!(text > 100 * TOKENS as u64);
    let tokens = inventory.read().stored("s").unwrap().tokens;
    let mut file = Cursor::new(Vec::with_capacity(4 << 20));
    step(&mut steps, "save", || write_tokens(&mut file, &tokens).unwrap());
    let stored = file.into_inner();
    let restored = step(&mut steps, "restore", || read_tokens(&stored[..], u64::MAX).unwrap());
    assert_eq!(restored.len(), TOKENS);
    steps
}

/// Allocations, bytes, and bytes at the highest.
fn numbers(info: &AllocationInfo) -> [u64; 3] {
    [info.count_total, info.bytes_total, info.bytes_max]
}

#[test]
fn allocations_stay_within_their_baselines() {
    let steps = measure_steps();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/allocations/baselines.json");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let lines = steps.iter().map(|(name, info)| {
            let [allocations, bytes, peak] = numbers(info);
            let line = json!({"allocations": allocations, "bytes": bytes, "peak": peak});
            format!("  {}: {line}", Value::from(*name))
        });
        std::fs::write(&file, format!("{{\n{}\n}}\n", lines.collect::<Vec<_>>().join(",\n"))).unwrap();
    }
    let baselines: BTreeMap<String, BTreeMap<String, u64>> =
        serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert!(steps.keys().copied().eq(baselines.keys()), "steps without a baseline, or baselines without a step");
    let mut failures = Vec::new();
    for (name, info) in &steps {
        let kept = &baselines[*name];
        let kept = ["allocations", "bytes", "peak"].map(|what| (what, kept[what]));
        let min_margins = if name.starts_with("collect") { COLLECTION_MIN_MARGIN } else { MIN_MARGIN };
        for (((what, baseline), measured), min_margin) in kept.into_iter().zip(numbers(info)).zip(min_margins) {
            eprintln!("{name}: {measured} {what}, baseline {baseline}");
            #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let share = |share: f64| (baseline as f64 * share) as u64;
            if measured > baseline + share(MARGIN).max(min_margin) {
                failures.push(format!("{name}: {measured} {what} exceed the baseline of {baseline}; allocate less"));
            } else if measured + min_margin < share(STALE) {
                failures.push(format!("{name}: {measured} {what} are far below the baseline of {baseline}"));
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{}\nif this is intended: UPDATE_GOLDEN=1 cargo test --test allocations",
        failures.join("\n")
    );
}
