//! YAML as a tree whose every node knows its place: the configuration and the provider definitions are read from it.
//!
//! The one place that names the YAML library. A tree rather than derived structures, because a person who has made
//! three mistakes wants to hear of three, each with its line.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use serde_saphyr::Spanned;

use super::diagnostic::{Diagnostic, Diagnostics, SourceText, Span, did_you_mean};

mod error;

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where it stands: for a list or a map, where it begins.
    pub at: Span,
    /// What it is.
    pub kind: Kind,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Flag(bool),
    /// A number.
    Number(Number),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the file. No key stands twice.
    Map(Vec<(Key, Node)>),
}

/// A map's key and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Where it stands.
    pub at: Span,
    /// The name.
    pub name: String,
}

/// Reads a text as one YAML document.
///
/// # Errors
/// One mistake, at the first place that is no YAML.
pub fn parse(text: &SourceText) -> Result<Node, Diagnostic> {
    let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
    let parsed: Spanned<Option<Kind>> = serde_saphyr::from_str_with_options(text.content(), options)
        .map_err(|error| error::diagnostic(text, &error))?;
    Ok(Node { at: span(parsed.defined), kind: parsed.value.unwrap_or(Kind::Null) })
}

fn span(at: serde_saphyr::Location) -> Span {
    let span = at.span();
    let start = usize::try_from(span.byte_offset().unwrap_or_default()).unwrap_or_default();
    let len = usize::try_from(span.byte_len().unwrap_or_default()).unwrap_or_default();
    Span { start, end: start + len }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Kind>::deserialize(from)?;
        Ok(Self { at: span(spanned.defined), kind: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<String>::deserialize(from)?;
        Ok(Self { at: span(spanned.defined), name: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Kind;

            fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                to.write_str("a value")
            }

            fn visit_unit<E>(self) -> Result<Kind, E> {
                Ok(Kind::Null)
            }

            fn visit_none<E>(self) -> Result<Kind, E> {
                Ok(Kind::Null)
            }

            fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Kind, D::Error> {
                from.deserialize_any(self)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Kind, E> {
                Ok(Kind::Flag(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Kind, E> {
                Ok(Kind::Number(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Kind, E> {
                Ok(Kind::Number(value.into()))
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Kind, E> {
                Number::from_f64(value).map(Kind::Number).ok_or_else(|| E::custom("not a finite number"))
            }

            fn visit_str<E>(self, value: &str) -> Result<Kind, E> {
                Ok(Kind::Text(value.to_owned()))
            }

            fn visit_string<E>(self, value: String) -> Result<Kind, E> {
                Ok(Kind::Text(value))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Kind, A::Error> {
                let mut nodes = Vec::new();
                while let Some(node) = list.next_element()? {
                    nodes.push(node);
                }
                Ok(Kind::List(nodes))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Kind, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Kind::Map(entries))
            }
        }
        from.deserialize_any(Any)
    }
}

impl Node {
    /// What it is, in words for a message.
    pub fn describe(&self) -> &'static str {
        match self.kind {
            Kind::Null => "nothing",
            Kind::Flag(_) => "a flag",
            Kind::Number(_) => "a number",
            Kind::Text(_) => "a text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
        }
    }

    /// Whether it is null or left empty.
    pub fn is_null(&self) -> bool {
        self.kind == Kind::Null
    }

    /// The text, where it is one.
    pub fn as_text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The same as JSON, without places.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.kind {
            Kind::Null => serde_json::Value::Null,
            Kind::Flag(flag) => (*flag).into(),
            Kind::Number(number) => number.clone().into(),
            Kind::Text(text) => text.as_str().into(),
            Kind::List(list) => list.iter().map(Self::to_json).collect(),
            Kind::Map(map) => map.iter().map(|(key, value)| (key.name.clone(), value.to_json())).collect(),
        }
    }
}

/// Reads values out of nodes, and collects every mistake on the way.
#[derive(Debug)]
pub struct Reader {
    /// The text that is read.
    pub text: SourceText,
    /// What was found wrong so far.
    pub diagnostics: Diagnostics,
}

impl Reader {
    /// A reader of this text.
    pub fn new(text: SourceText) -> Self {
        Self { text, diagnostics: Diagnostics::default() }
    }

    /// Notes a mistake at a place.
    pub fn error(&mut self, at: Span, message: impl Into<String>) {
        let mistake = self.text.error(at, message);
        self.diagnostics.push(mistake);
    }

    /// The entries of a map, to be taken one by one; anything else is a mistake, and read as an empty map.
    ///
    /// `what` names the thing in messages, such as `sources[0]`.
    pub fn map<'n>(&mut self, node: &'n Node, what: &str) -> Fields<'n> {
        let entries = match &node.kind {
            Kind::Map(entries) => entries.iter().map(|(key, value)| (key, value)).collect(),
            _ => {
                self.wrong_type(node, what, "a map");
                Vec::new()
            }
        };
        Fields { what: what.to_owned(), at: node.at, entries, known: Vec::new() }
    }

    /// The elements of a list. A single value stands for a list of one if `lenient`.
    pub fn list<'n>(&mut self, node: &'n Node, what: &str, lenient: bool) -> Vec<&'n Node> {
        match &node.kind {
            Kind::List(list) => list.iter().collect(),
            Kind::Null => Vec::new(),
            _ if lenient => vec![node],
            _ => {
                self.wrong_type(node, what, "a list");
                Vec::new()
            }
        }
    }

    /// A text. A number or a flag is taken as it is written, since `org_id: 123` means the text.
    pub fn string(&mut self, node: &Node, what: &str) -> Option<String> {
        match &node.kind {
            Kind::Text(text) => Some(text.clone()),
            Kind::Number(_) | Kind::Flag(_) => self.text.content().get(node.at.start..node.at.end).map(str::to_owned),
            _ => {
                self.wrong_type(node, what, "a text");
                None
            }
        }
    }

    /// A flag.
    pub fn flag(&mut self, node: &Node, what: &str) -> Option<bool> {
        if let Kind::Flag(flag) = node.kind {
            return Some(flag);
        }
        self.wrong_type(node, what, "true or false");
        None
    }

    /// A whole number that is not negative.
    pub fn count(&mut self, node: &Node, what: &str) -> Option<u64> {
        if let Kind::Number(number) = &node.kind
            && let Some(number) = number.as_u64()
        {
            return Some(number);
        }
        self.wrong_type(node, what, "a whole number");
        None
    }

    /// Notes that a value is of the wrong type.
    pub fn wrong_type(&mut self, node: &Node, what: &str, expected: &str) {
        self.error(node.at, format!("{what}: expected {expected}, found {}", node.describe()));
    }
}

/// The entries of a map, taken one by one; what is left over at the end is a mistake.
#[derive(Debug)]
pub struct Fields<'n> {
    what: String,
    /// Where the map begins.
    pub at: Span,
    entries: Vec<(&'n Key, &'n Node)>,
    known: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    /// Takes the value of a key, if it is there and not null.
    pub fn optional(&mut self, key: &'static str) -> Option<&'n Node> {
        self.entry(key).map(|(_, node)| node).filter(|node| !node.is_null())
    }

    /// Takes a key and its value, even a null one.
    pub fn entry(&mut self, key: &'static str) -> Option<(&'n Key, &'n Node)> {
        self.known.push(key);
        let at = self.entries.iter().position(|(found, _)| found.name == key)?;
        Some(self.entries.remove(at))
    }

    /// Takes the value of a key that must be there.
    pub fn required(&mut self, key: &'static str, reader: &mut Reader) -> Option<&'n Node> {
        let found = self.optional(key);
        if found.is_none() {
            reader.error(self.at, format!("{}: `{key}` is missing", self.what));
        }
        found
    }

    /// What a message calls the value of a key: `sources[0].url`.
    pub fn name(&self, key: &str) -> String {
        if self.what.is_empty() { key.to_owned() } else { format!("{}.{key}", self.what) }
    }

    /// The entries that nobody has taken, for maps whose keys are free.
    pub fn rest(self) -> Vec<(&'n Key, &'n Node)> {
        self.entries
    }

    /// The keys that were asked for.
    pub fn known(&self) -> &[&'static str] {
        &self.known
    }

    /// Ends the reading: each key that nobody has taken is a mistake.
    pub fn finish(self, reader: &mut Reader) {
        for (key, _) in self.entries {
            let hint = did_you_mean(&key.name, self.known.iter().copied());
            reader.error(key.at, format!("unknown key `{}`{hint}", key.name));
        }
    }
}

#[cfg(test)]
mod tests;
