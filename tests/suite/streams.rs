//! Standard output and standard error that cannot be written: a full disk, a reader that has gone, a reader that does not read.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::test_servers::{LIMIT, free_port};

/// More than a pipe holds.
const PIPE: usize = 64 << 10;
const LOST: &str = "token_expiry_exporter_log_lines_lost_total";
const NO_SPACE: &str = "cannot write to standard output: No space left on device";

fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter"));
    command.args(args).stdin(Stdio::null()).env_remove("HTTP_PROXY").env_remove("http_proxy");
    command
}

fn full_disk() -> File {
    OpenOptions::new().write(true).open("/dev/full").unwrap()
}

fn config(dir: &Path, tokens: usize) -> PathBuf {
    let mut text = "sources:\n  - name: hand\n    provider: manual\n    tokens:\n".to_owned();
    for token in 0..tokens {
        text += &format!("      - {{name: token-{token}, expires: 2020-03-01, owner: x}}\n");
    }
    let file = dir.join("config.yaml");
    std::fs::write(&file, text).unwrap();
    file
}

/// A running exporter with this standard error.
struct Serving {
    child: Child,
    port: u16,
}

impl Serving {
    fn start(dir: &Path, log: impl Into<Stdio>) -> Self {
        let port = free_port();
        let address = format!("127.0.0.1:{port}");
        let file = config(dir, 1);
        let child = program(&["--config.file", file.to_str().unwrap(), "--web.listen-address", &address])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut serving = Self { child, port };
        serving.wait_for("token_name=\"token-0\"");
        serving
    }

    fn get(&self) -> String {
        let Ok(mut stream) = std::net::TcpStream::connect(("127.0.0.1", self.port)) else { return String::new() };
        let mut response = String::new();
        // A process that is killed resets the connection.
        let _ = write!(stream, "GET /metrics HTTP/1.0\r\n\r\n")
            .and_then(|()| stream.read_to_string(&mut response).map(drop));
        response
    }

    /// Waits for a text in the metrics.
    fn wait_for(&mut self, text: &str) -> String {
        let deadline = Instant::now() + LIMIT;
        loop {
            let metrics = self.get();
            if metrics.contains(text) {
                return metrics;
            }
            let exited = self.child.try_wait().unwrap();
            assert!(exited.is_none() && Instant::now() < deadline, "{exited:?}, no {text}: {metrics}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn lost(&self) -> u64 {
        let metrics = self.get();
        let line = metrics.lines().find(|line| line.starts_with(&format!("{LOST} ")));
        line.unwrap_or_else(|| panic!("{metrics}")).rsplit(' ').next().unwrap().parse().unwrap()
    }

    fn wait_for_lost(&mut self, lines: u64) {
        let deadline = Instant::now() + LIMIT;
        while self.lost() < lines {
            assert!(Instant::now() < deadline, "{} lines lost, expected {lines}", self.lost());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Stops it; the exit code, which must come promptly.
    fn terminate(&mut self) -> Option<i32> {
        self.signal("TERM");
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "still running 10 s after SIGTERM");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn serve_continues_if_the_log_disk_is_full() {
    let dir = tempfile::tempdir().unwrap();
    let mut serving = Serving::start(dir.path(), full_disk());
    serving.wait_for_lost(1);
    let before = serving.lost();
    serving.signal("HUP");
    serving.wait_for_lost(before + 1);
    assert!(serving.get().contains("token_name=\"token-0\""));
    assert_eq!(serving.terminate(), Some(0));
}

#[test]
fn serve_continues_if_the_log_reader_has_gone() {
    let dir = tempfile::tempdir().unwrap();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut serving = Serving::start(dir.path(), writer);
    let mut first = [0; 3];
    reader.read_exact(&mut first).unwrap();
    assert_eq!((&first, serving.lost()), (b"ts=", 0));
    drop(reader);
    serving.signal("HUP");
    serving.wait_for_lost(1);
    assert!(serving.get().contains("token_name=\"token-0\""));
    assert_eq!(serving.terminate(), Some(0));
}

/// The reader hangs: the log waits for it, nothing else does. Once it reads again, it gets every line.
#[test]
fn serve_continues_if_nobody_reads_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(&vec![b'x'; PIPE]).unwrap();
    let mut serving = Serving::start(dir.path(), writer);
    config(dir.path(), 2);
    serving.signal("HUP");
    serving.wait_for("token_name=\"token-1\"");
    let mut filling = vec![0; PIPE];
    reader.read_exact(&mut filling).unwrap();
    let reading = std::thread::spawn(move || {
        let mut log = String::new();
        reader.read_to_string(&mut log).map(|_| log)
    });
    assert_eq!((serving.terminate(), serving.child.wait().unwrap().code()), (Some(0), Some(0)));
    let log = reading.join().unwrap().unwrap();
    for message in ["token-expiry-exporter starting", "configuration reloaded", "stopping"] {
        assert!(log.contains(message), "{message}: {log}");
    }
}

#[test]
fn serve_stops_in_time_if_nobody_reads_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let (_reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(&vec![b'x'; PIPE]).unwrap();
    assert_eq!(Serving::start(dir.path(), writer).terminate(), Some(0));
}

/// A process whose log file reaches `ulimit -f` gets a signal that kills it by default.
#[test]
fn serve_continues_if_the_log_file_reaches_its_size_limit() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let file = config(dir.path(), 1);
    let port = free_port();
    let child = Command::new("sh")
        .args(["-c", "ulimit -f 1; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_token-expiry-exporter")])
        .args(["--log.level=debug", "--config.file", file.to_str().unwrap()])
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stderr(File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let mut serving = Serving { child, port };
    serving.wait_for("token_name=\"token-0\"");
    // A busy process may answer several signals with one reload, and so log less.
    let deadline = Instant::now() + LIMIT;
    while serving.lost() == 0 {
        assert!(Instant::now() < deadline, "no line is lost");
        serving.signal("HUP");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(std::fs::read_to_string(&log).unwrap().contains("token-expiry-exporter starting"));
    assert_eq!(serving.terminate(), Some(0));
}

/// Every command that prints, each with more output than a buffer holds, or less.
fn commands(file: &str) -> Vec<Vec<&str>> {
    vec![
        vec!["list", "--config.file", file],
        vec!["list", "--config.file", file, "--output", "csv"],
        vec!["list", "--config.file", file, "--output", "json"],
        vec!["list", "--config.file", file, "--output", "prom"],
        vec!["check", "--config.file", file],
        vec!["check", "--online", "--config.file", file],
        vec!["schema"],
        vec!["schema", "--definitions"],
        vec!["providers"],
        vec!["providers", "vault"],
        vec!["demo", "--print-config"],
        vec!["demo", "--expect"],
        vec!["--help"],
        vec!["list", "--help"],
        vec!["--version"],
    ]
}

#[test]
fn commands_fail_if_the_output_disk_is_full() {
    let dir = tempfile::tempdir().unwrap();
    let file = config(dir.path(), 500);
    let mut commands = commands(file.to_str().unwrap());
    commands.push(vec!["demo", "--web.listen-address", "127.0.0.1:0"]);
    for args in commands {
        let Output { status, stderr, .. } = program(&args).stdout(full_disk()).output().unwrap();
        let stderr = String::from_utf8(stderr).unwrap();
        assert_eq!(status.code(), Some(4), "{args:?}: {stderr}");
        assert!(stderr.starts_with(NO_SPACE) && stderr.lines().count() == 1, "{args:?}: {stderr}");
    }
}

#[test]
fn commands_end_quietly_if_the_reader_of_their_output_has_gone() {
    let dir = tempfile::tempdir().unwrap();
    let file = config(dir.path(), 500);
    for args in commands(file.to_str().unwrap()) {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let Output { status, stderr, .. } = program(&args).stdout(writer).output().unwrap();
        assert_eq!((status.code(), String::from_utf8(stderr).unwrap()), (Some(0), String::new()), "{args:?}");
    }
    // The exit code still reports what the command found.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let args = ["list", "--fail-within", "7d", "--all", "--config.file", file.to_str().unwrap()];
    assert_eq!(program(&args).stdout(writer).output().unwrap().status.code(), Some(1));
}

/// The exit code is the only sign if standard error cannot be written either.
#[test]
fn commands_fail_with_their_code_if_no_stream_can_be_written() {
    let dir = tempfile::tempdir().unwrap();
    let file = config(dir.path(), 1);
    let missing = dir.path().join("missing.yaml");
    for (args, code) in [
        (vec!["list", "--config.file", file.to_str().unwrap()], 4),
        (vec!["check", "--config.file", missing.to_str().unwrap()], 2),
        (vec!["--config.file", missing.to_str().unwrap()], 2),
        (vec!["providers", "nobody"], 2),
        (vec!["--no-such-flag"], 2),
        (vec!["health", "127.0.0.1:1"], 1),
    ] {
        let status = program(&args).stdout(full_disk()).stderr(full_disk()).status().unwrap();
        assert_eq!(status.code(), Some(code), "{args:?}");
    }
}
