//! The stories that the invented tokens tell, and what each must come to.

use serde::Serialize;

use crate::core::inventory::Finding;
use crate::core::lead::Band;
use crate::core::token::State;

/// What one token is there to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum DemoScenario {
    /// In use, and far from its end.
    Healthy,
    /// In use, and within weeks of its end.
    Warning,
    /// In use, and within days of its end.
    Critical,
    /// Past its end, and still listed.
    Expired,
    /// It ends a few seconds after the start, and is no longer listed from then on.
    Departing,
    /// Near its end, but its successor is in place.
    Replaced,
    /// It has no end.
    Never,
    /// It has no end, but a rule of the configuration wants it renewed within weeks.
    RotateSoon,
    /// It lives for an hour, and is renewed all the time.
    ShortLived,
    /// Nobody has used it for months.
    Unused,
    /// Nobody knows whose it is.
    Orphan,
    /// Blocked by an administrator.
    Disabled,
    /// Its end cannot be read.
    Unreadable,
    /// It was given more than a year.
    LivesTooLong,
    /// A row without an identifier.
    Odd,
    /// Its name was pasted with a line break behind it.
    Scrawled,
    /// A session of a person, which a rule of the configuration leaves out.
    Session,
}

/// What a story must come to, where a token is to be seen.
pub(super) struct Expectation {
    pub(super) state: State,
    pub(super) expiry: &'static str,
    pub(super) band: Option<Band>,
    pub(super) finding: Option<Finding>,
}

impl DemoScenario {
    /// What the exporter must make of it; nothing of an odd row and of what a rule leaves out.
    pub(super) fn sense(self) -> Option<Expectation> {
        let active = Expectation { state: State::Active, expiry: "at", band: None, finding: None };
        let found = |finding| Some(Expectation { finding: Some(finding), ..active });
        match self {
            Self::Healthy | Self::ShortLived | Self::Scrawled => Some(active),
            Self::Warning => Some(Expectation { band: Some(Band::Warning), ..active }),
            Self::Critical => Some(Expectation { band: Some(Band::Critical), ..active }),
            Self::Expired | Self::Departing => {
                Some(Expectation { state: State::Expired, band: Some(Band::Expired), ..active })
            }
            Self::Replaced => Some(Expectation { state: State::Replaced, ..active }),
            Self::Disabled => Some(Expectation { state: State::Disabled, ..active }),
            Self::Never => Some(Expectation { expiry: "never", finding: Some(Finding::NeverExpires), ..active }),
            Self::RotateSoon => Some(Expectation { expiry: "policy", band: Some(Band::Warning), ..active }),
            Self::Unreadable => {
                Some(Expectation { expiry: "unknown", finding: Some(Finding::UnreadableExpiry), ..active })
            }
            Self::Unused => found(Finding::Unused),
            Self::Orphan => found(Finding::NoOwner),
            Self::LivesTooLong => found(Finding::LivesTooLong),
            Self::Odd | Self::Session => None,
        }
    }
}
