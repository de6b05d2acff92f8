//! The Docker daemon of `tests/ship/with-docker.sh`, and containers that are removed with their test.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

/// The image under test.
pub const IMAGE: &str = "token-expiry-exporter:test";
/// A Debian with systemd and lintian.
pub const MACHINE: &str = "machine";

/// Runs a docker command, which may fail.
pub fn try_docker(args: &[&str]) -> Output {
    Command::new("docker").args(args).output().expect("docker: run `make ship`")
}

/// Runs a docker command and returns its output. Panics if it fails.
pub fn docker(args: &[&str]) -> String {
    let output = try_docker(args);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    assert!(output.status.success(), "docker {}: {}{}", args.join(" "), text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// The object of `docker KIND inspect NAME`.
pub fn inspect(kind: &str, name: &str) -> Value {
    let all: Value = serde_json::from_str(&docker(&[kind, "inspect", name])).unwrap();
    all[0].clone()
}

/// A container.
pub struct Container {
    pub id: String,
}

impl Container {
    /// Starts a container with the arguments of `docker run`.
    pub fn run(args: &[&str]) -> Self {
        Self { id: docker(&[&["run", "--detach"], args].concat()) }
    }

    /// Runs a command in the container and returns its exit code and output.
    pub fn exec(&self, command: &[&str]) -> (i32, String) {
        let output = try_docker(&[&["exec", self.id.as_str()], command].concat());
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8_lossy(&text).trim_end().to_owned())
    }

    /// Runs a shell command in the container and returns its output. Panics if it fails.
    pub fn sh(&self, command: &str) -> String {
        let (code, output) = self.exec(&["sh", "-ec", command]);
        assert_eq!(code, 0, "{command}:\n{output}");
        output
    }

    /// `/proc/PID/status` of its first process, as seen by the host.
    pub fn proc_status(&self) -> String {
        let pid = &inspect("container", &self.id)["State"]["Pid"];
        std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let output = try_docker(&["logs", "--tail", "40", &self.id]);
            println!("--- log of {}:\n{}", self.id, String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
        }
        try_docker(&["rm", "--force", "--volumes", &self.id]);
    }
}

/// The value of a field of `/proc/PID/status`.
pub fn field<'a>(status: &'a str, name: &str) -> &'a str {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name}")).trim()
}

/// The only file in `dist/` with this suffix.
pub fn dist_file(suffix: &str) -> PathBuf {
    let dir = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/dist"));
    let files = std::fs::read_dir(&dir).expect("dist/: run `make ship`").map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> = files.filter(|path| path.to_string_lossy().ends_with(suffix)).collect();
    assert_eq!(found.len(), 1, "{suffix}: {found:?}");
    found.remove(0)
}
