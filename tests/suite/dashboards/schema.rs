//! The dashboards against the JSON Schemas of Grafana.

use std::path::Path;

use serde_json::{Value, json};

use super::board::boards;

/// One of the schemas, with the rules relaxed that are stricter than Grafana: what may be any JSON value there stands as
/// an object in them, a link of a field as a link of a dashboard, and the kinds of cells, which all allow `{type: auto}`,
/// as excluding one another.
fn schema(name: &str) -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/schemas/grafana/{name}.jsonschema.json"));
    let mut schema: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let definitions = &mut schema["definitions"];
    if name == "dashboard" {
        definitions["DynamicConfigValue"]["properties"]["value"] = json!(true);
        definitions["MatcherConfig"]["properties"]["options"] = json!(true);
        definitions["FieldConfig"]["properties"]["links"]["items"] = json!({
            "type": "object",
            "required": ["title", "url"],
            "additionalProperties": false,
            "properties": {"title": {"type": "string"}, "url": {"type": "string"}, "targetBlank": {"type": "boolean"}},
        });
    }
    if name == "table" {
        let kinds = definitions["TableCellOptions"]["oneOf"].take();
        definitions["TableCellOptions"] = json!({"anyOf": kinds});
    }
    schema
}

/// One definition of a schema, as a schema of its own.
fn part(name: &str, definition: &str) -> Value {
    json!({"$ref": format!("#/definitions/{definition}"), "definitions": schema(name)["definitions"]})
}

/// What is wrong, with where.
fn wrong(schema: &Value, what: &Value) -> Vec<String> {
    let validator = jsonschema::draft7::new(schema).unwrap();
    validator.iter_errors(what).map(|error| format!("{}: {error:.300}", error.instance_path())).collect()
}

#[test]
fn grafana_would_take_every_dashboard() {
    let (dashboard, query) = (schema("dashboard"), schema("prometheus"));
    for board in boards() {
        assert_eq!(wrong(&dashboard, &board.json), [""; 0], "{}", board.name);
        for panel in board.panels() {
            let title = &panel["title"];
            for target in panel["targets"].as_array().unwrap() {
                assert_eq!(wrong(&query, target), [""; 0], "{}: {title}", board.name);
            }
            // "trend" has no schema of its own; a field of it is one of a time series.
            let (options, field) = match panel["type"].as_str().unwrap() {
                "table" => (Some("table"), Some("table")),
                "timeseries" => (Some("timeseries"), Some("timeseries")),
                "trend" => (None, Some("timeseries")),
                "stat" => (Some("stat"), None),
                other => panic!("no schema for {other}"),
            };
            if let Some(name) = options {
                assert_eq!(wrong(&part(name, "Options"), &panel["options"]), [""; 0], "{}: {title}", board.name);
            }
            if let Some(name) = field {
                let custom = &panel["fieldConfig"]["defaults"]["custom"];
                assert_eq!(wrong(&part(name, "FieldConfig"), custom), [""; 0], "{}: {title}", board.name);
            }
        }
    }
}

#[test]
fn a_word_that_grafana_does_not_know_is_noticed() {
    let mut board = boards().remove(0);
    board.json["panels"][0]["titel"] = json!("a typing mistake");
    assert!(!wrong(&schema("dashboard"), &board.json).is_empty());
}
