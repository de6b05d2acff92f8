//! The matrix as a table of the documentation.

use std::fmt::Write as _;

use super::fault::Expected;
use super::source::SourceUnderTest;
use crate::docs::assert_generated;

/// Compares the table of this run with that of the documentation.
pub(super) fn compare(sources: &[SourceUnderTest]) {
    let mut rows: Vec<&str> = Vec::new();
    for source in sources {
        if !rows.contains(&source.row) {
            rows.push(source.row);
        }
    }
    let mut table = String::from(
        "| fault | sources | tokens before | tokens after | reason | recovered |\n|---|--:|--:|--:|---|--:|\n",
    );
    for row in rows {
        let own: Vec<&SourceUnderTest> = sources.iter().filter(|source| source.row == row).collect();
        let before: usize = own.iter().map(|source| source.tokens_before()).sum();
        let after: usize = own.iter().map(|source| source.fewest_tokens).sum();
        let recovered = own.iter().filter(|source| source.recovered_in.is_some()).count();
        let mut reasons: Vec<String> = Vec::new();
        for source in &own {
            let found = match source.expected {
                Expected::Up => vec!["none: stays up".to_owned()],
                Expected::Down(_) => source.reasons.iter().map(|reason| format!("`{reason}`")).collect(),
            };
            reasons.extend(found.into_iter().filter(|reason| !reasons.contains(reason)).collect::<Vec<_>>());
        }
        let _ =
            writeln!(table, "| {row} | {} | {before} | {after} | {} | {recovered} |", own.len(), reasons.join(", "));
    }
    assert_generated("docs/reliability.md", "faults", &format!("\n{table}\n"));
}
