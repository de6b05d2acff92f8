//! A row becomes a token.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::core::outcome::MalformedRow;
use crate::core::sanitize::truncate;
use crate::core::time::{TimeFormat, Unit, duration};
use crate::core::token::{Expiry, LastUse, Owner, Token};
use crate::providers::language::expression::{Expression, Val, Variables};
use crate::providers::language::provider::{Listing, TokenMap};
use crate::providers::language::value;

/// A token, and how many of its fields could not be read.
#[derive(Debug)]
pub(super) struct ParsedToken {
    pub(super) token: Token,
    pub(super) unread: u64,
}

/// Reads a token out of what `take` has made of a row.
///
/// # Errors
/// An odd row where the id or the end cannot be read. Another field that cannot be read is left out and counted.
pub(super) fn read(
    listing: &Listing,
    variables: &Variables,
    row: &Val,
    position: u64,
    now: DateTime<Utc>,
) -> Result<ParsedToken, MalformedRow> {
    let map = &listing.token;
    let odd = |field, id: Option<String>| MalformedRow { position, id: id.as_deref().map(truncate), field };
    let id = id(map, variables, row).ok_or_else(|| odd("id", None))?;
    let Ok(end) = map.expires_at.first(variables, row.clone()) else {
        return Err(odd("expires_at", Some(id)));
    };
    let end = end.unwrap_or_default();
    let times = &listing.request.times;
    let expires = times.expiry(&value::to_json(&end), now);
    let is_number = value::text(&end).is_some_and(|text| text.parse::<f64>().is_ok());
    let approximate = times.unit == Unit::SecondsFromNow && is_number && matches!(expires, Expiry::At(_));

    let mut row = Row { variables, row, times, now, unread: 0 };
    let token = Token {
        id,
        name: row.field(map.name.as_ref(), text).unwrap_or_default(),
        kind: row.field(map.kind.as_ref(), text).unwrap_or_else(|| listing.kind.clone()),
        owner: row.field(map.owner.as_ref(), owner).filter(|owner| *owner != Owner::default()),
        created_at: row.instant(map.created_at.as_ref()),
        expires,
        last_used: match &map.last_used_at {
            None => LastUse::NotReported,
            Some(last_used) => row.last_use(last_used),
        },
        scopes: row.field(map.scopes.as_ref(), scopes).unwrap_or_default(),
        disabled: row.field(map.disabled.as_ref(), flag).unwrap_or_default(),
        // Vault writes 0 where there is none.
        lifetime: row.field(map.lifetime.as_ref(), lifetime).filter(|lifetime| *lifetime > TimeDelta::zero()),
        manage_url: row.field(map.manage_url.as_ref(), url),
        labels: row.field(map.labels.as_ref(), labels).unwrap_or_default(),
        approximate,
    };
    Ok(ParsedToken { token, unread: row.unread })
}

fn id(map: &TokenMap, variables: &Variables, row: &Val) -> Option<String> {
    map.id.first(variables, row.clone()).ok().flatten().as_ref().and_then(value::text)
}

/// A row whose further fields are read; those that cannot be are counted.
struct Row<'a> {
    variables: &'a Variables,
    row: &'a Val,
    times: &'a TimeFormat,
    now: DateTime<Utc>,
    unread: u64,
}

/// A field that cannot be read.
struct UnreadableField;

impl Row<'_> {
    /// A field by its expression; none where it is null, or cannot be read.
    fn field<T>(
        &mut self,
        expression: Option<&Expression>,
        read: impl Fn(&Val) -> Result<T, UnreadableField>,
    ) -> Option<T> {
        let found = expression?.first(self.variables, self.row.clone()).map_err(|_| UnreadableField);
        let found = match found {
            Ok(value) => value.filter(|value| !value::is_blank(value)).map(|value| read(&value)).transpose(),
            Err(unread) => Err(unread),
        };
        found.unwrap_or_else(|UnreadableField| {
            self.unread += 1;
            None
        })
    }

    fn instant(&mut self, expression: Option<&Expression>) -> Option<DateTime<Utc>> {
        let (times, now) = (self.times, self.now);
        self.field(expression, |value| times.instant(&value::to_json(value), now).map_err(|()| UnreadableField))
            .flatten()
    }

    /// Nothing said where the definition looks means: never used.
    fn last_use(&mut self, expression: &Expression) -> LastUse {
        let unread = self.unread;
        match self.instant(Some(expression)) {
            Some(at) => LastUse::At(at),
            None if self.unread > unread => LastUse::NotReported,
            None => LastUse::Never,
        }
    }
}

fn text(value: &Val) -> Result<String, UnreadableField> {
    value::text(value).ok_or(UnreadableField)
}

fn flag(value: &Val) -> Result<bool, UnreadableField> {
    match value {
        Val::Bool(flag) => Ok(*flag),
        _ => Err(UnreadableField),
    }
}

fn lifetime(value: &Val) -> Result<TimeDelta, UnreadableField> {
    duration(&value::to_json(value)).ok_or(UnreadableField)
}

/// A web address: it becomes a link, and so must be nothing else, such as a script.
fn url(value: &Val) -> Result<String, UnreadableField> {
    let text = text(value)?;
    if text.starts_with("https://") || text.starts_with("http://") { Ok(text) } else { Err(UnreadableField) }
}

/// A list, or a text with blanks between.
fn scopes(value: &Val) -> Result<Vec<String>, UnreadableField> {
    match value {
        Val::Arr(list) => list.iter().map(text).collect(),
        _ => Ok(text(value)?.split_whitespace().map(str::to_owned).collect()),
    }
}

/// `{id, name, email}`, or a text, which is the name. Where all are empty there is no owner.
fn owner(value: &Val) -> Result<Owner, UnreadableField> {
    let Val::Obj(_) = value else {
        return Ok(Owner { name: Some(text(value)?), ..Owner::default() });
    };
    let part = |name| value::field(value, name).and_then(value::text);
    Ok(Owner { id: part("id"), name: part("name"), email: part("email") })
}

/// Texts, numbers and flags; null and "" are left out.
fn labels(value: &Val) -> Result<BTreeMap<String, String>, UnreadableField> {
    let Val::Obj(object) = value else { return Err(UnreadableField) };
    let filled = object.iter().filter(|(_, value)| !value::is_blank(value));
    filled.map(|(name, value)| Ok((text(name)?, value::scalar(value).ok_or(UnreadableField)?))).collect()
}
