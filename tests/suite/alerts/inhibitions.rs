//! Inhibition: sends `alerts/tests/routes/inhibitions.yaml` to a real Alertmanager.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{file, yaml};
use crate::test_servers::{Server, client, free_port, tool, wait_for};

#[derive(Deserialize)]
struct Case {
    case: String,
    all: BTreeMap<String, String>,
    alerts: Vec<Alert>,
}

#[derive(Deserialize)]
struct Alert {
    #[serde(default)]
    inhibited: bool,
    #[serde(flatten)]
    labels: BTreeMap<String, String>,
}

impl Case {
    /// The labels of each alert, and whether it must be inhibited.
    fn alerts(&self) -> impl Iterator<Item = (BTreeMap<String, String>, bool)> {
        self.alerts.iter().map(|alert| {
            let labels = self.all.clone().into_iter().chain(alert.labels.clone());
            (labels.collect(), alert.inhibited)
        })
    }
}

/// Starts Alertmanager with the unchanged example. Nothing listens at its receivers.
async fn alertmanager(dir: &Path) -> Server {
    let port = free_port();
    let mut command = Command::new(tool("alertmanager"));
    command.arg(format!("--config.file={}", file("alerts/alertmanager.yaml").display()));
    command.arg(format!("--storage.path={}", dir.join("alertmanager").display()));
    command.arg(format!("--web.listen-address=127.0.0.1:{port}")).arg("--cluster.listen-address=");
    Server::start("alertmanager", command, dir, port, "/-/ready").await
}

/// All alerts in Alertmanager, and whether each is inhibited.
async fn inhibited_alerts(alertmanager: &Server) -> BTreeMap<BTreeMap<String, String>, bool> {
    let reply = client().get(format!("{}/api/v2/alerts", alertmanager.url)).send().await.unwrap();
    let alerts: Vec<Value> = serde_json::from_str(&reply.text().await.unwrap()).unwrap();
    let entry = |alert: &Value| {
        let labels = serde_json::from_value(alert["labels"].clone()).unwrap();
        (labels, !alert["status"]["inhibitedBy"].as_array().unwrap().is_empty())
    };
    alerts.iter().map(entry).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_are_inhibited_exactly_as_listed() {
    let dir = tempfile::tempdir().unwrap();
    let alertmanager = alertmanager(dir.path()).await;
    let cases: Vec<Case> = yaml("alerts/tests/routes/inhibitions.yaml");
    let expected: BTreeMap<_, _> = cases.iter().flat_map(Case::alerts).collect();
    let sent: Vec<_> = expected.keys().map(|labels| json!({"labels": labels})).collect();
    let sending = client().post(format!("{}/api/v2/alerts", alertmanager.url));
    let reply = sending.header("content-type", "application/json").body(json!(sent).to_string()).send().await.unwrap();
    assert!(reply.status().is_success(), "{}", reply.text().await.unwrap());
    wait_for("all alerts to arrive", || async {
        (inhibited_alerts(&alertmanager).await.len() == expected.len()).then_some(())
    })
    .await;
    let actual = inhibited_alerts(&alertmanager).await;
    for case in &cases {
        for (labels, inhibited) in case.alerts() {
            assert_eq!(actual.get(&labels), Some(&inhibited), "{}: {labels:?}", case.case);
        }
    }
}
