//! The families of single tokens.

use super::Labels;
use super::families::{Family, token};
use super::label;
use super::text::{Sample, Writer};
use crate::core::inventory::TokenView;
use crate::core::token::LastUse;

pub(super) fn write(to: &mut Writer, tokens: &[TokenView<'_>], labels: Labels) {
    for view in tokens {
        if let Some(at) = view.expires.timestamp() {
            identity(to, &token::EXPIRY, view, labels).value(at);
        }
    }
    for view in tokens {
        if let (Some(band), Some(at)) = (view.band, view.expires.timestamp()) {
            let email = labels.owner_email(view);
            let manage_url = view.token.manage_url.as_deref().unwrap_or_default();
            identity(to, &token::DUE, view, labels)
                .values([band.label(), view.expires.label(), manage_url, email.unwrap_or_default()])
                .value(at);
        }
    }
    for view in tokens {
        for finding in &view.findings {
            identity(to, &token::FINDING, view, labels).values([finding.label()]).value(1);
        }
    }
    for view in tokens {
        identity(to, &token::INFO, view, labels).values([view.state.label(), view.expires.label()]).value(1);
    }
    for view in tokens {
        if let Some(at) = view.token.created_at {
            short_identity(to, &token::CREATED, view).value(at);
        }
    }
    for view in tokens {
        if let LastUse::At(at) = view.token.last_used {
            short_identity(to, &token::LAST_USED, view).value(at);
        }
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
