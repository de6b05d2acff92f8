//! Who hears of what: `alerts/tests/routes/table.yaml` against Alertmanager's own reading of `alerts/alertmanager.yaml`.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use super::{file, rules, run, yaml};
use crate::equipment::tool;

const CONFIG: &str = "alerts/alertmanager.yaml";

#[test]
fn amtool_accepts_the_configuration() {
    run(Command::new(tool("amtool")).arg("check-config").arg(file(CONFIG))).unwrap_or_else(|said| panic!("{said}"));
}

/// The rows of the table: labels, and receivers.
fn table() -> Vec<(BTreeMap<String, String>, Vec<String>)> {
    let table: BTreeMap<String, Vec<BTreeMap<String, Value>>> = yaml("alerts/tests/routes/table.yaml");
    let row = |mut row: BTreeMap<String, Value>| {
        let receivers = serde_json::from_value(row.remove("to").unwrap()).unwrap();
        (row.into_iter().map(|(name, value)| (name, value.as_str().unwrap().to_owned())).collect(), receivers)
    };
    table.into_values().flatten().map(row).collect()
}

#[test]
fn every_alert_goes_where_the_table_says() {
    for (labels, receivers) in table() {
        let mut amtool = Command::new(tool("amtool"));
        amtool.args(["config", "routes", "test"]).arg(format!("--config.file={}", file(CONFIG).display()));
        amtool.args(labels.iter().map(|(name, value)| format!("{name}={value:?}")));
        let said = run(&mut amtool).unwrap_or_else(|said| panic!("{labels:?}: {said}"));
        // Beside its answer, amtool warns of a configuration of its own, if there is one.
        assert_eq!(said.lines().next(), Some(receivers.join(",").as_str()), "{labels:?}");
    }
}

#[test]
fn every_alert_and_severity_is_in_the_table_and_every_receiver_hears_of_something() {
    let table = table();
    let rows: BTreeSet<_> =
        table.iter().map(|(labels, _)| (labels["alertname"].as_str(), labels["severity"].as_str())).collect();
    for rule in rules() {
        for severity in ["critical", "warning", "info"] {
            // A severity is a word, or a template that has two of them.
            let can_be = rule.labels["severity"].contains(severity);
            assert_eq!(rows.contains(&(rule.alert.as_str(), severity)), can_be, "{} as {severity}", rule.alert);
        }
    }
    let config: Value = yaml(CONFIG);
    for receiver in config["receivers"].as_array().unwrap() {
        let name = receiver["name"].as_str().unwrap();
        assert!(table.iter().any(|(_, to)| to.iter().any(|to| to == name)), "nothing goes to {name}");
    }
}
