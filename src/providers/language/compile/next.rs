//! How the next page is found.

use super::{Compiler, Scope};
use crate::providers::language::provider::{Method, Pagination, ParamLocation};
use crate::schema::record::Record;

impl Compiler {
    pub(super) fn next(&mut self, record: &Record<'_>, scope: &Scope, method: Option<Method>) -> Option<Pagination> {
        let next = record.node("next")?;
        if !record.is_given("rows") {
            self.error(record.key_at("next"), format!("{}: `next` needs `rows`", record.path));
            return None;
        }
        match record.record("next") {
            Some(next) => self.pagination(next, scope, method),
            None => next.as_text().map(|_| Pagination::Link),
        }
    }

    fn pagination(&mut self, record: &Record<'_>, scope: &Scope, method: Option<Method>) -> Option<Pagination> {
        let way = self.exactly_one(record, &["url", "cursor", "page", "offset"])?;
        let others: &[&str] = match way {
            "url" => &["param", "from", "last", "in"],
            "cursor" => &["from", "last"],
            "page" => &["param"],
            _ => &["param", "from"],
        };
        self.refuse(record, others, &format!("is not allowed with `{way}`"));
        let at = match record.text("in").as_deref() {
            Some("body") => ParamLocation::Body,
            Some("header") => ParamLocation::Header,
            _ => ParamLocation::Query,
        };
        if at == ParamLocation::Body && method == Some(Method::Get) {
            self.error(record.value_at("in"), format!("{}: only a `post` has a body", record.path_of("in")));
        }
        if way == "cursor" && !record.is_given("param") && !record.has_unknown {
            self.error(record.at, format!("{}: `param` is missing", record.path));
        }
        let last = self.jq(record, "last", scope);
        Some(match way {
            "url" => Pagination::Url(self.required_jq(record, "url", scope)),
            "cursor" => {
                let cursor = self.required_jq(record, "cursor", scope);
                Pagination::Cursor { cursor, parameter: self.text(record, "param"), at }
            }
            "page" => {
                let from = self.or_default(record.count("from"));
                Pagination::Page { parameter: self.text(record, "page"), from, last, at }
            }
            _ => Pagination::Offset { parameter: self.text(record, "offset"), last, at },
        })
    }
}
