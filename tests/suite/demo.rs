//! The demo as Prometheus sees it: the whole program over real HTTP.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use token_expiry_exporter::demo::{Demo, Expected, Options};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::test_servers::LIMIT;

/// A running demo, stopped at the end of the test.
struct RunningDemo {
    exporter: SocketAddr,
    control: SocketAddr,
    config_file: std::path::PathBuf,
    expected: Expected,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<()>,
}

impl RunningDemo {
    async fn start(options: Options) -> Self {
        let prepared = Demo::prepare(options).await.unwrap();
        let (exporter, control, expected) = (prepared.exporter, prepared.control, prepared.expected());
        let config_file = prepared.config_file();
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(async move {
            let result = prepared.run(Arc::default(), async { drop(stopped.await) }).await;
            result.unwrap_or_else(|error| panic!("{error}"));
        });
        Self { exporter, control, config_file, expected, stop: Some(stop), running }
    }

    async fn metrics(&self) -> String {
        request(self.exporter, "GET", "/metrics").await.1
    }

    /// Reads a value from the metrics until it is `expected` or the limit is over; returns the last one.
    async fn wait_for<T: PartialEq>(&self, expected: T, read: impl Fn(&str) -> T) -> T {
        let deadline = Instant::now() + LIMIT;
        loop {
            let value = read(&self.metrics().await);
            if value == expected || Instant::now() > deadline {
                return value;
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    async fn stop(mut self) {
        drop(self.stop.take());
        (&mut self.running).await.unwrap();
    }
}

/// Sends a request over HTTP/1.0 and returns the status and the body.
async fn request(address: SocketAddr, method: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{method} {path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{method} {path}: {response}"));
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

type Labels = BTreeMap<String, String>;

/// The samples of a family: labels and value.
fn samples(text: &str, family: &str) -> Vec<(Labels, f64)> {
    let of_family = |line: &&str| line.strip_prefix(family).is_some_and(|rest| rest.starts_with(['{', ' ']));
    text.lines().filter(of_family).map(sample).collect()
}

fn sample(line: &str) -> (Labels, f64) {
    let (series, value) = line.rsplit_once(' ').unwrap();
    let mut labels = Labels::new();
    let mut rest = series.split_once('{').map_or("", |(_, rest)| rest).trim_end_matches('}');
    while let Some((name, quoted)) = rest.split_once("=\"") {
        let mut value = String::new();
        let mut end = quoted.len();
        let mut chars = quoted.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => value.push(chars.next().unwrap().1),
                '"' => {
                    end = at + 1;
                    break;
                }
                c => value.push(c),
            }
        }
        labels.insert(name.trim_start_matches(',').to_owned(), value);
        rest = &quoted[end..];
    }
    (labels, value.parse().unwrap())
}

/// Series of a family by one label, for each source.
fn counts(text: &str, family: &str, label: &str) -> BTreeMap<String, BTreeMap<String, u64>> {
    let mut counts: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for (labels, _) in samples(text, family) {
        *counts.entry(labels["source"].clone()).or_default().entry(labels[label].clone()).or_default() += 1;
    }
    counts
}

/// The numbers that `/metrics` shows for each source, in the form of [`expected`].
fn shown(text: &str, sources: impl Iterator<Item = String>) -> Value {
    let (states, expiries) = (counts(text, "token_info", "state"), counts(text, "token_info", "expiry"));
    let kinds = counts(text, "token_info", "token_kind");
    let bands = counts(text, "token_due_timestamp_seconds", "band");
    let findings = counts(text, "token_finding", "finding");
    let of_source = |family: &str, source: &str| {
        samples(text, family).into_iter().filter(|(labels, _)| labels["source"] == source).collect::<Vec<_>>()
    };
    let of = |counts: &BTreeMap<String, BTreeMap<String, u64>>, source: &str| {
        counts.get(source).cloned().unwrap_or_default()
    };
    let shown = sources.map(|source| {
        let up = samples(text, "token_source_up").into_iter().find(|(labels, _)| labels["source"] == source);
        let gaps: BTreeMap<String, String> = samples(text, "token_source_gaps")
            .into_iter()
            .filter(|(labels, count)| labels["source"] == source && *count > 0.0)
            .map(|(labels, _)| (labels["listing"].clone(), labels["reason"].clone()))
            .collect();
        let value = json!({
            "up": up.is_some_and(|(_, up)| up == 1.0),
            "tokens": of(&states, &source).values().sum::<u64>(),
            "states": of(&states, &source),
            "expiries": of(&expiries, &source),
            "kinds": of(&kinds, &source),
            "bands": of(&bands, &source),
            "findings": of(&findings, &source),
            "gaps": gaps,
            "filtered": of_source("token_source_filtered_tokens", &source).iter().map(|(_, count)| *count as u64).sum::<u64>(),
            "adjustments": of_source("token_source_adjustments", &source)
                .into_iter()
                .filter(|(_, count)| *count > 0.0)
                .map(|(labels, count)| (labels["adjustment"].clone(), count as u64))
                .collect::<BTreeMap<_, _>>(),
        });
        (source, value)
    });
    Value::Object(shown.collect())
}

/// The expected numbers, without those that `/metrics` does not show exactly.
fn expected(expected: &Expected) -> Value {
    let mut sources = serde_json::to_value(&expected.sources).unwrap();
    for (_, source) in sources.as_object_mut().unwrap() {
        source.as_object_mut().unwrap().remove("malformed_rows");
    }
    sources
}

fn fast() -> Options {
    Options { interval: Duration::from_secs(1), ..Options::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_show_the_expected_numbers_of_every_scenario() {
    let demo = RunningDemo::start(fast()).await;
    let names = || demo.expected.sources.keys().map(|name| (*name).to_owned());
    let shown = demo.wait_for(expected(&demo.expected), |text| shown(text, names())).await;
    assert_eq!(shown, expected(&demo.expected));

    let text = demo.metrics().await;
    let malformed = samples(&text, "token_source_failures_total")
        .into_iter()
        .find(|(labels, _)| labels["source"] == "atlassian" && labels["reason"] == "mapping");
    assert!(malformed.is_some_and(|(_, count)| count >= 1.0), "the malformed row is counted");
    let own = samples(&text, "token_source_credential_due_timestamp_seconds");
    let band =
        own.iter().find(|(labels, _)| labels["source"] == "atlassian").map(|(labels, _)| labels["band"].as_str());
    assert_eq!(band, Some("warning"), "the exporter's own key expires in a few weeks");
    let due = samples(&text, "token_due_timestamp_seconds");
    let atlassian = due.iter().find(|(labels, _)| labels["source"] == "atlassian").unwrap();
    assert!(atlassian.0["token_owner_email"].ends_with("@example.com"), "{atlassian:?}");
    assert!(!atlassian.0["team"].is_empty(), "the rules apply: {atlassian:?}");
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn demo_serves_within_a_second_and_becomes_ready() {
    let before = Instant::now();
    let demo = RunningDemo::start(fast()).await;
    while TcpStream::connect(demo.exporter).await.is_err() {
        sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(request(demo.exporter, "GET", "/-/healthy").await.0, 200);
    // A second is promised of a release build; this one is slower.
    assert!(before.elapsed() < Duration::from_secs(5), "{:?}", before.elapsed());
    while request(demo.exporter, "GET", "/-/ready").await.0 != 200 {
        assert!(before.elapsed() < LIMIT);
        sleep(Duration::from_millis(50)).await;
    }
    let up: Vec<f64> = samples(&demo.metrics().await, "token_source_up").into_iter().map(|(_, up)| up).collect();
    assert_eq!(up.len(), 4, "ready means that each was attempted");
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rotated_token_is_no_longer_due() {
    let demo = RunningDemo::start(fast()).await;
    let (_, tokens) = request(demo.control, "GET", "/tokens").await;
    let tokens: Vec<Value> = serde_json::from_str(&tokens).unwrap();
    let critical = |token: &&Value| token["scenario"] == "critical" && token["listing"] == "api-tokens";
    let id = tokens.iter().find(critical).unwrap()["id"].as_str().unwrap().to_owned();
    let due = |text: &str| {
        let due = samples(text, "token_due_timestamp_seconds");
        due.iter().any(|(labels, _)| labels["token_id"] == id)
    };
    assert!(demo.wait_for(true, due).await, "due before the rotation");
    let (status, successor) = request(demo.control, "POST", &format!("/tokens/{id}/rotate")).await;
    assert_eq!(status, 200, "{successor}");
    assert!(!demo.wait_for(false, due).await, "not due after the rotation");
    let successor: Value = serde_json::from_str(&successor).unwrap();
    let known = |text: &str| {
        let known = samples(text, "token_info");
        known.iter().any(|(labels, _)| labels["token_id"] == successor["id"].as_str().unwrap())
    };
    assert!(demo.wait_for(true, known).await);
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_stay_while_their_provider_is_down() {
    let demo = RunningDemo::start(fast()).await;
    let of_vault = |text: &str| counts(text, "token_info", "state").remove("vault");
    let before = Some(BTreeMap::from([("active".to_owned(), demo.expected.sources["vault"].tokens)]));
    assert_eq!(demo.wait_for(before.clone(), of_vault).await, before);
    assert_eq!(request(demo.control, "POST", "/providers/vault/stop").await.0, 204);
    let up = |text: &str| {
        let up = samples(text, "token_source_up").into_iter().find(|(labels, _)| labels["source"] == "vault");
        up.map(|(_, up)| up)
    };
    assert_eq!(demo.wait_for(Some(0.0), up).await, Some(0.0));
    assert_eq!(of_vault(&demo.metrics().await), before, "known tokens stay");
    assert_eq!(request(demo.control, "POST", "/providers/vault/start").await.0, 204);
    assert_eq!(demo.wait_for(Some(1.0), up).await, Some(1.0), "and it recovers by itself");
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn configuration_change_is_reloaded_unless_invalid() {
    let demo = RunningDemo::start(fast()).await;
    let good = std::fs::read_to_string(&demo.config_file).unwrap();
    let successful = |text: &str| {
        samples(text, "token_expiry_exporter_config_last_reload_successful").first().map(|(_, value)| *value)
    };
    let sources = |text: &str| samples(text, "token_source_up").len();
    assert_eq!(demo.wait_for(4, sources).await, 4);

    std::fs::write(&demo.config_file, good.replace("approle_mounts", "aprole_mounts")).unwrap();
    assert_eq!(demo.wait_for(Some(0.0), successful).await, Some(0.0));
    assert_eq!(sources(&demo.metrics().await), 4, "the previous configuration stays active");
    let (status, why) = request(demo.exporter, "POST", "/-/reload").await;
    assert_eq!(status, 500);
    assert!(why.contains("aprole_mounts") && why.contains("did you mean"), "{why}");

    let (begin, end) = (good.find("  - name: vault").unwrap(), good.find("  - name: by-hand").unwrap());
    let mut without_vault = good.clone();
    without_vault.replace_range(begin..end, "");
    let rule = without_vault.find("  - match: {source: vault").unwrap();
    without_vault.truncate(rule);
    std::fs::write(&demo.config_file, without_vault).unwrap();
    assert_eq!(demo.wait_for(3, sources).await, 3);
    assert_eq!(successful(&demo.metrics().await), Some(1.0));
    demo.stop().await;
}
