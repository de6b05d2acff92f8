//! JSON Web Tokens (RFC 7519), unverified: only their claims matter here.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::Credential;
use crate::core::time::{TimeFormat, Unit};
use crate::core::token::Expiry;

/// `None` if the text is not a JSON Web Token.
pub(super) fn parse(text: &str, now: DateTime<Utc>) -> Option<Credential> {
    let mut parts = text.split('.');
    let (header, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    object(header).filter(|header| header.contains_key("alg"))?;
    let claims = object(claims)?;
    let times = TimeFormat { unit: Unit::EpochSeconds, ..TimeFormat::default() };
    let claim = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(Credential {
        owner: claim("sub"),
        issuer: claim("iss"),
        created_at: claims.get("iat").and_then(|issued| times.timestamp(issued, now).ok().flatten()),
        expires: claims.get("exp").map_or(Expiry::Never, |expires| times.expiry(expires, now)),
        ..Credential::of_kind("jwt")
    })
}

fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok()?).ok()
}
