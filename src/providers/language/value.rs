//! jq's values as the texts and the JSON that requests and tokens are made of.

use jaq_json::{Map, Num};
use serde_json::{Number, Value};

use super::expression::Val;

/// A text.
pub(in crate::providers) fn val(text: &str) -> Val {
    Val::utf8_str(text.to_owned())
}

/// An object.
pub(in crate::providers) fn object(entries: impl IntoIterator<Item = (Val, Val)>) -> Val {
    Val::obj(entries.into_iter().collect::<Map>())
}

/// The field of an object; none of anything else.
pub(in crate::providers) fn field<'v>(value: &'v Val, name: &str) -> Option<&'v Val> {
    match value {
        Val::Obj(object) => object.get(&val(name)),
        _ => None,
    }
}

/// A text or a number, as a text that is not empty.
pub(in crate::providers) fn text(value: &Val) -> Option<String> {
    match value {
        Val::Bool(_) => None,
        _ => scalar(value).filter(|text| !text.is_empty()),
    }
}

/// A text, a number or a flag, as a text.
pub(in crate::providers) fn scalar(value: &Val) -> Option<String> {
    match value {
        Val::TStr(bytes) | Val::BStr(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Val::Bool(flag) => Some(flag.to_string()),
        Val::Num(Num::Float(number)) => Some(number.to_string()), // 5, where jq writes 5.0
        Val::Num(number) => Some(number.to_string()),
        Val::Null | Val::Arr(_) | Val::Obj(_) => None,
    }
}

/// The elements of a list; none of anything else.
pub(in crate::providers) fn elements(value: &Val) -> &[Val] {
    match value {
        Val::Arr(list) => list,
        _ => &[],
    }
}

/// Whether there is nothing: null or an empty text.
pub(in crate::providers) fn is_blank(value: &Val) -> bool {
    match value {
        Val::Null => true,
        Val::TStr(bytes) | Val::BStr(bytes) => bytes.is_empty(),
        _ => false,
    }
}

/// The same as JSON. What JSON has no word for, such as infinity, is null.
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

/// The most values of one answer. Within the size that an answer may have there is room for thirty million, and each takes
/// some hundred bytes once it is read; a hundred thousand tokens with ten fields each come in pages.
pub(in crate::providers) const MOST_VALUES: usize = 1_000_000;

/// Whether a body has more values than are read. Marks within texts count too: it is an upper bound.
pub(in crate::providers) fn has_too_many(body: &[u8]) -> bool {
    body.iter().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count() > MOST_VALUES
}

/// Reads JSON, unless it has too many values.
///
/// By the strict reader, which bounds the depth: jq's own would overflow the stack on a hostile answer, and takes comments,
/// `NaN` and binary texts. Whole numbers keep 64 bits, so that an id beyond 2^53 stays what it is.
///
/// A text that is not Unicode is mended and not refused: or whoever may name one token could hide all of a listing.
pub fn decode(body: &[u8]) -> Option<Val> {
    if has_too_many(body) {
        return None;
    }
    serde_json::from_slice(body).ok().or_else(|| serde_json::from_str(&mended(body)?).ok())
}

/// The answer with a sign in the place of bytes that are no UTF-8 and of halves of a character (`\ud800`); none where there
/// are none.
fn mended(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let was_text = matches!(text, std::borrow::Cow::Borrowed(_));
    let mut out = String::with_capacity(text.len());
    let mut rest = &*text;
    let mut halves = 0;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let (shown, length) = match (unit(escape), escape.get(6..).and_then(unit)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => (&escape[..12], 12),
            (Some(0xD800..=0xDFFF), _) => ("\\ufffd", 6),
            // The character after a backslash, whatever it is: it may be another backslash.
            _ => {
                let length = 1 + escape.chars().nth(1).map_or(0, char::len_utf8);
                (&escape[..length], length)
            }
        };
        halves += usize::from(length == 6);
        out.push_str(shown);
        rest = &escape[length..];
    }
    out.push_str(rest);
    (halves > 0 || !was_text).then_some(out)
}

/// The number in `\u12ab`.
fn unit(escape: &str) -> Option<u16> {
    let digits = escape.strip_prefix("\\u")?.get(..4)?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
}

/// A JSON value as jq's.
pub(in crate::providers) fn from_json(value: &Value) -> Val {
    match value {
        Value::Null => Val::Null,
        Value::Bool(flag) => Val::Bool(*flag),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Val::Num(Num::from_integral(number)),
            (_, Some(number)) => Val::Num(Num::from_integral(number)),
            _ => Val::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => val(text),
        Value::Array(list) => list.iter().map(from_json).collect(),
        Value::Object(object) => object_of(object),
    }
}

/// A JSON object as jq's.
pub(in crate::providers) fn object_of(entries: &serde_json::Map<String, Value>) -> Val {
    object(entries.iter().map(|(key, value)| (val(key), from_json(value))))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn whole_numbers_keep_64_bits() {
        let read = |json: &str| text(&decode(json.as_bytes()).unwrap()).unwrap();
        assert_eq!(read("9007199254740993"), "9007199254740993");
        assert_eq!(read("18446744073709551615"), "18446744073709551615");
        assert_eq!(read("-1"), "-1");
        assert_eq!(read("5.0"), "5");
        assert_eq!(to_json(&decode(b"18446744073709551615").unwrap()).as_u64(), Some(u64::MAX));
    }

    #[test]
    fn json_is_read_strictly_and_to_a_bounded_depth() {
        assert!(decode(&[b'['; 100_000]).is_none());
        for not_json in ["", "NaN", "# a comment\n1", "<!doctype html>", "{} {}", "[1,]"] {
            assert!(decode(not_json.as_bytes()).is_none(), "{not_json}");
        }
    }

    #[test]
    fn not_more_values_are_read_than_memory_has_room_for() {
        let list = |count: usize| format!("[{}0]", "0,".repeat(count - 1)).into_bytes();
        assert!(decode(&list(MOST_VALUES)).is_some());
        assert!(decode(&list(MOST_VALUES + 1)).is_none());
        assert!(has_too_many(&b"[],".repeat(MOST_VALUES)));
    }

    #[test]
    fn a_text_that_is_not_unicode_is_mended() {
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
    fn what_is_read_is_what_was_written() {
        let json = serde_json::json!({"a": [null, true, -2, 2.5, "ö"], "b": {"c": 1_700_000_000_000_u64}});
        assert_eq!(to_json(&from_json(&json)), json);
        assert_eq!(from_json(&json), decode(json.to_string().as_bytes()).unwrap());
    }
}
