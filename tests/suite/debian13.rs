//! Servers that need Debian 13: NetBox and Zabbix. `tests/tools/debian13.sh` runs them in namespaces of their own.

use std::path::Path;
use std::process::Command;

use crate::docs::repository;
use crate::test_servers::{Server, free_port, tool, wait_for};

/// Starts a server on a copy of the databases that its installation made.
pub async fn start(name: &'static str, dir: &Path, ready: &str) -> Server {
    let copied =
        Command::new("cp").arg("-a").arg(tool(&format!("../debian13/filled/{name}/."))).arg(dir).status().unwrap();
    assert!(copied.success());
    let port = free_port();
    let mut command = Command::new(repository().join("tests/tools/debian13.sh"));
    command.arg(name).arg(dir).arg(port.to_string());
    Server::start(name, command, dir, port, ready).await
}

/// Stops it, and waits until its database, which is a process of its own, stops too.
pub async fn stop(server: Server, dir: &Path) {
    let of_test = || {
        let names = std::fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path().join("cmdline"));
        let lines = names.filter_map(|name| std::fs::read_to_string(name).ok());
        lines.filter(|line| line.starts_with("postgres") && line.contains(dir.to_str().unwrap())).count()
    };
    assert!(of_test() > 0, "the database runs");
    drop(server);
    wait_for("no process is left", || async { (of_test() == 0).then_some(()) }).await;
}
