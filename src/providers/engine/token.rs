//! Maps a row to a token.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::core::outcome::{MalformedRow, RowCounts};
use crate::core::sanitize::truncate;
use crate::core::time::{TimeFormat, Unit, duration};
use crate::core::token::{Expiry, LastUse, Lifetime, Owner, Token};
use crate::core::web_url::is_http;
use crate::providers::language::expression::{Expression, Val, Variables};
use crate::providers::language::provider::{Listing, TokenMap};
use crate::providers::language::value;

#[derive(Debug)]
pub(super) struct ParsedToken {
    pub(super) token: Token,
    /// Fields other than id and expiry that could not be read; the token lacks them.
    pub(super) unread_fields: u64,
}

/// Maps a row, or what `take` made of it, and counts its fields.
///
/// # Errors
/// A malformed row if its id or expiry is unreadable.
pub(super) fn parse(
    (listing, map): (&Listing, &TokenMap),
    variables: &Variables,
    row: &Val,
    position: u64,
    now: DateTime<Utc>,
    counts: &mut RowCounts,
) -> Result<ParsedToken, MalformedRow> {
    let malformed = |field, id: Option<String>| MalformedRow { position, id: id.as_deref().map(truncate), field };
    let id = map.id.first(variables, row.clone()).ok().flatten().as_ref().and_then(value::text);
    let id = id.ok_or_else(|| malformed("id", None))?;
    let Ok(expires_at) = map.expires_at.first(variables, row.clone()) else {
        return Err(malformed("expires_at", Some(id)));
    };
    let expires_at = expires_at.unwrap_or_default();
    counts.count_field("expires_at", !value::is_blank(&expires_at), false);
    let times = &listing.request.times;
    let expires = times.expiry(&value::to_json(&expires_at), now);
    let is_number = value::text(&expires_at).is_some_and(|text| text.parse::<f64>().is_ok());
    let approximate = times.unit == Unit::SecondsFromNow && is_number && matches!(expires, Expiry::At(_));

    let mut row = Row { variables, row, times, now, unread_fields: 0, counts };
    let token = Token {
        id: id.into(),
        name: row.field("name", map.name.as_ref(), value::text).unwrap_or_default().into(),
        kind: row.field("kind", map.kind.as_ref(), value::text).map_or_else(|| listing.kind.as_str().into(), Arc::from),
        owner: row.owner(map.owner.as_ref()).map(triomphe::Arc::new),
        created_at: row.instant("created_at", map.created_at.as_ref()),
        expires,
        last_used: match &map.last_used_at {
            None => LastUse::NotReported,
            Some(last_used) => row.last_use(last_used),
        },
        scopes: row.field("scopes", map.scopes.as_ref(), scopes).map(Arc::new).unwrap_or_default(),
        disabled: row.field("disabled", map.disabled.as_ref(), flag).unwrap_or_default(),
        // Vault reports 0 for none.
        lifetime: row
            .field("lifetime", map.lifetime.as_ref(), |value| duration(&value::to_json(value)))
            .and_then(Lifetime::new),
        renews_before: row
            .instant("renews_at", map.renews_at.as_ref())
            .and_then(|renews_at| Lifetime::new(expires.timestamp()? - renews_at)),
        manage_url: row.field("manage_url", map.manage_url.as_ref(), url).map(Arc::from),
        renew: None,
        labels: row.field("labels", map.labels.as_ref(), labels).map(Arc::new).unwrap_or_default(),
        approximate,
    };
    Ok(ParsedToken { token, unread_fields: row.unread_fields })
}

/// A row whose optional fields are read; unreadable ones are counted.
struct Row<'a> {
    variables: &'a Variables,
    row: &'a Val,
    times: &'a TimeFormat,
    now: DateTime<Utc>,
    unread_fields: u64,
    counts: &'a mut RowCounts,
}

impl Row<'_> {
    /// `None` if the field is blank or unreadable.
    fn field<T>(
        &mut self,
        name: &'static str,
        expression: Option<&Expression>,
        read: impl Fn(&Val) -> Option<T>,
    ) -> Option<T> {
        let value = expression?.first(self.variables, self.row.clone());
        let is_blank = value.as_ref().is_ok_and(|value| value.as_ref().is_none_or(value::is_blank));
        let found = value.ok().flatten().filter(|_| !is_blank).as_ref().and_then(read);
        let is_unreadable = !is_blank && found.is_none();
        self.counts.count_field(name, found.is_some(), is_unreadable);
        self.unread_fields += u64::from(is_unreadable);
        found
    }

    /// An unreadable `active` is counted; the rest of the owner stays.
    fn owner(&mut self, expression: Option<&Expression>) -> Option<Owner> {
        let (mut owner, is_active) = self.field("owner", expression, owner)?;
        let unreadable = matches!(is_active, Some(None));
        self.unread_fields += u64::from(unreadable);
        owner.inactive = is_active == Some(Some(false));
        Some(owner).filter(|owner| !owner.is_nobody())
    }

    fn instant(&mut self, name: &'static str, expression: Option<&Expression>) -> Option<DateTime<Utc>> {
        let (times, now) = (self.times, self.now);
        self.field(name, expression, |value| times.timestamp(&value::to_json(value), now).ok()).flatten()
    }

    /// A blank value means: never used.
    fn last_use(&mut self, expression: &Expression) -> LastUse {
        let unread_before = self.unread_fields;
        match self.instant("last_used_at", Some(expression)) {
            Some(at) => LastUse::At(at),
            None if self.unread_fields > unread_before => LastUse::NotReported,
            None => LastUse::Never,
        }
    }
}

fn flag(value: &Val) -> Option<bool> {
    match value {
        Val::Bool(flag) => Some(*flag),
        _ => None,
    }
}

/// Only the scheme counts here: `core` sanitizes and checks the rest of every link.
fn url(value: &Val) -> Option<String> {
    value::text(value).filter(|text| is_http(text))
}

/// A list, or a string separated by spaces.
fn scopes(value: &Val) -> Option<Vec<String>> {
    match value {
        Val::Arr(list) => list.iter().map(value::text).collect(),
        _ => Some(value::text(value)?.split_whitespace().map(str::to_owned).collect()),
    }
}

/// `{id, name, email, active}`, or a string: the name. The second value is `active`, if it is there and can be read.
fn owner(value: &Val) -> Option<(Owner, Option<Option<bool>>)> {
    let Val::Obj(_) = value else {
        return Some((Owner { name: Some(value::text(value)?.into()), ..Owner::default() }, None));
    };
    let part = |name| value::field(value, name).and_then(value::text).map(Into::into);
    let owner = Owner { id: part("id"), name: part("name"), email: part("email"), inactive: false };
    let active = value::field(value, "active").filter(|active| !value::is_blank(active));
    Some((owner, active.map(flag)))
}

/// Strings, numbers and booleans; blank ones are omitted.
fn labels(value: &Val) -> Option<BTreeMap<String, String>> {
    let Val::Obj(object) = value else { return None };
    let filled = object.iter().filter(|(_, value)| !value::is_blank(value));
    filled.map(|(name, value)| Some((value::text(name)?, value::scalar(value)?))).collect()
}
