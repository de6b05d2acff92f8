//! A source as the schedule needs it.

use std::time::Duration;

/// A configured source, as far as the schedule needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub name: String,
    pub interval: Duration,
    /// The settings. Another replica may have others while a configuration is rolled out.
    pub fingerprint: String,
}
