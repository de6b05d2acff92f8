//! Real servers for one test, which stop with it. `make tools` installs them; a missing one is a failure.

use std::collections::BTreeMap;
use std::fs::File;
use std::future::Future;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

/// A tool that `tests/tools/install.sh` installed; in another directory for `make newest`.
pub fn tool(name: &str) -> PathBuf {
    let directory = std::env::var("TOOLS").unwrap_or_else(|_| ".tools/bin".to_owned());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory).join(name);
    assert!(path.exists(), "{name} is not installed: run `make tools` first");
    path
}

/// A free port of this machine, which no other call in this process returns. The kernel takes the ports of connections, and
/// those of listeners at port 0, from a range above 32,767: so the port stays free until the server starts.
pub fn free_port() -> u16 {
    const RANGE: std::ops::Range<u32> = 15_000..32_768;
    static CALLS: AtomicU32 = AtomicU32::new(0);
    loop {
        // Processes that run side by side begin at different places.
        let number = std::process::id() * 100 + CALLS.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(RANGE.start + number % (RANGE.end - RANGE.start)).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A client without proxy, for servers on this machine.
pub fn client() -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap()
}

/// Ends a test that would wait for ever: a busy machine takes minutes for what usually takes a second.
pub const LIMIT: Duration = Duration::from_secs(300);

/// Polls until there is a result, because real servers have no paused clock.
pub async fn wait_for<T, F: Future<Output = Option<T>>>(what: &str, mut poll: impl FnMut() -> F) -> T {
    let started = Instant::now();
    loop {
        if let Some(result) = poll().await {
            return result;
        }
        assert!(started.elapsed() < LIMIT, "not within {LIMIT:?}: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A server process. A failing test prints its output.
pub struct Server {
    child: Child,
    name: &'static str,
    log: PathBuf,
    /// The URL of its listener.
    pub url: String,
}

impl Server {
    /// Starts it and waits until the path `ready` returns success.
    pub async fn start(name: &'static str, command: Command, dir: &Path, port: u16, ready: &str) -> Self {
        Self::start_and_wait(name, command, dir, port, ready, |status| status.is_success()).await
    }

    /// Starts it and waits until it responds at all.
    pub async fn listening(name: &'static str, command: Command, dir: &Path, port: u16) -> Self {
        Self::start_and_wait(name, command, dir, port, "/", |_| true).await
    }

    async fn start_and_wait(
        name: &'static str,
        mut command: Command,
        dir: &Path,
        port: u16,
        ready: &str,
        is_ready: fn(StatusCode) -> bool,
    ) -> Self {
        let log = dir.join(format!("{name}-{port}.log"));
        let output = File::create(&log).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        let mut server = Self { child, name, log, url: format!("http://127.0.0.1:{port}") };
        let (client, url) = (client(), format!("{}{ready}", server.url));
        let started = Instant::now();
        while !client.get(&url).send().await.is_ok_and(|response| is_ready(response.status())) {
            let exited = server.child.try_wait().unwrap();
            assert!(
                exited.is_none() && started.elapsed() < LIMIT,
                "{name} is not ready at {url} ({exited:?}):\n{}",
                server.log()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        server
    }

    /// Sends SIGTERM, as service managers do, and waits until it exits.
    pub fn stop(mut self) -> String {
        let sent = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(
            sent.success() && self.child.wait().unwrap().success(),
            "{} did not exit with success:\n{}",
            self.name,
            self.log()
        );
        self.log()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its output once it has all of this: a log is written a moment after what it reports.
    pub async fn logged(&self, parts: &[&str]) -> String {
        wait_for(&format!("{parts:?} in the log of {}", self.name), || async {
            Some(self.log()).filter(|log| parts.iter().all(|part| log.contains(part)))
        })
        .await
    }

    /// Its output so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let exited = self.child.try_wait();
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let state = match exited {
                Ok(Some(status)) => format!("which exited before: {status}"),
                _ => "which was running".to_owned(),
            };
            eprintln!("--- output of {} at {}, {state}:\n{}", self.name, self.url, self.log());
        }
    }
}

/// The exporter, started as a user starts it.
pub async fn exporter(dir: &Path, config: &str, arguments: &[&str]) -> Server {
    let port = free_port();
    let file = dir.join(format!("config-{port}.yaml"));
    std::fs::write(&file, config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter"));
    command
        .arg("serve")
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .args(arguments);
    Server::start("token-expiry-exporter", command, dir, port, "/-/healthy").await
}

/// The tokens of a source in this storage directory, which must always be valid; `None` before the first save.
pub fn persisted(directory: &Path, source: &str) -> Option<Vec<Value>> {
    let loaded = token_expiry_exporter::storage::Store::new(directory).load(source);
    assert!(loaded.problems.is_empty(), "the persisted inventory is always valid: {:?}", loaded.problems);
    loaded.state?;
    Some(loaded.tokens?.iter().map(|token| serde_json::to_value(token).unwrap()).collect())
}

/// The server as a target of Prometheus: its address without the scheme.
pub fn target(server: &Server) -> &str {
    server.url.trim_start_matches("http://")
}

/// A Prometheus with this configuration, which scrapes and evaluates rules every second. JSON is also YAML.
pub async fn prometheus(dir: &Path, mut config: Value) -> Server {
    config["global"]["scrape_interval"] = json!("1s");
    config["global"]["evaluation_interval"] = json!("1s");
    let port = free_port();
    let file = dir.join(format!("prometheus-{port}.yaml"));
    std::fs::write(&file, config.to_string()).unwrap();
    let mut command = Command::new(tool("prometheus"));
    command
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--storage.tsdb.path={}", dir.join(format!("prometheus-{port}")).display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"));
    Server::start("prometheus", command, dir, port, "/-/ready").await
}

#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

impl Sample {
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }
}

/// The result of an instant query now.
pub async fn query(prometheus: &Server, query: &str) -> Vec<Sample> {
    query_at(prometheus, query, None).await
}

/// The result of an instant query at a Unix time, or now.
pub async fn query_at(prometheus: &Server, query: &str, at: Option<f64>) -> Vec<Sample> {
    let url = format!("{}/api/v1/query", prometheus.url);
    let time = at.map(|at| ("time", at.to_string()));
    let form: Vec<_> = time.into_iter().chain([("query", query.to_owned())]).collect();
    let response = client().post(url).form(&form).send().await.unwrap();
    let result: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(result["status"], "success", "{query}: {result}");
    let samples = result["data"]["result"].as_array().unwrap();
    samples
        .iter()
        .map(|sample| Sample {
            labels: serde_json::from_value(sample["metric"].clone()).unwrap(),
            value: sample["value"][1].as_str().unwrap().parse().unwrap(),
        })
        .collect()
}

/// The exposition of an exporter as text.
pub async fn metrics(exporter: &Server) -> String {
    let url = format!("{}/metrics", exporter.url);
    wait_for("the restored inventory", || async {
        let response = client().get(&url).send().await.unwrap();
        if response.status() == 503 {
            assert_eq!(response.headers()["retry-after"], "1");
            return None;
        }
        assert_eq!(response.status(), 200);
        Some(response.text().await.unwrap())
    })
    .await
}

/// The samples of one metric in an exposition.
pub fn samples(exposition: &str, metric: &str) -> Vec<Sample> {
    let lines = exposition.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| sample(line, metric)).collect()
}

/// The samples of a source.
pub fn of_source<'s>(samples: &'s [Sample], source: &str) -> Vec<&'s Sample> {
    samples.iter().filter(|sample| sample.label("source") == source).collect()
}

/// The reason for which scopes of a source failed; empty if none did.
pub fn gap_reason(exposition: &str, source: &str) -> String {
    let gaps = samples(exposition, "token_source_gaps");
    let gap = of_source(&gaps, source).into_iter().find(|gap| gap.value > 0.0);
    gap.map(|gap| gap.label("reason").to_owned()).unwrap_or_default()
}

/// The tokens of a kind in an exposition with their expiry, in whole seconds; those that never expire come from `token_info`.
pub fn expiries(exposition: &str, kind: &str) -> BTreeMap<String, Option<i64>> {
    let of_kind = |sample: &Sample| sample.label("token_kind") == kind;
    let id = |sample: &Sample| sample.label("token_id").to_owned();
    let never = samples(exposition, "token_info").into_iter().filter(|info| info.label("expiry") == "never");
    let never = never.filter(of_kind).map(|info| (id(&info), None));
    let expiries = samples(exposition, "token_expiry_timestamp_seconds").into_iter().filter(of_kind);
    #[allow(clippy::cast_possible_truncation)] // whole seconds are compared
    let expiries = expiries.map(|sample| (id(&sample), Some(sample.value.floor() as i64)));
    never.chain(expiries).collect()
}

/// Reads a line of the text format: `name{label="value",…} value`.
fn sample(line: &str, metric: &str) -> Option<Sample> {
    let rest = line.strip_prefix(metric)?;
    let mut labels = BTreeMap::new();
    let value = match rest.strip_prefix('{') {
        None => rest.strip_prefix(' ')?,
        Some(mut rest) => loop {
            if let Some(value) = rest.strip_prefix("} ") {
                break value;
            }
            let (name, after) = rest.trim_start_matches(',').split_once("=\"")?;
            let mut text = String::new();
            let mut chars = after.char_indices();
            let end = loop {
                match chars.next()? {
                    (at, '"') => break at,
                    (_, '\\') => text.push(match chars.next()?.1 {
                        'n' => '\n',
                        other => other,
                    }),
                    (_, other) => text.push(other),
                }
            };
            labels.insert(name.to_owned(), text);
            rest = &after[end + 1..];
        },
    };
    Some(Sample { labels, value: value.split(' ').next()?.parse().ok()? })
}

/// `promtool check metrics` reads an exposition from its standard input and prints what is wrong.
pub fn assert_promtool_accepts(exposition: &str) {
    let mut promtool = Command::new(tool("promtool"))
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    promtool.stdin.take().unwrap().write_all(exposition.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let printed = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && printed.is_empty(), "promtool: {printed}");
}
