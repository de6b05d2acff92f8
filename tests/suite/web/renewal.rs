//! Certificates, keys, authorities and users that change while the program runs.

use std::time::Duration;

use reqwest::StatusCode;
use tokio::time::{Instant, sleep};

use super::certificates::Authority;
use super::program::{ExporterMetrics, Start};

/// The status of an answer, or none where TLS fails.
async fn ask(
    program: &ExporterMetrics,
    authority: &Authority,
    identity: Option<(String, String)>,
    path: &str,
) -> Option<u16> {
    let url = format!("https://localhost:{}{path}", program.address().port());
    let answer = authority.client(identity).get(url).basic_auth("jane", Some("secret")).send().await;
    answer.ok().map(|answer| answer.status().as_u16())
}

/// Waits until the log says something so often.
async fn logged(program: &ExporterMetrics, what: &str, times: usize) {
    let patience = Instant::now() + Duration::from_secs(20);
    while program.log().matches(what).count() < times {
        assert!(Instant::now() < patience, "{what}: {}", program.log());
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn what_is_renewed_holds_without_a_restart_and_what_is_broken_does_not() {
    let (old, new) = (Authority::new(), Authority::new());
    let tls = "tls_server_config: {cert_file: server.pem, key_file: server.key, client_ca_file: ca.pem, client_auth_type: VerifyClientCertIfGiven}\n";
    let start = Start::new().guarded(tls).file("ca.pem", &old.pem);
    old.issue_to(start.folder());
    let program = start.go().await;
    let shown = old.issue("prometheus");
    assert_eq!(ask(&program, &old, Some(shown.clone()), "/metrics").await, Some(200));

    // The certificate, its key and the clients' authority, one file after the other.
    new.issue_to(program.file("").as_path());
    std::fs::write(program.file("ca.pem"), &new.pem).unwrap();
    logged(&program, "was read anew", 1).await;
    assert_eq!(ask(&program, &new, None, "/metrics").await, Some(200));
    assert_eq!(ask(&program, &old, None, "/metrics").await, None);
    assert_eq!(ask(&program, &new, Some(shown), "/metrics").await, None, "of the authority of before");

    // A broken key: said once, though it is looked at again and again.
    std::fs::write(program.file("server.key"), "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n").unwrap();
    logged(&program, "cannot be used", 1).await;
    sleep(Duration::from_secs(7)).await;
    assert_eq!(program.log().matches("cannot be used").count(), 1, "{}", program.log());
    assert!(!program.log().contains("c2VjcmV0"));
    let url = format!("https://localhost:{}/metrics", program.address().port());
    let metrics = new.client(None).get(url).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("\ntoken_expiry_exporter_web_config_last_read_successful 0\n"), "{metrics}");

    // Whole again, and with a user more.
    new.issue_to(program.file("").as_path());
    let hash = bcrypt::hash("secret", 4).unwrap();
    std::fs::write(program.file("web.yaml"), format!("{tls}basic_auth_users: {{jane: '{hash}'}}\n")).unwrap();
    logged(&program, "was read anew", 2).await;
    assert_eq!(ask(&program, &new, None, "/metrics").await, Some(200));
    let stranger = new.client(None).get(format!("https://localhost:{}/", program.address().port()));
    assert_eq!(stranger.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);

    // A file that is half written does not open the door.
    std::fs::write(program.file("web.yaml"), tls).unwrap();
    logged(&program, "passwords can be switched off by a restart only", 1).await;
    let stranger = new.client(None).get(format!("https://localhost:{}/", program.address().port()));
    assert_eq!(stranger.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);

    std::fs::write(program.file("web.yaml"), "").unwrap();
    logged(&program, "TLS can be switched on or off by a restart only", 1).await;
    assert_eq!(ask(&program, &new, None, "/metrics").await, Some(200));
}
