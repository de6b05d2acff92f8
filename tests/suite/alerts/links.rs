//! Where an alert leads: a dashboard with that filter, the page where the token is renewed, and commands that run as they stand.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use regex::Regex;
use serde_json::Value;

use super::{files, rules};

/// The dashboards: their variables by their uid.
fn dashboards() -> BTreeMap<String, BTreeSet<String>> {
    let board = |path| {
        let board: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let variables = board["templating"]["list"].as_array().unwrap();
        let names = variables.iter().map(|variable| variable["name"].as_str().unwrap().to_owned()).collect();
        (board["uid"].as_str().unwrap().to_owned(), names)
    };
    files("dashboards", "json").into_iter().map(board).collect()
}

#[test]
fn every_alert_leads_to_a_dashboard_that_knows_its_filter() {
    let (dashboards, link) =
        (dashboards(), Regex::new(r"^https://grafana\.example\.com/d/([a-z-]+)(?:\?(.*))?$").unwrap());
    for rule in rules() {
        let url = &rule.annotations["dashboard_url"];
        let parts = link.captures(url).unwrap_or_else(|| panic!("{}: {url}", rule.alert));
        let variables =
            dashboards.get(&parts[1]).unwrap_or_else(|| panic!("{}: no dashboard {}", rule.alert, &parts[1]));
        let filter = parts.get(2).map(|filter| filter.as_str());
        // Whatever is said of a source is shown for this source.
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
fn every_alert_on_a_token_leads_to_where_it_is_renewed_and_says_when_it_ends() {
    for rule in rules().iter().filter(|rule| rule.alert.starts_with("TokenExpir")) {
        assert_eq!(rule.annotations["manage_url"], "{{ $labels.token_manage_url }}", "{}", rule.alert);
        assert!(rule.annotations["expires"].contains("toTime"), "{}", rule.alert);
    }
}

#[test]
fn every_command_of_a_runbook_is_one_that_the_program_knows() {
    let block = Regex::new(r"(?s)```sh\n(.*?)```").unwrap();
    let empty = tempfile::tempdir().unwrap();
    let mut known = 0;
    for page in files("docs/runbooks", "md") {
        let text = std::fs::read_to_string(&page).unwrap();
        for line in block.captures_iter(&text).flat_map(|found| found[1].lines().map(str::to_owned).collect::<Vec<_>>())
        {
            let Some(arguments) = line.strip_prefix("token-expiry-exporter ") else { continue };
            // Where the command line is understood, it is the configuration that is missing.
            let mut program = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter"));
            let done = program.args(arguments.split(' ')).current_dir(empty.path()).output().unwrap();
            let said = String::from_utf8_lossy(&done.stderr).into_owned();
            assert!(said.contains("token-expiry-exporter.yaml: "), "{}: {line}: {said}", page.display());
            known += 1;
        }
    }
    assert!(known > 5, "{known} commands");
}
