//! A dashboard as it stands in the tree, and its queries as Grafana sends them.

use std::path::{Path, PathBuf};

use regex::{Captures, Regex};
use serde_json::Value;

/// One dashboard.
pub struct Board {
    /// The name of its file without the ending, which is its uid too.
    pub name: String,
    pub json: Value,
}

/// One query of a panel.
pub struct Query {
    pub panel: String,
    pub reference: String,
    pub text: String,
}

/// The folder of the dashboards.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards")
}

/// All of them, by name.
pub fn boards() -> Vec<Board> {
    let files = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<_> = files.filter(|path| path.extension().is_some_and(|ending| ending == "json")).collect();
    names.sort();
    let read = |path: PathBuf| Board {
        name: path.file_stem().unwrap().to_str().unwrap().to_owned(),
        json: serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap(),
    };
    names.into_iter().map(read).collect()
}

impl Board {
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

    /// The query of this panel.
    pub fn query(&self, panel: &str, reference: &str) -> String {
        let found = self.queries().into_iter().find(|query| query.panel == panel && query.reference == reference);
        found.unwrap_or_else(|| panic!("{} has no panel {panel} with a query {reference}", self.name)).text
    }

    /// A query with its variables replaced as Grafana replaces them: by those that are chosen, else by "All" or the default.
    pub fn filled(&self, query: &str, chosen: &[(&str, &str)]) -> String {
        let name = Regex::new(r"\$(?:\{(\w+)\}|(\w+))").unwrap();
        let value = |captures: &Captures| {
            let name = captures.get(1).or(captures.get(2)).unwrap().as_str();
            if name == "__rate_interval" {
                return "1m".to_owned();
            }
            let variable =
                self.variable(name).unwrap_or_else(|| panic!("{} has no variable {name}: {query}", self.name));
            let chosen = chosen.iter().find(|(chosen, _)| *chosen == name).map(|(_, value)| *value);
            match chosen {
                Some(value) if variable["multi"] == true => escaped(value),
                Some(value) => value.to_owned(),
                None if variable["multi"] == true => text(&variable["allValue"]),
                None => text(&variable["current"]["value"]),
            }
        };
        name.replace_all(query, value).into_owned()
    }
}

/// What stands in the string, or an empty one.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A chosen value, escaped for a regular expression inside of a string of PromQL.
fn escaped(value: &str) -> String {
    value.chars().fold(String::new(), |done, next| match next {
        '\\' => done + r"\\\\",
        '$' | '^' | '*' | '{' | '}' | '[' | ']' | '\'' | '+' | '?' | '.' | '(' | ')' | '|' => {
            done + r"\\" + &next.to_string()
        }
        _ => done + &next.to_string(),
    })
}
