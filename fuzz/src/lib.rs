//! The parsers of untrusted input, each with the invariants that hold for every input.
//!
//! `make fuzz` runs them with libFuzzer, guided by coverage (`fuzz_targets/`). `cargo test` replays the stored corpora and
//! mutations of them (`tests/suite/fuzz.rs`, which includes this file).

pub mod exposition;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use token_expiry_exporter::config::{self, Environment};
use token_expiry_exporter::core::failure::Reason;
use token_expiry_exporter::core::inventory::{
    FormerInventory, StoredSource, StoredState, StoredToken, StoredTokens, TokensBuilder,
};
use token_expiry_exporter::core::time::{TimeFormat, Unit, parse_duration, parse_timestamp};
use token_expiry_exporter::core::token::Expiry;
use token_expiry_exporter::http::{page_guard, quota, retry};
use token_expiry_exporter::providers::language::{compile, value};
use token_expiry_exporter::providers::native::files::content;
use token_expiry_exporter::schema::diagnostic::{Diagnostics, SourceText};
use token_expiry_exporter::server::access::settings::Settings;
use token_expiry_exporter::storage::encoding::{self, ReadError};
use url::Url;

/// A target by name, which is also the name of its corpus. It panics if an invariant does not hold.
pub type Target = (&'static str, fn(&[u8]));

pub const TARGETS: &[Target] = &[
    ("config", config),
    ("definition", definition),
    ("exposition", exposition::round_trip),
    ("files", files),
    ("link", link),
    ("rate_limit", rate_limit),
    ("response", response),
    ("storage", storage),
    ("time", time),
    ("web_config", web_config),
];

/// 2026-03-01T08:00:00Z.
fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_772_352_000, 0).unwrap_or_default()
}

fn text(input: &[u8]) -> Option<SourceText> {
    Some(SourceText::new("input.yaml", std::str::from_utf8(input).ok()?))
}

/// An input is rejected with at least one error, and the errors can be rendered.
fn check_errors(errors: &Diagnostics) {
    assert!(errors.iter().count() > 0, "rejected without an error");
    assert!(!errors.to_string().is_empty());
}

/// A provider's JSON response: what was decoded can be encoded and decoded again. The values may differ: a number beyond
/// 64 bits becomes the nearest float, perhaps another one each time.
pub fn response(input: &[u8]) {
    let Some(decoded) = value::decode(input) else { return };
    let encoded = value::to_json(&decoded);
    assert!(value::decode(encoded.to_string().as_bytes()).is_some(), "{encoded}");
}

/// Every file and environment variable contains the same secret.
struct SecretEverywhere;

impl Environment for SecretEverywhere {
    fn read_file(&self, _: &Path) -> io::Result<Vec<u8>> {
        Ok(SECRET.into())
    }

    fn env(&self, _: &str) -> Option<String> {
        Some(SECRET.to_owned())
    }
}

const SECRET: &str = "canary-of-the-fuzzer";

/// The configuration: no error and no `Debug` output contains a secret.
pub fn config(input: &[u8]) {
    let Some(text) = text(input) else { return };
    let is_in_input = text.content().contains(SECRET);
    match config::parse(text, Arc::new(SecretEverywhere)) {
        Ok(read) => {
            assert!(!read.sources.is_empty(), "a configuration without sources");
            assert!(read.check_credentials().is_ok());
            assert!(is_in_input || !format!("{read:?}").contains(SECRET), "leaks a secret");
        }
        Err(errors) => {
            check_errors(&errors);
            assert!(is_in_input || !errors.to_string().contains(SECRET), "leaks a secret");
        }
    }
    let inline = String::from_utf8_lossy(input).into_owned()
        + "\nsources: [{name: a, provider: b, credential: canary-of-the-fuzzer}]\n";
    if let Err(errors) = config::parse(SourceText::new("input.yaml", inline), Arc::new(SecretEverywhere)) {
        assert!(is_in_input || !errors.to_string().contains(SECRET), "leaks a secret of the file:\n{errors}");
    }
}

/// A provider definition.
pub fn definition(input: &[u8]) {
    let Some(text) = text(input) else { return };
    match compile::compile(&text, &config::source_keys()) {
        Ok(read) => assert!(!read.name.is_empty() && !read.listings.is_empty()),
        Err(errors) => check_errors(&errors),
    }
}

/// A credential file: what was read of it does not contain the secret.
pub fn files(input: &[u8]) {
    let Ok(found) = content::parse(input, now()) else { return };
    let opaque = std::str::from_utf8(input).unwrap_or_default().trim();
    if found.first().is_some_and(|first| first.kind == "opaque-token" && first.part.is_none()) {
        assert!(!format!("{found:?}").contains(opaque), "leaks the secret");
    }
}

/// One header per line.
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

/// A `Link` header: the next page is at the configured origin and has no userinfo.
pub fn link(input: &[u8]) {
    let Ok(base) = Url::parse("https://api.example.com:8443/v1") else { return };
    let Ok(page) = Url::parse("https://api.example.com:8443/v1/tokens?page=1") else { return };
    let Some(next) = page_guard::next_link(&headers(input), &page) else { return };
    if let Ok(url) = page_guard::next_page_url(&base, &page, &next) {
        assert_eq!(url.origin(), base.origin());
        assert!(url.username().is_empty() && url.password().is_none());
    }
}

/// Rate-limit headers: no wait exceeds the configured maximum.
pub fn rate_limit(input: &[u8]) {
    let (headers, max) = (headers(input), Duration::from_secs(60));
    quota::rate_limit(&headers);
    let now = quota::server_time(&headers).unwrap_or_else(now);
    for reason in [Reason::RateLimited, Reason::ServerError] {
        let requested = quota::requested_delay(reason, &headers, now);
        assert!(retry::delay(3, requested, max, 1.0) <= max);
    }
}

/// A persisted source, also of earlier formats: what was read is written back unchanged, and can be exposed.
pub fn storage(input: &[u8]) {
    check_former(encoding::decode_former(input));
    check_state(encoding::decode_state(input));
    check_tokens(encoding::read_tokens(input, MAX_TEXT));
    // Most inputs fail at the checksum; this reaches the parsers of the content.
    if let Ok(content) = serde_json::from_slice::<Value>(input)
        && let Ok(encoded) = encoding::encode_state(&content, now())
    {
        check_state(encoding::decode_state(&encoded));
        let former = String::from_utf8_lossy(&encoded).replacen("\"format\":3", "\"format\":2", 1);
        check_former(encoding::decode_former(former.as_bytes()));
    }
    let lines = input.split(|byte| *byte == b'\n').map_while(|line| serde_json::from_slice::<StoredToken>(line).ok());
    let mut tokens = TokensBuilder::default();
    lines.for_each(|token| tokens.push(token));
    check_tokens(Ok(tokens.build("gitlab".to_owned())));
}

/// The maximum length of the text of tokens that is read.
const MAX_TEXT: u64 = 1 << 20;

fn check_former(read: Result<FormerInventory, ReadError>) {
    match read {
        Ok(former) => {
            for (_, StoredSource { state, tokens }) in former.into_sources() {
                check_state(Ok(state.clone()));
                check_tokens(Ok(tokens.clone()));
                exposition::restored(Some(state), tokens);
            }
        }
        Err(why) => assert!(!why.to_string().is_empty()),
    }
}

fn check_state(read: Result<StoredState, ReadError>) {
    match read {
        Ok(state) => {
            let Ok(written) = encoding::encode_state(&state, now()) else { panic!("cannot encode what was decoded") };
            let Ok(again) = encoding::decode_state::<StoredState>(&written) else {
                panic!("cannot decode what was encoded")
            };
            assert_eq!(json!(again), json!(state));
            exposition::restored(Some(state), TokensBuilder::default().build("gitlab".to_owned()));
        }
        Err(why) => assert!(!why.to_string().is_empty()),
    }
}

fn check_tokens(read: Result<StoredTokens, ReadError>) {
    match read {
        Ok(tokens) => {
            let mut written = io::Cursor::new(Vec::new());
            let Ok(()) = encoding::write_tokens(&mut written, &tokens) else {
                panic!("cannot encode what was decoded")
            };
            let Ok(again) = encoding::read_tokens(&written.into_inner()[..], u64::MAX) else {
                panic!("cannot decode what was encoded")
            };
            let values = |tokens: &StoredTokens| tokens.iter().map(|token| json!(token)).collect::<Vec<_>>();
            assert_eq!(values(&again), values(&tokens));
            exposition::restored(None, tokens);
        }
        Err(why) => assert!(!why.to_string().is_empty()),
    }
}

/// A time: always from 1971 to 9998, and parsed back from its RFC 3339 form unchanged.
pub fn time(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Some(at) = parse_timestamp(&text) {
        let written = at.to_rfc3339_opts(SecondsFormat::Nanos, true);
        assert_eq!(parse_timestamp(&written), Some(at), "{written}");
    }
    parse_duration(&text);
    let values = [json!(text), serde_json::from_slice(input).unwrap_or_default()];
    for unit in [Unit::None, Unit::EpochSeconds, Unit::EpochMilliseconds, Unit::SecondsFromNow] {
        let format = TimeFormat { unit, rfc_2822: true, end_of_day: true, ..TimeFormat::default() };
        for value in &values {
            if let Expiry::At(at) = format.expiry(value, now()) {
                assert!((31_536_000..253_402_387_200).contains(&at.timestamp()), "{value} is {at}");
            }
            let _ = format.timestamp(value, now());
        }
    }
}

/// `--web.config.file`: no error quotes a line, which may contain a password hash.
pub fn web_config(input: &[u8]) {
    let Some(text) = text(input) else { return };
    if let Err(errors) = Settings::parse(&text) {
        check_errors(&errors);
        assert!(!errors.to_string().contains("\n  | "), "an error quotes a line:\n{errors}");
    }
}
