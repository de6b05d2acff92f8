//! The log: on standard error, one line a message, for machines and people alike.

use std::fmt::{self, Write as _};
use std::io;

use chrono::{SecondsFormat, Utc};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::args::{Level, LogArgs, LogFormat};
use crate::core::sanitize::is_unsafe_char;

/// Sets the log up for the whole process. A second call changes nothing.
pub(super) fn start(args: &LogArgs) {
    let level = match args.level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    };
    // What libraries say below a warning is about their own insides, and may quote headers.
    let others = if args.level == Level::Error { "error" } else { "warn" };
    let filter = EnvFilter::new(format!("{others},token_expiry_exporter={level}"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Legible(std::io::stderr()));
    let started = match args.format {
        LogFormat::Json => builder.json().flatten_event(true).with_target(false).try_init(),
        LogFormat::Logfmt => builder.event_format(Logfmt).try_init(),
    };
    drop(started);
}

/// Writes what a reader of the log must not be shown as JSON escapes it. JSON escapes no more than it must, and leaves in
/// what turns the direction of a line, and what some terminals take for the beginning of a command (U+009B).
struct Legible<W>(W);

impl<W: io::Write> io::Write for Legible<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A message comes whole.
        self.0.write_all(escaped(&String::from_utf8_lossy(bytes)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn escaped(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    for c in line.chars() {
        if is_unsafe_char(c) && c != '\n' {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// `ts=… level=info msg="…" key=value`, as Prometheus's own programs write it.
struct Logfmt;

impl<S, N> FormatEvent<S, N> for Logfmt
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut pairs = Pairs::default();
        event.record(&mut pairs);
        let ts = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
        let level = event.metadata().level().as_str().to_ascii_lowercase();
        writeln!(writer, "ts={ts} level={level} msg={}{}", value(&pairs.message), pairs.others)
    }
}

#[derive(Default)]
struct Pairs {
    message: String,
    others: String,
}

impl Pairs {
    fn add(&mut self, field: &Field, text: &str) {
        if field.name() == "message" {
            text.clone_into(&mut self.message);
        } else {
            let _ = write!(self.others, " {}={}", field.name(), value(text));
        }
    }
}

impl Visit for Pairs {
    fn record_str(&mut self, field: &Field, text: &str) {
        self.add(field, text);
    }

    fn record_debug(&mut self, field: &Field, shown: &dyn fmt::Debug) {
        self.add(field, &format!("{shown:?}"));
    }

    fn record_error(&mut self, field: &Field, error: &(dyn std::error::Error + 'static)) {
        self.add(field, &error.to_string());
    }
}

/// A value, in quotes where it needs them. A line end in it must not begin another message.
fn value(text: &str) -> String {
    let plain = !text.is_empty() && text.chars().all(|c| !is_unsafe_char(c) && !matches!(c, ' ' | '"' | '=' | '\\'));
    if plain {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            c if is_unsafe_char(c) => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    #[test]
    fn values() {
        for (text, expected) in [
            ("collected", "collected"),
            ("", "\"\""),
            ("two words", "\"two words\""),
            ("a=b", "\"a=b\""),
            ("say \"x\"", "\"say \\\"x\\\"\""),
            ("a\nlevel=error", "\"a\\nlevel=error\""),
            ("\u{1b}[31m", "\"\\u001b[31m\""),
            ("\u{202e}x\u{9b}", "\"\\u202ex\\u009b\""),
        ] {
            assert_eq!(value(text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_json_leaves_in_is_escaped_too() {
        let mut written = Vec::new();
        Legible(&mut written).write_all("{\"msg\":\"ü\u{202e}\u{9b}2J\"}\n".as_bytes()).unwrap_or_default();
        assert_eq!(String::from_utf8_lossy(&written), "{\"msg\":\"ü\\u202e\\u009b2J\"}\n");
    }

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line() {
        let written = Written::default();
        let writer = written.clone();
        let subscriber = tracing_subscriber::fmt().event_format(Logfmt).with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(source = "vault", tokens = 3, duration = "1.5s", "collected in part");
        });
        let text = String::from_utf8_lossy(&written.0.lock()).into_owned();
        let (ts, rest) = text.split_once(" level=").unwrap_or_default();
        assert!(ts.starts_with("ts=20") && ts.ends_with('Z'), "{text}");
        assert_eq!(rest, "info msg=\"collected in part\" source=vault tokens=3 duration=1.5s\n");
    }
}
