//! Requests: where they go, what they send, and what a response contains.

use super::{Compiler, Scope, times};
use crate::core::time::TimeFormat;
use crate::providers::language::provider::{Body, EmptyResponse, JsonTemplate, Method, Parameter, Request, Rows};
use crate::providers::language::template::Template;
use crate::providers::provider_info::SettingType;
use crate::schema::read::{Record, join};
use crate::schema::yaml::{Key, Kind, Node};

/// What a request has if it says nothing else.
#[derive(Clone, Debug, Default)]
pub(super) struct Defaults {
    /// The permission that is missing if it is refused.
    pub(super) permission: Option<String>,
    pub(super) times: TimeFormat,
}

impl Compiler {
    pub(super) fn request(&mut self, record: &Record<'_>, scope: &Scope, defaults: &Defaults) -> Option<Request> {
        let target = self.target(record, scope);
        let method = target.as_ref().map(|(method, ..)| *method);
        let query = self.query(record, scope);
        let headers = self.templates(record, "headers", scope);
        let body = self.body(record, scope, method);
        let rows = self.rows(record, scope);
        let take = self.jq(record, "take", scope);
        let next = self.next(record, scope, method);
        let none = record.records("none").iter().filter_map(|none| {
            let condition = self.jq(none, "if", scope);
            Some(EmptyResponse { status: u16::try_from(none.count("status")?).ok()?, condition })
        });
        let none = none.collect();
        let failed = self.jq(record, "failed", scope).or_else(|| self.failed.clone());
        let times = times(record, &defaults.times);
        let permission = record.text("permission").or_else(|| defaults.permission.clone());
        let (method, base, path) = target?;
        Some(Request {
            method,
            base,
            path,
            query: query?,
            headers,
            body: body?,
            rows: rows?,
            take,
            next,
            none,
            failed,
            permission,
            times,
        })
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
        let template = self.template(record, key, scope)?;
        let (base, path) = match template.split_first_name() {
            Some((name, rest)) => (name.head.clone(), rest),
            None => ("url".to_owned(), template),
        };
        let is_url = |name: &str| self.settings.iter().any(|s| s.name == name && s.shape == SettingType::Url);
        let problem = if !path.begins_with_slash() {
            "a path begins with `/`, or with a setting of type `url`: `{NAME}/…`".to_owned()
        } else if !is_url(&base) {
            format!("there is no setting `{base}` of type `url` to which the path could be relative")
        } else if path.mentions(['?', '#']) {
            "a path has no `?` and no `#`; use `query` for parameters".to_owned()
        } else {
            return Some((if key == "get" { Method::Get } else { Method::Post }, base, path));
        };
        self.error(record.value_at(key), format!("{}: {problem}", record.path_of(key)));
        None
    }

    fn query(&mut self, record: &Record<'_>, scope: &Scope) -> Option<Vec<(String, Parameter)>> {
        let Some(node) = record.node("query") else { return Some(Vec::new()) };
        let mut query = Vec::new();
        let mut is_valid = true;
        for (key, value) in node.entries() {
            let path = join(&record.path_of("query"), &key.name);
            let values = value.elements().iter().filter(|element| !element.is_null());
            let values: Vec<_> = values.map(|element| self.template_of(element, &path, scope)).collect();
            is_valid &= values.iter().all(Option::is_some);
            let mut values: Vec<_> = values.into_iter().flatten().collect();
            let parameter = match value.kind {
                Kind::List(_) if values.is_empty() => None,
                Kind::List(_) => Some(Parameter::Several(values)),
                _ => values.pop().map(Parameter::One),
            };
            query.extend(parameter.map(|parameter| (key.name.clone(), parameter)));
        }
        is_valid.then_some(query)
    }

    /// The body, if there is one; nothing if it has errors.
    #[allow(clippy::option_option)]
    fn body(&mut self, record: &Record<'_>, scope: &Scope, method: Option<Method>) -> Option<Option<Body>> {
        const KEYS: [&str; 2] = ["body", "form"];
        if record.first_given(&KEYS).is_none() {
            return Some(None);
        }
        if method == Some(Method::Get) {
            self.refuse(record, &KEYS, "is not allowed with `get`");
            return None;
        }
        match self.exactly_one(record, &KEYS)? {
            "form" => Some(Some(Body::Form(self.templates(record, "form", scope)))),
            _ => match record.node("body").filter(|body| !body.is_null()) {
                Some(body) => Some(Some(Body::Json(self.json(body, &record.path_of("body"), scope)?))),
                None => Some(None),
            },
        }
    }

    fn json(&mut self, node: &Node, path: &str, scope: &Scope) -> Option<JsonTemplate> {
        Some(match &node.kind {
            Kind::Text(_) => JsonTemplate::Text(self.template_of(node, path, scope)?),
            Kind::List(list) => {
                let elements: Vec<_> = list.iter().map(|element| self.json(element, path, scope)).collect();
                JsonTemplate::List(elements.into_iter().collect::<Option<_>>()?)
            }
            Kind::Map(map) => {
                let entry = |(key, value): &(Key, Node)| {
                    Some((key.name.clone(), self.json(value, &join(path, &key.name), scope)?))
                };
                let entries: Vec<_> = map.iter().map(entry).collect();
                JsonTemplate::Map(entries.into_iter().collect::<Option<_>>()?)
            }
            _ => JsonTemplate::Plain(node.to_json()),
        })
    }

    fn rows(&mut self, record: &Record<'_>, scope: &Scope) -> Option<Rows> {
        const KEYS: [&str; 2] = ["rows", "row"];
        if record.first_given(&KEYS).is_none() {
            return Some(Rows::Whole);
        }
        match self.exactly_one(record, &KEYS)? {
            "rows" => self.jq(record, "rows", scope).map(Rows::List),
            _ => self.jq(record, "row", scope).map(Rows::One),
        }
    }
}
