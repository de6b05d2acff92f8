//! The entries of a CSV file. The first line names the fields; other columns are labels.

use crate::core::failure::{Failure, Reason};
use crate::schema::csv::{self, RefusedRow, Row};
use crate::schema::diagnostic::SourceText;
use crate::schema::yaml::{Key, Kind, Node};

const FIELDS: [&str; 7] = ["name", "expires", "kind", "id", "created", "manage_url", "renew"];

/// The columns of an owner, and its fields.
const OWNER: [(&str, &str); 3] = [("owner", "name"), ("owner_id", "id"), ("owner_email", "email")];

/// The rows as entries, with the positions of their lines. Rows without any content are skipped.
///
/// # Errors
/// If the file is not CSV, or its first line lacks `expires`, or `name` and `id`.
pub(super) fn rows(text: &SourceText) -> Result<Vec<Result<Node, RefusedRow>>, Failure> {
    let failure = |what: String| Failure::new(Reason::Decode, format!("{}: {what}", text.name()));
    let table = csv::parse(text).map_err(failure)?;
    let names = &table.columns;
    if !names.iter().any(|name| name == "expires") || !names.iter().any(|name| name == "name" || name == "id") {
        return Err(failure("the first line must name the columns, including `name` and `expires`".to_owned()));
    }
    Ok(table.rows.into_iter().map(|row| row.map(entry)).collect())
}

fn entry(row: Row) -> Node {
    let at = row.at;
    let (mut fields, mut owner, mut labels) = (Vec::new(), Vec::new(), Vec::new());
    for (name, cell) in row.cells {
        let part = OWNER.iter().find(|(column, _)| *column == name).map(|(_, part)| (*part).to_owned());
        let (list, name) = match part {
            Some(part) => (&mut owner, part),
            None if FIELDS.contains(&&*name) => (&mut fields, name),
            None => (&mut labels, name),
        };
        list.push((Key { at, name }, Node { at, kind: Kind::Text(cell) }));
    }
    for (name, entries) in [("owner", owner), ("labels", labels)] {
        if !entries.is_empty() {
            fields.push((Key { at, name: name.to_owned() }, Node { at, kind: Kind::Map(entries) }));
        }
    }
    Node { at, kind: Kind::Map(fields) }
}
