//! The AlertmanagerConfig as prometheus-operator gives it to a real Alertmanager: with a matcher on the namespace, in front of the
//! routes of the cluster. Every alert of the chart reaches a receiver of the chart, and inhibitions work.
//!
//! What the operator adds with its default strategy `OnNamespace`: names prefixed with namespace and object, the matcher on the top
//! route and on both sides of each inhibition, and `continue` on the top route:
//! <https://github.com/prometheus-operator/prometheus-operator/blob/main/pkg/alertmanager/amcfg.go>

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use regex::Regex;
use serde_json::{Map, Value, json};

use super::routes::{matcher, route};
use super::{file, manifests, read, template, value_sets, yaml};
use crate::alerts::delivery::alertmanager;
use crate::alerts::sink::Webhooks;
use crate::test_servers::{client, tool, wait_for};

const NAMESPACE: &str = "monitoring";

type Labels = BTreeMap<String, String>;

/// The manifests with all receivers and the rules.
fn rendered() -> Vec<Value> {
    let with_rules = "prometheusRule.enabled=true,prometheusRule.runbookUrl=https://runbooks.example.com,\
                      prometheusRule.grafanaUrl=https://grafana.example.com";
    manifests(&template(&value_sets("good")["alertmanager"], &["--set", with_rules]).unwrap())
}

fn spec_of(manifests: &[Value], kind: &str) -> Value {
    let found = manifests.iter().find(|manifest| manifest["kind"] == kind).unwrap_or_else(|| panic!("no {kind}"));
    assert_eq!(found["metadata"]["namespace"], NAMESPACE, "{kind}");
    found["spec"].clone()
}

/// Prefixes receivers and time intervals as the operator does, and shortens the waits.
fn prefixed(mut route: Value) -> Value {
    let name = |name: &Value| json!(format!("{NAMESPACE}/tokens/{}", name.as_str().unwrap()));
    route["receiver"] = name(&route["receiver"]);
    if let Some(intervals) = route["active_time_intervals"].as_array_mut() {
        intervals.iter_mut().for_each(|interval| *interval = name(interval));
    }
    (route["group_wait"], route["group_interval"]) = (json!("1s"), json!("1s"));
    for child in route["routes"].as_array_mut().into_iter().flatten() {
        *child = prefixed(child.take());
    }
    route
}

/// Alertmanager's configuration. The receivers are webhooks, and it is always within working hours.
fn configuration(spec: &Value, port: u16) -> Value {
    let namespace = json!(format!("namespace=\"{NAMESPACE}\""));
    let mut top = prefixed(route(&spec["route"]));
    (top["matchers"], top["continue"]) = (json!([namespace]), json!(true));
    let with_namespace = |matchers: &Value| {
        let given = matchers.as_array().unwrap().iter().map(matcher);
        given.chain([namespace.clone()]).collect::<Vec<_>>()
    };
    let inhibitions = spec["inhibitRules"].as_array().unwrap().iter().map(|rule| {
        json!({
            "source_matchers": with_namespace(&rule["sourceMatch"]),
            "target_matchers": with_namespace(&rule["targetMatch"]),
            "equal": rule["equal"],
        })
    });
    let intervals = spec["muteTimeIntervals"].as_array().unwrap().iter().map(|interval| {
        let always = json!([{"weekdays": ["sunday:saturday"]}]);
        json!({"name": format!("{NAMESPACE}/tokens/{}", interval["name"].as_str().unwrap()), "time_intervals": always})
    });
    let receivers = spec["receivers"].as_array().unwrap().iter().map(|receiver| {
        let name = receiver["name"].as_str().unwrap();
        let webhook = json!({"url": format!("http://127.0.0.1:{port}/{name}"), "send_resolved": false});
        json!({"name": format!("{NAMESPACE}/tokens/{name}"), "webhook_configs": [webhook]})
    });
    json!({
        "route": {"receiver": "null", "routes": [top]},
        "inhibit_rules": inhibitions.collect::<Vec<_>>(),
        "time_intervals": intervals.collect::<Vec<_>>(),
        "receivers": receivers.chain([json!({"name": "null"})]).collect::<Vec<_>>(),
    })
}

/// The tests of the alerts, with the target label `namespace` on every series, and the alerts that they expect.
fn tests_with_namespace(directory: &Path) -> (Vec<String>, Vec<Labels>) {
    let (mut paths, mut alerts) = (Vec::new(), Vec::new());
    let series = Regex::new(r"^\s*([a-z_]+)(?:\{(.*)\})?\s*$").unwrap();
    for entry in fs::read_dir(file("alerts/tests")).unwrap().map(|entry| entry.unwrap().path()) {
        if !entry.is_file() {
            continue;
        }
        // Prometheus reads `y` as text.
        let options = serde_saphyr::options! { strict_booleans: true };
        let text = fs::read_to_string(&entry).unwrap();
        let mut test: Value = serde_saphyr::from_str_with_options(&text, options).unwrap();
        test["rule_files"] = json!(["rules.yaml"]);
        for case in test["tests"].as_array_mut().unwrap() {
            case.as_object_mut().unwrap().remove("promql_expr_test");
            for input in case["input_series"].as_array_mut().unwrap() {
                let text = input["series"].as_str().unwrap().replace('\n', " ");
                let parts = series.captures(&text).unwrap_or_else(|| panic!("{text}"));
                let labels = parts.get(2).map_or("", |labels| labels.as_str());
                if !labels.contains("namespace=") {
                    input["series"] = json!(format!("{}{{namespace=\"{NAMESPACE}\",{labels}}}", &parts[1]));
                }
            }
            for check in case["alert_rule_test"].as_array_mut().into_iter().flatten() {
                let name = check["alertname"].clone();
                for expected in check["exp_alerts"].as_array_mut().into_iter().flatten() {
                    let labels: &mut Map<String, Value> = expected["exp_labels"].as_object_mut().unwrap();
                    labels.entry("namespace").or_insert_with(|| json!(NAMESPACE));
                    let mut labels = labels.clone();
                    labels.insert("alertname".to_owned(), name.clone());
                    alerts.push(texts(&labels));
                }
            }
        }
        let path = directory.join(entry.file_name().unwrap());
        fs::write(&path, test.to_string()).unwrap();
        paths.push(path.display().to_string());
    }
    (paths, alerts)
}

/// The labels as text: YAML makes some of them numbers.
fn texts(labels: &Map<String, Value>) -> Labels {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    labels.iter().map(|(name, value)| (name.clone(), text(value))).collect()
}

/// The cases of `inhibitions.yaml` in the namespace of the chart: each alert, and whether it is inhibited.
fn inhibitions() -> BTreeMap<Labels, bool> {
    let mut found = BTreeMap::new();
    for case in yaml(&read("alerts/tests/routes/inhibitions.yaml")).as_array().unwrap() {
        for alert in case["alerts"].as_array().unwrap() {
            let all = case["all"].as_object().unwrap().iter().chain(alert.as_object().unwrap());
            let mut labels: Map<String, Value> = all.map(|(name, value)| (name.clone(), value.clone())).collect();
            let inhibited = labels.remove("inhibited").is_some();
            // The namespace `m` of a case is that of the chart; the operator routes no alert of another one.
            if labels.get("namespace").is_none_or(|namespace| namespace == "m") {
                labels.insert("namespace".to_owned(), json!(NAMESPACE));
                found.insert(texts(&labels), inhibited);
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn every_alert_passes_the_matcher_of_the_operator_and_inhibitions_work() {
    let dir = tempfile::tempdir().unwrap();
    let manifests = rendered();
    let rules = spec_of(&manifests, "PrometheusRule");
    fs::write(dir.path().join("rules.yaml"), rules.to_string()).unwrap();
    let (tests, fired) = tests_with_namespace(dir.path());
    let output = Command::new(tool("promtool")).args(["test", "rules"]).args(&tests).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
    let names: BTreeSet<&str> = fired.iter().map(|labels| labels["alertname"].as_str()).collect();
    let groups = rules["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap());
    let all: BTreeSet<&str> = groups.map(|rule| rule["alert"].as_str().unwrap()).collect();
    assert_eq!(names, all, "every alert of the chart");

    // Each alert of the tests is in a cluster of its own, so that it inhibits no other.
    let of_chart = fired.into_iter().filter(|labels| labels["namespace"] == NAMESPACE).enumerate();
    let mut expected: BTreeMap<Labels, bool> = of_chart
        .map(|(number, mut labels)| {
            labels.insert("cluster".to_owned(), format!("number {number}"));
            (labels, false)
        })
        .collect();
    assert!(expected.len() > 30, "{}", expected.len());
    let inhibitions = inhibitions();
    assert!(inhibitions.values().filter(|inhibited| **inhibited).count() > 10, "{inhibitions:?}");
    expected.extend(inhibitions);

    let webhooks = Webhooks::start().await;
    let spec = spec_of(&manifests, "AlertmanagerConfig");
    let server = alertmanager(dir.path(), &configuration(&spec, webhooks.port).to_string()).await;
    let sent: Vec<Value> = expected.keys().map(|labels| json!({"labels": labels})).collect();
    let sending = client().post(format!("{}/api/v2/alerts", server.url)).header("content-type", "application/json");
    let response = sending.body(json!(sent).to_string()).send().await.unwrap();
    assert!(response.status().is_success(), "{}", response.text().await.unwrap());

    let receivers: Vec<&str> =
        spec["receivers"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    let received = || -> BTreeSet<Labels> {
        let alerts = receivers.iter().flat_map(|receiver| webhooks.alerts(receiver));
        alerts.map(|alert| serde_json::from_value(alert["labels"].clone()).unwrap()).collect()
    };
    let wanted: BTreeSet<Labels> = expected.iter().filter(|(_, no)| !**no).map(|(labels, _)| labels.clone()).collect();
    let arrived = wait_for("every alert to arrive", || async {
        let received = received();
        wanted.is_subset(&received).then_some(received)
    });
    let arrived = arrived.await;
    let inhibited: Vec<&Labels> = arrived.difference(&wanted).collect();
    assert!(inhibited.is_empty(), "inhibited, but notified: {inhibited:?}");
}
