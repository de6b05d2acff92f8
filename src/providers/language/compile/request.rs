//! Requests: where they go, what they send, and what a response contains.

use super::{Compiler, Scope, statuses, times};
use crate::core::failure::Reason;
use crate::core::time::TimeFormat;
use crate::providers::language::expression::Expression;
use crate::providers::language::provider::{Body, EmptyResponse, FailedResponse, JsonTemplate, Method, Request, Rows};
use crate::providers::language::template::Template;
use crate::providers::provider_info::SettingType;
use crate::schema::reader::join;
use crate::schema::record::Record;
use crate::schema::yaml::{Key, Kind, Node};

/// What a request has if it says nothing else.
#[derive(Clone, Debug, Default)]
pub(super) struct Defaults {
    /// The permission that is missing if it is refused.
    pub(super) permission: Option<String>,
    pub(super) times: TimeFormat,
}

impl Compiler {
    pub(super) fn request(&mut self, record: &Record<'_>, scope: &Scope, defaults: &Defaults) -> Request {
        let target = self.target(record, scope);
        let method = target.as_ref().map(|(method, ..)| *method);
        self.is_complete &= target.is_some();
        if record.is_given("next") {
            self.refuse(record, &["one_page"], "is not allowed with `next`");
        }
        let first_expression = self.expressions.len();
        let (_, base, path) = target.unwrap_or((Method::Get, String::new(), Template::default()));
        Request {
            method: method.unwrap_or(Method::Get),
            base,
            path,
            query: self.query(record, scope),
            headers: self.templates(record, "headers", scope),
            body: self.body(record, scope, method),
            rows: self.rows(record, scope),
            take: self.jq(record, "take", scope),
            next: self.next(record, scope, method),
            more: self.list_expression(record, "more", scope),
            total: self.list_expression(record, "total", scope),
            none: record.records("none").iter().map(|none| self.empty_response(none, scope)).collect(),
            #[cfg(test)]
            one_page: record.text("one_page"),
            failed: self.failed(record, scope).unwrap_or_else(|| self.failed.clone()),
            retry: statuses(record, "retry").unwrap_or_else(|| self.retry.clone()),
            service: self.service(record),
            permission: record.text("permission").or_else(|| defaults.permission.clone()),
            accepts_2xx: false,
            times: times(record, &defaults.times),
            expressions: self.expressions[first_expression..].to_vec(),
        }
    }

    /// An expression on a list of rows.
    fn list_expression(&mut self, record: &Record<'_>, key: &str, scope: &Scope) -> Option<Expression> {
        if record.is_given(key) && !record.is_given("rows") {
            self.error(record.key_at(key), format!("{}: `{key}` needs `rows`", record.path));
        }
        self.jq(record, key, scope)
    }

    /// The AWS service for which the request is signed.
    fn service(&mut self, record: &Record<'_>) -> Option<String> {
        if !self.signs_for_aws {
            self.refuse(record, &["service"], "needs `auth` with `aws_sigv4`");
        }
        record.text("service")
    }

    /// The responses that are failures by what they contain; `None` if the key is absent.
    pub(super) fn failed(&mut self, record: &Record<'_>, scope: &Scope) -> Option<Vec<FailedResponse>> {
        let node = record.node("failed")?;
        if !matches!(node.kind, Kind::List(_) | Kind::Map(_)) {
            let condition = self.required_jq(record, "failed", scope);
            return Some(vec![FailedResponse { condition, reason: Reason::Decode, remedy: None }]);
        }
        let failed = |failed: &Record<'_>| {
            let reason = failed.text("reason").unwrap_or_default();
            let reason = Reason::ALL.into_iter().find(|known| known.label() == reason);
            let condition = self.required_jq(failed, "if", scope);
            FailedResponse { condition, reason: reason.unwrap_or(Reason::Decode), remedy: failed.text("remedy") }
        };
        Some(record.records("failed").iter().map(failed).collect())
    }

    fn empty_response(&mut self, record: &Record<'_>, scope: &Scope) -> EmptyResponse {
        let condition = self.jq(record, "if", scope);
        let status = record.count("status").and_then(|status| u16::try_from(status).ok());
        let if_others_succeed = record.flag("if_others_succeed").unwrap_or_default();
        EmptyResponse { status: self.or_default(status), condition, if_others_succeed }
    }

    /// The defaults for the requests of a listing, a look-up table or `self`.
    pub(super) fn defaults(&self, record: &Record<'_>) -> Defaults {
        Defaults {
            permission: record.text("permission").or_else(|| self.permission.clone()),
            times: times(record, &self.times),
        }
    }

    fn target(&mut self, record: &Record<'_>, scope: &Scope) -> Option<(Method, String, Template)> {
        let key = self.exactly_one(record, &["get", "post"])?;
        let template = self.template_of(record.node(key)?, &record.path_of(key), scope)?;
        let (base, path) = match template.split_first_name() {
            Some((name, rest)) => (name.head.clone(), rest),
            None => ("url".to_owned(), template),
        };
        let is_url = |name: &str| self.settings.iter().any(|s| s.name == name && s.setting_type == SettingType::Url);
        let problem = if !path.begins_with_slash() {
            "a path begins with `/`, or with a setting of type `url`: `{NAME}/…`".to_owned()
        } else if !is_url(&base) {
            format!("the path is relative to the setting `{base}`; declare it in `settings`, with `type: url`")
        } else if path.mentions(['?', '#']) {
            "a path has no `?` and no `#`; use `query` for parameters".to_owned()
        } else {
            return Some((if key == "get" { Method::Get } else { Method::Post }, base, path));
        };
        self.error(record.value_at(key), format!("{}: {problem}", record.path_of(key)));
        None
    }

    fn query(&mut self, record: &Record<'_>, scope: &Scope) -> Vec<(String, Template)> {
        let mut query = Vec::new();
        for (key, value) in record.node("query").map(Node::entries).unwrap_or_default() {
            let path = join(&record.path_of("query"), &key.name);
            let values = value.elements().iter().filter(|element| !element.is_null());
            query.extend(values.map(|value| (key.name.clone(), self.template_at(value, &path, scope))));
        }
        query
    }

    fn body(&mut self, record: &Record<'_>, scope: &Scope, method: Option<Method>) -> Option<Body> {
        const KEYS: [&str; 2] = ["body", "form"];
        record.first_given(&KEYS)?;
        if method == Some(Method::Get) {
            self.refuse(record, &KEYS, "is not allowed with `get`");
        }
        match self.exactly_one(record, &KEYS)? {
            "form" => Some(Body::Form(self.templates(record, "form", scope))),
            _ => {
                let body = record.node("body").filter(|body| !body.is_null())?;
                Some(Body::Json(self.json(body, &record.path_of("body"), scope)))
            }
        }
    }

    pub(super) fn json(&mut self, node: &Node, path: &str, scope: &Scope) -> JsonTemplate {
        match &node.kind {
            Kind::Text(_) => JsonTemplate::Text(self.template_at(node, path, scope)),
            Kind::List(list) => JsonTemplate::List(list.iter().map(|node| self.json(node, path, scope)).collect()),
            Kind::Map(map) => {
                let entry =
                    |(key, node): &(Key, Node)| (key.name.clone(), self.json(node, &join(path, &key.name), scope));
                JsonTemplate::Map(map.iter().map(entry).collect())
            }
            _ => JsonTemplate::Plain(node.to_json()),
        }
    }

    fn rows(&mut self, record: &Record<'_>, scope: &Scope) -> Rows {
        const KEYS: [&str; 2] = ["rows", "row"];
        if record.first_given(&KEYS).is_none() {
            return Rows::Whole;
        }
        match self.exactly_one(record, &KEYS) {
            Some("row") => Rows::One(self.required_jq(record, "row", scope)),
            _ => Rows::List(self.required_jq(record, "rows", scope)),
        }
    }
}
