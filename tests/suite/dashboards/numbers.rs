//! Compares the numbers on the dashboards with the expected values of the demo: with one exporter, with many copies of the
//! same series, with a failing source, without tokens, and without an exporter.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, TimeDelta, Weekday};
use serde_json::Value;

use super::dashboard::{Dashboard, dashboards};
use super::scrape::{Demo, Target, View, prometheus, variable_values, wait};
use crate::alerts::token_alerts;
use crate::test_servers::{Sample, Server, exporter, metrics, query_at, samples, target, wait_for};

const BANDS: [(&str, &str); 3] = [("Expired", "expired"), ("Critical", "critical"), ("Warning", "warning")];

const FINDINGS: [(&str, &str); 5] = [
    ("Never expire", "never_expires"),
    ("Live too long", "lives_too_long"),
    ("Unused", "unused"),
    ("No owner", "no_owner"),
    ("Unreadable expiry", "unreadable_expiry"),
];

/// The dashboards exporter, inventory and tokens.
fn all_three() -> [Dashboard; 3] {
    dashboards().try_into().unwrap_or_else(|_| panic!("expected three dashboards"))
}

/// An expected number of one source, or the sum of all sources.
fn expect(expected: &Value, source: Option<&str>, path: &str) -> f64 {
    let sources = expected["sources"].as_object().unwrap();
    let selected = sources.iter().filter(|(name, _)| source.is_none_or(|source| source == *name));
    selected.map(|(_, of)| of.pointer(path).and_then(Value::as_f64).unwrap_or_default()).sum()
}

/// A time at which each Prometheus has a result for its query. Queries at this time stay the same, even if later scrapes are
/// slow on a busy machine.
async fn settled_at(conditions: &[(&Server, String)]) -> f64 {
    let check = || async {
        // A scrape takes at most a second, so none that started before this time is still running.
        let at = seconds() - 2.0;
        for (prometheus, condition) in conditions {
            if query_at(prometheus, condition, Some(at)).await.is_empty() {
                return None;
            }
        }
        Some(at)
    };
    wait_for("a time at which all series are complete", check).await
}

/// A time at which Prometheus has the final state of the demo: the token that expires right after the start has expired.
async fn demo_settled_at(prometheus: &Server, expected: &Value) -> f64 {
    let expired = expect(expected, None, "/bands/expired");
    let labels = "without (instance, pod, prometheus_replica)";
    let due = format!("sum(max {labels} (token_source_due_tokens{{band=\"expired\"}})) == {expired}");
    let all = format!("count(max {labels} (token_info)) == {}", expected["tokens"]);
    settled_at(&[(prometheus, due), (prometheus, all)]).await
}

async fn start(dir: &Path) -> (Demo, Server, Value, f64) {
    let demo = Demo::start(dir, &["--interval=1"]).await;
    let prometheus = prometheus(dir, &[Target(&demo.exporter, BTreeMap::new())]).await;
    let expected = demo.expected().await;
    let at = demo_settled_at(&prometheus, &expected).await;
    (demo, prometheus, expected, at)
}

fn seconds() -> f64 {
    chrono::Utc::now().timestamp() as f64
}

#[tokio::test]
async fn tokens_dashboard_shows_expected_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let (demo, prometheus, expected, at) = start(dir.path()).await;
    let [_, _, dashboard] = all_three();
    for source in [None, Some("atlassian"), Some("vault"), Some("by-hand")] {
        let selected: Vec<_> = source.map(|source| ("source", source)).into_iter().chain([("rows", "250")]).collect();
        let view = View { dashboard: &dashboard, prometheus: &prometheus, selected: &selected, at: Some(at) };
        for (title, band) in BANDS {
            let path = format!("/bands/{band}");
            assert_eq!(view.number(title).await, Some(expect(&expected, source, &path)), "{title} of {source:?}");
        }
        assert_eq!(view.number("Tokens").await, Some(expect(&expected, source, "/tokens")), "{source:?}");
        let due: f64 = BANDS.iter().map(|(_, band)| expect(&expected, source, &format!("/bands/{band}"))).sum();
        assert_eq!(view.sum("Due tokens by owner", "A").await, due, "{source:?}");
        assert_eq!(view.sum("Due tokens by team", "A").await, due, "{source:?}");
        check_next_to_expire(&view, &expected, source).await;
        check_locations(&view, &metrics(&demo.exporter).await, source).await;
        check_weeks(&view).await;
        let expired = view.rows("Expired and not replaced", "A").await;
        assert_eq!(expired.len() as f64, expect(&expected, source, "/bands/expired"), "{source:?}");
        assert!(expired.iter().all(|token| token.value < 1000.0 * seconds()), "{expired:?}");
        let states = view.rows("Expired and not replaced", "D").await;
        assert!(states.len() == expired.len() && states.iter().all(|token| token.label("state") == "expired"));
    }
    let all = View { dashboard: &dashboard, prometheus: &prometheus, selected: &[], at: Some(at) };
    assert_eq!(all.number("Incomplete sources").await, Some(1.0));
    let few = View { dashboard: &dashboard, prometheus: &prometheus, selected: &[("rows", "25")], at: Some(at) };
    assert_eq!(few.rows("Next to expire", "A").await.len(), 25, "the query is limited to the rows shown");
    for state in ["replaced", "disabled"] {
        let view = View { dashboard: &dashboard, prometheus: &prometheus, selected: &[("state", state)], at: Some(at) };
        let rows = view.rows("Next to expire", "A").await;
        assert_eq!(rows.len() as f64, expect(&expected, None, &format!("/states/{state}")), "{state}");
        assert!(rows.iter().all(|token| token.label("band").is_empty()), "{state} tokens are in no band");
        let states = view.rows("Next to expire", "D").await;
        assert!(states.len() == rows.len() && states.iter().all(|token| token.label("state") == state), "{state}");
    }
    check_filters(&all, &metrics(&demo.exporter).await).await;
}

/// Checks that each location of each due token has a row, with the token's expiry.
async fn check_locations(view: &View<'_>, exposition: &str, source: Option<&str>) {
    let rows = view.rows("Where due tokens are used", "A").await;
    let due = samples(exposition, "token_due_timestamp_seconds");
    let is_shown = |place: &&Sample| source.is_none_or(|source| place.label("source") == source);
    let mut expected = Vec::new();
    for place in samples(exposition, "token_location_info").iter().filter(is_shown) {
        let same = |name: &str, token: &Sample| token.label(name) == place.label(name);
        let token = due.iter().find(|token| same("source", token) && same("token_id", token));
        expected.extend(token.map(|token| {
            (token.label("token_name").to_owned(), place.label("location").to_owned(), 1000.0 * token.value)
        }));
    }
    assert!(!expected.is_empty() || ["atlassian", "vault"].contains(&source.unwrap_or_default()), "{source:?}");
    let mut shown: Vec<_> = rows
        .iter()
        .map(|row| (row.label("token_name").to_owned(), row.label("location").to_owned(), row.value))
        .collect();
    expected.sort_by(|one, other| one.partial_cmp(other).unwrap());
    shown.sort_by(|one, other| one.partial_cmp(other).unwrap());
    assert_eq!(shown, expected, "{source:?}");
}

/// Checks the table Next to expire, and the stat on the same tokens.
async fn check_next_to_expire(view: &View<'_>, expected: &Value, source: Option<&str>) {
    let now = view.at.unwrap_or_else(seconds);
    let next = view.rows("Next to expire", "A").await;
    assert!(next.iter().all(|token| token.value >= 1000.0 * now), "a past expiry");
    assert!(next.windows(2).all(|pair| pair[0].value <= pair[1].value), "not sorted by expiry");
    for (_, band) in &BANDS[1..] {
        let rows = next.iter().filter(|token| token.label("band") == *band);
        assert_eq!(rows.count() as f64, expect(expected, source, &format!("/bands/{band}")), "{band} of {source:?}");
    }
    let with_page = next.iter().filter(|token| token.label("token_manage_url").starts_with("https://"));
    assert_eq!(with_page.count() > 0, source != Some("vault"), "renewal links of {source:?}");
    assert!(
        next.iter().all(|token| !token.label("band").is_empty() || token.value > 1000.0 * (now + 86_400.0)),
        "a short-lived token"
    );
    let soonest = view.number("Next expiry").await.unwrap();
    assert!((next[0].value / 1000.0 - now - soonest).abs() < 5.0, "{soonest}");
    assert_eq!(view.rows("Next to expire", "B").await.len(), next.len());
    let states = view.rows("Next to expire", "D").await;
    assert!(states.len() == next.len() && states.iter().all(|token| token.label("state") == "active"), "{states:?}");
}

/// Checks that every token of the table Next to expire is counted in its calendar week.
async fn check_weeks(view: &View<'_>) {
    let weeks = view.rows("Expiries per week", "A").await;
    let monday =
        |at: f64| (DateTime::from_timestamp(at as i64, 0).unwrap().date_naive().week(Weekday::Mon)).first_day();
    let week = |sample: &Sample| DateTime::from_timestamp_millis(sample.label("week").parse().unwrap()).unwrap();
    let begin = monday(view.at.unwrap_or_else(seconds));
    for sample in &weeks {
        assert_eq!(week(sample).time(), NaiveTime::MIN, "{sample:?}");
        assert_eq!(week(sample).weekday(), Weekday::Mon, "{sample:?}");
    }
    // The first and the last week are present even without tokens.
    let days: Vec<_> = weeks.iter().map(|sample| week(sample).date_naive()).collect();
    assert_eq!(days.iter().min(), Some(&begin));
    assert_eq!(days.iter().max(), Some(&(begin + TimeDelta::weeks(26))));

    let next = view.rows("Next to expire", "A").await;
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

/// Checks each value of each variable, selected alone, against the exposition.
async fn check_filters(all: &View<'_>, exposition: &str) {
    let View { dashboard, prometheus, .. } = *all;
    for (variable, label) in
        [("provider", "provider"), ("source", "source"), ("team", "team"), ("owner", "token_owner")]
    {
        let values = variable_values(prometheus, dashboard, variable, &[]).await;
        assert!(values.len() >= 3, "{variable}: {values:?}");
        for value in values {
            let view = View { selected: &[(variable, value.as_str())], ..*all };
            let of =
                |metric: &str| samples(exposition, metric).into_iter().filter(|sample| sample.label(label) == value);
            if ["provider", "source"].contains(&variable) {
                assert_eq!(view.number("Tokens").await, Some(of("token_info").count() as f64), "{variable} {value}");
            }
            let critical = of("token_due_timestamp_seconds").filter(|sample| sample.label("band") == "critical");
            assert_eq!(view.number("Critical").await, Some(critical.count() as f64), "{variable} {value}");
        }
    }
    for variable in ["job", "instance"] {
        assert_eq!(variable_values(prometheus, dashboard, variable, &[]).await.len(), 1, "{variable}");
    }
}

/// With `metrics: {tokens: due}` the dashboard of tokens shows the same due tokens, and all alerts on tokens fire.
#[tokio::test]
async fn tokens_dashboard_and_alerts_need_only_due_tokens() {
    let dir = tempfile::tempdir().unwrap();
    let (demo, _, expected, _) = start(dir.path()).await;
    // Both start after a token has expired and left the list, so neither collects it.
    let complete = demo.replica(dir.path()).await;
    let config = format!("{}\nmetrics: {{tokens: due}}\n", demo.config());
    let reduced = exporter(dir.path(), &config, &["--log.level=error"]).await;
    let all = BTreeMap::from([("cluster", "all")]);
    let due = BTreeMap::from([("cluster", "due")]);
    let prometheus = prometheus(dir.path(), &[Target(&complete, all), Target(&reduced, due)]).await;
    let of_band =
        |band: &str| expect(&expected, None, &format!("/bands/{band}")) - f64::from(u8::from(band == "expired"));
    let due: f64 = BANDS.iter().map(|(_, band)| of_band(band)).sum();
    let number = expect(&expected, None, "/tokens") - 1.0;
    let both = |sum: &str, number: f64| (&prometheus, format!("count(sum by (cluster) ({sum}) == {number}) == 2"));
    let conditions = [
        both("token_source_due_tokens{band=\"expired\"}", of_band("expired")),
        both("token_source_due_tokens", due),
        both("token_source_tokens", number),
    ];
    let at = settled_at(&conditions).await;

    let exposition = metrics(&reduced).await;
    for family in ["token_due_timestamp_seconds", "token_expiry_timestamp_seconds", "token_info"] {
        assert_eq!(samples(&exposition, family).len() as f64, due, "{family}");
    }
    assert!(samples(&exposition, "token_finding").is_empty());

    let [_, _, dashboard] = all_three();
    let (of_all, of_reduced) = (target(&complete), target(&reduced));
    let selected = [[("instance", of_all)], [("instance", of_reduced)]];
    let views = selected.each_ref().map(|selected| View {
        dashboard: &dashboard,
        prometheus: &prometheus,
        selected,
        at: Some(at),
    });
    for (title, band) in BANDS {
        assert_eq!(views[1].number(title).await, Some(of_band(band)), "{title}");
    }
    assert_eq!(views[1].number("Tokens").await, Some(number));
    let clusters = variable_values(&prometheus, &dashboard, "cluster", &[]).await;
    assert_eq!(clusters.into_iter().collect::<Vec<_>>(), ["all", "due"]);
    let of_cluster = View { selected: &[("cluster", "due")], ..views[1] };
    assert_eq!(of_cluster.number("Tokens").await, views[1].number("Tokens").await);
    assert!(views[1].number("Next expiry").await.is_some());
    for (panel, reference) in [
        ("Due tokens by owner", "A"),
        ("Due tokens by team", "A"),
        ("Expired and not replaced", "A"),
        ("Expired and not replaced", "C"),
        ("Expired and not replaced", "D"),
    ] {
        let mut rows = Vec::new();
        for view in &views {
            let mut found: Vec<_> = view.rows(panel, reference).await;
            found.iter_mut().for_each(|row| drop(row.labels.remove("cluster")));
            let mut found: Vec<_> = found.into_iter().map(|row| (row.labels, row.value.to_string())).collect();
            found.sort();
            rows.push(found);
        }
        assert!(!rows[0].is_empty(), "{panel} {reference}");
        assert_eq!(rows[1], rows[0], "{panel} {reference}");
    }
    for (alert, expression) in token_alerts() {
        let found = query_at(&prometheus, &expression, Some(at)).await;
        let of = |cluster: &str| {
            found.iter().filter(|sample| sample.label("cluster") == cluster).map(|sample| sample.value).sum::<f64>()
        };
        assert!(of("all") > 0.0 && (of("due") - of("all")).abs() < 0.001, "{alert}: {found:?}");
    }
}

#[tokio::test]
async fn inventory_dashboard_shows_expected_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let (demo, prometheus, expected, at) = start(dir.path()).await;
    let [_, dashboard, _] = all_three();
    for source in [None, Some("atlassian"), Some("vault")] {
        let selected: Vec<_> = source.map(|source| ("source", source)).into_iter().collect();
        let view = View { dashboard: &dashboard, prometheus: &prometheus, selected: &selected, at: Some(at) };
        assert_eq!(view.number("Tokens").await, Some(expect(&expected, source, "/tokens")));
        let mut all = 0.0;
        for (title, finding) in FINDINGS {
            let count = expect(&expected, source, &format!("/findings/{finding}"));
            assert_eq!(view.number(title).await, Some(count), "{title} of {source:?}");
            let selected: Vec<_> = selected.iter().copied().chain([("finding", finding)]).collect();
            let one = View { dashboard: &dashboard, prometheus: &prometheus, selected: &selected, at: Some(at) };
            assert_eq!(one.rows("Tokens with findings", "A").await.len() as f64, count, "{finding}");
            all += count;
        }
        for panel in ["Findings by provider", "Findings by team", "Findings over time"] {
            assert_eq!(view.sum(panel, "A").await, all, "{panel} of {source:?}");
        }
        let samples_of = |metric: &str, exposition: &str| {
            let all = samples(exposition, metric).into_iter();
            all.filter(|sample| source.is_none_or(|source| sample.label("source") == source)).collect::<Vec<_>>()
        };
        let exposition = metrics(&demo.exporter).await;
        let expiries = samples_of("token_expiry_timestamp_seconds", &exposition);
        let future = expiries.iter().filter(|token| token.value > seconds()).count() as f64;
        assert_eq!(view.sum("Time left", "A").await, future, "{source:?}");
        let created = samples_of("token_created_timestamp_seconds", &exposition).len() as f64;
        assert_eq!(view.sum("Age", "A").await, created, "{source:?}");
        assert_eq!(view.sum("Lifetime", "A").await, expiries.len() as f64, "{source:?}");
        assert_eq!(view.sum("Tokens by provider over time", "A").await, expect(&expected, source, "/tokens"));
    }
    let view = View { dashboard: &dashboard, prometheus: &prometheus, selected: &[], at: Some(at) };
    let rows = view.rows("Tokens with findings", "A").await;
    assert_eq!(view.rows("Tokens with findings", "B").await.len(), rows.len(), "each has a creation time");
    let with_expiry = rows.iter().filter(|row| !["never_expires", "unreadable_expiry"].contains(&row.label("finding")));
    assert_eq!(view.rows("Tokens with findings", "D").await.len(), with_expiry.count());
}

#[tokio::test]
async fn exporter_dashboard_shows_expected_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let (demo, prometheus, expected, _) = start(dir.path()).await;
    // A rate needs two samples.
    wait(&prometheus, "count by (source) (rate(token_source_requests_total[1h]))", 3).await;
    let [dashboard, _, _] = all_three();
    let view = View { dashboard: &dashboard, prometheus: &prometheus, selected: &[], at: None };
    let numbers = [
        ("Exporters down", 0.0),
        ("Configured sources", 4.0),
        ("Incomplete sources", 1.0),
        ("Failed scopes", 1.0),
        ("Dropped tokens", 0.0),
    ];
    for (title, number) in numbers {
        assert_eq!(view.number(title).await, Some(number), "{title}");
    }
    assert!(view.number("Oldest data").await.is_some_and(|age| age < 60.0));
    for source in expected["sources"].as_object().unwrap().keys() {
        let of = async |reference: &str| {
            let rows = view.rows("Sources", reference).await;
            rows.iter().find(|row| row.label("source") == source).map(|row| row.value)
        };
        let up = expected["sources"][source]["up"].as_bool().unwrap();
        assert_eq!(of("A").await, Some(f64::from(u8::from(up))), "{source}");
        assert_eq!(of("B").await.is_some(), up, "{source} has an age only if it was complete");
        assert_eq!(of("C").await.is_some(), up, "{source}");
        assert_eq!(of("D").await, Some(1.0), "the interval of {source}");
        assert_eq!(of("F").await, Some(expect(&expected, Some(source), "/tokens")), "tokens of {source}");
        let due: f64 = BANDS.iter().map(|(_, band)| expect(&expected, Some(source), &format!("/bands/{band}"))).sum();
        assert_eq!(of("G").await, Some(due), "due tokens of {source}");
        assert_eq!(of("H").await, Some(f64::from(u8::from(!up))), "failed scopes of {source}");
        assert_eq!(of("J").await.is_some(), source != "by-hand", "requests of {source}");
    }
    let failed = view.rows("Failed scopes over time", "A").await;
    assert_eq!(failed.len(), 1, "{failed:?}");
    check_filtered_and_adjusted(&view, &expected).await;
    let process = view.rows("Exporters", "A").await;
    assert_eq!((process.len(), process[0].label("version")), (1, env!("CARGO_PKG_VERSION")));
    for panel in ["Memory", "CPU"] {
        assert_eq!(view.rows(panel, "A").await.len(), 1, "{panel}: the exporter alone, without Prometheus");
    }

    // A provider stops: known tokens stay, and its source becomes incomplete.
    demo.post("/providers/vault/stop").await;
    wait(&prometheus, r#"token_source_up{source="vault"} == 0"#, 1).await;
    assert_eq!(view.number("Incomplete sources").await, Some(2.0));
    let vault = View { dashboard: &dashboard, prometheus: &prometheus, selected: &[("source", "vault")], at: None };
    assert!(vault.number("Failed scopes").await.is_some_and(|failed| failed > 0.0));
    assert!(!vault.rows("Failed scopes over time", "A").await.is_empty());
    let [_, _, tokens] = all_three();
    let tokens = View { dashboard: &tokens, prometheus: &prometheus, selected: &[], at: None };
    assert_eq!(tokens.number("Tokens").await, expected["tokens"].as_f64());
    assert_eq!(tokens.number("Incomplete sources").await, Some(2.0));

    // The exporter stops too.
    drop(demo);
    wait(&prometheus, "up{job=\"token-expiry-exporter\"} == 0", 1).await;
    assert_eq!(view.number("Exporters down").await, Some(1.0));
    assert_eq!(view.number("Configured sources").await, None, "no data");
}

/// Checks tokens excluded by rules, adjusted values, and the remaining rate limits.
async fn check_filtered_and_adjusted(view: &View<'_>, expected: &Value) {
    let panel = "Filtered, dropped and adjusted";
    let filtered = view.rows(panel, "A").await;
    assert_eq!((filtered.len(), filtered[0].label("source")), (1, "vault"));
    assert_eq!(filtered[0].value, expect(expected, None, "/filtered"));
    assert_eq!(view.rows(panel, "B").await, []);
    let adjusted = view.rows(panel, "C").await;
    assert_eq!((adjusted.len(), adjusted[0].label("adjustment")), (1, "cleaned_value"));
    assert_eq!(adjusted[0].value, expect(expected, None, "/adjustments/cleaned_value"));

    for panel in [("Rate limit remaining", "A"), ("Sources", "K")] {
        let left = view.rows(panel.0, panel.1).await;
        let sources: Vec<&str> = left.iter().map(|limit| limit.label("source")).collect();
        assert!(sources.len() == 2 && sources.iter().all(|source| source.starts_with("atlassian")), "{left:?}");
        // The demo never uses up the window.
        assert!(left.iter().all(|limit| (0.4..=1.0).contains(&limit.value)), "{left:?}");
    }
}

#[tokio::test]
async fn exporter_dashboard_shows_dropped_tokens() {
    let dir = tempfile::tempdir().unwrap();
    let token = |id: u32| format!("      - {{id: t{id}, name: n{id}, expires: 2090-01-0{id}}}\n");
    let tokens: String = (1..=5).map(token).collect();
    let config = format!(
        "interval: 1s\nsources:\n  - name: by-hand\n    provider: manual\n    token_limit: 2\n    tokens:\n{tokens}"
    );
    let small = exporter(dir.path(), &config, &[]).await;
    let prometheus = prometheus(dir.path(), &[Target(&small, BTreeMap::new())]).await;
    wait(&prometheus, "token_source_dropped_tokens > 0", 1).await;
    let [dashboard, _, tokens] = all_three();
    let view = View { dashboard: &dashboard, prometheus: &prometheus, selected: &[], at: None };
    assert_eq!(view.number("Dropped tokens").await, Some(3.0));
    assert_eq!(view.sum("Filtered, dropped and adjusted", "B").await, 3.0);
    assert_eq!(View { dashboard: &tokens, ..view }.number("Tokens").await, Some(2.0));
}

/// Panels whose values differ between replicas or scrapes.
const PANELS_PER_REPLICA: &[&str] = &[
    "CPU",
    "Collection duration",
    "Data age",
    "Exporters",
    "Failures",
    "Memory",
    "Oldest data",
    "Rate limit remaining",
    "Requests",
];
/// Columns of the table Sources likewise.
const COLUMNS_PER_REPLICA: &[&str] = &["B", "C", "E", "I", "J", "K", "L"];

/// Prometheus returns samples in no fixed order if a query does not sort.
fn sorted(mut rows: Vec<Sample>) -> Vec<Sample> {
    rows.sort_by(|a, b| a.labels.cmp(&b.labels));
    rows
}

#[tokio::test]
async fn panels_count_replicas_and_prometheus_servers_once() {
    let dir = tempfile::tempdir().unwrap();
    let (demo, _, expected, _) = start(dir.path()).await;
    // Both start after a token has expired and left the list, so neither collects it.
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
    let at = settled_at(&[(&alone, count(1)), (&four, count(4))]).await;
    for dashboard in dashboards() {
        for query in dashboard.queries() {
            let varies = query.panel == "Sources" && COLUMNS_PER_REPLICA.contains(&query.reference.as_str());
            if varies || PANELS_PER_REPLICA.contains(&query.panel.as_str()) {
                continue;
            }
            let text = dashboard.interpolate(&query.text, &[]);
            let one = sorted(query_at(&alone, &text, Some(at)).await);
            assert_eq!(
                sorted(query_at(&four, &text, Some(at)).await),
                one,
                "{}: {} {}",
                dashboard.name,
                query.panel,
                query.reference
            );
        }
    }
}

#[tokio::test]
async fn stats_show_zero_for_an_empty_inventory_and_no_data_without_exporter() {
    let dir = tempfile::tempdir().unwrap();
    let config = "interval: 1s\nsources:\n  - {name: by-hand, provider: manual, tokens: []}\n";
    let empty = exporter(dir.path(), config, &[]).await;
    let prometheus = prometheus(dir.path(), &[Target(&empty, BTreeMap::new())]).await;
    wait(&prometheus, "token_source_up == 1", 1).await;
    let zeros: &[(&str, &[&str])] = &[
        ("token-expiry-tokens", &["Expired", "Critical", "Warning", "Tokens", "Incomplete sources"]),
        (
            "token-expiry-inventory",
            &["Tokens", "Never expire", "Live too long", "Unused", "No owner", "Unreadable expiry"],
        ),
        ("token-expiry-exporter", &["Exporters down", "Incomplete sources", "Failed scopes", "Dropped tokens"]),
    ];
    for dashboard in dashboards() {
        let titles = zeros.iter().find(|(name, _)| *name == dashboard.name).unwrap().1;
        let without_exporter =
            View { dashboard: &dashboard, prometheus: &prometheus, selected: &[("instance", "nobody")], at: None };
        let view = View { dashboard: &dashboard, prometheus: &prometheus, selected: &[], at: None };
        for query in dashboard.queries() {
            let rows = view.rows(&query.panel, &query.reference).await;
            if titles.contains(&query.panel.as_str()) && query.reference == "A" {
                assert_eq!(rows.first().map(|row| row.value), Some(0.0), "{}", query.panel);
            }
            let rows = without_exporter.rows(&query.panel, &query.reference).await;
            assert_eq!(rows, [], "{}: {} without an exporter", dashboard.name, query.panel);
        }
        for variable in dashboard.variables().iter().filter(|variable| variable["type"] == "query") {
            let name = variable["name"].as_str().unwrap();
            let values = variable_values(&prometheus, &dashboard, name, &[]).await;
            assert_eq!(
                values.is_empty(),
                ["cluster", "namespace", "team", "owner"].contains(&name),
                "{name}: {values:?}"
            );
        }
    }
}
