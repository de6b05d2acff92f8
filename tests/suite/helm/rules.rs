//! The alerts and dashboards of the chart are those that were tested.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use super::{RENDERED, file, of, one, read, yaml};
use crate::equipment::tool;

const RULES: &str = "alerts/token-expiry.rules.yaml";

/// The rules of a set, by alert or record.
fn rules(spec: &Value) -> BTreeMap<String, Value> {
    let groups = spec["groups"].as_array().unwrap();
    let all = groups.iter().flat_map(|group| group["rules"].as_array().unwrap());
    all.map(|rule| (rule["alert"].as_str().or(rule["record"].as_str()).unwrap().to_owned(), rule.clone())).collect()
}

#[test]
fn the_rules_are_those_of_alerts() {
    let tested = yaml(&read(RULES));
    assert!(rules(&tested).len() > 15);
    assert_eq!(one("rules", "PrometheusRule")["spec"], tested, "with the addresses of the file, nothing differs");

    // Without addresses, the annotations that would lead nowhere are left out, and nothing else.
    let mut without = tested;
    for rule in
        without["groups"].as_array_mut().unwrap().iter_mut().flat_map(|group| group["rules"].as_array_mut().unwrap())
    {
        rule["annotations"]
            .as_object_mut()
            .unwrap()
            .retain(|name, _| !["runbook_url", "dashboard_url"].contains(&name.as_str()));
    }
    assert_eq!(one("names", "PrometheusRule")["spec"], without);
}

#[test]
fn what_the_values_change_is_changed_and_nothing_else() {
    let mut expected = rules(&yaml(&read(RULES)));
    expected.retain(|name, _| !["TokenSourceIncomplete", "TokenPolicy"].contains(&name.as_str()));
    for (name, rule) in &mut expected {
        rule["labels"]["channel"] = json!("tokens");
        let annotations = rule["annotations"].as_object_mut().unwrap();
        annotations.remove("dashboard_url");
        annotations.insert("runbook_url".to_owned(), json!(format!("https://wiki.example.org/token-expiry/{name}")));
    }
    let change = |expected: &mut BTreeMap<String, Value>, name: &str, pointer: &str, to: &str| {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        expected.get_mut(name).unwrap().pointer_mut(parent).unwrap()[key] = json!(to);
    };
    for (name, pointer, to) in [
        ("TokenExpiryWarning", "/for", "1h"),
        ("TokenExpiryWarning", "/labels/channel", "mail"),
        ("TokenExpiryWarning", "/annotations/note", "{{ $labels.token_name }} of $1"),
        ("TokenExpiryCritical", "/labels/severity", "page"),
        ("TokenSourceFailing", "/labels/severity", "ticket"),
        ("TokenSourceFailing", "/keep_firing_for", "1h"),
    ] {
        change(&mut expected, name, pointer, to);
    }
    expected.insert(
        "tokens:due:count".to_owned(),
        json!({"record": "tokens:due:count", "expr": "count(token_due_timestamp_seconds)"}),
    );
    let found = one("rules-changed", "PrometheusRule");
    assert_eq!(rules(&found["spec"]), expected);
    // A group of which no alert is left is none.
    assert!(found["spec"]["groups"].as_array().unwrap().iter().all(|group| group["name"] != "token-policy"));
    // The lead is the exporter's: it says which band a token is in.
    let config =
        of("rules-changed").into_iter().find(|manifest| manifest["data"].get("config.yaml").is_some()).unwrap();
    let config = yaml(config["data"]["config.yaml"].as_str().unwrap());
    assert_eq!(config["alert_lead"], json!({"warning": "45d", "critical": "10d"}));
}

#[test]
fn prometheus_takes_them_and_the_tests_of_alerts_pass_on_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut checked = 0;
    for set in RENDERED.keys() {
        for rule in of(set).iter().filter(|manifest| manifest["kind"] == "PrometheusRule") {
            let path = folder.path().join(format!("{set}.rules.yaml"));
            fs::write(&path, rule["spec"].to_string()).unwrap();
            promtool(&["check", "rules", path.to_str().unwrap()]);
            checked += 1;
        }
    }
    assert!(checked >= 3);
    let mut tests = Vec::new();
    for entry in fs::read_dir(file("alerts/tests")).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_file() {
            let text = fs::read_to_string(&entry).unwrap();
            assert!(text.contains("../token-expiry.rules.yaml"), "{}", entry.display());
            let path = folder.path().join(entry.file_name().unwrap());
            fs::write(&path, text.replace("../token-expiry.rules.yaml", "rules.rules.yaml")).unwrap();
            tests.push(path.display().to_string());
        }
    }
    assert!(tests.len() > 5);
    let arguments: Vec<&str> = ["test", "rules"].into_iter().chain(tests.iter().map(String::as_str)).collect();
    promtool(&arguments);
}

fn promtool(arguments: &[&str]) {
    let output = Command::new(tool("promtool")).args(arguments).output().unwrap();
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert!(output.status.success(), "promtool {arguments:?}:\n{out}{err}");
}

#[test]
fn the_dashboards_are_those_of_dashboards_byte_for_byte() {
    for set in ["dashboards", "grafana-operator", "names"] {
        let manifests = of(set);
        let mut found = BTreeMap::new();
        for manifest in &manifests {
            let data = manifest["data"].as_object().into_iter().flatten();
            found.extend(
                data.filter(|(name, _)| name.ends_with(".json")).map(|(name, body)| (name.clone(), (manifest, body))),
            );
        }
        assert_eq!(found.len(), 3, "{set}");
        for (name, (manifest, body)) in &found {
            assert!(body.as_str() == Some(&read(&format!("dashboards/{name}"))), "{set}: {name}");
            assert!(manifest["metadata"]["labels"].get("grafana_dashboard").is_some(), "the sidecar looks for it");
            let operators = manifests.iter().filter(|other| other["kind"] == "GrafanaDashboard");
            let readers = operators.filter(|other| {
                other["spec"]["configMapRef"] == json!({"name": manifest["metadata"]["name"], "key": name})
            });
            assert_eq!(readers.count(), usize::from(set == "grafana-operator"), "{set}: {name}");
        }
    }
}
