//! Generates `docs/metrics.md`.

use std::fmt::Write as _;

use super::families::{FAMILIES, Family, LABELS};
use super::selection::optional_families;

const INTRODUCTION: &str = "\
# Metrics

This page is generated from the table in `src/exposition/families`; to change it, change the table.

Values are Unix timestamps, never days left: `metric - time()` is the time left. A token that never expires has no expiry
sample but `token_info{expiry=\"never\"}`. Collection runs in the background, so token data is as of the last collection:
see `token_source_last_success_timestamp_seconds`.

The identity of a token is its labels `source`, `provider`, `token_id`, `token_kind`, `token_name` and `token_owner`,
followed by the labels that the configuration and the provider's definition add to it, in alphabetical order. The
series of one token have the same identity, so that they can be joined on `(source, token_id)`. Empty labels are omitted.

A label value has at most 200 characters; `token_id` has 500, `token_manage_url` 2,000. A longer value is truncated and counted
in `token_source_adjustments{adjustment=\"cut_value\"}`; a `token_id` then ends with a checksum of the whole, so that two tokens
do not become one series, and a link is omitted. Prometheus' `label_value_length_limit` counts bytes, and rejects the whole scrape
if one value is longer: set it to 2000 or more, or leave it unset.

`/metrics` serves the text format 0.0.4, or OpenMetrics 1.0.0 if the `Accept` header prefers it.
";

const SERIES: &str = "
## Number of series

`metrics` in [the configuration](configuration.md#keys) chooses what is exposed, and so what Prometheus stores. A reload applies it.

```yaml
metrics:
  tokens: due                            # all (default), due or none: which tokens have series of their own
  deny: [token_source_requests_total]    # or `allow`: these alone, and those that are always exposed; not both
sources:
  - {name: sessions, provider: vault, url: \"https://vault.example.com\", credential: {env: VAULT_TOKEN}, metrics: {tokens: none}}
```

| `tokens` | series of tokens | with 100,000 tokens, 1,000 of them due |
|---|---|---|
| `all` | 4 for each token (expiry, `token_info`, creation, last use; fewer if the provider reports less), 1 for each due token, 1 for each finding and location | 401,000, the findings and locations |
| `due` | 5 for each due token; no findings | 5,000 |
| `none` | none | 0 |

In addition each source has 41 series, each of its listings 17, each response code 1, a rate limit 2, `identify: true` 4 and a reported credential
expiry 1 or 2. They do not depend on the number of tokens. Most are zeros, which Prometheus compresses to almost nothing.

`due` keeps everything that alerts need: each token has its series while it is in a band. `token_finding` is omitted, as most tokens
with a finding are not due; [TokenPolicy](runbooks/TokenPolicy.md) then counts per source by `token_source_findings`, without the label
`team`. The dashboard of tokens works, where it says so for due tokens only; the dashboard of the inventory needs `all`. The status
page, the API, the calendar and `list` always have every token; `list --output prom` follows `metrics`.

Metrics of the exporter itself, counts of tokens per source and metrics of sources that alerts need are always exposed. `check` warns if
a choice silences an alert.
";

pub fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    page.push_str(SERIES);
    let optional: Vec<_> = optional_families().map(|family| format!("`{}`", family.name)).collect();
    // Writing to a string cannot fail, here and below.
    let _ = write!(page, "\nThese can be selected: {}.\n", optional.join(", "));
    let mut previous = "";
    for family in FAMILIES {
        let section = section(family);
        if section != previous {
            let _ = write!(page, "\n## {section}\n");
        }
        previous = section;
        write_family(&mut page, family);
    }
    page.push_str("\n### `process_*`\n\nThe standard process metrics: `process_cpu_seconds_total`, ");
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

/// The families are in the order of the sections.
fn section(family: &Family) -> &'static str {
    if family.name.starts_with("token_source_") {
        "Sources"
    } else if family.name.starts_with("token_expiry_exporter_") {
        "The exporter itself"
    } else {
        "Tokens"
    }
}

fn write_family(page: &mut String, family: &Family) {
    let Family { name, unit, labels, help, about, queries } = family;
    let _ = write!(page, "\n### `{name}`\n\n{help}\n");
    if !about.is_empty() {
        let _ = write!(page, "\n{about}\n");
    }
    let labels = match labels {
        [] => "none".to_owned(),
        labels => labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", "),
    };
    let _ = write!(page, "\nType: {}. Unit: {unit}. Labels: {labels}.\n", family.kind().label());
    for (title, query) in *queries {
        let _ = write!(page, "\n{title}:\n\n```promql\n{query}\n```\n");
    }
}
