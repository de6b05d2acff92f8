//! Certificates, keys, CAs and users that change while the exporter runs.

use std::time::Duration;

use reqwest::StatusCode;
use tokio::time::{Instant, sleep};

use super::certificates::Authority;
use super::exporter::{Exporter, Start};

use crate::test_servers::LIMIT;

/// The status of a response; `None` if TLS fails.
async fn request(
    exporter: &Exporter,
    authority: &Authority,
    identity: Option<(String, String)>,
    path: &str,
) -> Option<u16> {
    let url = format!("https://localhost:{}{path}", exporter.address().port());
    let response = authority.client(identity).get(url).basic_auth("jane", Some("secret")).send().await;
    response.ok().map(|response| response.status().as_u16())
}

/// Waits until the log contains `what` `times` times.
async fn logged(exporter: &Exporter, what: &str, times: usize) {
    let deadline = Instant::now() + LIMIT;
    while exporter.log().matches(what).count() < times {
        assert!(Instant::now() < deadline, "{what}: {}", exporter.log());
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn valid_changes_apply_without_a_restart_and_invalid_ones_do_not() {
    let (old, new) = (Authority::new(), Authority::new());
    let tls = "tls_server_config: {cert_file: server.pem, key_file: server.key, client_ca_file: ca.pem, client_auth_type: VerifyClientCertIfGiven}\n";
    let start = Start::new().web_config(tls).file("ca.pem", &old.pem);
    old.issue_to(start.directory());
    let exporter = start.run().await;
    let identity = old.issue("prometheus");
    assert_eq!(request(&exporter, &old, Some(identity.clone()), "/metrics").await, Some(200));

    // Certificate, key and client CA, one file after the other.
    new.issue_to(exporter.file("").as_path());
    std::fs::write(exporter.file("ca.pem"), &new.pem).unwrap();
    logged(&exporter, "web configuration reloaded", 1).await;
    assert_eq!(request(&exporter, &new, None, "/metrics").await, Some(200));
    assert_eq!(request(&exporter, &old, None, "/metrics").await, None);
    assert_eq!(request(&exporter, &new, Some(identity), "/metrics").await, None, "signed by the previous client CA");

    // A broken key: logged once, although it is read every five seconds.
    std::fs::write(exporter.file("server.key"), "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n").unwrap();
    logged(&exporter, "invalid web configuration", 1).await;
    sleep(Duration::from_secs(7)).await;
    assert_eq!(exporter.log().matches("invalid web configuration").count(), 1, "{}", exporter.log());
    assert!(!exporter.log().contains("c2VjcmV0"));
    let url = format!("https://localhost:{}/metrics", exporter.address().port());
    let metrics = new.client(None).get(url).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("\ntoken_expiry_exporter_web_config_last_read_successful 0\n"), "{metrics}");

    // Valid again, with an additional user.
    new.issue_to(exporter.file("").as_path());
    let hash = bcrypt::hash("secret", 4).unwrap();
    std::fs::write(exporter.file("web.yaml"), format!("{tls}basic_auth_users: {{jane: '{hash}'}}\n")).unwrap();
    logged(&exporter, "web configuration reloaded", 2).await;
    assert_eq!(request(&exporter, &new, None, "/metrics").await, Some(200));
    let anonymous = new.client(None).get(format!("https://localhost:{}/", exporter.address().port()));
    assert_eq!(anonymous.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);

    // A half-written file does not open access.
    std::fs::write(exporter.file("web.yaml"), tls).unwrap();
    logged(&exporter, "removing all users requires a restart", 1).await;
    let anonymous = new.client(None).get(format!("https://localhost:{}/", exporter.address().port()));
    assert_eq!(anonymous.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);

    std::fs::write(exporter.file("web.yaml"), "").unwrap();
    logged(&exporter, "enabling or disabling TLS requires a restart", 1).await;
    assert_eq!(request(&exporter, &new, None, "/metrics").await, Some(200));
}
