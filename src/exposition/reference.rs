//! `docs/metrics.md`, written from the table of families.

use std::fmt::Write as _;

use super::families::{FAMILIES, Family, LABELS};

const INTRODUCTION: &str = "\
# Metrics

This page is generated from the table in `src/exposition/families`; to change it, change the table.

The values are Unix times, never days left: `metric - time()` is what remains. A token that never ends has no sample of
an end, and `token_info{expiry=\"never\"}`. Collection runs in the background, so all that is said of tokens is said as
last listed; `token_source_last_success_timestamp_seconds` tells when that was.

The identity of a token is its labels `source`, `provider`, `token_id`, `token_kind`, `token_name` and `token_owner`,
followed by the labels that the configuration and the provider's definition add to it, in alphabetical order. The
series of one token have the same identity, so that they can be joined on `(source, token_id)`. A label without a value
is left out.

`/metrics` answers in the text format 0.0.4, or in OpenMetrics 1.0.0 where the `Accept` header asks for it.
";

/// The whole page.
pub fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    let mut before = "";
    for family in FAMILIES {
        let section = section(family);
        // Writing to a text cannot fail, here and below.
        if section != before {
            let _ = write!(page, "\n## {section}\n");
        }
        before = section;
        write_family(&mut page, family);
    }
    page.push_str("\n### `process_*`\n\nThe usual metrics of a process: `process_cpu_seconds_total`, ");
    page.push_str(
        "`process_resident_memory_bytes`, `process_virtual_memory_bytes`, `process_open_fds`, `process_max_fds`, ",
    );
    page.push_str("`process_threads`, `process_start_time_seconds`. On Linux only.\n");
    page.push_str("\n## Labels\n\n| label | meaning |\n|---|---|\n");
    for (name, meaning) in LABELS {
        let _ = writeln!(page, "| `{name}` | {meaning} |");
    }
    page
}

/// The families stand in the order of the sections.
fn section(family: &Family) -> &'static str {
    if family.name.starts_with("token_source_") {
        "Sources"
    } else if family.name.starts_with("token_expiry_exporter_") {
        "The program itself"
    } else {
        "Tokens"
    }
}

fn write_family(page: &mut String, family: &Family) {
    let Family { name, kind, unit, labels, help, about, queries } = family;
    let _ = write!(page, "\n### `{name}`\n\n{help}\n");
    if !about.is_empty() {
        let _ = write!(page, "\n{about}\n");
    }
    let labels = match labels {
        [] => "none".to_owned(),
        labels => labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", "),
    };
    let _ = write!(page, "\nType: {}. Unit: {unit}. Labels: {labels}.\n", kind.label());
    for (answer, query) in *queries {
        let _ = write!(page, "\n{answer}:\n\n```promql\n{query}\n```\n");
    }
}
