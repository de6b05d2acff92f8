//! What a file holds: told by its content, since names differ.

mod certificate;
mod config;
mod jwt;
mod netrc;

use chrono::{DateTime, Utc};

use crate::core::token::Expiry;

/// A credential that a file holds, without the credential.
#[derive(Clone, Debug, PartialEq)]
pub struct Credential {
    /// What sort it is.
    pub kind: &'static str,
    /// Where it stands, if the file can hold several.
    pub part: Option<String>,
    /// What it calls itself.
    pub(super) name: Option<String>,
    /// Whose it says to be.
    pub(super) owner: Option<String>,
    /// Who says to have made it.
    pub(super) issuer: Option<String>,
    /// When it says to have been made.
    pub(super) created_at: Option<DateTime<Utc>>,
    /// When it says to end.
    pub(super) expires: Expiry,
}

impl Credential {
    /// One of which nothing more is known.
    fn unknown(kind: &'static str) -> Self {
        let (part, name, owner, issuer, created_at) = (None, None, None, None, None);
        Self { kind, part, name, owner, issuer, created_at, expires: Expiry::Unknown }
    }

    fn at(self, part: impl Into<String>) -> Self {
        Self { part: Some(part.into()), ..self }
    }
}

/// The credentials of a file. One that clearly is a credential and tells no end is `Unknown`.
///
/// # Errors
/// What about the file cannot be read, where nothing in it looks like a credential.
pub fn read(bytes: &[u8], now: DateTime<Utc>) -> Result<Vec<Credential>, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "text")?;
    if text.contains("-----BEGIN ") {
        return certificate::read(text);
    }
    let trimmed = text.trim();
    if let Some(found) = jwt::read(trimmed, now) {
        return Ok(vec![found]);
    }
    if let Some(found) = netrc::read(text, now).or_else(|| config::read(text, now)) {
        return Ok(found);
    }
    // One word of some length: a token that keeps its end to itself.
    let is_word = (16..=4096).contains(&trimmed.len()) && trimmed.bytes().all(|byte| byte.is_ascii_graphic());
    if is_word { Ok(vec![Credential::unknown("opaque-token")]) } else { Err("credential") }
}

/// A secret that may be a JSON Web Token: with its end, or of unknown end.
fn secret(text: &str, now: DateTime<Utc>) -> Credential {
    jwt::read(text.trim(), now).unwrap_or_else(|| Credential::unknown("opaque-token"))
}
