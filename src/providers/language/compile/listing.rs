//! Listings with their fan-outs and tokens, look-up tables, and the exporter's own credential.

use super::request::Defaults;
use super::{Compiler, Scope};
use crate::providers::language::expression::Expression;
use crate::providers::language::provider::{
    Listing, LookupFill, LookupTable, OwnCredential, Request, Require, RowMap, Step, TokenMap,
};
use crate::schema::diagnostic::suggest;
use crate::schema::record::Record;

/// Names that an `as` cannot have: they mean something in expressions and templates.
const RESERVED: [&str; 10] =
    ["settings", "maps", "body", "headers", "status", "rows", "credential", "login", "key", "value"];

impl Compiler {
    pub(super) fn listings(&mut self, root: &Record<'_>) -> Vec<Listing> {
        let records = root.records("listings");
        self.check_duplicates(records, "listings");
        let mut listings: Vec<_> = records.iter().map(|record| self.listing(record)).collect();
        let locations = root.records("locations");
        self.check_duplicates(locations, "locations");
        for record in locations {
            let name = record.text("name");
            if listings.iter().any(|listing| Some(&listing.name) == name.as_ref()) {
                let message = format!("{}: a listing of tokens has this name; choose another", record.path_of("name"));
                self.error(record.value_at("name"), message);
            }
            listings.push(self.listing(record));
        }
        listings
    }

    fn listing(&mut self, record: &Record<'_>) -> Listing {
        let defaults = self.defaults(record);
        let when = self.jq(record, "when", &Scope::default());
        let require = record.records("require").iter().map(|require| self.requirement(require, &defaults)).collect();
        let first_expression = self.expressions.len();
        let mut scope = Scope { maps: true, ..Scope::default() };
        // The `times` of a listing are those of its last response, not of its steps.
        let step_defaults = Defaults { times: self.times.clone(), ..defaults.clone() };
        let steps = record.records("for_each").iter().map(|step| self.step(step, &mut scope, &step_defaults));
        let for_each = steps.collect();
        let request = self.request(record, &scope, &defaults);
        let location = record.record("location");
        let is_location = location.is_some();
        let rows = match location {
            Some(location) => RowMap::Location(Box::new(self.location(record, location, &scope))),
            None => RowMap::Token(Box::new(self.token(record, &scope))),
        };
        let used: Vec<_> = self.expressions[first_expression..].iter().flat_map(Expression::maps).collect();
        let maps = (0..self.map_names.len()).filter(|number| used.contains(&&self.map_names[*number])).collect();
        Listing {
            name: self.text(record, "name"),
            help: record.text("help"),
            kind: if is_location { String::new() } else { self.text(record, "kind") },
            opt_in: is_location || record.flag("opt_in").unwrap_or_default(),
            replaces: is_location || record.flag("replaces").unwrap_or_default(),
            owner_is_login: record.text("owner_name").as_deref() == Some("login"),
            when,
            require,
            is_unknowable: record.text("require").is_some(),
            for_each,
            maps,
            recheck: record.period("recheck"),
            request,
            rows,
        }
    }

    fn requirement(&mut self, record: &Record<'_>, defaults: &Defaults) -> Require {
        let none = Scope::default();
        // The status after a POST is often 201.
        let request = Request { accepts_2xx: true, ..self.request(record, &none, defaults) };
        Require { request, that: self.required_jq(record, "that", &none) }
    }

    /// A step. Its name is added to the scope.
    fn step(&mut self, record: &Record<'_>, scope: &mut Scope, defaults: &Defaults) -> Step {
        let name = self.step_name(record, scope);
        let step = if record.is_given("in") {
            let request = [
                "get", "post", "query", "headers", "body", "form", "rows", "row", "take", "next", "more", "total",
                "none", "recheck",
            ];
            self.refuse(record, &request, "is not allowed with `in`");
            Step::Values { list: self.required_jq(record, "in", scope), name: name.clone() }
        } else {
            let request = Box::new(self.request(record, scope, defaults));
            Step::Request { request, name: name.clone(), recheck: record.period("recheck") }
        };
        scope.steps.push(name);
        step
    }

    fn step_name(&mut self, record: &Record<'_>, scope: &Scope) -> String {
        let name = self.text(record, "as");
        let is_taken = RESERVED.contains(&name.as_str())
            || scope.steps.contains(&name)
            || self.settings.iter().any(|setting| setting.name == name);
        let problem = if is_taken && !name.is_empty() {
            format!("`{name}` is already defined; choose another name")
        } else if name.contains('-') {
            format!("jq has no variable `${name}`; choose a name without `-`")
        } else {
            return name;
        };
        self.error(record.value_at("as"), format!("{}: {problem}", record.path_of("as")));
        name
    }

    fn token(&mut self, listing: &Record<'_>, scope: &Scope) -> TokenMap {
        let mut field = |key: &str| self.jq(listing, &format!("token.{key}"), scope);
        TokenMap {
            name: field("name"),
            kind: field("kind"),
            owner: field("owner"),
            created_at: field("created_at"),
            last_used_at: field("last_used_at"),
            lifetime: field("lifetime"),
            renews_at: field("renews_at"),
            same_as: field("same_as"),
            scopes: field("scopes"),
            disabled: field("disabled"),
            manage_url: field("manage_url"),
            labels: field("labels"),
            id: self.required_jq(listing, "token.id", scope),
            expires_at: self.required_jq(listing, "token.expires_at", scope),
        }
    }

    pub(super) fn map(&mut self, record: &Record<'_>) -> LookupTable {
        let none = Scope::default();
        let scope = if record.is_given("for") { Scope::special(&["key"]) } else { none.clone() };
        let fill = match self.exactly_one(record, &["key", "for"]) {
            Some("for") => {
                self.refuse(record, &["rows", "next", "more", "total", "take"], "is not allowed with `for`");
                let keep = self.or_default(record.period("keep"));
                LookupFill::PerKey { key: self.required_jq(record, "for", &none), keep }
            }
            key => {
                if key.is_some() && record.first_given(&["rows", "next"]).is_none() {
                    self.error(record.at, format!("{}: `key` needs `rows`", record.path));
                }
                self.refuse(record, &["keep"], "is not allowed without `for`");
                LookupFill::All(self.required_jq(record, "key", &none))
            }
        };
        LookupTable {
            name: self.map_key(record),
            when: self.jq(record, "when", &none),
            fill,
            request: self.request(record, &scope, &self.defaults(record)),
            value: self.required_jq(record, "value", &none),
        }
    }

    pub(super) fn own(&mut self, record: &Record<'_>, listings: &[Record<'_>]) -> OwnCredential {
        let none = Scope::default();
        let when = self.jq(record, "when", &none);
        if record.is_given("jwt") {
            let others = ["get", "post", "expires_at", "query", "headers", "body", "form", "listing", "is", "hint"];
            self.refuse(record, &others, "is not allowed with `jwt`");
            return OwnCredential::Jwt { when, token: self.template(record, "jwt", &Scope::special(&["credential"])) };
        }
        if !record.is_given("listing") {
            self.refuse(record, &["is", "hint"], "is not allowed without `listing`");
            if !record.is_given("expires_at") && record.is_map {
                self.error(record.at, format!("{}: `expires_at` is missing", record.path));
            }
            let request = Box::new(self.request(record, &none, &self.defaults(record)));
            return OwnCredential::Request { when, request, expires_at: self.required_jq(record, "expires_at", &none) };
        }
        let request = ["get", "post", "expires_at", "query", "headers", "body", "form"];
        self.refuse(record, &request, "is not allowed with `listing`");
        if record.first_given(&["is", "hint"]).is_none() {
            self.error(
                record.at,
                format!("{}: `is` or `hint` is missing: it selects the row of the listing", record.path),
            );
        }
        let listing = self.text(record, "listing");
        let scope = self.row_scope(record, listings);
        OwnCredential::Listing {
            when,
            is: scope.as_ref().and_then(|scope| self.jq(record, "is", scope)),
            hint: scope.as_ref().and_then(|scope| self.jq(record, "hint", scope)),
            listing,
        }
    }

    /// The names that the rows of the record's `listing` can use.
    pub(super) fn row_scope(&mut self, record: &Record<'_>, listings: &[Record<'_>]) -> Option<Scope> {
        let name = record.text("listing")?;
        let names: Vec<_> = listings.iter().filter_map(|listing| listing.text("name")).collect();
        let found = listings.iter().find(|listing| listing.text("name").as_ref() == Some(&name));
        let Some(listing) = found else {
            let hint = suggest(&name, names.iter().map(String::as_str));
            let message = format!("{}: unknown listing `{name}`{hint}", record.path_of("listing"));
            self.error(record.value_at("listing"), message);
            return None;
        };
        let steps = listing.records("for_each").iter().filter_map(|step| step.text("as")).collect();
        Some(Scope { steps, maps: true, special: &[] })
    }
}
