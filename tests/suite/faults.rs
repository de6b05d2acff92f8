//! Faults of providers, networks and proxies: no token is lost, the right reason is counted, no credential is sent to a different
//! origin, and the next complete response clears the failure.
//!
//! Every fault is a row of a matrix; `docs/reliability.md` shows its results.

mod cases;
mod certificates;
mod fault;
mod foreign_origin;
mod host_names;
mod http2;
mod in_process;
mod openbao;
mod provider;
mod proxy;
mod report;
mod scrape;
mod server;
mod source;
mod testbed;
mod unbounded;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use chrono::Utc;
use provider::CREDENTIAL;
use source::{SourceUnderTest, write_files};
use testbed::Testbed;

use crate::test_servers::{Server, free_port, metrics};

/// `FAULT='HTTP/2' cargo test --test suite -- faults::` tests only rows that contain this text.
const ONLY: &str = "FAULT";

/// The exporter as users start it; environment variables for proxies do not apply.
async fn exporter(dir: &Path, config: &str, name: &'static str) -> Server {
    let port = free_port();
    std::fs::write(dir.join("config.yaml"), config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter"));
    command
        .arg("serve")
        .arg(format!("--config.file={}", dir.join("config.yaml").display()))
        .arg(format!("--providers.dir={}", dir.join("providers").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .arg("--web.enable-lifecycle")
        .arg("--log.level=debug")
        .env("NO_PROXY", "*");
    Server::start(name, command, dir, port, "/-/healthy").await
}

/// The sources and the problems.
type Found = (Vec<SourceUnderTest>, Vec<String>);

/// Runs one exporter with these faults until all sources have recovered.
async fn run(
    name: &'static str,
    cases: impl FnOnce(&mut Testbed),
    check: impl FnOnce(&Server, &mut Vec<String>),
) -> Found {
    let mut testbed = testbed(cases).await;
    if testbed.sources.is_empty() {
        return Found::default();
    }
    let dir = testbed.dir.path().to_owned();
    write_files(&dir, &testbed.ca.pem);
    let exporter = exporter(&dir, &testbed.config(), name).await;
    testbed.host_names.set_config(dir.join("config.yaml"), testbed.config(), &exporter.url);
    let begun = Instant::now();
    scrape::observe(&mut testbed.sources, || scrape::scrape(&exporter)).await;
    eprintln!("{name}: {} sources in {:?}", testbed.sources.len(), begun.elapsed());

    let mut problems = testbed.problems();
    for (output, text) in [("log", exporter.log()), ("metrics", metrics(&exporter).await)] {
        if text.contains(CREDENTIAL) {
            problems.push(format!("the credential is in the {output}"));
        }
    }
    check(&exporter, &mut problems);
    problems.iter().for_each(|problem| eprintln!("{problem}"));
    (testbed.sources, problems)
}

/// A testbed with those of these cases that `FAULT` selects.
async fn testbed(cases: impl FnOnce(&mut Testbed)) -> Testbed {
    let mut testbed = Testbed::new().await;
    cases(&mut testbed);
    let only = std::env::var(ONLY).unwrap_or_default();
    testbed.sources.retain(|source| source.row.contains(&only));
    testbed
}

/// Faults that need a client or a clock of the test.
async fn run_in_process() -> Found {
    let mut found = Found::default();
    let mut limits = testbed(in_process::absurd_limits).await;
    if !limits.sources.is_empty() {
        in_process::run_with_max_wait(&mut limits).await;
    }
    let mut many = testbed(cases::one_of_many).await;
    if !many.sources.is_empty() {
        in_process::run(&mut many, Arc::new(Utc::now)).await;
    }
    let mut testbeds = vec![limits, many];
    for (row, by) in [("clock jumps a day ahead", 86_400), ("clock jumps a day back", -86_400)] {
        let mut clock = None;
        let mut testbed = testbed(|testbed| clock = Some(in_process::clock(testbed, row, by))).await;
        if !testbed.sources.is_empty() {
            in_process::run(&mut testbed, clock.unwrap()).await;
        }
        testbeds.push(testbed);
    }
    let mut clock = None;
    let mut password = testbed(|testbed| clock = Some(in_process::refused_password(testbed))).await;
    if !password.sources.is_empty() {
        in_process::run(&mut password, clock.unwrap()).await;
        let logins: u64 = password.sources.iter().map(|source| source.switch.hits()).sum();
        if logins != 1 {
            found.1.push(format!("the refused password was sent {logins} times"));
        }
    }
    testbeds.push(password);
    for testbed in testbeds {
        found.1.extend(testbed.problems());
        found.0.extend(testbed.sources);
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exporter_keeps_all_tokens_during_every_fault() {
    // Not all at once: hundreds of sources would test the machine instead of the exporter.
    let outside = async {
        let slow_cases = |testbed: &mut Testbed| {
            cases::connections(testbed);
            cases::slow_bodies(testbed);
            cases::retried_statuses(testbed);
            cases::rate_limits(testbed);
            cases::proxies(testbed);
        };
        let quick_cases = |testbed: &mut Testbed| {
            cases::bodies(testbed);
            cases::statuses(testbed);
            cases::pages(testbed);
        };
        [
            run("connection-faults", slow_cases, |_, _| {}).await,
            run("name-faults", cases::unknown_name, |_, _| {}).await,
            run("response-faults", quick_cases, |_, _| {}).await,
            run("unbounded-responses", unbounded::cases, unbounded::check_memory).await,
            run_in_process().await,
        ]
    };
    let openbao = async {
        let is_excluded = std::env::var(ONLY).is_ok_and(|only| !only.contains("OpenBao"));
        if is_excluded { Found::default() } else { openbao::run().await }
    };
    let (outside, openbao) = tokio::join!(outside, openbao);
    let (mut sources, mut problems) = Found::default();
    for (found, more_problems) in outside.into_iter().chain([openbao]) {
        sources.extend(found);
        problems.extend(more_problems);
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    if std::env::var_os(ONLY).is_none() {
        report::compare(&sources);
    }
}
