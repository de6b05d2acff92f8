//! The demo, a Prometheus that scrapes it with the labels that an installation adds, and queries as panels send them.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::dashboard::Dashboard;
use crate::test_servers::{self, Sample, Server, client, free_port, query, query_at, wait_for};

/// The simulated organisation and the exporter that collects it.
pub struct Demo {
    pub exporter: Server,
    control: String,
}

impl Demo {
    pub async fn start(dir: &Path, arguments: &[&str]) -> Self {
        let (port, control) = (free_port(), free_port());
        let mut command = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter"));
        command
            .args(["demo", "--log.level=error"])
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg(format!("--control.listen-address=127.0.0.1:{control}"))
            .args(arguments);
        let exporter = Server::start("demo", command, dir, port, "/-/ready").await;
        Self { exporter, control: format!("http://127.0.0.1:{control}") }
    }

    /// The expected metric values.
    pub async fn expected(&self) -> Value {
        let reply = client().get(format!("{}/expected", self.control)).send().await.unwrap();
        serde_json::from_str(&reply.text().await.unwrap()).unwrap()
    }

    /// Sends a control request, such as `/providers/vault/stop`.
    pub async fn post(&self, path: &str) {
        let reply = client().post(format!("{}{path}", self.control)).send().await.unwrap();
        assert!(reply.status().is_success(), "{path}: {}", reply.status());
    }

    /// Starts another exporter with the same configuration.
    pub async fn replica(&self, dir: &Path) -> Server {
        test_servers::exporter(dir, &self.config(), &["--log.level=error"]).await
    }

    /// Its configuration.
    pub fn config(&self) -> String {
        let log = self.exporter.log();
        let file = log.split_whitespace().find(|word| word.ends_with(".yaml;")).unwrap().trim_end_matches(';');
        std::fs::read_to_string(file).unwrap()
    }
}

/// An exporter to scrape, and its target labels.
pub struct Target<'a>(pub &'a Server, pub BTreeMap<&'a str, &'a str>);

/// Starts a Prometheus that scrapes these targets every second.
pub async fn prometheus(dir: &Path, targets: &[Target<'_>]) -> Server {
    let targets = targets
        .iter()
        .map(|Target(server, labels)| json!({"targets": [test_servers::target(server)], "labels": labels}))
        .collect::<Vec<_>>();
    let scrape = json!({"job_name": "token-expiry-exporter", "static_configs": targets});
    test_servers::prometheus(dir, json!({"scrape_configs": [scrape]})).await
}

/// Waits until a query returns this number of samples.
pub async fn wait(prometheus: &Server, expression: &str, samples: usize) {
    let check = || async { (query(prometheus, expression).await.len() == samples).then_some(()) };
    wait_for(&format!("{samples} samples of {expression}"), check).await;
}

/// A dashboard with selected variable values, on the data of one Prometheus.
pub struct View<'a> {
    pub dashboard: &'a Dashboard,
    pub prometheus: &'a Server,
    pub selected: &'a [(&'a str, &'a str)],
    /// Unix time of the queries; `None` means now.
    pub at: Option<f64>,
}

impl View<'_> {
    /// The samples of a panel's query.
    pub async fn rows(&self, panel: &str, reference: &str) -> Vec<Sample> {
        let text = self.dashboard.interpolate(&self.dashboard.query(panel, reference), self.selected);
        query_at(self.prometheus, &text, self.at).await
    }

    /// The value of a panel with a single number; `None` if it has no data.
    pub async fn number(&self, panel: &str) -> Option<f64> {
        let rows = self.rows(panel, "A").await;
        assert!(rows.len() <= 1, "{panel}: {rows:?}");
        rows.first().map(|sample| sample.value)
    }

    /// The sum of all values of a panel's query.
    pub async fn sum(&self, panel: &str, reference: &str) -> f64 {
        self.rows(panel, reference).await.iter().map(|sample| sample.value).sum()
    }
}

/// The values that a variable offers for selection.
pub async fn variable_values(
    prometheus: &Server,
    dashboard: &Dashboard,
    variable: &str,
    selected: &[(&str, &str)],
) -> Vec<String> {
    let query = dashboard.variable(variable).unwrap()["query"].as_str().unwrap();
    let inside = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')')).unwrap();
    let (selector, label) = inside.rsplit_once(", ").unwrap();
    let selector = dashboard.interpolate(selector, selected);
    let url = format!("{}/api/v1/label/{label}/values", prometheus.url);
    let url = url::Url::parse_with_params(&url, [("match[]", selector.as_str())]).unwrap();
    let reply: Value = serde_json::from_str(&client().get(url).send().await.unwrap().text().await.unwrap()).unwrap();
    assert_eq!(reply["status"], "success", "{query}: {reply}");
    serde_json::from_value(reply["data"].clone()).unwrap()
}
