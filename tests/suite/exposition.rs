//! What Prometheus reads: the whole text as a golden file, and the page of documentation.

use crate::sample;
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

/// Compares with a file of the repository. With `UPDATE_GOLDEN=1` the file is written instead.
fn assert_golden(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(golden == text, "{file} is not what the code writes; see the difference with UPDATE_GOLDEN=1 and git diff");
}

#[test]
fn the_text_of_one_of_everything() {
    let labels = Labels { owner: true, owner_email: true };
    assert_golden("tests/golden/metrics.prom", &render(&sample::inventory(), labels, sample::now()));
}

#[test]
fn the_documentation_is_what_the_table_says() {
    assert_golden("docs/metrics.md", &reference::page());
}

#[test]
fn the_golden_text_shows_every_family_of_tokens_and_sources() {
    let text = render(&sample::inventory(), Labels::default(), sample::now());
    for family in FAMILIES.iter().filter(|family| !family.name.starts_with("token_expiry_exporter")) {
        assert!(text.contains(&format!("\n{}{{", family.name)), "{} has no sample", family.name);
    }
}

#[test]
fn owners_are_shown_as_far_as_the_configuration_lets_them() {
    let text = |owner, owner_email| render(&sample::inventory(), Labels { owner, owner_email }, sample::now());
    assert!(!text(true, false).contains("token_owner_email"));
    assert!(
        !text(false, true).contains("token_owner=")
            && text(false, true).contains("token_owner_email=\"jane@example.com\"")
    );
    assert!(!text(false, false).contains("Jane") && !text(false, false).contains("jane@"));
}

#[test]
fn every_sample_has_only_labels_that_the_table_names_or_the_configuration_adds() {
    let text = render(&sample::inventory(), Labels { owner: true, owner_email: true }, sample::now());
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, labels) = parse(line);
        let family = FAMILIES.iter().find(|family| family.name == name).expect("a family of the table");
        for (label, _) in labels {
            assert!(family.labels.contains(&label.as_str()) || ["team", "region"].contains(&label.as_str()), "{line}");
        }
    }
}

/// A sample's name and labels, read as strictly as Prometheus does.
fn parse(line: &str) -> (String, Vec<(String, String)>) {
    let end = line.find(['{', ' ']).expect("a name's end");
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
                        other => panic!("no escape: {other}"),
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
    fn whatever_providers_say_no_series_stands_twice_and_every_line_can_be_read(
        rows in prop::collection::vec((any::<String>(), any::<String>(), any::<String>(), -400_i64..400), 0..20),
    ) {
        let tokens = rows.into_iter().map(|(id, name, owner, days)| {
            let mut token = sample::token(&id, &name, sample::ends(days));
            token.owner = Some(Owner { name: Some(owner.clone()), ..Owner::default() });
            token.labels.insert("team".to_owned(), owner);
            token
        });
        let mut inventory = Inventory::default();
        inventory.set_policy([("s".to_owned(), sample::policy("p", &["l"]))].into(), Arc::new([]));
        let outcome = Outcome { listings: vec![sample::listed("l", tokens.collect())], ..Outcome::default() };
        inventory.record("s", outcome, sample::now(), sample::now());
        let text = render(&inventory, Labels::default(), sample::now());
        let mut seen = HashSet::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            prop_assert!(seen.insert(parse(line)), "twice: {line}");
        }
    }
}

fn page(clock: Clock) -> (Arc<RwLock<Inventory>>, Arc<Page>) {
    page_of(sample::inventory(), clock)
}

fn page_of(inventory: Inventory, clock: Clock) -> (Arc<RwLock<Inventory>>, Arc<Page>) {
    let inventory = Arc::new(RwLock::new(inventory));
    let program = ExporterMetrics::new(Build { version: "1.2.3", revision: "abc" }, (1, 1));
    let page = Page::new(Arc::clone(&inventory), Labels::default(), Arc::new(program), clock).unwrap();
    (inventory, Arc::new(page))
}

/// The page as Prometheus reads it.
fn scraped(page: &Page, format: Format) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(&page.compressed(format).unwrap().concat()[..]).read_to_string(&mut text).unwrap();
    text
}

fn without_process(text: &str) -> String {
    text.lines().filter(|line| !line.contains("process_")).map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_compressed_page_is_the_plain_one_in_both_formats() {
    let (inventory, page) = page(Arc::new(sample::now));
    let rendered = render(&inventory.read(), Labels::default(), sample::now());
    for format in [Format::Text, Format::OpenMetrics] {
        let plain = String::from_utf8(page.plain(format).unwrap()).unwrap();
        assert_eq!(without_process(&scraped(&page, format)), without_process(&plain));
        assert_eq!(format == Format::Text, plain.starts_with(&rendered));
        assert_eq!(format == Format::OpenMetrics, plain.ends_with("# EOF\n"));
        assert_eq!(
            format == Format::OpenMetrics,
            plain.contains("# TYPE token_source_failures counter\ntoken_source_failures_total{")
        );
        assert!(plain.contains("token_expiry_exporter_build_info{revision=\"abc\",version=\"1.2.3\"} 1\n"));
    }
}

/// A page is compressed piece by piece; this one has dozens of them.
#[test]
fn the_first_page_and_the_next_are_whole() {
    let ids = (1..=5_000_u64).map(|n| format!("{:016x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    let tokens = ids.map(|id| sample::token(&id, &format!("of {id}"), sample::ends(3))).collect();
    let mut inventory = Inventory::default();
    inventory.set_policy([("s".to_owned(), sample::policy("p", &["l"]))].into(), Arc::new([]));
    let outcome = Outcome { listings: vec![sample::listed("l", tokens)], ..Outcome::default() };
    inventory.record("s", outcome, sample::now(), sample::now());
    let rendered = render(&inventory, Labels::default(), sample::now());
    let (_, page) = page_of(inventory, Arc::new(sample::now));
    let first = scraped(&page, Format::Text);
    page.render().unwrap();
    for scraped in [first, scraped(&page, Format::Text)] {
        assert!(scraped.starts_with(&rendered));
    }
}

#[tokio::test(start_paused = true)]
async fn the_page_follows_the_revision_and_the_clock() {
    let start = tokio::time::Instant::now();
    let clock: Clock = Arc::new(move || sample::now() + TimeDelta::from_std(start.elapsed()).unwrap());
    let (inventory, page) = page(clock);
    let (revision, receiver) = watch::channel(0_u64);
    let following = tokio::spawn(Arc::clone(&page).run(receiver));
    let band_of = |id: &str| {
        let text = scraped(&page, Format::Text);
        let start = format!("token_due_timestamp_seconds{{source=\"gitlab\",provider=\"gitlab\",token_id=\"{id}\"");
        let line = text.lines().find(|line| line.starts_with(&start));
        line.and_then(|line| parse(line).1.into_iter().find(|(name, _)| name == "band")).map(|(_, band)| band)
    };
    assert_eq!(band_of("p03").as_deref(), Some("critical"));
    // The token p03 ends in three days; nothing is collected until then.
    eventually(TimeDelta::days(3), || band_of("p03").as_deref() == Some("expired")).await;

    inventory.write().set_policy(Default::default(), Arc::new([]));
    assert!(band_of("p03").is_some(), "nobody has told yet");
    revision.send(1).unwrap();
    eventually(TimeDelta::zero(), || band_of("p03").is_none()).await;

    drop(revision);
    following.await.unwrap();
}

/// Lets paused time go on, and then waits for the rendering, which runs on a thread of its own.
async fn eventually(later: TimeDelta, mut holds: impl FnMut() -> bool) {
    tokio::time::sleep(later.to_std().unwrap() + Duration::from_secs(1)).await;
    let patience = Utc::now() + TimeDelta::seconds(20);
    while !holds() {
        assert!(Utc::now() < patience, "the page does not follow");
        tokio::task::yield_now().await;
    }
}
