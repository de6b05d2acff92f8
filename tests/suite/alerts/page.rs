//! The table of `docs/alerts.md` says what the rules say.

use std::fmt::Write as _;

use super::{assert_golden, read, rules};

const BEGIN: &str = "<!-- generated from alerts/token-expiry.rules.yaml -->\n";
const END: &str = "<!-- end -->\n";

/// A severity is a word, or a template that has two of them.
fn severity(label: &str) -> String {
    let known = ["critical", "warning", "info"];
    let can_be: Vec<_> = known.into_iter().filter(|severity| label.contains(severity)).collect();
    can_be.join(" or ")
}

#[test]
fn the_table_is_what_the_rules_say() {
    let mut table = "\n| alert | severity | after | what it says |\n|---|---|---|---|\n".to_owned();
    for rule in rules() {
        let (alert, severity) = (&rule.alert, severity(&rule.labels["severity"]));
        let (after, summary) = (rule.wait.as_deref().unwrap_or("at once"), &rule.annotations["summary"]);
        writeln!(table, "| [{alert}](runbooks/{alert}.md) | {severity} | {after} | {summary} |").unwrap();
    }
    let page = read("docs/alerts.md");
    let (head, rest) = page.split_once(BEGIN).expect("the page says where the table begins");
    let (_, tail) = rest.split_once(END).expect("the page says where the table ends");
    assert_golden("docs/alerts.md", &format!("{head}{BEGIN}{table}\n{END}{tail}"));
}
