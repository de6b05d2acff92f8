//! `health`, at every door that an exporter can have. No door is opened for it.

use std::net::TcpListener;
use std::process::Command;

use crate::equipment::{exporter, free_port, target};
use crate::web::certificates::Authority;

const NOTHING: &str = "sources: [{name: by-hand, provider: manual, tokens: [{name: t, expires: never}]}]\n";
/// Nobody needs to get in: the password of this hash is of no account.
const USERS: &str = "basic_auth_users: {jane: HASH}\n";
const TLS: &str = "tls_server_config: {cert_file: server.pem, key_file: server.key}\n";
const CLIENTS: &str = "tls_server_config: {cert_file: server.pem, key_file: server.key, client_ca_file: ca.pem, \
                       client_auth_type: RequireAndVerifyClientCert}\n";

/// The exit code of `health` for an address, and what it says.
fn health(address: &str) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter"));
    let output = command.args(["health", address]).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test]
async fn an_exporter_lives_behind_every_door() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    authority.issue_to(folder.path());
    std::fs::write(folder.path().join("ca.pem"), &authority.pem).unwrap();
    let plain = exporter(folder.path(), NOTHING, &[]).await;
    assert_eq!(health(target(&plain)), (0, String::new()), "no guard");
    let hash = bcrypt::hash("a-password", 4).unwrap();
    for (name, guard) in
        [("users", USERS.replace("HASH", &format!("'{hash}'"))), ("tls", TLS.into()), ("clients", CLIENTS.into())]
    {
        let port = free_port();
        let address = format!("127.0.0.1:{port}");
        std::fs::write(folder.path().join("web.yaml"), guard).unwrap();
        std::fs::write(folder.path().join("config.yaml"), NOTHING).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter"));
        command.current_dir(folder.path()).args(["--config.file=config.yaml", "--web.config.file=web.yaml"]);
        let mut child = command.arg(format!("--web.listen-address={address}")).spawn().unwrap();
        let begun = std::time::Instant::now();
        let mut said = health(&address);
        while said.0 != 0 && begun.elapsed().as_secs() < 20 {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            said = health(&address);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(said, (0, String::new()), "{name}");
    }
}

#[test]
fn who_does_not_answer_does_not_live() {
    let nobody = format!("127.0.0.1:{}", free_port());
    let (code, said) = health(&nobody);
    assert!(code == 1 && said.starts_with(&format!("unhealthy: {nobody}: ")), "{code}: {said}");
    // One that takes the connection, and then hangs.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    assert_eq!(health(&address), (1, format!("unhealthy: {address}: no response within 3 s\n")));
}
