//! The owners directory: the entries of the configuration and of a file of its own.

use std::path::Path;

use super::environment::FileEnvironment;
use super::table::OWNER_ENTRY;
use super::{Config, SourceConfig, secrets};
use crate::core::address;
use crate::core::owners::{Alias, Conflict, Directory, Owners, Person};
use crate::core::rules::Rules;
use crate::schema::csv;
use crate::schema::diagnostic::{Diagnostic, Diagnostics, SourceText, Span, one_of, suggest};
use crate::schema::reader::{Reader, element_paths};
use crate::schema::record::Record;
use crate::schema::yaml::{Key, Kind, Node, parse};

/// In a cell of a CSV file, between several values of `also`.
const SEPARATOR: char = '|';

/// An entry, and where it is written.
#[derive(Clone, Debug)]
pub(super) struct OwnerEntry {
    person: Person,
    /// Names, ids and addresses as they are written: a prefix may be the name of a source or provider.
    also: Vec<String>,
    text: SourceText,
    at: Span,
}

/// What the file says about owners.
#[derive(Debug, Default)]
pub(super) struct OwnerSettings {
    pub(super) entries: Vec<OwnerEntry>,
    /// The names of the sources that are authoritative.
    pub(super) sources: Vec<String>,
}

/// Reads the entries. The errors in the owners file are in addition to those of the reader.
pub(super) fn read(
    reader: &mut Reader,
    environment: &FileEnvironment,
    file: &Record<'_>,
    sources: &[SourceConfig],
) -> (OwnerSettings, Diagnostics) {
    let known = sources.iter().map(|source| source.name.0.as_str());
    let mut authoritative = Vec::new();
    for (name, at) in file.texts("owners_from").unwrap_or_default() {
        if known.clone().any(|known| known == name) {
            authoritative.push(name);
        } else {
            let hint = suggest(&name, known.clone());
            reader.error(at, format!("owners_from: unknown source `{name}`{hint}"));
        }
    }
    let mut entries: Vec<_> = file.records("owners").iter().map(|values| entry(reader, values)).collect();
    let mut errors = Diagnostics::default();
    if let Some((written, at)) = file.spanned("owners_file").filter(|_| file.is_given("owners_file")) {
        let path = environment.path(&written);
        match environment.read_text(&path) {
            Ok(content) => {
                let text = SourceText::new(path.display().to_string(), content);
                entries.extend(errors.collect(read_file(&path, text)).into_iter().flatten());
            }
            Err(problem) => reader.error(at, format!("owners_file: {problem}")),
        }
    }
    (OwnerSettings { entries, sources: authoritative }, errors)
}

/// The entries of an owners file.
fn read_file(path: &Path, text: SourceText) -> Result<Vec<OwnerEntry>, Diagnostics> {
    let is_csv = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    let list = if is_csv { csv_rows(&text)? } else { yaml_list(&text)? };
    let mut reader = Reader::new(text);
    secrets::report(&mut reader, &list);
    let mut entries = Vec::new();
    for (path, node) in element_paths(&list, "owners", |_| false) {
        let values = reader.read(node, &path, &OWNER_ENTRY);
        entries.push(entry(&mut reader, &values));
    }
    reader.finish(|_| false)?;
    Ok(entries)
}

fn entry(reader: &mut Reader, values: &Record<'_>) -> OwnerEntry {
    if values.is_map && !values.has_unknown && values.first_given(&["name", "email"]).is_none() {
        reader.error(values.at, format!("{}: `name` and `email` are missing; add one of them", values.path));
    }
    let person = Person {
        name: values.text("name"),
        email: values.text("email").as_deref().and_then(address::normalize),
        team: values.text("team"),
        also: Vec::new(),
    };
    let also = values.texts("also").unwrap_or_default().into_iter().map(|(text, _)| text).collect();
    OwnerEntry { person, also, text: reader.text.clone(), at: values.at }
}

/// The list of a YAML file: the whole file, or what it has under `owners`.
fn yaml_list(text: &SourceText) -> Result<Node, Diagnostics> {
    let root = parse(text)?;
    let at = root.at;
    let list = match root.kind {
        Kind::Map(entries) => entries.into_iter().find(|(key, _)| key.name == "owners").map(|(_, node)| node),
        _ => Some(root),
    };
    match list {
        Some(list) if matches!(list.kind, Kind::List(_)) => Ok(list),
        Some(list) if list.is_null() => Ok(Node { at, kind: Kind::List(Vec::new()) }),
        _ => Err(text.error(at, "expected a list of owners, or `owners:` with a list").into()),
    }
}

/// The rows of a CSV file as a list of maps.
fn csv_rows(text: &SourceText) -> Result<Node, Diagnostics> {
    let table = csv::parse(text).map_err(|problem| Diagnostic::in_file(text.name(), problem))?;
    let mut errors = Diagnostics::default();
    let names = || OWNER_ENTRY.names();
    for column in table.columns.iter().filter(|column| !column.is_empty() && names().all(|name| name != *column)) {
        let message = format!("unknown column `{column}`{}", suggest(column, names()));
        errors.push(text.error(Span::default(), message));
    }
    if !table.columns.iter().any(|column| column == "name" || column == "email") {
        let message = format!("the first line must name the columns, such as {}", one_of(names()));
        errors.push(text.error(Span::default(), message));
    }
    let mut rows = Vec::new();
    for row in table.rows {
        match row {
            Err(row) => {
                let message =
                    format!("the row has {} columns, the first line has {}; add or quote", row.columns, row.expected);
                errors.push(text.error(row.at, message));
            }
            Ok(row) => {
                let at = row.at;
                let cell = |(name, cell): (String, String)| {
                    let kind = if name == "also" { list(at, &cell) } else { Kind::Text(cell) };
                    (Key { at, name }, Node { at, kind })
                };
                rows.push(Node { at, kind: Kind::Map(row.cells.into_iter().map(cell).collect()) });
            }
        }
    }
    errors.into_result()?;
    Ok(Node { at: Span::default(), kind: Kind::List(rows) })
}

fn list(at: Span, cell: &str) -> Kind {
    let values = cell.split(SEPARATOR).map(str::trim).filter(|value| !value.is_empty());
    Kind::List(values.map(|value| Node { at, kind: Kind::Text(value.to_owned()) }).collect())
}

impl Config {
    /// The directory of all entries. `name_of` returns the name of a provider by its name or alias.
    pub fn directory(&self, name_of: impl Fn(&str) -> Option<String>) -> Directory {
        let is_source = |place: &str| self.sources.iter().any(|source| source.name.0 == place);
        let alias = |text: &String| match text.split_once(':') {
            Some((place, rest)) if is_source(place) => Alias { place: Some(place.into()), text: rest.trim().into() },
            Some((place, rest)) if name_of(place).is_some() => {
                Alias { place: name_of(place), text: rest.trim().into() }
            }
            _ => Alias { place: None, text: text.clone() },
        };
        let people = self.owners.entries.iter().map(|entry| {
            let also = entry.also.iter().map(alias).collect();
            Person { also, ..entry.person.clone() }
        });
        Directory::new(people.collect())
    }

    /// Whether an entry has a team, which becomes a label.
    pub fn sets_team(&self) -> bool {
        self.owners.entries.iter().any(|entry| entry.person.team.is_some())
    }

    /// The rules, completed by the directory, and the directory.
    pub fn rules_with(&self, directory: Directory) -> Rules {
        let mut list = self.rules.to_vec();
        list.iter_mut().for_each(|rule| rule.complete_owner(&directory));
        let sources = self.owners.sources.iter().cloned().collect();
        Rules { list: list.into(), owners: Owners::new(directory, sources) }
    }

    /// Values of the directory that match nobody, or everybody with the same number.
    pub fn owner_warnings(&self, directory: &Directory) -> Vec<Diagnostic> {
        let entries = &self.owners.entries;
        let conflict = |conflict: &Conflict| {
            let (first, second) = (&entries[conflict.entries.0], &entries[conflict.entries.1]);
            let line = first.text.line_number(first.at.start);
            let message = format!(
                "owners: `{}` is also in the entry at {}:{line}, so it matches neither; remove one",
                conflict.text,
                first.text.name()
            );
            second.text.error(second.at, message)
        };
        let number = |entry: &OwnerEntry| {
            let number = entry.also.iter().find(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
            let message = format!("owners: the number `{number}` matches in every source; write `SOURCE:{number}`");
            Some(entry.text.error(entry.at, message))
        };
        let mut warnings: Vec<_> = directory.conflicts().iter().map(conflict).collect();
        warnings.extend(entries.iter().filter_map(number));
        warnings
    }
}

#[cfg(test)]
mod tests;
