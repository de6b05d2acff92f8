//! Panels that are empty if the configuration exposes fewer series say so.

use std::collections::{BTreeMap, BTreeSet};

use token_expiry_exporter::exposition::selection::optional_families;

use super::dashboard::{dashboards, text};
use super::structure::words;
use crate::docs::assert_generated;

/// Families of single tokens that `metrics: {tokens: due}` reduces to due tokens, or omits.
const REDUCED: [&str; 5] = [
    "token_expiry_timestamp_seconds",
    "token_finding",
    "token_info",
    "token_created_timestamp_seconds",
    "token_last_used_timestamp_seconds",
];

/// They only add columns to tokens that are due.
const OF_DUE_TOKENS: [&str; 1] = ["Expired and not replaced"];

#[test]
fn panels_that_need_every_token_say_so() {
    let mut found = 0;
    for dashboard in dashboards() {
        let queries = dashboard.queries();
        for panel in dashboard.panels() {
            let title = text(&panel["title"]);
            let of_panel = queries.iter().filter(|query| query.panel == title);
            let words: Vec<_> = of_panel.flat_map(|query| words(&query.text)).map(|(word, _)| word).collect();
            if REDUCED.iter().any(|family| words.contains(family)) && !OF_DUE_TOKENS.contains(&&*title) {
                let description = text(&panel["description"]);
                let says = ["Needs `metrics: {tokens: all}`.", "With `metrics: {tokens: due}`: due tokens only."];
                assert!(says.iter().any(|sentence| description.ends_with(sentence)), "{title}: {description}");
                found += 1;
            }
        }
    }
    assert!(found > 10, "{found}");
}

/// The panels that use each family that `metrics` can deny, as `(dashboard, panel, whether all of its queries do)`.
fn panels_by_optional_family() -> BTreeMap<&'static str, Vec<(String, String, bool)>> {
    let mut panels = BTreeMap::<_, Vec<_>>::new();
    for dashboard in dashboards() {
        let queries = dashboard.queries();
        for panel in dashboard.panels() {
            let title = text(&panel["title"]);
            let of_panel: Vec<BTreeSet<_>> = queries
                .iter()
                .filter(|query| query.panel == title)
                .map(|query| words(&query.text).into_iter().map(|(word, _)| word).collect())
                .collect();
            for family in optional_families() {
                let users = of_panel.iter().filter(|words| words.contains(family.name)).count();
                if users > 0 {
                    let all = users == of_panel.len();
                    panels.entry(family.name).or_default().push((dashboard.name.clone(), title.clone(), all));
                }
            }
        }
    }
    panels
}

#[test]
fn panels_name_the_source_metrics_that_can_be_denied() {
    let mut needs = BTreeMap::<_, Vec<_>>::new();
    for (family, panels) in panels_by_optional_family() {
        for (dashboard, panel, all) in panels {
            // Panels on tokens say what they show of `tokens: due`.
            if family.starts_with("token_source_") {
                needs.entry((dashboard, panel)).or_default().push((family, all));
            }
        }
    }
    assert!(needs.len() > 4, "{needs:?}");
    for dashboard in dashboards() {
        for panel in dashboard.panels() {
            let Some(families) = needs.get(&(dashboard.name.clone(), text(&panel["title"]))) else { continue };
            let names: Vec<_> = families.iter().map(|(family, _)| format!("`{family}`")).collect();
            let sentence = if families.iter().any(|(_, all)| *all) { "Needs" } else { "Some values need" };
            let expected = format!(" {sentence} {}.", names.join(", "));
            let description = text(&panel["description"]);
            assert!(description.ends_with(&expected), "{}: {description}: not at its end: {expected}", panel["title"]);
        }
    }
}

#[test]
fn documentation_lists_the_panels_of_each_metric_that_can_be_denied() {
    let panels = panels_by_optional_family();
    let mut table = String::from("| metric | all queries use it | some queries use it |\n|---|---|---|\n");
    for family in optional_families() {
        let listed = |wanted: bool| {
            let panels = panels.get(family.name).into_iter().flatten().filter(|(.., all)| *all == wanted);
            let mut by_dashboard = BTreeMap::<_, Vec<_>>::new();
            for (dashboard, panel, _) in panels {
                by_dashboard.entry(dashboard.trim_start_matches("token-expiry-")).or_default().push(panel.as_str());
            }
            let cell: Vec<_> =
                by_dashboard.iter().map(|(dashboard, panels)| format!("{dashboard}: {}", panels.join(", "))).collect();
            if cell.is_empty() { "—".to_owned() } else { cell.join("; ") }
        };
        table.push_str(&format!("| `{}` | {} | {} |\n", family.name, listed(true), listed(false)));
    }
    assert_generated("docs/dashboards.md", "denied", &table);
}
