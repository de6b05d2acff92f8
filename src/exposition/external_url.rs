//! The addresses at which people reach the exporter and its page of a token.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::core::web_url::web_url;

/// The URL at which people reach the exporter, behind any proxy: `--web.external-url`. It has no slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalUrl(Arc<str>);

impl ExternalUrl {
    /// The path; empty if the URL has none.
    pub fn path(&self) -> &str {
        let host = self.0.find("://").map_or(0, |at| at + 3);
        self.0.get(host..).and_then(|rest| rest.find('/').and_then(|at| rest.get(at..))).unwrap_or_default()
    }

    /// The page of a token, at an address that every proxy passes on unchanged. Proxies decode or refuse an encoded slash in a
    /// path (<https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_pass>), so any name that a path would encode is in
    /// the query.
    pub fn token_page(&self, source: &str, id: &str) -> String {
        if is_plain(source) && is_plain(id) {
            return format!("{self}/token/{source}/{id}");
        }
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("source", source).append_pair("id", id);
        format!("{self}/token?{}", query.finish())
    }
}

/// Whether a path can have the name as it is. Dots alone would be resolved as a relative path.
fn is_plain(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte)) && !name.bytes().all(|b| b == b'.')
}

impl fmt::Display for ExternalUrl {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.0)
    }
}

impl FromStr for ExternalUrl {
    type Err = String;

    /// Accepts an absolute http(s) URL with at most a path.
    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || "expected a URL such as `https://example.com/tokens/`".to_owned();
        let url = web_url(text).filter(|url| url.query().is_none() && url.fragment().is_none()).ok_or_else(expected)?;
        Ok(Self(url.as_str().trim_end_matches('/').into()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn external_url_has_at_most_a_path() {
        for (text, expected) in [
            ("https://example.com", Some("https://example.com")),
            ("https://example.com/tokens//", Some("https://example.com/tokens")),
            ("HTTP://Exämple.com:8080/a b", Some("http://xn--exmple-cua.com:8080/a%20b")),
            ("https://example.com/?x=1", None),
            ("https://example.com/#x", None),
            ("https://user:password@example.com/", None),
            ("javascript:alert(1)", None),
            ("/tokens", None),
        ] {
            assert_eq!(text.parse::<ExternalUrl>().ok().map(|url| url.to_string()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn page_of_a_token_has_names_that_need_encoding_in_the_query() {
        let url: ExternalUrl = "https://example.com/tokens/".parse().unwrap();
        for (source, id, expected) in [
            ("gitlab", "7", "/token/gitlab/7"),
            ("a.b", "x-y_z~1", "/token/a.b/x-y_z~1"),
            ("gitlab", "a/b c?d#e%f&g+h", "/token?source=gitlab&id=a%2Fb+c%3Fd%23e%25f%26g%2Bh"),
            ("gitlab", "\"<é日\n", "/token?source=gitlab&id=%22%3C%C3%A9%E6%97%A5%0A"),
            ("my hub", "7", "/token?source=my+hub&id=7"),
            ("gitlab", "..", "/token?source=gitlab&id=.."),
            ("gitlab", "", "/token?source=gitlab&id="),
        ] {
            assert_eq!(url.token_page(source, id), format!("https://example.com/tokens{expected}"), "{source} {id}");
        }
    }
}
