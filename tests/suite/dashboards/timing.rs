//! How long the queries of the dashboards take: `make bench-dashboards` runs this, and prints the table of
//! docs/dashboards.md. That none takes long, it asserts.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::board::boards;
use super::scrape::{Demo, Target, prometheus, wait};
use crate::equipment::client;

/// The company is this large; `TOKENS` says otherwise.
const TOKENS: &str = "10000";

#[tokio::test]
#[ignore = "takes minutes: make bench-dashboards"]
async fn every_query_is_answered_in_time() {
    let tokens = std::env::var("TOKENS").unwrap_or_else(|_| TOKENS.to_owned());
    let dir = tempfile::tempdir().unwrap();
    let demo = Demo::start(dir.path(), &["--tokens", &tokens, "--interval=60"]).await;
    let replica = demo.replica(dir.path()).await;
    let targets = [Target(&demo.exporter, BTreeMap::new()), Target(&replica, BTreeMap::new())];
    let prometheus = prometheus(dir.path(), &targets).await;
    wait(&prometheus, "token_source_up", 8).await;
    let mut tables = String::new();
    let (client, url) = (client(), format!("{}/api/v1/query", prometheus.url));
    let mut slowest = Duration::ZERO;
    for board in boards() {
        let head = "| panel | query | rows | median |\n|---|---|--:|--:|";
        writeln!(tables, "\n{}, {tokens} tokens\n\n{head}", board.name).unwrap();
        for asked in board.queries() {
            let text = board.filled(&asked.text, &[]);
            let mut rows = 0;
            let mut times = Vec::new();
            for _ in 0..5 {
                let begun = Instant::now();
                let reply = client.post(&url).form(&[("query", &text)]).send().await.unwrap().text().await.unwrap();
                times.push(begun.elapsed());
                let answer: Value = serde_json::from_str(&reply).unwrap();
                rows = answer["data"]["result"].as_array().unwrap_or_else(|| panic!("{text}: {reply}")).len();
            }
            times.sort();
            slowest = slowest.max(times[2]);
            let milliseconds = times[2].as_millis();
            writeln!(tables, "| {} | {} | {rows} | {milliseconds} ms |", asked.panel, asked.reference).unwrap();
        }
    }
    eprintln!("{tables}");
    assert!(slowest < Duration::from_secs(5), "the slowest takes {slowest:?}");
}
