//! Locations: rows that say where a token is used, and how a credential that is found there is identified.

use super::{Compiler, Scope};
use crate::core::location::LocationKind;
use crate::core::value_pattern::ValuePattern;
use crate::providers::language::expression::Expression;
use crate::providers::language::provider::{Body, Identify, IdentifyBy, LocationMap, LocationOf, Request};
use crate::providers::language::template::Template;
use crate::schema::record::Record;

/// The keys that only a way with a request can have.
const REQUEST_KEYS: [&str; 8] = ["query", "headers", "body", "failed", "retry", "none", "times", "touches"];

/// The name of the found credential in templates.
pub(crate) const VALUE: &str = "value";

impl Compiler {
    pub(super) fn location(&mut self, listing: &Record<'_>, record: &Record<'_>, scope: &Scope) -> LocationMap {
        let kind = record.text("kind");
        let kind = LocationKind::ALL.into_iter().find(|known| Some(known.label()) == kind.as_deref());
        let of = match self.exactly_one(record, &["token", "values"]) {
            Some("values") => LocationOf::Values {
                values: self.required_jq(record, "values", scope),
                hidden: self.jq(record, "hidden", scope),
                group: self.jq(record, "group", scope),
                own: self.jq(record, "own", scope),
            },
            _ => {
                self.refuse(record, &["hidden", "group", "own"], "is not allowed without `values`");
                LocationOf::Token(self.required_jq(record, "token", scope))
            }
        };
        if listing.is_given("back") && !record.is_given("last_seen") {
            let message = format!("{}: `last_seen` is missing; `back` needs it", record.path);
            self.error(record.at, message);
        }
        if kind == Some(LocationKind::Address) && !record.is_given("last_seen") && record.is_map {
            let message = format!("{}: `last_seen` is missing; an `address` needs it", record.path);
            self.error(record.at, message);
        }
        LocationMap {
            kind: kind.unwrap_or(LocationKind::Noted),
            place: self.required_jq(record, "place", scope),
            of,
            last_seen: self.jq(record, "last_seen", scope),
            log: listing.period("back"),
        }
    }

    pub(super) fn identify(&mut self, record: &Record<'_>, listings: &[Record<'_>]) -> Identify {
        let none = Scope::default();
        let prefixes = self.prefixes(record);
        let rest = record.text("rest").unwrap_or_else(|| ValuePattern::DEFAULT_REST.to_owned());
        if let Err(problem) = ValuePattern::new(&["prefix".to_owned()], &rest) {
            let message = format!("{}: invalid regular expression: {problem}", record.path_of("rest"));
            self.error(record.value_at("rest"), message);
        }
        let by = if record.is_given("listing") {
            self.identify_by_hint(record, listings)
        } else if record.first_given(&["get", "post"]).is_some() {
            self.identify_by_request(record)
        } else {
            self.refuse(record, &REQUEST_KEYS, "needs a request: `get` or `post`");
            IdentifyBy::Value { id: self.required_id(record) }
        };
        if !matches!(by, IdentifyBy::Hint { .. }) {
            self.refuse(record, &["hint"], "is not allowed without `listing`");
        }
        Identify { when: self.jq(record, "when", &none), prefixes, rest, by }
    }

    fn identify_by_request(&mut self, record: &Record<'_>) -> IdentifyBy {
        let scope = Scope { steps: vec![VALUE.to_owned()], ..Scope::default() };
        let request = Box::new(self.request(record, &scope, &self.defaults(record)));
        self.check_value(record, &request);
        if !record.is_given("touches") {
            let message = format!("{}: `touches` is missing: say what the request changes, or `nothing`", record.path);
            self.error(record.at, message);
        }
        IdentifyBy::Request {
            request,
            id: self.required_id(record),
            touches: record.text("touches").unwrap_or_default(),
        }
    }

    fn identify_by_hint(&mut self, record: &Record<'_>, listings: &[Record<'_>]) -> IdentifyBy {
        let why = "is not allowed with `listing`, which needs no request with the credential";
        self.refuse(record, &["get", "post", "id"], why);
        self.refuse(record, &REQUEST_KEYS, why);
        let listing = self.text(record, "listing");
        let scope = self.row_scope(record, listings).unwrap_or_default();
        IdentifyBy::Hint { hint: self.needed_jq(record, "hint", &scope), listing }
    }

    fn required_id(&mut self, record: &Record<'_>) -> Expression {
        self.needed_jq(record, "id", &Scope::default())
    }

    /// An expression that only some forms of the record need.
    fn needed_jq(&mut self, record: &Record<'_>, key: &str, scope: &Scope) -> Expression {
        if !record.is_given(key) && record.is_map && !record.has_unknown {
            self.error(record.at, format!("{}: `{key}` is missing", record.path));
        }
        self.required_jq(record, key, scope)
    }

    fn prefixes(&mut self, record: &Record<'_>) -> Vec<Template> {
        let node = record.node("prefix");
        let mut prefixes = Vec::new();
        for element in node.map(|node| node.elements().to_vec()).unwrap_or_default() {
            let path = record.path_of("prefix");
            if element.as_text().is_some_and(|text| text.chars().count() < 2) {
                self.error(element.at, format!("{path}: a prefix has at least two characters, or it finds other text"));
            }
            prefixes.push(self.template_at(&element, &path, &Scope::default()));
        }
        prefixes
    }

    /// The credential must be sent, and only in a header or in the body: paths and queries are logged by servers.
    fn check_value(&mut self, record: &Record<'_>, request: &Request) {
        let names_value = |template: &Template| template.names().any(|name| name.head == VALUE);
        let in_url = names_value(&request.path) || request.query.iter().any(|(_, value)| names_value(value));
        let in_body = match &request.body {
            None => false,
            Some(Body::Form(form)) => form.iter().any(|(_, value)| names_value(value)),
            Some(Body::Json(json)) => json.templates().into_iter().any(names_value),
        };
        let is_sent = in_body || request.headers.iter().any(|(_, value)| names_value(value));
        if in_url {
            let message = format!(
                "{}: a credential is not allowed in a path or a query, which servers log; send `{{value}}` in a header or in the body",
                record.path
            );
            self.error(record.at, message);
        } else if !is_sent && record.is_map {
            let message = format!("{}: the request does not send `{{value}}`, the found credential", record.path);
            self.error(record.at, message);
        }
    }
}
