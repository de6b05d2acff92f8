//! Faults of a real server: an OpenBao that is sealed, hangs, stops, restarts, or revokes the exporter's token.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::fault::Expected;
use super::scrape;
use super::source::{FaultSwitch, SourceUnderTest};
use super::{CREDENTIAL, exporter};
use crate::test_servers::{Server, client, free_port, tool};

const TOKENS: u64 = 20;

const POLICY: &str = r#"
path "auth/token/accessors"       { capabilities = ["list", "sudo"] }
path "auth/token/accessors/"      { capabilities = ["list", "sudo"] }
path "auth/token/lookup-accessor" { capabilities = ["update"] }
"#;

/// An OpenBao whose data survive a restart.
struct OpenBao {
    dir: PathBuf,
    port: u16,
    url: String,
    server: Mutex<Option<Server>>,
    root: String,
    key: String,
    hits: AtomicU64,
}

#[derive(Clone, Copy, Debug)]
enum OpenBaoFault {
    Sealed,
    Revoked,
    Hanging,
    Stopped,
    Restarted,
}

impl OpenBao {
    async fn start(dir: &Path) -> Self {
        let port = free_port();
        let config = json!({
            "storage": {"raft": {"path": dir.join("bao"), "node_id": "one"}},
            "api_addr": format!("http://127.0.0.1:{port}"),
            "cluster_addr": format!("http://127.0.0.1:{}", free_port()),
            "listener": {"tcp": {"address": format!("127.0.0.1:{port}"), "tls_disable": true}},
        });
        std::fs::create_dir(dir.join("bao")).unwrap();
        std::fs::write(dir.join("bao.json"), config.to_string()).unwrap();
        let url = format!("http://127.0.0.1:{port}");
        let mut openbao = Self {
            dir: dir.to_owned(),
            port,
            url,
            server: Mutex::default(),
            root: String::new(),
            key: String::new(),
            hits: AtomicU64::new(0),
        };
        openbao.run().await;
        let made = openbao.request("sys/init", json!({"secret_shares": 1, "secret_threshold": 1})).await;
        openbao.root = made["root_token"].as_str().unwrap().to_owned();
        openbao.key = made["keys"][0].as_str().unwrap().to_owned();
        openbao.unseal().await;
        openbao.request("sys/policies/acl/exporter", json!({"policy": POLICY})).await;
        for number in 0..TOKENS {
            let body = json!({"ttl": format!("{}h", 100 + number), "policies": ["default"]});
            openbao.request("auth/token/create", body).await;
        }
        openbao.issue_token().await;
        openbao
    }

    async fn run(&self) {
        let mut command = Command::new(tool("bao"));
        command.arg("server").arg(format!("-config={}", self.dir.join("bao.json").display())).env("HOME", &self.dir);
        let ready = "/v1/sys/health?uninitcode=200&sealedcode=200";
        *self.server.lock().await = Some(Server::start("bao", command, &self.dir, self.port, ready).await);
    }

    /// Sends a request with the root token, and retries until OpenBao is ready.
    async fn request(&self, path: &str, body: Value) -> Value {
        for _ in 0..100 {
            let request = client().post(format!("{}/v1/{path}", self.url)).header("X-Vault-Token", &self.root);
            if let Ok(response) = request.body(body.to_string()).send().await
                && response.status().is_success()
            {
                return serde_json::from_str(&response.text().await.unwrap()).unwrap_or_default();
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("{path}: no success");
    }

    async fn unseal(&self) {
        self.request("sys/unseal", json!({"key": self.key})).await;
    }

    /// Writes a new token for the exporter to its file.
    async fn issue_token(&self) {
        let made = self.request("auth/token/create", json!({"policies": ["exporter"], "ttl": "24h"})).await;
        std::fs::write(self.dir.join("token"), made["auth"]["client_token"].as_str().unwrap()).unwrap();
    }

    fn signal(&self, server: Option<&Server>, signal: &str) {
        let pid = server.unwrap().pid().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    async fn start_fault(&self, fault: OpenBaoFault) {
        match fault {
            OpenBaoFault::Sealed => drop(self.request("sys/seal", json!({})).await),
            OpenBaoFault::Revoked => {
                let token = std::fs::read_to_string(self.dir.join("token")).unwrap();
                self.request("auth/token/revoke", json!({"token": token})).await;
            }
            OpenBaoFault::Hanging => self.signal(self.server.lock().await.as_ref(), "-STOP"),
            OpenBaoFault::Stopped => drop(self.server.lock().await.take()),
            OpenBaoFault::Restarted => {
                drop(self.server.lock().await.take());
                self.run().await;
            }
        }
        self.hits.fetch_add(1, Ordering::SeqCst);
    }

    async fn recover(&self, fault: OpenBaoFault) {
        match fault {
            OpenBaoFault::Sealed | OpenBaoFault::Restarted => self.unseal().await,
            OpenBaoFault::Revoked => self.issue_token().await,
            OpenBaoFault::Hanging => self.signal(self.server.lock().await.as_ref(), "-CONT"),
            OpenBaoFault::Stopped => {
                self.run().await;
                self.unseal().await;
            }
        }
    }
}

struct OpenBaoSwitch {
    openbao: Arc<OpenBao>,
    fault: OpenBaoFault,
    hits_before: u64,
}

impl FaultSwitch for OpenBaoSwitch {
    fn set(&self, faulty: bool) {
        let (openbao, fault) = (Arc::clone(&self.openbao), self.fault);
        tokio::spawn(
            async move { if faulty { openbao.start_fault(fault).await } else { openbao.recover(fault).await } },
        );
    }

    fn hits(&self) -> u64 {
        self.openbao.hits.load(Ordering::SeqCst) - self.hits_before
    }
}

/// All faults, one after the other: the sources and the problems.
pub(super) async fn run() -> (Vec<SourceUnderTest>, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("providers")).unwrap();
    let openbao = Arc::new(OpenBao::start(dir.path()).await);
    let source = format!(
        "{{name: openbao, provider: openbao, url: '{}', listings: [token], timeout: 8s, credential: {{file: token}}}}",
        openbao.url
    );
    let config = format!("interval: 2s\nsources:\n  - {source}\n");
    let exporter = exporter(dir.path(), &config, "exporter-at-openbao").await;
    let mut sources = Vec::new();
    for (row, fault, reason) in [
        ("OpenBao sealed (503)", OpenBaoFault::Sealed, "server_error"),
        ("OpenBao: exporter's token revoked (403)", OpenBaoFault::Revoked, "forbidden"),
        ("OpenBao hangs", OpenBaoFault::Hanging, "timeout"),
        ("OpenBao stopped", OpenBaoFault::Stopped, "connect"),
        ("OpenBao restarted, still sealed (503)", OpenBaoFault::Restarted, "server_error"),
    ] {
        let hits_before = openbao.hits.load(Ordering::SeqCst);
        let switch = Arc::new(OpenBaoSwitch { openbao: Arc::clone(&openbao), fault, hits_before });
        // In addition to these, the exporter's own token and the root token.
        let tokens = TOKENS + 2;
        let mut one =
            [SourceUnderTest::new(row, "openbao".into(), source.clone(), Expected::Down(reason), tokens, switch)];
        scrape::observe(&mut one, || scrape::scrape(&exporter)).await;
        let is_done = one[0].is_done();
        sources.extend(one);
        if !is_done {
            break;
        }
    }
    let mut problems: Vec<String> =
        sources.iter().filter_map(|one| Some(format!("{}: {}", one.row, one.problem()?))).collect();
    let token = std::fs::read_to_string(dir.path().join("token")).unwrap();
    if exporter.log().contains(&token) || exporter.log().contains(CREDENTIAL) {
        problems.push("the OpenBao credential is in the log".into());
    }
    (sources, problems)
}
