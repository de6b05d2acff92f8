//! What the YAML of a definition may say: keys and shapes, no meaning.
//!
//! The tables of keys (`keys`) are the one list: what is not in them is refused at its place, and the JSON Schema and the
//! tables of `docs/definitions.md` are written from them (`schema`).

pub(crate) mod keys;
mod schema;

pub use schema::{definition_schema, key_tables};

use crate::core::time::parse_duration;
use crate::schema::diagnostic::did_you_mean;
use crate::schema::yaml::{Key as Written, Kind, Node, Reader};

use super::template::is_name;

/// A thing of which a definition is made, such as a listing.
#[derive(Debug)]
pub(crate) struct Construct {
    /// Its name in the JSON Schema.
    pub(crate) name: &'static str,
    /// Its name in the documentation.
    pub(crate) title: &'static str,
    /// What is to be known of it as a whole.
    pub(crate) help: &'static str,
    /// Its keys, in groups that constructs share.
    pub(crate) keys: &'static [&'static [Key]],
}

/// A key of a construct.
#[derive(Debug)]
pub(crate) struct Key {
    /// The key.
    pub(crate) name: &'static str,
    /// What it may hold.
    pub(crate) form: Form,
    /// Whether it must be there.
    pub(crate) required: bool,
    /// What holds without it, in words of YAML.
    pub(crate) default: &'static str,
    /// What it means.
    pub(crate) help: &'static str,
}

/// What a key may hold.
#[derive(Debug)]
pub(crate) enum Form {
    /// A text.
    Text,
    /// A name: letters, digits, `_` and `-`.
    Name,
    /// True or false.
    Flag,
    /// A whole number that is not negative.
    Count,
    /// A jq expression.
    Jq,
    /// A text with `{names}` in it.
    Template,
    /// Names, and a template for each.
    Templates,
    /// Names, and for each a template, a number, a flag, null, or a list of those.
    Query,
    /// Anything.
    Json,
    /// A duration, such as `15m`.
    Duration,
    /// A rate, such as `150/1m`.
    Rate,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A list of these, or a single one.
    List(&'static Form),
    /// One of these words, or several: how times are written.
    Times,
    /// `false`, or a list of values.
    Never,
    /// One of these.
    Is(&'static Construct),
    /// A list of these.
    ListOf(&'static Construct),
    /// One of these, or a list of them.
    OneOrList(&'static Construct),
    /// Names, and one of these for each.
    MapOf(&'static Construct),
    /// `link`, or one of these.
    Next(&'static Construct),
    /// `bearer`, one of these, or a list of them.
    BearerOr(&'static Construct),
}

/// The forms in which times may be written; `iso` is always read.
pub(crate) const TIMES: [&str; 6] = ["epoch_s", "epoch_ms", "seconds_from_now", "rfc_2822", "end_of_day", "iso"];

impl Construct {
    /// All its keys.
    pub(crate) fn all(&self) -> impl Iterator<Item = &'static Key> + use<> {
        self.keys.iter().flat_map(|group| group.iter())
    }
}

/// Checks a document against the tables, and notes every mistake.
pub(crate) fn check(reader: &mut Reader, root: &Node) {
    construct(reader, root, &keys::DEFINITION, "");
}

fn construct(reader: &mut Reader, node: &Node, of: &Construct, what: &str) {
    let Kind::Map(entries) = &node.kind else {
        let what = if what.is_empty() { "the file" } else { what };
        return reader.wrong_type(node, what, "a map");
    };
    let mut meant = Vec::new();
    for (key, value) in entries {
        let called = if what.is_empty() { key.name.clone() } else { format!("{what}.{}", key.name) };
        match of.all().find(|known| known.name == key.name) {
            Some(known) if value.is_null() && known.required => {}
            Some(known) => form(reader, value, &known.form, &called),
            None => meant.extend(unknown(reader, key, of)),
        }
    }
    for known in of.all().filter(|known| known.required && !meant.contains(&known.name)) {
        if get(node, known.name).is_none() {
            let prefix = if what.is_empty() { String::new() } else { format!("{what}: ") };
            reader.error(first_key(node), format!("{prefix}`{}` is missing", known.name));
        }
    }
}

/// Notes an unknown key, and tells which key was meant: that one is not said to be missing as well.
fn unknown(reader: &mut Reader, key: &Written, of: &Construct) -> Option<&'static str> {
    let hint = did_you_mean(&key.name, of.all().map(|known| known.name));
    reader.error(key.at, format!("unknown key `{}`{hint}", key.name));
    of.all().map(|known| known.name).find(|name| hint.contains(&format!("`{name}`")))
}

/// Where a mistake about a map as a whole is shown.
pub(crate) fn first_key(node: &Node) -> crate::schema::diagnostic::Span {
    match &node.kind {
        Kind::Map(entries) => entries.first().map_or(node.at, |(key, _)| key.at),
        _ => node.at,
    }
}

fn form(reader: &mut Reader, node: &Node, form_of: &Form, what: &str) {
    match form_of {
        Form::Json => {}
        Form::Text | Form::Template => text(reader, node, what, "a text"),
        Form::Jq => expression(reader, node, what),
        Form::Name => name(reader, node, what),
        Form::Flag => drop(reader.flag(node, what)),
        Form::Count => drop(reader.count(node, what)),
        Form::Duration => {
            if duration(node).is_none() {
                reader.wrong_type(node, what, "a duration such as `15m`, `24h` or `7d`");
            }
        }
        Form::Rate => {
            if rate(node).is_none() {
                reader.wrong_type(node, what, "a rate such as `150/1m`");
            }
        }
        Form::OneOf(words) => one_of(reader, node, words, what),
        Form::Times => {
            for element in elements(node) {
                one_of(reader, element, &TIMES, what);
            }
        }
        Form::Never => never(reader, node, what),
        Form::List(of) => elements(node).for_each(|element| form(reader, element, of, what)),
        Form::Templates => {
            for (key, value) in map(reader, node, what) {
                if !value.is_null() {
                    text(reader, value, &format!("{what}.{}", key.name), "a text");
                }
            }
        }
        Form::Query => query(reader, node, what),
        Form::Is(of) => construct(reader, node, of, what),
        Form::MapOf(of) => {
            for (key, value) in map(reader, node, what) {
                if !is_name(&key.name) {
                    reader.error(key.at, format!("`{}` is no name: letters, digits, `_` and `-`", key.name));
                }
                construct(reader, value, of, &format!("{what}.{}", key.name));
            }
        }
        Form::ListOf(of) => {
            if !matches!(node.kind, Kind::List(_)) {
                return reader.wrong_type(node, what, "a list");
            }
            each(reader, node, of, what);
        }
        Form::OneOrList(of) => each(reader, node, of, what),
        Form::Next(_) if node.as_text() == Some("link") => {}
        Form::Next(of) if matches!(node.kind, Kind::Map(_)) => construct(reader, node, of, what),
        Form::Next(_) => reader.wrong_type(node, what, "`link` or a map"),
        Form::BearerOr(_) if node.as_text() == Some("bearer") => {}
        Form::BearerOr(_) if matches!(node.kind, Kind::Text(_)) => {
            reader.error(node.at, format!("{what}: expected `bearer`, a scheme or a list of schemes"));
        }
        Form::BearerOr(of) => each(reader, node, of, what),
    }
}

/// Each element of a list, or the one that stands for a list.
fn each(reader: &mut Reader, node: &Node, of: &Construct, what: &str) {
    for (what, element) in named(node, what) {
        construct(reader, element, of, &what);
    }
}

/// The elements of a list, or the one that stands for a list, each with what messages call it: by its `name`, or else by
/// its place in the list.
pub(crate) fn named<'n>(node: &'n Node, what: &str) -> Vec<(String, &'n Node)> {
    let Kind::List(list) = &node.kind else { return vec![(what.to_owned(), node)] };
    let called = |(at, element): (usize, &'n Node)| match get(element, "name").and_then(Node::as_text) {
        Some(name) => (format!("{what}.{name}"), element),
        None => (format!("{what}[{at}]"), element),
    };
    list.iter().enumerate().map(called).collect()
}

/// The elements of a list, or the one that stands for a list.
pub(crate) fn elements(node: &Node) -> impl Iterator<Item = &Node> {
    match &node.kind {
        Kind::List(list) => list.iter(),
        _ => std::slice::from_ref(node).iter(),
    }
}

fn map<'n>(reader: &mut Reader, node: &'n Node, what: &str) -> &'n [(Written, Node)] {
    match &node.kind {
        Kind::Map(entries) => entries,
        _ => {
            reader.wrong_type(node, what, "a map");
            &[]
        }
    }
}

fn text(reader: &mut Reader, node: &Node, what: &str, expected: &str) {
    if !matches!(node.kind, Kind::Text(_) | Kind::Number(_) | Kind::Flag(_)) {
        reader.wrong_type(node, what, expected);
    }
}

fn expression(reader: &mut Reader, node: &Node, what: &str) {
    if matches!(node.kind, Kind::List(_) | Kind::Map(_)) {
        let message = format!("{what}: expected an expression, found {}; write it between quotes", node.describe());
        return reader.error(node.at, message);
    }
    text(reader, node, what, "an expression");
}

fn name(reader: &mut Reader, node: &Node, what: &str) {
    match node.as_text() {
        Some(name) if is_name(name) => {}
        Some(_) => reader.error(node.at, format!("{what}: a name consists of letters, digits, `_` and `-`")),
        None => reader.wrong_type(node, what, "a name"),
    }
}

fn one_of(reader: &mut Reader, node: &Node, words: &[&str], what: &str) {
    let written = match &node.kind {
        Kind::Text(text) => text.clone(),
        Kind::Number(number) => number.to_string(),
        _ => return reader.wrong_type(node, what, &list(words)),
    };
    if !words.contains(&written.as_str()) {
        let mut hint = did_you_mean(&written, words.iter().copied());
        if words.len() == 1 {
            hint.clear();
        }
        let hint = if hint.is_empty() { format!("; it may be {}", list(words)) } else { hint };
        reader.error(node.at, format!("{what}: unknown `{written}`{hint}"));
    }
}

/// Words as a sentence lists them.
fn list(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    words.join(", ")
}

fn never(reader: &mut Reader, node: &Node, what: &str) {
    if matches!(node.kind, Kind::Flag(false)) {
        return;
    }
    for element in elements(node) {
        if !matches!(element.kind, Kind::Number(_) | Kind::Text(_)) {
            reader.wrong_type(element, what, "`false`, or a list of numbers and texts");
        }
    }
}

fn query(reader: &mut Reader, node: &Node, what: &str) {
    for (key, value) in map(reader, node, what) {
        for element in elements(value) {
            if matches!(element.kind, Kind::List(_) | Kind::Map(_)) {
                let what = format!("{what}.{}", key.name);
                reader.wrong_type(element, &what, "a text, a number, a flag, nothing, or a list of those");
            }
        }
    }
}

/// The value of a key, if it is there and not null.
pub(crate) fn get<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    entry(node, key).map(|(_, value)| value).filter(|value| !value.is_null())
}

/// A key and its value, even a null one.
pub(crate) fn entry<'n>(node: &'n Node, key: &str) -> Option<(&'n Written, &'n Node)> {
    let Kind::Map(entries) = &node.kind else { return None };
    entries.iter().find(|(found, _)| found.name == key).map(|(key, value)| (key, value))
}

/// A duration that is longer than none.
pub(crate) fn duration(node: &Node) -> Option<std::time::Duration> {
    let duration = parse_duration(node.as_text()?)?.to_std().ok()?;
    (!duration.is_zero()).then_some(duration)
}

/// A rate: so many in so long a time.
pub(crate) fn rate(node: &Node) -> Option<(u32, std::time::Duration)> {
    let (many, time) = node.as_text()?.split_once('/')?;
    let many: u32 = many.trim().parse().ok().filter(|many| *many > 0)?;
    let time = parse_duration(time.trim())?.to_std().ok().filter(|time| !time.is_zero())?;
    Some((many, time))
}
