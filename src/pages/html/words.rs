//! What states, findings and failures mean, in plain words.

use chrono::{DateTime, Utc};
use maud::{Markup, Render, html};

use crate::core::adjustment::Adjustment;
use crate::core::failure::Reason;
use crate::core::inventory::{Finding, TokenView};
use crate::core::lead::Band;
use crate::core::token::{Expiry, State};
use crate::pages::display::DUE_FOR_ROTATION;
use crate::pages::humanize::duration;

/// The time left, such as `in 3 days`.
pub(super) fn time_left(expires: Expiry, now: DateTime<Utc>) -> String {
    match expires {
        Expiry::Never => "never expires".to_owned(),
        Expiry::Unknown => "expiry unreadable".to_owned(),
        Expiry::At(at) if at <= now => format!("expired {} ago", duration(now - at)),
        Expiry::Policy(at) if at <= now => format!("due for rotation since {}", duration(now - at)),
        Expiry::Policy(at) => format!("rotation due in {}", duration(at - now)),
        Expiry::At(at) => format!("in {}", duration(at - now)),
    }
}

/// The class and text of a token's status.
pub(super) fn status(state: State, band: Option<Band>) -> (&'static str, &'static str) {
    match (state, band) {
        (State::Active, Some(Band::Expired)) => ("expired", DUE_FOR_ROTATION),
        (_, Some(band)) => (band.label(), band.label()),
        (State::Active, None) => ("good", "not due"),
        (state, None) => ("soft", state.label()),
    }
}

/// A sentence for people. What is between backticks is code.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sentence(&'static str);

impl Render for Sentence {
    fn render(&self) -> Markup {
        html! {
            @for (number, part) in self.0.split('`').enumerate() {
                @if number % 2 == 1 { code { (part) } } @else { (part) }
            }
        }
    }
}

/// Why a token never alerts.
pub(super) fn why_no_alert(view: &TokenView<'_>) -> Sentence {
    Sentence(match (view.state, view.expires) {
        (State::Disabled, _) => "It is disabled at its provider.",
        (State::Replaced, _) => "A newer token of the same kind, owner and name replaces it.",
        (_, Expiry::Never) => "It never expires.",
        (_, Expiry::Unknown) => "Its expiry is unreadable, which is a finding.",
        _ => "Its lifetime is shorter than `min_lifetime`, so it is renewed automatically.",
    })
}

/// A finding in words.
pub(super) fn finding_title(finding: Finding) -> &'static str {
    match finding {
        Finding::NeverExpires => "Never expires",
        Finding::LivesTooLong => "Lives too long",
        Finding::Unused => "Unused",
        Finding::UnreadableExpiry => "Unreadable expiry",
        Finding::NoOwner => "No owner",
        Finding::OwnerInactive => "Owner inactive",
        Finding::NotLocated => "Not located",
    }
}

/// What a finding means, and what to do.
pub(super) fn finding_meaning(finding: Finding) -> (Sentence, Sentence) {
    let (meaning, remedy) = match finding {
        Finding::NeverExpires => (
            "The token has no expiry. If it leaks, it works until somebody revokes it.",
            "Replace it with a token that expires, or set `rotate_after` on its source or in a rule.",
        ),
        Finding::LivesTooLong => (
            "The lifetime of the token exceeds `max_lifetime`.",
            "Replace it with a token that has a shorter lifetime.",
        ),
        Finding::Unused => (
            "Nobody has used the token for the time in `unused_after`.",
            "Ask its owner, and revoke it if nobody needs it.",
        ),
        Finding::UnreadableExpiry => (
            "The provider's value is not a date that the exporter can read, so the token cannot alert.",
            "Look up its expiry at the provider, and report the value to the maintainers of the definition.",
        ),
        Finding::NoOwner => (
            "The provider reports no owner, so nobody is notified.",
            "Find who uses the token, and set an owner in a rule.",
        ),
        Finding::OwnerInactive => (
            "The account of its owner is deactivated. Such a token stops working before it expires, or already has.",
            "Create a token of another account, and replace this one wherever it is used.",
        ),
        Finding::NotLocated => (
            "A rule requires a location (`must_be_located`), every place was searched, and the token is in none.",
            "Revoke it if nobody uses it, or write the place where it is used into `used_in` of a rule.",
        ),
    };
    (Sentence(meaning), Sentence(remedy))
}

/// What a failure means, and what to do.
pub(super) fn reason_meaning(reason: Reason) -> (Sentence, Sentence) {
    let (meaning, remedy) = match reason {
        Reason::Unauthorized => (
            "The provider rejects the exporter's credential.",
            "Check whether the credential has expired, and replace it.",
        ),
        Reason::Forbidden => ("The exporter's credential lacks a permission.", "Grant the missing permission."),
        Reason::NotFound => {
            ("The provider does not know the address.", "Check the URL and the settings of the source.")
        }
        Reason::RateLimited => (
            "The provider's rate limit is used up.",
            "Wait for the next collection; if it happens again, set a longer `interval`.",
        ),
        Reason::ServerError => ("The provider has an error of its own.", "Wait, and check the provider's status page."),
        Reason::Timeout => ("The provider did not respond in time.", "Check the network; a longer `timeout` may help."),
        Reason::Connect => {
            ("The provider cannot be reached.", "Check the URL, the name resolution, the network and the proxy.")
        }
        Reason::Tls => ("The provider's certificate is not trusted.", "Add its CA with `tls.ca_file`."),
        Reason::Redirect => {
            ("The provider redirects to a different origin.", "Set the URL of the source to the new address.")
        }
        Reason::TooLarge => ("The response is too large.", "Request fewer rows, or report it to the maintainers."),
        Reason::Decode => (
            "The response does not have the expected form.",
            "Check that the URL is that of the API; a login page or proxy may respond instead.",
        ),
        Reason::Mapping => {
            ("The provider returns malformed rows.", "Run `check --online`, and report it to the maintainers.")
        }
        Reason::Paging => ("The pages of the response repeat, or there are too many.", "Report it to the maintainers."),
        Reason::Credential => (
            "The exporter cannot read its credential.",
            "Check the file or the variable of `credential`, and its permissions.",
        ),
        Reason::Internal => ("The exporter has an error.", "See the log, and report it to the maintainers."),
    };
    (Sentence(meaning), Sentence(remedy))
}

/// What an adjustment means.
pub(super) fn adjustment_meaning(adjustment: Adjustment) -> &'static str {
    match adjustment {
        Adjustment::DuplicateId => "rows with the id of another row; the one that expires first counts",
        Adjustment::CleanedValue => "values without their control characters or surrounding blanks",
        Adjustment::CutValue => "values that were truncated",
        Adjustment::UnreadField => "unreadable fields that were omitted",
        Adjustment::RefusedAddress => "owners without exactly one valid address",
        Adjustment::HiddenAddress => "owners' names of whose addresses only the part before the @ is shown",
        Adjustment::AmbiguousOwner => "owners that several entries of the directory match, so none counts",
        Adjustment::CutLocations => {
            "locations over a limit that were dropped, and logs that were not read to their last known entry"
        }
        Adjustment::HiddenValues => "places that were not searched, because the provider does not return their values",
    }
}
