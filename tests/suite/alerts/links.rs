//! Links of alerts lead to existing dashboards and variables, and the commands of runbooks are valid.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use regex::Regex;
use serde_json::Value;

use super::{files, rules};

/// The variables of each dashboard, by uid.
fn variables_by_dashboard() -> BTreeMap<String, BTreeSet<String>> {
    let variables_of = |path| {
        let dashboard: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let variables = dashboard["templating"]["list"].as_array().unwrap();
        let names = variables.iter().map(|variable| variable["name"].as_str().unwrap().to_owned()).collect();
        (dashboard["uid"].as_str().unwrap().to_owned(), names)
    };
    files("dashboards", "json").into_iter().map(variables_of).collect()
}

#[test]
fn dashboard_urls_name_existing_dashboards_and_variables() {
    let (dashboards, link) =
        (variables_by_dashboard(), Regex::new(r"^https://grafana\.example\.com/d/([a-z-]+)(?:\?(.*))?$").unwrap());
    for rule in rules() {
        let url = &rule.annotations["dashboard_url"];
        let parts = link.captures(url).unwrap_or_else(|| panic!("{}: {url}", rule.alert));
        let variables =
            dashboards.get(&parts[1]).unwrap_or_else(|| panic!("{}: no dashboard {}", rule.alert, &parts[1]));
        let filter = parts.get(2).map(|filter| filter.as_str());
        // Alerts on a source or token link to the dashboard of that source.
        assert_eq!(filter.is_some(), !rule.alert.starts_with("TokenExporter"), "{}: {url}", rule.alert);
        for (name, value) in
            filter.into_iter().flat_map(|filter| filter.split('&')).map(|it| it.split_once('=').unwrap())
        {
            let variable = name.strip_prefix("var-").unwrap();
            assert!(variables.contains(variable), "{}: {} has no variable {variable}", rule.alert, &parts[1]);
            assert_eq!(value, format!("{{{{ $labels.{variable} | urlquery }}}}"), "{}", rule.alert);
        }
    }
}

#[test]
fn token_alerts_have_expiry_renewal_link_and_facts() {
    for rule in rules().iter().filter(|rule| rule.alert.starts_with("TokenExpir")) {
        assert_eq!(rule.annotations["manage_url"], "{{ $labels.token_manage_url }}", "{}", rule.alert);
        assert!(rule.annotations["expires"].contains("toTime"), "{}", rule.alert);
        assert!(rule.annotations["time_left"].contains("$value | humanizeDuration"), "{}", rule.alert);
        for (annotation, label) in [("used_in", "location"), ("renewal", "renewal"), ("page_url", "token_page_url")] {
            let found = rule.annotations[annotation].contains(&format!("| label \"{label}\""));
            assert!(found, "{}: {annotation}", rule.alert);
        }
        assert!(rule.annotations["last_used"].contains("token_last_used_timestamp_seconds"), "{}", rule.alert);
    }
}

#[test]
fn runbook_commands_are_valid() {
    let block = Regex::new(r"(?s)```sh\n(.*?)```").unwrap();
    let empty = tempfile::tempdir().unwrap();
    let mut checked = 0;
    for page in files("docs/runbooks", "md") {
        let text = std::fs::read_to_string(&page).unwrap();
        for line in block.captures_iter(&text).flat_map(|found| found[1].lines().map(str::to_owned).collect::<Vec<_>>())
        {
            let Some(arguments) = line.strip_prefix("token-expiry-exporter ") else { continue };
            // A valid command line fails only because the configuration is missing.
            let mut program = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter"));
            let output = program.args(arguments.split(' ')).current_dir(empty.path()).output().unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(stderr.contains("token-expiry-exporter.yaml: "), "{}: {line}: {stderr}", page.display());
            checked += 1;
        }
    }
    assert!(checked > 5, "{checked} commands");
}
