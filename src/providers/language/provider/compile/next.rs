//! Where the next page is.

use super::{Build, Names, path};
use crate::providers::language::definition::{entry, first_key, get};
use crate::providers::language::provider::{Method, Pagination, ParamLocation};
use crate::schema::yaml::{Kind, Node};

/// The ways to a next page, each with the keys that belong to it.
const WAYS: [(&str, &[&str]); 4] =
    [("url", &[]), ("cursor", &["param", "in"]), ("page", &["from", "last", "in"]), ("offset", &["last", "in"])];

impl Build {
    pub(super) fn next(
        &mut self,
        node: &Node,
        what: &str,
        names: &Names,
        method: Option<Method>,
    ) -> Option<Pagination> {
        let (key, next) = entry(node, "next")?;
        if entry(node, "rows").is_none() {
            self.tell(key.at, format!("{what}: `next` needs `rows`"));
            return None;
        }
        let what = path(what, "next");
        match &next.kind {
            Kind::Text(_) => Some(Pagination::Link),
            Kind::Map(_) => self.way(next, &what, names, method),
            _ => None,
        }
    }

    fn way(&mut self, node: &Node, what: &str, names: &Names, method: Option<Method>) -> Option<Pagination> {
        let way = self.which(node, what)?;
        let at = self.at(node, what, method)?;
        let parameter = self.string(node, way);
        let last = self.jq(node, "last", what, names);
        match way {
            "url" => Some(Pagination::Url(self.jq(node, "url", what, names)?)),
            "cursor" => {
                let cursor = self.jq(node, "cursor", what, names);
                let parameter = self.string(node, "param");
                if parameter.is_none() && !self.has_unknown(node) {
                    self.tell(first_key(node), format!("{what}: `param` is missing"));
                }
                Some(Pagination::Cursor { cursor: cursor?, parameter: parameter?, at })
            }
            "page" => {
                let from = match get(node, "from") {
                    Some(Node { kind: Kind::Number(number), .. }) => number.as_u64()?,
                    Some(_) => return None,
                    None => 1,
                };
                Some(Pagination::Page { parameter: parameter?, from, last, at })
            }
            _ => Some(Pagination::Offset { parameter: parameter?, last, at }),
        }
    }

    /// Which way it is; each key that belongs to another is a mistake.
    fn which(&mut self, node: &Node, what: &str) -> Option<&'static str> {
        let found: Vec<_> = WAYS.iter().filter(|(way, _)| entry(node, way).is_some()).collect();
        let [(way, keys)] = found[..] else {
            if found.is_empty() && self.has_unknown(node) {
                return None;
            }
            let at = found.get(1).and_then(|(way, _)| entry(node, way)).map_or(first_key(node), |(key, _)| key.at);
            self.tell(at, format!("{what}: exactly one of `url`, `cursor`, `page` and `offset` is needed"));
            return None;
        };
        for other in ["param", "from", "last", "in"].into_iter().filter(|key| !keys.contains(key)) {
            if let Some((key, _)) = entry(node, other) {
                self.tell(key.at, format!("{what}: `{other}` has no meaning with `{way}`"));
            }
        }
        Some(way)
    }

    fn at(&mut self, node: &Node, what: &str, method: Option<Method>) -> Option<ParamLocation> {
        match get(node, "in") {
            None => Some(ParamLocation::Query),
            Some(at) => match at.as_text()? {
                "query" => Some(ParamLocation::Query),
                "header" => Some(ParamLocation::Header),
                "body" if method == Some(Method::Get) => {
                    self.tell(at.at, format!("{what}.in: only a `post` has a body"));
                    None
                }
                "body" => Some(ParamLocation::Body),
                _ => None,
            },
        }
    }

    /// Whether a key of it is unknown: that is said already, and may be the one that seems to be missing.
    fn has_unknown(&self, node: &Node) -> bool {
        let known = ["url", "cursor", "param", "page", "from", "offset", "last", "in"];
        matches!(&node.kind, Kind::Map(entries) if entries.iter().any(|(key, _)| !known.contains(&key.name.as_str())))
    }
}
