//! Rows of a CSV file as maps. The first line names the columns.

use csv::{ReaderBuilder, Trim};

use super::diagnostic::{SourceText, Span};

/// A CSV file.
#[derive(Debug)]
pub struct Table {
    pub columns: Vec<String>,
    /// Rows without any content are not among them.
    pub rows: Vec<Result<Row, RefusedRow>>,
}

/// The filled cells of a row, with the names of their columns.
#[derive(Debug)]
pub struct Row {
    /// The position of its line.
    pub at: Span,
    pub cells: Vec<(String, String)>,
}

/// A row with more or fewer columns than the first line.
#[derive(Debug, PartialEq, Eq)]
pub struct RefusedRow {
    pub at: Span,
    /// From 1.
    pub line: usize,
    pub columns: usize,
    pub expected: usize,
}

/// # Errors
/// If the file is not CSV: the problem and its line.
pub fn parse(text: &SourceText) -> Result<Table, String> {
    let (delimiter, skipped) = format(text.content());
    let content = &text.content()[skipped..];
    let lines_before = text.content()[..skipped].matches('\n').count() as u64;
    let cause = |error: &csv::Error| cause(error, lines_before);
    let mut reader =
        ReaderBuilder::new().delimiter(delimiter).trim(Trim::All).flexible(true).from_reader(content.as_bytes());
    let columns: Vec<String> = reader.headers().map_err(|error| cause(&error))?.iter().map(str::to_owned).collect();
    let (mut rows, mut counted, mut line_number) = (Vec::new(), 0, 1);
    for record in reader.records() {
        let record = record.map_err(|error| cause(&error))?;
        let cells: Vec<&str> = record.iter().collect();
        if cells.iter().all(|cell| cell.is_empty()) {
            continue;
        }
        let start = record.position().and_then(|at| usize::try_from(at.byte()).ok()).unwrap_or_default() + skipped;
        // The library's position may be that of the line break before.
        let rest = text.content().get(start..).unwrap_or_default();
        let start = text.content().len() - rest.trim_start_matches(['\r', '\n']).len();
        let line = text.content().get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let at = Span { start, end: start + line.len() };
        line_number += text.content()[counted..start].matches('\n').count();
        counted = start;
        // Spreadsheets end lines with separators of empty cells.
        let has_excess = cells.iter().skip(columns.len()).any(|cell| !cell.is_empty());
        rows.push(if cells.len() < columns.len() || has_excess {
            Err(RefusedRow { at, line: line_number, columns: cells.len(), expected: columns.len() })
        } else {
            let cells = columns.iter().zip(cells).filter(|(name, cell)| !name.is_empty() && !cell.is_empty());
            Ok(Row { at, cells: cells.map(|(name, cell)| (name.clone(), cell.to_owned())).collect() })
        });
    }
    Ok(Table { columns, rows })
}

/// The separator, and the bytes before the first line: a byte order mark, and Excel's own first line `sep=;`.
fn format(content: &str) -> (u8, usize) {
    let text = content.trim_start_matches('\u{feff}');
    let first = text.lines().next().unwrap_or_default();
    let declared = first.strip_prefix("sep=").filter(|rest| rest.len() == 1);
    if let Some(delimiter) = declared.and_then(|rest| rest.bytes().next()) {
        let rest = text.split_once('\n').map_or("", |(_, rest)| rest);
        return (delimiter, content.len() - rest.len());
    }
    // Where the comma separates decimals, spreadsheets write semicolons; as "text" they write tabs.
    let count = |delimiter: u8| first.bytes().filter(|byte| *byte == delimiter).count();
    let delimiter = [b',', b';', b'\t'].into_iter().rev().max_by_key(|delimiter| count(*delimiter)).unwrap_or(b',');
    (delimiter, content.len() - text.len())
}

/// The error and its line. The library's message would quote the row.
fn cause(error: &csv::Error, lines_before: u64) -> String {
    let line = error.position().map(|at| format!("line {}: ", at.line() + lines_before)).unwrap_or_default();
    format!("{line}invalid CSV")
}
