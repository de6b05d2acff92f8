//! Scrapes an exporter until every source has recovered from its fault.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::{Duration, Instant};

use super::source::{Observation, SourceUnderTest};
use crate::test_servers::{LIMIT, Server, metrics, samples};

/// Observes the sources until all have recovered, or until the limit.
pub(super) async fn observe<F: Future<Output = BTreeMap<String, Observation>>>(
    sources: &mut [SourceUnderTest],
    scrape: impl Fn() -> F,
) {
    let begun = Instant::now();
    while !sources.iter().all(SourceUnderTest::is_done) && begun.elapsed() < LIMIT {
        let mut seen = scrape().await;
        for source in sources.iter_mut() {
            source.observe(seen.remove(&source.name).unwrap_or_default());
        }
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
}

/// What an exporter's metrics show of each source.
pub(super) async fn scrape(exporter: &Server) -> BTreeMap<String, Observation> {
    let exposition = metrics(exporter).await;
    let mut all: BTreeMap<String, Observation> = BTreeMap::new();
    let lines: Vec<&str> = exposition.lines().collect();
    let of = |metric: &str| {
        // Only the lines of the metric: there are tens of thousands of others.
        let start = format!("{metric}{{");
        let own: Vec<&str> = lines.iter().copied().filter(|line| line.starts_with(&start)).collect();
        samples(&own.join("\n"), metric)
    };
    for sample in of("token_info") {
        all.entry(sample.label("source").into()).or_default().tokens.insert(sample.label("token_id").into());
    }
    for sample in of("token_source_up") {
        all.entry(sample.label("source").into()).or_default().up = Some(sample.value);
    }
    for sample in of("token_source_gaps").iter().filter(|sample| sample.value > 0.0) {
        let gaps = &mut all.entry(sample.label("source").into()).or_default().gaps;
        *gaps.entry(sample.label("reason").into()).or_default() += sample.value;
    }
    for sample in of("token_source_failures_total") {
        let failures = &mut all.entry(sample.label("source").into()).or_default().failures;
        failures.insert(sample.label("reason").into(), sample.value);
    }
    all
}
