//! A demo, and a Prometheus that scrapes it under the labels that an installation adds.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::board::Board;
use crate::equipment::{self, Sample, Server, client, free_port, query, query_at, wait_for};

/// The invented company, with the exporter that collects it.
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

    /// What must be seen.
    pub async fn expected(&self) -> Value {
        let reply = client().get(format!("{}/expected", self.control)).send().await.unwrap();
        serde_json::from_str(&reply.text().await.unwrap()).unwrap()
    }

    /// Makes something happen.
    pub async fn post(&self, path: &str) {
        let reply = client().post(format!("{}{path}", self.control)).send().await.unwrap();
        assert!(reply.status().is_success(), "{path}: {}", reply.status());
    }

    /// A replica: another exporter with the same configuration.
    pub async fn replica(&self, dir: &Path) -> Server {
        let log = self.exporter.log();
        let file = log.split_whitespace().find(|word| word.ends_with(".yaml;")).unwrap().trim_end_matches(';');
        equipment::exporter(dir, &std::fs::read_to_string(file).unwrap(), &["--log.level=error"]).await
    }
}

/// An exporter that is scraped, and the labels that come with it.
pub struct Target<'a>(pub &'a Server, pub BTreeMap<&'a str, &'a str>);

/// A Prometheus that scrapes these every second.
pub async fn prometheus(dir: &Path, targets: &[Target<'_>]) -> Server {
    let targets = targets
        .iter()
        .map(|Target(server, labels)| json!({"targets": [equipment::target(server)], "labels": labels}))
        .collect::<Vec<_>>();
    let scrape = json!({"job_name": "token-expiry-exporter", "static_configs": targets});
    equipment::prometheus(dir, json!({"scrape_configs": [scrape]})).await
}

/// Waits until Prometheus answers this query with so many samples.
pub async fn wait(prometheus: &Server, what: &str, samples: usize) {
    let asked = || async { (query(prometheus, what).await.len() == samples).then_some(()) };
    wait_for(&format!("{samples} samples of {what}"), Duration::from_secs(90), asked).await;
}

/// What a panel shows.
pub struct Shown<'a> {
    pub board: &'a Board,
    pub prometheus: &'a Server,
    pub chosen: &'a [(&'a str, &'a str)],
    /// The Unix time at which it is asked; none: now.
    pub at: Option<f64>,
}

impl Shown<'_> {
    /// The answer to the query of this panel.
    pub async fn rows(&self, panel: &str, reference: &str) -> Vec<Sample> {
        let text = self.board.filled(&self.board.query(panel, reference), self.chosen);
        query_at(self.prometheus, &text, self.at).await
    }

    /// The only number of a panel; none where its text for no data shows.
    pub async fn number(&self, panel: &str) -> Option<f64> {
        let rows = self.rows(panel, "A").await;
        assert!(rows.len() <= 1, "{panel}: {rows:?}");
        rows.first().map(|sample| sample.value)
    }

    /// The sum of a panel's numbers.
    pub async fn sum(&self, panel: &str, reference: &str) -> f64 {
        self.rows(panel, reference).await.iter().map(|sample| sample.value).sum()
    }
}

/// The values that a variable offers.
pub async fn offered(prometheus: &Server, board: &Board, variable: &str, chosen: &[(&str, &str)]) -> Vec<String> {
    let asked = board.variable(variable).unwrap()["query"].as_str().unwrap();
    let inside = asked.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')')).unwrap();
    let (selector, label) = inside.rsplit_once(", ").unwrap();
    let selector = board.filled(selector, chosen);
    let url = format!("{}/api/v1/label/{label}/values", prometheus.url);
    let url = url::Url::parse_with_params(&url, [("match[]", selector.as_str())]).unwrap();
    let reply: Value = serde_json::from_str(&client().get(url).send().await.unwrap().text().await.unwrap()).unwrap();
    assert_eq!(reply["status"], "success", "{asked}: {reply}");
    serde_json::from_value(reply["data"].clone()).unwrap()
}
