//! What the simulated tokens show, and what the exporter must make of each.

use serde::Serialize;

use crate::core::inventory::Finding;
use crate::core::lead::Band;
use crate::core::token::State;

/// What one token is there to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum DemoScenario {
    /// In use, expires outside its lead time.
    Healthy,
    /// Expires within weeks.
    Warning,
    /// Expires within days.
    Critical,
    /// Expired, and still listed.
    Expired,
    /// Expires a few seconds after the start, and is no longer listed from then on.
    Departing,
    /// Expires soon, but a newer token with the same name exists.
    Replaced,
    /// Never expires.
    Never,
    /// Never expires, but a rule of the configuration requires rotation within weeks.
    RotateSoon,
    /// Lives for an hour and is renewed continuously.
    ShortLived,
    /// Last used months ago.
    Unused,
    /// Has no owner.
    NoOwner,
    /// Blocked by an administrator.
    Disabled,
    /// Has an expiry that cannot be parsed.
    UnreadableExpiry,
    /// Has a lifetime of more than a year.
    LivesTooLong,
    /// A row without an id.
    Malformed,
    /// Its name ends in a line break.
    UnsafeName,
    /// A personal session, which a rule of the configuration drops.
    Session,
}

/// What the exporter must show for a token.
pub(super) struct Expectation {
    pub(super) state: State,
    pub(super) expiry: &'static str,
    pub(super) band: Option<Band>,
    pub(super) finding: Option<Finding>,
}

impl DemoScenario {
    /// `None` if the token is not shown: a malformed row, or one that a rule drops.
    pub(super) fn expected(self) -> Option<Expectation> {
        use DemoScenario as Is;
        let (state, expiry, band, finding) = match self {
            Is::Healthy | Is::ShortLived | Is::UnsafeName => (State::Active, "at", None, None),
            Is::Warning => (State::Active, "at", Some(Band::Warning), None),
            Is::Critical => (State::Active, "at", Some(Band::Critical), None),
            Is::Expired | Is::Departing => (State::Expired, "at", Some(Band::Expired), None),
            Is::Replaced => (State::Replaced, "at", None, None),
            Is::Disabled => (State::Disabled, "at", None, None),
            Is::Never => (State::Active, "never", None, Some(Finding::NeverExpires)),
            Is::RotateSoon => (State::Active, "policy", Some(Band::Warning), None),
            Is::UnreadableExpiry => (State::Active, "unknown", None, Some(Finding::UnreadableExpiry)),
            Is::Unused => (State::Active, "at", None, Some(Finding::Unused)),
            Is::NoOwner => (State::Active, "at", None, Some(Finding::NoOwner)),
            Is::LivesTooLong => (State::Active, "at", None, Some(Finding::LivesTooLong)),
            Is::Malformed | Is::Session => return None,
        };
        Some(Expectation { state, expiry, band, finding })
    }
}
