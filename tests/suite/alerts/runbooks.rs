//! Every alert has a runbook with the four headings that on-call expects, and valid links.

use std::collections::BTreeSet;

use super::{file, files, read, rules};

const HEADINGS: [&str; 4] = ["## Meaning", "## Impact", "## Diagnosis", "## Mitigation"];

#[test]
fn alerts_and_runbooks_match() {
    let pages: BTreeSet<_> =
        files("docs/runbooks", "md").iter().map(|path| path.file_stem().unwrap().to_owned()).collect();
    let alerts: BTreeSet<_> = rules().into_iter().map(|rule| rule.alert.into()).collect();
    assert_eq!(pages, alerts);
}

#[test]
fn runbooks_have_all_headings_in_order() {
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
fn runbook_urls_name_the_alert() {
    for rule in rules() {
        let url = &rule.annotations["runbook_url"];
        assert_eq!(url.rsplit('/').next().unwrap(), rule.alert, "{url}");
        for annotation in ["summary", "description", "dashboard_url"] {
            assert!(rule.annotations.contains_key(annotation), "{} has no {annotation}", rule.alert);
        }
        assert!(!rule.annotations["summary"].contains("{{"), "{}: the summary must be constant", rule.alert);
    }
}

#[test]
fn relative_links_exist() {
    let link = regex::Regex::new(r"\]\(([^)#\s]+)(?:#[^)]*)?\)").unwrap();
    let pages = files("docs/runbooks", "md").into_iter().chain([file("docs/alerts.md")]);
    for page in pages {
        let text = std::fs::read_to_string(&page).unwrap();
        for target in
            link.captures_iter(&text).map(|found| found[1].to_owned()).filter(|target| !target.contains("://"))
        {
            assert!(page.parent().unwrap().join(&target).exists(), "{}: {target} does not exist", page.display());
        }
    }
}
