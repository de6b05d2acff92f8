//! Functions that our expressions have beyond jq's, and those that stand in for jq's own.

use std::cell::RefCell;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, SecondsFormat};
use jaq_core::Error;
use jaq_core::native::{bome, run, unary, v};
use jaq_json::{Num, Val};
use regex::bytes::{Regex, RegexBuilder};
use x509_parser::pem::Pem;

use super::bounds::{Function, fault};

/// The functions.
pub(super) fn functions() -> [Function; 7] {
    [
        run(("pem_not_after", v(0), |cv| bome(pem_not_after(&cv.1)))),
        run(("jwt_claims", v(0), |cv| bome(jwt_claims(&cv.1)))),
        run(("fromjson", v(0), |cv| bome(from_json(&cv.1)))),
        run(("tonumber", v(0), |cv| bome(to_number(cv.1)))),
        run(("toboolean", v(0), |cv| bome(to_boolean(cv.1)))),
        run(("test", v(1), |cv| unary(cv, |text, pattern| test(&text, &pattern, "")))),
        run(("test", v(2), |mut cv| {
            let flags = cv.0.pop_var();
            let pattern = cv.0.pop_var();
            bome(flags_of(&flags).and_then(|flags| test(&cv.1, &pattern, flags)))
        })),
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

thread_local! {
    /// The patterns that `test` was last asked for, with their flags: a listing asks for the same ones with each row.
    static PATTERNS: RefCell<Vec<(String, String, Regex)>> = const { RefCell::new(Vec::new()) };
}

/// How many patterns are kept: more than one definition has.
const KEPT: usize = 32;

/// Whether a pattern is found in a text. Takes time that is linear in the text's length, whatever the pattern.
fn test(value: &Val, pattern: &Val, flags: &str) -> Result<Val, Error<Val>> {
    let (Val::TStr(text), Val::TStr(pattern)) = (value, pattern) else { return Err(fault("`test` takes texts")) };
    let pattern = std::str::from_utf8(pattern).map_err(|_| fault("no pattern"))?;
    PATTERNS.with_borrow_mut(|kept| {
        let known = kept.iter().position(|(known, with, _)| known == pattern && with == flags);
        let at = match known {
            Some(at) => at,
            None => {
                let regex = compiled(pattern, flags)?;
                if kept.len() == KEPT {
                    kept.remove(0);
                }
                kept.push((pattern.to_owned(), flags.to_owned(), regex));
                kept.len() - 1
            }
        };
        let found = match (&kept[at].2, flags.contains('n')) {
            (regex, true) => regex.find_iter(text).any(|found| !found.is_empty()),
            (regex, false) => regex.is_match(text),
        };
        Ok(Val::Bool(found))
    })
}

/// The flags of `test`, as jq has them; null is none.
fn flags_of(value: &Val) -> Result<&str, Error<Val>> {
    match value {
        Val::Null => Ok(""),
        other => std::str::from_utf8(bytes(other)?).map_err(|_| fault("no flags")),
    }
}

fn compiled(pattern: &str, flags: &str) -> Result<Regex, Error<Val>> {
    if let Some(unknown) = flags.chars().find(|flag| !"gnimslxp".contains(*flag)) {
        return Err(fault(&format!("`{unknown}` is no flag")));
    }
    let has = |flag| flags.contains(flag);
    RegexBuilder::new(pattern)
        .case_insensitive(has('i'))
        .multi_line(has('m') || has('p'))
        .dot_matches_new_line(has('s') || has('p'))
        .swap_greed(has('l'))
        .ignore_whitespace(has('x'))
        .size_limit(1 << 20)
        .build()
        .map_err(|_| fault("no pattern"))
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use base64::engine::general_purpose::URL_SAFE;

    use super::*;

    /// A certificate that nobody uses; its key was thrown away.
    const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----\n\
MIIBejCCAR+gAwIBAgIUDXoWRDDREpr0BaDE1AQKTZ2z0dcwCgYIKoZIzj0EAwIw\n\
EjEQMA4GA1UEAwwHZXhhbXBsZTAeFw0yNjExMjQxNjEyNTJaFw0yNzEyMjkxNjEy\n\
NTJaMBIxEDAOBgNVBAMMB2V4YW1wbGUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC\n\
AATU4+pgGBft1cwrkJV1x5VKGl+93u8z1KswDXc+pKGNLzGHprYcftKDGJbmh8re\n\
K/pu6avtutYlUKJtyYE661moo1MwUTAdBgNVHQ4EFgQUrb92CUnR8cbtJ1065weN\n\
ZYvgHSIwHwYDVR0jBBgwFoAUrb92CUnR8cbtJ1065weNZYvgHSIwDwYDVR0TAQH/\n\
BAUwAwEB/zAKBggqhkjOPQQDAgNJADBGAiEAloVwjY7BYyV5WpQLJJfKs1ALW9ZQ\n\
cMb7AYFJqarOGNkCIQD3S7quuiKN3XDF6GLja3WaPR7AkFe84l18AjAQnYhb7A==\n\
-----END CERTIFICATE-----\n";

    fn shown(result: Result<Val, Error<Val>>) -> Option<String> {
        result.ok().map(|value| value.to_string())
    }

    #[test]
    fn the_end_of_a_certificate_is_found() {
        let end = Some("\"2027-12-29T16:12:52Z\"".to_owned());
        let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        assert_eq!(shown(pem_not_after(&text(CERTIFICATE.into()))), end);
        assert_eq!(shown(pem_not_after(&text(format!("{key}{CERTIFICATE}{CERTIFICATE}")))), end);
        assert_eq!(shown(pem_not_after(&text(format!("CN=example\n{CERTIFICATE}")))), end);
        let broken = CERTIFICATE.replace("MII", "AAA");
        for none in ["", "no certificate", key, &broken, &CERTIFICATE[..200]] {
            assert_eq!(shown(pem_not_after(&text(none.to_owned()))), None, "{none}");
        }
        assert_eq!(shown(pem_not_after(&Val::Null)), None);
    }

    #[test]
    fn the_claims_of_a_token_are_read() {
        let encoded = |claims: &str| format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        let cases = [
            (encoded(r#"{"exp":1798761600,"sub":"ü?>"}"#), Some(r#"{"exp":1798761600,"sub":"ü?>"}"#)),
            (encoded("{}") + "\n", Some("{}")),
            (encoded("[1]"), None),
            (encoded("{"), None),
            (encoded(&"[".repeat(100_000)), None),
            ("e30".to_owned(), None),
            ("e30.e30".to_owned(), None),
            ("..".to_owned(), None),
            (format!("e30.{}.x", URL_SAFE.encode("{}")), None),
            ("e30.@@.x".to_owned(), None),
        ];
        for (token, expected) in cases {
            assert_eq!(shown(jwt_claims(&text(token.clone()))).as_deref(), expected, "{token}");
        }
    }

    #[test]
    fn numbers_and_flags_are_read_out_of_texts() {
        let cases = [
            ("12", Some("12")),
            ("-9223372036854775808", Some("-9223372036854775808")),
            ("1e3", Some("1000.0")),
            ("99999999999999999999", Some("1e20")),
            ("1e999", None),
            ("inf", None),
            ("0x10", None),
            (" 1", None),
            ("", None),
        ];
        for (written, expected) in cases {
            assert_eq!(shown(to_number(text(written.into()))).as_deref(), expected, "{written}");
        }
        assert_eq!(shown(to_boolean(text("false".into()))).as_deref(), Some("false"));
        assert_eq!(shown(to_boolean(text("no".into()))), None);
    }
}
