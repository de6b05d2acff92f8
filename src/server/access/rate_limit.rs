//! `rate_limit` of the web configuration, for all clients together.

use std::time::Duration;

/// `rate_limit` as configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    /// The time between two requests.
    pub(super) interval: Duration,
    /// Requests that may arrive at once.
    pub(super) burst: u32,
}
