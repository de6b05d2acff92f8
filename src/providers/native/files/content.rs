//! Recognises what a file contains by its content: names differ.

mod certificate;
mod config;
mod jwt;
mod netrc;

use chrono::{DateTime, Utc};

use crate::core::pem;
use crate::core::secret::Secret;
use crate::core::token::Expiry;

/// What a file says about a credential.
#[derive(Clone, Debug, PartialEq)]
pub struct Credential {
    pub kind: &'static str,
    /// Its name within the file, if a file can contain several.
    pub part: Option<String>,
    /// The file that contains it, if this one only names it; relative to this one's directory.
    pub(super) named_file: Option<String>,
    pub(super) name: Option<String>,
    pub(super) owner: Option<String>,
    pub(super) issuer: Option<String>,
    pub(super) created_at: Option<DateTime<Utc>>,
    pub(super) expires: Expiry,
    /// The secret itself, to recognise it as the token of another source. It goes no further.
    pub(super) value: Option<Secret>,
}

impl Credential {
    fn of_kind(kind: &'static str) -> Self {
        let (part, named_file, name, owner, issuer, created_at) = (None, None, None, None, None, None);
        Self { kind, part, named_file, name, owner, issuer, created_at, expires: Expiry::Unknown, value: None }
    }

    fn at(self, part: impl Into<String>) -> Self {
        Self { part: Some(part.into()), ..self }
    }
}

/// The credentials in a file. The expiry is `Unknown` for one that does not contain it.
///
/// # Errors
/// The name of what is malformed, if nothing looks like a credential.
pub fn parse(bytes: &[u8], now: DateTime<Utc>) -> Result<Vec<Credential>, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "text")?.trim_start_matches('\u{feff}');
    let pem = pem::normalize(text);
    if pem.contains("-----BEGIN ") {
        return certificate::parse(&pem);
    }
    let trimmed = text.trim();
    if let Some(found) = jwt::parse(trimmed, now) {
        return Ok(vec![Credential { value: Some(Secret::new(trimmed)), ..found }]);
    }
    if let Some(found) = netrc::parse(text, now).or_else(|| config::parse(text, now)) {
        return Ok(found);
    }
    // One long word is a token without a readable expiry.
    let is_word = (16..=4096).contains(&trimmed.len()) && trimmed.bytes().all(|byte| byte.is_ascii_graphic());
    if is_word { Ok(vec![secret(trimmed, now)]) } else { Err("credential") }
}

/// Words of which a configuration file with a credential has at least one.
const CREDENTIAL_WORDS: [&str; 8] = ["token", "secret", "pass", "key", "cert", "credential", "user", "auth"];

/// Whether this is a YAML or JSON file that mentions no credential. One that a wildcard matches is not a malformed row.
pub(super) fn is_unrelated(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let lower = text.to_ascii_lowercase();
    !CREDENTIAL_WORDS.iter().any(|word| lower.contains(word)) && config::is_map(text)
}

/// A secret: a JSON Web Token, or one of unknown expiry.
fn secret(text: &str, now: DateTime<Utc>) -> Credential {
    let found = jwt::parse(text.trim(), now).unwrap_or_else(|| Credential::of_kind("opaque-token"));
    Credential { value: Some(Secret::new(text.trim())), ..found }
}
