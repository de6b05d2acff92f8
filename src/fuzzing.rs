//! Everything that reads what strangers write, each with what must hold whatever it is given.
//!
//! `make fuzz` runs these for minutes, guided by coverage (`fuzz/`); `cargo test` for a moment, over the same corpora and
//! inputs that are made from them. Compiled for these two alone.

mod exposition;
#[cfg(test)]
mod mutate;
#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use url::Url;

use super::http::{page_guard, quota, retry};
use super::providers::language::{provider, value};
use super::providers::native::files;
use super::schema::diagnostic::{Diagnostics, SourceText};
use crate::config::{self, Environment};
use crate::core::failure::Reason;
use crate::core::inventory::Snapshot;
use crate::core::time::{TimeFormat, Unit, parse_duration, parse_instant};
use crate::core::token::Expiry;
use crate::server::access::settings::Settings;
use crate::storage;

/// One reader.
pub struct Target {
    /// Its name, which is that of its corpus.
    pub name: &'static str,
    /// Reads, and panics where what must hold does not.
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "answer", run: answer },
    Target { name: "config", run: configuration },
    Target { name: "definition", run: definition },
    Target { name: "exposition", run: exposition::round_trip },
    Target { name: "files", run: files },
    Target { name: "link", run: link },
    Target { name: "rate_limit", run: rate_limit },
    Target { name: "storage", run: storage },
    Target { name: "time", run: time },
    Target { name: "web_config", run: web_config },
];

/// Runs one target.
///
/// # Panics
/// Where what must hold does not, and where there is no such target.
pub fn run(name: &str, input: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    assert!(target.is_some(), "no target is called {name}");
    if let Some(target) = target {
        (target.run)(input);
    }
}

/// 2026-03-01T08:00:00Z.
fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_772_352_000, 0).unwrap_or_default()
}

fn text(input: &[u8]) -> Option<SourceText> {
    Some(SourceText::new("input.yaml", std::str::from_utf8(input).ok()?))
}

/// Messages have a place, and can be written.
fn tell(mistakes: &Diagnostics) {
    assert!(mistakes.iter().count() > 0, "a refusal without a reason");
    assert!(!mistakes.to_string().is_empty());
}

/// An answer of a provider: what is read can be written, and is then read again. Not as the same: a number beyond 64 bits is
/// the nearest that the machine knows, and may be another after each writing.
fn answer(input: &[u8]) {
    let Some(read) = value::decode(input) else { return };
    let written = value::to_json(&read);
    assert!(value::decode(written.to_string().as_bytes()).is_some(), "{written}");
}

/// A machine on which every file and variable holds the same.
struct Same;

impl Environment for Same {
    fn read_file(&self, _: &Path) -> io::Result<Vec<u8>> {
        Ok(SECRET.into())
    }

    fn env(&self, _: &str) -> Option<String> {
        Some(SECRET.to_owned())
    }
}

const SECRET: &str = "canary-of-the-fuzzer";

fn configuration(input: &[u8]) {
    let Some(text) = text(input) else { return };
    let is_quoted = text.content().contains(SECRET);
    match config::parse(text, Arc::new(Same)) {
        Ok(read) => {
            assert!(!read.sources.is_empty(), "a configuration without sources");
            assert!(read.check_credentials().is_ok());
            assert!(is_quoted || !format!("{read:?}").contains(SECRET), "a secret is shown");
        }
        Err(mistakes) => {
            tell(&mistakes);
            assert!(is_quoted || !mistakes.to_string().contains(SECRET), "a secret is shown");
        }
    }
    let inline = String::from_utf8_lossy(input).into_owned()
        + "\nsources: [{name: a, provider: b, credential: canary-of-the-fuzzer}]\n";
    if let Err(mistakes) = config::parse(SourceText::new("input.yaml", inline), Arc::new(Same)) {
        assert!(is_quoted || !mistakes.to_string().contains(SECRET), "a secret in the file is shown:\n{mistakes}");
    }
}

fn definition(input: &[u8]) {
    let Some(text) = text(input) else { return };
    match provider::compile(&text) {
        Ok(read) => assert!(!read.name.is_empty() && !read.listings.is_empty()),
        Err(mistakes) => tell(&mistakes),
    }
}

/// A credential in a file: one that is read tells no part of its secret.
fn files(input: &[u8]) {
    let Ok(found) = files::content::read(input, now()) else { return };
    let opaque = std::str::from_utf8(input).unwrap_or_default().trim();
    if found.first().is_some_and(|first| first.kind == "opaque-token" && first.part.is_none()) {
        assert!(!format!("{found:?}").contains(opaque), "the secret is told");
    }
}

/// A header a line.
fn headers(input: &[u8]) -> HeaderMap {
    let lines = input.split(|byte| *byte == b'\n').filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
        Some((HeaderName::from_bytes(&line[..colon]).ok()?, value))
    });
    let mut headers = HeaderMap::new();
    lines.take(100).for_each(|(name, value)| {
        headers.append(name, value);
    });
    headers
}

/// A next page stays at home.
fn link(input: &[u8]) {
    let Ok(base) = Url::parse("https://api.example.com:8443/v1/tokens?page=1") else { return };
    let Some(next) = page_guard::next_link(&headers(input), &base) else { return };
    if let Ok(url) = page_guard::same_origin(&base, &next) {
        assert_eq!(url.origin(), base.origin());
        assert!(url.username().is_empty() && url.password().is_none());
    }
}

/// No provider can have itself left alone for longer than the configuration lets it.
fn rate_limit(input: &[u8]) {
    let (headers, longest) = (headers(input), Duration::from_secs(60));
    quota::rate_limit(&headers);
    let now = quota::date(&headers).unwrap_or_else(now);
    for reason in [Reason::RateLimited, Reason::ServerError] {
        let told = quota::wait(reason, &headers, now);
        assert!(retry::wait(3, told, longest, 1.0) <= longest);
    }
}

/// A stored inventory: what is read is written as the same, and can be shown.
fn storage(input: &[u8]) {
    check_stored(storage::decode::<Snapshot<'_>>(input));
    // The checksum would keep most inputs from the reader of the content.
    if let Ok(content) = serde_json::from_slice::<Value>(input)
        && let Ok(encoded) = storage::encode(&content, now())
    {
        check_stored(storage::decode::<Snapshot<'_>>(&encoded));
    }
}

fn check_stored(read: Result<Snapshot<'_>, String>) {
    match read {
        Ok(snapshot) => {
            let Ok(written) = storage::encode(&snapshot, now()) else { panic!("what was read cannot be written") };
            let Ok(again) = storage::decode::<Snapshot<'_>>(&written) else {
                panic!("what was written cannot be read")
            };
            assert_eq!(json!(again), json!(snapshot));
            exposition::restored(snapshot);
        }
        Err(why) => assert!(!why.is_empty()),
    }
}

/// A time is none before 1971 and none from 9999 on, and is read again as it is written.
fn time(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Some(at) = parse_instant(&text) {
        let written = at.to_rfc3339_opts(SecondsFormat::Nanos, true);
        assert_eq!(parse_instant(&written), Some(at), "{written}");
    }
    parse_duration(&text);
    let values = [json!(text), serde_json::from_slice(input).unwrap_or_default()];
    for unit in [Unit::None, Unit::EpochSeconds, Unit::EpochMilliseconds, Unit::SecondsFromNow] {
        let reading = TimeFormat { unit, rfc_2822: true, end_of_day: true, ..TimeFormat::default() };
        for value in &values {
            if let Expiry::At(at) = reading.expiry(value, now()) {
                assert!((31_536_000..253_402_387_200).contains(&at.timestamp()), "{value} is {at}");
            }
            let _ = reading.instant(value, now());
        }
    }
}

fn web_config(input: &[u8]) {
    let Some(text) = text(input) else { return };
    if let Err(mistakes) = Settings::parse(&text) {
        tell(&mistakes);
        assert!(!mistakes.to_string().contains("\n  | "), "a line is shown, and may hold a hash:\n{mistakes}");
    }
}
