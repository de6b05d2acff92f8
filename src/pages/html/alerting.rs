//! When a token alerts, and whom.

use maud::{Markup, html};

use super::context::Context;
use super::layout::date;
use super::words::why_no_alert;
use crate::core::inventory::TokenView;
use crate::core::lead::{Band, Bands, renews_before};
use crate::core::owners::TEAM_LABEL;
use crate::core::token::Expiry;
use crate::pages::humanize::duration;

/// The times at which a token changes its band, and the receivers that the example routes of Alertmanager choose.
pub(super) fn section(context: &Context<'_>, view: &TokenView<'_>) -> Markup {
    html! {
        section aria-labelledby="alerts" {
            h2 #alerts { "When it alerts" }
            @match &view.bands {
                None => p { "It does not alert. " (why_no_alert(view)) },
                Some(bands) => {
                    (timeline(context, view, bands))
                    (receivers(context, view))
                }
            }
        }
    }
}

fn timeline(context: &Context<'_>, view: &TokenView<'_>, bands: &Bands) -> Markup {
    let is_policy = matches!(view.expires, Expiry::Policy(_));
    let last = if is_policy { "Due for rotation" } else { "Expired" };
    let steps = [
        (Band::Warning, "Warning", bands.warning),
        (Band::Critical, "Critical", bands.critical),
        (Band::Expired, last, bands.expired),
    ];
    html! {
        ol.timeline {
            @for (band, label, at) in steps {
                @let is_past = at <= context.now;
                li class=[is_past.then(|| band.label())] aria-current=[(view.band == Some(band)).then_some("step")] {
                    strong { (label) } " from " (date(at, context.now))
                    @if view.band == Some(band) { " " span.soft { "— now" } }
                }
            }
        }
        p.soft {
            "Its lead is " (duration(bands.expired - bands.warning)) ", and critical for " (duration(bands.expired - bands.critical)) ". "
            "A lead is at most a third of the lifetime, and a tenth for critical. "
            @if let Some(before) = renews_before(view.token, view.expires) {
                "Its provider renews it by itself " (duration(before)) " before it expires, so it is due only if that is overdue. "
            }
            @if is_policy { "A rotation that `rotate_after` requires never pages: it is at most a warning." }
        }
    }
}

fn receivers(context: &Context<'_>, view: &TokenView<'_>) -> Markup {
    let address = context.labels.owner_email(view);
    let team = view.labels.get(TEAM_LABEL);
    html! {
        h3 { "Whom it notifies" }
        @if !context.state.page.alerts_on(view.source) {
            p.notice { "Nobody: the configuration exposes no series of single tokens, so Prometheus has nothing to alert on." }
        } @else {
            ul {
                @match address {
                    Some(address) => li { "Owner: a mail to " strong { (address) } "." },
                    None if !context.labels.owner_email => li { "Owner: no mail, since " code { "labels: {owner_email: true}" } " is not set. The fallback receiver is notified instead." },
                    None => li { "Owner: no address is known, so the fallback receiver is notified. Add one to " code { "owners" } "." },
                }
                @match team {
                    Some(team) => li { "Team " strong { (team) } ": each warning." },
                    None => li { "No team: warnings go to the fallback receiver." },
                }
                @if !matches!(view.expires, Expiry::Policy(_)) { li { "On-call: a page, when it is critical." } }
            }
            p.soft { "These are the receivers of the example routes; your Alertmanager decides." }
        }
    }
}
