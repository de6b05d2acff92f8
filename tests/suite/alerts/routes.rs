//! Routing: compares `alerts/tests/routes/table.yaml` with Alertmanager's own evaluation of `alerts/alertmanager.yaml`.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use super::{file, rules, run, yaml};
use crate::test_servers::tool;

const CONFIG: &str = "alerts/alertmanager.yaml";

#[test]
fn alertmanager_yaml_passes_amtool() {
    run(Command::new(tool("amtool")).arg("check-config").arg(file(CONFIG))).unwrap_or_else(|output| panic!("{output}"));
}

/// The rows of the table: labels and receivers.
fn table() -> Vec<(BTreeMap<String, String>, Vec<String>)> {
    let table: BTreeMap<String, Vec<BTreeMap<String, Value>>> = yaml("alerts/tests/routes/table.yaml");
    let row = |mut row: BTreeMap<String, Value>| {
        let receivers = serde_json::from_value(row.remove("to").unwrap()).unwrap();
        (row.into_iter().map(|(name, value)| (name, value.as_str().unwrap().to_owned())).collect(), receivers)
    };
    table.into_values().flatten().map(row).collect()
}

#[test]
fn alerts_reach_the_receivers_in_the_table() {
    for (labels, receivers) in table() {
        let mut amtool = Command::new(tool("amtool"));
        amtool.args(["config", "routes", "test"]).arg(format!("--config.file={}", file(CONFIG).display()));
        amtool.args(labels.iter().map(|(name, value)| format!("{name}={value:?}")));
        let output = run(&mut amtool).unwrap_or_else(|output| panic!("{labels:?}: {output}"));
        // Further lines may warn about a configuration file of amtool itself.
        assert_eq!(output.lines().next(), Some(receivers.join(",").as_str()), "{labels:?}");
    }
}

#[test]
fn table_covers_every_alert_severity_and_receiver() {
    let table = table();
    let rows: BTreeSet<_> =
        table.iter().map(|(labels, _)| (labels["alertname"].as_str(), labels["severity"].as_str())).collect();
    for rule in rules() {
        for severity in ["critical", "warning", "info"] {
            // A severity is a literal, or a template with two possible values.
            let possible = rule.labels["severity"].contains(severity);
            assert_eq!(rows.contains(&(rule.alert.as_str(), severity)), possible, "{} as {severity}", rule.alert);
        }
    }
    let config: Value = yaml(CONFIG);
    for receiver in config["receivers"].as_array().unwrap() {
        let name = receiver["name"].as_str().unwrap();
        assert!(table.iter().any(|(_, to)| to.iter().any(|to| to == name)), "no alert reaches {name}");
    }
}
