//! Scrapes by the thousand.

use std::time::Duration;

use reqwest::Client;
use tokio::time::{Instant, interval};

use crate::table::Row;

const CLIENTS: u32 = 32;
const PER_SECOND: u32 = 1_000;

/// Asks so often for a while, compressed as Prometheus asks.
pub(crate) async fn run(what: &str, url: String, lasting: Duration, least: f64) -> Vec<Row> {
    let until = Instant::now() + lasting;
    let clients = (0..CLIENTS).map(|_| tokio::spawn(ask(url.clone(), until)));
    let mut took: Vec<f64> = Vec::new();
    let (mut refused, mut bytes) = (0, 0);
    for client in clients.collect::<Vec<_>>() {
        let asked = client.await.unwrap();
        took.extend(asked.took);
        refused += asked.refused;
        bytes = bytes.max(asked.bytes);
    }
    took.sort_by(f64::total_cmp);
    let rate = took.len() as f64 / lasting.as_secs_f64();
    let worst = took.get(took.len() * 99 / 100).copied().unwrap_or(f64::INFINITY);
    let kilobytes = bytes as f64 / 1e3;
    let bound = if least > 0.0 { format!("at least {least:.0}/s") } else { String::new() };
    vec![
        Row {
            what: format!("{what}: scrapes answered, {kilobytes:.0} kB each"),
            measured: format!("{rate:.0}/s, 99 % within {:.0} ms", worst * 1e3),
            bound,
            held: rate >= least,
        },
        Row::count(&format!("{what}: scrapes refused or broken off"), refused, 0),
    ]
}

#[derive(Default)]
struct Asked {
    took: Vec<f64>,
    refused: u64,
    bytes: usize,
}

async fn ask(url: String, until: Instant) -> Asked {
    // What comes is not decompressed here.
    let client = Client::builder().no_proxy().no_gzip().build().unwrap();
    let mut asked = Asked::default();
    let mut turns = interval(Duration::from_secs(1) * CLIENTS / PER_SECOND);
    while Instant::now() < until {
        turns.tick().await;
        let begun = Instant::now();
        let reply = client.get(&url).header("Accept-Encoding", "gzip").send().await;
        let body = match reply {
            Ok(reply) if reply.status().is_success() => reply.bytes().await.ok(),
            _ => None,
        };
        match body {
            Some(body) => {
                asked.took.push(begun.elapsed().as_secs_f64());
                asked.bytes = body.len();
            }
            None => asked.refused += 1,
        }
    }
    asked
}
