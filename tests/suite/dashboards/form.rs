//! What every dashboard keeps to: the rules of Grafana's dashboard-linter, and of this project.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde_json::Value;
use token_expiry_exporter::exposition::families::{FAMILIES, LABELS};

use super::board::{Board, boards, folder, text};

/// The metrics that Prometheus, and the library that tells of the process, add to the exporter's own.
const FROM_OUTSIDE: &[&str] =
    &["up", "process_cpu_seconds_total", "process_resident_memory_bytes", "process_start_time_seconds"];

/// The labels that Prometheus and the installation add, and `team`, which the rules of a configuration set.
const ADDED: &[&str] =
    &["cluster", "namespace", "job", "instance", "pod", "node", "host", "prometheus_replica", "replica", "team"];

/// The languages of the queries have these words before a bracket.
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

fn found<'a>(pattern: &str, text: &'a str) -> Vec<&'a str> {
    let pattern = Regex::new(pattern).unwrap();
    pattern.captures_iter(text).map(|captures| captures.get(1).unwrap().as_str()).collect()
}

#[test]
fn there_are_three_and_they_say_what_they_are() {
    let boards = boards();
    let names: Vec<&str> = boards.iter().map(|board| board.name.as_str()).collect();
    assert_eq!(names, ["token-expiry-exporter", "token-expiry-inventory", "token-expiry-tokens"]);
    for Board { name, json } in &boards {
        assert_eq!(json["uid"], *name);
        assert!(text(&json["description"]).contains('?'), "{name}: the question that it answers");
        assert_eq!(json["editable"], false, "{name}");
        assert_eq!(json["refresh"], "5m", "{name}: no faster than the data change");
        // Of Grafana 10.0; later ones carry it over by themselves.
        assert_eq!(json["schemaVersion"], 38, "{name}");
        assert!(json.get("id").is_none(), "{name}: the number is Grafana's");
    }
}

#[test]
fn every_panel_says_what_it_shows_and_what_it_means_when_it_is_empty() {
    for board in boards() {
        let (mut ids, mut titles) = (BTreeSet::new(), BTreeSet::new());
        for panel in board.panels() {
            let title = text(&panel["title"]);
            let place = format!("{}: {title}", board.name);
            assert!(
                titles.insert(title.clone()) && !title.is_empty() && ids.insert(panel["id"].as_u64().unwrap()),
                "{place}"
            );
            assert!(text(&panel["description"]).ends_with(['.', '?']), "{place}: a description");
            let defaults = &panel["fieldConfig"]["defaults"];
            assert!(!text(&defaults["unit"]).is_empty(), "{place}: a unit");
            assert!(text(&defaults["noValue"]).len() > 10, "{place}: what no data mean");
        }
    }
}

#[test]
fn no_panel_lies_over_another() {
    for board in boards() {
        let mut taken = BTreeMap::new();
        for panel in board.panels() {
            let at = |name: &str| panel["gridPos"][name].as_u64().unwrap();
            assert!(at("w") > 0 && at("h") > 0 && at("x") + at("w") <= 24, "{}", panel["title"]);
            for x in at("x")..at("x") + at("w") {
                for y in at("y")..at("y") + at("h") {
                    let below = taken.insert((x, y), &panel["title"]);
                    assert!(below.is_none(), "{}: {} lies over {}", board.name, panel["title"], below.unwrap());
                }
            }
        }
    }
}

#[test]
fn the_data_source_is_a_variable_everywhere() {
    for board in boards() {
        let source = board.variable("datasource").unwrap();
        assert_eq!((&source["type"], &source["query"]), (&"datasource".into(), &"prometheus".into()));
        let asked = board.variables().iter().filter(|variable| variable["type"] == "query");
        let targets = board.panels().iter().flat_map(|panel| panel["targets"].as_array().unwrap());
        for what in asked.chain(board.panels()).chain(targets) {
            assert_eq!(what["datasource"]["uid"], "${datasource}", "{}: {what:.200}", board.name);
        }
    }
}

#[test]
fn variables_choose_several_or_all_and_follow_the_time() {
    for board in boards() {
        let known: Vec<String> = board.variables().iter().map(|variable| text(&variable["name"])).collect();
        let expected: &[&str] = match board.name.as_str() {
            "token-expiry-exporter" => &["datasource", "job", "instance", "provider", "source"],
            "token-expiry-tokens" => {
                &["datasource", "job", "instance", "provider", "source", "team", "owner", "state", "rows"]
            }
            _ => &["datasource", "job", "instance", "provider", "source", "team", "owner", "finding", "rows"],
        };
        assert_eq!(known, expected, "{}", board.name);
        for variable in board.variables() {
            let name = text(&variable["name"]);
            assert!(!text(&variable["label"]).is_empty() && !text(&variable["description"]).is_empty(), "{name}");
            if variable["type"] == "query" {
                assert_eq!((&variable["multi"], &variable["includeAll"]), (&true.into(), &true.into()), "{name}");
                assert_eq!(variable["refresh"], 2, "{name}");
                assert_eq!(variable["definition"], variable["query"], "{name}");
                // A token may have neither, and must not be lost by it.
                let all = if ["team", "owner"].contains(&name.as_str()) { ".*" } else { ".+" };
                assert_eq!(variable["allValue"], all, "{name}");
            }
            let queries = board.queries().into_iter().map(|query| query.text);
            let mut others = queries.chain(board.variables().iter().map(|other| text(&other["query"])));
            let used = others.any(|query| query.contains(&format!("${name}")));
            assert!(used || name == "datasource", "{}: nothing uses {name}", board.name);
        }
    }
}

/// The queries of panels and variables, with what they belong to.
fn every_query() -> Vec<(String, String)> {
    let of = |board: Board| {
        let variables = board.variables().iter().filter(|variable| variable["type"] == "query");
        let variables =
            variables.map(|variable| (format!("{}: {}", board.name, variable["name"]), text(&variable["query"])));
        let panels = board
            .queries()
            .into_iter()
            .map(|query| (format!("{}: {} {}", board.name, query.panel, query.reference), query.text));
        variables.chain(panels).collect::<Vec<_>>()
    };
    boards().into_iter().flat_map(of).collect()
}

#[test]
fn queries_know_only_the_contract_and_choose_job_and_instance() {
    let metrics: BTreeSet<&str> =
        FAMILIES.iter().map(|family| family.name).chain(FROM_OUTSIDE.iter().copied()).collect();
    let labels: BTreeSet<&str> = LABELS.iter().map(|(name, _)| *name).chain(ADDED.iter().copied()).collect();
    let of_variable = Regex::new(r"^label_values\((.*), (\w+)\)$").unwrap();
    let quoted = Regex::new(r#""[^"]*"|\b(?:by|without|on|ignoring|group_left) \([^()]*\)|\[[^\]]*\]"#).unwrap();
    for (place, query) in every_query() {
        // `label_values(METRIC{…}, LABEL)`
        let query = match of_variable.captures(&query) {
            Some(captures) => {
                assert!(labels.contains(&captures[2]), "{place}: no label {}", &captures[2]);
                captures[1].to_owned()
            }
            None => query,
        };
        for label in found(r#"(\w+)(?:=|!=|=~|!~)""#, &query) {
            assert!(labels.contains(label), "{place}: no label {label}");
        }
        for list in found(r"\b(?:by|without|on|ignoring|group_left) \(([^()]*)\)", &query) {
            for label in list.split(", ").filter(|label| !label.is_empty()) {
                assert!(labels.contains(label), "{place}: no label {label}");
            }
        }
        let bare = quoted.replace_all(&query, "");
        for (word, next) in words(&bare) {
            match next {
                Some('{') => assert!(metrics.contains(word), "{place}: no metric {word}"),
                Some('(') => assert!(FUNCTIONS.contains(&word), "{place}: {word}"),
                _ => {
                    let other = ["and", "or", "unless", "bool", "by", "without", "on", "ignoring", "group_left"];
                    let variable = place.ends_with("\"job\"") && metrics.contains(word);
                    assert!(other.contains(&word) || variable, "{place}: {word} chooses nothing");
                }
            }
        }
        for matchers in found(r"\{([^{}]*)\}", &query) {
            let instance = place.ends_with("\"instance\"") || matchers.contains(r#"instance=~"$instance""#);
            assert!(matchers.contains(r#"job=~"$job""#) && instance, "{place}: {matchers}");
        }
    }
}

/// The words of a query outside of braces, each with what follows.
fn words(query: &str) -> Vec<(&str, Option<char>)> {
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
fn links_lead_somewhere() {
    let boards = boards();
    let address = Regex::new(r"^/d/([a-z-]+)(?:\?.*)?$").unwrap();
    for board in &boards {
        let linked: Vec<String> =
            board.json["links"].as_array().unwrap().iter().map(|link| text(&link["url"])).collect();
        let others = boards.iter().filter(|other| other.name != board.name);
        assert!(
            others.clone().all(|other| linked.contains(&format!("/d/{}", other.name))),
            "{}: {linked:?}",
            board.name
        );

        let mut urls = linked;
        collect_urls(&board.json["panels"], &mut urls);
        let mut renew = 0;
        for url in urls {
            if url == "${__value.raw}" {
                renew += 1;
                continue;
            }
            let target = address.captures(&url).unwrap_or_else(|| panic!("{}: {url}", board.name))[1].to_owned();
            let target =
                boards.iter().find(|other| other.name == target).unwrap_or_else(|| panic!("{}: {url}", board.name));
            for variable in found(r"[?&]var-(\w+)=", &url) {
                assert!(target.variable(variable).is_some(), "{}: {} has no {variable}", board.name, target.name);
            }
            for variable in found(r"[{&](\w+):queryparam", &url) {
                assert!(board.variable(variable).is_some(), "{}: no {variable}: {url}", board.name);
            }
        }
        assert_eq!(renew, if board.name == "token-expiry-tokens" { 2 } else { 0 }, "links to the page of renewal");
    }
}

#[test]
fn alerts_lead_to_dashboards_that_can_be_filtered_so() {
    let rules = std::fs::read_to_string(folder().join("../alerts/token-expiry.rules.yaml")).unwrap();
    let boards = boards();
    let links: Vec<&str> = rules.split("/d/").skip(1).map(|rest| rest.split("\n\n").next().unwrap()).collect();
    assert_eq!(links.len(), 4, "tokens, policy, exporter, source: the other alerts refer to these");
    for link in links {
        let uid = link.split(|next: char| next != '-' && !next.is_ascii_lowercase()).next().unwrap();
        let board = boards.iter().find(|board| board.name == uid).unwrap_or_else(|| panic!("no dashboard: {link}"));
        for variable in found(r"[?&]var-(\w+)=", link) {
            assert!(board.variable(variable).is_some(), "{uid} has no {variable}: {link}");
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
fn what_is_set_for_a_column_is_set_for_one_that_there_is() {
    for board in boards() {
        for panel in board.panels().iter().filter(|panel| panel["type"] == "table" || panel["type"] == "trend") {
            let transformations = panel["transformations"].as_array().unwrap();
            let renamed = &transformations.last().unwrap()["options"]["renameByName"];
            let columns: Vec<&Value> = renamed.as_object().unwrap().values().collect();
            let overrides = panel["fieldConfig"]["overrides"].as_array().unwrap();
            let named = overrides.iter().map(|one| &one["matcher"]["options"]);
            let sorted = panel["options"]["sortBy"].as_array().into_iter().flatten().map(|one| &one["displayName"]);
            for name in named.chain(sorted) {
                assert!(columns.contains(&name), "{}: {} has no column {name}", board.name, panel["title"]);
            }
        }
    }
}
