//! Functions in addition to jq's, and replacements of jq's own.

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

pub(super) fn functions() -> [Function; 8] {
    [
        run(("pem_not_after", v(0), |cv| bome(pem_not_after(&cv.1)))),
        run(("jwt_claims", v(0), |cv| bome(jwt_claims(&cv.1)))),
        run(("sha256", v(0), |cv| bome(sha256(&cv.1)))),
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

/// The expiry of the first certificate in a PEM text, as RFC 3339. Of a chain this is the leaf (RFC 8446, section 4.4.2).
/// Skips keys.
fn pem_not_after(value: &Val) -> Result<Val, Error<Val>> {
    let no_certificate = || fault("no certificate in this text");
    let certificate = Pem::iter_from_buffer(bytes(value)?)
        .filter_map(Result::ok)
        .find(|block| matches!(block.label.as_str(), "CERTIFICATE" | "TRUSTED CERTIFICATE"))
        .ok_or_else(no_certificate)?;
    let parsed = certificate.parse_x509().map_err(|_| no_certificate())?;
    let expires = DateTime::from_timestamp(parsed.validity().not_after.timestamp(), 0).ok_or_else(no_certificate)?;
    Ok(text(expires.to_rfc3339_opts(SecondsFormat::Secs, true)))
}

/// The claims of a JSON Web Token (RFC 7519), unverified: only its expiry matters here.
///
/// # Errors
/// If the text is not one.
pub(in crate::providers) fn jwt_claims(value: &Val) -> Result<Val, Error<Val>> {
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

/// The SHA-256 of a text in lower-case hexadecimal digits, with which a secret can give an id that does not show it.
fn sha256(value: &Val) -> Result<Val, Error<Val>> {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes(value)?);
    Ok(text(digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
}

/// Parses JSON, at most 128 levels deep; jq's own recurses without limit.
fn from_json(value: &Val) -> Result<Val, Error<Val>> {
    serde_json::from_slice(bytes(value)?).map_err(|_| fault("no JSON"))
}

/// A number, or one parsed from a string.
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

/// A boolean, or one parsed from a string.
fn to_boolean(value: Val) -> Result<Val, Error<Val>> {
    match &value {
        Val::Bool(_) => Ok(value),
        Val::TStr(text) if text.as_ref() == b"true".as_slice() => Ok(Val::Bool(true)),
        Val::TStr(text) if text.as_ref() == b"false".as_slice() => Ok(Val::Bool(false)),
        _ => Err(fault("neither true nor false")),
    }
}

thread_local! {
    /// The patterns and flags that `test` used last: a listing tests each row with the same ones.
    static PATTERNS: RefCell<Vec<(String, String, Regex)>> = const { RefCell::new(Vec::new()) };
}

/// More than one definition has.
const CACHED_PATTERNS: usize = 32;

/// Whether a pattern matches. The time is linear in the length of the string for every pattern.
fn test(value: &Val, pattern: &Val, flags: &str) -> Result<Val, Error<Val>> {
    let (Val::TStr(text), Val::TStr(pattern)) = (value, pattern) else { return Err(fault("`test` takes texts")) };
    let pattern = std::str::from_utf8(pattern).map_err(|_| fault("no pattern"))?;
    PATTERNS.with_borrow_mut(|cached| {
        let known = cached.iter().position(|(known, with, _)| known == pattern && with == flags);
        let at = match known {
            Some(at) => at,
            None => {
                let regex = compiled(pattern, flags)?;
                if cached.len() == CACHED_PATTERNS {
                    cached.remove(0);
                }
                cached.push((pattern.to_owned(), flags.to_owned(), regex));
                cached.len() - 1
            }
        };
        let found = match (&cached[at].2, flags.contains('n')) {
            (regex, true) => regex.find_iter(text).any(|found| !found.is_empty()),
            (regex, false) => regex.is_match(text),
        };
        Ok(Val::Bool(found))
    })
}

/// The flags of `test`; null means none.
fn flags_of(value: &Val) -> Result<&str, Error<Val>> {
    match value {
        Val::Null => Ok(""),
        other => std::str::from_utf8(bytes(other)?).map_err(|_| fault("no flags")),
    }
}

pub(super) fn compiled(pattern: &str, flags: &str) -> Result<Regex, Error<Val>> {
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

    /// A certificate made for these tests; its key was discarded.
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
    fn pem_not_after_finds_the_first_certificate() {
        let expires = Some("\"2027-12-29T16:12:52Z\"".to_owned());
        let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        assert_eq!(shown(pem_not_after(&text(CERTIFICATE.into()))), expires);
        assert_eq!(shown(pem_not_after(&text(format!("{key}{CERTIFICATE}{CERTIFICATE}")))), expires);
        assert_eq!(shown(pem_not_after(&text(format!("CN=example\n{CERTIFICATE}")))), expires);
        let broken = CERTIFICATE.replace("MII", "AAA");
        for none in ["", "no certificate", key, &broken, &CERTIFICATE[..200]] {
            assert_eq!(shown(pem_not_after(&text(none.to_owned()))), None, "{none}");
        }
        assert_eq!(shown(pem_not_after(&Val::Null)), None);
    }

    #[test]
    fn sha256_is_the_digest_of_a_text() {
        // https://csrc.nist.gov/projects/cryptographic-standards-and-guidelines/example-values
        let expected = "\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"";
        assert_eq!(shown(sha256(&text("abc".to_owned()))).as_deref(), Some(expected));
        assert_eq!(shown(sha256(&Val::Null)), None);
    }

    #[test]
    fn jwt_claims_decodes_only_an_object() {
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
    fn tonumber_and_toboolean_parse_strings() {
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
