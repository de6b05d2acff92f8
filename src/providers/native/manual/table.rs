//! The entries of a CSV file. The first line names the fields; other columns are labels.

use csv::{ReaderBuilder, Trim};

use crate::core::failure::{Failure, Reason};
use crate::schema::diagnostic::{SourceText, Span};
use crate::schema::yaml::{Key, Kind, Node};

const FIELDS: [&str; 6] = ["name", "expires", "kind", "id", "created", "manage_url"];

/// The columns of an owner, and its fields.
const OWNER: [(&str, &str); 3] = [("owner", "name"), ("owner_id", "id"), ("owner_email", "email")];

/// The rows as entries, with the positions of their lines.
///
/// # Errors
/// If the file is not CSV, or its first line lacks `expires`, or `name` and `id`.
pub(super) fn rows(text: &SourceText) -> Result<Vec<Node>, Failure> {
    let failure = |what: String| Failure::new(Reason::Decode, format!("{}: {what}", text.name()));
    let content = text.content().trim_start_matches('\u{feff}');
    let skipped = text.content().len() - content.len();
    let mut reader = ReaderBuilder::new().trim(Trim::All).flexible(false).from_reader(content.as_bytes());
    let names = reader.headers().map_err(|error| failure(cause(&error)))?.clone();
    if !names.iter().any(|name| name == "expires") || !names.iter().any(|name| name == "name" || name == "id") {
        return Err(failure("the first line must name the columns, including `name` and `expires`".to_owned()));
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| failure(cause(&error)))?;
        let start = record.position().and_then(|at| usize::try_from(at.byte()).ok()).unwrap_or_default() + skipped;
        let line = text.content().get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let at = Span { start, end: start + line.len() };
        rows.push(entry(at, names.iter().zip(record.iter())));
    }
    Ok(rows)
}

/// The error and its line. The library's message would quote the row.
fn cause(error: &csv::Error) -> String {
    let line = error.position().map(|at| format!("line {}: ", at.line())).unwrap_or_default();
    let what = match error.kind() {
        csv::ErrorKind::UnequalLengths { .. } => "the number of columns differs from the first line",
        csv::ErrorKind::Utf8 { .. } => "not valid UTF-8",
        _ => "invalid CSV",
    };
    format!("{line}{what}")
}

fn entry<'r>(at: Span, cells: impl Iterator<Item = (&'r str, &'r str)>) -> Node {
    let (mut fields, mut owner, mut labels) = (Vec::new(), Vec::new(), Vec::new());
    for (name, cell) in cells.filter(|(_, cell)| !cell.is_empty()) {
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
