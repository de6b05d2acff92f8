//! Verdicts on the next page: whether it leads anywhere new, and whether it stays at home.

use url::Url;

use crate::core::failure::Failure;

/// The most pages of one listing.
pub const MOST_PAGES: usize = 10_000;

/// The requests of one walk through pages, so that none is asked twice.
#[derive(Debug, Default)]
pub struct Trail {}

impl Trail {
    /// Notes a page by what makes its request different: URL, paging header or body.
    ///
    /// # Errors
    /// Reason `paging` where it was asked already, or where there are too many.
    pub fn step(&mut self, request: &str) -> Result<(), Failure> {
        todo!("{request}")
    }
}

/// The URL of `rel="next"` in a `Link` header (RFC 8288), resolved against the page's own URL.
pub fn next_link(headers: &http::HeaderMap, base: &Url) -> Option<String> {
    todo!("{headers:?} {base}")
}

/// A next page's URL, if it is at the origin of the page that named it.
///
/// # Errors
/// Reason `redirect` where it leads to another origin; `decode` where it is no URL.
pub fn same_origin(base: &Url, next: &str) -> Result<Url, Failure> {
    todo!("{base} {next}")
}
