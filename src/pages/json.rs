//! A token in JSON.

use serde_json::{Value, json};

use super::humanize::rfc3339;
use crate::core::inventory::TokenView;
use crate::core::location::Location;
use crate::core::token::{LastUse, Owner};
use crate::exposition::Labels;

pub(crate) fn to_json(view: &TokenView<'_>, labels: Labels) -> Value {
    let token = view.token;
    json!({
        "source": view.source,
        "provider": view.provider,
        "listing": view.listing,
        "id": token.id,
        "kind": token.kind,
        "name": token.name,
        "owner": view.owner.map_or(Value::Null, |found| owner(found, labels)),
        "state": view.state.label(),
        "expiry": view.expires.label(),
        "expires_at": view.expires.timestamp().map(rfc3339),
        "band": view.band.map(|band| band.label()),
        "findings": view.findings.iter().map(|finding| finding.label()).collect::<Vec<_>>(),
        "created_at": token.created_at.map(rfc3339),
        "last_used": match token.last_used {
            LastUse::NotReported => Value::Null,
            LastUse::Never => "never".into(),
            LastUse::At(at) => rfc3339(at).into(),
        },
        "scopes": token.scopes,
        "labels": view.labels,
        "manage_url": token.manage_url,
        "warning_at": view.bands.map(|bands| rfc3339(bands.warning)),
        "critical_at": view.bands.map(|bands| rfc3339(bands.critical)),
        "locations": view.locations.iter().map(location).collect::<Vec<_>>(),
        "renewal": view.renewal().map(|renewal| json!({"steps": renewal.steps, "docs": renewal.docs})),
    })
}

pub(super) fn location(location: &Location) -> Value {
    json!({
        "kind": location.kind.label(),
        "place": location.place(),
        "last_seen": location.last_seen.map(rfc3339),
    })
}

/// An owner, as far as the configuration exposes it.
fn owner(owner: &Owner, labels: Labels) -> Value {
    let mut exposed = serde_json::Map::new();
    if labels.owner {
        exposed.insert("id".to_owned(), labels.owner_text(owner.id.as_deref()).into());
        exposed.insert("name".to_owned(), labels.owner_text(owner.name.as_deref()).into());
    }
    if labels.owner_email {
        exposed.insert("email".to_owned(), owner.email.as_deref().into());
    }
    if exposed.is_empty() { Value::Null } else { Value::Object(exposed) }
}
