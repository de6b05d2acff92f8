//! Whether a redirection is followed: by a GET, at the same origin, and not without end.

use http::header::{HeaderMap, LOCATION};
use url::Url;

use super::error::TransportError;
use super::origin::{self, OriginError};
use crate::core::failure::Reason;

/// The most redirections of one request.
pub(super) const MOST: usize = 5;

/// Where a reply redirects to, if it does and may be followed.
///
/// A 3xx that names no place, such as a 304, is a reply like another.
pub(super) fn next(
    method: &http::Method,
    url: &Url,
    status: u16,
    headers: &HeaderMap,
) -> Result<Option<Url>, TransportError> {
    let location = match (status, headers.get(LOCATION)) {
        (301 | 302 | 303 | 307 | 308, Some(location)) => String::from_utf8_lossy(location.as_bytes()),
        _ => return Ok(None),
    };
    let refuse = |what: String| Err(TransportError::new(Reason::Redirect, format!("{status}, {what}")));
    match origin::within(url, &location) {
        Err(OriginError::Invalid) => refuse("redirected to what is no URL".into()),
        Err(OriginError::Userinfo) => {
            refuse("redirected to an address with a user or password in it: not followed".into())
        }
        Err(OriginError::Different(other)) => refuse(format!("redirected to {other}, another origin: not followed")),
        Ok(_) if method != http::Method::GET => refuse(format!("a redirected {method} is not followed")),
        Ok(url) => Ok(Some(url)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    type Place = Result<Option<&'static str>, &'static str>;

    #[test]
    fn only_a_get_at_home_is_followed() {
        let other = "301, redirected to https://evil.example, another origin: not followed";
        let cases: [(&str, u16, Option<&str>, Place); 11] = [
            ("GET", 200, Some("/b"), Ok(None)),
            ("GET", 304, Some("/b"), Ok(None)),
            ("GET", 302, None, Ok(None)),
            ("GET", 301, Some("/b"), Ok(Some("https://h.example/b"))),
            ("GET", 307, Some("https://h.example/a/"), Ok(Some("https://h.example/a/"))),
            ("GET", 308, Some("b?x=1"), Ok(Some("https://h.example/b?x=1"))),
            ("GET", 301, Some("https://evil.example/?q=1"), Err(other)),
            ("POST", 301, Some("https://evil.example/"), Err(other)),
            (
                "GET",
                302,
                Some("http://h.example/a"),
                Err("302, redirected to http://h.example, another origin: not followed"),
            ),
            ("POST", 303, Some("/b"), Err("303, a redirected POST is not followed")),
            ("GET", 303, Some("https://["), Err("303, redirected to what is no URL")),
        ];
        for (method, status, location, want) in cases {
            let mut headers = HeaderMap::new();
            if let Some(location) = location {
                headers.insert(LOCATION, location.parse().unwrap());
            }
            let url = Url::parse("https://h.example/a").unwrap();
            let got = next(&method.parse().unwrap(), &url, status, &headers);
            let got = got.as_ref().map(|url| url.as_ref().map(Url::as_str)).map_err(|fault| fault.what.as_str());
            assert_eq!(got, want, "{method} {status} {location:?}");
        }
    }
}
