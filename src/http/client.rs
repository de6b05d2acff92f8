//! One client per source: it sends one request and brings one reply, or one failure.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;
use url::Url;

use crate::core::failure::{Failure, Reason};
use crate::core::outcome::RateLimit;
use crate::core::secret::Secret;

/// Where the time comes from. Only what a vendor tells in wall time (a reset, a date) needs it.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// How a client behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// For a connection to be made.
    pub connect_timeout: Duration,
    /// For one attempt, from its first byte to its last.
    pub request_timeout: Duration,
    /// The largest body, after decompression, in bytes.
    pub body_limit: usize,
    /// Attempts beyond the first.
    pub retries: u32,
    /// The longest that a vendor may make a request wait.
    pub longest_wait: Duration,
    /// Requests under way at once.
    pub concurrency: usize,
    /// So many requests in so long a time.
    pub rate: Option<(u32, Duration)>,
    /// Certificates to trust beside the system's, PEM.
    pub ca: Option<Vec<u8>>,
    /// A client certificate and its key, PEM.
    pub identity: Option<Secret>,
    /// A proxy, instead of the environment's.
    pub proxy: Option<Url>,
}

/// A request. It has no `Debug` that shows headers or body.
#[derive(Clone)]
pub struct Request {
    /// GET or POST.
    pub method: http::Method,
    /// Where to.
    pub url: Url,
    /// Headers without secrets.
    pub headers: Vec<(String, String)>,
    /// Headers that carry the credential.
    pub credential: Vec<(String, Secret)>,
    /// The body.
    pub body: Body,
}

/// A request's body.
#[derive(Clone)]
pub enum Body {
    /// None.
    Empty,
    /// JSON. May hold a secret.
    Json(serde_json::Value),
    /// A form. May hold a secret.
    Form(Vec<(String, String)>),
}

/// A reply of any status; its body is whole and within the limit.
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: http::HeaderMap,
    /// The body, decompressed.
    pub body: Vec<u8>,
    /// Attempts it took, for messages.
    pub attempts: u32,
    /// The URL that answered.
    pub url: Url,
}

impl Reply {
    /// Why this is no answer: every status other than 200 and 206.
    pub fn refusal(&self) -> Option<Reason> {
        todo!()
    }
}

/// A client.
pub struct Client {}

/// What a client has cost its provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Requests by status; 0 without an answer.
    pub requests: BTreeMap<u16, u64>,
    /// The rate limit as last told.
    pub rate_limit: Option<RateLimit>,
}

impl Client {
    /// A client.
    ///
    /// # Errors
    /// A sentence, where certificates or the proxy cannot be used.
    pub fn new(options: Options, clock: Clock) -> Result<Self, String> {
        todo!("{options:?} {}", clock())
    }

    /// Sends a request, and again as often as manners allow, but never past the deadline.
    ///
    /// # Errors
    /// A failure where no whole answer came. A refusal is no failure: it is a reply.
    pub async fn send(&self, request: &Request, deadline: Instant) -> Result<Reply, Failure> {
        todo!("{} {deadline:?}", request.url)
    }

    /// What was sent since this was last asked.
    pub fn take_usage(&self) -> Usage {
        todo!()
    }
}
