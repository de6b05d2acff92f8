//! A map of the file, read by its table of keys: every value of the right shape, every mistake noted.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use regex::Regex;
use url::Url;

use super::keys::{Key, Shape, Standard};
use super::surroundings::Surroundings;
use super::{duration, labels, pattern, proxy};
use crate::core::address;
use crate::core::mistake::{Mistake, Mistakes, Span, Text, did_you_mean};
use crate::yaml::{self, Kind, Node, Reader};

/// The reading of one file: what was found wrong so far, and which lines no message may show.
pub(super) struct Reading {
    reader: Reader,
    secrets: Vec<Span>,
    surroundings: Arc<dyn Surroundings>,
    folder: PathBuf,
}

impl Reading {
    /// Begins to read a text. Relative paths in it stand under the folder of its name.
    pub(super) fn new(text: Text, surroundings: Arc<dyn Surroundings>) -> Self {
        let folder = Path::new(text.name()).parent().map(Path::to_owned).unwrap_or_default();
        Self { reader: Reader::new(text), secrets: Vec::new(), surroundings, folder }
    }

    /// The text.
    pub(super) fn content(&self) -> &str {
        self.reader.text.content()
    }

    /// Files and variables.
    pub(super) fn surroundings(&self) -> &Arc<dyn Surroundings> {
        &self.surroundings
    }

    /// A path of the file, from where the program runs.
    pub(super) fn path(&self, written: &str) -> PathBuf {
        self.folder.join(written)
    }

    /// Notes a mistake.
    pub(super) fn mistake(&mut self, at: Span, message: impl Into<String>) {
        self.reader.mistake(at, message);
    }

    /// Notes that a secret stands in the file: the message must not quote it, and its lines are shown by no message.
    pub(super) fn secret(&mut self, at: Span, message: impl Into<String>) {
        self.secrets.push(at);
        self.reader.mistake(at, message);
    }

    /// Notes that a value is of the wrong type.
    pub(super) fn wrong_type(&mut self, node: &Node, what: &str, expected: &str) {
        self.reader.wrong_type(node, what, expected);
    }

    /// A text.
    pub(super) fn string(&mut self, node: &Node, what: &str) -> Option<String> {
        self.reader.string(node, what)
    }

    /// A text that is not blank.
    fn filled(&mut self, node: &Node, what: &str) -> Option<String> {
        let text = self.string(node, what)?;
        if text.trim().is_empty() {
            self.mistake(node.at, format!("{what}: the text is empty"));
            return None;
        }
        Some(text)
    }

    /// The number of the line in which a place stands, for messages that speak of a second place.
    pub(super) fn line(&self, at: Span) -> usize {
        self.reader.text.mistake(at, "").order().1
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// The mistakes, without the lines that hold a secret.
    pub(super) fn finish(self) -> Result<(), Mistakes> {
        let lines = |at: Span| {
            let last = Span { start: at.end.saturating_sub(1).max(at.start), end: at.end };
            (self.line(at), self.line(last))
        };
        let secret: Vec<_> = self.secrets.iter().map(|at| lines(*at)).collect();
        let mut shown = Mistakes::default();
        for mistake in self.reader.mistakes.iter() {
            let (_, line, _) = mistake.order();
            let hidden = secret.iter().any(|(first, last)| (*first..=*last).contains(&line));
            shown.push(if hidden { Mistake::hide_line(mistake.clone()) } else { mistake.clone() });
        }
        shown.into_result()
    }
}

/// What stands under a key.
#[derive(Debug)]
enum Value<'n> {
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
    keys: &'static [Key],
    found: Vec<(&'static str, Span, Value<'n>)>,
}

/// What messages call the value of a key.
pub(super) fn under(what: &str, key: &str) -> String {
    if what.is_empty() { key.to_owned() } else { format!("{what}.{key}") }
}

impl<'n> Values<'n> {
    /// Reads a map all of whose keys the table knows.
    pub(super) fn read(reading: &mut Reading, node: &'n Node, what: &str, keys: &'static [Key]) -> Self {
        let (values, rest) = Self::read_open(reading, node, what, keys);
        for (key, _) in rest {
            let known = keys.iter().map(|key| key.name);
            let mut hint = did_you_mean(&key.name, known.clone(), |name| format!("`{name}`"));
            if hint.is_empty() {
                let known: Vec<_> = known.map(|name| format!("`{name}`")).collect();
                hint = format!("; there are {}", known.join(", "));
            }
            reading.mistake(key.at, format!("unknown key `{}`{hint}", under(what, &key.name)));
        }
        values
    }

    /// Reads a map that may have other keys too, and hands those out.
    pub(super) fn read_open(
        reading: &mut Reading,
        node: &'n Node,
        what: &str,
        keys: &'static [Key],
    ) -> (Self, Vec<(&'n yaml::Key, &'n Node)>) {
        let shown = if what.is_empty() { "the file" } else { what };
        let mut fields = reading.reader.map(node, shown);
        let readable = matches!(node.kind, Kind::Map(_));
        let mut values = Self { what: what.to_owned(), at: node.at, keys, found: Vec::new() };
        for key in keys {
            let what = under(what, key.name);
            let value = match fields.entry(key.name) {
                Some((name, found)) => key.value(reading, name.at, found, &what).map(|value| (found.at, value)),
                None => {
                    if readable && matches!(key.standard, Standard::Required) {
                        reading.mistake(node.at, format!("{shown}: `{}` is missing: {}", key.name, key.help));
                    }
                    None
                }
            };
            if let Some((at, value)) = value {
                values.found.push((key.name, at, value));
            }
        }
        (values, fields.rest())
    }

    /// Every key left out.
    fn empty(what: String, at: Span, keys: &'static [Key]) -> Self {
        Self { what, at, keys, found: Vec::new() }
    }

    fn get(&self, name: &str) -> Option<&Value<'n>> {
        debug_assert!(self.keys.iter().any(|key| key.name == name), "`{name}` is in the table");
        self.found.iter().find(|(found, ..)| *found == name).map(|(_, _, value)| value)
    }

    fn standard(&self, name: &str) -> Option<Standard> {
        self.keys.iter().find(|key| key.name == name).map(|key| key.standard)
    }

    /// Whether the key is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Where the value of a key stands; where the map begins if it is not there.
    pub(super) fn place(&self, name: &str) -> Span {
        self.found.iter().find(|(found, ..)| *found == name).map_or(self.at, |(_, at, _)| *at)
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

    /// A map within; one that is not there has the table's defaults.
    pub(super) fn map(&self, name: &str) -> Values<'n> {
        todo!()
    }
}
