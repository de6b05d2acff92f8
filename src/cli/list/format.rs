//! The output formats of `list` for programs.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::core::inventory::TokenView;
use crate::exposition::Labels;
use crate::pages::humanize::rfc3339;
use crate::pages::tokens::to_json;

/// As `/api/v1/tokens`. `total` counts the selected tokens before `--offset` and `--limit`.
pub(super) fn json(views: &[TokenView<'_>], total: usize, labels: Labels, now: DateTime<Utc>) -> String {
    let tokens: Vec<Value> = views.iter().map(|view| to_json(view, labels)).collect();
    format!("{:#}\n", json!({"now": rfc3339(now), "total": total, "tokens": tokens}))
}

/// The columns of CSV, by their names in JSON; the owner's two are made of one object.
const COLUMNS: &str = "source provider listing id kind name owner owner_email expires_at expiry state band findings created_at \
                       last_used manage_url";

pub(super) fn csv(views: &[TokenView<'_>], labels: Labels) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Writing to memory does not fail.
    drop(writer.write_record(COLUMNS.split(' ')));
    for view in views {
        let fields = to_json(view, labels);
        let cell = |column| match (column, &fields[column]) {
            ("owner", _) => labels.owner_name(view).unwrap_or_default().into_owned(),
            ("owner_email", _) => labels.owner_email(view).unwrap_or_default().to_owned(),
            (_, Value::Array(texts)) => texts.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
            (_, field) => field.as_str().unwrap_or_default().to_owned(),
        };
        drop(writer.write_record(COLUMNS.split(' ').map(|column| escape_formula(&cell(column)))));
    }
    writer.into_inner().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// Prevents a spreadsheet from running a cell as a formula: a token's name could otherwise run code on the reader's machine. Also after a `;`, with which some spreadsheets separate cells, and for full-width signs, which some treat as the
/// ordinary ones. <https://owasp.org/www-community/attacks/CSV_Injection>
fn escape_formula(cell: &str) -> String {
    const STARTS_A_FORMULA: [char; 10] = ['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'];
    let mut out = String::with_capacity(cell.len());
    let mut at_start = true;
    for c in cell.chars() {
        if at_start && STARTS_A_FORMULA.contains(&c) {
            out.push('\'');
        }
        at_start = c == ';' || at_start && matches!(c, ' ' | '"');
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_formula_quotes_what_starts_a_formula() {
        for (cell, expected) in [
            ("deploy", "deploy"),
            ("", ""),
            ("=HYPERLINK(\"x\")", "'=HYPERLINK(\"x\")"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(1)", "'@SUM(1)"),
            ("\t=1", "'\t=1"),
            ("a=1", "a=1"),
            (" \"=1", " \"'=1"),
            ("a;=1", "a;'=1"),
            ("a; -1;b", "a; '-1;b"),
            ("＝1", "'＝1"),
        ] {
            assert_eq!(escape_formula(cell), expected);
        }
    }
}
