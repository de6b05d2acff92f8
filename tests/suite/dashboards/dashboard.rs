//! A dashboard file, and its queries as Grafana sends them.

use std::path::{Path, PathBuf};

use regex::{Captures, Regex};
use serde_json::Value;

/// One dashboard.
pub struct Dashboard {
    /// The file name without its extension, and also the uid.
    pub name: String,
    pub json: Value,
}

/// One query of a panel.
pub struct Query {
    pub panel: String,
    pub reference: String,
    pub text: String,
}

/// `dashboards/`.
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards")
}

/// All dashboards, sorted by name.
pub fn dashboards() -> Vec<Dashboard> {
    let files = std::fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect();
    paths.sort();
    let read = |path: PathBuf| Dashboard {
        name: path.file_stem().unwrap().to_str().unwrap().to_owned(),
        json: serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap(),
    };
    paths.into_iter().map(read).collect()
}

impl Dashboard {
    pub fn panels(&self) -> &[Value] {
        self.json["panels"].as_array().unwrap()
    }

    pub fn variables(&self) -> &[Value] {
        self.json["templating"]["list"].as_array().unwrap()
    }

    pub fn variable(&self, name: &str) -> Option<&Value> {
        self.variables().iter().find(|variable| variable["name"] == name)
    }

    /// Every query of every panel.
    pub fn queries(&self) -> Vec<Query> {
        let queries = self.panels().iter().flat_map(|panel| {
            panel["targets"].as_array().unwrap().iter().map(|target| Query {
                panel: text(&panel["title"]),
                reference: text(&target["refId"]),
                text: text(&target["expr"]),
            })
        });
        queries.collect()
    }

    /// One query of a panel.
    pub fn query(&self, panel: &str, reference: &str) -> String {
        let found = self.queries().into_iter().find(|query| query.panel == panel && query.reference == reference);
        found.unwrap_or_else(|| panic!("{} has no panel {panel} with a query {reference}", self.name)).text
    }

    /// Replaces the variables of a query as Grafana does: with the selected values, else with "All" or the default.
    pub fn interpolate(&self, query: &str, selected: &[(&str, &str)]) -> String {
        let name = Regex::new(r"\$(?:\{(\w+)\}|(\w+))").unwrap();
        let value = |captures: &Captures| {
            let name = captures.get(1).or(captures.get(2)).unwrap().as_str();
            if name == "__rate_interval" {
                return "1m".to_owned();
            }
            let variable =
                self.variable(name).unwrap_or_else(|| panic!("{} has no variable {name}: {query}", self.name));
            let selected = selected.iter().find(|(selected, _)| *selected == name).map(|(_, value)| *value);
            match selected {
                Some(value) if variable["multi"] == true => escape(value),
                Some(value) => value.to_owned(),
                None if variable["multi"] == true => text(&variable["allValue"]),
                None => text(&variable["current"]["value"]),
            }
        };
        name.replace_all(query, value).into_owned()
    }
}

/// The string, or an empty one if the value is not a string.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Escapes a selected value for a regular expression in a PromQL string.
fn escape(value: &str) -> String {
    value.chars().fold(String::new(), |escaped, next| match next {
        '\\' => escaped + r"\\\\",
        '$' | '^' | '*' | '{' | '}' | '[' | ']' | '\'' | '+' | '?' | '.' | '(' | ')' | '|' => {
            escaped + r"\\" + &next.to_string()
        }
        _ => escaped + &next.to_string(),
    })
}
