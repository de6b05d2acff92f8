//! Checks of the next page: it must not repeat, must not exceed the limit, and is requested from the configured origin.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use http::header::LINK;
use url::Url;

use super::origin::{OriginError, resolve_at_origin};
use crate::core::failure::{Failure, Reason};

/// The maximum number of pages of one listing.
pub const MAX_PAGES: usize = 10_000;

/// The page requests of one listing.
///
/// Stores only their hashes: a body may contain a secret, and ten thousand cursors are long.
#[derive(Debug, Default)]
pub struct SeenPages {
    hasher: RandomState,
    hashes: HashSet<u64>,
}

impl SeenPages {
    /// Adds a request, given by its URL, paging header or body.
    ///
    /// # Errors
    /// Reason `paging`, if it repeats an earlier request or there are too many.
    pub fn visit(&mut self, request: &str) -> Result<(), Failure> {
        let pages = self.hashes.len();
        if pages >= MAX_PAGES {
            return Err(Failure::new(Reason::Paging, format!("listing exceeds {MAX_PAGES} pages")));
        }
        if !self.hashes.insert(self.hasher.hash_one(request)) {
            let what = format!("page {} repeats an earlier request: pagination loop", pages + 1);
            return Err(Failure::new(Reason::Paging, what));
        }
        Ok(())
    }
}

/// The URL of `rel="next"` in a `Link` header, resolved against the page's own URL.
///
/// By RFC 8288 section 3: several links per header, several relations per link, quoted or not. A link with an `anchor`
/// refers to another page and is ignored. An invalid URL is returned unchanged, so that [`next_page_url`] reports it.
pub fn next_link(headers: &http::HeaderMap, base: &Url) -> Option<String> {
    let next = headers.get_all(LINK).iter().find_map(|value| {
        let value = String::from_utf8_lossy(value.as_bytes());
        links(&value).find(|(_, parameters)| is_next(parameters)).map(|(target, _)| target.to_owned())
    })?;
    Some(base.join(&next).map_or(next, String::from))
}

/// The URL of the next page at the configured origin. `base` is the configured base URL, `page` the URL that responded.
///
/// # Errors
/// Reason `redirect` for a path at a different origin that is not the configured server's, `decode` for an invalid URL.
pub fn next_page_url(base: &Url, page: &Url, next: &str) -> Result<Url, Failure> {
    resolve_at_origin(base, page, next).map_err(|error| {
        let reason = if error == OriginError::Invalid { Reason::Decode } else { Reason::Redirect };
        Failure::new(reason, format!("next page {error}"))
    })
}

/// A link's parameters: lower-case names with their values.
type Parameters<'a> = Vec<(String, &'a str)>;

/// Only the first `rel` of a link counts (RFC 8288, section 3.3).
fn is_next(parameters: &Parameters<'_>) -> bool {
    let value = |wanted: &str| parameters.iter().find(|(name, _)| name == wanted).map(|(_, value)| *value);
    value("anchor").is_none()
        && value("rel").is_some_and(|rels| rels.split_ascii_whitespace().any(|rel| rel.eq_ignore_ascii_case("next")))
}

/// The links of one header, with target and parameters, up to the first error.
fn links(header: &str) -> impl Iterator<Item = (&str, Parameters<'_>)> {
    let mut rest = header;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let (target, after) = rest.strip_prefix('<')?.split_once('>')?;
        let (parameters, after) = parameters(after);
        rest = after;
        Some((target.trim(), parameters))
    })
}

/// The parameters at the start of `text`, and the rest. Quoted values keep their backslashes.
fn parameters(text: &str) -> (Parameters<'_>, &str) {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(after) = rest.strip_prefix(';') {
        let after = after.trim_start();
        let end = after.find(['=', ';', ',']).unwrap_or(after.len());
        let name = after[..end].trim().to_ascii_lowercase();
        let (value, after) = match after[end..].strip_prefix('=') {
            Some(value) => parameter_value(value.trim_start()),
            None => ("", &after[end..]),
        };
        if !name.is_empty() {
            found.push((name, value));
        }
        rest = after.trim_start();
    }
    (found, rest)
}

fn parameter_value(text: &str) -> (&str, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ',']).unwrap_or(text.len());
        return (text[..end].trim_end(), &text[end..]);
    };
    let mut escaped = false;
    for (at, c) in quoted.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return (&quoted[..at], &quoted[at + 1..]),
            _ => {}
        }
    }
    (quoted, "")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn next(links: &[&str]) -> Option<String> {
        let mut headers = http::HeaderMap::new();
        for link in links {
            headers.append(LINK, link.parse().unwrap());
        }
        next_link(&headers, &Url::parse("https://h.example/v1/a?per_page=2").unwrap())
    }

    #[test]
    fn next_link_is_parsed_in_every_form() {
        let b = "https://h.example/b";
        let cases: [(&[&str], Option<&str>); 20] = [
            (&[], None),
            (&["<https://h.example/b>; rel=\"next\""], Some(b)),
            (&["<https://h.example/b>; rel=next"], Some(b)),
            (&["<https://h.example/b>;rel=\"next\""], Some(b)),
            (&["<https://h.example/b> ; REL = \"NEXT\""], Some(b)),
            (&["<https://h.example/b>; rel=\"prev next\""], Some(b)),
            (&["<https://h.example/b>; rel=\"prev\""], None),
            (&["<https://h.example/b>; rel=\"nextish\""], None),
            (&["<https://h.example/a>; rel=\"prev\", <https://h.example/b>; rel=\"next\""], Some(b)),
            (&["<https://h.example/a>; rel=\"prev\"", "<https://h.example/b>; rel=\"next\""], Some(b)),
            (&["<https://h.example/b?ids=1,2;3>; rel=\"next\""], Some("https://h.example/b?ids=1,2;3")),
            (&["<https://h.example/b>; title=\"a, \\\"b\\\"; <c>\"; rel=\"next\""], Some(b)),
            (&["<https://h.example/b>; crossorigin; rel=next, <x>; rel=last"], Some(b)),
            (&["<https://h.example/b>; rel=\"prev\"; rel=\"next\""], None),
            (&["<https://h.example/b>; rel=\"next\"; anchor=\"/other\""], None),
            (&["</v1/b>; rel=\"next\""], Some("https://h.example/v1/b")),
            (&["<?page=2>; rel=\"next\""], Some("https://h.example/v1/a?page=2")),
            (&["https://h.example/b; rel=\"next\""], None),
            (&["<https://h.example/b; rel=\"next\""], None),
            (&["<https://[>; rel=\"next\""], Some("https://[")),
        ];
        for (links, want) in cases {
            assert_eq!(next(links).as_deref(), want, "{links:?}");
        }
    }

    #[test]
    fn next_page_is_refused_if_it_is_not_the_configured_servers() {
        let (base, page) = (Url::parse("https://h.example/v1").unwrap(), Url::parse("https://h.example/v1/a").unwrap());
        let cases = [
            (
                "https://evil.example/?token=1",
                Reason::Redirect,
                "next page is at https://evil.example, a different origin than https://h.example, and not under its path \
                 /v1: not followed",
            ),
            (
                "https://a:b@h.example/v1/a",
                Reason::Redirect,
                "next page contains a user name or password: not followed",
            ),
            ("https://[", Reason::Decode, "next page is not a valid URL"),
        ];
        for (next, reason, what) in cases {
            let failure = next_page_url(&base, &page, next).unwrap_err();
            assert_eq!((failure.reason, failure.what.as_str()), (reason, what), "{next}");
        }
        assert_eq!(next_page_url(&base, &page, "a?page=2").unwrap().as_str(), "https://h.example/v1/a?page=2");
    }

    #[test]
    fn repeated_page_is_a_failure() {
        let mut pages = SeenPages::default();
        pages.visit("/a?page=1").unwrap();
        pages.visit("/a?page=2").unwrap();
        let failure = pages.visit("/a?page=1").unwrap_err();
        assert_eq!(failure.reason, Reason::Paging);
        assert_eq!(failure.what, "page 3 repeats an earlier request: pagination loop");
    }

    #[test]
    fn listing_is_limited_to_10000_pages() {
        let mut pages = SeenPages::default();
        for page in 0..MAX_PAGES {
            pages.visit(&page.to_string()).unwrap();
        }
        let failure = pages.visit("one more").unwrap_err();
        assert_eq!((failure.reason, failure.what.as_str()), (Reason::Paging, "listing exceeds 10000 pages"));
    }
}
