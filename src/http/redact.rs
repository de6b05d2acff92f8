//! Redaction of URLs, and of messages that may contain one: no user name or password, no parameter values, limited length.

use url::Url;

use crate::core::sanitize::{is_unsafe_char, truncate};

/// A URL without userinfo and fragment, truncated to 200 characters. Only the names of its parameters are shown: a
/// definition may put a credential there, and so may a provider that signs its next pages.
pub(super) fn url(url: &Url) -> String {
    let mut url = url.clone();
    if let Some(query) = url.query().map(names) {
        url.set_query(Some(&query));
    }
    // Both fail only for URLs without a host, which have no userinfo either.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_fragment(None);
    truncate(url.as_str())
}

/// A message on one line, without the userinfo and parameters of any URL in it, truncated to 200 characters.
pub(super) fn message(text: &str) -> String {
    let line: String = text.chars().map(|c| if is_unsafe_char(c) { ' ' } else { c }).collect();
    truncate(&strip_url_secrets(&line))
}

/// The names of a query's parameters. A parameter without `=` is all value.
fn names(query: &str) -> String {
    let shown =
        query.split('&').map(|pair| pair.split_once('=').map_or("***".to_owned(), |(name, _)| format!("{name}=***")));
    shown.collect::<Vec<_>>().join("&")
}

fn strip_url_secrets(text: &str) -> String {
    const SCHEME_END: &str = "://";
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(SCHEME_END) {
        let (before, after) = rest.split_at(at + SCHEME_END.len());
        out.push_str(before);
        let end = after.find(|c: char| c.is_whitespace() || "/?#\"'<>()".contains(c)).unwrap_or(after.len());
        let host = after[..end].rfind('@').map_or(0, |at| at + 1);
        out.push_str(&after[host..end]);
        rest = &after[end..];
        let url_end = rest.find(|c: char| c.is_whitespace() || "\"'<>()".contains(c)).unwrap_or(rest.len());
        if let Some(query) = rest[..url_end].find(['?', '#']) {
            out.push_str(&rest[..query]);
            out.push_str("?***");
            rest = &rest[url_end..];
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn url_is_redacted() {
        let cases = [
            ("https://h.example/p?a=1&b=&hunter2", "https://h.example/p?a=***&b=***&***"),
            ("https://jane:hunter2@h.example/p", "https://h.example/p"),
            ("https://hunter2@h.example:8443/p#x", "https://h.example:8443/p"),
        ];
        for (given, shown) in cases {
            assert_eq!(url(&Url::parse(given).unwrap()), shown);
        }
    }

    #[test]
    fn long_url_is_truncated() {
        let long = Url::parse(&format!("https://h.example/{}", "x".repeat(500))).unwrap();
        assert_eq!(url(&long).chars().count(), 201);
        assert!(url(&long).ends_with("x…"));
    }

    #[test]
    fn message_is_redacted() {
        let cases = [
            ("broken pipe", "broken pipe"),
            ("error for url (https://a:b@h.example/p)", "error for url (https://h.example/p)"),
            ("for url (https://h.example/p?key=hunter2#x): closed", "for url (https://h.example/p?***): closed"),
            ("socks5://a:b/c@h and http://a:b@c d@e", "socks5://a:b/c@h and http://c d@e"),
            ("no \"https://tok@h\" no", "no \"https://h\" no"),
            ("two\nlines", "two lines"),
        ];
        for (given, shown) in cases {
            assert_eq!(message(given), shown);
        }
    }
}
