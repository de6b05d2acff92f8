//! How a client behaves.

use std::time::Duration;

use url::Url;

use crate::core::certificates::SharedCertificates;

#[derive(Clone)]
pub struct Options {
    pub connect_timeout: Duration,
    /// For one attempt, until its response is complete.
    pub request_timeout: Duration,
    /// The maximum size of a response body, after decompression, in bytes.
    pub body_limit: usize,
    /// Attempts after the first one.
    pub retries: u32,
    /// The maximum delay of a retry, also if the provider requests a longer one.
    pub max_retry_delay: Duration,
    /// The maximum number of requests in flight; at least one.
    pub concurrency: usize,
    /// The maximum number of requests per time.
    pub rate: Option<(u32, Duration)>,
    /// CA bundle and client certificate.
    pub certificates: SharedCertificates,
    /// Replaces the proxy of the environment. May contain a user name and password.
    pub proxy: Option<Url>,
}
