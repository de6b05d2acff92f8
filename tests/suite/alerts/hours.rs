//! What is no emergency waits for working hours, and is told then; a page does not wait.

use std::time::Duration;

use serde_json::json;

use super::delivery::{Hours, SOON, alertmanager, configuration};
use super::sink::{Hooks, Mailbox};
use crate::equipment::{client, wait_for};

/// Who hears of what waits.
const PATIENT: [&str; 3] = ["team-platform", "exporter-owners", "fallback"];

#[tokio::test(flavor = "multi_thread")]
async fn warnings_wait_for_working_hours_and_pages_do_not() {
    let dir = tempfile::tempdir().unwrap();
    let (mailbox, hooks) = (Mailbox::start(dir.path()), Hooks::start().await);
    let server = alertmanager(dir.path(), &configuration(&mailbox, &hooks, Hours::Never)).await;
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

    wait_for("a page at night", SOON, || async { hooks.alerts("on-call").pop() }).await;
    // All groups wait as long as that of the page; two of their further turns.
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(mailbox.mails().is_empty(), "{:?}", mailbox.mails());
    for receiver in PATIENT {
        assert!(hooks.sent_to(receiver).is_empty(), "{receiver} is told at night");
    }

    // The morning comes.
    let day = configuration(&mailbox, &hooks, Hours::Always);
    std::fs::write(dir.path().join("alertmanager.yaml"), day).unwrap();
    assert!(client().post(format!("{}/-/reload", server.url)).send().await.unwrap().status().is_success());
    for receiver in PATIENT {
        wait_for(receiver, SOON, || async { hooks.sent_to(receiver).pop() }).await;
    }
    let told = |address: &str| mailbox.mails().iter().any(|mail| mail.to == [address.to_owned()]);
    for address in [owner, "platform@example.com", "auditors@example.com"] {
        wait_for(address, SOON, || async { told(address).then_some(()) }).await;
    }
}
