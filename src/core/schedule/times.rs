//! The times of the protocol.

use std::time::Duration;

/// The times of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// Between two looks at the store; a tenth more or less.
    pub poll: Duration,
    /// Of members and claims. Both are renewed three times as often.
    pub ttl: Duration,
    /// After this time a source that is due is collected by any replica, although another one is preferred.
    pub fallback: Duration,
    /// Whether nothing is collected while the store is lost.
    pub hold_when_lost: bool,
}

impl Times {
    /// A replica that has failed is replaced after 5.5 polls.
    pub fn new(poll: Duration, hold_when_lost: bool) -> Self {
        Self { poll, ttl: poll * 9 / 2, fallback: 3 * poll, hold_when_lost }
    }
}

impl Default for Times {
    fn default() -> Self {
        Self::new(Duration::from_secs(10), false)
    }
}
