//! Several releases that one Prometheus scrapes: rules and dashboards of one select only its series.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use regex::Regex;
use serde_json::{Value, json};
use token_expiry_exporter::exposition::families::FAMILIES;

use super::rules::promtool;
use super::{CHART, manifest_of, manifests, manifests_of, read, template, value_sets, yaml};

const MATCHERS: &str = r#"namespace="monitoring", job="tokens-token-expiry-exporter""#;

/// The expression without the matchers of the release.
fn unrestricted(expression: &str) -> String {
    expression.replace(&format!("{{{MATCHERS}, "), "{").replace(&format!("{{{MATCHERS}}}"), "")
}

/// The metrics that an expression selects, each with the text after it.
fn selectors(expression: &str) -> Vec<(String, String)> {
    let lists = Regex::new(r"\b(?:by|without|on|ignoring|group_left) \([^()]*\)").unwrap();
    let metric = Regex::new(r"\b(?:up|process_\w+|token_\w+)\b").unwrap();
    let text = lists.replace_all(expression, "()").into_owned();
    let found = metric.find_iter(&text).map(|found| (found.as_str().to_owned(), text[found.end()..].to_owned()));
    // Labels of tokens have names of their own.
    found.filter(|(name, _)| !name.starts_with("token_") || FAMILIES.iter().any(|family| family.name == name)).collect()
}

fn assert_restricted(context: &str, restricted: &str, original: &str) {
    assert_eq!(unrestricted(restricted), original, "{context}");
    for (metric, rest) in selectors(restricted) {
        assert!(rest.starts_with(&format!("{{{MATCHERS}")), "{context}: {metric}{rest:.90}");
    }
    assert_eq!(restricted.matches(MATCHERS).count(), selectors(original).len(), "{context}: {restricted}");
}

/// Every metric of the exporter is found by its name.
#[test]
fn restriction_knows_every_family() {
    let template = read(&format!("{CHART}/templates/_scope.tpl"));
    let pattern = template.split_once("$metric := \"").unwrap().1.split('"').next().unwrap();
    let pattern = Regex::new(&format!("^(?:{pattern})$")).unwrap();
    for family in FAMILIES {
        assert!(pattern.is_match(family.name), "{}: not in $metric of templates/_scope.tpl", family.name);
    }
    assert!(!pattern.is_match("token_owner") && !pattern.is_match("token_id"));
}

#[test]
fn restricted_rules_differ_only_in_their_matchers() {
    let by_name = |spec: &Value| -> BTreeMap<String, Value> {
        let rules = spec["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap());
        rules.map(|rule| (rule["alert"].as_str().unwrap().to_owned(), rule.clone())).collect()
    };
    let original = by_name(&yaml(&read("alerts/token-expiry.rules.yaml")));
    let restricted = by_name(&manifest_of("scoped", "PrometheusRule")["spec"]);
    assert_eq!(restricted.keys().collect::<Vec<_>>(), original.keys().collect::<Vec<_>>());
    for (name, rule) in &restricted {
        let text = |rule: &Value| rule["expr"].as_str().unwrap().to_owned();
        assert_restricted(name, &text(rule), &text(&original[name]));
        assert_eq!(rule["labels"], original[name]["labels"], "{name}");
    }
}

/// Two releases with the labels `env`. What expires or is absent in one fires once, from the rules of that release.
#[test]
fn alerts_of_two_releases_fire_once_each() {
    let directory = tempfile::tempdir().unwrap();
    for (release, env) in [("a", "prod"), ("b", "staging")] {
        let scope = format!("scope.namespace={release},scope.job=tokens,prometheusRule.additionalLabels.env={env}");
        let rendered = manifests(&template(&value_sets("good")["scoped"], &["--set", &scope]).unwrap());
        let rule = rendered.iter().find(|manifest| manifest["kind"] == "PrometheusRule").unwrap();
        fs::write(directory.path().join(format!("{release}.yaml")), rule["spec"].to_string()).unwrap();
    }
    let labels = r#"job="tokens", instance="i", source="s", provider="gitlab""#;
    let series = |name: &str, release: &str, more: &str, values: &str| json!({"series": format!("{name}{{namespace=\"{release}\", {labels}{more}}}"), "values": values});
    let fires = |alert: &str, release: &str, env: &str, severity: &str| {
        json!({
            "expr": format!("sum by (namespace, env, severity) (ALERTS{{alertname=\"{alert}\", alertstate=\"firing\"}})"),
            "eval_time": "60m",
            "exp_samples": [{
                "labels": format!("{{namespace=\"{release}\", env=\"{env}\", severity=\"{severity}\"}}"),
                "value": 1,
            }],
        })
    };
    let test = json!({
        "rule_files": ["a.yaml", "b.yaml"],
        "evaluation_interval": "1m",
        "tests": [{
            "name": "a token of the first release has expired, and the second has no exporter",
            "interval": "1m",
            "input_series": [
                series("token_expiry_exporter_build_info", "a", "", "1x60"),
                series("token_due_timestamp_seconds", "a", r#", token_id="1", band="expired""#, "0x60"),
                series("token_source_up", "a", "", "0x60"),
                series("token_source_scopes", "a", r#", listing="l""#, "1x60"),
                series("token_source_gaps", "a", r#", listing="l", reason="timeout""#, "1x60"),
            ],
            "promql_expr_test": [
                fires("TokenExpired", "a", "prod", "critical"),
                fires("TokenSourceFailing", "a", "prod", "critical"),
                fires("TokenExporterAbsent", "b", "staging", "critical"),
            ],
        }],
    });
    let path = directory.path().join("test.yaml");
    fs::write(&path, test.to_string()).unwrap();
    promtool(&["test", "rules", path.to_str().unwrap()]);
}

/// All values of these keys, in order.
fn values_of(node: &Value, keys: &[&str], found: &mut Vec<String>) {
    match node {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if keys.contains(&name.as_str()) => found.push(text.clone()),
                    _ => values_of(value, keys, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| values_of(value, keys, found)),
        _ => {}
    }
}

fn all_of(node: &Value, keys: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    values_of(node, keys, &mut found);
    found.sort();
    found
}

#[test]
fn restricted_dashboards_differ_only_in_matchers_uids_and_links() {
    let mut uids = BTreeSet::new();
    let mut links = BTreeSet::new();
    let address = Regex::new(r"^/d/([a-z0-9-]+)").unwrap();
    for manifest in manifests_of("scoped") {
        for (name, body) in
            manifest["data"].as_object().into_iter().flatten().filter(|(name, _)| name.ends_with(".json"))
        {
            let restricted: Value = serde_json::from_str(body.as_str().unwrap()).unwrap();
            let original = name.rsplit_once('-').unwrap().0;
            let original: Value = serde_json::from_str(&read(&format!("dashboards/{original}.json"))).unwrap();
            let uid = restricted["uid"].as_str().unwrap();
            assert_eq!(*name, format!("{uid}.json"));
            assert!(uid.len() <= 40 && uids.insert(uid.to_owned()), "{uid}");
            assert_ne!(restricted["title"], original["title"]);
            let keys = ["expr", "query", "definition"];
            let (found, expected) = (all_of(&restricted, &keys), all_of(&original, &keys));
            assert!(found.len() > 20, "{name}");
            let mut without: Vec<String> = found.iter().map(|query| unrestricted(query)).collect();
            without.sort();
            assert_eq!(without, expected, "{name}");
            for query in &found {
                assert_restricted(name, query, &unrestricted(query));
            }
            links.extend(
                all_of(&restricted, &["url"]).iter().filter_map(|url| Some(address.captures(url)?[1].to_owned())),
            );
            let panels = |dashboard: &Value| dashboard["panels"].as_array().unwrap().len();
            assert_eq!(panels(&restricted), panels(&original));
        }
    }
    assert_eq!(uids.len(), 3);
    assert_eq!(links, uids, "links lead to the dashboards of the release");
}
