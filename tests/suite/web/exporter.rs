//! The exporter in a process of its own, on ports that the system chooses.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::server::install_crypto_provider;

use crate::test_servers::LIMIT;

/// A running exporter, killed with the test.
pub struct Exporter {
    child: Child,
    log: Arc<Mutex<String>>,
    log_reader: Option<JoinHandle<()>>,
    /// The main listeners.
    pub addresses: Vec<SocketAddr>,
    /// The probe listener.
    pub probe_address: SocketAddr,
    directory: tempfile::TempDir,
}

/// How an exporter is started.
pub struct Start {
    directory: tempfile::TempDir,
    tokens: usize,
    /// In place of the generated ones.
    tokens_file: Option<String>,
    args: Vec<String>,
    addresses: usize,
}

impl Start {
    /// With a few tokens and without a web configuration.
    pub fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), tokens: 3, tokens_file: None, args: Vec::new(), addresses: 1 }
    }

    /// The number of tokens. Each takes about 2 KB of the metrics.
    pub fn tokens(mut self, tokens: usize) -> Self {
        self.tokens = tokens;
        self
    }

    /// The tokens as the provider `manual` reads them, in place of generated ones.
    pub fn tokens_file(mut self, content: &str) -> Self {
        self.tokens_file = Some(content.to_owned());
        self
    }

    pub fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.to_owned());
        self
    }

    /// The number of main listeners.
    pub fn addresses(mut self, addresses: usize) -> Self {
        self.addresses = addresses;
        self
    }

    /// The directory of its files.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a file next to the configuration.
    pub fn file(self, name: &str, content: &str) -> Self {
        std::fs::write(self.directory.path().join(name), content).unwrap();
        self
    }

    /// With a web configuration.
    pub fn web_config(self, content: &str) -> Self {
        let arg = format!("--web.config.file={}", self.directory.path().join("web.yaml").display());
        self.file("web.yaml", content).arg(&arg)
    }

    /// Starts it and waits until it is ready.
    pub async fn run(self) -> Exporter {
        install_crypto_provider();
        let mut tokens = String::from("tokens:\n");
        for number in 0..self.tokens {
            let name = format!("{number:-<200}");
            writeln!(tokens, "  - {{id: t{number}, name: '{name}', kind: license, expires: 2999-01-01}}").unwrap();
        }
        let tokens = self.tokens_file.as_ref().unwrap_or(&tokens);
        std::fs::write(self.directory().join("tokens.yaml"), tokens).unwrap();
        let source = format!("{{name: manual, provider: manual, file: '{}/tokens.yaml'}}", self.directory().display());
        std::fs::write(self.directory().join("config.yaml"), format!("sources:\n  - {source}\n")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter"));
        command.arg(format!("--config.file={}/config.yaml", self.directory().display())).args(&self.args);
        command.arg("--web.probe-listen-address=127.0.0.1:0");
        command.args(std::iter::repeat_n("--web.listen-address=127.0.0.1:0", self.addresses));
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut addresses: Vec<SocketAddr> = (0..=self.addresses)
            .map(|_| {
                let line = lines.next().unwrap().unwrap();
                let address = line.split("address=").nth(1).unwrap_or_else(|| panic!("{line}"));
                address.split(' ').next().unwrap().parse().unwrap()
            })
            .collect();
        let probe_address = addresses.pop().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let written = Arc::clone(&log);
        let log_reader = Some(std::thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| writeln!(written.lock().unwrap(), "{line}").unwrap());
        }));
        let exporter = Exporter { child, log, log_reader, addresses, probe_address, directory: self.directory };
        let deadline = Instant::now() + LIMIT;
        while !exporter.probe("/-/ready").await.starts_with("HTTP/1.1 200") {
            assert!(Instant::now() < deadline, "not ready: {}", exporter.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        exporter
    }
}

impl Exporter {
    pub fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// The response of the probe listener; empty without one.
    pub async fn probe(&self, path: &str) -> String {
        exchange(self.probe_address, &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).await
    }

    /// The uncompressed metrics.
    pub async fn metrics(&self) -> String {
        exchange(self.address(), "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await
    }

    /// The counter of connections that were closed for this cause.
    pub async fn closed(&self, cause: &str) -> u64 {
        sample(&self.metrics().await, &format!("http_connections_closed_total{{cause=\"{cause}\"}}"))
    }

    /// Its CPU time so far, in hundredths of a second.
    pub fn cpu_time(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        // `utime` and `stime` of proc(5), of which the third field is the first here.
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    /// Its resident memory, in MiB.
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1_024
    }

    /// Sends SIGTERM, as Kubernetes does.
    pub fn terminate(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    /// Sends SIGTERM, and returns its whole log.
    pub fn stop(mut self) -> String {
        self.terminate();
        assert!(self.child.wait().unwrap().success());
        self.log_reader.take().unwrap().join().unwrap();
        self.log()
    }

    /// Waits until it exits: exit code and time.
    pub async fn wait(mut self) -> (Option<i32>, Duration) {
        let start = Instant::now();
        tokio::task::spawn_blocking(move || (self.child.wait().unwrap().code(), start.elapsed())).await.unwrap()
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A value of the exporter's own metrics.
pub fn sample(metrics: &str, name: &str) -> u64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(&format!("token_expiry_exporter_{name} ")));
    line.unwrap_or_else(|| panic!("no {name} in {metrics}")).parse().unwrap()
}

/// Sends bytes and reads until the server closes the connection; empty if it does not accept one.
pub async fn exchange(address: SocketAddr, request: &str) -> String {
    let Ok(mut stream) = TcpStream::connect(address).await else { return String::new() };
    let mut response = Vec::new();
    let exchanged = async {
        // A server that has responded may not read the rest.
        drop(stream.write_all(request.as_bytes()).await);
        drop(stream.read_to_end(&mut response).await);
    };
    tokio::time::timeout(Duration::from_secs(60), exchanged).await.expect("the connection is closed");
    String::from_utf8_lossy(&response).into_owned()
}
