//! Faults of a real server: an OpenBao that is sealed, hangs, is stopped and restarted, or takes the exporter's token away.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::fault::Expected;
use super::scrape;
use super::subject::{Subject, Switch};
use super::{CREDENTIAL, exporter};
use crate::equipment::{Server, client, free_port, tool};

const TOKENS: u64 = 20;

/// How long one fault and its end may take.
const LONG: Duration = Duration::from_secs(60);

const POLICY: &str = r#"
path "auth/token/accessors"       { capabilities = ["list", "sudo"] }
path "auth/token/accessors/"      { capabilities = ["list", "sudo"] }
path "auth/token/lookup-accessor" { capabilities = ["update"] }
"#;

/// An OpenBao that outlives its process.
struct Bao {
    dir: PathBuf,
    port: u16,
    url: String,
    server: Mutex<Option<Server>>,
    root: String,
    key: String,
    struck: AtomicU64,
}

#[derive(Clone, Copy, Debug)]
enum Fate {
    Sealed,
    Revoked,
    Hanging,
    Stopped,
    Restarted,
}

impl Bao {
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
        let mut bao = Self {
            dir: dir.to_owned(),
            port,
            url,
            server: Mutex::default(),
            root: String::new(),
            key: String::new(),
            struck: AtomicU64::new(0),
        };
        bao.run().await;
        let made = bao.ask("sys/init", json!({"secret_shares": 1, "secret_threshold": 1})).await;
        bao.root = made["root_token"].as_str().unwrap().to_owned();
        bao.key = made["keys"][0].as_str().unwrap().to_owned();
        bao.unseal().await;
        bao.ask("sys/policies/acl/exporter", json!({"policy": POLICY})).await;
        for number in 0..TOKENS {
            let body = json!({"ttl": format!("{}h", 100 + number), "policies": ["default"]});
            bao.ask("auth/token/create", body).await;
        }
        bao.grant().await;
        bao
    }

    async fn run(&self) {
        let mut command = Command::new(tool("bao"));
        command.arg("server").arg(format!("-config={}", self.dir.join("bao.json").display())).env("HOME", &self.dir);
        let ready = "/v1/sys/health?uninitcode=200&sealedcode=200";
        *self.server.lock().await = Some(Server::start("bao", command, &self.dir, self.port, ready).await);
    }

    /// A request with the root token, which is sent again while OpenBao comes to its senses.
    async fn ask(&self, path: &str, body: Value) -> Value {
        for _ in 0..100 {
            let request = client().post(format!("{}/v1/{path}", self.url)).header("X-Vault-Token", &self.root);
            if let Ok(reply) = request.body(body.to_string()).send().await
                && reply.status().is_success()
            {
                return serde_json::from_str(&reply.text().await.unwrap()).unwrap_or_default();
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("{path}: no success");
    }

    async fn unseal(&self) {
        self.ask("sys/unseal", json!({"key": self.key})).await;
    }

    /// Gives the exporter a token, in its file.
    async fn grant(&self) {
        let made = self.ask("auth/token/create", json!({"policies": ["exporter"], "ttl": "24h"})).await;
        std::fs::write(self.dir.join("token"), made["auth"]["client_token"].as_str().unwrap()).unwrap();
    }

    fn signal(&self, server: Option<&Server>, signal: &str) {
        let pid = server.unwrap().pid().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    async fn suffer(&self, fate: Fate) {
        match fate {
            Fate::Sealed => drop(self.ask("sys/seal", json!({})).await),
            Fate::Revoked => {
                let token = std::fs::read_to_string(self.dir.join("token")).unwrap();
                self.ask("auth/token/revoke", json!({"token": token})).await;
            }
            Fate::Hanging => self.signal(self.server.lock().await.as_ref(), "-STOP"),
            Fate::Stopped => drop(self.server.lock().await.take()),
            Fate::Restarted => {
                drop(self.server.lock().await.take());
                self.run().await;
            }
        }
        self.struck.fetch_add(1, Ordering::SeqCst);
    }

    async fn recover(&self, fate: Fate) {
        match fate {
            Fate::Sealed | Fate::Restarted => self.unseal().await,
            Fate::Revoked => self.grant().await,
            Fate::Hanging => self.signal(self.server.lock().await.as_ref(), "-CONT"),
            Fate::Stopped => {
                self.run().await;
                self.unseal().await;
            }
        }
    }
}

struct Fateful {
    bao: Arc<Bao>,
    fate: Fate,
    before: u64,
}

impl Switch for Fateful {
    fn set(&self, faulty: bool) {
        let (bao, fate) = (Arc::clone(&self.bao), self.fate);
        tokio::spawn(async move { if faulty { bao.suffer(fate).await } else { bao.recover(fate).await } });
    }

    fn struck(&self) -> u64 {
        self.bao.struck.load(Ordering::SeqCst) - self.before
    }
}

/// Everything that befalls it, one after the other; what was seen, and what was wrong.
pub(super) async fn play() -> (Vec<Subject>, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("providers")).unwrap();
    let bao = Arc::new(Bao::start(dir.path()).await);
    let source = format!(
        "{{name: openbao, provider: openbao, url: '{}', listings: [token], timeout: 8s, credential: {{file: token}}}}",
        bao.url
    );
    let config = format!("interval: 2s\nsources:\n  - {source}\n");
    let exporter = exporter(dir.path(), &config, "exporter-at-openbao").await;
    let mut subjects = Vec::new();
    for (row, fate, reason) in [
        ("OpenBao sealed (503)", Fate::Sealed, "server_error"),
        ("OpenBao: the exporter's token revoked (403)", Fate::Revoked, "forbidden"),
        ("OpenBao that hangs", Fate::Hanging, "timeout"),
        ("OpenBao stopped", Fate::Stopped, "connect"),
        ("OpenBao restarted, and not unsealed yet", Fate::Restarted, "server_error"),
    ] {
        let before = bao.struck.load(Ordering::SeqCst);
        let switch = Arc::new(Fateful { bao: Arc::clone(&bao), fate, before });
        // Beside the others, the exporter's own token and the root's.
        let tokens = TOKENS + 2;
        let mut one = [Subject::new(row, "openbao".into(), source.clone(), Expected::Down(reason), tokens, switch)];
        scrape::look(&mut one, LONG, || scrape::scrape(&exporter)).await;
        let is_done = one[0].is_done();
        subjects.extend(one);
        if !is_done {
            break;
        }
    }
    let mut complaints: Vec<String> =
        subjects.iter().filter_map(|one| Some(format!("{}: {}", one.row, one.complaint()?))).collect();
    let token = std::fs::read_to_string(dir.path().join("token")).unwrap();
    if exporter.log().contains(&token) || exporter.log().contains(CREDENTIAL) {
        complaints.push("the credential for OpenBao is in the log".into());
    }
    (subjects, complaints)
}
