//! Receivers of notifications in tests: a mail server that stores mails, and a webhook server.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::Uri;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::file;
use crate::test_servers::{LIMIT, free_port};

/// A received mail.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Mail {
    pub(crate) to: Vec<String>,
    pub(crate) from: String,
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
    /// Names and decoded values, in order.
    pub(crate) headers: Vec<(String, String)>,
    /// Whether it came over TLS.
    pub(crate) encrypted: bool,
    /// The user who logged in.
    pub(crate) login: Option<String>,
}

/// A real mail server; stops when dropped.
pub(crate) struct Mailbox {
    child: Child,
    directory: PathBuf,
    pub(crate) port: u16,
}

impl Mailbox {
    pub(crate) fn start(dir: &Path) -> Self {
        Self::with(dir, &[])
    }

    /// With options of tests/tools/smtp_sink.py.
    pub(crate) fn with(dir: &Path, options: &[&str]) -> Self {
        let (port, directory) = (free_port(), dir.join("mails"));
        std::fs::create_dir(&directory).unwrap();
        let python = file(".tools/python/bin/python");
        assert!(python.exists(), "the mail server is not installed: run `make tools` first");
        let mut command = Command::new(python);
        command.arg(file("tests/tools/smtp_sink.py")).arg(port.to_string()).arg(&directory).args(options);
        let child = command.spawn().unwrap();
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(start.elapsed() < LIMIT, "the mail server does not accept connections");
            std::thread::sleep(Duration::from_millis(50));
        }
        Self { child, directory, port }
    }

    /// All mails received so far, in order.
    pub(crate) fn mails(&self) -> Vec<Mail> {
        let mut found: Vec<_> =
            std::fs::read_dir(&self.directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        found.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        found.sort();
        found.iter().map(|path| serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()).collect()
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

type Received = Arc<Mutex<Vec<(String, Value)>>>;

/// A webhook server.
pub(crate) struct Webhooks {
    received: Received,
    serving: JoinHandle<()>,
    pub(crate) port: u16,
}

impl Webhooks {
    pub(crate) async fn start() -> Self {
        let received = Received::default();
        let router = Router::new().fallback(store).with_state(Arc::clone(&received));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { received, serving, port }
    }

    /// All requests to this receiver so far, in order.
    pub(crate) fn sent_to(&self, receiver: &str) -> Vec<Value> {
        let received = self.received.lock().unwrap();
        received
            .iter()
            .filter(|(path, _)| path.trim_start_matches('/') == receiver)
            .map(|(_, body)| body.clone())
            .collect()
    }

    /// All alerts sent to this receiver so far, in order.
    pub(crate) fn alerts(&self, receiver: &str) -> Vec<Value> {
        self.sent_to(receiver).iter().flat_map(|body| body["alerts"].as_array().unwrap().clone()).collect()
    }
}

async fn store(State(received): State<Received>, uri: Uri, Json(body): Json<Value>) {
    received.lock().unwrap().push((uri.path().to_owned(), body));
}

impl Drop for Webhooks {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
