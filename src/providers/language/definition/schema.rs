//! The tables of keys as a JSON Schema, for editors, and as the tables of the documentation.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::keys::{ALL, DEFINITION, REQUEST};
use super::{Construct, Form, Key, TIMES};

/// The JSON Schema (draft 2020-12) of a definition.
pub fn definition_schema() -> Value {
    let parts: Map<String, Value> =
        ALL.iter().map(|construct| (construct.name.to_owned(), object(construct))).collect();
    let mut schema = object(&DEFINITION);
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema["title"] = "A provider definition of token-expiry-exporter".into();
    schema["$defs"] = parts.into();
    schema
}

fn object(construct: &Construct) -> Value {
    let properties: Map<String, Value> = construct
        .all()
        .map(|key| {
            let mut property = form(&key.form);
            property["description"] = key.help.replace('`', "").into();
            (key.name.to_owned(), property)
        })
        .collect();
    let required: Vec<&str> = construct.all().filter(|key| key.required).map(|key| key.name).collect();
    json!({"type": "object", "additionalProperties": false, "required": required, "properties": properties})
}

fn form(form_of: &Form) -> Value {
    let scalar = json!(["string", "number", "boolean"]);
    let reference = |construct: &Construct| json!({"$ref": format!("#/$defs/{}", construct.name)});
    let or_list = |one: Value| json!({"anyOf": [one, {"type": "array", "items": one}]});
    match form_of {
        Form::Text | Form::Template | Form::Jq => json!({"type": scalar}),
        Form::Name => json!({"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_-]*$"}),
        Form::Flag => json!({"type": "boolean"}),
        Form::Count => json!({"type": "integer", "minimum": 0}),
        Form::Json => json!({}),
        Form::Duration => json!({"type": "string", "pattern": "^([0-9]+(ms|s|m|h|d|w|y))+$"}),
        Form::Rate => json!({"type": "string", "pattern": "^[0-9]+ */ *([0-9]+(ms|s|m|h|d|w|y))+$"}),
        Form::OneOf(["1"]) => json!({"const": 1}),
        Form::OneOf(words) => json!({"enum": words}),
        Form::Times => or_list(json!({"enum": TIMES})),
        Form::Never => {
            json!({"anyOf": [{"const": false}, {"type": ["string", "number"]}, {"type": "array", "items": {"type": ["string", "number"]}}]})
        }
        Form::List(of) => or_list(form(of)),
        Form::Templates => {
            json!({"type": "object", "additionalProperties": {"type": ["string", "number", "boolean", "null"]}})
        }
        Form::Query => {
            let one = json!({"type": ["string", "number", "boolean", "null"]});
            json!({"type": "object", "additionalProperties": or_list(one)})
        }
        Form::Is(of) => reference(of),
        Form::ListOf(of) => json!({"type": "array", "items": reference(of)}),
        Form::OneOrList(of) => or_list(reference(of)),
        Form::MapOf(of) => json!({"type": "object", "additionalProperties": reference(of)}),
        Form::Next(of) => json!({"anyOf": [{"const": "link"}, reference(of)]}),
        Form::BearerOr(of) => {
            json!({"anyOf": [{"const": "bearer"}, reference(of), {"type": "array", "items": reference(of)}]})
        }
    }
}

/// The tables of keys of `docs/definitions.md`.
pub fn key_tables() -> String {
    let mut page = String::new();
    let all = REQUEST.iter().flat_map(|(_, keys)| keys.iter());
    section(&mut page, "A request", "The keys of everything that is asked.", all);
    for construct in ALL {
        let own = construct.keys.iter().filter(|group| !is_request(group)).flat_map(|group| group.iter());
        let shared: Vec<&[Key]> = construct.keys.iter().copied().filter(|group| is_request(group)).collect();
        let note = match shared.len() {
            0 => String::new(),
            number if number == REQUEST.len() => "It has the keys of a request too.".to_owned(),
            _ => {
                let names: Vec<String> =
                    shared.iter().flat_map(|group| group.iter()).map(|key| format!("`{}`", key.name)).collect();
                format!("Of a request it has {}.", names.join(", "))
            }
        };
        let help = [construct.help, note.as_str()].join(" ");
        section(&mut page, construct.title, help.trim(), own);
    }
    page
}

fn is_request(group: &[Key]) -> bool {
    REQUEST.iter().any(|(_, keys)| keys.first().map(|key| key.name) == group.first().map(|key| key.name))
}

fn section<'a>(page: &mut String, title: &str, help: &str, keys: impl Iterator<Item = &'a Key>) {
    if !page.is_empty() {
        page.push('\n');
    }
    let _ = writeln!(page, "### {title}\n");
    if !help.is_empty() {
        let _ = writeln!(page, "{help}\n");
    }
    page.push_str("| key | holds | default | meaning |\n|---|---|---|---|\n");
    for key in keys {
        let default = match (key.required, key.default) {
            (true, _) => "needed".to_owned(),
            (false, "") => String::new(),
            (false, default) => format!("`{default}`"),
        };
        let _ = writeln!(page, "| `{}` | {} | {default} | {} |", key.name, in_words(&key.form), key.help);
    }
}

fn in_words(form_of: &Form) -> String {
    match form_of {
        Form::Text => "text".into(),
        Form::Name => "name".into(),
        Form::Flag => "flag".into(),
        Form::Count => "number".into(),
        Form::Jq => "jq".into(),
        Form::Template => "template".into(),
        Form::Templates => "name → template".into(),
        Form::Query => "name → value".into(),
        Form::Json => "any YAML".into(),
        Form::Duration => "duration".into(),
        Form::Rate => "rate".into(),
        Form::OneOf(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
        Form::Times => format!("{}, or a list", in_words(&Form::OneOf(&TIMES))),
        Form::Never => "`false`, or a list".into(),
        Form::List(of) => format!("list of {}s", in_words(of)),
        Form::Is(of) => link(of),
        Form::ListOf(of) => format!("list: {}", link(of)),
        Form::OneOrList(of) => format!("{}, or a list", link(of)),
        Form::MapOf(of) => format!("name → {}", link(of)),
        Form::Next(of) => format!("`link`, or {}", link(of)),
        Form::BearerOr(of) => format!("`bearer`, {}, or a list", link(of)),
    }
}

/// A link to a construct's own section: headings of Markdown are anchors in lower case with hyphens.
fn link(construct: &Construct) -> String {
    let anchor: String = construct
        .title
        .to_lowercase()
        .chars()
        .filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || c == '-' => Some(c),
            _ => None,
        })
        .collect();
    format!("[{}](#{anchor})", construct.title.to_lowercase())
}
