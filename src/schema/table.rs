//! Tables of keys: the keys that a map may have, and their values.
//!
//! One table serves the reader, the JSON Schema and the documentation. This module knows nothing of what the values mean:
//! a caller adds types of its own with [`DomainType`].

use chrono::TimeDelta;
use serde_json::Value;

use super::reader::Reader;
use super::yaml::Node;

/// A map with known keys.
#[derive(Debug)]
pub struct Table {
    /// Its name in the JSON Schema. Without one it is written out wherever it is used, there and in the documentation.
    pub name: &'static str,
    /// Its heading in the documentation.
    pub title: &'static str,
    /// What the documentation says below the heading.
    pub help: &'static str,
    pub keys: &'static [Key],
    /// Tables whose keys belong to this one too.
    pub includes: &'static [&'static Table],
    /// Whether it may have other keys, which the caller reads.
    pub open: bool,
    /// Keys that are refused for a reason: the message.
    pub refused: &'static [(&'static str, &'static str)],
}

impl Table {
    pub const fn new(keys: &'static [Key]) -> Self {
        Self { name: "", title: "", help: "", keys, includes: &[], open: false, refused: &[] }
    }

    pub const fn named(self, name: &'static str, title: &'static str) -> Self {
        Self { name, title, ..self }
    }

    pub const fn help(self, help: &'static str) -> Self {
        Self { help, ..self }
    }

    pub const fn including(self, includes: &'static [&'static Table]) -> Self {
        Self { includes, ..self }
    }

    pub const fn open(self) -> Self {
        Self { open: true, ..self }
    }

    pub const fn refusing(self, refused: &'static [(&'static str, &'static str)]) -> Self {
        Self { refused, ..self }
    }

    /// Why a key is refused, here or in an included table.
    pub(super) fn refusal(&self, name: &str) -> Option<&'static str> {
        let all = self.refused.iter().chain(self.includes.iter().flat_map(|table| table.refused));
        all.into_iter().find(|(refused, _)| *refused == name).map(|(_, why)| *why)
    }

    /// All its keys, those of the included tables last.
    pub fn all(&self) -> impl Iterator<Item = &'static Key> + Clone + use<> {
        let includes = self.includes;
        self.keys.iter().chain(includes.iter().flat_map(|table| table.keys))
    }

    pub fn names(&self) -> impl Iterator<Item = &'static str> + Clone + use<> {
        self.all().map(|key| key.name)
    }

    /// A key of it, or of a table within: `alert_lead.warning`.
    pub(super) fn key(&self, path: &str) -> Option<&'static Key> {
        let (name, inner) = path.split_once('.').map_or((path, None), |(name, inner)| (name, Some(inner)));
        let key = self.all().find(|key| key.name == name)?;
        match (inner, &key.value) {
            (None, _) => Some(key),
            (Some(inner), ValueType::Record(table)) => table.key(inner),
            _ => None,
        }
    }
}

/// A key of a table.
#[derive(Debug)]
pub struct Key {
    pub name: &'static str,
    pub value: ValueType,
    pub default: DefaultValue,
    /// What it means: a sentence without its full stop.
    pub help: &'static str,
}

/// What applies if a key is absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultValue {
    /// It must be present. The text is an example of its value, or empty.
    Required(&'static str),
    /// This value, as YAML.
    Value(&'static str),
    /// What this phrase says; nothing if it is empty.
    Described(&'static str),
}

impl Key {
    pub const fn required(name: &'static str, value: ValueType, example: &'static str, help: &'static str) -> Self {
        Self { name, value, default: DefaultValue::Required(example), help }
    }

    pub const fn optional(name: &'static str, value: ValueType, help: &'static str) -> Self {
        Self { name, value, default: DefaultValue::Described(""), help }
    }

    pub const fn or(name: &'static str, value: ValueType, default: &'static str, help: &'static str) -> Self {
        Self { name, value, default: DefaultValue::Value(default), help }
    }

    pub(super) fn is_required(&self) -> bool {
        matches!(self.default, DefaultValue::Required(_))
    }

    /// What to do if it is missing or empty, as the end of a message.
    pub(super) fn remedy(&self, action: &str) -> String {
        match self.default {
            DefaultValue::Required("") => String::new(),
            DefaultValue::Required(example) => format!("; {action}, such as `{}: {example}`", self.name),
            _ => format!("; {action} or omit `{}`", self.name),
        }
    }
}

/// The type of a value.
#[derive(Debug)]
pub enum ValueType {
    /// Any YAML; the caller checks it.
    Any,
    /// A string. A number or a flag counts as it is written: `org_id: 123` means the text.
    Text,
    /// A text that is not blank and can be displayed on one line: in a label, on a page, in a mail.
    Line,
    Flag,
    /// A whole number from the first to the second.
    Count(u64, u64),
    /// A duration from the first to the second.
    Duration(TimeDelta, TimeDelta),
    /// A duration from the first to the second, or `never` or null: no limit.
    Limit(TimeDelta, TimeDelta),
    /// One of these words; a number is a word too.
    OneOf(&'static [&'static str]),
    Record(&'static Table),
    /// This word, or the value.
    WordOr(&'static str, &'static ValueType),
    /// A scalar of this type, or the value, which is a map or a list.
    ScalarOr(&'static DomainType, &'static ValueType),
    /// A list of at least this many.
    List(usize, &'static ValueType),
    /// A list of at least this many, or a single one.
    OneOrList(usize, &'static ValueType),
    /// A map of free names to these.
    Map(&'static ValueType),
    Domain(&'static DomainType),
}

/// A type that the caller defines.
#[derive(Debug)]
pub struct DomainType {
    /// What the documentation calls it.
    pub words: &'static str,
    /// Accepts what `check` accepts, or less.
    pub json_schema: fn() -> Value,
    /// Reports what is wrong with a value. The text is its path for messages.
    pub check: fn(&mut Reader, &Node, &str),
}

impl DomainType {
    /// A type of a table that has neither a JSON Schema nor documentation.
    pub const fn undocumented(check: fn(&mut Reader, &Node, &str)) -> Self {
        Self { words: "", json_schema: || Value::Null, check }
    }
}
