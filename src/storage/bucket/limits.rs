//! How long a request may take.

use std::time::Duration;

/// The time of one request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// One attempt.
    pub(super) request: Duration,
    /// All attempts, and all pages of a list.
    pub(super) total: Duration,
}

/// For states, members and lists. A claim lasts 45 seconds, and is renewed every 15.
pub(super) const SMALL: Limits = Limits { request: Duration::from_secs(5), total: Duration::from_secs(8) };

/// For tokens: a million of one source are about 25 MB.
pub(super) const LARGE: Limits = Limits { request: Duration::from_secs(30), total: Duration::from_secs(40) };

/// Objects from this size on are large.
pub(super) const LARGE_SIZE: u64 = 256 * 1024;
