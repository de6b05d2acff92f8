//! The matrix as a table.

use std::fmt::Write as _;

use super::fault::Expected;
use super::subject::Subject;
use crate::docs::assert_generated;

/// Compares the table of this run with the one that the documentation shows.
pub(super) fn compare(subjects: &[Subject]) {
    let mut rows: Vec<&str> = Vec::new();
    for subject in subjects {
        if !rows.contains(&subject.row) {
            rows.push(subject.row);
        }
    }
    let mut table = String::from(
        "| fault | sources | tokens before | tokens after | reason | recovered |\n|---|--:|--:|--:|---|--:|\n",
    );
    for row in rows {
        let own: Vec<&Subject> = subjects.iter().filter(|subject| subject.row == row).collect();
        let before: usize = own.iter().map(|subject| subject.tokens_before()).sum();
        let after: usize = own.iter().map(|subject| subject.least).sum();
        let recovered = own.iter().filter(|subject| subject.recovered_in.is_some()).count();
        let mut reasons: Vec<String> = Vec::new();
        for subject in &own {
            let told = match subject.expected {
                Expected::Up => vec!["none: it stays up".to_owned()],
                Expected::Down(_) => subject.reasons.iter().map(|reason| format!("`{reason}`")).collect(),
            };
            reasons.extend(told.into_iter().filter(|reason| !reasons.contains(reason)).collect::<Vec<_>>());
        }
        let _ =
            writeln!(table, "| {row} | {} | {before} | {after} | {} | {recovered} |", own.len(), reasons.join(", "));
    }
    assert_generated("docs/reliability.md", "faults", &format!("\n{table}\n"));
}
