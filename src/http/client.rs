//! A source's client: sends one request and returns one response, or one failure.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use http::header::HeaderMap;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep, timeout_at};
use url::Url;

pub use super::message::{Body, Request, Response};
pub use super::options::Options;

use super::error::TransportError;
use super::limit::Limits;
use super::retry::{attempts, delay, is_retryable};
use super::transport::Transport;
use super::{message, quota, redact, redirect, tls};
use crate::core::certificates::TlsMaterial;
use crate::core::clock::{Clock, Jitter};
use crate::core::failure::{Failure, Reason};
use crate::core::outcome::RateLimit;
use crate::core::secret::Secret;

/// A client. It has no `Debug`, as its options may contain a proxy's password.
pub struct Client {
    options: Options,
    /// For times that a provider reports: a reset, a date.
    clock: Clock,
    jitter: Jitter,
    limits: Limits,
    connections: Mutex<Connections>,
    usage: Mutex<Usage>,
}

/// The headers that depend on the URL or the time of an attempt: a signature, and those that only one origin may receive.
pub type Sign<'a> = &'a (dyn Fn(&Url) -> Vec<(String, Secret)> + Send + Sync);

/// Why a response is a failure although its status does not say so, or says something else.
pub type StateReason<'a> = &'a (dyn Fn(&Response) -> Option<Reason> + Send + Sync);

/// The connections, and the certificates that they use.
struct Connections {
    certificates: TlsMaterial,
    transport: Arc<Transport>,
}

/// The requests that a client sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Requests by status, including retries and redirects; 0 without a complete response.
    pub requests: BTreeMap<u16, u64>,
    /// As last reported by the provider.
    pub rate_limit: Option<RateLimit>,
}

impl Client {
    /// # Errors
    /// If the certificates or the proxy are invalid.
    pub fn new(options: Options, clock: Clock) -> Result<Self, String> {
        let certificates = options.certificates.read().map_err(|failure| failure.what)?;
        let transport = Arc::new(Transport::new(&options, &certificates)?);
        Ok(Self {
            limits: Limits::new(options.concurrency, options.rate),
            connections: Mutex::new(Connections { certificates, transport }),
            usage: Mutex::default(),
            jitter: Arc::new(rand::random::<f64>),
            options,
            clock,
        })
    }

    /// Replaces the jitter of retries.
    #[must_use]
    pub fn with_jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// Reads the certificates. If they changed, new connections use them.
    ///
    /// # Errors
    /// Reason `tls`, or `credential` for a kubeconfig, if they are unreadable or invalid. The previous ones stay in use.
    pub fn reload_certificates(&self) -> Result<(), Failure> {
        let certificates = self.options.certificates.read()?;
        let mut connections = self.connections.lock();
        if connections.certificates != certificates {
            let transport = Transport::new(&self.options, &certificates);
            let transport = Arc::new(transport.map_err(|error| Failure::new(Reason::Tls, error))?);
            *connections = Connections { certificates, transport };
        }
        Ok(())
    }

    /// Sends a request and retries it if it may help. If the delay of a retry would exceed the deadline, returns the result
    /// of the last attempt at once.
    ///
    /// # Errors
    /// If there is no complete response. A response with any status is not an error.
    pub async fn send(&self, request: &Request, deadline: Instant) -> Result<Response, Failure> {
        self.send_signed(request, &|_| Vec::new(), &|_| None, deadline).await
    }

    /// The same, with a signature that is made for each attempt right before it is sent: the vendors refuse one that is a minute
    /// old, or that they saw before. It is also retried if a temporary reason is stated for its response.
    ///
    /// # Errors
    /// As above.
    pub async fn send_signed(
        &self,
        request: &Request,
        sign: Sign<'_>,
        state_reason: StateReason<'_>,
        deadline: Instant,
    ) -> Result<Response, Failure> {
        let headers = request.header_map()?;
        let mut sent = 0;
        let mut previous = None;
        loop {
            let mut result = self.attempt(request, &headers, sign, deadline).await;
            let is_unsent = matches!(&result, Err(error) if !error.sent);
            sent += u32::from(!is_unsent);
            if let Ok(response) = &mut result {
                response.attempts = sent;
                response.is_temporary = request.retry.contains(&response.status);
                response.stated_reason = state_reason(response);
            }
            let delay = self.delay_after(&result, sent).filter(|_| sent <= self.options.retries);
            let Some(delay) = delay.filter(|delay| Instant::now() + *delay < deadline) else {
                // An attempt that was not sent says less than the one before it.
                let last = previous.filter(|_| is_unsent).unwrap_or(result);
                return last.map_err(|error| match sent {
                    0 => request.failure(error.reason, &error.what),
                    _ => request.failure(error.reason, &format!("{} after {}", error.what, attempts(sent))),
                });
            };
            tracing::debug!(url = redact::url(&request.url), attempts = sent, ?delay, "retrying");
            previous = Some(result);
            sleep(delay).await;
        }
    }

    /// From when to when the client certificate is valid, if there is one.
    pub fn certificate_validity(&self) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        tls::validity(self.connections.lock().certificates.identity.as_ref()?.expose())
    }

    /// The requests since the last call.
    pub fn take_usage(&self) -> Usage {
        std::mem::take(&mut *self.usage.lock())
    }

    /// The delay of a retry, if it may help. If the provider's rate limit is exceeded, it blocks all other requests too.
    fn delay_after(&self, result: &Result<Response, TransportError>, sent: u32) -> Option<Duration> {
        let (reason, requested) = match result {
            Ok(response) => {
                let reason = response.failure_reason()?;
                let now = quota::server_time(&response.headers).unwrap_or_else(|| (self.clock)());
                (reason, quota::requested_delay(reason, &response.headers, now))
            }
            // One retry, as during a restart: `check` and `list` then report it within a second.
            Err(error) if error.refused && sent > 1 => return None,
            Err(error) if error.sent => (error.reason, None),
            Err(_) => return None,
        };
        if !is_retryable(reason) {
            return None;
        }
        let delay = delay(sent, requested, self.options.max_retry_delay, (self.jitter)());
        if reason == Reason::RateLimited {
            self.limits.block_until(Instant::now() + delay);
        }
        Some(delay)
    }

    /// One attempt, including redirects.
    async fn attempt(
        &self,
        request: &Request,
        headers: &HeaderMap,
        sign: Sign<'_>,
        deadline: Instant,
    ) -> Result<Response, TransportError> {
        let mut url = request.url.clone();
        for _ in 0..=redirect::MAX_REDIRECTS {
            let response = self.exchange(request, &url, headers, sign, deadline).await?;
            match redirect::target(&request.method, &url, response.status, &response.headers)? {
                Some(target) => url = target,
                None => return Ok(response),
            }
        }
        Err(TransportError::new(Reason::Redirect, format!("more than {} redirects", redirect::MAX_REDIRECTS)))
    }

    /// Waits for the limits, signs and sends a request, reads the response, and counts it.
    async fn exchange(
        &self,
        request: &Request,
        url: &Url,
        headers: &HeaderMap,
        sign: Sign<'_>,
        deadline: Instant,
    ) -> Result<Response, TransportError> {
        let _permit = self.limits.acquire(deadline).await?;
        let headers = &message::with_secrets(headers, &sign(url))?;
        let timeout = Instant::now() + self.options.request_timeout;
        let transport = Arc::clone(&self.connections.lock().transport);
        let exchange = transport.exchange(request, url, headers, self.options.body_limit);
        let result = timeout_at(timeout.min(deadline), exchange).await.unwrap_or_else(|_| {
            let what = if timeout < deadline {
                format!("no response within {:?}", self.options.request_timeout)
            } else {
                "no response before the deadline".to_owned()
            };
            Err(TransportError::new(Reason::Timeout, what))
        });
        let mut usage = self.usage.lock();
        *usage.requests.entry(result.as_ref().map_or(0, |response| response.status)).or_insert(0) += 1;
        if let Some(limit) = result.as_ref().ok().and_then(|response| quota::rate_limit(&response.headers)) {
            usage.rate_limit = Some(limit);
        }
        result
    }
}
