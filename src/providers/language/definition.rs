//! The YAML of a definition: its keys and the types of their values. The compiler reads their meaning.

mod table;

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::template::is_name;
use crate::core::time::parse_duration;
use crate::core::web_url::web_url;
use crate::schema::json_schema::json_schema;
use crate::schema::markdown::markdown;
use crate::schema::table::DomainType;
use crate::schema::yaml::{Kind, Node};

pub(super) use table::{DEFINITION, SCHEME};

/// The JSON Schema of a definition.
pub fn definition_schema() -> Value {
    json_schema(&DEFINITION, "A provider definition of token-expiry-exporter")
}

/// The tables of keys of `docs/definitions.md`.
pub fn key_tables() -> String {
    markdown(&DEFINITION)
}

/// A string, a number or a boolean; where `null`, nothing too.
fn scalar(null: bool) -> Value {
    let types = ["string", "number", "boolean", "null"];
    json!({"type": types[..types.len() - usize::from(!null)]})
}

static NAME: DomainType = DomainType {
    words: "name",
    json_schema: || json!({"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_-]*$"}),
    check: |reader, node, path| match node.as_text() {
        Some(name) if is_name(name) => {}
        Some(_) => reader.error(node.at, format!("{path}: a name has only letters, digits, `_` and `-`")),
        None => reader.wrong_type(node, path, "a name"),
    },
};

static JQ: DomainType = DomainType {
    words: "jq",
    json_schema: || scalar(false),
    check: |reader, node, path| match node.kind {
        Kind::List(_) | Kind::Map(_) => {
            let message = format!("{path}: expected an expression, found {}; put it in quotes", node.describe());
            reader.error(node.at, message);
        }
        Kind::Null => reader.wrong_type(node, path, "an expression"),
        _ => {}
    },
};

/// A text with `{names}` in it.
static TEMPLATE: DomainType = DomainType {
    words: "template",
    json_schema: || scalar(false),
    check: |reader, node, path| drop(reader.string(node, path)),
};

/// A template, or null, which is empty.
static OPTIONAL_TEMPLATE: DomainType = DomainType {
    words: "template",
    json_schema: || scalar(true),
    check: |reader, node, path| {
        if !node.is_null() {
            reader.string(node, path);
        }
    },
};

/// The value of a query parameter.
static PARAMETER: DomainType = DomainType {
    words: "value",
    json_schema: || json!({"anyOf": [scalar(true), {"type": "array", "items": scalar(true)}]}),
    check: |reader, node, path| {
        for element in node.elements().iter().filter(|element| matches!(element.kind, Kind::List(_) | Kind::Map(_))) {
            reader.wrong_type(element, path, "a string, a number, a boolean, null, or a list of those");
        }
    },
};

/// How times may be written; `iso` is always read.
const TIME_FORMS: [&str; 6] = ["epoch_s", "epoch_ms", "seconds_from_now", "rfc_2822", "end_of_day", "iso"];

static TIMES: DomainType = DomainType {
    words: "`epoch_s`, `epoch_ms`, `seconds_from_now`, `rfc_2822`, `end_of_day`, `iso`, or a list",
    json_schema: || json!({"anyOf": [{"enum": TIME_FORMS}, {"type": "array", "items": {"enum": TIME_FORMS}}]}),
    check: |reader, node, path| {
        let mut unit = None;
        for element in node.elements() {
            reader.one_of(element, path, &TIME_FORMS);
            let word = element.as_text().filter(|word| TIME_FORMS[..3].contains(word));
            if word.is_some() && unit.is_some_and(|unit| Some(unit) != word) {
                reader.error(element.at, format!("{path}: numbers can have only one unit"));
            }
            unit = word.or(unit);
        }
    },
};

static RATE: DomainType = DomainType {
    words: "rate",
    json_schema: || json!({"type": "string", "pattern": "^[0-9]+ */ *([0-9]+(ms|s|m|h|d|w|y))+$"}),
    check: |reader, node, path| {
        if rate(node).is_none() {
            reader.wrong_type(node, path, "a rate such as `150/1m`");
        }
    },
};

/// Values that mean never.
static NEVER: DomainType = DomainType {
    words: "`false`, or a list",
    json_schema: || {
        let after = json!({
            "type": "object",
            "properties": {"after": {"type": "string"}},
            "required": ["after"],
            "additionalProperties": false,
        });
        let one = json!({"anyOf": [{"type": ["string", "number"]}, after]});
        json!({"anyOf": [{"const": false}, one, {"type": "array", "items": one}]})
    },
    check: |reader, node, path| {
        if matches!(node.kind, Kind::Flag(false)) {
            return;
        }
        for element in node.elements() {
            match element.kind {
                Kind::Number(_) | Kind::Text(_) => {}
                Kind::Map(_) if never_after(element).is_some() => {}
                Kind::Map(_) => {
                    reader
                        .error(element.at, format!("{path}: expected `{{after: DURATION}}`, such as `{{after: 50y}}`"));
                }
                _ => reader.wrong_type(element, path, "`false`, or a list of numbers and strings"),
            }
        }
    },
};

/// The duration of `{after: 50y}`, which is not zero.
pub(super) fn never_after(node: &Node) -> Option<TimeDelta> {
    let [(key, duration)] = node.entries() else { return None };
    let duration = parse_duration(duration.as_text()?.trim()).filter(|duration| *duration > TimeDelta::zero())?;
    (key.name == "after").then_some(duration)
}

/// A link.
static WEB_URL: DomainType = DomainType {
    words: "URL",
    json_schema: || json!({"type": "string", "pattern": "^https?://"}),
    check: |reader, node, path| {
        let written = reader.line(node, path);
        if written.is_some_and(|written| web_url(&written).is_none()) {
            reader.error(node.at, format!("{path}: invalid URL; expected https:// or http://, without credentials"));
        }
    },
};

/// The number of requests and the time of a rate.
pub(super) fn rate(node: &Node) -> Option<(u32, std::time::Duration)> {
    let (count, time) = node.as_text()?.split_once('/')?;
    let count: u32 = count.trim().parse().ok().filter(|count| *count > 0)?;
    let time = parse_duration(time.trim())?.to_std().ok().filter(|time| !time.is_zero())?;
    Some((count, time))
}
