//! The text format 0.0.4, and OpenMetrics 1.0.0 for clients that prefer it.
//!
//! Formats: <https://prometheus.io/docs/instrumenting/exposition_formats/> and
//! <https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md>. For gauges the bytes are the
//! same, if HELP has neither quotes nor backslashes; in OpenMetrics a counter's header lacks `_total`.

use std::fmt::Write as _;
use std::io;

use chrono::{DateTime, TimeDelta, Utc};
use flate2::Compression;

use super::families::{Family, Kind};
use super::gzip::{GzipPart, GzipPartWriter};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Text,
    OpenMetrics,
}

impl Format {
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// The format that an `Accept` header prefers; the text format if it contains neither.
    pub fn accepted(accept: &str) -> Self {
        let mut best = (0.0_f32, Self::Text);
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let format = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
                "application/openmetrics-text" => Self::OpenMetrics,
                "text/plain" | "text/*" | "*/*" => Self::Text,
                _ => continue,
            };
            let parameters: Vec<(String, &str)> = parts
                .filter_map(|part| part.split_once('='))
                .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().trim_matches('"')))
                .collect();
            let value = |wanted: &str| parameters.iter().find(|(name, _)| name == wanted).map(|(_, value)| *value);
            if format == Self::OpenMetrics && value("version").is_some_and(|version| version != "1.0.0") {
                continue;
            }
            let quality = value("q").and_then(|q| q.parse().ok()).unwrap_or(1.0);
            if quality > best.0 {
                best = (quality, format);
            }
        }
        best.1
    }
}

/// How much text is buffered before it is compressed, in bytes.
const CHUNK: usize = 64 * 1024;

/// Writes families one after another, as one text or, chunk by chunk, as a compressed part.
pub(crate) struct Writer {
    out: String,
    compressor: Option<GzipPartWriter>,
    /// The compressor's first error.
    error: Option<io::Error>,
    format: Format,
    /// The name of the family whose header was written last.
    family: &'static str,
}

impl Writer {
    pub(crate) fn new(format: Format) -> Self {
        Self { out: String::new(), compressor: None, error: None, format, family: "" }
    }

    /// Compresses while it writes, so that the whole text, tens of megabytes, is never in memory.
    pub(crate) fn compressing(level: Compression) -> Self {
        Self { compressor: Some(GzipPartWriter::new(level)), ..Self::new(Format::Text) }
    }

    /// Compresses samples of one family without its header, so that the parts of several sources can follow one header.
    pub(crate) fn samples_of(family: &Family, level: Compression) -> Self {
        Self { family: family.name, ..Self::compressing(level) }
    }

    /// The header of a family as a part of its own.
    ///
    /// # Errors
    /// None in practice: the compressor writes to memory.
    pub(crate) fn header_part(family: &Family, format: Format) -> io::Result<GzipPart> {
        let mut writer = Self::new(format);
        writer.header(family.name, family.kind(), family.help);
        writer.into_part()
    }

    fn header(&mut self, name: &'static str, kind: Kind, help: &str) {
        self.family = name;
        let name = match self.format {
            Format::OpenMetrics => name.strip_suffix("_total").filter(|_| kind == Kind::Counter).unwrap_or(name),
            Format::Text => name,
        };
        // Writing to a string cannot fail, here and below.
        let _ = write!(self.out, "# HELP {name} {help}\n# TYPE {name} {}\n", kind.label());
    }

    /// Starts a sample, after the header if it is the first of its family.
    pub(crate) fn sample(&mut self, family: &'static Family) -> Sample<'_> {
        if self.family != family.name {
            self.header(family.name, family.kind(), family.help);
        }
        if self.out.len() >= CHUNK {
            self.compress();
        }
        self.out.push_str(family.name);
        Sample { out: &mut self.out, labels: family.labels.iter(), has_labels: false }
    }

    /// Writes a metric of the process, with its header.
    pub(crate) fn process_metric(&mut self, name: &'static str, kind: Kind, help: &str, value: f64) {
        self.header(name, kind, help);
        let _ = writeln!(self.out, "{name} {value}");
    }

    /// Moves the buffer to the compressor, if there is one.
    fn compress(&mut self) {
        let Some(compressor) = &mut self.compressor else { return };
        if let Err(error) = compressor.push(self.out.as_bytes()) {
            self.error.get_or_insert(error);
        }
        self.out.clear();
    }

    pub(crate) fn into_text(self) -> String {
        self.out
    }

    /// The text of the last part, with OpenMetrics' end marker.
    pub(crate) fn into_last_text(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.out.push_str("# EOF\n");
        }
        self.out
    }

    /// The compressed part.
    ///
    /// # Errors
    /// None in practice: the compressor writes to memory.
    pub(crate) fn into_part(mut self) -> io::Result<GzipPart> {
        self.compress();
        match (self.error, self.compressor) {
            (Some(error), _) => Err(error),
            (None, Some(compressor)) => compressor.finish(),
            (None, None) => GzipPart::new(self.out.as_bytes()),
        }
    }
}

/// A sample whose value is still to be written.
#[must_use]
pub(crate) struct Sample<'a> {
    out: &'a mut String,
    /// The family's labels that were not written yet.
    labels: std::slice::Iter<'static, &'static str>,
    has_labels: bool,
}

impl Sample<'_> {
    /// Writes the values of the family's next labels.
    pub(crate) fn values<'v>(mut self, values: impl IntoIterator<Item = &'v str>) -> Self {
        for value in values {
            let name = self.labels.next().copied().unwrap_or_default();
            debug_assert!(!name.is_empty(), "more values than labels");
            self = self.label(name, value);
        }
        self
    }

    /// Writes a label that is not of the family's. An empty value is the same as no label, and is omitted.
    pub(crate) fn label(mut self, name: &str, value: &str) -> Self {
        if value.is_empty() {
            return self;
        }
        self.out.push(if self.has_labels { ',' } else { '{' });
        self.has_labels = true;
        self.out.push_str(name);
        self.out.push_str("=\"");
        escape(self.out, value);
        self.out.push('"');
        self
    }

    pub(crate) fn value(self, value: impl Into<Value>) {
        let close = if self.has_labels { "} " } else { " " };
        let _ = writeln!(self.out, "{close}{}", value.into());
    }
}

/// The value of a sample: a count, or nanoseconds that are written as seconds, with a fraction if needed.
pub(crate) enum Value {
    Count(u64),
    Nanoseconds(i128),
}

const SECOND: i128 = 1_000_000_000;

impl From<u64> for Value {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

/// Seconds since 1970.
impl From<DateTime<Utc>> for Value {
    fn from(at: DateTime<Utc>) -> Self {
        // A leap second has up to two billion nanoseconds.
        let nanoseconds = i128::from(at.timestamp_subsec_nanos()) % SECOND;
        Self::Nanoseconds(i128::from(at.timestamp()) * SECOND + nanoseconds)
    }
}

impl From<TimeDelta> for Value {
    fn from(duration: TimeDelta) -> Self {
        Self::Nanoseconds(i128::from(duration.num_seconds()) * SECOND + i128::from(duration.subsec_nanos()))
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let nanoseconds = match self {
            Self::Count(count) => return write!(to, "{count}"),
            Self::Nanoseconds(nanoseconds) => nanoseconds,
        };
        let sign = if *nanoseconds < 0 { "-" } else { "" };
        let (whole, fraction) = (nanoseconds.abs() / SECOND, nanoseconds.abs() % SECOND);
        if fraction == 0 {
            return write!(to, "{sign}{whole}");
        }
        write!(to, "{sign}{whole}.{}", format!("{fraction:09}").trim_end_matches('0'))
    }
}

/// Writes a label's value with `\`, `"` and line breaks escaped.
fn escape(out: &mut String, value: &str) {
    let mut rest = value;
    while let Some(at) = rest.find(['\\', '"', '\n']) {
        out.push_str(&rest[..at]);
        out.push_str(match rest.as_bytes()[at] {
            b'\\' => "\\\\",
            b'"' => "\\\"",
            _ => "\\n",
        });
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, clippy::unwrap_used)]

    use super::*;

    const A: Family = Family { name: "a", unit: "", labels: &["b", "c"], help: "A.", about: "", queries: &[] };

    fn written(sample: impl FnOnce(&mut Writer)) -> String {
        let mut writer = Writer::new(Format::Text);
        sample(&mut writer);
        writer.into_text().trim_start_matches("# HELP a A.\n# TYPE a gauge\n").to_owned()
    }

    #[test]
    fn label_values_are_escaped_and_empty_ones_omitted() {
        let text = written(|to| to.sample(&A).values(["x\\y\"z\nü\\", ""]).value(1));
        assert_eq!(text, "a{b=\"x\\\\y\\\"z\\nü\\\\\"} 1\n");
        assert_eq!(written(|to| to.sample(&A).values(["", ""]).value(1)), "a 1\n");
    }

    #[test]
    fn timestamps_have_a_fraction_only_if_needed() {
        let cases = [
            ((1_736_496_000, 0), "1736496000"),
            ((1_736_496_000, 120_000_000), "1736496000.12"),
            ((0, 0), "0"),
            ((-1, 500_000_000), "-0.5"),
            ((253_402_300_800, 1), "253402300800.000000001"),
        ];
        for ((seconds, nanos), expected) in cases {
            let at = DateTime::from_timestamp(seconds, nanos).expect("valid");
            assert_eq!(written(|to| to.sample(&A).value(at)), format!("a {expected}\n"));
        }
        assert_eq!(written(|to| to.sample(&A).value(TimeDelta::milliseconds(1_250))), "a 1.25\n");
        assert_eq!(written(|to| to.sample(&A).value(TimeDelta::minutes(15))), "a 900\n");
    }

    #[test]
    fn format_follows_the_accept_header() {
        let prometheus_2 = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                            text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let prometheus_3 = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,\
                            application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                            application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        let cases = [
            ("", Format::Text),
            ("*/*", Format::Text),
            ("text/html,application/xhtml+xml,*/*;q=0.8", Format::Text),
            ("application/openmetrics-text", Format::OpenMetrics),
            ("application/openmetrics-text; version=\"1.0.0\"; q=0.3, text/plain; q=0.7", Format::Text),
            ("application/openmetrics-text; version=2.0.0", Format::Text),
            ("application/openmetrics-text; q=0", Format::Text),
            (prometheus_2, Format::OpenMetrics),
            (prometheus_3, Format::OpenMetrics),
        ];
        for (accept, expected) in cases {
            assert_eq!(Format::accepted(accept), expected, "{accept}");
        }
    }
}
