//! The program itself, in a process of its own, at ports that the system chooses.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::server::choose_cryptography;

/// A program that runs, and is killed with the test.
pub struct ExporterMetrics {
    child: Child,
    log: Arc<Mutex<String>>,
    /// Where everything is answered.
    pub addresses: Vec<SocketAddr>,
    /// Where probes are answered.
    pub probes: SocketAddr,
    folder: tempfile::TempDir,
}

/// How it is started.
pub struct Start {
    folder: tempfile::TempDir,
    tokens: usize,
    args: Vec<String>,
    addresses: usize,
}

impl Start {
    /// With a few tokens, and no guard.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), tokens: 3, args: Vec::new(), addresses: 1 }
    }

    /// With so many tokens. Each takes around 2 KB of the page.
    pub fn tokens(mut self, tokens: usize) -> Self {
        self.tokens = tokens;
        self
    }

    pub fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.to_owned());
        self
    }

    /// Listens at so many addresses.
    pub fn addresses(mut self, addresses: usize) -> Self {
        self.addresses = addresses;
        self
    }

    /// The folder of its files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// With a file beside the configuration.
    pub fn file(self, name: &str, content: &str) -> Self {
        std::fs::write(self.folder.path().join(name), content).unwrap();
        self
    }

    /// With a web configuration.
    pub fn guarded(self, content: &str) -> Self {
        let arg = format!("--web.config.file={}", self.folder.path().join("web.yaml").display());
        self.file("web.yaml", content).arg(&arg)
    }

    /// Starts it, and waits until it is ready.
    pub async fn go(self) -> ExporterMetrics {
        choose_cryptography();
        let mut tokens = String::from("tokens:\n");
        for number in 0..self.tokens {
            let name = format!("{number:-<200}");
            writeln!(tokens, "  - {{id: t{number}, name: '{name}', kind: license, expires: 2999-01-01}}").unwrap();
        }
        std::fs::write(self.folder().join("tokens.yaml"), tokens).unwrap();
        let source = format!("{{name: by-hand, provider: manual, file: '{}/tokens.yaml'}}", self.folder().display());
        std::fs::write(self.folder().join("config.yaml"), format!("sources:\n  - {source}\n")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter"));
        command.arg(format!("--config.file={}/config.yaml", self.folder().display())).args(&self.args);
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
        let probes = addresses.pop().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let written = Arc::clone(&log);
        std::thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| writeln!(written.lock().unwrap(), "{line}").unwrap());
        });
        let program = ExporterMetrics { child, log, addresses, probes, folder: self.folder };
        let patience = Instant::now() + Duration::from_secs(60);
        while !program.probe("/-/ready").await.starts_with("HTTP/1.1 200") {
            assert!(Instant::now() < patience, "not ready: {}", program.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        program
    }
}

impl ExporterMetrics {
    pub fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// All that it has logged so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// An answer at the address for probes, or nothing.
    pub async fn probe(&self, path: &str) -> String {
        exchange(self.probes, &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).await
    }

    /// The metrics, as Prometheus would have them but for the compression.
    pub async fn metrics(&self) -> String {
        exchange(self.address(), "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await
    }

    /// How many connections were closed for this cause, as the metrics say.
    pub async fn closed(&self, cause: &str) -> u64 {
        sample(&self.metrics().await, &format!("http_connections_closed_total{{cause=\"{cause}\"}}"))
    }

    /// The processor time that it has taken, in hundredths of a second.
    pub fn spent(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        // `utime` and `stime` of proc(5), of which the third field is the first here.
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    /// The memory that it holds, in MiB.
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1_024
    }

    /// Asks it to stop as Kubernetes does.
    pub fn terminate(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    /// Waits for its end: its code, and how long it took.
    pub async fn end(mut self) -> (Option<i32>, Duration) {
        let begun = Instant::now();
        tokio::task::spawn_blocking(move || (self.child.wait().unwrap().code(), begun.elapsed())).await.unwrap()
    }
}

impl Drop for ExporterMetrics {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A sample of the program's own metrics.
pub fn sample(metrics: &str, name: &str) -> u64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(&format!("token_expiry_exporter_{name} ")));
    line.unwrap_or_else(|| panic!("no {name} in {metrics}")).parse().unwrap()
}

/// Sends bytes as they are, and reads to the end of the connection; nothing where that is refused.
pub async fn exchange(address: SocketAddr, request: &str) -> String {
    let Ok(mut stream) = TcpStream::connect(address).await else { return String::new() };
    let mut answer = Vec::new();
    let exchanged = async {
        // A server that has answered already may not read the rest.
        drop(stream.write_all(request.as_bytes()).await);
        drop(stream.read_to_end(&mut answer).await);
    };
    tokio::time::timeout(Duration::from_secs(60), exchanged).await.expect("an end of the connection");
    String::from_utf8_lossy(&answer).into_owned()
}
