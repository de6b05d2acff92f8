//! A table as a JSON Schema, with which editors complete and check a file.
//!
//! Draft 7, since the YAML servers of editors know no later draft completely. It accepts what the reader accepts, or a
//! little less; what it cannot say (limits of durations, duplicate names, unreadable files) is left to `check`.

use serde_json::{Map, Value, json};

use super::record::format_duration;
use super::table::{DefaultValue, Key, Table, ValueType};
use super::yaml;
use crate::schema::diagnostic::SourceText;

/// A duration. A schema cannot compare durations: the limits are in the description.
const DURATION: &str = "^(0|(?=[0-9])([0-9.]+y)?([0-9.]+w)?([0-9.]+d)?([0-9.]+h)?([0-9.]+m)?([0-9.]+s)?([0-9.]+ms)?)$";

/// The JSON Schema of a file whose keys are those of this table.
pub fn json_schema(table: &'static Table, title: &str) -> Value {
    let mut definitions = Map::new();
    let mut schema = object(table, &mut definitions);
    schema["$schema"] = "http://json-schema.org/draft-07/schema#".into();
    schema["title"] = title.into();
    schema["definitions"] = definitions.into();
    schema
}

/// A map with these keys. The tables that it names are added to the definitions.
pub fn object(table: &'static Table, definitions: &mut Map<String, Value>) -> Value {
    let properties: Map<_, _> = table.all().map(|key| (key.name.to_owned(), property(key, definitions))).collect();
    let required: Vec<_> = table.all().filter(|key| key.is_required()).map(|key| key.name).collect();
    let mut schema = json!({"type": "object", "properties": properties});
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    if !table.open {
        schema["additionalProperties"] = false.into();
    }
    schema
}

fn property(key: &'static Key, definitions: &mut Map<String, Value>) -> Value {
    let mut schema = value(&key.value, definitions);
    // Draft 7 ignores everything next to a `$ref`.
    if schema.get("$ref").is_some() {
        schema = json!({"allOf": [schema]});
    }
    let limits = match key.value {
        ValueType::Duration(min, max) | ValueType::Limit(min, max) if max != chrono::TimeDelta::MAX => {
            format!("; from {} to {}", format_duration(min), format_duration(max))
        }
        _ => String::new(),
    };
    schema["description"] = format!("{}{limits}", key.help).into();
    if let DefaultValue::Value(default) = key.default {
        schema["default"] = scalar(default);
    }
    schema
}

/// A value of the tables, which is written as YAML.
fn scalar(yaml: &str) -> Value {
    yaml::parse(&SourceText::new("", yaml)).map_or(Value::Null, |node| node.to_json())
}

/// The schema of a value of this type.
pub fn value(of: &'static ValueType, definitions: &mut Map<String, Value>) -> Value {
    let duration = || json!({"type": "string", "pattern": DURATION});
    match of {
        ValueType::Any => json!({}),
        ValueType::Text => json!({"type": ["string", "number", "boolean"]}),
        ValueType::Line => json!({"type": ["string", "number", "boolean"], "minLength": 1}),
        ValueType::Flag => json!({"type": "boolean"}),
        ValueType::Count(min, u64::MAX) => json!({"type": "integer", "minimum": min}),
        ValueType::Count(min, max) => json!({"type": "integer", "minimum": min, "maximum": max}),
        ValueType::Duration(..) => json!({"anyOf": [duration(), {"const": 0}]}),
        ValueType::Limit(..) => json!({"anyOf": [duration(), {"enum": ["never", null]}]}),
        ValueType::OneOf(words) => json!({"enum": words.iter().map(|word| scalar(word)).collect::<Vec<_>>()}),
        ValueType::Record(table) if table.name.is_empty() => object(table, definitions),
        ValueType::Record(table) => {
            if !definitions.contains_key(table.name) {
                // Reserved first: a table may contain itself.
                definitions.insert(table.name.to_owned(), Value::Null);
                let schema = object(table, definitions);
                definitions.insert(table.name.to_owned(), schema);
            }
            json!({"$ref": format!("#/definitions/{}", table.name)})
        }
        ValueType::WordOr(word, of) => json!({"anyOf": [{"const": word}, value(of, definitions)]}),
        ValueType::ScalarOr(domain, of) => json!({"anyOf": [(domain.json_schema)(), value(of, definitions)]}),
        ValueType::List(min, of) => json!({"type": "array", "minItems": min, "items": value(of, definitions)}),
        ValueType::OneOrList(min, of) => {
            let one = value(of, definitions);
            json!({"anyOf": [one, {"type": "array", "minItems": min, "items": one}]})
        }
        ValueType::Map(of) => json!({"type": "object", "additionalProperties": value(of, definitions)}),
        ValueType::Domain(domain) => (domain.json_schema)(),
    }
}
