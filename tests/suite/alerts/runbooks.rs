//! A page for each alert, with the four headings that somebody looks for at night, and links that lead somewhere.

use std::collections::BTreeSet;

use super::{file, files, read, rules};

const HEADINGS: [&str; 4] = ["## Meaning", "## Impact", "## Diagnosis", "## Mitigation"];

#[test]
fn every_alert_has_a_page_and_every_page_an_alert() {
    let pages: BTreeSet<_> =
        files("docs/runbooks", "md").iter().map(|path| path.file_stem().unwrap().to_owned()).collect();
    let alerts: BTreeSet<_> = rules().into_iter().map(|rule| rule.alert.into()).collect();
    assert_eq!(pages, alerts);
}

#[test]
fn every_page_has_its_headings_in_order() {
    for rule in rules() {
        let page = read(&format!("docs/runbooks/{}.md", rule.alert));
        let headings: Vec<_> = page.lines().filter(|line| line.starts_with('#')).collect();
        let title = format!("# {}", rule.alert);
        assert_eq!(headings, [&[title.as_str()][..], &HEADINGS[..]].concat(), "{}", rule.alert);
        for part in page.split("\n## ").skip(1) {
            assert!(part.lines().skip(1).any(|line| !line.is_empty()), "{}: empty: {part}", rule.alert);
        }
    }
}

#[test]
fn every_alert_leads_to_its_page() {
    for rule in rules() {
        let url = &rule.annotations["runbook_url"];
        assert_eq!(url.rsplit('/').next().unwrap(), rule.alert, "{url}");
        for annotation in ["summary", "description", "dashboard_url"] {
            assert!(rule.annotations.contains_key(annotation), "{} has no {annotation}", rule.alert);
        }
        assert!(!rule.annotations["summary"].contains("{{"), "{}: a summary is the same for all", rule.alert);
    }
}

#[test]
fn links_lead_somewhere() {
    let link = regex::Regex::new(r"\]\(([^)#\s]+)(?:#[^)]*)?\)").unwrap();
    let pages = files("docs/runbooks", "md").into_iter().chain([file("docs/alerts.md")]);
    for page in pages {
        let text = std::fs::read_to_string(&page).unwrap();
        for target in
            link.captures_iter(&text).map(|found| found[1].to_owned()).filter(|target| !target.contains("://"))
        {
            assert!(page.parent().unwrap().join(&target).exists(), "{}: {target} is not there", page.display());
        }
    }
}
