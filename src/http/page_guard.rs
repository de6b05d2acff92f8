//! Verdicts on the next page: whether it leads anywhere new, and whether it stays at home.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use http::header::LINK;
use url::Url;

use super::origin;
use super::origin::OriginError;
use crate::core::failure::{Failure, Reason};

/// The most pages of one listing.
pub const MOST_PAGES: usize = 10_000;

/// The requests of one walk through pages, so that none is asked twice.
///
/// It keeps a hash of each, not the request: a body may hold a secret, and ten thousand cursors are long.
#[derive(Debug, Default)]
pub struct SeenPages {
    hasher: RandomState,
    steps: HashSet<u64>,
}

impl SeenPages {
    /// Notes a page by what makes its request different: URL, paging header or body.
    ///
    /// # Errors
    /// Reason `paging` where it was asked already, or where there are too many.
    pub fn step(&mut self, request: &str) -> Result<(), Failure> {
        let pages = self.steps.len();
        if pages >= MOST_PAGES {
            return Err(Failure::new(Reason::Paging, format!("the listing has not ended after {MOST_PAGES} pages")));
        }
        if !self.steps.insert(self.hasher.hash_one(request)) {
            let what = format!("page {} was asked before: the provider's pages go in a circle", pages + 1);
            return Err(Failure::new(Reason::Paging, what));
        }
        Ok(())
    }
}

/// The URL of `rel="next"` in a `Link` header, resolved against the page's own URL.
///
/// As RFC 8288 section 3 has it: several links to a header, several relations to a link, quoted or not. A link with an
/// `anchor` speaks of something other than this page and is passed over. What is no URL is given back as it stands, so
/// that [`same_origin`] can say so.
pub fn next_link(headers: &http::HeaderMap, base: &Url) -> Option<String> {
    let next = headers.get_all(LINK).iter().find_map(|value| {
        let value = String::from_utf8_lossy(value.as_bytes());
        links(&value).find(|(_, parameters)| is_next(parameters)).map(|(target, _)| target.to_owned())
    })?;
    Some(base.join(&next).map_or(next, String::from))
}

/// A next page's URL, if it is at the origin of the page that named it.
///
/// # Errors
/// Reason `redirect` where it leads to another origin; `decode` where it is no URL.
pub fn same_origin(base: &Url, next: &str) -> Result<Url, Failure> {
    origin::within(base, next).map_err(|astray| match astray {
        OriginError::Invalid => Failure::new(Reason::Decode, "the address of the next page is no URL"),
        OriginError::Different(other) => {
            let home = origin::shown(base);
            let what = format!("the next page is at {other}, and the credential is for {home}: not followed");
            Failure::new(Reason::Redirect, what)
        }
        OriginError::Userinfo => {
            Failure::new(Reason::Redirect, "the address of the next page has a user or password in it: not followed")
        }
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

/// The links of one header: target and parameters. Reading ends at the first thing that is no link.
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

/// The parameters at the head of `text`, and what follows them. A quoted value is kept with its backslashes.
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
    fn the_next_link_is_found_in_every_form() {
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
    fn a_next_page_elsewhere_is_refused() {
        let base = Url::parse("https://h.example/v1/a").unwrap();
        let cases = [
            ("http://h.example/b", Reason::Redirect, "http://h.example"),
            (
                "https://evil.example/?token=1",
                Reason::Redirect,
                "https://evil.example, and the credential is for https://h.example",
            ),
            ("https://a:b@h.example/", Reason::Redirect, "user or password"),
            ("https://[", Reason::Decode, "no URL"),
        ];
        for (next, reason, words) in cases {
            let failure = same_origin(&base, next).unwrap_err();
            assert_eq!(failure.reason, reason, "{next}");
            assert!(failure.what.contains(words), "{}", failure.what);
        }
        assert_eq!(same_origin(&base, "b?page=2").unwrap().as_str(), "https://h.example/v1/b?page=2");
    }

    #[test]
    fn a_page_is_asked_once() {
        let mut trail = SeenPages::default();
        trail.step("/a?page=1").unwrap();
        trail.step("/a?page=2").unwrap();
        let failure = trail.step("/a?page=1").unwrap_err();
        assert_eq!(failure.reason, Reason::Paging);
        assert_eq!(failure.what, "page 3 was asked before: the provider's pages go in a circle");
    }

    #[test]
    fn pages_end() {
        let mut trail = SeenPages::default();
        for page in 0..MOST_PAGES {
            trail.step(&page.to_string()).unwrap();
        }
        let failure = trail.step("one more").unwrap_err();
        assert_eq!(
            (failure.reason, failure.what.as_str()),
            (Reason::Paging, "the listing has not ended after 10000 pages")
        );
    }
}
