//! What stands in the chart's folder because Helm reads nothing outside of it: copies of the alerts, their routes and words,
//! and the dashboards; and what is made of the program: where its providers are, the schema of its configuration, the table
//! of the values. Copies, not links: a checkout on a system without links would ship files with a path in them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::{CHART, file, read, values};

/// Writes all of it anew.
pub(super) fn write() {
    for (path, content) in expected() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

/// Each file and what must be in it.
fn expected() -> Vec<(PathBuf, String)> {
    let chart = file(CHART);
    let mut all: Vec<(PathBuf, String)> =
        ["alerts/token-expiry.rules.yaml", "alerts/alertmanager.yaml"].map(|path| (path, "")).map(copy).into();
    for (folder, end, to) in [("alerts/templates", "tmpl", "templates"), ("dashboards", "json", "dashboards")] {
        for path in listed(&file(folder), end) {
            let name = path.file_name().unwrap().to_str().unwrap();
            all.push(copy((&format!("{folder}/{name}"), to)));
        }
    }
    all.push((chart.join("files/hosts.yaml"), hosts()));
    all.push((chart.join("values.schema.json"), schema()));
    all.push((chart.join("README.md"), values::readme()));
    all
}

fn copy((path, folder): (&str, &str)) -> (PathBuf, String) {
    let name = Path::new(path).file_name().unwrap();
    (file(CHART).join("files").join(folder).join(name), read(path))
}

fn listed(folder: &Path, end: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.extension().is_some_and(|extension| extension == end));
    found.sort();
    found
}

/// The addresses that definitions have by default: where a provider is asked if the configuration names no place.
fn hosts() -> String {
    let mut text = String::from(
        "# Where providers are by default, from src/providers/definitions/*.yaml: written by `make golden`.\n",
    );
    for path in listed(&file("src/providers/definitions"), "yaml") {
        let definition = super::yaml(&fs::read_to_string(&path).unwrap());
        let settings = definition["settings"].as_object().cloned().unwrap_or_default();
        let addresses: Vec<String> = settings
            .iter()
            .filter_map(|(name, setting)| Some((name, setting["default"].as_str()?)))
            .filter(|(_, default)| default.starts_with("http") && !default.contains('{'))
            .map(|(name, default)| format!("  {name}: {default}\n"))
            .collect();
        let aliases = definition["aliases"].as_array().cloned().unwrap_or_default();
        for name in std::iter::once(&definition["provider"]).chain(&aliases).filter(|_| !addresses.is_empty()) {
            text.push_str(&format!("{}:\n{}", name.as_str().unwrap(), addresses.concat()));
        }
    }
    text
}

/// The schema of the values, with that of the configuration as the program prints it, under definitions that begin with `config`.
fn schema() -> String {
    let mut schema: Value = serde_json::from_str(&read(&format!("{CHART}/values.schema.json"))).unwrap();
    let definitions = schema["definitions"].as_object_mut().unwrap();
    definitions.retain(|name, _| !name.starts_with("config"));
    definitions.extend(configuration());
    serde_json::to_string_pretty(&schema).unwrap() + "\n"
}

fn configuration() -> Map<String, Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter")).arg("schema").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    // Helm's regular expressions know no looking ahead.
    let text = regex::Regex::new(r"\(\?[=!][^)]*\)").unwrap().replace_all(&text, "").into_owned();
    let text = text.replace("#/definitions/", "#/definitions/config-");
    let mut program: Value = serde_json::from_str(&text).unwrap();
    let parts = program["definitions"].take();
    let mut found = Map::new();
    let (properties, sources) = (program["properties"].take(), "sources");
    let mut config = json!({"type": "object", "additionalProperties": false, "properties": properties});
    // That it is empty is told in words, and only where there is no ConfigMap of the user's own.
    config["properties"][sources].as_object_mut().unwrap().remove("minItems");
    found.insert("config".to_owned(), config);
    for (name, part) in parts.as_object().unwrap() {
        let part = match name.as_str() {
            "source" => source(part),
            "credential" => credential(),
            _ => part.clone(),
        };
        found.insert(format!("config-{name}"), part);
    }
    found
}

const WAY_OUT: &str = "a secret never stands in the values: put it into a Secret, name that under credentials, and write {file: /run/secrets/token-expiry-exporter/NAME} here";

const PROXY_WAY_OUT: &str = "a proxy's password never stands in the values: leave it out, and set HTTPS_PROXY under env by valueFrom.secretKeyRef";

/// What every source has. Its provider's own settings are left open: a definition of the user's may add providers, and to
/// have all of them here would make the schema ten times as large. The program tells of them, as `check` does.
fn source(program: &Value) -> Value {
    let mut properties = program["properties"].clone();
    properties["provider"].as_object_mut().unwrap().remove("enum");
    for name in ["api_key", "client_secret", "password", "private_key", "secret", "token"] {
        properties[name] = json!({"const": WAY_OUT});
    }
    let with_password = r"^[a-z0-9+]+://[^/@]*:[^/@]*@";
    let refused =
        |way_out: &str| json!({"if": {"type": "string", "pattern": with_password}, "then": {"const": way_out}});
    properties["proxy"] = json!({"allOf": [properties["proxy"], refused(PROXY_WAY_OUT)]});
    json!({
        "type": "object",
        "required": program["required"],
        "properties": properties,
        "additionalProperties": refused(WAY_OUT),
    })
}

/// As the program has it, but with words for what people do: to write the secret itself.
fn credential() -> Value {
    let origin = json!({"$ref": "#/definitions/config-origin"});
    let text = |name: &str| json!({"required": [name], "properties": {name: {"type": "string"}}});
    json!({
        "if": {"type": "object"},
        "then": {
            "if": {"anyOf": [text("file"), text("env")]},
            "then": origin,
            "else": {
                "minProperties": 1,
                "additionalProperties": {"if": {"type": "object"}, "then": origin, "else": {"const": WAY_OUT}},
            },
        },
        "else": {"const": WAY_OUT},
    })
}

#[test]
fn the_chart_has_what_was_tested() {
    LazyLock::force(&super::FRESH);
    let files = expected();
    assert!(files.len() > 8, "{files:?}");
    for (path, content) in &files {
        let found = fs::read_to_string(path).unwrap_or_default();
        assert!(&found == content, "{}: `make golden` writes it anew", path.display());
    }
    // And nothing else, which would be shipped untested.
    for folder in ["files", "files/templates", "files/dashboards"] {
        for entry in fs::read_dir(file(CHART).join(folder)).unwrap().map(|entry| entry.unwrap().path()) {
            assert!(entry.is_dir() || files.iter().any(|(path, _)| *path == entry), "{}", entry.display());
        }
    }
}
