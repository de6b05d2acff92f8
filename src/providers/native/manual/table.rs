//! A CSV file as the same entries that YAML has. The first line names the fields; what is no field is a label.

use csv::{ReaderBuilder, Trim};

use crate::core::failure::{Failure, Reason};
use crate::schema::diagnostic::{SourceText, Span};
use crate::schema::yaml::{Key, Kind, Node};

const FIELDS: [&str; 6] = ["name", "expires", "kind", "id", "created", "manage_url"];

/// The parts of an owner, and the columns that tell them.
const OWNER: [(&str, &str); 3] = [("owner", "name"), ("owner_id", "id"), ("owner_email", "email")];

/// The rows as entries; each stands where its line stands.
///
/// # Errors
/// Where the file is no CSV, or its first line does not name `expires`, and `name` or `id`.
pub(super) fn rows(text: &SourceText) -> Result<Vec<Node>, Failure> {
    let refused = |what: String| Failure::new(Reason::Decode, format!("{}: {what}", text.name()));
    let content = text.content().trim_start_matches('\u{feff}');
    let skipped = text.content().len() - content.len();
    let mut reader = ReaderBuilder::new().trim(Trim::All).flexible(false).from_reader(content.as_bytes());
    let names = reader.headers().map_err(|error| refused(cause(&error)))?.clone();
    if !names.iter().any(|name| name == "expires") || !names.iter().any(|name| name == "name" || name == "id") {
        return Err(refused("the first line must name the columns, `name` and `expires` among them".to_owned()));
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| refused(cause(&error)))?;
        let start = record.position().and_then(|at| usize::try_from(at.byte()).ok()).unwrap_or_default() + skipped;
        let line = text.content().get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let at = Span { start, end: start + line.len() };
        rows.push(entry(at, names.iter().zip(record.iter())));
    }
    Ok(rows)
}

/// What is wrong, and in which line: the library's own words quote the row.
fn cause(error: &csv::Error) -> String {
    let line = error.position().map(|at| format!("line {}: ", at.line())).unwrap_or_default();
    let what = match error.kind() {
        csv::ErrorKind::UnequalLengths { .. } => "the row has not as many columns as the first line",
        csv::ErrorKind::Utf8 { .. } => "this is no UTF-8 text",
        _ => "this is no CSV",
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
