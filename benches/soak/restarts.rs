//! Time until the first complete scrape after a restart while the provider is down.

use std::io::Read as _;
use std::time::{Duration, Instant};

use chrono::Utc;
use reqwest::Client;

use crate::report::Row;
use crate::stub_provider::{Org, ProviderFault, StubProvider};
use crate::test_servers::{Server, free_port, metrics, persisted, samples, wait_for};

/// The promise, in seconds: from the start of the process to the last byte of a complete scrape.
const MAX_SECONDS: f64 = 1.0;
/// The best of these counts, as other load can only slow the exporter down.
const TRIES: usize = 5;

/// The command of an exporter with its files in `dir`.
pub(crate) fn command(dir: &std::path::Path, port: u16) -> std::process::Command {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter"));
    command.args(["serve", "--config.file=config.yaml", "--storage.path=inventory", "--web.enable-lifecycle"]);
    command.arg(format!("--web.listen-address=127.0.0.1:{port}")).current_dir(dir);
    command
}

/// A directory with a configuration and a credential.
pub(crate) fn config_dir(config: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("config.yaml"), config).unwrap();
    std::fs::write(dir.path().join("key"), "a-key").unwrap();
    dir
}

/// Status and compressed body of a response.
async fn get(client: &Client, url: &str) -> Option<(u16, Vec<u8>)> {
    let response = client.get(url).header("Accept-Encoding", "gzip").send().await.ok()?;
    Some((response.status().as_u16(), response.bytes().await.ok()?.to_vec()))
}

async fn measure(tokens: u32) -> Row {
    let stub = StubProvider::start([("main", Org::with(tokens, Utc::now().timestamp()))]).await;
    let dir = config_dir(&format!("sources: [{}]\n", stub.source("main", "1h")));
    let port = free_port();
    let token_count = |page: &str| samples(page, "token_expiry_timestamp_seconds").len();
    let start = || Server::start("token-expiry-exporter", command(dir.path(), port), dir.path(), port, "/-/healthy");
    let exporter = start().await;
    wait_for("the tokens", || async { (token_count(&metrics(&exporter).await) == tokens as usize).then_some(()) })
        .await;
    let inventory = dir.path().join("inventory");
    let is_saved = || async { (persisted(&inventory, "main")?.len() == tokens as usize).then_some(()) };
    wait_for("the file", is_saved).await;
    drop(exporter);
    stub.org("main", |org| org.fault = Some(ProviderFault::Silence));
    let megabytes = std::fs::metadata(inventory.join("inventory-main.tokens")).unwrap().len() as f64 / 1e6;

    // Create the client before the measurement starts.
    let client = Client::builder().no_proxy().no_gzip().build().unwrap();
    let mut seconds: Vec<f64> = Vec::new();
    for _ in 0..TRIES {
        let mut exporter = command(dir.path(), port);
        let begun = Instant::now();
        let mut exporter = exporter.stderr(std::process::Stdio::null()).spawn().unwrap();
        let base = format!("http://127.0.0.1:{port}");
        let page = loop {
            match get(&client, &format!("{base}/metrics")).await {
                Some((200, page)) => break page,
                _ => tokio::time::sleep(Duration::from_millis(2)).await,
            }
        };
        seconds.push(begun.elapsed().as_secs_f64());
        let mut text = String::new();
        flate2::read::MultiGzDecoder::new(&page[..]).read_to_string(&mut text).unwrap();
        assert_eq!(token_count(&text), tokens as usize, "the first scrape is incomplete");
        assert_eq!(get(&client, &format!("{base}/-/ready")).await.unwrap().0, 200);
        exporter.kill().unwrap();
        exporter.wait().unwrap();
    }
    seconds.sort_by(f64::total_cmp);
    let what = format!(
        "restart while the provider is down, {tokens} tokens ({megabytes:.0} MB on disk): time until ready and the first scrape complete; best of {TRIES}"
    );
    Row::most(what, seconds[0], MAX_SECONDS, "s")
}

pub(crate) async fn run() -> Vec<Row> {
    vec![measure(10_000).await, measure(100_000).await]
}
