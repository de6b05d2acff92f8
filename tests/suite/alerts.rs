//! The alerts: rules, routes, message templates and runbooks, checked against the real exposition.

mod contract;
pub(crate) mod delivery;
mod escaping;
mod inhibitions;
mod links;
mod mail_facts;
mod mail_order;
mod routes;
mod runbooks;
pub(crate) mod sink;
mod table;
mod working_hours;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;

use crate::test_servers::tool;

/// A file of the repository.
pub(crate) fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(file(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn yaml<T: for<'de> Deserialize<'de>>(path: &str) -> T {
    serde_saphyr::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files of a directory with this extension, sorted.
fn files(directory: &str, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(file(directory)).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = entries.filter(|path| path.extension().is_some_and(|it| it == extension)).collect();
    found.sort();
    found
}

const RULES: &str = "alerts/token-expiry.rules.yaml";

#[derive(Deserialize)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

/// One alert.
#[derive(Deserialize)]
struct Rule {
    alert: String,
    expr: String,
    #[serde(rename = "for")]
    wait: Option<String>,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

fn rules() -> Vec<Rule> {
    yaml::<Rules>(RULES).groups.into_iter().flat_map(|group| group.rules).collect()
}

/// The alerts on single tokens and findings, with their expressions.
pub(crate) fn token_alerts() -> Vec<(String, String)> {
    let families = ["token_due_timestamp_seconds", "token_finding"];
    let of_tokens = rules().into_iter().filter(|rule| families.iter().any(|family| rule.expr.contains(family)));
    of_tokens.map(|rule| (rule.alert, rule.expr)).collect()
}

/// Runs a tool and returns its output; on failure as the error.
fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() { Ok(text) } else { Err(text) }
}

/// The test files for promtool.
fn test_files() -> Vec<PathBuf> {
    files("alerts/tests", "yaml")
}

#[test]
fn rules_pass_promtool_check_and_tests() {
    run(Command::new(tool("promtool")).args(["check", "rules"]).arg(file(RULES)))
        .unwrap_or_else(|output| panic!("{output}"));
    for test_file in test_files() {
        let result = run(Command::new(tool("promtool")).args(["test", "rules"]).arg(&test_file));
        result.unwrap_or_else(|output| panic!("{}\n{output}", test_file.display()));
    }
}

/// All `alert_rule_test` cases: the name of the alert, and how many alerts must fire.
fn alert_cases() -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for path in test_files() {
        let text = std::fs::read_to_string(&path).unwrap();
        let file: Value = serde_saphyr::from_str(&text).unwrap();
        for case in file["tests"].as_array().unwrap() {
            assert!(case["name"].is_string(), "a case without a name: {case}");
            for expected in case["alert_rule_test"].as_array().into_iter().flatten() {
                let fires = expected["exp_alerts"].as_array().map_or(0, Vec::len);
                found.push((expected["alertname"].as_str().unwrap().to_owned(), fires));
            }
        }
    }
    found
}

#[test]
fn alerts_have_tests_that_fire_with_full_text_and_tests_that_do_not() {
    let cases = alert_cases();
    for rule in rules() {
        let fires = cases.iter().any(|(alert, fires)| *alert == rule.alert && *fires > 0);
        assert!(fires, "no case in alerts/tests has {} with its labels and annotations", rule.alert);
        let silent = cases.iter().any(|(alert, fires)| *alert == rule.alert && *fires == 0);
        assert!(silent, "no case in alerts/tests in which {} does not fire", rule.alert);
    }
}

#[test]
fn alert_tests_catch_every_mutant() {
    let output = run(Command::new(file(".tools/python/bin/python3")).arg(file("tests/mutate")))
        .unwrap_or_else(|output| panic!("{output}"));
    eprintln!("{output}");
}

/// Compares a text with a golden file. `UPDATE_GOLDEN=1` writes the file first.
fn assert_golden(path: &str, text: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(file(path).parent().unwrap()).unwrap();
        std::fs::write(file(path), text).unwrap();
    }
    let golden = std::fs::read_to_string(file(path)).unwrap_or_default();
    assert_eq!(golden, text, "{path} differs; run with UPDATE_GOLDEN=1 and see git diff");
}
