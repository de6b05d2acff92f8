//! Several addresses, and one for probes.

use super::certificates::Authority;
use super::program::{Start, exchange};

#[tokio::test]
async fn everything_is_answered_at_each_address() {
    let program = Start::new().addresses(2).go().await;
    for address in &program.addresses {
        let answer = exchange(*address, "GET /metrics HTTP/1.0\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.0 200 OK\r\n") && answer.contains("token_id=\"t0\""), "{answer}");
    }
}

#[tokio::test]
async fn probes_are_answered_beside_a_guarded_door_and_nothing_else_is() {
    let authority = Authority::new();
    let hash = bcrypt::hash("secret", 4).unwrap();
    let start = Start::new().arg("--web.enable-lifecycle").guarded(&format!(
        "tls_server_config: {{cert_file: server.pem, key_file: server.key}}\nbasic_auth_users: {{jane: '{hash}'}}\n"
    ));
    authority.issue_to(start.folder());
    let program = start.go().await;
    for (path, begins) in [
        ("/-/healthy", "HTTP/1.1 200"),
        ("/-/ready", "HTTP/1.1 200"),
        ("/metrics", "HTTP/1.1 404"),
        ("/", "HTTP/1.1 404"),
        ("/api/v1/tokens", "HTTP/1.1 404"),
        ("/-/reload", "HTTP/1.1 404"),
    ] {
        let answer = program.probe(path).await;
        assert!(answer.starts_with(begins) && !answer.contains("----"), "no token's name: {path}: {answer}");
        assert!(answer.contains("content-security-policy: default-src 'none'"), "{path}: {answer}");
    }
    let reload = exchange(program.probes, "POST /-/reload HTTP/1.0\r\n\r\n").await;
    assert!(reload.starts_with("HTTP/1.0 404"), "{reload}");
    assert!(!program.metrics().await.contains("HTTP"), "the door itself speaks TLS only");
}
