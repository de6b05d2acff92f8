//! What the dashboards show of the invented company, whose numbers are known: with one exporter and with many copies of
//! the same series, with a source that is down, without a token, and without an exporter.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, TimeDelta, Weekday};
use serde_json::Value;

use super::board::{Board, boards};
use super::scrape::{Demo, Shown, Target, offered, prometheus, wait};
use crate::equipment::{Sample, Server, exporter, metrics, query_at, samples, wait_for};

const BANDS: [(&str, &str); 3] = [("Expired", "expired"), ("Critical", "critical"), ("Warning", "warning")];

const FINDINGS: [(&str, &str); 5] = [
    ("Never expire", "never_expires"),
    ("Live too long", "lives_too_long"),
    ("Unused", "unused"),
    ("No owner", "no_owner"),
    ("Unreadable end", "unreadable_expiry"),
];

/// Exporter, inventory, tokens.
fn three() -> [Board; 3] {
    boards().try_into().unwrap_or_else(|_| panic!("there are three"))
}

/// A number of the company: of one source, or of all of them.
fn known(expected: &Value, source: Option<&str>, path: &str) -> f64 {
    let sources = expected["sources"].as_object().unwrap();
    let chosen = sources.iter().filter(|(name, _)| source.is_none_or(|source| source == *name));
    chosen.map(|(_, of)| of.pointer(path).and_then(Value::as_f64).unwrap_or_default()).sum()
}

/// A moment at which each Prometheus answers its query. What is asked of this moment stays as it is, whatever becomes of
/// later scrapes on a busy machine.
async fn moment(conditions: &[(&Server, String)]) -> f64 {
    let held = || async {
        // No scrape takes longer than a second, so none is still under way that began before this.
        let at = seconds() - 2.0;
        for (prometheus, condition) in conditions {
            if query_at(prometheus, condition, Some(at)).await.is_empty() {
                return None;
            }
        }
        Some(at)
    };
    wait_for("a moment at which all is known", Duration::from_secs(90), held).await
}

/// When Prometheus knows the settled company: the token that ends right after the start has ended.
async fn settled(prometheus: &Server, expected: &Value) -> f64 {
    let expired = known(expected, None, "/bands/expired");
    let labels = "without (instance, pod, prometheus_replica)";
    let due = format!("sum(max {labels} (token_source_due_tokens{{band=\"expired\"}})) == {expired}");
    let all = format!("count(max {labels} (token_info)) == {}", expected["tokens"]);
    moment(&[(prometheus, due), (prometheus, all)]).await
}

async fn start(dir: &Path) -> (Demo, Server, Value, f64) {
    let demo = Demo::start(dir, &["--interval=1"]).await;
    let prometheus = prometheus(dir, &[Target(&demo.exporter, BTreeMap::new())]).await;
    let expected = demo.expected().await;
    let at = settled(&prometheus, &expected).await;
    (demo, prometheus, expected, at)
}

fn seconds() -> f64 {
    chrono::Utc::now().timestamp() as f64
}

#[tokio::test]
async fn tokens_shows_the_company_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let (demo, prometheus, expected, at) = start(dir.path()).await;
    let [_, _, board] = three();
    for source in [None, Some("atlassian"), Some("vault"), Some("by-hand")] {
        let chosen: Vec<_> = source.map(|source| ("source", source)).into_iter().chain([("rows", "250")]).collect();
        let shown = Shown { board: &board, prometheus: &prometheus, chosen: &chosen, at: Some(at) };
        for (title, band) in BANDS {
            let path = format!("/bands/{band}");
            assert_eq!(shown.number(title).await, Some(known(&expected, source, &path)), "{title} of {source:?}");
        }
        assert_eq!(shown.number("Tokens").await, Some(known(&expected, source, "/tokens")), "{source:?}");
        let due: f64 = BANDS.iter().map(|(_, band)| known(&expected, source, &format!("/bands/{band}"))).sum();
        assert_eq!(shown.sum("Who has to act?", "A").await, due, "{source:?}");
        assert_eq!(shown.sum("Which team?", "A").await, due, "{source:?}");
        next_are_right(&shown, &expected, source).await;
        weeks_are_right(&shown).await;
        let expired = shown.rows("Expired and not replaced", "A").await;
        assert_eq!(expired.len() as f64, known(&expected, source, "/bands/expired"), "{source:?}");
        assert!(expired.iter().all(|token| token.value < 1000.0 * seconds()), "{expired:?}");
        let states = shown.rows("Expired and not replaced", "D").await;
        assert!(states.len() == expired.len() && states.iter().all(|token| token.label("state") == "expired"));
    }
    let all = Shown { board: &board, prometheus: &prometheus, chosen: &[], at: Some(at) };
    assert_eq!(all.number("Incomplete sources").await, Some(1.0));
    let few = Shown { board: &board, prometheus: &prometheus, chosen: &[("rows", "25")], at: Some(at) };
    assert_eq!(few.rows("The next to expire", "A").await.len(), 25, "no more is asked for than is shown");
    for state in ["replaced", "disabled"] {
        let shown = Shown { board: &board, prometheus: &prometheus, chosen: &[("state", state)], at: Some(at) };
        let rows = shown.rows("The next to expire", "A").await;
        assert_eq!(rows.len() as f64, known(&expected, None, &format!("/states/{state}")), "{state}");
        assert!(rows.iter().all(|token| token.label("band").is_empty()), "nobody is told of what is {state}");
        let states = shown.rows("The next to expire", "D").await;
        assert!(states.len() == rows.len() && states.iter().all(|token| token.label("state") == state), "{state}");
    }
    chosen_values_narrow(&all, &metrics(&demo.exporter).await).await;
}

/// The table of the next tokens, and what is counted of the same.
async fn next_are_right(shown: &Shown<'_>, expected: &Value, source: Option<&str>) {
    let now = shown.at.unwrap_or_else(seconds);
    let next = shown.rows("The next to expire", "A").await;
    assert!(next.iter().all(|token| token.value >= 1000.0 * now), "an end that has passed");
    assert!(next.windows(2).all(|pair| pair[0].value <= pair[1].value), "the soonest are first");
    for (_, band) in &BANDS[1..] {
        let rows = next.iter().filter(|token| token.label("band") == *band);
        assert_eq!(rows.count() as f64, known(expected, source, &format!("/bands/{band}")), "{band} of {source:?}");
    }
    let with_page = next.iter().filter(|token| token.label("token_manage_url").starts_with("https://"));
    assert_eq!(with_page.count() > 0, source != Some("vault"), "a page of renewal for {source:?}");
    assert!(
        next.iter().all(|token| !token.label("band").is_empty() || token.value > 1000.0 * (now + 86_400.0)),
        "short-lived"
    );
    let soonest = shown.number("Next to expire").await.unwrap();
    assert!((next[0].value / 1000.0 - now - soonest).abs() < 5.0, "{soonest}");
    assert_eq!(shown.rows("The next to expire", "B").await.len(), next.len());
    let states = shown.rows("The next to expire", "D").await;
    assert!(states.len() == next.len() && states.iter().all(|token| token.label("state") == "active"), "{states:?}");
}

/// Every token of the table of the next is counted in its week, by the calendar.
async fn weeks_are_right(shown: &Shown<'_>) {
    let weeks = shown.rows("When will it hurt?", "A").await;
    let monday =
        |at: f64| (DateTime::from_timestamp(at as i64, 0).unwrap().date_naive().week(Weekday::Mon)).first_day();
    let week = |sample: &Sample| DateTime::from_timestamp_millis(sample.label("week").parse().unwrap()).unwrap();
    let begin = monday(shown.at.unwrap_or_else(seconds));
    for sample in &weeks {
        assert_eq!(week(sample).time(), NaiveTime::MIN, "{sample:?}");
        assert_eq!(week(sample).weekday(), Weekday::Mon, "{sample:?}");
    }
    // The frame of the calendar: the first and the last week are there without a token too.
    let days: Vec<_> = weeks.iter().map(|sample| week(sample).date_naive()).collect();
    assert_eq!(days.iter().min(), Some(&begin));
    assert_eq!(days.iter().max(), Some(&(begin + TimeDelta::weeks(26))));

    let next = shown.rows("The next to expire", "A").await;
    if next.len() == 250 {
        return;
    }
    let count = |counts: &mut BTreeMap<(String, NaiveDate), f64>, sample: &Sample, day, by| {
        *counts.entry((sample.label("provider").to_owned(), day)).or_default() += by;
    };
    let (mut listed, mut counted) = (BTreeMap::new(), BTreeMap::new());
    next.iter().for_each(|token| count(&mut listed, token, monday(token.value / 1000.0), 1.0));
    listed.retain(|(_, day), _| *day < begin + TimeDelta::weeks(26));
    weeks.iter().for_each(|sample| count(&mut counted, sample, week(sample).date_naive(), sample.value));
    counted.retain(|_, count| *count > 0.0);
    assert_eq!(counted, listed);
}

/// Every value that a variable offers, chosen alone, shows what the exposition has of it.
async fn chosen_values_narrow(all: &Shown<'_>, exposition: &str) {
    let Shown { board, prometheus, .. } = *all;
    for (variable, label) in
        [("provider", "provider"), ("source", "source"), ("team", "team"), ("owner", "token_owner")]
    {
        let values = offered(prometheus, board, variable, &[]).await;
        assert!(values.len() >= 3, "{variable}: {values:?}");
        for value in values {
            let shown = Shown { chosen: &[(variable, value.as_str())], ..*all };
            let of =
                |metric: &str| samples(exposition, metric).into_iter().filter(|sample| sample.label(label) == value);
            assert_eq!(shown.number("Tokens").await, Some(of("token_info").count() as f64), "{variable} {value}");
            let critical = of("token_due_timestamp_seconds").filter(|sample| sample.label("band") == "critical");
            assert_eq!(shown.number("Critical").await, Some(critical.count() as f64), "{variable} {value}");
        }
    }
    for variable in ["job", "instance"] {
        assert_eq!(offered(prometheus, board, variable, &[]).await.len(), 1, "{variable}");
    }
}

#[tokio::test]
async fn inventory_shows_the_company_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let (demo, prometheus, expected, at) = start(dir.path()).await;
    let [_, board, _] = three();
    for source in [None, Some("atlassian"), Some("vault")] {
        let chosen: Vec<_> = source.map(|source| ("source", source)).into_iter().collect();
        let shown = Shown { board: &board, prometheus: &prometheus, chosen: &chosen, at: Some(at) };
        assert_eq!(shown.number("Tokens").await, Some(known(&expected, source, "/tokens")));
        let mut all = 0.0;
        for (title, finding) in FINDINGS {
            let count = known(&expected, source, &format!("/findings/{finding}"));
            assert_eq!(shown.number(title).await, Some(count), "{title} of {source:?}");
            let chosen: Vec<_> = chosen.iter().copied().chain([("finding", finding)]).collect();
            let one = Shown { board: &board, prometheus: &prometheus, chosen: &chosen, at: Some(at) };
            assert_eq!(one.rows("Tokens that break a policy", "A").await.len() as f64, count, "{finding}");
            all += count;
        }
        for panel in ["Findings by provider", "Findings by team", "Findings over time"] {
            assert_eq!(shown.sum(panel, "A").await, all, "{panel} of {source:?}");
        }
        let known_of = |metric: &str, exposition: &str| {
            let all = samples(exposition, metric).into_iter();
            all.filter(|sample| source.is_none_or(|source| sample.label("source") == source)).collect::<Vec<_>>()
        };
        let exposition = metrics(&demo.exporter).await;
        let ends = known_of("token_expiry_timestamp_seconds", &exposition);
        let ahead = ends.iter().filter(|token| token.value > seconds()).count() as f64;
        assert_eq!(shown.sum("Time left", "A").await, ahead, "{source:?}");
        let created = known_of("token_created_timestamp_seconds", &exposition).len() as f64;
        assert_eq!(shown.sum("Age", "A").await, created, "{source:?}");
        assert_eq!(shown.sum("Lifetime", "A").await, ends.len() as f64, "{source:?}");
        assert_eq!(shown.sum("Tokens by provider over time", "A").await, known(&expected, source, "/tokens"));
    }
    let shown = Shown { board: &board, prometheus: &prometheus, chosen: &[], at: Some(at) };
    let rows = shown.rows("Tokens that break a policy", "A").await;
    assert_eq!(shown.rows("Tokens that break a policy", "B").await.len(), rows.len(), "each has been made some day");
    let with_end = rows.iter().filter(|row| !["never_expires", "unreadable_expiry"].contains(&row.label("finding")));
    assert_eq!(shown.rows("Tokens that break a policy", "D").await.len(), with_end.count());
}

#[tokio::test]
async fn exporter_shows_the_company_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let (demo, prometheus, expected, _) = start(dir.path()).await;
    // A rate needs two samples.
    wait(&prometheus, "count by (source) (rate(token_source_requests_total[1h]))", 3).await;
    let [board, _, _] = three();
    let shown = Shown { board: &board, prometheus: &prometheus, chosen: &[], at: None };
    let numbers = [
        ("Exporters down", 0.0),
        ("Sources", 4.0),
        ("Incomplete sources", 1.0),
        ("Gaps", 1.0),
        ("Dropped tokens", 0.0),
    ];
    for (title, number) in numbers {
        assert_eq!(shown.number(title).await, Some(number), "{title}");
    }
    assert!(shown.number("Oldest data").await.is_some_and(|age| age < 60.0));
    for source in expected["sources"].as_object().unwrap().keys() {
        let of = async |reference: &str| {
            let rows = shown.rows("Source by source", reference).await;
            rows.iter().find(|row| row.label("source") == source).map(|row| row.value)
        };
        let up = expected["sources"][source]["up"].as_bool().unwrap();
        assert_eq!(of("A").await, Some(f64::from(u8::from(up))), "{source}");
        assert_eq!(of("B").await.is_some(), up, "{source} that never was complete has no age");
        assert_eq!(of("C").await.is_some(), up, "{source}");
        assert_eq!(of("D").await, Some(1.0), "the interval of {source}");
        assert_eq!(of("F").await, Some(known(&expected, Some(source), "/tokens")), "tokens of {source}");
        let due: f64 = BANDS.iter().map(|(_, band)| known(&expected, Some(source), &format!("/bands/{band}"))).sum();
        assert_eq!(of("G").await, Some(due), "due tokens of {source}");
        assert_eq!(of("H").await, Some(f64::from(u8::from(!up))), "gaps of {source}");
        assert_eq!(of("J").await.is_some(), source != "by-hand", "requests of {source}");
    }
    let gaps = shown.rows("Gaps over time", "A").await;
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    what_is_not_shown_is_counted(&shown, &expected).await;
    let process = shown.rows("Exporters", "A").await;
    assert_eq!((process.len(), process[0].label("version")), (1, env!("CARGO_PKG_VERSION")));
    for panel in ["Memory", "CPU"] {
        assert_eq!(shown.rows(panel, "A").await.len(), 1, "{panel}: Prometheus itself is not in it");
    }

    // A provider that stops: what is known stays, and it is said that it may be old.
    demo.post("/providers/vault/stop").await;
    wait(&prometheus, r#"token_source_up{source="vault"} == 0"#, 1).await;
    assert_eq!(shown.number("Incomplete sources").await, Some(2.0));
    let vault = Shown { board: &board, prometheus: &prometheus, chosen: &[("source", "vault")], at: None };
    assert!(vault.number("Gaps").await.is_some_and(|gaps| gaps > 0.0));
    assert!(!vault.rows("Gaps over time", "A").await.is_empty());
    let [_, _, tokens] = three();
    let tokens = Shown { board: &tokens, prometheus: &prometheus, chosen: &[], at: None };
    assert_eq!(tokens.number("Tokens").await, expected["tokens"].as_f64());
    assert_eq!(tokens.number("Incomplete sources").await, Some(2.0));

    // The exporter stops too.
    drop(demo);
    wait(&prometheus, "up{job=\"token-expiry-exporter\"} == 0", 1).await;
    assert_eq!(shown.number("Exporters down").await, Some(1.0));
    assert_eq!(shown.number("Sources").await, None, "the text for no data");
}

/// What rules leave out, what had to be adjusted, and how near the rate limits are.
async fn what_is_not_shown_is_counted(shown: &Shown<'_>, expected: &Value) {
    let panel = "Left out, dropped and adjusted";
    let filtered = shown.rows(panel, "A").await;
    assert_eq!((filtered.len(), filtered[0].label("source")), (1, "vault"));
    assert_eq!(filtered[0].value, known(expected, None, "/filtered"));
    assert_eq!(shown.rows(panel, "B").await, []);
    let adjusted = shown.rows(panel, "C").await;
    assert_eq!((adjusted.len(), adjusted[0].label("adjustment")), (1, "cleaned_value"));
    assert_eq!(adjusted[0].value, known(expected, None, "/adjustments/cleaned_value"));

    for panel in [("Rate limit left", "A"), ("Source by source", "K")] {
        let left = shown.rows(panel.0, panel.1).await;
        let sources: Vec<&str> = left.iter().map(|limit| limit.label("source")).collect();
        assert!(sources.len() == 2 && sources.iter().all(|source| source.starts_with("atlassian")), "{left:?}");
        // Not all of the window is ever used.
        assert!(left.iter().all(|limit| (0.4..=1.0).contains(&limit.value)), "{left:?}");
    }
}

#[tokio::test]
async fn what_is_over_the_limit_of_a_source_is_shown_as_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let token = |id: u32| format!("      - {{id: t{id}, name: n{id}, expires: 2090-01-0{id}}}\n");
    let tokens: String = (1..=5).map(token).collect();
    let config = format!(
        "interval: 1s\nsources:\n  - name: by-hand\n    provider: manual\n    token_limit: 2\n    tokens:\n{tokens}"
    );
    let small = exporter(dir.path(), &config, &[]).await;
    let prometheus = prometheus(dir.path(), &[Target(&small, BTreeMap::new())]).await;
    wait(&prometheus, "token_source_dropped_tokens > 0", 1).await;
    let [board, _, tokens] = three();
    let shown = Shown { board: &board, prometheus: &prometheus, chosen: &[], at: None };
    assert_eq!(shown.number("Dropped tokens").await, Some(3.0));
    assert_eq!(shown.sum("Left out, dropped and adjusted", "B").await, 3.0);
    assert_eq!(Shown { board: &tokens, ..shown }.number("Tokens").await, Some(2.0));
}

/// Queries whose value differs from one replica to the other, or from scrape to scrape.
const OF_EACH_REPLICA: &[&str] = &[
    "Age of the data",
    "CPU",
    "Exporters",
    "Failures",
    "Memory",
    "Oldest data",
    "Rate limit left",
    "Requests",
    "Time of a collection",
];
const OF_EACH_REPLICA_BY_SOURCE: &[&str] = &["B", "C", "E", "I", "J", "K", "L"];

/// Prometheus answers in no order where a query does not sort.
fn sorted(mut rows: Vec<Sample>) -> Vec<Sample> {
    rows.sort_by(|a, b| a.labels.cmp(&b.labels));
    rows
}

#[tokio::test]
async fn replicas_and_prometheus_servers_are_counted_once() {
    let dir = tempfile::tempdir().unwrap();
    let (demo, _, expected, _) = start(dir.path()).await;
    // Both start after a token has ended and is no longer listed: of that one they know nothing.
    let (first, second) = (demo.replica(dir.path()).await, demo.replica(dir.path()).await);
    let alone = prometheus(dir.path(), &[Target(&first, BTreeMap::new())]).await;
    let copy =
        |server, pod, prometheus| Target(server, BTreeMap::from([("pod", pod), ("prometheus_replica", prometheus)]));
    let targets = [
        copy(&first, "exporter-0", "prometheus-0"),
        copy(&first, "exporter-0", "prometheus-1"),
        copy(&second, "exporter-1", "prometheus-0"),
        copy(&second, "exporter-1", "prometheus-1"),
    ];
    let four = prometheus(dir.path(), &targets).await;
    let tokens = usize::try_from(expected["tokens"].as_u64().unwrap()).unwrap() - 1;
    let count = |copies: usize| format!("count(token_info) == {}", copies * tokens);
    let at = moment(&[(&alone, count(1)), (&four, count(4))]).await;
    for board in boards() {
        for query in board.queries() {
            let varies =
                query.panel == "Source by source" && OF_EACH_REPLICA_BY_SOURCE.contains(&query.reference.as_str());
            if varies || OF_EACH_REPLICA.contains(&query.panel.as_str()) {
                continue;
            }
            let text = board.filled(&query.text, &[]);
            let one = sorted(query_at(&alone, &text, Some(at)).await);
            assert_eq!(
                sorted(query_at(&four, &text, Some(at)).await),
                one,
                "{}: {} {}",
                board.name,
                query.panel,
                query.reference
            );
        }
    }
}

#[tokio::test]
async fn an_empty_inventory_shows_zeros_and_no_exporter_shows_its_absence() {
    let dir = tempfile::tempdir().unwrap();
    let config = "interval: 1s\nsources:\n  - {name: by-hand, provider: manual, tokens: []}\n";
    let empty = exporter(dir.path(), config, &[]).await;
    let prometheus = prometheus(dir.path(), &[Target(&empty, BTreeMap::new())]).await;
    wait(&prometheus, "token_source_up == 1", 1).await;
    let zeros: &[(&str, &[&str])] = &[
        ("token-expiry-tokens", &["Expired", "Critical", "Warning", "Tokens", "Incomplete sources"]),
        (
            "token-expiry-inventory",
            &["Tokens", "Never expire", "Live too long", "Unused", "No owner", "Unreadable end"],
        ),
        ("token-expiry-exporter", &["Exporters down", "Incomplete sources", "Gaps", "Dropped tokens"]),
    ];
    for board in boards() {
        let titles = zeros.iter().find(|(name, _)| *name == board.name).unwrap().1;
        let nobody = Shown { board: &board, prometheus: &prometheus, chosen: &[("instance", "nobody")], at: None };
        let shown = Shown { board: &board, prometheus: &prometheus, chosen: &[], at: None };
        for query in board.queries() {
            let rows = shown.rows(&query.panel, &query.reference).await;
            if titles.contains(&query.panel.as_str()) && query.reference == "A" {
                assert_eq!(rows.first().map(|row| row.value), Some(0.0), "{}", query.panel);
            }
            let rows = nobody.rows(&query.panel, &query.reference).await;
            assert_eq!(rows, [], "{}: {} without an exporter", board.name, query.panel);
        }
        for variable in board.variables().iter().filter(|variable| variable["type"] == "query") {
            let name = variable["name"].as_str().unwrap();
            let values = offered(&prometheus, &board, name, &[]).await;
            assert_eq!(values.is_empty(), ["team", "owner"].contains(&name), "{name}: {values:?}");
        }
    }
}
