//! `health` against every kind of listener. It has no login and no certificate.

use std::net::TcpListener;
use std::process::Command;

use crate::test_servers::{LIMIT, exporter, free_port, target};
use crate::web::certificates::Authority;

const CONFIG: &str = "sources: [{name: by-hand, provider: manual, tokens: [{name: t, expires: never}]}]\n";
const USERS: &str = "basic_auth_users: {jane: HASH}\n";
const TLS: &str = "tls_server_config: {cert_file: server.pem, key_file: server.key}\n";
const CLIENTS: &str = "tls_server_config: {cert_file: server.pem, key_file: server.key, client_ca_file: ca.pem, \
                       client_auth_type: RequireAndVerifyClientCert}\n";

/// Exit code and standard error.
fn health(address: &str) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter"));
    let output = command.args(["health", address]).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test]
async fn health_accepts_every_kind_of_listener() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    authority.issue_to(dir.path());
    std::fs::write(dir.path().join("ca.pem"), &authority.pem).unwrap();
    let plain = exporter(dir.path(), CONFIG, &[]).await;
    assert_eq!(health(target(&plain)), (0, String::new()), "no access control");
    let hash = bcrypt::hash("a-password", 4).unwrap();
    for (name, web_config) in
        [("users", USERS.replace("HASH", &format!("'{hash}'"))), ("tls", TLS.into()), ("clients", CLIENTS.into())]
    {
        let port = free_port();
        let address = format!("127.0.0.1:{port}");
        std::fs::write(dir.path().join("web.yaml"), web_config).unwrap();
        std::fs::write(dir.path().join("config.yaml"), CONFIG).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter"));
        command.current_dir(dir.path()).args(["--config.file=config.yaml", "--web.config.file=web.yaml"]);
        let mut child = command.arg(format!("--web.listen-address={address}")).spawn().unwrap();
        let started = std::time::Instant::now();
        let mut result = health(&address);
        while result.0 != 0 && started.elapsed() < LIMIT {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            result = health(&address);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(result, (0, String::new()), "{name}");
    }
}

#[test]
fn health_fails_without_a_response() {
    let unused = format!("127.0.0.1:{}", free_port());
    let (code, stderr) = health(&unused);
    assert!(code == 1 && stderr.starts_with(&format!("unhealthy: {unused}: ")), "{code}: {stderr}");
    // The connection is accepted, but there is no response.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    assert_eq!(health(&address), (1, format!("unhealthy: {address}: no response within 3 s\n")));
}
