//! The chart renders the tested alerts and dashboards.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use super::{RENDERED, file, manifest_of, manifests_of, read, yaml};
use crate::test_servers::tool;

const RULES: &str = "alerts/token-expiry.rules.yaml";

/// The rules of a PrometheusRule, by alert or record name.
fn rules(spec: &Value) -> BTreeMap<String, Value> {
    let groups = spec["groups"].as_array().unwrap();
    let all = groups.iter().flat_map(|group| group["rules"].as_array().unwrap());
    all.map(|rule| (rule["alert"].as_str().or(rule["record"].as_str()).unwrap().to_owned(), rule.clone())).collect()
}

#[test]
fn rules_match_alerts() {
    let tested = yaml(&read(RULES));
    assert!(rules(&tested).len() > 15);
    assert_eq!(manifest_of("rules", "PrometheusRule")["spec"], tested, "with the URLs of the file");

    // Without URLs only the annotations with links are omitted.
    let mut without = tested;
    for rule in
        without["groups"].as_array_mut().unwrap().iter_mut().flat_map(|group| group["rules"].as_array_mut().unwrap())
    {
        rule["annotations"]
            .as_object_mut()
            .unwrap()
            .retain(|name, _| !["runbook_url", "dashboard_url"].contains(&name.as_str()));
        // With an AlertmanagerConfig, the result of absent() gets the label that the operator routes by.
        if rule["alert"] == "TokenExporterAbsent" {
            rule["labels"]["namespace"] = json!(r#"{{ or $labels.namespace "monitoring" }}"#);
        }
    }
    assert_eq!(manifest_of("names", "PrometheusRule")["spec"], without);
}

#[test]
fn rule_overrides_change_only_what_they_name() {
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
    let found = manifest_of("rules-changed", "PrometheusRule");
    assert_eq!(rules(&found["spec"]), expected);
    // A group without alerts is omitted.
    assert!(found["spec"]["groups"].as_array().unwrap().iter().all(|group| group["name"] != "token-policy"));
    // The lead goes into the configuration: the exporter computes the bands.
    let config = manifests_of("rules-changed")
        .into_iter()
        .find(|manifest| manifest["data"].get("config.yaml").is_some())
        .unwrap();
    let config = yaml(config["data"]["config.yaml"].as_str().unwrap());
    assert_eq!(config["alert_lead"], json!({"warning": "45d", "critical": "10d"}));
}

#[test]
fn rendered_rules_pass_promtool_and_the_alert_tests() {
    let directory = tempfile::tempdir().unwrap();
    let mut checked = 0;
    for set in RENDERED.keys() {
        for rule in manifests_of(set).iter().filter(|manifest| manifest["kind"] == "PrometheusRule") {
            let path = directory.path().join(format!("{set}.rules.yaml"));
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
            let path = directory.path().join(entry.file_name().unwrap());
            fs::write(&path, text.replace("../token-expiry.rules.yaml", "rules.rules.yaml")).unwrap();
            tests.push(path.display().to_string());
        }
    }
    assert!(tests.len() > 5);
    let arguments: Vec<&str> = ["test", "rules"].into_iter().chain(tests.iter().map(String::as_str)).collect();
    promtool(&arguments);
}

pub(super) fn promtool(arguments: &[&str]) {
    let output = Command::new(tool("promtool")).args(arguments).output().unwrap();
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert!(output.status.success(), "promtool {arguments:?}:\n{out}{err}");
}

#[test]
fn dashboards_match_byte_for_byte() {
    for set in ["dashboards", "grafana-operator", "names"] {
        let manifests = manifests_of(set);
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
            assert!(
                manifest["metadata"]["labels"].get("grafana_dashboard").is_some(),
                "the sidecar selects by this label"
            );
            let operators = manifests.iter().filter(|other| other["kind"] == "GrafanaDashboard");
            let readers = operators.filter(|other| {
                other["spec"]["configMapRef"] == json!({"name": manifest["metadata"]["name"], "key": name})
            });
            assert_eq!(readers.count(), usize::from(set == "grafana-operator"), "{set}: {name}");
        }
    }
}
