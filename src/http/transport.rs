//! The connections: whom they trust, as whom they come, and through which proxy they go.

use url::{Host, Url};

use super::error::cause;
use super::options::Options;
use crate::core::certificates::TlsMaterial;

/// The name under which requests come.
const USER_AGENT: &str = concat!("token-expiry-exporter/", env!("CARGO_PKG_VERSION"));

/// The connections of one client.
pub(super) struct Transport {
    clients: reqwest::Client,
    /// The system's proxy cannot see this machine's loopback, so nothing for it is sent there; Go's `net/http`, and so
    /// every other exporter, does the same. A configured proxy is obeyed.
    loopback: reqwest::Client,
}

impl Transport {
    /// Connections that trust the system's certificates and the configured ones.
    ///
    /// # Errors
    /// A sentence, where certificates or the proxy cannot be used.
    pub(super) fn new(options: &Options, trust: &TlsMaterial) -> Result<Self, String> {
        // It is an error only where it was done before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(match &options.proxy {
            Some(proxy) => {
                let clients = build(builder(options, trust)?.proxy(through(proxy)?))?;
                Self { loopback: clients.clone(), clients }
            }
            None => Self {
                loopback: build(builder(options, trust)?.no_proxy())?,
                clients: build(builder(options, trust)?)?,
            },
        })
    }

    /// The connections for this URL.
    pub(super) fn to(&self, url: &Url) -> &reqwest::Client {
        if is_loopback(url) { &self.loopback } else { &self.clients }
    }
}

fn builder(options: &Options, trust: &TlsMaterial) -> Result<reqwest::ClientBuilder, String> {
    let mut builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(options.connect_timeout)
        .redirect(reqwest::redirect::Policy::none())
        // What is sent again is decided, counted and waited for in `client`.
        .retry(reqwest::retry::never())
        .referer(false);
    if let Some(pem) = &trust.ca {
        let certificates = reqwest::Certificate::from_pem_bundle(pem)
            .map_err(|error| format!("the certificates to trust cannot be read as PEM: {}", cause(&error)))?;
        if certificates.is_empty() {
            return Err("the certificates to trust hold none: PEM with BEGIN CERTIFICATE is expected".into());
        }
        builder = builder.tls_certs_merge(certificates);
    }
    if let Some(pem) = &trust.identity {
        let identity = reqwest::Identity::from_pem(pem.expose().as_bytes())
            .map_err(|error| format!("the client certificate and its key cannot be read as PEM: {}", cause(&error)))?;
        builder = builder.identity(identity);
    }
    Ok(builder)
}

fn build(builder: reqwest::ClientBuilder) -> Result<reqwest::Client, String> {
    builder.build().map_err(|error| format!("no TLS with these certificates: {}", cause(&error)))
}

fn through(proxy: &Url) -> Result<reqwest::Proxy, String> {
    let scheme = proxy.scheme();
    if !matches!(scheme, "http" | "https" | "socks4" | "socks4a" | "socks5" | "socks5h") {
        return Err(format!(
            "a proxy cannot be reached by {scheme}: http, https, socks4, socks4a, socks5 or socks5h is expected"
        ));
    }
    reqwest::Proxy::all(proxy.as_str()).map_err(|error| format!("the proxy cannot be used: {}", cause(&error)))
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
    fn loopback_is_known_by_name_and_by_address() {
        let near = [
            "http://localhost/",
            "http://LOCALHOST:80/",
            "http://a.localhost/",
            "http://127.1.2.3/",
            "http://[::1]:1/",
        ];
        let far = [
            "http://localhost.example/",
            "http://mylocalhost/",
            "http://128.0.0.1/",
            "http://0.0.0.0/",
            "http://[::2]/",
        ];
        for url in near {
            assert!(is_loopback(&Url::parse(url).unwrap()), "{url}");
        }
        for url in far {
            assert!(!is_loopback(&Url::parse(url).unwrap()), "{url}");
        }
    }
}
