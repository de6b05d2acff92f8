//! One token as a person writes it.

use std::sync::Arc;

use chrono::DateTime;

use crate::core::renewal::Renewal;
use crate::core::time::{TimeFormat, parse_timestamp};
use crate::core::token::{Expiry, Owner, Token};
use crate::core::web_url::web_url;
use crate::schema::diagnostic::SourceText;
use crate::schema::reader::{Reader, written};
use crate::schema::renewal::RENEW;
use crate::schema::table::ValueType::{Domain, Map, Text};
use crate::schema::table::{DomainType, Key, Table};
use crate::schema::yaml::{Kind, Node};

/// The kind of a token without one.
pub(super) const DEFAULT_KIND: &str = "manual";

static ENTRY: Table = Table::new(&[
    Key::optional("id", Text, "unique among the entries; default: the name"),
    Key::optional("name", Text, "its name"),
    Key::required("expires", Domain(&EXPIRY), "2027-01-31", "a date, a timestamp, or never"),
    Key::optional("kind", Text, "its kind"),
    Key::optional("owner", Domain(&OWNER_OR_NAME), "a name, or a map"),
    Key::optional("created", Domain(&TIMESTAMP), "when it was created"),
    Key::optional("manage_url", Domain(&WEB_URL), "the page where it is renewed"),
    Key::optional("renew", Domain(&RENEW), "how it is renewed"),
    Key::optional("labels", Map(&Text), "labels"),
]);

static OWNER: Table = Table::new(&[
    Key::optional("id", Text, "the identifier"),
    Key::optional("name", Text, "the name"),
    Key::optional("email", Text, "the e-mail address"),
]);

static OWNER_OR_NAME: DomainType = DomainType::undocumented(|reader, node, path| match node.kind {
    Kind::Map(_) => drop(reader.read(node, path, &OWNER)),
    _ => drop(reader.string(node, path)),
});

static EXPIRY: DomainType = DomainType::undocumented(|reader, node, path| {
    let written = reader.string(node, path);
    if written.is_some_and(|written| expiry(&written).is_none()) {
        let expected = "a date such as 2027-01-31, a timestamp such as 2027-01-31T12:00:00Z, or never";
        reader.error(node.at, format!("{path}: invalid time; expected {expected}"));
    }
});

static TIMESTAMP: DomainType = DomainType::undocumented(|reader, node, path| {
    let written = reader.string(node, path);
    if written.is_some_and(|written| parse_timestamp(&written).is_none()) {
        let expected = "a date such as 2027-01-31, or a timestamp such as 2027-01-31T12:00:00Z";
        reader.error(node.at, format!("{path}: invalid time; expected {expected}"));
    }
});

static WEB_URL: DomainType = DomainType::undocumented(|reader, node, path| {
    let written = reader.string(node, path);
    if written.is_some_and(|written| web_url(&written).is_none()) {
        reader.error(node.at, format!("{path}: invalid URL; expected https:// or http://, without credentials"));
    }
});

/// Reads an entry, and reports every error in it.
///
/// # Errors
/// The name of the first invalid field.
pub(super) fn token(reader: &mut Reader, node: &Node, path: &str) -> Result<Token, &'static str> {
    let entry = reader.read(node, path, &ENTRY);
    let (id, name) = (entry.text("id"), entry.text("name"));
    if !entry.is_given("id") && !entry.is_given("name") {
        reader.error(entry.at, format!("{path}: `name` is missing"));
    }
    if let Some(field) = entry.first_invalid() {
        return Err(field);
    }
    if entry.has_unknown {
        return Err("an unknown key");
    }
    let id = id.or_else(|| name.clone()).ok_or("name")?;
    let kind = entry.text("kind").unwrap_or_else(|| DEFAULT_KIND.to_owned());
    let expires = entry.text("expires").as_deref().and_then(expiry).ok_or("expires")?;
    Ok(Token {
        name: name.unwrap_or_default().into(),
        owner: entry.node("owner").and_then(|node| owner(&reader.text, node)).map(triomphe::Arc::new),
        created_at: entry.text("created").as_deref().and_then(parse_timestamp),
        manage_url: entry.text("manage_url").map(Arc::from),
        renew: entry.text("renew").and_then(|steps| Renewal::parse(&steps).ok()).map(Arc::new),
        labels: Arc::new(entry.map("labels").into_iter().collect()),
        ..Token::new(id, kind, expires)
    })
}

/// Whether the entry sets its id.
pub(super) fn has_id(node: &Node) -> bool {
    node.get("id").is_some_and(|id| !id.is_null())
}

/// The id of a malformed entry, if it is readable.
pub(super) fn id(node: &Node) -> Option<String> {
    node.get("id").or_else(|| node.get("name"))?.as_text().map(str::to_owned)
}

fn expiry(written: &str) -> Option<Expiry> {
    if written.eq_ignore_ascii_case("never") {
        return Some(Expiry::Never);
    }
    let format = TimeFormat { absent_is_unknown: true, ..TimeFormat::default() };
    match format.expiry(&written.into(), DateTime::UNIX_EPOCH) {
        Expiry::Unknown => None,
        expiry => Some(expiry),
    }
}

/// A map, or a string: the name.
fn owner(text: &SourceText, node: &Node) -> Option<Owner> {
    let text = |node: &Node| written(text, node).map(Into::into);
    let part = |name| node.get(name).and_then(text);
    let owner = match node.kind {
        Kind::Map(_) => Owner { id: part("id"), name: part("name"), email: part("email"), inactive: false },
        _ => Owner { name: text(node), ..Owner::default() },
    };
    (owner != Owner::default()).then_some(owner)
}
