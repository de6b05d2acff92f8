//! Measures the dashboard queries: `make bench-dashboards` runs this and prints the table of docs/dashboards.md. Fails if a
//! query is slow.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::dashboard::dashboards;
use super::scrape::{Demo, Target, prometheus, wait};
use crate::test_servers::client;

/// Number of tokens, unless `TOKENS` is set.
const TOKENS: &str = "10000";

#[tokio::test]
#[ignore = "takes minutes: make bench-dashboards"]
async fn queries_take_less_than_five_seconds() {
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
    for dashboard in dashboards() {
        let head = "| panel | query | rows | median |\n|---|---|--:|--:|";
        writeln!(tables, "\n{}, {tokens} tokens\n\n{head}", dashboard.name).unwrap();
        for query in dashboard.queries() {
            let text = dashboard.interpolate(&query.text, &[]);
            let mut rows = 0;
            let mut times = Vec::new();
            for _ in 0..5 {
                let start = Instant::now();
                let reply = client.post(&url).form(&[("query", &text)]).send().await.unwrap().text().await.unwrap();
                times.push(start.elapsed());
                let response: Value = serde_json::from_str(&reply).unwrap();
                rows = response["data"]["result"].as_array().unwrap_or_else(|| panic!("{text}: {reply}")).len();
            }
            times.sort();
            slowest = slowest.max(times[2]);
            let milliseconds = times[2].as_millis();
            writeln!(tables, "| {} | {} | {rows} | {milliseconds} ms |", query.panel, query.reference).unwrap();
        }
    }
    eprintln!("{tables}");
    assert!(slowest < Duration::from_secs(5), "the slowest takes {slowest:?}");
}
