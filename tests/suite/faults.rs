//! Whatever a provider, or what lies between, does: no token is lost, the right reason is counted, no credential goes
//! elsewhere, and the next good answer heals it.
//!
//! Every fault is a row of a matrix, which `docs/reliability.md` shows as this run has found it.

mod bao;
mod bombs;
mod certificates;
mod door;
mod fault;
mod http2;
mod inside;
mod names;
mod provider;
mod proxy;
mod rows;
mod scrape;
mod stage;
mod subject;
mod table;
mod trap;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use provider::CREDENTIAL;
use stage::Stage;
use subject::{Subject, write_files};

use crate::equipment::{Server, free_port, metrics};

/// For everything to go wrong, and to be well again.
const LONG: Duration = Duration::from_secs(90);

/// `FAULT='two scopes' cargo test --test suite faults::` tries only the rows that hold this text.
const ONLY: &str = "FAULT";

/// The exporter as its user starts it, with a proxy of the environment that nothing may reach.
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

/// What was seen of a number of sources, and what was wrong.
type Found = (Vec<Subject>, Vec<String>);

/// Puts one exporter under these faults until each has struck and is over.
async fn play(
    name: &'static str,
    rows: impl FnOnce(&mut Stage),
    check: impl FnOnce(&Server, &mut Vec<String>),
) -> Found {
    let mut stage = stage(rows).await;
    if stage.subjects.is_empty() {
        return Found::default();
    }
    let dir = stage.dir.path().to_owned();
    write_files(&dir, &stage.authority.pem);
    let exporter = exporter(&dir, &stage.config(), name).await;
    stage.names.are_in(dir.join("config.yaml"), stage.config(), &exporter.url);
    let begun = Instant::now();
    scrape::look(&mut stage.subjects, LONG, || scrape::scrape(&exporter)).await;
    eprintln!("{name}: {} sources in {:?}", stage.subjects.len(), begun.elapsed());

    let mut complaints = stage.complaints();
    for (what, text) in [("log", exporter.log()), ("metrics", metrics(&exporter).await)] {
        if text.contains(CREDENTIAL) {
            complaints.push(format!("the credential is in the {what}"));
        }
    }
    check(&exporter, &mut complaints);
    (stage.subjects, complaints)
}

/// A stage with these rows, or those of them that are asked for.
async fn stage(rows: impl FnOnce(&mut Stage)) -> Stage {
    let mut stage = Stage::new().await;
    rows(&mut stage);
    let only = std::env::var(ONLY).unwrap_or_default();
    stage.subjects.retain(|subject| subject.row.contains(&only));
    stage
}

/// What only a client, or a clock, of the test can show.
async fn play_inside() -> Found {
    let mut found = Found::default();
    let mut limits = stage(inside::absurd_limits).await;
    if !limits.subjects.is_empty() {
        inside::play_impatiently(&mut limits).await;
    }
    let mut stages = vec![limits];
    for (row, by) in [("the clock jumps a day ahead", 86_400), ("the clock jumps a day back", -86_400)] {
        let mut clock = None;
        let mut stage = stage(|stage| clock = Some(inside::clock(stage, row, by))).await;
        if !stage.subjects.is_empty() {
            inside::play(&mut stage, clock.unwrap()).await;
        }
        stages.push(stage);
    }
    for stage in stages {
        found.1.extend(stage.complaints());
        found.0.extend(stage.subjects);
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_fault_costs_a_token() {
    // One after the other: hundreds of sources at once would measure this machine, and not the exporter.
    let outside = async {
        let slow = |stage: &mut Stage| {
            rows::connections(stage);
            rows::slow_bodies(stage);
            rows::passing(stage);
            rows::limits(stage);
            rows::proxies(stage);
        };
        let quick = |stage: &mut Stage| {
            rows::bodies(stage);
            rows::statuses(stage);
            rows::pages(stage);
        };
        [
            play("faults on the way", slow, |_, _| {}).await,
            play("faults of names", rows::unknown_name, |_, _| {}).await,
            play("faults that are answers", quick, |_, _| {}).await,
            play("answers without end", bombs::rows, bombs::memory).await,
            play_inside().await,
        ]
    };
    let bao = async {
        let is_left_out = std::env::var(ONLY).is_ok_and(|only| !only.contains("OpenBao"));
        if is_left_out { Found::default() } else { bao::play().await }
    };
    let (outside, bao) = tokio::join!(outside, bao);
    let (mut subjects, mut complaints) = Found::default();
    for (more, further) in outside.into_iter().chain([bao]) {
        subjects.extend(more);
        complaints.extend(further);
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    if std::env::var_os(ONLY).is_none() {
        table::compare(&subjects);
    }
}
