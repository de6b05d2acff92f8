//! The exporter's own metrics: counted where the events occur, and written at each scrape.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Utc};
use prometheus::core::Collector;
use prometheus::proto::{MetricFamily, MetricType};
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use super::families::{FAMILIES, Family, exporter, fleet};
use super::process::{process_metrics, started_at};
use super::text::{Format, Writer};
use crate::core::fleet_status::{FleetStatus, Operation, SharedFleetStatus};

/// What was built.
#[derive(Clone, Copy, Debug)]
pub struct Build {
    pub version: &'static str,
    /// The commit; empty if unknown.
    pub revision: &'static str,
}

/// Counts a connection as open until it is dropped.
pub struct OpenConnection(IntGauge);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// The metrics of this process.
pub struct ExporterMetrics {
    registry: Registry,
    started_at: Option<u64>,
    reload_successful: IntGauge,
    reload_success: IntGauge,
    storage_failures: IntCounter,
    /// The log counts them: it starts first.
    lost_log_lines: Arc<AtomicU64>,
    http_requests: IntCounterVec,
    http_connections: IntGauge,
    http_closed: IntCounterVec,
    web_config_successful: IntGauge,
    fleet: OnceLock<SharedFleetStatus>,
}

impl ExporterMetrics {
    /// `shard` is the number of this shard, from 1, and the number of shards.
    ///
    /// # Errors
    /// None in practice: if two families have the same name.
    pub fn new(build: Build, shard: (u32, u32), lost_log_lines: Arc<AtomicU64>) -> prometheus::Result<Self> {
        let registry = Registry::new();
        let register = Register(&registry);
        let info = register.add(IntGaugeVec::new(opts(&exporter::BUILD_INFO), exporter::BUILD_INFO.labels)?)?;
        info.with_label_values(&[build.revision, build.version]).set(1);
        let shards = register.add(IntGaugeVec::new(opts(&exporter::SHARDS), exporter::SHARDS.labels)?)?;
        shards.with_label_values(&[&shard.0.to_string()]).set(shard.1.into());
        let metrics = Self {
            started_at: started_at(),
            reload_successful: register.gauge(&exporter::RELOAD_SUCCESSFUL)?,
            reload_success: register.gauge(&exporter::RELOAD_SUCCESS)?,
            storage_failures: register.add(IntCounter::with_opts(opts(&exporter::STORAGE_FAILURES))?)?,
            lost_log_lines,
            http_requests: register.counters(&exporter::HTTP_REQUESTS)?,
            http_connections: register.gauge(&exporter::HTTP_CONNECTIONS)?,
            http_closed: register.counters(&exporter::HTTP_CLOSED)?,
            web_config_successful: register.gauge(&exporter::WEB_CONFIG_SUCCESSFUL)?,
            fleet: OnceLock::new(),
            registry,
        };
        metrics.web_config_successful.set(1);
        Ok(metrics)
    }

    /// Exposes the replicas that share a store, from now on.
    pub fn expose_fleet(&self, fleet: SharedFleetStatus) {
        self.fleet.get_or_init(|| fleet);
    }

    /// The configuration was loaded, at the start or by a reload.
    pub fn reload_succeeded(&self, now: DateTime<Utc>) {
        self.reload_successful.set(1);
        self.reload_success.set(now.timestamp());
    }

    pub fn reload_failed(&self) {
        self.reload_successful.set(0);
    }

    pub fn storage_failed(&self) {
        self.storage_failures.inc();
    }

    /// `path` must be from a closed list.
    pub fn request_served(&self, path: &str, code: u16) {
        self.http_requests.with_label_values(&[&*code.to_string(), path]).inc();
    }

    pub fn connection_opened(&self) -> OpenConnection {
        self.http_connections.inc();
        OpenConnection(self.http_connections.clone())
    }

    /// Exposes the values of the label `cause` at 0.
    pub fn declare_close_causes(&self, causes: impl IntoIterator<Item = &'static str>) {
        for cause in causes {
            self.http_closed.with_label_values(&[cause]);
        }
    }

    /// The server closed a connection because of its client.
    pub fn connection_closed(&self, cause: &'static str) {
        self.http_closed.with_label_values(&[cause]).inc();
    }

    /// The web configuration was read.
    pub fn web_config_read(&self, is_valid: bool) {
        self.web_config_successful.set(is_valid.into());
    }

    /// The last part of the exposition.
    pub(super) fn text(&self, format: Format) -> String {
        let mut to = Writer::new(format);
        for (name, help, kind, value) in process_metrics(self.started_at) {
            to.process_metric(name, kind, help, value);
        }
        let gathered = self.registry.gather();
        for family in FAMILIES {
            if let Some(samples) = gathered.iter().find(|gathered| gathered.name() == family.name) {
                write(&mut to, family, samples);
            } else if family.name == exporter::LOG_LINES_LOST.name {
                to.sample(family).value(self.lost_log_lines.load(Ordering::Relaxed));
            }
        }
        if let Some(fleet) = self.fleet.get() {
            write_fleet(&mut to, &fleet.read());
        }
        to.into_last_text()
    }
}

/// Writes the families of replicas that share a store.
fn write_fleet(to: &mut Writer, status: &FleetStatus) {
    to.sample(&fleet::STORE_UP).value(u64::from(status.is_up));
    if let Some(seconds) = status.last_seen.and_then(|seen| u64::try_from(seen.timestamp()).ok()) {
        to.sample(&fleet::STORE_LAST_SEEN).value(seconds);
    }
    for operation in Operation::ALL {
        for (is_success, result) in [(true, "success"), (false, "error")] {
            let count = status.requests.get(&(operation, is_success)).copied().unwrap_or_default();
            to.sample(&fleet::STORE_REQUESTS).values([operation.label(), result]).value(count);
        }
    }
    to.sample(&fleet::MEMBERS).value(status.members.len() as u64);
    to.sample(&fleet::PREFERRED_SOURCES).value(status.preferred_sources as u64);
    to.sample(&fleet::CLAIMS_LOST).value(status.counts.claims_lost);
    to.sample(&fleet::FENCED).value(status.counts.fenced);
    to.sample(&fleet::UNREADABLE).value(status.counts.unreadable);
}

fn opts(family: &Family) -> Opts {
    Opts::new(family.name, family.help)
}

struct Register<'a>(&'a Registry);

impl Register<'_> {
    fn add<C: Collector + Clone + 'static>(&self, collector: C) -> prometheus::Result<C> {
        self.0.register(Box::new(collector.clone()))?;
        Ok(collector)
    }

    fn gauge(&self, family: &Family) -> prometheus::Result<IntGauge> {
        self.add(IntGauge::with_opts(opts(family))?)
    }

    fn counters(&self, family: &Family) -> prometheus::Result<IntCounterVec> {
        self.add(IntCounterVec::new(opts(family), family.labels)?)
    }
}

/// Writes the samples of a family; the crate has no encoder for OpenMetrics.
fn write(to: &mut Writer, family: &'static Family, samples: &MetricFamily) {
    for metric in samples.get_metric() {
        let value = match samples.get_field_type() {
            MetricType::COUNTER => metric.get_counter().get_value(),
            _ => metric.get_gauge().get_value(),
        };
        let labels = family.labels.iter().map(|name| {
            metric.get_label().iter().find(|label| label.name() == *name).map_or("", |label| label.value())
        });
        to.sample(family).values(labels).value(value as u64);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn metrics() -> ExporterMetrics {
        let metrics =
            ExporterMetrics::new(Build { version: "1.2.3", revision: "" }, (2, 3), Arc::new(AtomicU64::new(7)))
                .unwrap();
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
        # HELP token_expiry_exporter_log_lines_lost_total Log lines lost because standard error could not be written, or was not read.
        # TYPE token_expiry_exporter_log_lines_lost_total counter
        token_expiry_exporter_log_lines_lost_total 7
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
    fn fleet_is_exposed_only_with_a_store() {
        let metrics = metrics();
        assert!(!metrics.text(Format::Text).contains("_fleet_"));
        let status = FleetStatus {
            is_up: true,
            last_seen: DateTime::from_timestamp(1_760_000_000, 5),
            members: vec!["a".into(), "b".into()],
            preferred_sources: 7,
            requests: [((Operation::Put, false), 3)].into(),
            ..FleetStatus::default()
        };
        metrics.expose_fleet(Arc::new(parking_lot::RwLock::new(status)));
        let text = metrics.text(Format::Text);
        for line in [
            "token_expiry_exporter_store_up 1",
            "token_expiry_exporter_store_last_seen_timestamp_seconds 1760000000",
            "token_expiry_exporter_store_requests_total{operation=\"put\",result=\"error\"} 3",
            "token_expiry_exporter_store_requests_total{operation=\"list\",result=\"success\"} 0",
            "token_expiry_exporter_fleet_members 2",
            "token_expiry_exporter_fleet_preferred_sources 7",
            "token_expiry_exporter_fleet_fenced_total 0",
        ] {
            assert!(text.contains(&format!("\n{line}\n")), "{line} in {text}");
        }
    }

    #[test]
    fn openmetrics_counters_lack_the_suffix_and_the_end_is_marked() {
        let text = metrics().text(Format::OpenMetrics);
        assert!(text.contains("\n# TYPE process_cpu_seconds counter\nprocess_cpu_seconds_total "), "{text}");
        assert!(text.ends_with("token_expiry_exporter_web_config_last_read_successful 1\n# EOF\n"), "{text}");
    }
}
