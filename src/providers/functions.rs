//! Functions that our expressions have beyond jq's, and those that stand in for jq's own.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, SecondsFormat};
use jaq_core::Error;
use jaq_core::native::{bome, run, v};
use jaq_json::{Num, Val};
use x509_parser::pem::Pem;

use super::expression::bounds::{Function, fault};

/// The functions.
pub(super) fn functions() -> [Function; 5] {
    [
        run(("pem_not_after", v(0), |cv| bome(pem_not_after(&cv.1)))),
        run(("jwt_claims", v(0), |cv| bome(jwt_claims(&cv.1)))),
        run(("fromjson", v(0), |cv| bome(from_json(&cv.1)))),
        run(("tonumber", v(0), |cv| bome(to_number(cv.1)))),
        run(("toboolean", v(0), |cv| bome(to_boolean(cv.1)))),
    ]
}

/// The end of the first certificate in a PEM text, as RFC 3339: of a chain, the leaf's, which comes first (RFC 8446,
/// section 4.4.2). Keys before it are passed over.
fn pem_not_after(value: &Val) -> Result<Val, Error<Val>> {
    let no_certificate = || fault("no certificate in this text");
    let certificate = Pem::iter_from_buffer(bytes(value)?)
        .filter_map(Result::ok)
        .find(|block| matches!(block.label.as_str(), "CERTIFICATE" | "TRUSTED CERTIFICATE"))
        .ok_or_else(no_certificate)?;
    let parsed = certificate.parse_x509().map_err(|_| no_certificate())?;
    let end = DateTime::from_timestamp(parsed.validity().not_after.timestamp(), 0).ok_or_else(no_certificate)?;
    Ok(text(end.to_rfc3339_opts(SecondsFormat::Secs, true)))
}

/// The claims of a JSON Web Token (RFC 7519), unverified: when it ends is all that anybody here wants to know.
fn jwt_claims(value: &Val) -> Result<Val, Error<Val>> {
    let no_token = || fault("no JSON Web Token");
    let token = bytes(value)?;
    let mut parts = token.trim_ascii().split(|byte| *byte == b'.');
    let (Some(_), Some(claims), Some(_)) = (parts.next(), parts.next(), parts.next()) else { return Err(no_token()) };
    let claims = URL_SAFE_NO_PAD.decode(claims.trim_ascii_end()).map_err(|_| no_token())?;
    match serde_json::from_slice(&claims) {
        Ok(claims @ Val::Obj(_)) => Ok(claims),
        _ => Err(no_token()),
    }
}

/// One JSON value. jq's own goes as deep on the stack as the text does; this reads 128 levels.
fn from_json(value: &Val) -> Result<Val, Error<Val>> {
    serde_json::from_slice(bytes(value)?).map_err(|_| fault("no JSON"))
}

/// A number, or the number that a text holds.
fn to_number(value: Val) -> Result<Val, Error<Val>> {
    if matches!(value, Val::Num(_)) {
        return Ok(value);
    }
    let written = std::str::from_utf8(bytes(&value)?).unwrap_or_default();
    if !written.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte)) {
        return Err(fault("no number"));
    }
    if let Ok(whole) = written.parse::<isize>() {
        return Ok(Val::Num(Num::Int(whole)));
    }
    match written.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(Val::Num(Num::Float(number))),
        _ => Err(fault("no number")),
    }
}

/// A flag, or the flag that a text holds.
fn to_boolean(value: Val) -> Result<Val, Error<Val>> {
    match &value {
        Val::Bool(_) => Ok(value),
        Val::TStr(text) if text.as_ref() == b"true".as_slice() => Ok(Val::Bool(true)),
        Val::TStr(text) if text.as_ref() == b"false".as_slice() => Ok(Val::Bool(false)),
        _ => Err(fault("neither true nor false")),
    }
}

fn bytes(value: &Val) -> Result<&[u8], Error<Val>> {
    match value {
        Val::TStr(text) | Val::BStr(text) => Ok(text),
        _ => Err(fault("no text")),
    }
}

fn text(text: String) -> Val {
    Val::utf8_str(text.into_bytes())
}
