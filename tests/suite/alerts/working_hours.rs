//! Notifications that are not urgent wait for working hours; pages do not.

use std::time::Duration;

use serde_json::json;

use super::delivery::{WorkingHours, alertmanager, configuration};
use super::sink::{Mailbox, Webhooks};
use crate::test_servers::{client, wait_for};

/// Receivers that are notified only in working hours.
const DEFERRED: [&str; 3] = ["team-platform", "exporter-owners", "fallback"];

#[tokio::test(flavor = "multi_thread")]
async fn warnings_wait_for_working_hours_but_pages_do_not() {
    let dir = tempfile::tempdir().unwrap();
    let (mailbox, webhooks) = (Mailbox::start(dir.path()), Webhooks::start().await);
    let server = alertmanager(dir.path(), &configuration(&mailbox, &webhooks, WorkingHours::Never)).await;
    let owner = "jane@example.com";
    let alerts = json!([
        {"labels": {"alertname": "TokenExpiryCritical", "severity": "critical", "token_id": "1", "token_owner_email": owner}},
        {"labels": {"alertname": "TokenExpiryWarning", "severity": "warning", "team": "platform", "token_owner_email": owner}},
        {"labels": {"alertname": "TokenExpiryWarning", "severity": "warning", "token_id": "2"}},
        {"labels": {"alertname": "TokenExporterDown", "severity": "warning"}},
        {"labels": {"alertname": "TokenPolicy", "severity": "info", "finding": "unused"}},
    ]);
    let sending = client().post(format!("{}/api/v2/alerts", server.url)).header("content-type", "application/json");
    assert!(sending.body(alerts.to_string()).send().await.unwrap().status().is_success());

    wait_for("a page at night", || async { webhooks.alerts("on-call").pop() }).await;
    // All groups have the same intervals; wait for two more flushes.
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(mailbox.mails().is_empty(), "{:?}", mailbox.mails());
    for receiver in DEFERRED {
        assert!(webhooks.sent_to(receiver).is_empty(), "{receiver} is notified at night");
    }

    // Working hours begin.
    let day = configuration(&mailbox, &webhooks, WorkingHours::Always);
    std::fs::write(dir.path().join("alertmanager.yaml"), day).unwrap();
    assert!(client().post(format!("{}/-/reload", server.url)).send().await.unwrap().status().is_success());
    for receiver in DEFERRED {
        wait_for(receiver, || async { webhooks.sent_to(receiver).pop() }).await;
    }
    let notified = |address: &str| mailbox.mails().iter().any(|mail| mail.to == [address.to_owned()]);
    for address in [owner, "platform@example.com", "auditors@example.com"] {
        wait_for(address, || async { notified(address).then_some(()) }).await;
    }
}
