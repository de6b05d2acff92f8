//! The exporter's own metrics: counted where the events occur, and written at each scrape.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use parking_lot::Mutex;

use super::families::exporter;
use super::process::{process_metrics, started_at};
use super::text::{Format, Writer};

/// What was built.
#[derive(Clone, Copy, Debug)]
pub struct Build {
    pub version: &'static str,
    /// The commit; empty if unknown.
    pub revision: &'static str,
}

/// Counts a connection as open until it is dropped.
pub struct ConnectionGauge(#[expect(dead_code, reason = "only counted")] Arc<()>);

/// The metrics of this process.
pub struct ExporterMetrics {
    build: Build,
    /// The number of this shard, from 1, and the number of shards.
    shard: (u32, u32),
    started_at: Option<u64>,
    last_reload_succeeded: AtomicBool,
    /// Unix timestamp; 0 before the first load.
    last_successful_reload: AtomicI64,
    storage_failures: AtomicU64,
    /// By status code and path.
    http_requests: Mutex<BTreeMap<(u16, String), u64>>,
    /// One reference more than there are open connections.
    open_connections: Arc<()>,
    /// By cause.
    closed_connections: Mutex<BTreeMap<&'static str, u64>>,
    web_config_is_valid: AtomicBool,
}

impl ExporterMetrics {
    /// `shard` is the number of this shard, from 1, and the number of shards.
    pub fn new(build: Build, shard: (u32, u32)) -> Self {
        Self {
            build,
            shard,
            started_at: started_at(),
            last_reload_succeeded: AtomicBool::default(),
            last_successful_reload: AtomicI64::default(),
            storage_failures: AtomicU64::default(),
            http_requests: Mutex::default(),
            open_connections: Arc::default(),
            closed_connections: Mutex::default(),
            web_config_is_valid: AtomicBool::new(true),
        }
    }

    /// The configuration was loaded, at the start or by a reload.
    pub fn reload_succeeded(&self, now: DateTime<Utc>) {
        self.last_reload_succeeded.store(true, Ordering::Relaxed);
        self.last_successful_reload.store(now.timestamp(), Ordering::Relaxed);
    }

    pub fn reload_failed(&self) {
        self.last_reload_succeeded.store(false, Ordering::Relaxed);
    }

    pub fn storage_failed(&self) {
        self.storage_failures.fetch_add(1, Ordering::Relaxed);
    }

    /// `path` must be from a closed list.
    pub fn request_served(&self, path: &str, code: u16) {
        *self.http_requests.lock().entry((code, path.to_owned())).or_default() += 1;
    }

    pub fn connection_opened(&self) -> ConnectionGauge {
        ConnectionGauge(Arc::clone(&self.open_connections))
    }

    /// Exposes the values of the label `cause` at 0.
    pub fn declare_close_causes(&self, causes: impl IntoIterator<Item = &'static str>) {
        self.closed_connections.lock().extend(causes.into_iter().map(|cause| (cause, 0)));
    }

    /// The server closed a connection because of its client.
    pub fn connection_closed(&self, cause: &'static str) {
        *self.closed_connections.lock().entry(cause).or_default() += 1;
    }

    /// The web configuration was read.
    pub fn web_config_read(&self, is_valid: bool) {
        self.web_config_is_valid.store(is_valid, Ordering::Relaxed);
    }

    /// The last part of the exposition.
    pub(super) fn text(&self, format: Format) -> String {
        let mut to = Writer::new(format);
        for (name, help, kind, value) in process_metrics(self.started_at) {
            to.process_metric(name, kind, help, value);
        }
        to.sample(&exporter::BUILD_INFO).values([self.build.revision, self.build.version]).value(1);
        to.sample(&exporter::SHARDS).values([&*self.shard.0.to_string()]).value(u64::from(self.shard.1));
        to.sample(&exporter::RELOAD_SUCCESSFUL).value(u64::from(self.last_reload_succeeded.load(Ordering::Relaxed)));
        let reload = self.last_successful_reload.load(Ordering::Relaxed);
        to.sample(&exporter::RELOAD_SUCCESS).value(DateTime::from_timestamp(reload, 0).unwrap_or_default());
        to.sample(&exporter::STORAGE_FAILURES).value(self.storage_failures.load(Ordering::Relaxed));
        for ((code, path), count) in &*self.http_requests.lock() {
            to.sample(&exporter::HTTP_REQUESTS).values([&*code.to_string(), path]).value(*count);
        }
        to.sample(&exporter::HTTP_CONNECTIONS).value(Arc::strong_count(&self.open_connections) as u64 - 1);
        for (cause, count) in &*self.closed_connections.lock() {
            to.sample(&exporter::HTTP_CLOSED).values([*cause]).value(*count);
        }
        to.sample(&exporter::WEB_CONFIG_SUCCESSFUL).value(u64::from(self.web_config_is_valid.load(Ordering::Relaxed)));
        to.into_last_text()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn metrics() -> ExporterMetrics {
        let metrics = ExporterMetrics::new(Build { version: "1.2.3", revision: "" }, (2, 3));
        metrics.reload_succeeded(DateTime::from_timestamp(1_760_000_000, 5).unwrap());
        metrics.reload_failed();
        metrics.storage_failed();
        metrics.request_served("/metrics", 200);
        metrics.request_served("other", 404);
        metrics.declare_close_causes(["full", "malformed"]);
        metrics.connection_closed("full");
        metrics
    }

    fn without_process_metrics(text: &str) -> String {
        text.lines().filter(|line| !line.contains("process_")).map(|line| format!("{line}\n")).collect()
    }

    #[test]
    fn exporter_metrics_are_written_in_the_text_format() {
        let metrics = metrics();
        let _open = [metrics.connection_opened(), metrics.connection_opened()];
        drop(metrics.connection_opened());
        let text = metrics.text(Format::Text);
        assert!(text.contains("\n# TYPE process_cpu_seconds_total counter\n"), "{text}");
        insta::assert_snapshot!(without_process_metrics(&text), @r#"
        # HELP token_expiry_exporter_build_info Version and revision of the exporter; always 1.
        # TYPE token_expiry_exporter_build_info gauge
        token_expiry_exporter_build_info{version="1.2.3"} 1
        # HELP token_expiry_exporter_shards Number of shards; the label is the number of this process.
        # TYPE token_expiry_exporter_shards gauge
        token_expiry_exporter_shards{shard="2"} 3
        # HELP token_expiry_exporter_config_last_reload_successful 1 if the last configuration reload succeeded, 0 if not; the previous configuration then stays active.
        # TYPE token_expiry_exporter_config_last_reload_successful gauge
        token_expiry_exporter_config_last_reload_successful 0
        # HELP token_expiry_exporter_config_last_reload_success_timestamp_seconds Unix timestamp of the last successful configuration reload.
        # TYPE token_expiry_exporter_config_last_reload_success_timestamp_seconds gauge
        token_expiry_exporter_config_last_reload_success_timestamp_seconds 1760000000
        # HELP token_expiry_exporter_storage_failures_total Failures to read or write the persisted inventory.
        # TYPE token_expiry_exporter_storage_failures_total counter
        token_expiry_exporter_storage_failures_total 1
        # HELP token_expiry_exporter_http_requests_total HTTP requests served, by path and status code.
        # TYPE token_expiry_exporter_http_requests_total counter
        token_expiry_exporter_http_requests_total{code="200",path="/metrics"} 1
        token_expiry_exporter_http_requests_total{code="404",path="other"} 1
        # HELP token_expiry_exporter_http_connections Open HTTP connections.
        # TYPE token_expiry_exporter_http_connections gauge
        token_expiry_exporter_http_connections 2
        # HELP token_expiry_exporter_http_connections_closed_total HTTP connections closed because of client behaviour, by cause.
        # TYPE token_expiry_exporter_http_connections_closed_total counter
        token_expiry_exporter_http_connections_closed_total{cause="full"} 1
        token_expiry_exporter_http_connections_closed_total{cause="malformed"} 0
        # HELP token_expiry_exporter_web_config_last_read_successful 1 if the web configuration was valid when last read, 0 if not; the previous one then stays active.
        # TYPE token_expiry_exporter_web_config_last_read_successful gauge
        token_expiry_exporter_web_config_last_read_successful 1
        "#);
    }

    #[test]
    fn openmetrics_counters_lack_the_suffix_and_the_end_is_marked() {
        let text = metrics().text(Format::OpenMetrics);
        assert!(text.contains("\n# TYPE process_cpu_seconds counter\nprocess_cpu_seconds_total "), "{text}");
        assert!(text.ends_with("token_expiry_exporter_web_config_last_read_successful 1\n# EOF\n"), "{text}");
    }
}
