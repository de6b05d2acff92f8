//! Validates the dashboards with Grafana's JSON Schemas.

use std::path::Path;

use serde_json::{Value, json};

use super::dashboard::dashboards;

/// Reads a schema and relaxes the rules that are stricter than Grafana itself: some values may be any JSON value but are
/// declared as objects, a field's link is declared as a dashboard link, and the cell types, which all accept
/// `{type: auto}`, are declared as mutually exclusive.
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

/// One definition of a schema, as a separate schema.
fn definition(schema_name: &str, name: &str) -> Value {
    json!({"$ref": format!("#/definitions/{name}"), "definitions": schema(schema_name)["definitions"]})
}

/// The validation errors, each with its path.
fn errors(schema: &Value, document: &Value) -> Vec<String> {
    let validator = jsonschema::draft7::new(schema).unwrap();
    validator.iter_errors(document).map(|error| format!("{}: {error:.300}", error.instance_path())).collect()
}

#[test]
fn dashboards_match_the_grafana_schema() {
    let (dashboard_schema, query_schema) = (schema("dashboard"), schema("prometheus"));
    for dashboard in dashboards() {
        assert_eq!(errors(&dashboard_schema, &dashboard.json), [""; 0], "{}", dashboard.name);
        for panel in dashboard.panels() {
            let title = &panel["title"];
            for target in panel["targets"].as_array().unwrap() {
                assert_eq!(errors(&query_schema, target), [""; 0], "{}: {title}", dashboard.name);
            }
            // There is no schema for "trend"; its fields are those of a time series.
            let (options, field) = match panel["type"].as_str().unwrap() {
                "table" => (Some("table"), Some("table")),
                "timeseries" => (Some("timeseries"), Some("timeseries")),
                "trend" => (None, Some("timeseries")),
                "stat" => (Some("stat"), None),
                other => panic!("no schema for {other}"),
            };
            if let Some(name) = options {
                assert_eq!(
                    errors(&definition(name, "Options"), &panel["options"]),
                    [""; 0],
                    "{}: {title}",
                    dashboard.name
                );
            }
            if let Some(name) = field {
                let custom = &panel["fieldConfig"]["defaults"]["custom"];
                assert_eq!(errors(&definition(name, "FieldConfig"), custom), [""; 0], "{}: {title}", dashboard.name);
            }
        }
    }
}

#[test]
fn schema_rejects_an_unknown_key() {
    let mut dashboard = dashboards().remove(0);
    dashboard.json["panels"][0]["titel"] = json!("a typo");
    assert!(!errors(&schema("dashboard"), &dashboard.json).is_empty());
}
