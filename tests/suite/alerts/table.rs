//! Generates the table of `docs/alerts.md` from the rules.

use std::fmt::Write as _;

use super::{assert_golden, read, rules};

const BEGIN: &str = "<!-- generated from alerts/token-expiry.rules.yaml -->\n";
const END: &str = "<!-- end -->\n";

/// A severity is a literal, or a template with two possible values.
fn severity(label: &str) -> String {
    let known = ["critical", "warning", "info"];
    let possible: Vec<_> = known.into_iter().filter(|severity| label.contains(severity)).collect();
    possible.join(" or ")
}

#[test]
fn alert_table_matches_the_rules() {
    let mut table = "\n| alert | severity | fires after | summary |\n|---|---|---|---|\n".to_owned();
    for rule in rules() {
        let (alert, severity) = (&rule.alert, severity(&rule.labels["severity"]));
        let (after, summary) = (rule.wait.as_deref().unwrap_or("immediately"), &rule.annotations["summary"]);
        writeln!(table, "| [{alert}](runbooks/{alert}.md) | {severity} | {after} | {summary} |").unwrap();
    }
    let page = read("docs/alerts.md");
    let (head, rest) = page.split_once(BEGIN).expect("no start of the table");
    let (_, tail) = rest.split_once(END).expect("no end of the table");
    assert_golden("docs/alerts.md", &format!("{head}{BEGIN}{table}\n{END}{tail}"));
}
