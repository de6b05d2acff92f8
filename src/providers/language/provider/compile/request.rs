//! Requests: where they go, what they send, and what an answer holds.

use super::{Build, Names, path};
use crate::core::time::TimeFormat;
use crate::providers::language::definition::{elements, entry, first_key, get, named};
use crate::providers::language::provider::{
    Body, EmptyResponse, JsonTemplate, Method, Parameter, Request, Rows, SettingType,
};
use crate::providers::language::template::Template;
use crate::schema::yaml::{Kind, Node};

impl Build {
    /// A request. `outer` is what holds around it: the permission, and how times are read.
    pub(super) fn request(&mut self, node: &Node, what: &str, names: &Names, outer: &Outer) -> Option<Request> {
        let target = self.target(node, what, names);
        let method = target.as_ref().map(|(method, ..)| *method);
        let query = self.query(node, what, names);
        let headers = self.templates(node, "headers", what, names);
        let body = self.body(node, what, names, method);
        let rows = self.rows(node, what, names);
        let take = self.jq(node, "take", what, names);
        let next = self.next(node, what, names, method);
        let none = self.none(node, what, names);
        let failed = self.jq(node, "failed", what, names).or_else(|| self.failed.clone());
        let times = self.reading(node, &outer.times, what);
        let permission = self.string(node, "permission").or_else(|| outer.permission.clone());
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

    /// What holds around the requests of a construct, where it says something itself.
    pub(super) fn outer(&mut self, node: &Node, what: &str) -> Outer {
        let times = self.times.clone();
        Outer {
            permission: self.string(node, "permission").or_else(|| self.permission.clone()),
            times: self.reading(node, &times, what),
        }
    }

    fn target(&mut self, node: &Node, what: &str, names: &Names) -> Option<(Method, String, Template)> {
        let (method, key) = match (entry(node, "get"), entry(node, "post")) {
            (Some(_), None) => (Method::Get, "get"),
            (None, Some(_)) => (Method::Post, "post"),
            (Some(_), Some((post, _))) => {
                self.tell(post.at, format!("{what}: either `get` or `post`, not both"));
                return None;
            }
            (None, None) => {
                if matches!(node.kind, Kind::Map(_)) {
                    self.tell(first_key(node), format!("{what}: `get` or `post` is missing"));
                }
                return None;
            }
        };
        let at = get(node, key)?.at;
        let template = self.template(node, key, what, names)?;
        let what = path(what, key);
        let (base, rest) = match template.split_first_name() {
            Some((name, rest)) => (name.head.clone(), rest),
            None => ("url".to_owned(), template),
        };
        if !rest.begins_with_slash() {
            let message = format!("{what}: a path begins with `/`, or with a setting of type `url`: `{{NAME}}/…`");
            self.tell(at, message);
            return None;
        }
        if !self.settings.iter().any(|setting| setting.name == base && setting.shape == SettingType::Url) {
            self.tell(
                at,
                format!("{what}: there is no setting `{base}` of type `url` that the path could stand under"),
            );
            return None;
        }
        if rest.mentions(['?', '#']) {
            self.tell(at, format!("{what}: a path has no `?` and no `#`; parameters stand in `query`"));
            return None;
        }
        Some((method, base, rest))
    }

    fn query(&mut self, node: &Node, what: &str, names: &Names) -> Option<Vec<(String, Parameter)>> {
        let Some(node) = get(node, "query") else { return Some(Vec::new()) };
        let Kind::Map(entries) = &node.kind else { return None };
        let mut query = Vec::new();
        let mut whole = true;
        for (key, value) in entries {
            let what = format!("{what}.query.{}", key.name);
            let values: Vec<Option<Template>> = elements(value)
                .filter(|element| !element.is_null())
                .map(|element| self.template_of(element, &what, names))
                .collect();
            whole &= values.iter().all(Option::is_some);
            let mut values: Vec<Template> = values.into_iter().flatten().collect();
            match (&value.kind, values.pop()) {
                (_, None) => {}
                (Kind::List(_), Some(last)) => {
                    values.push(last);
                    query.push((key.name.clone(), Parameter::Several(values)));
                }
                (_, Some(one)) => query.push((key.name.clone(), Parameter::One(one))),
            }
        }
        whole.then_some(query)
    }

    /// The body, if there is one; nothing where it has mistakes.
    #[allow(clippy::option_option)]
    fn body(&mut self, node: &Node, what: &str, names: &Names, method: Option<Method>) -> Option<Option<Body>> {
        for key in ["body", "form"] {
            if let (Some((key, _)), Some(Method::Get)) = (entry(node, key), method) {
                self.tell(key.at, format!("{what}: only a `post` has a `{}`", key.name));
                return None;
            }
        }
        match (get(node, "body"), entry(node, "form")) {
            (Some(_), Some((form, _))) => {
                self.tell(form.at, format!("{what}: either `body` or `form`, not both"));
                None
            }
            (Some(body), None) => Some(Some(Body::Json(self.json(body, &path(what, "body"), names)?))),
            (None, Some(_)) => Some(Some(Body::Form(self.templates(node, "form", what, names)))),
            (None, None) => Some(None),
        }
    }

    fn json(&mut self, node: &Node, what: &str, names: &Names) -> Option<JsonTemplate> {
        Some(match &node.kind {
            Kind::Text(_) => JsonTemplate::Text(self.template_of(node, what, names)?),
            Kind::List(list) => {
                let elements: Vec<_> = list.iter().map(|element| self.json(element, what, names)).collect();
                JsonTemplate::List(elements.into_iter().collect::<Option<_>>()?)
            }
            Kind::Map(map) => {
                let entry = |(key, value): &(crate::schema::yaml::Key, Node)| {
                    Some((key.name.clone(), self.json(value, &format!("{what}.{}", key.name), names)?))
                };
                let entries: Vec<_> = map.iter().map(entry).collect();
                JsonTemplate::Map(entries.into_iter().collect::<Option<_>>()?)
            }
            _ => JsonTemplate::Plain(node.to_json()),
        })
    }

    fn rows(&mut self, node: &Node, what: &str, names: &Names) -> Option<Rows> {
        match (get(node, "rows"), entry(node, "row")) {
            (Some(_), Some((row, _))) => {
                self.tell(row.at, format!("{what}: either `rows` or `row`, not both"));
                None
            }
            (Some(_), None) => self.jq(node, "rows", what, names).map(Rows::List),
            (None, Some(_)) => self.jq(node, "row", what, names).map(Rows::One),
            (None, None) => Some(Rows::Whole),
        }
    }

    fn none(&mut self, node: &Node, what: &str, names: &Names) -> Vec<EmptyResponse> {
        let Some(node) = get(node, "none") else { return Vec::new() };
        let mut none = Vec::new();
        for (what, element) in named(node, &path(what, "none")) {
            let condition = self.jq(element, "if", &what, names);
            let Some(status) = get(element, "status") else { continue };
            match &status.kind {
                Kind::Number(number) => match number.as_u64().and_then(|number| u16::try_from(number).ok()) {
                    Some(number @ 200..=599) => none.push(EmptyResponse::new(number, condition)),
                    _ => self.tell(status.at, format!("{what}.status: a status is a number from 200 to 599")),
                },
                _ => continue,
            }
        }
        none
    }
}

/// What holds around a request.
#[derive(Clone, Debug, Default)]
pub(super) struct Outer {
    /// The permission that a refusal lacks.
    pub(super) permission: Option<String>,
    /// How times are read.
    pub(super) times: TimeFormat,
}
