//! jq's values as the texts and the JSON that requests and tokens are made of.

use jaq_json::{Map, Num};
use serde_json::{Number, Value};

use super::expression::Val;

/// A text.
pub(super) fn val(text: &str) -> Val {
    Val::utf8_str(text.to_owned())
}

/// An object.
pub(super) fn object(entries: impl IntoIterator<Item = (Val, Val)>) -> Val {
    Val::obj(entries.into_iter().collect::<Map>())
}

/// The field of an object; none of anything else.
pub(super) fn field<'v>(value: &'v Val, name: &str) -> Option<&'v Val> {
    match value {
        Val::Obj(object) => object.get(&val(name)),
        _ => None,
    }
}

/// A text or a number, as a text that is not empty.
pub(super) fn text(value: &Val) -> Option<String> {
    match value {
        Val::Bool(_) => None,
        _ => scalar(value).filter(|text| !text.is_empty()),
    }
}

/// A text, a number or a flag, as a text.
pub(super) fn scalar(value: &Val) -> Option<String> {
    match value {
        Val::TStr(bytes) | Val::BStr(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Val::Bool(flag) => Some(flag.to_string()),
        Val::Num(Num::Float(number)) => Some(number.to_string()), // 5, where jq writes 5.0
        Val::Num(number) => Some(number.to_string()),
        Val::Null | Val::Arr(_) | Val::Obj(_) => None,
    }
}

/// The elements of a list; none of anything else.
pub(super) fn elements(value: &Val) -> &[Val] {
    match value {
        Val::Arr(list) => list,
        _ => &[],
    }
}

/// Whether there is nothing: null or an empty text.
pub(super) fn is_blank(value: &Val) -> bool {
    match value {
        Val::Null => true,
        Val::TStr(bytes) | Val::BStr(bytes) => bytes.is_empty(),
        _ => false,
    }
}

/// The same as JSON. What JSON has no word for, such as infinity, is null.
pub(super) fn to_json(value: &Val) -> Value {
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
pub(super) const MOST_VALUES: usize = 1_000_000;

/// Whether a body has more values than are read. Marks within texts count too: it is an upper bound.
pub(super) fn has_too_many(body: &[u8]) -> bool {
    body.iter().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count() > MOST_VALUES
}

/// Reads JSON, unless it has too many values.
///
/// By the strict reader, which bounds the depth: jq's own would overflow the stack on a hostile answer, and takes comments,
/// `NaN` and binary texts. Whole numbers keep 64 bits, so that an id beyond 2^53 stays what it is.
pub(super) fn decode(body: &[u8]) -> Option<Val> {
    if has_too_many(body) { None } else { serde_json::from_slice(body).ok() }
}

/// A JSON value as jq's.
pub(super) fn from_json(value: &Value) -> Val {
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
pub(super) fn object_of(entries: &serde_json::Map<String, Value>) -> Val {
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
    fn what_is_read_is_what_was_written() {
        let json = serde_json::json!({"a": [null, true, -2, 2.5, "ö"], "b": {"c": 1_700_000_000_000_u64}});
        assert_eq!(to_json(&from_json(&json)), json);
        assert_eq!(from_json(&json), decode(json.to_string().as_bytes()).unwrap());
    }
}
