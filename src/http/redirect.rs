//! Which redirects are followed: a GET to the same origin, a few times.

use http::header::{HeaderMap, LOCATION};
use url::Url;

use super::error::TransportError;
use super::origin::resolve_same_origin;
use crate::core::failure::Reason;

/// The maximum number of redirects of one request.
pub(super) const MAX_REDIRECTS: usize = 5;

/// The target of a redirect. `None` for other responses, also for a 3xx without a location, such as a 304.
///
/// # Errors
/// If the redirect is not followed.
pub(super) fn target(
    method: &http::Method,
    url: &Url,
    status: u16,
    headers: &HeaderMap,
) -> Result<Option<Url>, TransportError> {
    let location = match (status, headers.get(LOCATION)) {
        (301 | 302 | 303 | 307 | 308, Some(location)) => String::from_utf8_lossy(location.as_bytes()),
        _ => return Ok(None),
    };
    let error = match resolve_same_origin(url, &location) {
        Ok(url) if *method == http::Method::GET => return Ok(Some(url)),
        Ok(_) => format!("{status}: redirect of a {method}: not followed"),
        Err(error) => format!("{status}: redirect target {error}"),
    };
    Err(TransportError::new(Reason::Redirect, error))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    type Target = Result<Option<&'static str>, &'static str>;

    #[test]
    fn redirect_follows_only_same_origin_get() {
        let evil =
            "301: redirect target is at https://evil.example, a different origin than https://h.example: not followed";
        let plain =
            "302: redirect target is at http://h.example, a different origin than https://h.example: not followed";
        let cases: [(&str, u16, Option<&str>, Target); 11] = [
            ("GET", 200, Some("/b"), Ok(None)),
            ("GET", 304, Some("/b"), Ok(None)),
            ("GET", 302, None, Ok(None)),
            ("GET", 301, Some("/b"), Ok(Some("https://h.example/b"))),
            ("GET", 307, Some("https://h.example/a/"), Ok(Some("https://h.example/a/"))),
            ("GET", 308, Some("b?x=1"), Ok(Some("https://h.example/b?x=1"))),
            ("GET", 301, Some("https://evil.example/?q=1"), Err(evil)),
            ("POST", 301, Some("https://evil.example/"), Err(evil)),
            ("GET", 302, Some("http://h.example/a"), Err(plain)),
            ("POST", 303, Some("/b"), Err("303: redirect of a POST: not followed")),
            ("GET", 303, Some("https://["), Err("303: redirect target is not a valid URL")),
        ];
        for (method, status, location, want) in cases {
            let mut headers = HeaderMap::new();
            if let Some(location) = location {
                headers.insert(LOCATION, location.parse().unwrap());
            }
            let url = Url::parse("https://h.example/a").unwrap();
            let got = target(&method.parse().unwrap(), &url, status, &headers);
            let got = got.as_ref().map(|url| url.as_ref().map(Url::as_str)).map_err(|error| error.what.as_str());
            assert_eq!(got, want, "{method} {status} {location:?}");
        }
    }
}
