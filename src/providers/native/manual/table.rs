//! The entries of a CSV file. The first line names the fields; other columns are labels.

use csv::{ReaderBuilder, Trim};

use crate::core::failure::{Failure, Reason};
use crate::schema::diagnostic::{SourceText, Span};
use crate::schema::yaml::{Key, Kind, Node};

const FIELDS: [&str; 6] = ["name", "expires", "kind", "id", "created", "manage_url"];

/// The columns of an owner, and its fields.
const OWNER: [(&str, &str); 3] = [("owner", "name"), ("owner_id", "id"), ("owner_email", "email")];

/// A row that is no entry: it has more or fewer columns than the first line.
#[derive(Debug, PartialEq)]
pub(super) struct RefusedRow {
    /// From 1.
    pub(super) line: usize,
    pub(super) columns: usize,
    pub(super) expected: usize,
}

/// The rows as entries, with the positions of their lines. Rows without any content are skipped.
///
/// # Errors
/// If the file is not CSV, or its first line lacks `expires`, or `name` and `id`.
pub(super) fn rows(text: &SourceText) -> Result<Vec<Result<Node, RefusedRow>>, Failure> {
    let failure = |what: String| Failure::new(Reason::Decode, format!("{}: {what}", text.name()));
    let (delimiter, skipped) = format(text.content());
    let content = &text.content()[skipped..];
    let lines_before = text.content()[..skipped].matches('\n').count() as u64;
    let cause = |error: &csv::Error| failure(cause(error, lines_before));
    let mut reader =
        ReaderBuilder::new().delimiter(delimiter).trim(Trim::All).flexible(true).from_reader(content.as_bytes());
    let names = reader.headers().map_err(|error| cause(&error))?.clone();
    if !names.iter().any(|name| name == "expires") || !names.iter().any(|name| name == "name" || name == "id") {
        return Err(failure("the first line must name the columns, including `name` and `expires`".to_owned()));
    }
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
        let has_excess = cells.iter().skip(names.len()).any(|cell| !cell.is_empty());
        rows.push(if cells.len() < names.len() || has_excess {
            Err(RefusedRow { line: line_number, columns: cells.len(), expected: names.len() })
        } else {
            Ok(entry(at, names.iter().zip(cells)))
        });
    }
    Ok(rows)
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

fn entry<'r>(at: Span, cells: impl Iterator<Item = (&'r str, &'r str)>) -> Node {
    let (mut fields, mut owner, mut labels) = (Vec::new(), Vec::new(), Vec::new());
    for (name, cell) in cells.filter(|(name, cell)| !name.is_empty() && !cell.is_empty()) {
        let part = OWNER.iter().find(|(column, _)| *column == name).map(|(_, part)| *part);
        let (list, name) = match part {
            Some(part) => (&mut owner, part),
            None if FIELDS.contains(&name) => (&mut fields, name),
            None => (&mut labels, name),
        };
        list.push((Key { at, name: name.to_owned() }, Node { at, kind: Kind::Text(cell.to_owned()) }));
    }
    for (name, entries) in [("owner", owner), ("labels", labels)] {
        if !entries.is_empty() {
            fields.push((Key { at, name: name.to_owned() }, Node { at, kind: Kind::Map(entries) }));
        }
    }
    Node { at, kind: Kind::Map(fields) }
}
