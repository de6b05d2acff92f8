//! The families of single tokens.

use super::Labels;
use super::families::token;
use super::label;
use super::text::{Sample, Writer};
use crate::core::inventory::TokenView;
use crate::core::token::LastUse;

/// The tokens, each identifier of a source once: the same series twice would cost the whole scrape. The inventory sees to
/// that already, and hands them out in the order of source and identifier.
pub(super) fn without_repeats<'a>(tokens: impl Iterator<Item = TokenView<'a>>) -> Vec<TokenView<'a>> {
    let mut known: Vec<TokenView<'a>> = Vec::new();
    for view in tokens {
        if known.last().is_none_or(|last| (last.source, &last.token.id) != (view.source, &view.token.id)) {
            known.push(view);
        }
    }
    known
}

/// Writes the families of single tokens.
pub(super) fn write(to: &mut Writer, tokens: &[TokenView<'_>], labels: Labels) {
    to.family(&token::EXPIRY);
    for view in tokens {
        if let Some(at) = view.expires.timestamp() {
            identity(to.sample(token::EXPIRY.name), view, labels).instant(at);
        }
    }
    to.family(&token::DUE);
    for view in tokens {
        if let (Some(band), Some(at)) = (view.band, view.expires.timestamp()) {
            let sample = identity(to.sample(token::DUE.name), view, labels)
                .label("band", band.label())
                .label("expiry", view.expires.label())
                .label("token_manage_url", view.token.manage_url.as_deref().unwrap_or_default());
            let email = view.owner.and_then(|owner| owner.email.as_deref()).filter(|_| labels.owner_email);
            sample.label("token_owner_email", email.unwrap_or_default()).instant(at);
        }
    }
    to.family(&token::FINDING);
    for view in tokens {
        for finding in &view.findings {
            identity(to.sample(token::FINDING.name), view, labels).label("finding", finding.label()).count(1);
        }
    }
    to.family(&token::INFO);
    for view in tokens {
        identity(to.sample(token::INFO.name), view, labels)
            .label("state", view.state.label())
            .label("expiry", view.expires.label())
            .count(1);
    }
    to.family(&token::CREATED);
    for view in tokens {
        if let Some(at) = view.token.created_at {
            short_identity(to.sample(token::CREATED.name), view).instant(at);
        }
    }
    to.family(&token::LAST_USED);
    for view in tokens {
        if let LastUse::At(at) = view.token.last_used {
            short_identity(to.sample(token::LAST_USED.name), view).instant(at);
        }
    }
}

fn short_identity<'w>(sample: Sample<'w>, view: &TokenView<'_>) -> Sample<'w> {
    sample.label("source", view.source).label("provider", view.provider).label("token_id", &view.token.id)
}

fn identity<'w>(sample: Sample<'w>, view: &TokenView<'_>, labels: Labels) -> Sample<'w> {
    let owner = view.owner.and_then(|owner| owner.label()).filter(|_| labels.owner);
    let mut sample = short_identity(sample, view)
        .label("token_kind", &view.token.kind)
        .label("token_name", &view.token.name)
        .label("token_owner", owner.unwrap_or_default());
    for (name, value) in view.labels {
        if label::is_free(name) {
            sample = sample.label(name, value);
        }
    }
    sample
}
