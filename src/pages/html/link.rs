//! Links between the pages: relative, since a proxy may serve them below any path.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::core::inventory::Finding;
use crate::pages::path;

/// Everything that a segment of a path must not contain as it is.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Links from the page at one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Links {
    /// Leads to the status page: `./` or `../`, repeated.
    base: String,
}

impl Links {
    /// From a page at this path, without the route prefix. A slash within a segment is encoded, so it does not count.
    pub(super) fn from_path(path: &str) -> Self {
        let depth = path.matches('/').count().saturating_sub(1);
        Self { base: if depth == 0 { "./".to_owned() } else { "../".repeat(depth) } }
    }

    /// To a path that begins with a slash, such as `/calendar.ics`, with a query string, which may be empty.
    pub(super) fn to(&self, path: &str, query: &str) -> String {
        let (base, path) = (&self.base, path.trim_start_matches('/'));
        if query.is_empty() { format!("{base}{path}") } else { format!("{base}{path}?{query}") }
    }

    pub(super) fn tokens(&self, query: &str) -> String {
        self.to(path::STATUS, query)
    }

    pub(super) fn token(&self, source: &str, id: &str) -> String {
        match (segment(source), segment(id)) {
            (Some(source), Some(id)) => self.to(&format!("{}/{source}/{id}", path::TOKEN), ""),
            _ => self.to(path::TOKEN, &query(&[("source", source), ("id", id)])),
        }
    }

    pub(super) fn owner(&self, name: &str) -> String {
        self.named(path::OWNER, name)
    }

    pub(super) fn source(&self, name: &str) -> String {
        self.named(path::SOURCE, name)
    }

    pub(super) fn finding(&self, finding: Finding) -> String {
        self.named(path::FINDING, finding.label())
    }

    fn named(&self, page: &str, name: &str) -> String {
        match segment(name) {
            Some(name) => self.to(&format!("{page}/{name}"), ""),
            None => self.to(page, &query(&[("name", name)])),
        }
    }
}

/// A query string.
pub(super) fn query(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// A name as one segment of a path; `None` if browsers or proxies would resolve it as a relative path, also in its encoded form:
/// <https://url.spec.whatwg.org/#double-dot-path-segment>.
fn segment(name: &str) -> Option<String> {
    let is_relative = name.split(['/', '\\']).any(|part| [".", ".."].contains(&part));
    (!name.is_empty() && !is_relative).then(|| utf8_percent_encode(name, SEGMENT).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_back_from_any_depth() {
        for (path, to) in [("/", "./metrics"), ("/owner", "./metrics"), ("/token/a/b%2Fc", "../../metrics")] {
            assert_eq!(Links::from_path(path).to("/metrics", ""), to, "{path}");
        }
        assert_eq!(Links::from_path("/").tokens("band=critical"), "./?band=critical");
    }

    #[test]
    fn names_are_encoded_and_relative_ones_are_in_the_query() {
        let links = Links::from_path("/");
        for (id, to) in [
            ("7", "./token/s/7"),
            ("a/b c?d#e%f", "./token/s/a%2Fb%20c%3Fd%23e%25f"),
            ("\"<é+&", "./token/s/%22%3C%C3%A9%2B%26"),
            ("..", "./token?source=s&id=.."),
            ("a/../b", "./token?source=s&id=a%2F..%2Fb"),
            ("a\\..", "./token?source=s&id=a%5C.."),
            ("...", "./token/s/..."),
        ] {
            assert_eq!(links.token("s", id), to, "{id}");
        }
        assert_eq!(links.token(".", "7"), "./token?source=.&id=7");
        assert_eq!(links.owner(".."), "./owner?name=..");
        assert_eq!(links.source("a.b"), "./source/a.b");
        assert_eq!(links.finding(Finding::NoOwner), "./finding/no_owner");
    }
}
