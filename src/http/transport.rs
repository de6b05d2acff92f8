//! Connections, with their certificates and proxy, and one request over them.

use std::time::Duration;

use http::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};
use url::{Host, Url};

use super::error::{TransportError, root_cause};
use super::message::{Request, Response};
use super::no_proxy::NoProxy;
use super::options::Options;
use super::{content_coding, tls};
use crate::core::certificates::TlsMaterial;

const USER_AGENT: &str = concat!("token-expiry-exporter/", env!("CARGO_PKG_VERSION"));

/// When a connection that is not used is closed. The buffers of one take half a megabyte, and the next collection is minutes away;
/// within a collection connections are used again at once.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);

/// The connections of one client.
pub(super) struct Transport {
    clients: reqwest::Client,
    /// Without the environment's proxy, for `NO_PROXY` and for loopback addresses, which the proxy cannot reach; as in Go's
    /// `net/http`, and so in every other exporter. A configured proxy is always used.
    direct: reqwest::Client,
    no_proxy: NoProxy,
}

impl Transport {
    /// # Errors
    /// If the certificates or the proxy are invalid.
    pub(super) fn new(options: &Options, certificates: &TlsMaterial) -> Result<Self, String> {
        // An error means that it was installed before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let tls = tls::client_config(certificates)?;
        let builder = || builder(options, tls.clone());
        Ok(match &options.proxy {
            Some(proxy) => {
                let clients = build(builder().proxy(parse_proxy(proxy)?))?;
                Self { direct: clients.clone(), clients, no_proxy: NoProxy::default() }
            }
            None => {
                Self { direct: build(builder().no_proxy())?, clients: build(builder())?, no_proxy: NoProxy::from_env() }
            }
        })
    }

    /// Sends a request to `url`, which may be a redirect target, and reads at most `limit` bytes of the response's body.
    pub(super) async fn exchange(
        &self,
        request: &Request,
        url: &Url,
        headers: &HeaderMap,
        limit: usize,
    ) -> Result<Response, TransportError> {
        let is_direct = is_loopback(url) || self.no_proxy.matches(url);
        let client = if is_direct { &self.direct } else { &self.clients };
        let mut builder = client.request(request.method.clone(), url.clone()).headers(headers.clone());
        if let Some(body) = request.body.bytes() {
            builder = builder.body(body);
        }
        let response = builder.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = match content_coding::decode(&headers, read_body(response, limit).await?, limit) {
            // The status says more than a body that is unreadable.
            Err(_) if status >= 300 => Vec::new(),
            body => body?,
        };
        Ok(Response { status, headers, body, is_temporary: false, stated_reason: None, attempts: 0, url: url.clone() })
    }
}

async fn read_body(mut response: reqwest::Response, limit: usize) -> Result<Vec<u8>, TransportError> {
    if response.content_length().is_some_and(|length| length > limit as u64) {
        return Err(TransportError::too_large(limit));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if chunk.len() > limit - body.len() {
            return Err(TransportError::too_large(limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn builder(options: &Options, tls: rustls::ClientConfig) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .default_headers(HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(content_coding::ACCEPTED))]))
        .connect_timeout(options.connect_timeout)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        // `client` decides on retries and counts them.
        .retry(reqwest::retry::never())
        .referer(false)
        .tls_backend_preconfigured(tls)
}

fn build(builder: reqwest::ClientBuilder) -> Result<reqwest::Client, String> {
    builder.build().map_err(|error| format!("cannot configure the client: {}", root_cause(&error)))
}

fn parse_proxy(proxy: &Url) -> Result<reqwest::Proxy, String> {
    let scheme = proxy.scheme();
    if !matches!(scheme, "http" | "https" | "socks4" | "socks4a" | "socks5" | "socks5h") {
        return Err(format!(
            "unsupported proxy scheme {scheme}; expected http, https, socks4, socks4a, socks5 or socks5h"
        ));
    }
    reqwest::Proxy::all(proxy.as_str()).map_err(|error| format!("invalid proxy: {}", root_cause(&error)))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_detected_by_name_and_address() {
        let loopback = [
            "http://localhost/",
            "http://LOCALHOST:80/",
            "http://a.localhost/",
            "http://127.1.2.3/",
            "http://[::1]:1/",
        ];
        let other = [
            "http://localhost.example/",
            "http://mylocalhost/",
            "http://128.0.0.1/",
            "http://0.0.0.0/",
            "http://[::2]/",
        ];
        for url in loopback {
            assert!(is_loopback(&Url::parse(url).unwrap()), "{url}");
        }
        for url in other {
            assert!(!is_loopback(&Url::parse(url).unwrap()), "{url}");
        }
    }
}
