//! Rules for every dashboard: those of Grafana's dashboard-linter, and those of this project.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde_json::Value;
use token_expiry_exporter::exposition::families::{FAMILIES, LABELS};

use super::dashboard::{Dashboard, dashboards, directory, text};

/// Metrics that Prometheus and the process collector add.
const EXTERNAL_METRICS: &[&str] =
    &["up", "process_cpu_seconds_total", "process_resident_memory_bytes", "process_start_time_seconds"];

/// Labels that Prometheus and an installation add, and `team`, which configuration rules set.
const EXTERNAL_LABELS: &[&str] =
    &["cluster", "namespace", "job", "instance", "pod", "node", "host", "prometheus_replica", "replica", "team"];

/// Words that may precede a bracket in a query.
const FUNCTIONS: &[&str] = &[
    "max",
    "min",
    "sum",
    "count",
    "topk",
    "bottomk",
    "count_values",
    "floor",
    "round",
    "clamp_max",
    "time",
    "rate",
    "increase",
    "last_over_time",
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
];

/// The first group of every match.
fn captures<'a>(pattern: &str, text: &'a str) -> Vec<&'a str> {
    let pattern = Regex::new(pattern).unwrap();
    pattern.captures_iter(text).map(|captures| captures.get(1).unwrap().as_str()).collect()
}

#[test]
fn dashboards_have_uid_description_and_refresh() {
    let dashboards = dashboards();
    let names: Vec<&str> = dashboards.iter().map(|dashboard| dashboard.name.as_str()).collect();
    assert_eq!(names, ["token-expiry-exporter", "token-expiry-inventory", "token-expiry-tokens"]);
    for Dashboard { name, json } in &dashboards {
        assert_eq!(json["uid"], *name);
        let description = text(&json["description"]);
        assert!(description.len() > 30 && description.ends_with('.'), "{name}: {description}");
        assert_eq!(json["editable"], false, "{name}");
        assert_eq!(json["refresh"], "5m", "{name}: no faster than the data changes");
        // The version of Grafana 10.0; later versions migrate it.
        assert_eq!(json["schemaVersion"], 38, "{name}");
        assert!(json.get("id").is_none(), "{name}: Grafana assigns the id");
    }
}

#[test]
fn panels_have_title_description_unit_and_empty_text() {
    for dashboard in dashboards() {
        let (mut ids, mut titles) = (BTreeSet::new(), BTreeSet::new());
        for panel in dashboard.panels() {
            let title = text(&panel["title"]);
            let context = format!("{}: {title}", dashboard.name);
            assert!(
                titles.insert(title.clone()) && !title.is_empty() && ids.insert(panel["id"].as_u64().unwrap()),
                "{context}"
            );
            assert!(text(&panel["description"]).ends_with('.'), "{context}: no description");
            let defaults = &panel["fieldConfig"]["defaults"];
            assert!(!text(&defaults["unit"]).is_empty(), "{context}: no unit");
            assert!(text(&defaults["noValue"]).len() > 10, "{context}: no text for missing data");
        }
    }
}

#[test]
fn panels_do_not_overlap() {
    for dashboard in dashboards() {
        let mut taken = BTreeMap::new();
        for panel in dashboard.panels() {
            let at = |name: &str| panel["gridPos"][name].as_u64().unwrap();
            assert!(at("w") > 0 && at("h") > 0 && at("x") + at("w") <= 24, "{}", panel["title"]);
            for x in at("x")..at("x") + at("w") {
                for y in at("y")..at("y") + at("h") {
                    let other = taken.insert((x, y), &panel["title"]);
                    assert!(other.is_none(), "{}: {} overlaps {}", dashboard.name, panel["title"], other.unwrap());
                }
            }
        }
    }
}

#[test]
fn panels_and_variables_use_the_data_source_variable() {
    for dashboard in dashboards() {
        let source = dashboard.variable("datasource").unwrap();
        assert_eq!((&source["type"], &source["query"]), (&"datasource".into(), &"prometheus".into()));
        let variables = dashboard.variables().iter().filter(|variable| variable["type"] == "query");
        let targets = dashboard.panels().iter().flat_map(|panel| panel["targets"].as_array().unwrap());
        for user in variables.chain(dashboard.panels()).chain(targets) {
            assert_eq!(user["datasource"]["uid"], "${datasource}", "{}: {user:.200}", dashboard.name);
        }
    }
}

#[test]
fn variables_allow_several_values_or_all_and_follow_the_time_range() {
    for dashboard in dashboards() {
        let names: Vec<String> = dashboard.variables().iter().map(|variable| text(&variable["name"])).collect();
        let expected: &[&str] = match dashboard.name.as_str() {
            "token-expiry-exporter" => &["datasource", "cluster", "namespace", "job", "instance", "provider", "source"],
            "token-expiry-tokens" => &[
                "datasource",
                "cluster",
                "namespace",
                "job",
                "instance",
                "provider",
                "source",
                "team",
                "owner",
                "state",
                "rows",
            ],
            _ => &[
                "datasource",
                "cluster",
                "namespace",
                "job",
                "instance",
                "provider",
                "source",
                "team",
                "owner",
                "finding",
                "rows",
            ],
        };
        assert_eq!(names, expected, "{}", dashboard.name);
        for variable in dashboard.variables() {
            let name = text(&variable["name"]);
            assert!(!text(&variable["label"]).is_empty() && !text(&variable["description"]).is_empty(), "{name}");
            if variable["type"] == "query" {
                assert_eq!((&variable["multi"], &variable["includeAll"]), (&true.into(), &true.into()), "{name}");
                assert_eq!(variable["refresh"], 2, "{name}");
                assert_eq!(variable["definition"], variable["query"], "{name}");
                // A token may have no team or owner, and a target no cluster or namespace; "All" must include them.
                let all = if ["cluster", "namespace", "team", "owner"].contains(&name.as_str()) { ".*" } else { ".+" };
                assert_eq!(variable["allValue"], all, "{name}");
            }
            let queries = dashboard.queries().into_iter().map(|query| query.text);
            let mut users = queries.chain(dashboard.variables().iter().map(|other| text(&other["query"])));
            let used = users.any(|query| query.contains(&format!("${name}")));
            assert!(used || name == "datasource", "{}: nothing uses {name}", dashboard.name);
        }
    }
}

/// The queries of all panels and variables, each with its dashboard and panel or variable.
fn all_queries() -> Vec<(String, String)> {
    let queries_of = |dashboard: Dashboard| {
        let variables = dashboard.variables().iter().filter(|variable| variable["type"] == "query");
        let variables =
            variables.map(|variable| (format!("{}: {}", dashboard.name, variable["name"]), text(&variable["query"])));
        let panels = dashboard
            .queries()
            .into_iter()
            .map(|query| (format!("{}: {} {}", dashboard.name, query.panel, query.reference), query.text));
        variables.chain(panels).collect::<Vec<_>>()
    };
    dashboards().into_iter().flat_map(queries_of).collect()
}

#[test]
fn queries_use_only_exposed_metrics_and_labels_and_filter_by_installation() {
    let metrics: BTreeSet<&str> =
        FAMILIES.iter().map(|family| family.name).chain(EXTERNAL_METRICS.iter().copied()).collect();
    let labels: BTreeSet<&str> = LABELS.iter().map(|(name, _)| *name).chain(EXTERNAL_LABELS.iter().copied()).collect();
    let variable_query = Regex::new(r"^label_values\((.*), (\w+)\)$").unwrap();
    let quoted = Regex::new(r#""[^"]*"|\b(?:by|without|on|ignoring|group_left) \([^()]*\)|\[[^\]]*\]"#).unwrap();
    for (context, query) in all_queries() {
        // `label_values(METRIC{…}, LABEL)`
        let query = match variable_query.captures(&query) {
            Some(captures) => {
                assert!(labels.contains(&captures[2]), "{context}: no label {}", &captures[2]);
                captures[1].to_owned()
            }
            None => query,
        };
        for label in captures(r#"(\w+)(?:=|!=|=~|!~)""#, &query) {
            assert!(labels.contains(label), "{context}: no label {label}");
        }
        for list in captures(r"\b(?:by|without|on|ignoring|group_left) \(([^()]*)\)", &query) {
            for label in list.split(", ").filter(|label| !label.is_empty()) {
                assert!(labels.contains(label), "{context}: no label {label}");
            }
        }
        let bare = quoted.replace_all(&query, "");
        for (word, next) in words(&bare) {
            match next {
                Some('{') => assert!(metrics.contains(word), "{context}: no metric {word}"),
                Some('(') => assert!(FUNCTIONS.contains(&word), "{context}: {word}"),
                _ => {
                    let operators = ["and", "or", "unless", "bool", "by", "without", "on", "ignoring", "group_left"];
                    let variable = context.ends_with("\"cluster\"") && metrics.contains(word);
                    assert!(operators.contains(&word) || variable, "{context}: {word} has no filter");
                }
            }
        }
        for matchers in captures(r"\{([^{}]*)\}", &query) {
            // A variable is filtered by those before it.
            let filters = ["cluster", "namespace", "job", "instance"];
            let of_variable = filters.iter().position(|name| context.ends_with(&format!("\"{name}\"")));
            for name in &filters[..of_variable.unwrap_or(filters.len())] {
                assert!(matchers.contains(&format!(r#"{name}=~"${name}""#)), "{context}: {name}: {matchers}");
            }
        }
    }
}

/// The words of a query outside braces, each with the character that follows.
pub(super) fn words(query: &str) -> Vec<(&str, Option<char>)> {
    let selector = Regex::new(r"\{[^{}]*\}").unwrap();
    let inside: Vec<_> = selector.find_iter(query).map(|found| found.range()).collect();
    let word = Regex::new(r"[A-Za-z_]\w*").unwrap();
    let words = word.find_iter(query).filter(|found| {
        let variable = query[..found.start()].ends_with(['$', '{']);
        let number = query[..found.start()].ends_with(|before: char| before.is_ascii_digit());
        !variable && !number && !inside.iter().any(|range| range.contains(&found.start()))
    });
    words.map(|found| (found.as_str(), query[found.end()..].trim_start().chars().next())).collect()
}

#[test]
fn dashboard_links_lead_to_existing_dashboards_and_variables() {
    let dashboards = dashboards();
    let address = Regex::new(r"^/d/([a-z-]+)(?:\?.*)?$").unwrap();
    for dashboard in &dashboards {
        let linked: Vec<String> =
            dashboard.json["links"].as_array().unwrap().iter().map(|link| text(&link["url"])).collect();
        let others = dashboards.iter().filter(|other| other.name != dashboard.name);
        assert!(
            others.clone().all(|other| linked.contains(&format!("/d/{}", other.name))),
            "{}: {linked:?}",
            dashboard.name
        );

        let mut urls = linked;
        collect_urls(&dashboard.json["panels"], &mut urls);
        let mut renew = 0;
        for url in urls {
            if url == "${__value.raw}" {
                renew += 1;
                continue;
            }
            let target = address.captures(&url).unwrap_or_else(|| panic!("{}: {url}", dashboard.name))[1].to_owned();
            let target = dashboards
                .iter()
                .find(|other| other.name == target)
                .unwrap_or_else(|| panic!("{}: {url}", dashboard.name));
            for variable in captures(r"[?&]var-(\w+)=", &url) {
                assert!(target.variable(variable).is_some(), "{}: {} has no {variable}", dashboard.name, target.name);
            }
            let kept = captures(r"[{&](\w+):queryparam", &url);
            for variable in &kept {
                assert!(dashboard.variable(variable).is_some(), "{}: no {variable}: {url}", dashboard.name);
            }
            if url.contains('?') && !url.contains("${__all_variables}") {
                let all = ["datasource", "cluster", "namespace", "job", "instance"];
                assert!(kept.starts_with(&all), "{}: {url}", dashboard.name);
            }
        }
        assert_eq!(renew, if dashboard.name == "token-expiry-tokens" { 2 } else { 0 }, "renewal links");
    }
}

#[test]
fn alert_links_lead_to_existing_dashboards_and_variables() {
    let rules = std::fs::read_to_string(directory().join("../alerts/token-expiry.rules.yaml")).unwrap();
    let dashboards = dashboards();
    let links: Vec<&str> = rules.split("/d/").skip(1).map(|rest| rest.split("\n\n").next().unwrap()).collect();
    assert_eq!(links.len(), 4, "tokens, policy, exporter, source: the other alerts refer to these");
    for link in links {
        let uid = link.split(|next: char| next != '-' && !next.is_ascii_lowercase()).next().unwrap();
        let dashboard =
            dashboards.iter().find(|dashboard| dashboard.name == uid).unwrap_or_else(|| panic!("no dashboard: {link}"));
        for variable in captures(r"[?&]var-(\w+)=", link) {
            assert!(dashboard.variable(variable).is_some(), "{uid} has no {variable}: {link}");
            let label = format!("var-{variable}={{{{ $labels.{variable} | urlquery");
            assert!(link.contains(&label), "{variable} of the alert: {link}");
        }
    }
}

fn collect_urls(value: &Value, urls: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| match value {
            Value::String(url) if name == "url" => urls.push(url.clone()),
            _ => collect_urls(value, urls),
        }),
        Value::Array(values) => values.iter().for_each(|value| collect_urls(value, urls)),
        _ => {}
    }
}

#[test]
fn column_overrides_name_existing_columns() {
    for dashboard in dashboards() {
        for panel in dashboard.panels().iter().filter(|panel| panel["type"] == "table" || panel["type"] == "trend") {
            let transformations = panel["transformations"].as_array().unwrap();
            let renamed = &transformations.last().unwrap()["options"]["renameByName"];
            let columns: Vec<&Value> = renamed.as_object().unwrap().values().collect();
            let overrides = panel["fieldConfig"]["overrides"].as_array().unwrap();
            let named = overrides.iter().map(|one| &one["matcher"]["options"]);
            let sorted = panel["options"]["sortBy"].as_array().into_iter().flatten().map(|one| &one["displayName"]);
            for name in named.chain(sorted) {
                assert!(columns.contains(&name), "{}: {} has no column {name}", dashboard.name, panel["title"]);
            }
        }
    }
}
