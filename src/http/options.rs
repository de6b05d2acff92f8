//! How a client behaves.

use std::fmt;
use std::time::Duration;

use url::Url;

use super::redact;
use crate::core::certificates::SharedCertificates;

/// How a client behaves.
#[derive(Clone)]
pub struct Options {
    /// For a connection to be made.
    pub connect_timeout: Duration,
    /// For one attempt, from its first byte to its last.
    pub request_timeout: Duration,
    /// The largest body, after decompression, in bytes.
    pub body_limit: usize,
    /// Attempts beyond the first.
    pub retries: u32,
    /// The longest wait before another attempt, whoever asks for it. A provider that asks for more is asked again then.
    pub longest_wait: Duration,
    /// Requests under way at once; at least one.
    pub concurrency: usize,
    /// So many requests in so long a time.
    pub rate: Option<(u32, Duration)>,
    /// Whom to trust beside the system's authorities, and as whom to come.
    pub certificates: SharedCertificates,
    /// A proxy, instead of the environment's. Its URL may carry a name and a password.
    pub proxy: Option<Url>,
}

impl fmt::Debug for Options {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Options")
            .field("connect_timeout", &self.connect_timeout)
            .field("request_timeout", &self.request_timeout)
            .field("body_limit", &self.body_limit)
            .field("retries", &self.retries)
            .field("longest_wait", &self.longest_wait)
            .field("concurrency", &self.concurrency)
            .field("rate", &self.rate)
            .field("proxy", &self.proxy.as_ref().map(redact::url))
            .finish_non_exhaustive()
    }
}
