//! JSON Web Tokens (RFC 7519), unverified: what they say of themselves is all that is wanted.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::Credential;
use crate::core::time::{TimeFormat, Unit};
use crate::core::token::Expiry;

/// A token's claims; none where the text is no such token.
pub(super) fn read(text: &str, now: DateTime<Utc>) -> Option<Credential> {
    let mut parts = text.split('.');
    let (header, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    object(header).filter(|header| header.contains_key("alg"))?;
    let claims = object(claims)?;
    let times = TimeFormat { unit: Unit::EpochSeconds, ..TimeFormat::default() };
    let told = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(Credential {
        owner: told("sub"),
        issuer: told("iss"),
        created_at: claims.get("iat").and_then(|issued| times.instant(issued, now).ok().flatten()),
        expires: claims.get("exp").map_or(Expiry::Never, |end| times.expiry(end, now)),
        ..Credential::unknown("jwt")
    })
}

fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok()?).ok()
}
