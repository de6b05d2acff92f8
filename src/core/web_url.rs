//! http and https URLs.

use url::Url;

/// The URL if it is absolute, http or https, and without credentials: `javascript:` must not become a link, and credentials
/// must not be shown.
pub fn web_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let has_credentials = !url.username().is_empty() || url.password().is_some();
    let has_slashes = text.get(url.scheme().len()..).is_some_and(|rest| rest.starts_with("://"));
    (has_slashes && !has_credentials).then_some(url)
}

/// Whether a text starts like an absolute http or https URL.
pub fn is_http(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn web_url_accepts_http_links_only() {
        for (text, url) in [
            ("https://a.example/x?y=1", Some("https://a.example/x?y=1")),
            ("HTTP://a.example", Some("http://a.example/")),
            ("https://a.example/?\"b\"\r\nX:", Some("https://a.example/?%22b%22X:")),
            ("javascript:alert(1)", None),
            ("javascript://a.example/%0aalert(1)", None),
            ("ftp://a.example/", None),
            ("data:text/html,x", None),
            ("https:a.example", None),
            ("https://user@a.example/", None),
            ("https://:password@a.example/", None),
            ("/relative", None),
            ("", None),
        ] {
            assert_eq!(web_url(text).map(String::from).as_deref(), url, "{text}");
        }
    }
}
