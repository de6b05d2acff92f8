//! The exposition as a golden file, and the generated documentation.

use crate::sample_inventory;
use crate::test_servers::{assert_promtool_accepts, tool};
use std::collections::{BTreeMap, HashSet};
use std::io::Read as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::{Mutex, RwLock};
use proptest::prelude::*;
use token_expiry_exporter::core::clock::Clock;
use token_expiry_exporter::core::inventory::{Inventory, Policy};
use token_expiry_exporter::core::outcome::Outcome;
use token_expiry_exporter::core::token::{Expiry, LastUse, Owner};
use token_expiry_exporter::core::token_series::TokenSeries;
use token_expiry_exporter::exposition::exporter::{Build, ExporterMetrics};
use token_expiry_exporter::exposition::families::FAMILIES;
use token_expiry_exporter::exposition::page::Page;
use token_expiry_exporter::exposition::selection::{Selection, optional_families};
use token_expiry_exporter::exposition::text::Format;
use token_expiry_exporter::exposition::{Exposure, Labels, reference, render};
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

#[test]
fn renewal_series_are_those_of_due_tokens_with_steps_and_page() {
    let page = |external_url: Option<&str>| {
        let external_url = external_url.map(|url| url.parse().unwrap());
        let exposure = Exposure { external_url, ..Exposure::default() };
        render(&sample_inventory::inventory(), exposure, sample_inventory::now())
    };
    let of = |text: &str, family: &str| -> BTreeMap<(String, String), BTreeMap<String, String>> {
        let lines = text.lines().filter(|line| line.starts_with(&format!("{family}{{")));
        let labels = lines.map(|line| parse(line).1.into_iter().collect::<BTreeMap<_, _>>());
        labels.map(|labels| ((labels["source"].clone(), labels["token_id"].clone()), labels)).collect()
    };
    let text = page(Some("https://tokens.example.com/x/"));
    let (due, renewals) = (of(&text, "token_due_timestamp_seconds"), of(&text, "token_renewal_info"));
    assert!(due.len() > 5 && due.keys().eq(renewals.keys()), "{due:?} {renewals:?}");
    for ((source, id), labels) in &renewals {
        let url = url::Url::parse(&labels["token_page_url"]).unwrap();
        let named: Vec<String> = match url.query() {
            None => url.path_segments().unwrap().skip(2).map(str::to_owned).collect(),
            Some(_) => url.query_pairs().map(|(_, value)| value.into_owned()).collect(),
        };
        assert_eq!(named, [source.as_str(), id], "{url}");
        let steps =
            "Who: the owner\nWhere: \"Settings\" > Access tokens\nDocumentation: https://docs.example.com/tokens";
        let expected = (source == "gitlab").then_some(steps);
        assert_eq!(labels.get("renewal").map(String::as_str), expected, "{source} {id}");
    }
    let steps_alone = of(&page(None), "token_renewal_info");
    assert!(steps_alone.len() > 5 && steps_alone.values().all(|labels| !labels.contains_key("token_page_url")));
    assert!(steps_alone.keys().all(|(source, _)| source == "gitlab"), "{steps_alone:?}");
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
            token.owner = Some(Owner { name: Some(owner.as_str().into()), ..Owner::default() }.into());
            Arc::make_mut(&mut token.labels).insert("team".to_owned(), owner);
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

/// The page without compression, which has the size that is announced.
fn plain(page: &Page, format: Format) -> String {
    let (size, chunks) = page.plain(format);
    let text = chunks.map(Result::unwrap).collect::<Vec<_>>().concat();
    assert_eq!(text.len() as u64, size);
    String::from_utf8(text).unwrap()
}

/// Prometheus' and Python's parsers read each format, and Python's gzip the joined parts.
#[test]
fn independent_parsers_read_every_sample_of_both_formats() {
    let (_, page) = page(Arc::new(sample_inventory::now));
    page.set_exposure(Labels { owner: true, owner_email: true });
    page.render().unwrap();
    assert_promtool_accepts(&plain(&page, Format::Text));
    let dir = tempfile::tempdir().unwrap();
    for (format, name) in [(Format::Text, "text"), (Format::OpenMetrics, "openmetrics")] {
        let file = dir.path().join(name);
        std::fs::write(&file, page.compressed(format).unwrap().concat()).unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools/read_exposition.py");
        let output = Command::new(tool("../python/bin/python3")).arg(script).arg(name).arg(file).output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let read: BTreeMap<String, usize> = serde_json::from_slice(&output.stdout).unwrap();
        assert!(read["token_due_timestamp_seconds"] > 3 && read["token_source_failures_total"] > 15, "{read:?}");
        assert_eq!(read, samples(&plain(&page, format)), "{name}");
    }
}

fn without_process_metrics(text: &str) -> String {
    text.lines().filter(|line| !line.contains("process_")).map(|line| format!("{line}\n")).collect()
}

#[test]
fn compressed_and_plain_page_are_equal_in_both_formats() {
    let (inventory, page) = page(Arc::new(sample_inventory::now));
    let rendered = render(&inventory.read(), Labels::default(), sample_inventory::now());
    for format in [Format::Text, Format::OpenMetrics] {
        let plain = plain(&page, format);
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

/// 5,000 tokens, of which each has samples that compress badly.
fn large_inventory() -> Inventory {
    let ids = (1..=5_000_u64).map(|n| format!("{:016x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    let tokens =
        ids.map(|id| sample_inventory::token(&id, &format!("of {id}"), sample_inventory::expires_in(3))).collect();
    let mut inventory = Inventory::default();
    inventory.set_policy([("s".to_owned(), sample_inventory::policy("p", &["l"]))].into(), Arc::new([]));
    let outcome = Outcome { listings: vec![sample_inventory::listing("l", tokens)], ..Outcome::default() };
    inventory.record("s", outcome, sample_inventory::now(), sample_inventory::now());
    inventory
}

/// With dozens of compressed chunks.
#[test]
fn first_and_later_pages_are_complete() {
    let inventory = large_inventory();
    let rendered = render(&inventory, Labels::default(), sample_inventory::now());
    let (_, page) = page_of(inventory, Arc::new(sample_inventory::now));
    let first = scrape(&page, Format::Text);
    page.render().unwrap();
    for scraped in [first, scrape(&page, Format::Text)] {
        assert!(scraped.starts_with(&rendered));
    }
}

#[tokio::test(start_paused = true)]
async fn restored_page_is_compressed_better_when_time_allows() {
    let inventory = large_inventory();
    let rendered = render(&inventory, Labels::default(), sample_inventory::now());
    let (_, page) = page_of(inventory, Arc::new(sample_inventory::now));
    page.render_first().unwrap();
    let (_revision, changes) = watch::channel(0);
    tokio::spawn(Arc::clone(&page).run(changes));
    let size = || page.compressed(Format::Text).unwrap().iter().map(|chunk| chunk.len()).sum::<usize>();
    let first = size();
    tokio::time::sleep(Duration::from_secs(29)).await;
    // The exporter's own metrics differ by some bytes.
    assert!(size().abs_diff(first) < 100, "{} bytes instead of {first}", size());
    assert_eq!(page.token_renderings(), 1);
    tokio::time::sleep(Duration::from_secs(600)).await;
    let later = size();
    assert!(later * 10 < first * 9, "{later} bytes instead of {first}");
    assert_eq!(page.token_renderings(), 2, "once");
    assert!(scrape(&page, Format::Text).starts_with(&rendered));
}

/// Something that happens to an inventory between two renderings.
#[derive(Clone, Debug)]
enum Change {
    /// A collection of this source: the number of its tokens, and something that differs between them.
    Collected(usize, u64, i64),
    /// A reload with these sources.
    Configured(Vec<usize>),
    Labels(bool, bool),
    /// What the configuration selects: families to hide, and the tokens of each source.
    Selected(Vec<&'static str>, Vec<TokenSeries>),
    /// Days that pass, or a clock that is set back.
    Days(i64),
}

fn change() -> impl Strategy<Value = Change> {
    let size = prop_oneof![4 => 0_u64..20, 1 => 400_u64..800];
    prop_oneof![
        6 => (0..SOURCES, size, -20_i64..60).prop_map(|(source, size, days)| Change::Collected(source, size, days)),
        1 => prop::collection::btree_set(0..SOURCES, 0..SOURCES).prop_map(|set| Change::Configured(set.into_iter().collect())),
        1 => any::<(bool, bool)>().prop_map(|(owner, email)| Change::Labels(owner, email)),
        2 => (-10_i64..40).prop_map(Change::Days),
        2 => (
            prop::sample::subsequence(optional_families().map(|family| family.name).collect::<Vec<_>>(), 0..4),
            prop::collection::vec(prop::sample::select(TokenSeries::ALL.to_vec()), SOURCES),
        ).prop_map(|(hidden, series)| Change::Selected(hidden, series)),
    ]
}

const SOURCES: usize = 12;

fn source_name(number: usize) -> String {
    format!("source {number:03}")
}

fn configure(inventory: &mut Inventory, sources: impl IntoIterator<Item = usize>) {
    let policy = |number| (source_name(number), sample_inventory::policy("p", &["l"]));
    inventory.set_policy(sources.into_iter().map(policy).collect(), sample_inventory::configuration().1);
}

fn collect(inventory: &mut Inventory, source: usize, size: u64, days: i64, now: DateTime<Utc>) {
    let tokens = (0..size).map(|number| {
        let expires = now + TimeDelta::days(days + i64::try_from(number % 40).unwrap());
        sample_inventory::token(&format!("{number}"), &format!("{number} at {days}"), Expiry::At(expires))
    });
    let outcome = Outcome {
        listings: vec![sample_inventory::listing("l", tokens.collect())],
        requests: [(200, size), (500, 1)].into(),
        ..Outcome::default()
    };
    inventory.record(&source_name(source), outcome, now, now);
}

/// The text format as OpenMetrics, without its end marker.
fn as_openmetrics(text: &str) -> String {
    ["token_source_failures", "token_source_requests"].iter().fold(text.to_owned(), |text, counter| {
        ["HELP", "TYPE"].iter().fold(text, |text, line| {
            text.replace(&format!("# {line} {counter}_total "), &format!("# {line} {counter} "))
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn joined_page_is_the_page_rendered_from_scratch(changes in prop::collection::vec(change(), 1..12)) {
        let clock = Arc::new(Mutex::new(sample_inventory::now()));
        let time = Arc::clone(&clock);
        let mut inventory = Inventory::default();
        configure(&mut inventory, 0..SOURCES);
        let (inventory, page) = page_of(inventory, Arc::new(move || *time.lock()));
        let mut exposure = Exposure::default();
        for change in changes {
            let now = *clock.lock();
            match change {
                Change::Collected(source, size, days) => collect(&mut inventory.write(), source, size, days, now),
                Change::Configured(sources) => configure(&mut inventory.write(), sources),
                Change::Labels(owner, owner_email) => exposure.labels = Labels { owner, owner_email },
                Change::Selected(hidden, series) => exposure.selection = Arc::new(Selection {
                    hidden: hidden.into_iter().collect(),
                    sources: series.into_iter().enumerate().map(|(source, series)| (source_name(source), series)).collect(),
                }),
                Change::Days(days) => *clock.lock() += TimeDelta::days(days),
            }
            page.set_exposure(exposure.clone());
            page.render().unwrap();
            let rendered = render(&inventory.read(), exposure.clone(), *clock.lock());
            for (format, rendered) in [(Format::Text, rendered.clone()), (Format::OpenMetrics, as_openmetrics(&rendered))] {
                for scraped in [scrape(&page, format), plain(&page, format)] {
                    let (tokens, exporter) = scraped.split_at(rendered.len().min(scraped.len()));
                    prop_assert_eq!(tokens, &rendered);
                    prop_assert!(exporter.starts_with("# HELP process_") , "{}", exporter);
                }
            }
        }
    }
}

/// A collection that is recorded while a page is rendered is on it as a whole or not at all.
#[test]
fn page_never_combines_the_status_of_one_collection_with_the_tokens_of_another() {
    const RENDERINGS: usize = 50;
    let now = sample_inventory::now();
    let mut inventory = Inventory::default();
    configure(&mut inventory, 0..SOURCES);
    let (inventory, page) = page_of(inventory, Arc::new(sample_inventory::now));
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Each begins a second later, and the expiry of its first token is a day after that.
            for (n, source) in (1..).zip((0..SOURCES).cycle()).take_while(|_| !is_done.load(Ordering::Relaxed)) {
                collect(&mut inventory.write(), source, 5, 1, now + TimeDelta::seconds(n));
            }
        });
        let (mut attempts, mut mixed) = (HashSet::new(), Vec::new());
        for _ in 0..RENDERINGS {
            page.render().unwrap();
            let text = plain(&page, Format::Text);
            let (started, expiries) = (
                of_sources(&text, "token_source_last_attempt_timestamp_seconds", None),
                of_sources(&text, "token_expiry_timestamp_seconds", Some("0")),
            );
            attempts.extend(started.values().copied());
            mixed.extend(started.into_iter().filter(|(source, at)| expiries.get(source) != Some(&(at + 86_400))));
        }
        is_done.store(true, Ordering::Relaxed);
        assert_eq!(mixed, [], "last attempts with tokens of another collection");
        assert!(attempts.len() > RENDERINGS, "few collections were recorded meanwhile: {}", attempts.len());
    });
}

/// The values of a family by source, or those of the tokens with this id.
fn of_sources(text: &str, family: &str, id: Option<&str>) -> BTreeMap<String, i64> {
    let mut values = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with(&format!("{family}{{"))) {
        let labels: BTreeMap<_, _> = parse(line).1.into_iter().collect();
        if labels.get("token_id").map(String::as_str) == id {
            values.insert(labels["source"].clone(), line.rsplit_once(' ').unwrap().1.parse().unwrap());
        }
    }
    values
}

/// The families of an exposition, each with the number of its samples.
fn samples(text: &str) -> BTreeMap<String, usize> {
    let mut samples = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        *samples.entry(parse(line).0).or_default() += 1;
    }
    samples
}

fn selected(hidden: &[&'static str], tokens: TokenSeries) -> Exposure {
    let sources = [("gitlab".to_owned(), tokens)].into();
    Exposure {
        selection: Arc::new(Selection { hidden: hidden.iter().copied().collect(), sources }),
        ..Exposure::default()
    }
}

#[test]
fn selection_reduces_series_of_tokens_and_keeps_counts() {
    let inventory = sample_inventory::inventory();
    let of = |exposure| render(&inventory, exposure, sample_inventory::now());
    let (all, due, none) = (
        of(selected(&[], TokenSeries::All)),
        of(selected(&[], TokenSeries::Due)),
        of(selected(&[], TokenSeries::None)),
    );
    let of_sources = |text: &str| text[text.find("# HELP token_source_up ").unwrap()..].to_owned();
    assert!(of_sources(&all) == of_sources(&due) && of_sources(&all) == of_sources(&none), "the counts depend on it");
    let of_gitlab = |text: &str| {
        let lines =
            text.lines().filter(|line| !line.starts_with("token_source_") && line.contains("source=\"gitlab\""));
        samples(&lines.map(|line| format!("{line}\n")).collect::<String>())
    };
    assert!(of_gitlab(&none).is_empty(), "{:?}", of_gitlab(&none));
    assert!(none.contains("token_info{source=\"vault\""), "another source has its own setting");
    let due_tokens = of_gitlab(&all)["token_due_timestamp_seconds"];
    let expected = ["token_due_timestamp_seconds", "token_expiry_timestamp_seconds", "token_info"];
    let due = of_gitlab(&due);
    assert!(due_tokens > 3 && expected.iter().all(|family| due[*family] == due_tokens), "{due:?}");
    assert!(!due.contains_key("token_finding"), "a part of the findings would be a wrong number of them");
    for family in optional_families() {
        let without = samples(&of(selected(&[family.name], TokenSeries::All)));
        let mut expected = samples(&all);
        assert!(expected.remove(family.name).is_some(), "{}", family.name);
        assert_eq!(without, expected, "{}", family.name);
    }
}

/// The numbers in `docs/metrics.md`.
#[test]
fn number_of_series_is_as_documented() {
    let mut inventory = Inventory::default();
    configure(&mut inventory, 0..1);
    let tokens = |count: u64| {
        (0..count).map(|number| {
            let mut token = sample_inventory::token(
                &format!("{number}"),
                &format!("{number}"),
                sample_inventory::expires_in(if number < 10 { 3 } else { 200 }),
            );
            token.created_at = Some(sample_inventory::now() - TimeDelta::days(100));
            token.last_used = LastUse::At(sample_inventory::now());
            token
        })
    };
    let listings = vec![sample_inventory::listing("l", tokens(1_000).collect())];
    let outcome = Outcome { listings, requests: [(200, 1)].into(), ..Outcome::default() };
    inventory.record(&source_name(0), outcome, sample_inventory::now(), sample_inventory::now());
    for (series, expected) in [(TokenSeries::All, 4 * 1_000 + 10), (TokenSeries::Due, 5 * 10), (TokenSeries::None, 0)] {
        let sources = [(source_name(0), series)].into();
        let exposure =
            Exposure { selection: Arc::new(Selection { sources, ..Selection::default() }), ..Exposure::default() };
        let found = samples(&render(&inventory, exposure, sample_inventory::now()));
        let of_tokens = found.iter().filter(|(family, _)| !family.starts_with("token_source_"));
        assert_eq!(of_tokens.map(|(_, count)| count).sum::<usize>(), expected, "{series:?}");
        let of_source = found.iter().filter(|(family, _)| family.starts_with("token_source_"));
        let (source, listing, codes) = (41, 17, 1);
        assert_eq!(of_source.map(|(_, count)| count).sum::<usize>(), source + listing + codes, "{found:?}");
    }
}

#[test]
fn only_changed_sources_are_rendered_again() {
    let mut inventory = Inventory::default();
    configure(&mut inventory, 0..100);
    (0..100).for_each(|source| collect(&mut inventory, source, 500, 100, sample_inventory::now()));
    let clock = Arc::new(Mutex::new(sample_inventory::now()));
    let time = Arc::clone(&clock);
    let (inventory, page) = page_of(inventory, Arc::new(move || *time.lock()));
    assert_eq!(page.token_renderings(), 100);
    let renderings = || {
        let before = page.token_renderings();
        page.render().unwrap();
        page.token_renderings() - before
    };
    assert_eq!(renderings(), 0, "nothing changed");
    let contains = |text: &str| scrape(&page, Format::Text).contains(text);
    collect(&mut inventory.write(), 42, 501, 101, sample_inventory::now());
    assert!(!contains("at 101"));
    assert_eq!(renderings(), 1, "one source changed");
    assert!(contains("at 101"));
    assert_eq!(renderings(), 0);
    collect(&mut inventory.write(), 42, 501, 101, sample_inventory::now());
    inventory.write().record(&source_name(7), Outcome::default(), sample_inventory::now(), sample_inventory::now());
    assert_eq!(renderings(), 0, "the same tokens once more");
    *clock.lock() += TimeDelta::days(70);
    assert_eq!(renderings(), 99, "the first tokens of all sources but one become due");
    assert!(contains("source=\"source 041\",provider=\"p\",band=\"warning\"} 13\n"));
    page.set_exposure(Labels { owner: false, owner_email: false });
    assert_eq!(renderings(), 100, "another setting");
}

#[test]
fn one_part_of_a_large_source_is_rendered_again_when_one_of_its_tokens_becomes_due() {
    let mut inventory = Inventory::default();
    let policy = Policy { token_limit: 100_000, ..sample_inventory::policy("p", &["l"]) };
    inventory.set_policy([(source_name(1), policy)].into(), sample_inventory::configuration().1);
    let tokens = (0..12_001).map(|number| {
        let expires = sample_inventory::expires_in(if number == 7_000 { 100 } else { 400 });
        sample_inventory::token(&format!("{number:05}"), &format!("robot {number}"), expires)
    });
    let listing = sample_inventory::listing("l", tokens.collect());
    let outcome = Outcome { listings: vec![listing.clone()], ..Outcome::default() };
    inventory.record(&source_name(1), outcome, sample_inventory::now(), sample_inventory::now());
    let clock = Arc::new(Mutex::new(sample_inventory::now()));
    let time = Arc::clone(&clock);
    let (inventory, page) = page_of(inventory, Arc::new(move || *time.lock()));
    assert_eq!(page.token_renderings(), 3, "5,000 tokens in each part");
    let counts = |count: &str, due: u64| {
        let text = scrape(&page, Format::Text);
        let series = text.lines().filter(|line| line.starts_with("token_expiry_timestamp_seconds{")).count();
        assert_eq!(series.to_string(), count, "{count}");
        assert!(text.contains(&format!("state=\"active\",expiry=\"at\"}} {count}\n")), "the parts' counts are added");
        assert!(text.contains(&format!("band=\"warning\"}} {due}\n")), "{due}");
    };
    counts("12001", 0);
    *clock.lock() += TimeDelta::days(75);
    page.render().unwrap();
    assert_eq!(page.token_renderings(), 4);
    counts("12001", 1);
    // At the same time it has fewer tokens than it had parts.
    let mut fewer = listing;
    fewer.scopes[0].tokens = fewer.scopes[0].tokens[..4_000].iter().map(|token| (**token).clone()).collect();
    let now = *clock.lock();
    for _ in 0..2 {
        let outcome = Outcome { listings: vec![fewer.clone()], ..Outcome::default() };
        inventory.write().record(&source_name(1), outcome, now, now);
    }
    page.render().unwrap();
    assert_eq!(page.token_renderings(), 5);
    counts("4000", 0);
}

/// Each source of a thousand tokens has parts of its own.
#[test]
fn page_of_many_sources_is_hardly_larger_than_that_of_one() {
    let size = |sources: usize, tokens: u64| {
        let mut inventory = Inventory::default();
        let policy = sample_inventory::policy("p", &["l"]);
        let names = (0..sources).map(|source| (source_name(source), Policy { token_limit: 100_000, ..policy.clone() }));
        inventory.set_policy(names.collect(), Arc::new([]));
        for source in 0..sources {
            let tokens = (0..tokens).map(|number| {
                let number = number + source as u64 * tokens;
                let expires = sample_inventory::expires_in(i64::try_from(number % 400).unwrap());
                let mut token =
                    sample_inventory::token(&format!("token-{number}"), &format!("integration {number}"), expires);
                token.owner =
                    Some(Owner { name: Some(format!("Person {}", number % 500).into()), ..Owner::default() }.into());
                token.created_at = Some(sample_inventory::now() - TimeDelta::minutes(i64::try_from(number).unwrap()));
                token
            });
            let listings = vec![sample_inventory::listing("l", tokens.collect())];
            let outcome = Outcome { listings, ..Outcome::default() };
            inventory.record(&source_name(source), outcome, sample_inventory::now(), sample_inventory::now());
        }
        let (_, page) = page_of(inventory, Arc::new(sample_inventory::now));
        page.render().unwrap();
        page.compressed(Format::Text).unwrap().concat().len()
    };
    let sizes = [size(1, 5_000), size(5, 1_000)];
    assert!(sizes[1] * 100 < sizes[0] * 103, "{sizes:?}");
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
