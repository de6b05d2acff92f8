//! How samples are written: the text format 0.0.4, and OpenMetrics 1.0.0 for who asks for it.
//!
//! Formats: <https://prometheus.io/docs/instrumenting/exposition_formats/> and
//! <https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md>. For gauges the two are the same
//! bytes, as long as a HELP has neither quotes nor backslashes; a counter's header drops `_total` in OpenMetrics.

use std::fmt::Write as _;
use std::io;

use chrono::{DateTime, TimeDelta, Utc};
use flate2::Compression;

use super::families::{Family, Kind};
use super::gzip::{GzipPart, GzipPartWriter};

/// A format of the exposition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The text format 0.0.4.
    Text,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

impl Format {
    /// The value of the header `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// The format that a header `Accept` prefers; the text format where it names neither.
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

/// How much text is gathered before it is compressed.
const PIECE: usize = 64 * 1024;

/// Writes families one after another, into one text or, piece by piece, into a compressed part.
pub(crate) struct Writer {
    out: String,
    packer: Option<GzipPartWriter>,
    /// The compressor's first error, told at the end.
    failed: Option<io::Error>,
    format: Format,
    /// The family that was begun and has no sample yet: a header without samples is not written.
    pending: Option<&'static Family>,
}

impl Writer {
    pub(crate) fn new(format: Format) -> Self {
        Self { out: String::new(), packer: None, failed: None, format, pending: None }
    }

    /// A writer whose text is compressed on the way: tens of megabytes are never held as a whole.
    pub(crate) fn packing(format: Format, level: Compression) -> Self {
        Self { packer: Some(GzipPartWriter::new(level)), ..Self::new(format) }
    }

    /// Begins a family; the samples that follow are its own.
    pub(crate) fn family(&mut self, family: &'static Family) {
        self.pending = Some(family);
    }

    /// Writes the header of a family.
    pub(crate) fn header(&mut self, name: &str, kind: Kind, help: &str) {
        let name = match self.format {
            Format::OpenMetrics => name.strip_suffix("_total").filter(|_| kind == Kind::Counter).unwrap_or(name),
            Format::Text => name,
        };
        // Writing to a text cannot fail, here and below.
        let _ = write!(self.out, "# HELP {name} {help}\n# TYPE {name} {}\n", kind.label());
    }

    /// Begins a sample. Its labels follow, then its value.
    pub(crate) fn sample(&mut self, name: &str) -> Sample<'_> {
        if let Some(family) = self.pending.take() {
            self.header(family.name, family.kind, family.help);
        }
        if self.out.len() >= PIECE {
            self.pack();
        }
        self.out.push_str(name);
        Sample { out: &mut self.out, open: false }
    }

    /// Hands what is gathered to the compressor, if there is one.
    fn pack(&mut self) {
        let Some(packer) = &mut self.packer else { return };
        if let Err(error) = packer.push(self.out.as_bytes()) {
            self.failed.get_or_insert(error);
        }
        self.out.clear();
    }

    pub(crate) fn into_text(self) -> String {
        self.out
    }

    /// The compressed part, for a writer that packs.
    ///
    /// # Errors
    /// None in practice: the compressor writes to memory.
    pub(crate) fn into_part(mut self) -> io::Result<GzipPart> {
        self.pack();
        match (self.failed, self.packer) {
            (Some(error), _) => Err(error),
            (None, Some(packer)) => packer.finish(),
            (None, None) => GzipPart::new(self.out.as_bytes()),
        }
    }
}

/// A sample under way.
#[must_use]
pub(crate) struct Sample<'a> {
    out: &'a mut String,
    open: bool,
}

impl Sample<'_> {
    /// Adds a label. An empty value is the same as no label, and is left out.
    pub(crate) fn label(mut self, name: &str, value: &str) -> Self {
        if value.is_empty() {
            return self;
        }
        self.out.push(if self.open { ',' } else { '{' });
        self.open = true;
        self.out.push_str(name);
        self.out.push_str("=\"");
        escape(self.out, value);
        self.out.push('"');
        self
    }

    fn end(self, value: std::fmt::Arguments<'_>) {
        let close = if self.open { "} " } else { " " };
        let _ = writeln!(self.out, "{close}{value}");
    }

    /// Ends the sample with a count.
    pub(crate) fn count(self, value: u64) {
        self.end(format_args!("{value}"));
    }

    /// Ends the sample with any number.
    pub(crate) fn number(self, value: f64) {
        self.end(format_args!("{value}"));
    }

    /// Ends the sample with an instant, in seconds since 1970; a fraction only where there is one.
    pub(crate) fn instant(self, value: DateTime<Utc>) {
        let nanos = i128::from(value.timestamp()) * NANOS + i128::from(value.timestamp_subsec_nanos() % 1_000_000_000);
        self.end(format_args!("{}", Seconds(nanos)));
    }

    /// Ends the sample with a duration, in seconds.
    pub(crate) fn duration(self, value: TimeDelta) {
        let nanos = i128::from(value.num_seconds()) * NANOS + i128::from(value.subsec_nanos());
        self.end(format_args!("{}", Seconds(nanos)));
    }
}

const NANOS: i128 = 1_000_000_000;

/// A number of nanoseconds, written as seconds.
struct Seconds(i128);

impl std::fmt::Display for Seconds {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, fraction) = (self.0.abs() / NANOS, self.0.abs() % NANOS);
        if fraction == 0 {
            return write!(to, "{sign}{whole}");
        }
        write!(to, "{sign}{whole}.{}", format!("{fraction:09}").trim_end_matches('0'))
    }
}

/// Writes a label's value with `\`, `"` and line ends escaped.
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

    fn written(sample: impl FnOnce(&mut Writer)) -> String {
        let mut writer = Writer::new(Format::Text);
        sample(&mut writer);
        writer.into_text()
    }

    #[test]
    fn a_value_is_escaped_and_an_empty_one_left_out() {
        let text = written(|to| to.sample("a").label("b", "x\\y\"z\nü\\").label("c", "").count(1));
        assert_eq!(text, "a{b=\"x\\\\y\\\"z\\nü\\\\\"} 1\n");
        assert_eq!(written(|to| to.sample("a").label("c", "").count(1)), "a 1\n");
    }

    #[test]
    fn an_instant_has_a_fraction_only_where_there_is_one() {
        let cases = [
            ((1_736_496_000, 0), "1736496000"),
            ((1_736_496_000, 120_000_000), "1736496000.12"),
            ((0, 0), "0"),
            ((-1, 500_000_000), "-0.5"),
            ((253_402_300_800, 1), "253402300800.000000001"),
        ];
        for ((seconds, nanos), expected) in cases {
            let at = DateTime::from_timestamp(seconds, nanos).expect("an instant");
            assert_eq!(written(|to| to.sample("a").instant(at)), format!("a {expected}\n"));
        }
        assert_eq!(written(|to| to.sample("a").duration(TimeDelta::milliseconds(1_250))), "a 1.25\n");
        assert_eq!(written(|to| to.sample("a").duration(TimeDelta::minutes(15))), "a 900\n");
    }

    #[test]
    fn the_client_chooses_the_format() {
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
