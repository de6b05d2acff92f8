//! The families of single tokens.

use super::Labels;
use super::families::{Family, token};
use super::label;
use super::text::{Sample, Writer};
use crate::core::inventory::TokenView;
use crate::core::token::LastUse;

/// A family of single tokens, and how its samples of one token are written.
pub(super) struct TokenFamily {
    pub(super) family: &'static Family,
    pub(super) write: fn(&mut Writer, &TokenView<'_>, Labels),
}

/// Every family of single tokens, in the order of the exposition.
pub(super) const FAMILIES: [TokenFamily; 7] = [
    TokenFamily { family: &token::EXPIRY, write: expiry },
    TokenFamily { family: &token::DUE, write: due },
    TokenFamily { family: &token::FINDING, write: findings },
    TokenFamily { family: &token::INFO, write: info },
    TokenFamily { family: &token::CREATED, write: created },
    TokenFamily { family: &token::LAST_USED, write: last_used },
    TokenFamily { family: &token::LOCATION, write: locations },
];

fn expiry(to: &mut Writer, view: &TokenView<'_>, labels: Labels) {
    if let Some(at) = view.expires.timestamp() {
        identity(to, &token::EXPIRY, view, labels).value(at);
    }
}

fn due(to: &mut Writer, view: &TokenView<'_>, labels: Labels) {
    if let (Some(band), Some(at)) = (view.band, view.expires.timestamp()) {
        let email = labels.owner_email(view);
        let manage_url = view.token.manage_url.as_deref().unwrap_or_default();
        identity(to, &token::DUE, view, labels)
            .values([band.label(), view.expires.label(), manage_url, email.unwrap_or_default()])
            .value(at);
    }
}

fn findings(to: &mut Writer, view: &TokenView<'_>, labels: Labels) {
    for finding in view.findings.iter() {
        identity(to, &token::FINDING, view, labels).values([finding.label()]).value(1);
    }
}

fn info(to: &mut Writer, view: &TokenView<'_>, labels: Labels) {
    identity(to, &token::INFO, view, labels).values([view.state.label(), view.expires.label()]).value(1);
}

fn created(to: &mut Writer, view: &TokenView<'_>, _: Labels) {
    if let Some(at) = view.token.created_at {
        short_identity(to, &token::CREATED, view).value(at);
    }
}

fn last_used(to: &mut Writer, view: &TokenView<'_>, _: Labels) {
    if let LastUse::At(at) = view.token.last_used {
        short_identity(to, &token::LAST_USED, view).value(at);
    }
}

fn locations(to: &mut Writer, view: &TokenView<'_>, _: Labels) {
    // Two that read alike would be one series twice.
    let mut places: Vec<_> = view.locations.iter().filter(|place| place.is_stable()).map(ToString::to_string).collect();
    places.sort_unstable();
    places.dedup();
    for place in places {
        short_identity(to, &token::LOCATION, view).values([&*place]).value(1);
    }
}

fn short_identity<'w>(to: &'w mut Writer, family: &'static Family, view: &TokenView<'_>) -> Sample<'w> {
    to.sample(family).values([view.source, view.provider, &view.token.id])
}

fn identity<'w>(to: &'w mut Writer, family: &'static Family, view: &TokenView<'_>, labels: Labels) -> Sample<'w> {
    let owner = labels.owner_name(view).unwrap_or_default();
    let mut sample = short_identity(to, family, view).values([&*view.token.kind, &*view.token.name, &*owner]);
    for (name, value) in view.labels {
        if label::is_allowed(name) {
            sample = sample.label(name, value);
        }
    }
    sample
}
