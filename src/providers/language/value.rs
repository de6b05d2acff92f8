//! Conversion of jq values to strings and JSON, and the JSON decoder.

use jaq_json::{Map, Num};
use serde::Deserialize;
use serde_json::{Number, Value};

use super::expression::Val;

/// A string.
pub(crate) fn val(text: &str) -> Val {
    Val::utf8_str(text.to_owned())
}

pub(crate) fn object(entries: impl IntoIterator<Item = (Val, Val)>) -> Val {
    Val::obj(entries.into_iter().collect::<Map>())
}

/// A field of an object; `None` for other types.
pub(crate) fn field<'v>(value: &'v Val, name: &str) -> Option<&'v Val> {
    match value {
        Val::Obj(object) => object.get(&val(name)),
        _ => None,
    }
}

/// A non-empty string, or a number as a string.
pub(crate) fn text(value: &Val) -> Option<String> {
    match value {
        Val::Bool(_) => None,
        _ => scalar(value).filter(|text| !text.is_empty()),
    }
}

/// A string, number or boolean as a string.
pub(crate) fn scalar(value: &Val) -> Option<String> {
    match value {
        Val::TStr(bytes) | Val::BStr(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Val::Bool(flag) => Some(flag.to_string()),
        Val::Num(Num::Float(number)) => Some(number.to_string()), // 5, where jq writes 5.0
        Val::Num(number) => Some(number.to_string()),
        Val::Null | Val::Arr(_) | Val::Obj(_) => None,
    }
}

/// The type of a value, with its article.
pub(crate) fn kind(value: &Val) -> &'static str {
    match value {
        Val::Null => "null",
        Val::Bool(_) => "a boolean",
        Val::Num(_) => "a number",
        Val::TStr(_) | Val::BStr(_) => "a string",
        Val::Arr(_) => "a list",
        Val::Obj(_) => "an object",
    }
}

/// Null or an empty string.
pub(crate) fn is_blank(value: &Val) -> bool {
    match value {
        Val::Null => true,
        Val::TStr(bytes) | Val::BStr(bytes) => bytes.is_empty(),
        _ => false,
    }
}

/// A jq value as JSON. What JSON cannot express, such as infinity, is null.
pub fn to_json(value: &Val) -> Value {
    match value {
        Val::Null => Value::Null,
        Val::Bool(flag) => (*flag).into(),
        Val::Num(number) => json_number(number).map_or(Value::Null, Value::Number),
        Val::TStr(bytes) | Val::BStr(bytes) => String::from_utf8_lossy(bytes).into(),
        Val::Arr(list) => list.iter().map(to_json).collect(),
        Val::Obj(object) => {
            object.iter().map(|(key, value)| (scalar(key).unwrap_or_default(), to_json(value))).collect()
        }
    }
}

fn json_number(number: &Num) -> Option<Number> {
    match number {
        Num::Int(number) => Some((*number).into()),
        Num::Float(number) => Number::from_f64(*number),
        Num::BigInt(_) | Num::Dec(_) => number.to_string().parse().ok(),
    }
}

/// The most values in one response. The size limit alone would allow thirty million, at some hundred bytes each once
/// decoded; a hundred thousand tokens with ten fields each come in pages.
pub(crate) const MAX_VALUES: usize = 1_000_000;

/// Whether a body has more than [`MAX_VALUES`] values, by an upper bound: punctuation in strings counts too.
pub(crate) fn has_too_many(body: &[u8]) -> bool {
    body.iter().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count() > MAX_VALUES
}

/// Decodes JSON, unless it has too many values.
///
/// With serde_json, which limits the depth: jq's own decoder would overflow the stack on a hostile response, and accepts
/// comments, `NaN` and binary strings. Integers keep 64 bits, so that an id beyond 2^53 is unchanged.
///
/// Invalid Unicode is replaced, not rejected: otherwise a user who can name one token could hide the whole listing.
pub fn decode(body: &[u8]) -> Option<Val> {
    // RFC 8259, section 8.1: a parser may ignore a byte order mark.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    if has_too_many(body) {
        return None;
    }
    serde_json::from_slice(body).ok().or_else(|| serde_json::from_str(&replace_invalid_unicode(body)?).ok())
}

/// The body with U+FFFD for invalid UTF-8 and lone surrogates (`\ud800`); `None` if there are none.
fn replace_invalid_unicode(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let was_utf8 = matches!(text, std::borrow::Cow::Borrowed(_));
    let mut out = String::with_capacity(text.len());
    let mut rest = &*text;
    let mut surrogates = 0;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let (shown, length) = match (code_unit(escape), escape.get(6..).and_then(code_unit)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => (&escape[..12], 12),
            (Some(0xD800..=0xDFFF), _) => ("\\ufffd", 6),
            // Skip the escaped character: it may be another backslash.
            _ => {
                let length = 1 + escape.chars().nth(1).map_or(0, char::len_utf8);
                (&escape[..length], length)
            }
        };
        surrogates += usize::from(length == 6);
        out.push_str(shown);
        rest = &escape[length..];
    }
    out.push_str(rest);
    (surrogates > 0 || !was_utf8).then_some(out)
}

/// The code unit of `\u12ab`.
fn code_unit(escape: &str) -> Option<u16> {
    let digits = escape.strip_prefix("\\u")?.get(..4)?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
}

/// A JSON value as a jq value.
pub(crate) fn from_json(value: &Value) -> Val {
    Val::deserialize(value).unwrap_or_default() // any JSON is a jq value
}

/// The object with another field.
pub(crate) fn with_field(of: &Val, name: &str, field: Val) -> Val {
    let mut object = match of {
        Val::Obj(object) => Map::clone(object),
        _ => Map::default(),
    };
    object.insert(val(name), field);
    Val::obj(object)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn decode_keeps_64_bit_integers() {
        let read = |json: &str| text(&decode(json.as_bytes()).unwrap()).unwrap();
        assert_eq!(read("9007199254740993"), "9007199254740993");
        assert_eq!(read("18446744073709551615"), "18446744073709551615");
        assert_eq!(read("-1"), "-1");
        assert_eq!(read("5.0"), "5");
        assert_eq!(decode("\u{feff}[1]".as_bytes()), decode(b"[1]"), "RFC 8259, section 8.1");
        assert_eq!(to_json(&decode(b"18446744073709551615").unwrap()).as_u64(), Some(u64::MAX));
    }

    #[test]
    fn decode_is_strict_and_limits_depth() {
        assert!(decode(&[b'['; 100_000]).is_none());
        for not_json in ["", "NaN", "# a comment\n1", "<!doctype html>", "{} {}", "[1,]"] {
            assert!(decode(not_json.as_bytes()).is_none(), "{not_json}");
        }
    }

    #[test]
    fn decode_limits_the_number_of_values() {
        let list = |count: usize| format!("[{}0]", "0,".repeat(count - 1)).into_bytes();
        assert!(decode(&list(MAX_VALUES)).is_some());
        assert!(decode(&list(MAX_VALUES + 1)).is_none());
        assert!(has_too_many(&b"[],".repeat(MAX_VALUES)));
    }

    #[test]
    fn decode_replaces_invalid_unicode() {
        let cases: [(&[u8], &str); 7] = [
            (br#""a\ud800b""#, "a\u{fffd}b"),
            (br#""\udc00\ud83d\ude00""#, "\u{fffd}😀"),
            (br#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
            (br#""\\ud800\ud800""#, "\\ud800\u{fffd}"),
            (b"\"a\xff\xfeb\"", "a\u{fffd}\u{fffd}b"),
            (b"\"\xed\xa0\x80\"", "\u{fffd}\u{fffd}\u{fffd}"),
            (br#""\ud800\n""#, "\u{fffd}\n"),
        ];
        for (json, expected) in cases {
            assert_eq!(decode(json).as_ref().and_then(text).as_deref(), Some(expected), "{}", json.escape_ascii());
        }
        for not_json in [&b"\xff"[..], br#""\ud800"#, br#""\ud8"#, br#""\ud8\xe4""#, br#""\"#] {
            assert!(decode(not_json).is_none(), "{}", not_json.escape_ascii());
        }
    }

    #[test]
    fn to_json_inverts_from_json() {
        let json = serde_json::json!({"a": [null, true, -2, 2.5, "ö"], "b": {"c": 1_700_000_000_000_u64}});
        assert_eq!(to_json(&from_json(&json)), json);
        assert_eq!(from_json(&json), decode(json.to_string().as_bytes()).unwrap());
    }
}
