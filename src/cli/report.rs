//! What each listing did, as `check --online` and `list` print it.

use chrono::{DateTime, Utc};

use crate::core::failure::Reason;
use crate::core::inventory::Inventory;
use crate::core::listing_report::ListingReport;
use crate::core::outcome::{Gap, ListingResult};
use crate::providers::provider_info::UNKNOWABLE;

/// Failed scopes, or malformed rows, of which `check --online` shows the details.
const MAX_DETAILS: usize = 3;

/// The reports with the tokens that an inventory kept. It contains only what the reports are about.
pub(super) fn with_inventory(
    mut reports: Vec<ListingReport>,
    inventory: &Inventory,
    source: &str,
    now: DateTime<Utc>,
) -> Vec<ListingReport> {
    for report in &mut reports {
        let is_kept = |view: &crate::core::inventory::TokenView<'_>| view.listing == report.listing;
        let kept = inventory.tokens(now).filter(|view| view.source == source).filter(is_kept).count();
        report.set_kept(kept as u64);
    }
    reports
}

/// One line with the counts, if the source has a definition, and one for each warning.
pub(super) fn notes(source: &str, report: &ListingReport) -> Vec<String> {
    let prefix = format!("{source}: {}", report.listing);
    let line = |_| format!("{prefix}: {}", [vec![report.counts()], fields(report)].concat().join("; "));
    report
        .rows
        .iter()
        .map(line)
        .chain(report.warnings.iter().map(|warning| format!("{prefix}: warning: {warning}")))
        .collect()
}

/// Fields that no token has, and those that are unreadable.
fn fields(report: &ListingReport) -> Vec<String> {
    let mut parts = Vec::new();
    let empty = report.fields_without_value();
    if !empty.is_empty() && report.tokens > 0 {
        parts.push(format!("fields without any value: {}", empty.join(", ")));
    }
    let unreadable = report.unreadable_fields();
    if !unreadable.is_empty() {
        let rows: Vec<String> = unreadable.iter().map(|(name, rows)| format!("{name} ({rows})")).collect();
        parts.push(format!("unreadable fields: {}", rows.join(", ")));
    }
    parts
}

/// A paragraph for `check --online`: the result, then the details, indented.
pub(super) fn paragraph(source: &str, listed: &ListingResult, report: &ListingReport, is_unknowable: bool) -> String {
    let mut lines = vec![format!("{source}: {}: {}", listed.name, result(listed, report))];
    for gap in distinct(&listed.gaps).into_iter().take(MAX_DETAILS) {
        lines.extend(details(gap));
    }
    let malformed = listed.scopes.iter().flat_map(|scope| &scope.malformed);
    lines.extend(malformed.take(MAX_DETAILS).map(|row| {
        let id = row.id.as_ref().map(|id| format!(" ({id})")).unwrap_or_default();
        format!("malformed row {}{id}: cannot read `{}`", row.position, row.field)
    }));
    if listed.scopes.iter().any(|scope| !scope.is_step) {
        lines.push(report.counts());
    }
    lines.extend(fields(report));
    if is_unknowable {
        lines.push(format!("{UNKNOWABLE}; compare the number of tokens with that of an administrator"));
    }
    lines.extend(report.warnings.iter().map(|warning| format!("warning: {warning}")));
    lines.join("\n  ") + "\n"
}

/// What no listing of a source has, even if all succeed; empty if the definition names nothing.
pub(super) fn not_listed(source: &str, texts: &[String]) -> String {
    let lines = texts.iter().map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    let lines: String = lines.map(|line| format!("  {line}\n")).collect();
    if lines.is_empty() { lines } else { format!("{source}: not listed by the provider:\n{lines}") }
}

/// `ok, 110 tokens`; `forbidden, 2 of 7 scopes failed`.
fn result(listed: &ListingResult, report: &ListingReport) -> String {
    let Some(gap) = listed.gaps.first() else {
        let tokens = report.tokens - report.dropped;
        return match tokens {
            0 => "ok, no tokens".to_owned(),
            1 => "ok, 1 token".to_owned(),
            _ => format!("ok, {tokens} tokens"),
        };
    };
    let complete = listed.scopes.iter().filter(|scope| !scope.is_step).count();
    let (failed, reason) = (listed.gaps.len(), gap.failure.reason);
    if complete + failed == 1 {
        reason.to_string()
    } else {
        format!("{reason}, {failed} of {} scopes failed", complete + failed)
    }
}

/// The first gap of each failure, as many scopes may fail for the same reason.
fn distinct(gaps: &[Gap]) -> Vec<&Gap> {
    let mut found: Vec<&Gap> = Vec::new();
    for gap in gaps {
        let is_same = |other: &&Gap| {
            other.failure.reason == gap.failure.reason && other.failure.provider_message == gap.failure.provider_message
        };
        if !found.iter().any(is_same) {
            found.push(gap);
        }
    }
    found
}

/// What failed, the provider's message, and the required permission or another remedy. A permission may have several lines,
/// which can be copied.
fn details(gap: &Gap) -> Vec<String> {
    let mut lines = vec![gap.failure.what.clone()];
    lines.extend(gap.failure.provider_message.iter().map(|message| format!("provider message: {message}")));
    match gap.required_permission.as_deref().map(str::trim_end) {
        Some(permission) if permission.contains('\n') => {
            lines.push("required permission:".to_owned());
            lines.extend(permission.lines().map(|line| format!("  {line}")));
        }
        Some(permission) => lines.push(format!("required permission: {permission}")),
        None if gap.failure.remedy.is_some() => {}
        None => lines.extend(remedy(gap.failure.reason).map(str::to_owned)),
    }
    lines
}

fn remedy(reason: Reason) -> Option<&'static str> {
    match reason {
        Reason::Unauthorized => Some("check that the credential is complete, valid and for this URL"),
        Reason::NotFound => {
            Some("check the URL and the settings; some providers respond like this if a permission is missing")
        }
        _ => None,
    }
}
