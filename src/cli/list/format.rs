//! The forms in which `list` prints tokens. The soonest to end come first.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::cli::print;
use crate::core::inventory::{Inventory, TokenView};
use crate::core::token::{Expiry, LastUse, State};
use crate::exposition::Labels;
use crate::pages::humanize::{relative, rfc3339};
use crate::pages::tokens::{expiry_order, to_json};

fn views(inventory: &Inventory, now: DateTime<Utc>) -> Vec<TokenView<'_>> {
    let mut views: Vec<TokenView<'_>> = inventory.tokens(now).collect();
    views.sort_by_key(expiry_order);
    views
}

/// For people.
pub(super) fn table(inventory: &Inventory, labels: Labels, now: DateTime<Utc>) -> String {
    let rows = views(inventory, now).into_iter().map(|view| {
        vec![
            view.token.name.clone(),
            view.token.kind.clone(),
            owner(&view, labels),
            view.source.to_owned(),
            view.expires.timestamp().map(rfc3339).unwrap_or_default(),
            words(view.expires, now),
            standing(&view),
        ]
    });
    print::table(&["NAME", "KIND", "OWNER", "SOURCE", "EXPIRES", "", "STATE"], rows)
}

fn words(expires: Expiry, now: DateTime<Utc>) -> String {
    match expires {
        Expiry::At(at) | Expiry::Policy(at) => relative(at, now),
        Expiry::Never => "never".to_owned(),
        Expiry::Unknown => "unknown".to_owned(),
    }
}

/// The band of a token that people are to be told of; else its state.
fn standing(view: &TokenView<'_>) -> String {
    match (view.state, view.band) {
        (State::Active, Some(band)) => band.label().to_owned(),
        (state, _) => state.label().to_owned(),
    }
}

fn owner(view: &TokenView<'_>, labels: Labels) -> String {
    let Some(owner) = view.owner else { return String::new() };
    let name = owner.label().filter(|_| labels.owner);
    let email = owner.email.as_deref().filter(|_| labels.owner_email);
    name.or(email).unwrap_or_default().to_owned()
}

/// As `/api/v1/tokens` has it.
pub(super) fn json(inventory: &Inventory, labels: Labels, now: DateTime<Utc>) -> String {
    let tokens: Vec<Value> = views(inventory, now).iter().map(|view| to_json(view, labels)).collect();
    format!("{:#}\n", json!({"now": rfc3339(now), "total": tokens.len(), "tokens": tokens}))
}

const COLUMNS: [&str; 16] = [
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
];

/// For a spreadsheet.
pub(super) fn csv(inventory: &Inventory, labels: Labels, now: DateTime<Utc>) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Writing to memory does not fail.
    drop(writer.write_record(COLUMNS));
    for view in views(inventory, now) {
        drop(writer.write_record(cells(&view, labels).iter().map(|cell| harmless(cell))));
    }
    writer.into_inner().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

fn cells(view: &TokenView<'_>, labels: Labels) -> [String; COLUMNS.len()] {
    let token = view.token;
    let owned = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let findings: Vec<&str> = view.findings.iter().map(|finding| finding.label()).collect();
    [
        view.source.to_owned(),
        view.provider.to_owned(),
        view.listing.to_owned(),
        token.id.clone(),
        token.kind.clone(),
        token.name.clone(),
        owned(view.owner.and_then(|owner| owner.label()).filter(|_| labels.owner)),
        owned(view.owner.and_then(|owner| owner.email.as_deref()).filter(|_| labels.owner_email)),
        view.expires.timestamp().map(rfc3339).unwrap_or_default(),
        view.expires.label().to_owned(),
        view.state.label().to_owned(),
        owned(view.band.map(|band| band.label())),
        findings.join(" "),
        token.created_at.map(rfc3339).unwrap_or_default(),
        match token.last_used {
            LastUse::NotReported => String::new(),
            LastUse::Never => "never".to_owned(),
            LastUse::At(at) => rfc3339(at),
        },
        owned(token.manage_url.as_deref()),
    ]
}

/// A cell that no spreadsheet takes for a formula: anybody who may name a token would else run one on an auditor's machine.
/// After a `;` too, where some spreadsheets begin a cell; and the wide signs, which some take for the narrow ones.
/// <https://owasp.org/www-community/attacks/CSV_Injection>
fn harmless(cell: &str) -> String {
    const BEGINS_A_FORMULA: [char; 10] = ['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'];
    let mut out = String::with_capacity(cell.len());
    let mut at_start = true;
    for c in cell.chars() {
        if at_start && BEGINS_A_FORMULA.contains(&c) {
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
    fn no_cell_is_a_formula() {
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
            assert_eq!(harmless(cell), expected);
        }
    }
}
