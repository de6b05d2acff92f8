//! The families of single tokens.

use super::families::{Family, token};
use super::label;
use super::text::{Sample, Writer};
use super::{Exposure, Labels};
use crate::core::inventory::TokenView;
use crate::core::renewal::Renewal;
use crate::core::token::LastUse;
use crate::core::web_url::web_url;

/// A family of single tokens, and how its samples of one token are written.
pub(super) struct TokenFamily {
    pub(super) family: &'static Family,
    pub(super) write: fn(&mut Writer, &TokenView<'_>, &Exposure),
}

/// Every family of single tokens, in the order of the exposition.
pub(super) const FAMILIES: [TokenFamily; 8] = [
    TokenFamily { family: &token::EXPIRY, write: expiry },
    TokenFamily { family: &token::DUE, write: due },
    TokenFamily { family: &token::FINDING, write: findings },
    TokenFamily { family: &token::INFO, write: info },
    TokenFamily { family: &token::CREATED, write: created },
    TokenFamily { family: &token::LAST_USED, write: last_used },
    TokenFamily { family: &token::LOCATION, write: locations },
    TokenFamily { family: &token::RENEWAL, write: renewal },
];

fn expiry(to: &mut Writer, view: &TokenView<'_>, exposure: &Exposure) {
    if let Some(at) = view.expires.timestamp() {
        identity(to, &token::EXPIRY, view, exposure.labels).value(at);
    }
}

fn due(to: &mut Writer, view: &TokenView<'_>, exposure: &Exposure) {
    if let (Some(band), Some(at)) = (view.band, view.expires.timestamp()) {
        let email = exposure.labels.owner_email(view);
        let manage_url = view.token.manage_url.as_deref().unwrap_or_default();
        identity(to, &token::DUE, view, exposure.labels)
            .values([band.label(), view.expires.label(), manage_url, email.unwrap_or_default()])
            .value(at);
    }
}

fn findings(to: &mut Writer, view: &TokenView<'_>, exposure: &Exposure) {
    for finding in view.findings.iter() {
        identity(to, &token::FINDING, view, exposure.labels).values([finding.label()]).value(1);
    }
}

fn info(to: &mut Writer, view: &TokenView<'_>, exposure: &Exposure) {
    identity(to, &token::INFO, view, exposure.labels).values([view.state.label(), view.expires.label()]).value(1);
}

fn created(to: &mut Writer, view: &TokenView<'_>, _: &Exposure) {
    if let Some(at) = view.token.created_at {
        short_identity(to, &token::CREATED, view).value(at);
    }
}

fn last_used(to: &mut Writer, view: &TokenView<'_>, _: &Exposure) {
    if let LastUse::At(at) = view.token.last_used {
        short_identity(to, &token::LAST_USED, view).value(at);
    }
}

fn locations(to: &mut Writer, view: &TokenView<'_>, _: &Exposure) {
    // Two that read alike would be one series twice.
    let mut places: Vec<_> = view.locations.iter().filter(|place| place.is_stable()).map(ToString::to_string).collect();
    places.sort_unstable();
    places.dedup();
    for place in places {
        short_identity(to, &token::LOCATION, view).values([&*place]).value(1);
    }
}

fn renewal(to: &mut Writer, view: &TokenView<'_>, exposure: &Exposure) {
    if view.band.is_none() {
        return;
    }
    let page =
        exposure.external_url.as_ref().map(|url| url.token_page(view.source, &view.token.id)).unwrap_or_default();
    let steps = view.renewal().map(steps).unwrap_or_default();
    if !page.is_empty() || !steps.is_empty() {
        short_identity(to, &token::RENEWAL, view).values([&*page, &*steps]).value(1);
    }
}

/// The steps and the vendor's documentation, one per line: no line has a line break, so a template can divide them.
fn steps(renewal: &Renewal) -> String {
    let docs = renewal.docs.as_deref().and_then(web_url).map(|docs| format!("Documentation: {docs}"));
    renewal.steps.iter().cloned().chain(docs).collect::<Vec<_>>().join("\n")
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
