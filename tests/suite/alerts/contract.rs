//! The metrics, labels and label values in rules, routes, templates and runbooks exist in the exposition of the demo; every
//! family of the exposition is documented; every query of a runbook runs.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde_json::json;
use token_expiry_exporter::exposition::alerts::ALERTS;
use token_expiry_exporter::exposition::families::FAMILIES;

use super::delivery::demo;
use super::{file, files, read, rules};
use crate::test_servers::{metrics, prometheus, query, target, wait_for};

/// Labels added by Prometheus, an installation, or the rules.
const EXTERNAL_LABELS: &[&str] = &[
    "alertname",
    "severity",
    "job",
    "instance",
    "pod",
    "node",
    "host",
    "cluster",
    "namespace",
    "exported_source",
    "exported_team",
];

/// Metrics added by Prometheus.
const EXTERNAL_METRICS: &[&str] = &["up"];

/// The families, labels and label values of an exposition.
struct Exposition {
    families: BTreeSet<String>,
    labels: BTreeMap<String, BTreeSet<String>>,
}

impl Exposition {
    fn parse(exposition: &str) -> Self {
        let family = Regex::new(r"(?m)^# TYPE (\w+) ").unwrap();
        let label = Regex::new(r#"(\w+)="((?:[^"\\]|\\.)*)""#).unwrap();
        let mut labels: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for line in exposition.lines().filter(|line| !line.starts_with('#')) {
            for found in label.captures_iter(line) {
                labels.entry(found[1].to_owned()).or_default().insert(found[2].to_owned());
            }
        }
        Self { families: family.captures_iter(exposition).map(|found| found[1].to_owned()).collect(), labels }
    }

    /// The names in a query that the exposition does not have.
    fn missing_names(&self, query: &str) -> Vec<String> {
        let mut missing = Vec::new();
        let quoted = Regex::new(r#""(?:[^"\\]|\\.)*""#).unwrap();
        let grouping = Regex::new(r"\b(?:by|without|on|ignoring|group_left) ?\(([^)]*)\)").unwrap();
        let matcher = Regex::new(r#"(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)""#).unwrap();
        let plain = Regex::new("^[a-z_]+$").unwrap();
        for found in matcher.captures_iter(query) {
            if let Some(label) = self.missing_label(&found[1]) {
                missing.push(label);
                continue;
            }
            // Literal values must occur in the exposition; patterns are not checked.
            for value in found[2].split('|').filter(|value| plain.is_match(value)) {
                let known = self.labels.get(&found[1]).is_some_and(|values| values.contains(value));
                missing.extend((!known).then(|| format!("{}={value:?}", &found[1])));
            }
        }
        for found in grouping.captures_iter(query) {
            missing.extend(found[1].split(',').map(str::trim).filter_map(|label| self.missing_label(label)));
        }
        let without = grouping.replace_all(query, "");
        let without = quoted.replace_all(&without, "");
        let without = Regex::new(r"\{[^}]*\}").unwrap().replace_all(&without, "");
        let name = Regex::new(r"\b(?:token_\w+|process_\w+|up)\b").unwrap();
        for found in name.find_iter(&without) {
            if !self.families.contains(found.as_str()) && !EXTERNAL_METRICS.contains(&found.as_str()) {
                missing.push(found.as_str().to_owned());
            }
        }
        missing
    }

    fn missing_label(&self, label: &str) -> Option<String> {
        let known = label.is_empty() || self.labels.contains_key(label) || EXTERNAL_LABELS.contains(&label);
        (!known).then(|| format!("the label {label}"))
    }
}

/// The PromQL queries of a page.
fn promql(page: &str) -> Vec<String> {
    let block = Regex::new(r"(?s)```promql\n(.*?)```").unwrap();
    block.captures_iter(page).map(|found| found[1].to_owned()).collect()
}

/// The labels in a template.
fn template_labels(text: &str) -> BTreeSet<String> {
    let named = Regex::new(r"(?:\$labels|\.Labels|\.GroupLabels|\.CommonLabels)\.(\w+)").unwrap();
    named.captures_iter(text).map(|found| found[1].to_owned()).collect()
}

/// The queries in an annotation, with a number for each value.
fn lookups(annotation: &str) -> Vec<String> {
    let query = Regex::new("printf `([^`]*)`").unwrap();
    query.captures_iter(annotation).map(|found| found[1].replace("%+q", "\"1\"")).collect()
}

/// The labels in Alertmanager's configuration: in templates, lists and matchers.
fn route_labels(text: &str) -> BTreeSet<String> {
    let list = Regex::new(r"(?:group_by|equal): \[([^\]]*)\]").unwrap();
    let matcher = Regex::new(r#"[\['\s](\w+)(?:=~|!~|!=|=)""#).unwrap();
    let lists = list.captures_iter(text).flat_map(|found| found[1].split(", ").map(str::to_owned).collect::<Vec<_>>());
    let matched = matcher.captures_iter(text).map(|found| found[1].to_owned());
    template_labels(text).into_iter().chain(lists).chain(matched).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_and_runbooks_use_only_exposed_names_and_valid_queries() {
    let dir = tempfile::tempdir().unwrap();
    let demo = demo(dir.path()).await;
    let scrape = json!({"job_name": "token-expiry-exporter", "static_configs": [{"targets": [target(&demo.server)]}]});
    let config = json!({"rule_files": [file(super::RULES)], "scrape_configs": [scrape]});
    let server = prometheus(dir.path(), config).await;
    wait_for("the demo's first collections", || async {
        let up = query(&server, "token_source_up").await;
        (up.len() >= 4).then_some(())
    })
    .await;
    let mut exposition = Exposition::parse(&metrics(&demo.server).await);
    // The demo has no shared store.
    let fleet = FAMILIES.iter().filter(|family| family.about.starts_with("Only with `--storage.url`"));
    exposition.families.extend(fleet.map(|family| family.name.to_owned()));

    let (mut missing, mut looked_up) = (Vec::new(), 0);
    for rule in rules() {
        missing.extend(exposition.missing_names(&rule.expr).into_iter().map(|name| format!("{}: {name}", rule.alert)));
        for text in rule.labels.values().chain(rule.annotations.values()) {
            let labels = template_labels(text).into_iter().filter_map(|label| exposition.missing_label(&label));
            missing.extend(labels.map(|name| format!("{}: {name}", rule.alert)));
            for text in lookups(text) {
                looked_up += 1;
                let names = exposition.missing_names(&text).into_iter();
                missing.extend(names.map(|name| format!("{}: {name}", rule.alert)));
                query(&server, &text).await;
            }
        }
    }
    assert_eq!(looked_up, 12, "four lookups of each alert on a token");
    let unknown = |labels: BTreeSet<String>| labels.into_iter().filter_map(|label| exposition.missing_label(&label));
    for template in files("alerts/templates", "tmpl") {
        missing.extend(unknown(template_labels(&std::fs::read_to_string(template).unwrap())));
    }
    missing.extend(unknown(route_labels(&read("alerts/alertmanager.yaml"))));
    for page in files("docs/runbooks", "md").into_iter().chain([file("docs/alerts.md")]) {
        for text in promql(&std::fs::read_to_string(&page).unwrap()) {
            let names = exposition.missing_names(&text).into_iter();
            missing.extend(names.map(|name| format!("{}: {name}", page.display())));
            query(&server, &text).await;
        }
    }
    assert!(missing.is_empty(), "not in the exposition of the demo:\n{}", missing.join("\n"));

    let documented = read("docs/metrics.md");
    let undocumented: Vec<_> =
        exposition.families.iter().filter(|family| !documented.contains(&format!("`{family}`"))).collect();
    assert!(undocumented.is_empty(), "not in docs/metrics.md: {undocumented:?}");
}

/// The table by which `check` warns of a silenced alert.
#[test]
fn program_knows_which_metrics_each_alert_needs() {
    let name = Regex::new(r"\btoken_\w+").unwrap();
    let mut used = BTreeMap::new();
    for rule in rules() {
        let found = name.find_iter(&rule.expr).map(|found| found.as_str().to_owned());
        // Without it TokenPolicy counts per source.
        let needed = found.filter(|family| !family.starts_with("token_expiry_exporter_") && family != "token_finding");
        used.insert(rule.alert, needed.collect::<BTreeSet<_>>());
    }
    used.retain(|_, families| !families.is_empty());
    let known = ALERTS
        .iter()
        .map(|(alert, families)| ((*alert).to_owned(), families.iter().map(|family| family.name.to_owned()).collect()));
    assert_eq!(used, known.collect::<BTreeMap<_, BTreeSet<_>>>());
}

#[test]
fn missing_names_reports_unknown_metrics_labels_and_values() {
    let exposition = Exposition::parse("# TYPE token_due gauge\ntoken_due{band=\"warning\",token_id=\"1\"} 1\n");
    let valid = "max without (instance) (last_over_time(token_due{band=\"warning\"}[10m])) - time()";
    assert!(exposition.missing_names(valid).is_empty(), "{:?}", exposition.missing_names(valid));
    for invalid in [
        "token_dues",
        "token_due{bands=\"warning\"}",
        "token_due{band=~\"warning|urgent\"}",
        "sum by (token_ids) (token_due)",
        "token_due and on (other) token_due",
    ] {
        assert_eq!(exposition.missing_names(invalid).len(), 1, "{invalid}");
    }
}
