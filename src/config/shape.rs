//! How a value of each shape is read.

use super::config_reader::ConfigReader;
use super::keys::{Key, Shape};
use super::values::{Value, Values};
use super::{duration, labels, pattern, proxy};
use crate::core::address;
use crate::schema::diagnostic::Span;
use crate::schema::yaml::{Kind, Node};

impl Key {
    /// Whether a value is as good as none. Null switches a bound off, and is nothing elsewhere.
    pub(super) fn is_unset(&self, node: &Node) -> bool {
        node.is_null() && !matches!(self.shape, Shape::Bound(..))
    }

    /// Reads a value. None where it is a mistake, which is noted.
    pub(super) fn read<'n>(&self, reading: &mut ConfigReader, node: &'n Node, what: &str) -> Option<Value<'n>> {
        // A message about its form might quote it.
        if reading.is_secret(node.at) {
            return None;
        }
        Some(match self.shape {
            Shape::Ignored | Shape::Credential | Shape::Sources | Shape::Rules => Value::Node(node),
            Shape::Duration(least, most) => Value::Duration(duration::read(reading, node, what, least, most)?),
            Shape::Bound(..) if node.is_null() || node.as_text() == Some("never") => Value::Never,
            Shape::Bound(least, most) => Value::Duration(duration::read(reading, node, what, least, most)?),
            Shape::Flag => Value::Flag(flag(reading, node, what)?),
            Shape::Count(least, most) => Value::Count(count(reading, node, what, least, most)?),
            Shape::Text | Shape::Variable => Value::Text(reading.filled(node, what)?),
            Shape::Name => Value::Text(name(reading, node, what)?),
            Shape::Texts => Value::Texts(texts(reading, node, what, false)?),
            Shape::Choice => Value::Texts(texts(reading, node, what, true)?),
            Shape::Pattern => Value::Pattern(pattern::read(reading, node, what)?),
            Shape::Patterns => Value::Patterns(labels::patterns(reading, node, what)),
            Shape::Labels => Value::Labels(labels::read(reading, node, what)),
            Shape::Address => Value::Text(mail_address(reading, node, what)?),
            Shape::Proxy => Value::Proxy(proxy::read(reading, node, what)?),
            Shape::File => Value::Text(file(reading, node, what)?),
            Shape::Map(keys) => Value::Map(Values::read(reading, node, what, keys)),
        })
    }
}

/// A flag. YAML's old `yes` and `on` are texts.
fn flag(reading: &mut ConfigReader, node: &Node, what: &str) -> Option<bool> {
    if matches!(node.as_text(), Some("yes" | "no" | "on" | "off")) {
        reading.error(node.at, format!("{what}: a flag is written `true` or `false`"));
        return None;
    }
    reading.reader.flag(node, what)
}

fn count(reading: &mut ConfigReader, node: &Node, what: &str, least: u64, most: u64) -> Option<u64> {
    let found = reading.reader.count(node, what)?;
    if (least..=most).contains(&found) {
        return Some(found);
    }
    reading.error(node.at, format!("{what}: {found} is not between {least} and {most}"));
    None
}

/// The longest name of a source: it is a label value, a part of file names and of links.
const LONGEST_NAME: usize = 63;

fn name(reading: &mut ConfigReader, node: &Node, what: &str) -> Option<String> {
    let name = reading.filled(node, what)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.chars().all(allowed) && name.len() <= LONGEST_NAME {
        return Some(name);
    }
    let problem = match name.chars().find(|c| !allowed(*c)) {
        Some(' ') => "a blank".to_owned(),
        Some(other) => format!("`{other}`"),
        None => format!("more than {LONGEST_NAME} characters"),
    };
    reading
        .error(node.at, format!("{what}: a name has only letters, digits, `-`, `_` and `.`; this one has {problem}"));
    None
}

fn texts(reading: &mut ConfigReader, node: &Node, what: &str, lenient: bool) -> Option<Vec<(String, Span)>> {
    if !lenient && !matches!(node.kind, Kind::List(_)) {
        reading.wrong_type(node, what, "a list");
        return None;
    }
    let nodes = reading.reader.list(node, what, lenient);
    if nodes.is_empty() {
        reading.error(node.at, format!("{what}: the list is empty; leave `{}` out for all", last(what)));
        return None;
    }
    nodes.into_iter().map(|node| Some((reading.filled(node, what)?, node.at))).collect()
}

fn last(what: &str) -> &str {
    what.rsplit('.').next().unwrap_or(what)
}

fn mail_address(reading: &mut ConfigReader, node: &Node, what: &str) -> Option<String> {
    let text = reading.filled(node, what)?;
    let found = address::normalize(&text);
    if found.is_none() {
        let message = format!("{what}: `{text}` is not one bare address; write it such as `team@example.com`");
        reading.error(node.at, message);
    }
    found
}

/// A path. What spans lines is the file's content, which may be a key.
fn file(reading: &mut ConfigReader, node: &Node, what: &str) -> Option<String> {
    let path = reading.filled(node, what)?;
    if path.contains('\n') || path.starts_with("-----BEGIN") {
        reading.secret(node.at, format!("{what}: the content of a file stands here; write its path instead"));
        return None;
    }
    Some(path)
}
