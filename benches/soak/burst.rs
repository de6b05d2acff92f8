//! 1,000 scrapes per second.

use std::time::Duration;

use reqwest::Client;
use tokio::time::{Instant, interval};

use crate::report::Row;

const CLIENTS: u32 = 32;
const PER_SECOND: u32 = 1_000;

/// Scrapes for a duration, with gzip as Prometheus does. `min_rate` is in scrapes per second; 0 promises none.
pub(crate) async fn run(what: &str, url: String, duration: Duration, min_rate: f64) -> Vec<Row> {
    let until = Instant::now() + duration;
    let clients = (0..CLIENTS).map(|_| tokio::spawn(scrape(url.clone(), until)));
    let mut seconds: Vec<f64> = Vec::new();
    let (mut failed, mut bytes) = (0, 0);
    for client in clients.collect::<Vec<_>>() {
        let scrapes = client.await.unwrap();
        seconds.extend(scrapes.seconds);
        failed += scrapes.failed;
        bytes = bytes.max(scrapes.bytes);
    }
    seconds.sort_by(f64::total_cmp);
    let rate = seconds.len() as f64 / duration.as_secs_f64();
    let p99 = seconds.get(seconds.len() * 99 / 100).copied().unwrap_or(f64::INFINITY);
    let kilobytes = bytes as f64 / 1e3;
    let bound = if min_rate > 0.0 { format!("at least {min_rate:.0}/s") } else { String::new() };
    vec![
        Row {
            what: format!("{what}: successful scrapes, {kilobytes:.0} kB each"),
            measured: format!("{rate:.0}/s, 99 % within {:.0} ms", p99 * 1e3),
            bound,
            held: rate >= min_rate,
        },
        Row::count(&format!("{what}: failed scrapes"), failed, 0),
    ]
}

#[derive(Default)]
struct Scrapes {
    seconds: Vec<f64>,
    failed: u64,
    bytes: usize,
}

async fn scrape(url: String, until: Instant) -> Scrapes {
    // Do not spend the CPU time of the exporter on decompression.
    let client = Client::builder().no_proxy().no_gzip().build().unwrap();
    let mut scrapes = Scrapes::default();
    let mut ticks = interval(Duration::from_secs(1) * CLIENTS / PER_SECOND);
    while Instant::now() < until {
        ticks.tick().await;
        let begun = Instant::now();
        let response = client.get(&url).header("Accept-Encoding", "gzip").send().await;
        let body = match response {
            Ok(response) if response.status().is_success() => response.bytes().await.ok(),
            _ => None,
        };
        match body {
            Some(body) => {
                scrapes.seconds.push(begun.elapsed().as_secs_f64());
                scrapes.bytes = body.len();
            }
            None => scrapes.failed += 1,
        }
    }
    scrapes
}
