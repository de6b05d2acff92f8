//! A map of the file, read by its table of keys: every value of the right shape, every mistake noted.

use std::time::Duration;

use chrono::TimeDelta;
use regex::Regex;
use url::Url;

use super::config_reader::ConfigReader;
use super::keys::{Key, Standard};
use crate::schema::diagnostic::{Span, did_you_mean};
use crate::schema::yaml;
use crate::schema::yaml::{Kind, Node};

/// What stands under a key.
#[derive(Debug)]
pub(super) enum Value<'n> {
    Duration(TimeDelta),
    Never,
    Flag(bool),
    Count(u64),
    Text(String),
    Texts(Vec<(String, Span)>),
    Pattern(Regex),
    Patterns(Vec<(String, Regex)>),
    Labels(Vec<(String, String)>),
    Proxy(Url),
    Map(Values<'n>),
    Node(&'n Node),
}

/// A map, read. A key that is missing, or whose value is a mistake, gives `None`, unless the table has a default.
#[derive(Debug)]
pub(super) struct Values<'n> {
    /// What messages call the map; nothing for the file itself.
    pub(super) what: String,
    /// Where it begins.
    pub(super) at: Span,
    /// Whether there is a map at all, and nothing else in its place.
    pub(super) is_map: bool,
    keys: &'static [Key],
    found: Vec<Found<'n>>,
}

/// What was found under a key.
#[derive(Debug)]
struct Found<'n> {
    name: &'static str,
    /// Where it stands. None where the key is left out.
    at: Option<Span>,
    /// None where it is a mistake, or the key is left out and holds no map.
    value: Option<Value<'n>>,
}

/// Notes that a key is missing: where it was misspelt, there.
fn note_missing(
    reading: &mut ConfigReader,
    node: &Node,
    what: &str,
    (name, example): (&str, &str),
    rest: &mut Vec<(&yaml::Key, &Node)>,
) {
    let hint = |key: &yaml::Key| did_you_mean(&key.name, [name]);
    match rest.iter().position(|(key, _)| !hint(key).is_empty()) {
        Some(at) => {
            let (key, _) = rest.remove(at);
            reading.error(key.at, format!("unknown key `{}`{}", under(what, &key.name), hint(key)));
        }
        None => reading.error(node.at, format!("{what}: `{name}` is missing; add it, such as `{name}: {example}`")),
    }
}

/// What messages call the value of a key.
pub(super) fn under(what: &str, key: &str) -> String {
    if what.is_empty() { key.to_owned() } else { format!("{what}.{key}") }
}

impl<'n> Values<'n> {
    /// Reads a map all of whose keys the table knows.
    pub(super) fn read(reading: &mut ConfigReader, node: &'n Node, what: &str, keys: &'static [Key]) -> Self {
        let (values, rest) = Self::read_open(reading, node, what, keys);
        // A secret under an unknown key has its own mistake.
        for (key, _) in rest.into_iter().filter(|(_, value)| !reading.is_secret(value.at)).collect::<Vec<_>>() {
            let known = keys.iter().map(|key| key.name);
            let mut hint = did_you_mean(&key.name, known.clone());
            if hint.is_empty() {
                let known: Vec<_> = known.map(|name| format!("`{name}`")).collect();
                hint = format!("; there are {}", known.join(", "));
            }
            reading.error(key.at, format!("unknown key `{}`{hint}", under(what, &key.name)));
        }
        values
    }

    /// Reads a map that may have other keys too, and hands those out.
    pub(super) fn read_open(
        reading: &mut ConfigReader,
        node: &'n Node,
        what: &str,
        keys: &'static [Key],
    ) -> (Self, Vec<(&'n yaml::Key, &'n Node)>) {
        let shown = if what.is_empty() { "the file" } else { what };
        let mut fields = reading.reader.map(node, shown);
        let mut missing = Vec::new();
        let is_map = matches!(node.kind, Kind::Map(_));
        let mut values = Self { what: what.to_owned(), at: node.at, is_map, keys, found: Vec::new() };
        for key in keys {
            let what = under(what, key.name);
            values.found.push(match fields.entry(key.name) {
                Some((_, node)) if !key.is_unset(node) => {
                    Found { name: key.name, at: Some(node.at), value: key.read(reading, node, &what) }
                }
                _ => {
                    if is_map && let Standard::Required(example) = key.standard {
                        missing.push((key.name, example));
                    }
                    let inner = key.inner().map(|keys| Value::Map(Self::unset(what, node.at, keys)));
                    Found { name: key.name, at: None, value: inner }
                }
            });
        }
        let mut rest = fields.rest();
        for (name, example) in missing {
            note_missing(reading, node, shown, (name, example), &mut rest);
        }
        (values, rest)
    }

    /// A map that is left out.
    fn unset(what: String, at: Span, keys: &'static [Key]) -> Self {
        Self { what, at, is_map: false, keys, found: Vec::new() }
    }

    fn found(&self, name: &str) -> Option<&Found<'n>> {
        debug_assert!(self.keys.iter().any(|key| key.name == name), "`{name}` is not in the table");
        self.found.iter().find(|found| found.name == name)
    }

    fn get(&self, name: &str) -> Option<&Value<'n>> {
        self.found(name)?.value.as_ref()
    }

    fn standard(&self, name: &str) -> Option<Standard> {
        self.keys.iter().find(|key| key.name == name).map(|key| key.standard)
    }

    /// Whether the file has the key, be its value right or wrong.
    pub(super) fn given(&self, name: &str) -> bool {
        self.found(name).is_some_and(|found| found.at.is_some())
    }

    /// Where the value of a key stands; where the map begins if the key is left out.
    pub(super) fn place(&self, name: &str) -> Span {
        self.found(name).and_then(|found| found.at).unwrap_or(self.at)
    }

    /// What messages call the value of a key.
    pub(super) fn name(&self, key: &str) -> String {
        under(&self.what, key)
    }

    /// A duration.
    pub(super) fn duration(&self, name: &str) -> Option<TimeDelta> {
        match (self.get(name), self.standard(name)) {
            (Some(Value::Duration(found)), _) => Some(*found),
            (None, Some(Standard::Duration(standard))) => Some(standard),
            _ => None,
        }
    }

    /// A duration, for the clock.
    pub(super) fn period(&self, name: &str) -> Option<Duration> {
        self.duration(name).and_then(|found| found.to_std().ok())
    }

    /// A bound: `Some(None)` where it is switched off.
    pub(super) fn bound(&self, name: &str) -> Option<Option<TimeDelta>> {
        match self.get(name) {
            Some(Value::Never) => Some(None),
            _ => self.duration(name).map(Some),
        }
    }

    /// A flag.
    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        match (self.get(name), self.standard(name)) {
            (Some(Value::Flag(found)), _) => Some(*found),
            (None, Some(Standard::Flag(standard))) => Some(standard),
            _ => None,
        }
    }

    /// A number.
    pub(super) fn count(&self, name: &str) -> Option<usize> {
        let found = match (self.get(name), self.standard(name)) {
            (Some(Value::Count(found)), _) => *found,
            (None, Some(Standard::Count(standard))) => standard,
            _ => return None,
        };
        usize::try_from(found).ok()
    }

    /// A text.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        match self.get(name) {
            Some(Value::Text(found)) => Some(found.clone()),
            _ => None,
        }
    }

    /// A text and its place.
    pub(super) fn placed(&self, name: &str) -> Option<(String, Span)> {
        self.text(name).map(|text| (text, self.place(name)))
    }

    /// Several texts and their places.
    pub(super) fn texts(&self, name: &str) -> Option<Vec<(String, Span)>> {
        match self.get(name) {
            Some(Value::Texts(found)) => Some(found.clone()),
            _ => None,
        }
    }

    /// A regular expression.
    pub(super) fn pattern(&self, name: &str) -> Option<Regex> {
        match self.get(name) {
            Some(Value::Pattern(found)) => Some(found.clone()),
            _ => None,
        }
    }

    /// Regular expressions by label.
    pub(super) fn patterns(&self, name: &str) -> Vec<(String, Regex)> {
        match self.get(name) {
            Some(Value::Patterns(found)) => found.clone(),
            _ => Vec::new(),
        }
    }

    /// Labels.
    pub(super) fn labels(&self, name: &str) -> Vec<(String, String)> {
        match self.get(name) {
            Some(Value::Labels(found)) => found.clone(),
            _ => Vec::new(),
        }
    }

    /// A proxy.
    pub(super) fn proxy(&self, name: &str) -> Option<Url> {
        match self.get(name) {
            Some(Value::Proxy(found)) => Some(found.clone()),
            _ => None,
        }
    }

    /// What its own module reads.
    pub(super) fn node(&self, name: &str) -> Option<&'n Node> {
        match self.get(name) {
            Some(Value::Node(found)) => Some(found),
            _ => None,
        }
    }

    /// A map within. One that is left out has the table's defaults.
    pub(super) fn map(&self, name: &str) -> &Values<'n> {
        const NOTHING: &Values<'static> =
            &Values { what: String::new(), at: Span { start: 0, end: 0 }, is_map: false, keys: &[], found: Vec::new() };
        match self.get(name) {
            Some(Value::Map(found)) => found,
            _ => NOTHING,
        }
    }
}
