//! Several main listeners, and the probe listener.

use super::certificates::Authority;
use super::exporter::{Start, exchange};

#[tokio::test]
async fn every_main_listener_serves_everything() {
    let exporter = Start::new().addresses(2).run().await;
    for address in &exporter.addresses {
        let response = exchange(*address, "GET /metrics HTTP/1.0\r\n\r\n").await;
        assert!(response.starts_with("HTTP/1.0 200 OK\r\n") && response.contains("token_id=\"t0\""), "{response}");
    }
}

#[tokio::test]
async fn probe_listener_serves_only_the_probes() {
    let authority = Authority::new();
    let hash = bcrypt::hash("secret", 4).unwrap();
    let start = Start::new().arg("--web.enable-lifecycle").web_config(&format!(
        "tls_server_config: {{cert_file: server.pem, key_file: server.key}}\nbasic_auth_users: {{jane: '{hash}'}}\n"
    ));
    authority.issue_to(start.directory());
    let exporter = start.run().await;
    for (path, status) in [
        ("/-/healthy", "HTTP/1.1 200"),
        ("/-/ready", "HTTP/1.1 200"),
        ("/metrics", "HTTP/1.1 404"),
        ("/", "HTTP/1.1 404"),
        ("/api/v1/tokens", "HTTP/1.1 404"),
        ("/-/reload", "HTTP/1.1 404"),
    ] {
        let response = exporter.probe(path).await;
        assert!(response.starts_with(status) && !response.contains("----"), "{path}: {response}");
        assert!(response.contains("content-security-policy: default-src 'none'"), "{path}: {response}");
    }
    let reload = exchange(exporter.probe_address, "POST /-/reload HTTP/1.0\r\n\r\n").await;
    assert!(reload.starts_with("HTTP/1.0 404"), "{reload}");
    assert!(!exporter.metrics().await.contains("HTTP"), "the main listener accepts TLS only");
}
