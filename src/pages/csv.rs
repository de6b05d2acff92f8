//! CSV for spreadsheets.

use serde_json::Value;

use crate::core::inventory::TokenView;
use crate::exposition::Labels;
use crate::pages::json::to_json;

/// The columns of a token, by their names in JSON; the owner's two are made of one object.
const COLUMNS: [&str; 19] = [
    "source",
    "provider",
    "listing",
    "id",
    "kind",
    "name",
    "owner",
    "owner_email",
    "expires_at",
    "expiry",
    "state",
    "band",
    "findings",
    "created_at",
    "last_used",
    "manage_url",
    "scopes",
    "labels",
    "locations",
];

/// Tokens, each a row.
pub(crate) fn tokens<'v, 'a: 'v>(views: impl IntoIterator<Item = &'v TokenView<'a>>, labels: Labels) -> Vec<u8> {
    table(&COLUMNS, views.into_iter().map(|view| cells(view, labels)))
}

/// Tokens, each a row after a cell of its own.
pub(super) fn tokens_with<'v, 'a: 'v>(
    column: &str,
    rows: impl Iterator<Item = (&'static str, &'v TokenView<'a>)>,
    labels: Labels,
) -> Vec<u8> {
    let columns = [&[column][..], &COLUMNS[..]].concat();
    table(&columns, rows.map(|(cell, view)| [vec![cell.to_owned()], cells(view, labels)].concat()))
}

fn cells(view: &TokenView<'_>, labels: Labels) -> Vec<String> {
    let fields = to_json(view, labels);
    let cell = |column| match (column, &fields[column]) {
        ("owner", _) => labels.owner_name(view).unwrap_or_default().into_owned(),
        ("owner_email", _) => labels.owner_email(view).unwrap_or_default().to_owned(),
        ("labels", _) => joined(view.labels.iter().map(|(name, value)| format!("{name}={value}")), " "),
        ("locations", _) => joined(view.locations.iter().map(ToString::to_string), "; "),
        (_, Value::Array(texts)) => joined(texts.iter().filter_map(Value::as_str).map(str::to_owned), " "),
        (_, field) => field.as_str().unwrap_or_default().to_owned(),
    };
    COLUMNS.iter().map(|column| cell(*column)).collect()
}

fn joined(texts: impl Iterator<Item = String>, separator: &str) -> String {
    texts.collect::<Vec<_>>().join(separator)
}

/// A header and rows. Cells are defused.
pub(super) fn table(columns: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Writing to memory does not fail.
    drop(writer.write_record(columns));
    for row in rows {
        drop(writer.write_record(row.iter().map(|cell| escape_formula(cell))));
    }
    writer.into_inner().unwrap_or_default()
}

/// Prevents a spreadsheet from running a cell as a formula: a token's name could otherwise run code on the reader's machine. Also
/// after a `;`, with which some spreadsheets separate cells, and for full-width signs, which some treat as the ordinary ones. <https://owasp.org/www-community/attacks/CSV_Injection>
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
