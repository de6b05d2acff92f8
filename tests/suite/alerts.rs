//! The alerts: proven, routed, explained, and made of what the exporter really says.

mod contract;
pub(crate) mod delivery;
mod hours;
mod inhibitions;
mod links;
mod page;
mod routes;
mod runbooks;
pub(crate) mod sink;
mod words;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;

use crate::equipment::tool;

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

/// The files of a folder with this extension, in order.
fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(file(folder)).unwrap().map(|entry| entry.unwrap().path());
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

/// Runs a tool and says what it printed, if it was content.
fn run(command: &mut Command) -> Result<String, String> {
    let done = command.output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    if done.status.success() { Ok(said) } else { Err(said) }
}

/// The files of tests for promtool.
fn proofs() -> Vec<PathBuf> {
    files("alerts/tests", "yaml")
}

#[test]
fn promtool_accepts_the_rules_and_their_tests_pass() {
    run(Command::new(tool("promtool")).args(["check", "rules"]).arg(file(RULES)))
        .unwrap_or_else(|said| panic!("{said}"));
    for proof in proofs() {
        let tested = run(Command::new(tool("promtool")).args(["test", "rules"]).arg(&proof));
        tested.unwrap_or_else(|said| panic!("{}\n{said}", proof.display()));
    }
}

/// The cases of all files that look at the words of an alert: its name, and how many fire.
fn worded() -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for proof in proofs() {
        let text = std::fs::read_to_string(&proof).unwrap();
        let proof: Value = serde_saphyr::from_str(&text).unwrap();
        for case in proof["tests"].as_array().unwrap() {
            assert!(case["name"].is_string(), "every case has a name: {case}");
            for expected in case["alert_rule_test"].as_array().into_iter().flatten() {
                let fires = expected["exp_alerts"].as_array().map_or(0, Vec::len);
                found.push((expected["alertname"].as_str().unwrap().to_owned(), fires));
            }
        }
    }
    found
}

#[test]
fn every_alert_is_seen_to_fire_word_for_word_and_to_keep_silent() {
    let worded = worded();
    for rule in rules() {
        let fires = worded.iter().any(|(alert, fires)| *alert == rule.alert && *fires > 0);
        assert!(fires, "no case of alerts/tests shows {} with its labels and annotations", rule.alert);
        let silent = worded.iter().any(|(alert, fires)| *alert == rule.alert && *fires == 0);
        assert!(silent, "no case of alerts/tests shows that {} keeps silent", rule.alert);
    }
}

#[test]
fn every_mutant_of_the_rules_is_noticed() {
    let said = run(Command::new(file(".tools/python/bin/python3")).arg(file("tests/mutate")))
        .unwrap_or_else(|said| panic!("{said}"));
    eprintln!("{said}");
}

/// Compares with a file of the repository. With `UPDATE_GOLDEN=1` the file is written instead.
fn assert_golden(path: &str, text: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(file(path).parent().unwrap()).unwrap();
        std::fs::write(file(path), text).unwrap();
    }
    let golden = std::fs::read_to_string(file(path)).unwrap_or_default();
    assert_eq!(golden, text, "{path} says otherwise; see the difference with UPDATE_GOLDEN=1 and git diff");
}
