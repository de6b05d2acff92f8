//! One client per source: it sends one request and brings one reply, or one failure.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use http::header::HeaderMap;
use parking_lot::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep, timeout_at};
use url::Url;

pub use super::message::{Body, Reply, Request};
pub use super::options::Options;

use super::error::TransportError;
use super::exchange::{Answer, exchange};
use super::limit::Limits;
use super::transport::Transport;
use super::{quota, redact, redirect, retry};
use crate::core::certificates::TlsMaterial;
use crate::core::clock::{Clock, Jitter};
use crate::core::failure::{Failure, Reason};
use crate::core::outcome::RateLimit;

/// A client.
pub struct Client {
    options: Options,
    clock: Clock,
    jitter: Jitter,
    limits: Limits,
    connections: Mutex<Connections>,
    usage: Mutex<Usage>,
}

/// The connections, and what they were made with.
struct Connections {
    trust: TlsMaterial,
    transport: Arc<Transport>,
}

/// What a client has cost its provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Requests by status; 0 without a whole answer. Every attempt and every redirection counts.
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
        let trust = options.certificates.read().map_err(|failure| failure.what)?;
        let transport = Arc::new(Transport::new(&options, &trust)?);
        Ok(Self {
            limits: Limits::new(options.concurrency, options.rate),
            connections: Mutex::new(Connections { trust, transport }),
            usage: Mutex::default(),
            jitter: Arc::new(rand::random::<f64>),
            options,
            clock,
        })
    }

    /// The same client with its jitter from elsewhere: a number from 0 (no wait of its own) to 1 (the longest).
    #[must_use]
    pub fn with_jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// Reads the certificates anew. Where they are others than before, connections are made with them from now on.
    ///
    /// # Errors
    /// Reason `tls`, where they cannot be read or used. Then nothing has changed.
    pub fn renew_certificates(&self) -> Result<(), Failure> {
        let trust = self.options.certificates.read()?;
        let mut connections = self.connections.lock();
        if connections.trust != trust {
            let made = Transport::new(&self.options, &trust);
            let transport = Arc::new(made.map_err(|sentence| Failure::new(Reason::Tls, sentence))?);
            *connections = Connections { trust, transport };
        }
        Ok(())
    }

    /// Sends a request, and again as often as manners allow, but never past the deadline.
    ///
    /// A wait that would pass the deadline is not begun: what came of the last attempt is returned at once.
    ///
    /// # Errors
    /// A failure where no whole answer came. A refusal is no failure: it is a reply.
    pub async fn send(&self, request: &Request, deadline: Instant) -> Result<Reply, Failure> {
        let headers = request.header_map()?;
        let mut attempts = 0;
        let mut before = None;
        loop {
            let came = self.attempt(request, &headers, deadline).await;
            let unsent = matches!(&came, Err(fault) if !fault.sent);
            attempts += u32::from(!unsent);
            let reply = came.map(|answer| answer.reply(attempts));
            let wait = self.wait_after(&reply, attempts).filter(|_| attempts <= self.options.retries);
            let Some(wait) = wait.filter(|wait| Instant::now() + *wait < deadline) else {
                // An attempt that found no turn says less than the one before it.
                let last = before.filter(|_| unsent).unwrap_or(reply);
                return last.map_err(|fault| told(request, &fault, attempts));
            };
            tracing::debug!(url = redact::url(&request.url), attempts, ?wait, "to be sent again");
            before = Some(reply);
            sleep(wait).await;
        }
    }

    /// What was sent since this was last asked.
    pub fn take_usage(&self) -> Usage {
        std::mem::take(&mut *self.usage())
    }

    /// How long to wait after this, if another attempt may help. The other requests of a client that is told to slow
    /// down wait too.
    fn wait_after(&self, reply: &Result<Reply, TransportError>, attempts: u32) -> Option<std::time::Duration> {
        let (reason, told) = match reply {
            Ok(reply) => {
                let reason = reply.refusal()?;
                let now = quota::date(&reply.headers).unwrap_or_else(|| (self.clock)());
                (reason, quota::wait(reason, &reply.headers, now))
            }
            Err(fault) if fault.sent => (fault.reason, None),
            Err(_) => return None,
        };
        if !retry::may_help(reason) {
            return None;
        }
        let wait = retry::wait(attempts, told, self.options.longest_wait, (self.jitter)());
        if reason == Reason::RateLimited {
            self.limits.block_until(Instant::now() + wait);
        }
        Some(wait)
    }

    /// One attempt, with what it is redirected to.
    async fn attempt(
        &self,
        request: &Request,
        headers: &HeaderMap,
        deadline: Instant,
    ) -> Result<Answer, TransportError> {
        let mut url = request.url.clone();
        for _ in 0..=redirect::MOST {
            let answer = self.exchange(request, &url, headers, deadline).await?;
            match redirect::next(&request.method, &url, answer.status, &answer.headers)? {
                Some(next) => url = next,
                None => return Ok(answer),
            }
        }
        Err(TransportError::new(Reason::Redirect, format!("redirected more than {} times", redirect::MOST)))
    }

    /// Takes a turn, sends, reads, counts.
    async fn exchange(
        &self,
        request: &Request,
        url: &Url,
        headers: &HeaderMap,
        deadline: Instant,
    ) -> Result<Answer, TransportError> {
        let _permit = self.limits.acquire(deadline).await?;
        let until = Instant::now() + self.options.request_timeout;
        let transport = Arc::clone(&self.connections.lock().transport);
        let exchange =
            exchange(transport.to(url), &request.method, url, headers, request.body.bytes(), self.options.body_limit);
        let came = timeout_at(until.min(deadline), exchange).await.unwrap_or_else(|_| Err(self.late(until < deadline)));
        self.count(&came);
        came
    }

    fn late(&self, in_time: bool) -> TransportError {
        let limit = self.options.request_timeout;
        let what = if in_time { format!("no answer within {limit:?}") } else { "no answer before the deadline".into() };
        TransportError::new(Reason::Timeout, what)
    }

    fn count(&self, came: &Result<Answer, TransportError>) {
        let mut usage = self.usage();
        *usage.requests.entry(came.as_ref().map_or(0, |answer| answer.status)).or_insert(0) += 1;
        if let Some(limit) = came.as_ref().ok().and_then(|answer| quota::rate_limit(&answer.headers)) {
            usage.rate_limit = Some(limit);
        }
    }

    fn usage(&self) -> MutexGuard<'_, Usage> {
        self.usage.lock()
    }
}

impl Answer {
    fn reply(self, attempts: u32) -> Reply {
        Reply { status: self.status, headers: self.headers, body: self.body, attempts, url: self.url }
    }
}

/// `GET https://h/p: no answer within 30s after 4 attempts`.
fn told(request: &Request, fault: &TransportError, attempts: u32) -> Failure {
    match attempts {
        0 => request.failure(fault.reason, &fault.what),
        _ => request.failure(fault.reason, &format!("{} after {}", fault.what, redact::attempts(attempts))),
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Client").field("options", &self.options).finish_non_exhaustive()
    }
}
