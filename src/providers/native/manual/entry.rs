//! One entry that a person has written becomes a token.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::KIND;
use crate::core::time::{TimeFormat, parse_instant};
use crate::core::token::{Expiry, LastUse, Owner, Token};
use crate::schema::yaml::{Kind, Node, Reader};

/// Reads an entry, and notes every mistake in it.
///
/// # Errors
/// The name of a field that cannot be read.
pub(super) fn token(reader: &mut Reader, node: &Node) -> Result<Token, &'static str> {
    let before = reader.diagnostics.iter().count();
    let mut wrong = None;
    let mut is_right = |reader: &Reader, field| {
        if wrong.is_none() && reader.diagnostics.iter().count() > before {
            wrong = Some(field);
        }
    };
    let mut fields = reader.map(node, "token");
    let id = fields.optional("id").and_then(|node| reader.string(node, "id"));
    is_right(reader, "id");
    let name = fields.optional("name").and_then(|node| reader.string(node, "name"));
    is_right(reader, "name");
    let expires = match fields.optional("expires") {
        Some(node) => expiry(reader, node),
        None => {
            reader.error(node.at, "`expires` is missing: a date, an instant, or never");
            None
        }
    };
    is_right(reader, "expires");
    let kind = fields.optional("kind").and_then(|node| reader.string(node, "kind"));
    is_right(reader, "kind");
    let owner = fields.optional("owner").and_then(|node| owner(reader, node));
    is_right(reader, "owner");
    let created_at = fields.optional("created").and_then(|node| instant(reader, node));
    is_right(reader, "created");
    let manage_url = fields.optional("manage_url").and_then(|node| url(reader, node));
    is_right(reader, "manage_url");
    let labels = fields.optional("labels").map(|node| labels(reader, node)).unwrap_or_default();
    is_right(reader, "labels");
    fields.finish(reader);
    is_right(reader, "an unknown key");
    if id.is_none() && name.is_none() {
        reader.error(node.at, "`name` is missing");
        is_right(reader, "name");
    }
    let (None, Some(expires), Some(id)) = (wrong, expires, id.or_else(|| name.clone())) else {
        return Err(wrong.unwrap_or("expires"));
    };
    Ok(Token {
        id,
        name: name.unwrap_or_default(),
        kind: kind.unwrap_or_else(|| KIND.to_owned()),
        owner,
        created_at,
        expires,
        last_used: LastUse::NotReported,
        scopes: Vec::new(),
        disabled: false,
        lifetime: None,
        manage_url,
        labels,
        approximate: false,
    })
}

/// The id of an entry that cannot be read, if that much can.
pub(super) fn id(node: &Node) -> Option<String> {
    let Kind::Map(fields) = &node.kind else { return None };
    let text = |name: &str| fields.iter().find(|(key, _)| key.name == name).and_then(|(_, node)| node.as_text());
    text("id").or_else(|| text("name")).map(str::to_owned)
}

fn expiry(reader: &mut Reader, node: &Node) -> Option<Expiry> {
    let written = reader.string(node, "expires")?;
    if written.eq_ignore_ascii_case("never") {
        return Some(Expiry::Never);
    }
    let reading = TimeFormat { absent_is_unknown: true, ..TimeFormat::default() };
    match reading.expiry(&Value::from(written), DateTime::UNIX_EPOCH) {
        Expiry::Unknown => {
            reader.error(
                node.at,
                "not a time: write a date such as 2027-01-31, an instant such as 2027-01-31T12:00:00Z, or never",
            );
            None
        }
        expiry => Some(expiry),
    }
}

fn instant(reader: &mut Reader, node: &Node) -> Option<DateTime<Utc>> {
    let written = reader.string(node, "created")?;
    let instant = parse_instant(&written);
    if instant.is_none() {
        reader
            .error(node.at, "not a time: write a date such as 2027-01-31, or an instant such as 2027-01-31T12:00:00Z");
    }
    instant
}

fn url(reader: &mut Reader, node: &Node) -> Option<String> {
    let written = reader.string(node, "manage_url")?;
    if written.starts_with("https://") || written.starts_with("http://") {
        return Some(written);
    }
    reader.error(node.at, "not a web address: it begins with https:// or http://");
    None
}

/// A text, which is the name, or a map.
fn owner(reader: &mut Reader, node: &Node) -> Option<Owner> {
    let owner = match &node.kind {
        Kind::Map(_) => {
            let mut fields = reader.map(node, "owner");
            let mut part = |name| fields.optional(name).and_then(|node| reader.string(node, name));
            let owner = Owner { id: part("id"), name: part("name"), email: part("email") };
            fields.finish(reader);
            owner
        }
        _ => Owner { name: reader.string(node, "owner"), ..Owner::default() },
    };
    (owner != Owner::default()).then_some(owner)
}

fn labels(reader: &mut Reader, node: &Node) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    for (key, node) in reader.map(node, "labels").rest() {
        if let Some(value) = reader.string(node, &key.name) {
            labels.insert(key.name.clone(), value);
        }
    }
    labels
}
