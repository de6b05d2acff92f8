//! kill -9 at random times, mostly while the inventory is being saved.

use std::time::Duration;

use chrono::Utc;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use token_expiry_exporter::storage::Store;

use crate::report::Row;
use crate::restarts::{command, config_dir};
use crate::stub_provider::{Org, StubProvider};
use crate::test_servers::{client, free_port, samples};

const TOKENS: u32 = 1_000;

/// The number of tokens, and the number of the list response that they all come from, if it is the same.
fn list_number<'a>(names: impl Iterator<Item = &'a str>) -> (usize, Option<u64>) {
    let lists: Vec<u64> = names.map(|name| name.rsplit(' ').next().unwrap().parse().unwrap()).collect();
    let same = lists.windows(2).all(|pair| pair[0] == pair[1]);
    (lists.len(), lists.first().copied().filter(|_| same))
}

pub(crate) async fn run(seed: u64, kills: u64) -> Vec<Row> {
    let org = Org::with(TOKENS, Utc::now().timestamp()).numbered();
    let stub = StubProvider::start([("main", org)]).await;
    let dir = config_dir(&format!("sources: [{}]\n", stub.source("main", "1s")));
    let (port, client) = (free_port(), client());
    let url = format!("http://127.0.0.1:{port}/metrics");
    let mut rng = StdRng::seed_from_u64(seed.wrapping_add(3_000));
    let (mut unreadable, mut lost, mut late, mut longest) = (0, 0, 0, 0);
    for kill in 0..kills {
        let earlier = stub.org("main", |org| org.lists);
        let mut exporter = command(dir.path(), port).stderr(std::process::Stdio::null()).spawn().unwrap();
        let scrape = async || {
            let page = client.get(&url).send().await.ok()?.error_for_status().ok()?.text().await.ok()?;
            let shown = samples(&page, "token_expiry_timestamp_seconds");
            Some(list_number(shown.iter().map(|token| token.label("token_name"))))
        };
        let mut shown = loop {
            match scrape().await {
                Some(shown) if shown.0 > 0 || kill > 0 => break shown,
                _ => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        };
        lost += u64::from(shown.0 != TOKENS as usize);
        if rng.random_bool(0.8) {
            // A new list is saved as soon as a scrape returns it.
            tokio::time::sleep(Duration::from_micros(rng.random_range(0..400_000))).await;
            shown = scrape().await.unwrap_or(shown);
        }
        exporter.kill().unwrap();
        exporter.wait().unwrap();
        let stored = Store::new(dir.path().join("inventory")).load("main");
        match stored.tokens.filter(|_| stored.problems.is_empty()) {
            None => unreadable += u64::from(kill > 0),
            Some(tokens) => {
                let tokens: Vec<_> = tokens.iter().map(|token| serde_json::to_value(token).unwrap()).collect();
                let (count, stored) = list_number(tokens.iter().map(|entry| entry["token"]["name"].as_str().unwrap()));
                lost += u64::from(count != TOKENS as usize);
                // Only lists that this process collected.
                let behind = shown.1.unwrap().saturating_sub(stored.unwrap().max(earlier));
                longest = longest.max(behind);
                late += u64::from(behind > 1);
            }
        }
    }
    vec![
        Row::least(format!("kills of an exporter that saves {TOKENS} tokens every second"), kills, kills),
        Row::count("kills that left an unreadable inventory", unreadable, 0),
        Row::count("kills that lost a token, on disk or in the first scrape afterwards", lost, 0),
        Row::count("kills that lost more than the last collection", late, 0),
        Row::most("maximum collections lost by a kill", longest as f64, 1.0, "collections"),
    ]
}
