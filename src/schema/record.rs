//! Reading a map against its table: every error at once, then typed access to the values.

use std::borrow::Cow;
use std::time::Duration;

use chrono::TimeDelta;

use super::diagnostic::{SourceText, Span, nearest, suggest};
use super::reader::{Reader, element_paths, join, written};
use super::table::{self, DefaultValue, Table, ValueType};
use super::yaml::{self, Key, Kind, Node};
use crate::core::time::parse_duration;

impl Reader {
    /// Reads a map against its table, and reports every error in it.
    pub fn read<'n>(&mut self, node: &'n Node, path: &str, table: &'static Table) -> Record<'n> {
        let shown = if path.is_empty() { "the file" } else { path };
        let (entries, is_map) = (node.entries(), matches!(node.kind, Kind::Map(_)));
        if !is_map {
            self.wrong_type(node, shown, "a map");
        }
        let mut record = Record {
            text: self.text.clone(),
            path: path.to_owned(),
            name: None,
            at: entries.first().map_or(node.at, |(key, _)| key.at),
            is_map,
            has_unknown: false,
            table,
            fields: Vec::new(),
            rest: Vec::new(),
        };
        for (key, node) in entries {
            let Some(known) = table.all().find(|known| known.name == key.name) else {
                record.rest.push((key, node));
                continue;
            };
            let no_limit = matches!(known.value, ValueType::Limit(..));
            if node.is_null() && !no_limit && (self.null_is_absent || known.is_required()) {
                continue;
            }
            let before = self.problems();
            let records = self.value(node, &join(path, known.name), &known.value, known);
            record.fields.push(Field { key, node, is_valid: self.problems() == before, records });
        }
        self.check_presence(&mut record, shown);
        record
    }

    /// Reports keys that are missing, or unknown. A misspelt key is not reported as missing too.
    fn check_presence(&mut self, record: &mut Record<'_>, shown: &str) {
        let (table, at, is_map) = (record.table, record.at, record.is_map);
        let absent = |name: &str| is_map && record.fields.iter().all(|field| field.key.name != name);
        for key in table.all().filter(|key| key.is_required() && absent(key.name)) {
            let is_meant = |(unknown, _): &(&Key, &Node)| nearest(&unknown.name, table.names()) == Some(key.name);
            match record.rest.iter().position(is_meant) {
                Some(misspelt) if table.open => {
                    let (unknown, _) = record.rest.remove(misspelt);
                    self.unknown_key(unknown, &record.path, table);
                }
                Some(_) => {}
                None => self.error(at, format!("{shown}: `{}` is missing{}", key.name, key.remedy("add it"))),
            }
        }
        if !table.open {
            record.has_unknown = !record.rest.is_empty();
            // A secret under an unknown key has its own error.
            record.rest.retain(|(_, node)| !self.is_secret(node.at));
            for (unknown, _) in std::mem::take(&mut record.rest) {
                self.unknown_key(unknown, &record.path, table);
            }
        }
    }

    fn unknown_key(&mut self, key: &Key, path: &str, table: &Table) {
        let shown = join(path, &key.name);
        let message = match table.refusal(&key.name) {
            Some(why) => format!("{shown}: {why}"),
            None => format!("unknown key `{shown}`{}", suggest(&key.name, table.names())),
        };
        self.error(key.at, message);
    }

    fn problems(&self) -> usize {
        self.diagnostics.iter().len() + self.skipped
    }

    /// Checks a value of this type.
    pub fn check(&mut self, node: &Node, path: &str, of: &'static ValueType) -> bool {
        const ELEMENT: table::Key = table::Key::optional("", ValueType::Any, "");
        let before = self.problems();
        self.value(node, path, of, &ELEMENT);
        self.problems() == before
    }

    /// Checks a value, and hands out the maps in it.
    fn value<'n>(
        &mut self,
        node: &'n Node,
        path: &str,
        of: &'static ValueType,
        key: &'static table::Key,
    ) -> Vec<Record<'n>> {
        match of {
            _ if self.is_secret(node.at) => self.skipped += 1,
            ValueType::Any => {}
            ValueType::Text => drop(self.string(node, path)),
            ValueType::Line => drop(self.line(node, path)),
            ValueType::Flag if matches!(node.kind, Kind::Flag(_)) => {}
            ValueType::Flag => self.wrong_type(node, path, "`true` or `false`"),
            ValueType::Count(min, max) => self.count(node, path, *min, *max),
            ValueType::Limit(..) if is_unlimited(node) => {}
            ValueType::Duration(min, max) | ValueType::Limit(min, max) => self.duration(node, path, *min, *max),
            ValueType::OneOf(words) => self.one_of(node, path, words),
            ValueType::Domain(domain) => (domain.check)(self, node, path),
            ValueType::WordOr(word, _) if node.as_text() == Some(word) => {}
            ValueType::WordOr(_, of) if matches!(node.kind, Kind::List(_) | Kind::Map(_)) => {
                return self.value(node, path, of, key);
            }
            ValueType::ScalarOr(_, of) if matches!(node.kind, Kind::List(_) | Kind::Map(_)) => {
                return self.value(node, path, of, key);
            }
            ValueType::ScalarOr(domain, _) => (domain.check)(self, node, path),
            ValueType::WordOr(word, ValueType::OneOrList(..)) => {
                self.wrong_type(node, path, &format!("`{word}`, a map or a list"));
            }
            ValueType::WordOr(word, _) => self.wrong_type(node, path, &format!("`{word}` or a map")),
            ValueType::Record(table) => return vec![self.read(node, path, table)],
            ValueType::List(..) if !matches!(node.kind, Kind::List(_)) => {
                self.wrong_type(node, path, "a list (each element begins with `- `)");
            }
            ValueType::List(min, of) | ValueType::OneOrList(min, of) => {
                if node.elements().len() < *min {
                    self.error(node.at, format!("{path}: the list is empty{}", key.remedy("add an element")));
                }
                let paths: Vec<_> = element_paths(node, path, |name| self.is_secret(name.at)).collect();
                return paths.into_iter().flat_map(|(path, element)| self.value(element, &path, of, key)).collect();
            }
            ValueType::Map(of) => {
                if !matches!(node.kind, Kind::Map(_)) {
                    self.wrong_type(node, path, "a map");
                }
                let read = node.entries().iter().flat_map(|(name, node)| {
                    let records = self.value(node, &join(path, &name.name), of, key);
                    records.into_iter().map(move |record| Record { name: Some(name), ..record })
                });
                return read.collect();
            }
        }
        Vec::new()
    }

    fn count(&mut self, node: &Node, path: &str, min: u64, max: u64) {
        match count(node) {
            None => self.wrong_type(node, path, "a whole number"),
            Some(found) if (min..=max).contains(&found) => {}
            Some(found) if max == u64::MAX => self.error(node.at, format!("{path}: {found} is less than {min}")),
            Some(found) => self.error(node.at, format!("{path}: {found} is not between {min} and {max}")),
        }
    }

    fn duration(&mut self, node: &Node, path: &str, min: TimeDelta, max: TimeDelta) {
        const EXPECTED: &str = "expected a duration such as `15m`, `12h` or `7d`";
        let problem = match (&node.kind, duration(node)) {
            (_, Some(found)) if found < min => format!("is too short; the minimum is {}", format_duration(min)),
            (_, Some(found)) if found > max => format!("is too long; the maximum is {}", format_duration(max)),
            (_, Some(_)) => return,
            (Kind::Number(_), None) => format!("has no unit; {EXPECTED}"),
            (Kind::Text(_), None) => format!("is not a duration; {EXPECTED}"),
            _ => return self.wrong_type(node, path, "a duration such as `15m`"),
        };
        let written = written(&self.text, node).unwrap_or_default().trim().to_owned();
        self.error(node.at, format!("{path}: `{written}` {problem}"));
    }
}

fn count(node: &Node) -> Option<u64> {
    match &node.kind {
        Kind::Number(number) => number.as_u64(),
        _ => None,
    }
}

fn is_unlimited(node: &Node) -> bool {
    node.is_null() || node.as_text() == Some("never")
}

fn duration(node: &Node) -> Option<TimeDelta> {
    match &node.kind {
        Kind::Text(text) => parse_duration(text.trim()),
        Kind::Number(number) if number.as_u64() == Some(0) => Some(TimeDelta::zero()),
        _ => None,
    }
}

/// A duration as a person would write it.
pub fn format_duration(duration: TimeDelta) -> String {
    let mut rest = duration.num_milliseconds();
    let mut text = String::new();
    for (unit, length) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)] {
        if rest >= length {
            text += &format!("{}{unit}", rest / length);
            rest %= length;
        }
    }
    if text.is_empty() { "0s".into() } else { text }
}

/// A map that was read against its table. Keys may be dotted to reach into the maps within: `alert_lead.warning`.
///
/// An invalid value, which was reported, is as good as an absent one, except for [`Record::is_given`].
#[derive(Debug)]
pub struct Record<'n> {
    text: SourceText,
    /// What messages call it, such as `sources.gitlab`; empty for the file itself.
    pub path: String,
    name: Option<&'n Key>,
    /// Its first key, to point at.
    pub at: Span,
    pub is_map: bool,
    /// Whether an unknown key was reported, which may be any key that seems to be missing.
    pub has_unknown: bool,
    table: &'static Table,
    fields: Vec<Field<'n>>,
    /// The other entries of an open table.
    pub rest: Vec<(&'n Key, &'n Node)>,
}

#[derive(Debug)]
struct Field<'n> {
    key: &'n Key,
    node: &'n Node,
    is_valid: bool,
    records: Vec<Record<'n>>,
}

impl<'n> Record<'n> {
    fn field(&self, key: &str) -> Option<&Field<'n>> {
        match key.split_once('.') {
            Some((outer, inner)) => self.record(outer)?.field(inner),
            None => self.fields.iter().find(|field| field.key.name == key),
        }
    }

    /// The value of a key, or its default.
    fn value(&self, key: &str) -> Option<Cow<'n, Node>> {
        match (self.valid_node(key), self.table.key(key)?.default) {
            (Some(node), _) => Some(Cow::Borrowed(node)),
            (None, DefaultValue::Value(default)) => yaml::parse(&SourceText::new(key, default)).ok().map(Cow::Owned),
            _ => None,
        }
    }

    /// The name under which a [`ValueType::Map`] has it; empty elsewhere.
    pub fn key_name(&self) -> String {
        self.name.map(|key| key.name.clone()).unwrap_or_default()
    }

    /// The position of that name.
    pub fn name_at(&self) -> Span {
        self.name.map_or(self.at, |key| key.at)
    }

    /// The path of a key for messages.
    pub fn path_of(&self, key: &str) -> String {
        join(&self.path, key)
    }

    /// Whether the key is present, with a valid value or not.
    pub fn is_given(&self, key: &str) -> bool {
        self.field(key).is_some()
    }

    /// The first key of the table that is invalid, or is missing though it is required.
    pub fn first_invalid(&self) -> Option<&'static str> {
        let is_invalid = |key: &table::Key| self.field(key.name).map_or(key.is_required(), |field| !field.is_valid);
        self.table.all().find(|key| is_invalid(key)).map(|key| key.name)
    }

    /// The first of these keys that is present.
    pub fn first_given<'k>(&self, keys: &[&'k str]) -> Option<&'k str> {
        keys.iter().copied().find(|key| self.is_given(key))
    }

    /// The position of a key; of the map if it is absent.
    pub fn key_at(&self, key: &str) -> Span {
        self.field(key).map_or(self.at, |field| field.key.at)
    }

    /// The position of a value; of the map if it is absent.
    pub fn value_at(&self, key: &str) -> Span {
        self.field(key).map_or(self.at, |field| field.node.at)
    }

    /// The value as it was written, valid or not.
    pub fn node(&self, key: &str) -> Option<&'n Node> {
        self.field(key).map(|field| field.node)
    }

    fn valid_node(&self, key: &str) -> Option<&'n Node> {
        self.field(key).filter(|field| field.is_valid).map(|field| field.node)
    }

    /// The map under a key; the first one if there are several.
    pub fn record(&self, key: &str) -> Option<&Self> {
        self.records(key).first()
    }

    /// The maps under a key: those of a list or a map, or the single one. Those in which something is invalid are among them.
    pub fn records(&self, key: &str) -> &[Self] {
        self.field(key).map_or(&[], |field| &field.records)
    }

    pub fn text(&self, key: &str) -> Option<String> {
        Some(written(&self.text, &*self.value(key)?)?.to_owned())
    }

    /// A text with its position.
    pub fn spanned(&self, key: &str) -> Option<(String, Span)> {
        Some((self.text(key)?, self.value_at(key)))
    }

    /// The texts of a list, or of a single one, with their positions.
    pub fn texts(&self, key: &str) -> Option<Vec<(String, Span)>> {
        let text = |node: &Node| Some((written(&self.text, node)?.to_owned(), node.at));
        self.valid_node(key)?.elements().iter().map(text).collect()
    }

    /// The texts of a map, by name.
    pub fn map(&self, key: &str) -> Vec<(String, String)> {
        let entries = self.valid_node(key).map(Node::entries).unwrap_or_default();
        let text = |(key, node): &(Key, Node)| Some((key.name.clone(), written(&self.text, node)?.to_owned()));
        entries.iter().filter_map(text).collect()
    }

    pub fn flag(&self, key: &str) -> Option<bool> {
        match self.value(key)?.kind {
            Kind::Flag(flag) => Some(flag),
            _ => None,
        }
    }

    pub fn count(&self, key: &str) -> Option<u64> {
        count(&*self.value(key)?)
    }

    pub fn duration(&self, key: &str) -> Option<TimeDelta> {
        duration(&*self.value(key)?)
    }

    /// A duration as timers take it.
    pub fn period(&self, key: &str) -> Option<Duration> {
        self.duration(key)?.to_std().ok()
    }

    /// A [`ValueType::Limit`]: `Some(None)` if it is switched off.
    pub fn limit(&self, key: &str) -> Option<Option<TimeDelta>> {
        let value = self.value(key)?;
        if is_unlimited(&value) { Some(None) } else { duration(&value).map(Some) }
    }
}

#[cfg(test)]
mod tests;
