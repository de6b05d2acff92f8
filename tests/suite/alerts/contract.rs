//! Every metric, label and label value that a rule, a route, a mail or a runbook names is in the real exposition of
//! `demo`; every family of the exposition is documented; and every query of a runbook can be pasted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use regex::Regex;
use serde_json::json;

use super::delivery::demo;
use super::{file, files, read, rules};
use crate::equipment::{metrics, prometheus, query, target, wait_for};

/// Labels that come from Prometheus, from an installation, or from the rules.
const OTHERS: &[&str] = &[
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

/// Metrics that come from Prometheus.
const ITS_OWN: &[&str] = &["up"];

/// What an exposition has: families, labels, and the values of labels.
struct Exposed {
    families: BTreeSet<String>,
    labels: BTreeMap<String, BTreeSet<String>>,
}

impl Exposed {
    fn read(exposition: &str) -> Self {
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

    /// What a query names and the exposition does not have.
    fn lacks(&self, query: &str) -> Vec<String> {
        let mut lacking = Vec::new();
        let quoted = Regex::new(r#""(?:[^"\\]|\\.)*""#).unwrap();
        let grouping = Regex::new(r"\b(?:by|without|on|ignoring|group_left) ?\(([^)]*)\)").unwrap();
        let matcher = Regex::new(r#"(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)""#).unwrap();
        let plain = Regex::new("^[a-z_]+$").unwrap();
        for found in matcher.captures_iter(query) {
            if let Some(label) = self.lacks_label(&found[1]) {
                lacking.push(label);
                continue;
            }
            // A value that a matcher names must be one that occurs, unless it is a pattern of other things.
            for value in found[2].split('|').filter(|value| plain.is_match(value)) {
                let known = self.labels.get(&found[1]).is_some_and(|values| values.contains(value));
                lacking.extend((!known).then(|| format!("{}={value:?}", &found[1])));
            }
        }
        for found in grouping.captures_iter(query) {
            lacking.extend(found[1].split(',').map(str::trim).filter_map(|label| self.lacks_label(label)));
        }
        let without = grouping.replace_all(query, "");
        let without = quoted.replace_all(&without, "");
        let without = Regex::new(r"\{[^}]*\}").unwrap().replace_all(&without, "");
        let name = Regex::new(r"\b(?:token_\w+|process_\w+|up)\b").unwrap();
        for found in name.find_iter(&without) {
            if !self.families.contains(found.as_str()) && !ITS_OWN.contains(&found.as_str()) {
                lacking.push(found.as_str().to_owned());
            }
        }
        lacking
    }

    fn lacks_label(&self, label: &str) -> Option<String> {
        let known = label.is_empty() || self.labels.contains_key(label) || OTHERS.contains(&label);
        (!known).then(|| format!("the label {label}"))
    }
}

/// The queries of a page.
fn promql(page: &str) -> Vec<String> {
    let block = Regex::new(r"(?s)```promql\n(.*?)```").unwrap();
    block.captures_iter(page).map(|found| found[1].to_owned()).collect()
}

/// The labels that a template names.
fn template_labels(text: &str) -> BTreeSet<String> {
    let named = Regex::new(r"(?:\$labels|\.Labels|\.GroupLabels|\.CommonLabels)\.(\w+)").unwrap();
    named.captures_iter(text).map(|found| found[1].to_owned()).collect()
}

/// The labels that Alertmanager's configuration names: in templates, in lists, and in matchers.
fn route_labels(text: &str) -> BTreeSet<String> {
    let list = Regex::new(r"(?:group_by|equal): \[([^\]]*)\]").unwrap();
    let matcher = Regex::new(r#"[\['\s](\w+)(?:=~|!~|!=|=)""#).unwrap();
    let lists = list.captures_iter(text).flat_map(|found| found[1].split(", ").map(str::to_owned).collect::<Vec<_>>());
    let matched = matcher.captures_iter(text).map(|found| found[1].to_owned());
    template_labels(text).into_iter().chain(lists).chain(matched).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_named_is_there_and_every_query_runs() {
    let dir = tempfile::tempdir().unwrap();
    let demo = demo(dir.path()).await;
    let scrape = json!({"job_name": "token-expiry-exporter", "static_configs": [{"targets": [target(&demo.server)]}]});
    let config = json!({"rule_files": [file(super::RULES)], "scrape_configs": [scrape]});
    let server = prometheus(dir.path(), config).await;
    wait_for("the demo's first collections", Duration::from_secs(60), || async {
        let up = query(&server, "token_source_up").await;
        (up.len() >= 4).then_some(())
    })
    .await;
    let exposed = Exposed::read(&metrics(&demo.server).await);

    let mut lacking = Vec::new();
    for rule in rules() {
        let missing = exposed.lacks(&rule.expr).into_iter();
        lacking.extend(missing.map(|what| format!("{}: {what}", rule.alert)));
        for text in rule.labels.values().chain(rule.annotations.values()) {
            let missing = template_labels(text).into_iter().filter_map(|label| exposed.lacks_label(&label));
            lacking.extend(missing.map(|what| format!("{}: {what}", rule.alert)));
        }
    }
    let unknown = |labels: BTreeSet<String>| labels.into_iter().filter_map(|label| exposed.lacks_label(&label));
    for template in files("alerts/templates", "tmpl") {
        lacking.extend(unknown(template_labels(&std::fs::read_to_string(template).unwrap())));
    }
    lacking.extend(unknown(route_labels(&read("alerts/alertmanager.yaml"))));
    for page in files("docs/runbooks", "md").into_iter().chain([file("docs/alerts.md")]) {
        for asked in promql(&std::fs::read_to_string(&page).unwrap()) {
            let missing = exposed.lacks(&asked).into_iter();
            lacking.extend(missing.map(|what| format!("{}: {what}", page.display())));
            query(&server, &asked).await;
        }
    }
    assert!(lacking.is_empty(), "not in the exposition of the demo:\n{}", lacking.join("\n"));

    let documented = read("docs/metrics.md");
    let undocumented: Vec<_> =
        exposed.families.iter().filter(|family| !documented.contains(&format!("`{family}`"))).collect();
    assert!(undocumented.is_empty(), "not in docs/metrics.md: {undocumented:?}");
}

#[test]
fn a_renamed_metric_label_or_value_is_noticed() {
    let exposed = Exposed::read("# TYPE token_due gauge\ntoken_due{band=\"warning\",token_id=\"1\"} 1\n");
    let fine = "max without (instance) (last_over_time(token_due{band=\"warning\"}[10m])) - time()";
    assert!(exposed.lacks(fine).is_empty(), "{:?}", exposed.lacks(fine));
    for wrong in [
        "token_dues",
        "token_due{bands=\"warning\"}",
        "token_due{band=~\"warning|urgent\"}",
        "sum by (token_ids) (token_due)",
        "token_due and on (other) token_due",
    ] {
        assert_eq!(exposed.lacks(wrong).len(), 1, "{wrong}");
    }
}
