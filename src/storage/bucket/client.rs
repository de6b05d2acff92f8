//! The HTTP client of the store. It keeps two promises that the crate's own does not: a credential never follows a redirect to
//! a different origin, and no response body of an error reaches a message or a log.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _};
use http::StatusCode;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};
use object_store::{ClientConfigKey, ClientOptions};
use reqwest::redirect::Policy;
use url::{Host, Url};

const USER_AGENT: &str = concat!("token-expiry-exporter/", env!("CARGO_PKG_VERSION"));

/// How much of an error's body is read for its code.
const MAX_ERROR_BODY: usize = 16 * 1024;

/// The maximum length of an error code.
const MAX_CODE: usize = 64;

/// Encloses [`Refusal`] in the only text that the crate passes on of an error.
const MARK: [char; 2] = ['\u{27e6}', '\u{27e7}'];

/// A response that is not a success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    /// The error code of the service, such as `NoSuchBucket`; empty if there is none.
    pub(super) code: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{} {}{}", MARK[0], self.status, self.code, MARK[1])
    }
}

impl std::error::Error for Refusal {}

impl Refusal {
    /// Finds one in the text of an error.
    pub(super) fn find(text: &str) -> Option<Self> {
        let (_, from) = text.split_once(MARK[0])?;
        let (refusal, _) = from.split_once(MARK[1])?;
        let (status, code) = refusal.split_once(' ')?;
        Some(Self { status: status.parse().ok()?, code: code.to_owned() })
    }
}

/// A request that got no response.
#[derive(Debug, thiserror::Error)]
#[error("{host}: {what}")]
pub(super) struct Unanswered {
    pub(super) host: String,
    pub(super) what: String,
    pub(super) kind: HttpErrorKind,
    /// Whether the host issues credentials to a machine or pod, instead of being the store.
    pub(super) issues_credentials: bool,
}

/// Makes clients with this limit for one request.
#[derive(Debug)]
pub(super) struct Connector(pub(super) Duration);

impl HttpConnector for Connector {
    /// Of the options only `allow_http` is used: each other would weaken a limit or the verification of certificates.
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        // An error means that it was installed before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let allow_http = options.get_config_value(&ClientConfigKey::AllowHttp).is_some_and(|value| value == "true");
        let build = |builder: reqwest::ClientBuilder| {
            let built = builder
                .https_only(!allow_http)
                .user_agent(USER_AGENT)
                .redirect(Policy::none())
                .connect_timeout(self.0)
                .timeout(self.0)
                .no_gzip()
                .no_brotli()
                .no_zstd()
                .no_deflate()
                .build();
            built.map_err(|error| object_store::Error::Generic { store: "client", source: Box::new(error) })
        };
        let proxied = build(reqwest::Client::builder())?;
        let direct = build(reqwest::Client::builder().no_proxy())?;
        Ok(HttpClient::new(Service { proxied, direct, timeout: self.0 }))
    }
}

#[derive(Debug)]
struct Service {
    /// Uses the proxy of the environment.
    proxied: reqwest::Client,
    /// For addresses of this machine and its metadata service, which a proxy cannot reach.
    direct: reqwest::Client,
    timeout: Duration,
}

impl HttpService for Service {
    fn call<'service, 'future>(
        &'service self,
        request: HttpRequest,
    ) -> BoxFuture<'future, Result<HttpResponse, HttpError>>
    where
        'service: 'future,
        Self: 'future,
    {
        self.exchange(request).boxed()
    }
}

impl Service {
    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let url = Url::parse(&request.uri().to_string()).ok();
        let local = url.as_ref().is_some_and(is_local);
        let client = if local { &self.direct } else { &self.proxied };
        let response = match client.call(request).await {
            Ok(response) => response,
            Err(error) => return Err(self.unanswered(&error, url.as_ref())),
        };
        let status = response.status();
        if status.is_success() || status == StatusCode::NOT_MODIFIED {
            return Ok(response);
        }
        let (parts, body) = response.into_parts();
        let refusal = Refusal { status: status.as_u16(), code: code(&read(body).await) };
        if status.is_redirection() {
            // S3 responds so for a bucket in another region.
            return Err(HttpError::new(HttpErrorKind::Unknown, refusal));
        }
        Ok(HttpResponse::from_parts(parts, refusal.to_string().into()))
    }

    fn unanswered(&self, error: &HttpError, url: Option<&Url>) -> HttpError {
        let kind = error.kind();
        let what = match kind {
            HttpErrorKind::Timeout => format!("no response within {:?}", self.timeout),
            _ => root_cause(error),
        };
        let host = url.map(|url| url[url::Position::BeforeHost..url::Position::AfterPort].to_owned());
        let issues_credentials = url.is_some_and(is_metadata_service);
        let host = host.unwrap_or_default();
        HttpError::new(kind, Unanswered { host, what, kind, issues_credentials })
    }
}

/// The innermost error, which says most and, as the URL is only in the outer ones, quotes nothing of the request.
fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

fn is_local(url: &Url) -> bool {
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    loopback || is_metadata_service(url)
}

/// Whether this is the service that gives the machine, pod or task its identity.
fn is_metadata_service(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "metadata.google.internal" || name == "metadata",
        Some(Host::Ipv4(address)) => address.is_link_local(),
        // <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html> and EKS Pod Identity.
        Some(Host::Ipv6(address)) => ["fd00:ec2::254", "fd00:ec2::23"]
            .iter()
            .any(|known| known.parse::<IpAddr>().is_ok_and(|known| known == IpAddr::V6(address))),
        None => false,
    }
}

/// The first bytes of a body, or those that arrived.
async fn read(body: HttpResponseBody) -> Vec<u8> {
    let mut read = Vec::new();
    let mut chunks = body.bytes_stream();
    while let Some(Ok(chunk)) = chunks.next().await {
        read.extend_from_slice(&chunk);
        if read.len() >= MAX_ERROR_BODY {
            break;
        }
    }
    read.truncate(MAX_ERROR_BODY);
    read
}

/// The error code in a body: `<Code>NoSuchBucket</Code>` of S3, STS, Azure and Google's XML, or `"error": "invalid_grant"` of
/// OAuth. Only letters, digits and a few signs, so that nothing else of a body can pass.
fn code(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let found = between(&text, "<Code>", "<").or_else(|| {
        let (_, after) = text.split_once("\"error\"")?;
        between(after.trim_start_matches([':', ' ']), "\"", "\"")
            .filter(|_| after.trim_start_matches([':', ' ']).starts_with('"'))
    });
    let is_code = |code: &&str| {
        !code.is_empty()
            && code.len() <= MAX_CODE
            && code.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
    };
    found.filter(is_code).unwrap_or_default().to_owned()
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, from) = text.split_once(start)?;
    Some(from.split_once(end)?.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn code_of_an_error_is_all_that_passes() {
        for (body, expected) in [
            ("<?xml?><Error><Code>NoSuchBucket</Code><Message>x</Message></Error>", "NoSuchBucket"),
            (
                "<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredToken</Code></Error></ErrorResponse>",
                "ExpiredToken",
            ),
            (r#"{"error": "invalid_grant", "error_description": "secret"}"#, "invalid_grant"),
            (r#"{"error": {"code": 403, "message": "secret"}}"#, ""),
            ("<Code>a secret, with spaces</Code>", ""),
            ("<Code>", ""),
            ("secret", ""),
        ] {
            assert_eq!(code(body.as_bytes()), expected, "{body}");
        }
    }

    #[test]
    fn refusal_is_found_in_a_text() {
        let refusal = Refusal { status: 403, code: "AccessDenied".to_owned() };
        assert_eq!(Refusal::find(&format!("status code: 403 Forbidden: {refusal}")), Some(refusal));
        assert_eq!(Refusal::find("status code: 403 Forbidden"), None);
        let without_code = Refusal { status: 404, code: String::new() };
        assert_eq!(Refusal::find(&without_code.to_string()), Some(without_code));
    }

    #[test]
    fn proxy_is_not_used_for_local_addresses() {
        for (url, local, metadata) in [
            ("http://127.0.0.1:5555/fleet", true, false),
            ("http://[::1]:5555/", true, false),
            ("http://localhost/", true, false),
            ("http://169.254.169.254/latest/api/token", true, true),
            ("http://[fd00:ec2::254]/latest", true, true),
            ("http://metadata.google.internal/x", true, true),
            ("https://b.s3.amazonaws.com/", false, false),
            ("http://10.0.0.1/", false, false),
        ] {
            let parsed = Url::parse(url).unwrap();
            assert_eq!((is_local(&parsed), is_metadata_service(&parsed)), (local, metadata), "{url}");
        }
    }
}
