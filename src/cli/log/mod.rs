//! The log: one message per line on standard error, as logfmt or JSON.

mod writer;

use std::fmt::{self, Write as _};
use std::io;

use chrono::{SecondsFormat, Utc};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::args::{LogArgs, LogFormat};
use crate::core::sanitize::is_unsafe_char;

pub(super) use writer::LogWriter;

/// Installs the logger for the whole process.
///
/// # Errors
/// If the system allows no further thread.
pub(super) fn start(args: &LogArgs) -> io::Result<LogWriter> {
    let writer = LogWriter::start(io::stderr())?;
    // Below a warning, libraries log internals and may quote headers.
    let filter =
        Targets::new().with_default(args.level.min(Level::WARN)).with_target("token_expiry_exporter", args.level);
    let line = writer.clone();
    // Errors in the log cannot be logged: the library would print them, and panic if it cannot.
    let layer =
        tracing_subscriber::fmt::layer().log_internal_errors(false).with_writer(move || SanitizingWriter(line.clone()));
    let layer = match args.format {
        LogFormat::Json => layer.json().flatten_event(true).with_target(false).boxed(),
        LogFormat::Logfmt => layer.event_format(Logfmt).boxed(),
    };
    drop(tracing_subscriber::registry().with(layer).with(filter).try_init());
    Ok(writer)
}

/// Queues a message, with unsafe characters escaped as JSON does. JSON itself leaves in those that change the direction of a line, and U+009B, which
/// some terminals take for the start of a command.
struct SanitizingWriter(LogWriter);

impl io::Write for SanitizingWriter {
    /// `bytes` is a whole message.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.line(escape(&String::from_utf8_lossy(bytes)));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn escape(message: &str) -> String {
    let mut line = String::with_capacity(message.len());
    for c in message.chars() {
        if is_unsafe_char(c) && c != '\n' {
            let _ = write!(line, "\\u{:04x}", u32::from(c));
        } else {
            line.push(c);
        }
    }
    line
}

/// `ts=… level=info msg="…" key=value`, as Prometheus logs.
struct Logfmt;

impl<S, N> FormatEvent<S, N> for Logfmt
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let ts = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
        let level = event.metadata().level().as_str().to_ascii_lowercase();
        writeln!(writer, "ts={ts} level={level} msg={}{}", value(&fields.message), fields.others)
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    others: String,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, text: &str) {
        match field.name() {
            "message" => text.clone_into(&mut self.message),
            name => _ = write!(self.others, " {name}={}", value(text)),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        // Not `format!`, which panics if a value cannot be formatted.
        let _ = write!(text, "{value:?}");
        self.record_str(field, &text);
    }
}

/// Quoted if necessary, as a JSON string: a line break in a value must not start another message.
fn value(text: &str) -> String {
    let quote = |c: char| is_unsafe_char(c) || matches!(c, ' ' | '"' | '=' | '\\');
    if text.is_empty() || text.contains(quote) { serde_json::Value::from(text).to_string() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn value_is_quoted_if_necessary() {
        for (text, expected) in [
            ("collected", "collected"),
            ("", "\"\""),
            ("two words", "\"two words\""),
            ("a=b", "\"a=b\""),
            ("say \"x\"", "\"say \\\"x\\\"\""),
            ("a\nlevel=error", "\"a\\nlevel=error\""),
            ("\u{1b}[31m", "\"\\u001b[31m\""),
            ("\u{202e}x", "\"\u{202e}x\""),
        ] {
            assert_eq!(value(text), expected, "{text:?}");
        }
    }

    #[test]
    fn escape_covers_what_json_does_not() {
        assert_eq!(escape("{\"msg\":\"ü\u{202e}\u{9b}2J\"}\n"), "{\"msg\":\"ü\\u202e\\u009b2J\"}\n");
    }

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn logfmt_starts_with_time_level_and_message() {
        let written = Written::default();
        let writer = written.clone();
        let subscriber = tracing_subscriber::fmt().event_format(Logfmt).with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(source = "vault", tokens = 3, duration = "1.5s", error = %"a b", "collection incomplete");
        });
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        let (ts, rest) = text.split_once(" level=").unwrap();
        assert!(ts.starts_with("ts=20") && ts.ends_with('Z'), "{text}");
        assert_eq!(rest, "info msg=\"collection incomplete\" source=vault tokens=3 duration=1.5s error=\"a b\"\n");
    }
}
