//! The exposition as a golden file, and the generated documentation.

use crate::sample_inventory;
use std::collections::HashSet;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use parking_lot::RwLock;
use proptest::prelude::*;
use token_expiry_exporter::core::clock::Clock;
use token_expiry_exporter::core::inventory::Inventory;
use token_expiry_exporter::core::outcome::Outcome;
use token_expiry_exporter::core::token::Owner;
use token_expiry_exporter::exposition::exporter::{Build, ExporterMetrics};
use token_expiry_exporter::exposition::families::FAMILIES;
use token_expiry_exporter::exposition::page::Page;
use token_expiry_exporter::exposition::text::Format;
use token_expiry_exporter::exposition::{Labels, reference, render};
use tokio::sync::watch;

/// Compares with a file of the repository, or writes it with `UPDATE_GOLDEN=1`.
fn assert_golden(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(golden == text, "{file} is out of date; update it with UPDATE_GOLDEN=1 and check git diff");
}

#[test]
fn exposition_matches_the_golden_file() {
    let labels = Labels { owner: true, owner_email: true };
    assert_golden(
        "tests/golden/metrics.prom",
        &render(&sample_inventory::inventory(), labels, sample_inventory::now()),
    );
}

#[test]
fn documentation_matches_the_families() {
    assert_golden("docs/metrics.md", &reference::page());
}

#[test]
fn golden_file_has_every_family_of_tokens_and_sources() {
    let text = render(&sample_inventory::inventory(), Labels::default(), sample_inventory::now());
    for family in FAMILIES.iter().filter(|family| !family.name.starts_with("token_expiry_exporter")) {
        assert!(text.contains(&format!("\n{}{{", family.name)), "{} has no sample", family.name);
    }
}

#[test]
fn owner_labels_follow_the_configuration() {
    let text = |owner, owner_email| {
        render(&sample_inventory::inventory(), Labels { owner, owner_email }, sample_inventory::now())
    };
    assert!(!text(true, false).contains("token_owner_email"));
    assert!(
        !text(false, true).contains("token_owner=")
            && text(false, true).contains("token_owner_email=\"jane@example.com\"")
    );
    assert!(!text(false, false).contains("Jane") && !text(false, false).contains("jane@"));
}

#[test]
fn samples_have_only_labels_of_the_family_or_the_configuration() {
    let text =
        render(&sample_inventory::inventory(), Labels { owner: true, owner_email: true }, sample_inventory::now());
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, labels) = parse(line);
        let family = FAMILIES.iter().find(|family| family.name == name).expect("a known family");
        for (label, _) in labels {
            assert!(family.labels.contains(&label.as_str()) || ["team", "region"].contains(&label.as_str()), "{line}");
        }
    }
}

/// The name and labels of a sample, parsed as strictly as Prometheus does.
fn parse(line: &str) -> (String, Vec<(String, String)>) {
    let end = line.find(['{', ' ']).expect("the end of the name");
    let (name, mut rest) = (line[..end].to_owned(), &line[end..]);
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, after) = rest.split_once("=\"").expect("a label");
            let mut value = String::new();
            let mut characters = after.char_indices();
            let close = loop {
                match characters.next().expect("a closing quote") {
                    (at, '"') => break at,
                    (_, '\\') => value.push(match characters.next().expect("an escape").1 {
                        'n' => '\n',
                        other @ ('\\' | '"') => other,
                        other => panic!("invalid escape: {other}"),
                    }),
                    (_, other) => value.push(other),
                }
            };
            labels.push((label.to_owned(), value));
            rest = &after[close + 1..];
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => break,
            }
        }
        rest = rest.strip_prefix('}').expect("a closing brace");
    }
    rest.strip_prefix(' ').expect("a blank").parse::<f64>().expect("a number");
    (name, labels)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_tokens_give_valid_lines_without_duplicate_series(
        rows in prop::collection::vec((any::<String>(), any::<String>(), any::<String>(), -400_i64..400), 0..20),
    ) {
        let tokens = rows.into_iter().map(|(id, name, owner, days)| {
            let mut token = sample_inventory::token(&id, &name, sample_inventory::expires_in(days));
            token.owner = Some(Owner { name: Some(owner.clone()), ..Owner::default() });
            token.labels.insert("team".to_owned(), owner);
            token
        });
        let mut inventory = Inventory::default();
        inventory.set_policy([("s".to_owned(), sample_inventory::policy("p", &["l"]))].into(), Arc::new([]));
        let outcome = Outcome { listings: vec![sample_inventory::listing("l", tokens.collect())], ..Outcome::default() };
        inventory.record("s", outcome, sample_inventory::now(), sample_inventory::now());
        let text = render(&inventory, Labels::default(), sample_inventory::now());
        let mut seen = HashSet::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            prop_assert!(seen.insert(parse(line)), "duplicate: {line}");
        }
    }
}

fn page(clock: Clock) -> (Arc<RwLock<Inventory>>, Arc<Page>) {
    page_of(sample_inventory::inventory(), clock)
}

fn page_of(inventory: Inventory, clock: Clock) -> (Arc<RwLock<Inventory>>, Arc<Page>) {
    let inventory = Arc::new(RwLock::new(inventory));
    let exporter = ExporterMetrics::new(Build { version: "1.2.3", revision: "abc" }, (1, 1), Arc::default()).unwrap();
    let page = Page::new(Arc::clone(&inventory), Labels::default(), Arc::new(exporter), clock).unwrap();
    (inventory, Arc::new(page))
}

/// The decompressed page.
fn scrape(page: &Page, format: Format) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(&page.compressed(format).unwrap().concat()[..]).read_to_string(&mut text).unwrap();
    text
}

fn without_process_metrics(text: &str) -> String {
    text.lines().filter(|line| !line.contains("process_")).map(|line| format!("{line}\n")).collect()
}

#[test]
fn compressed_and_plain_page_are_equal_in_both_formats() {
    let (inventory, page) = page(Arc::new(sample_inventory::now));
    let rendered = render(&inventory.read(), Labels::default(), sample_inventory::now());
    for format in [Format::Text, Format::OpenMetrics] {
        let plain = String::from_utf8(page.plain(format).unwrap()).unwrap();
        assert_eq!(without_process_metrics(&scrape(&page, format)), without_process_metrics(&plain));
        assert_eq!(format == Format::Text, plain.starts_with(&rendered));
        assert_eq!(format == Format::OpenMetrics, plain.ends_with("# EOF\n"));
        assert_eq!(
            format == Format::OpenMetrics,
            plain.contains("# TYPE token_source_failures counter\ntoken_source_failures_total{")
        );
        assert!(plain.contains("token_expiry_exporter_build_info{revision=\"abc\",version=\"1.2.3\"} 1\n"));
    }
}

/// With dozens of compressed chunks.
#[test]
fn first_and_later_pages_are_complete() {
    let ids = (1..=5_000_u64).map(|n| format!("{:016x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    let tokens =
        ids.map(|id| sample_inventory::token(&id, &format!("of {id}"), sample_inventory::expires_in(3))).collect();
    let mut inventory = Inventory::default();
    inventory.set_policy([("s".to_owned(), sample_inventory::policy("p", &["l"]))].into(), Arc::new([]));
    let outcome = Outcome { listings: vec![sample_inventory::listing("l", tokens)], ..Outcome::default() };
    inventory.record("s", outcome, sample_inventory::now(), sample_inventory::now());
    let rendered = render(&inventory, Labels::default(), sample_inventory::now());
    let (_, page) = page_of(inventory, Arc::new(sample_inventory::now));
    let first = scrape(&page, Format::Text);
    page.render().unwrap();
    for scraped in [first, scrape(&page, Format::Text)] {
        assert!(scraped.starts_with(&rendered));
    }
}

#[tokio::test(start_paused = true)]
async fn page_is_rendered_when_the_revision_or_a_band_changes() {
    let start = tokio::time::Instant::now();
    let clock: Clock = Arc::new(move || sample_inventory::now() + TimeDelta::from_std(start.elapsed()).unwrap());
    let (inventory, page) = page(clock);
    let (revision, receiver) = watch::channel(0_u64);
    let task = tokio::spawn(Arc::clone(&page).run(receiver));
    let band_of = |id: &str| {
        let text = scrape(&page, Format::Text);
        let start = format!("token_due_timestamp_seconds{{source=\"gitlab\",provider=\"gitlab\",token_id=\"{id}\"");
        let line = text.lines().find(|line| line.starts_with(&start));
        line.and_then(|line| parse(line).1.into_iter().find(|(name, _)| name == "band")).map(|(_, band)| band)
    };
    assert_eq!(band_of("p03").as_deref(), Some("critical"));
    // The token p03 expires in three days; nothing is collected until then.
    eventually(TimeDelta::days(3), || band_of("p03").as_deref() == Some("expired")).await;

    inventory.write().set_policy(Default::default(), Arc::new([]));
    assert!(band_of("p03").is_some(), "the revision has not changed yet");
    revision.send(1).unwrap();
    eventually(TimeDelta::zero(), || band_of("p03").is_none()).await;

    drop(revision);
    task.await.unwrap();
}

/// Advances the paused time, and then waits for the rendering, which runs on another thread.
async fn eventually(later: TimeDelta, mut holds: impl FnMut() -> bool) {
    tokio::time::sleep(later.to_std().unwrap() + Duration::from_secs(1)).await;
    let deadline = Utc::now() + TimeDelta::seconds(20);
    while !holds() {
        assert!(Utc::now() < deadline, "the page is not rendered");
        tokio::task::yield_now().await;
    }
}
