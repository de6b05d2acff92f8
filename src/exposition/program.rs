//! What the program says of itself. It is counted where it happens, and written at each scrape.

use chrono::{DateTime, Utc};
use prometheus::core::Collector;
use prometheus::proto::MetricType;
use prometheus::{Gauge, GaugeVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use super::families::{Family, Kind, program};
use super::process::{process_metrics, started_at};
use super::text::{Format, Writer};

/// What was built.
#[derive(Clone, Copy, Debug)]
pub struct Build<'a> {
    /// The version.
    pub version: &'a str,
    /// The commit, or an empty text where it is not known.
    pub revision: &'a str,
}

/// A connection that is counted as open until this goes.
pub struct ConnectionGauge(IntGauge);

impl Drop for ConnectionGauge {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// The program's own metrics.
pub struct ExporterMetrics {
    registry: Registry,
    started_at: Option<u64>,
    reload_successful: IntGauge,
    reload_success: Gauge,
    storage_failures: IntCounter,
    http_requests: IntCounterVec,
    http_connections: IntGauge,
    http_closed: IntCounterVec,
    web_config_successful: IntGauge,
}

impl ExporterMetrics {
    /// The metrics of this process. `shard` is its number, from 1, and how many there are.
    ///
    /// # Errors
    /// Where two families have one name: a mistake in the table of families.
    pub fn new(build: Build<'_>, shard: (u32, u32)) -> prometheus::Result<Self> {
        let registry = Registry::new();
        let info = registered(&registry, GaugeVec::new(options(&program::BUILD_INFO), program::BUILD_INFO.labels)?)?;
        info.with_label_values(&[build.version, build.revision]).set(1.0);
        let shards = registered(&registry, GaugeVec::new(options(&program::SHARDS), program::SHARDS.labels)?)?;
        shards.with_label_values(&[&shard.0.to_string()]).set(shard.1.into());
        let http_closed =
            registered(&registry, IntCounterVec::new(options(&program::HTTP_CLOSED), program::HTTP_CLOSED.labels)?)?;
        let web_config_successful = IntGauge::with_opts(options(&program::WEB_CONFIG_SUCCESSFUL))?;
        web_config_successful.set(1);
        Ok(Self {
            started_at: started_at(),
            reload_successful: registered(&registry, IntGauge::with_opts(options(&program::RELOAD_SUCCESSFUL))?)?,
            reload_success: registered(&registry, Gauge::with_opts(options(&program::RELOAD_SUCCESS))?)?,
            storage_failures: registered(&registry, IntCounter::with_opts(options(&program::STORAGE_FAILURES))?)?,
            http_requests: registered(
                &registry,
                IntCounterVec::new(options(&program::HTTP_REQUESTS), program::HTTP_REQUESTS.labels)?,
            )?,
            http_connections: registered(&registry, IntGauge::with_opts(options(&program::HTTP_CONNECTIONS))?)?,
            http_closed,
            web_config_successful: registered(&registry, web_config_successful)?,
            registry,
        })
    }

    /// Notes that the configuration was loaded, at the start or by a reload.
    pub fn reloaded(&self, now: DateTime<Utc>) {
        self.reload_successful.set(1);
        // Whole seconds are exact in a float for longer than anybody will run this.
        self.reload_success.set(now.timestamp() as f64);
    }

    /// Notes that a reload was refused, and the configuration of before still runs.
    pub fn reload_failed(&self) {
        self.reload_successful.set(0);
    }

    /// Notes that the inventory could not be kept or restored.
    pub fn storage_failed(&self) {
        self.storage_failures.inc();
    }

    /// Notes an answer. `path` is one of a closed list.
    pub fn answered(&self, path: &str, code: u16) {
        self.http_requests.with_label_values(&[path, &code.to_string()]).inc();
    }

    /// Notes a connection, for as long as what is handed out lives.
    pub fn connected(&self) -> ConnectionGauge {
        self.http_connections.inc();
        ConnectionGauge(self.http_connections.clone())
    }

    /// Exposes the values of the label `cause` at 0.
    pub fn declare_close_causes(&self, causes: impl IntoIterator<Item = &'static str>) {
        for cause in causes {
            self.http_closed.with_label_values(&[cause]).inc_by(0);
        }
    }

    /// Counts a connection that the server closed because of its client.
    pub fn closed(&self, cause: &'static str) {
        self.http_closed.with_label_values(&[cause]).inc();
    }

    /// Notes whether the web configuration could be used when it was last looked at.
    pub fn web_config_read(&self, successful: bool) {
        self.web_config_successful.set(successful.into());
    }

    /// Writes it all. In OpenMetrics this is the end of the page.
    pub(super) fn text(&self, format: Format) -> String {
        let mut to = Writer::new(format);
        for (name, help, kind, value) in process_metrics(self.started_at) {
            to.header(name, kind, help);
            to.sample(name).number(value);
        }
        for family in self.registry.gather() {
            let kind = if family.get_field_type() == MetricType::COUNTER { Kind::Counter } else { Kind::Gauge };
            to.header(family.name(), kind, family.help());
            for metric in family.get_metric() {
                let mut sample = to.sample(family.name());
                for label in metric.get_label() {
                    sample = sample.label(label.name(), label.value());
                }
                sample.number(match kind {
                    Kind::Counter => metric.get_counter().get_value(),
                    Kind::Gauge => metric.get_gauge().get_value(),
                });
            }
        }
        let mut text = to.into_text();
        if format == Format::OpenMetrics {
            text.push_str("# EOF\n");
        }
        text
    }
}

fn options(family: &Family) -> Opts {
    Opts::new(family.name, family.help)
}

fn registered<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> prometheus::Result<C> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn program() -> ExporterMetrics {
        let program = ExporterMetrics::new(Build { version: "1.2.3", revision: "" }, (2, 3)).unwrap();
        program.reloaded(DateTime::from_timestamp(1_760_000_000, 5).unwrap());
        program.reload_failed();
        program.storage_failed();
        program.answered("/metrics", 200);
        program.answered("other", 404);
        program.declare_close_causes(["full", "malformed"]);
        program
    }

    fn without_process(text: &str) -> String {
        text.lines().filter(|line| !line.contains("process_")).map(|line| format!("{line}\n")).collect()
    }

    #[test]
    fn what_the_program_says_of_itself() {
        let text = program().text(Format::Text);
        assert!(text.contains("\n# TYPE process_cpu_seconds_total counter\n"), "{text}");
        insta::assert_snapshot!(without_process(&text), @r#"
        # HELP token_expiry_exporter_build_info 1, with the version of the program.
        # TYPE token_expiry_exporter_build_info gauge
        token_expiry_exporter_build_info{version="1.2.3"} 1
        # HELP token_expiry_exporter_config_last_reload_success_timestamp_seconds When the configuration that runs was loaded.
        # TYPE token_expiry_exporter_config_last_reload_success_timestamp_seconds gauge
        token_expiry_exporter_config_last_reload_success_timestamp_seconds 1760000000
        # HELP token_expiry_exporter_config_last_reload_successful 1 if the last reload of the configuration was successful, else 0: then the one of before still runs.
        # TYPE token_expiry_exporter_config_last_reload_successful gauge
        token_expiry_exporter_config_last_reload_successful 0
        # HELP token_expiry_exporter_http_connections Connections that are open.
        # TYPE token_expiry_exporter_http_connections gauge
        token_expiry_exporter_http_connections 0
        # HELP token_expiry_exporter_http_connections_closed_total Connections that this program closed because of what the client did or did not do.
        # TYPE token_expiry_exporter_http_connections_closed_total counter
        token_expiry_exporter_http_connections_closed_total{cause="full"} 0
        token_expiry_exporter_http_connections_closed_total{cause="malformed"} 0
        # HELP token_expiry_exporter_http_requests_total Requests that this program has answered.
        # TYPE token_expiry_exporter_http_requests_total counter
        token_expiry_exporter_http_requests_total{code="200",path="/metrics"} 1
        token_expiry_exporter_http_requests_total{code="404",path="other"} 1
        # HELP token_expiry_exporter_shards How many shards the sources are divided into; the label says which one this process is.
        # TYPE token_expiry_exporter_shards gauge
        token_expiry_exporter_shards{shard="2"} 3
        # HELP token_expiry_exporter_storage_failures_total How often the inventory could not be written to, or read from, the storage path.
        # TYPE token_expiry_exporter_storage_failures_total counter
        token_expiry_exporter_storage_failures_total 1
        # HELP token_expiry_exporter_web_config_last_read_successful 1 if the web configuration could be used when it was last looked at, else 0: then the one of before still holds.
        # TYPE token_expiry_exporter_web_config_last_read_successful gauge
        token_expiry_exporter_web_config_last_read_successful 1
        "#);
    }

    #[test]
    fn in_openmetrics_a_counter_is_named_without_its_ending_and_the_end_is_marked() {
        let text = program().text(Format::OpenMetrics);
        assert!(text.contains("\n# TYPE process_cpu_seconds counter\nprocess_cpu_seconds_total "), "{text}");
        assert!(text.ends_with("token_expiry_exporter_web_config_last_read_successful 1\n# EOF\n"), "{text}");
    }
}
