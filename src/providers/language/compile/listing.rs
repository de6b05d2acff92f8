//! Listings with their fan-outs and tokens, look-up tables, and the exporter's own credential.

use super::request::Defaults;
use super::{Compiler, Scope};
use crate::providers::language::expression::Expression;
use crate::providers::language::provider::{Listing, LookupFill, LookupTable, OwnCredential, Require, Step, TokenMap};
use crate::schema::diagnostic::{Span, suggest};
use crate::schema::read::Record;

/// Names that an `as` cannot have: they mean something in expressions and templates.
const RESERVED: [&str; 9] = ["settings", "maps", "body", "headers", "status", "rows", "credential", "login", "key"];

impl Compiler {
    pub(super) fn listings(&mut self, root: &Record<'_>) -> Option<Vec<Listing>> {
        let records = root.records("listings");
        self.check_duplicates(records, "listings");
        let listings: Vec<_> = records.iter().map(|record| self.listing(record)).collect();
        listings.into_iter().collect()
    }

    fn listing(&mut self, record: &Record<'_>) -> Option<Listing> {
        let defaults = self.defaults(record);
        let when = self.jq(record, "when", &Scope::default());
        let require = record.record("require").map(|require| {
            let request = self.request(require, &Scope::default(), &defaults);
            let that = self.jq(require, "that", &Scope::default());
            Some(Require { request: request?, that: that? })
        });
        let first_expression = self.expressions.len();
        let mut scope = Scope { maps: true, ..Scope::default() };
        // The `times` of a listing are those of its last response, not of its steps.
        let step_defaults = Defaults { times: self.times.clone(), ..defaults.clone() };
        let steps = record.records("for_each").iter().map(|step| self.step(step, &mut scope, &step_defaults));
        let steps: Vec<_> = steps.collect();
        let request = self.request(record, &scope, &defaults);
        let token = record.record("token").and_then(|token| self.token(token, &scope));
        let used: Vec<&String> = self.expressions[first_expression..].iter().flat_map(Expression::maps).collect();
        let maps = (0..self.map_names.len()).filter(|number| used.contains(&&self.map_names[*number])).collect();
        let require = match require {
            Some(require) => Some(require?),
            None => None,
        };
        Some(Listing {
            name: record.text("name")?,
            help: record.text("help"),
            kind: record.text("kind")?,
            opt_in: record.flag("opt_in")?,
            replaces: record.flag("replaces")?,
            when,
            require,
            for_each: steps.into_iter().collect::<Option<_>>()?,
            maps,
            recheck: record.period("recheck"),
            request: request?,
            token: token?,
        })
    }

    /// A step. Its name is added to the scope.
    fn step(&mut self, record: &Record<'_>, scope: &mut Scope, defaults: &Defaults) -> Option<Step> {
        let name = self.step_name(record, scope);
        let step = if record.is_given("in") {
            let request = ["get", "post", "query", "headers", "body", "rows", "row", "take", "next", "none"];
            self.refuse(record, &request, "is not allowed with `in`");
            let list = self.jq(record, "in", scope);
            name.clone().zip(list).map(|(name, list)| Step::Values { list, name })
        } else {
            let request = self.request(record, scope, defaults);
            name.clone().zip(request).map(|(name, request)| Step::Request { request: Box::new(request), name })
        };
        scope.steps.extend(name);
        step
    }

    fn step_name(&mut self, record: &Record<'_>, scope: &Scope) -> Option<String> {
        let (name, at) = record.spanned("as")?;
        let is_taken = RESERVED.contains(&name.as_str())
            || scope.steps.contains(&name)
            || self.settings.iter().any(|setting| setting.name == name);
        if is_taken {
            self.error(at, format!("{}: `{name}` is already defined; choose another name", record.path_of("as")));
        } else if name.contains('-') {
            let message = format!("{}: jq has no variable `${name}`; choose a name without `-`", record.path_of("as"));
            self.error(at, message);
        }
        Some(name)
    }

    fn token(&mut self, record: &Record<'_>, scope: &Scope) -> Option<TokenMap> {
        let mut field = |key: &str| self.jq(record, key, scope);
        let (id, expires_at) = (field("id"), field("expires_at"));
        let token = TokenMap {
            name: field("name"),
            kind: field("kind"),
            owner: field("owner"),
            created_at: field("created_at"),
            last_used_at: field("last_used_at"),
            lifetime: field("lifetime"),
            scopes: field("scopes"),
            disabled: field("disabled"),
            manage_url: field("manage_url"),
            labels: field("labels"),
            id: id?,
            expires_at: expires_at?,
        };
        Some(token)
    }

    pub(super) fn map(&mut self, record: &Record<'_>) -> Option<LookupTable> {
        let name = self.map_key(record)?;
        let defaults = self.defaults(record);
        let is_per_key = record.is_given("for");
        let scope = if is_per_key { Scope::special(&["key"]) } else { Scope::default() };
        let request = self.request(record, &scope, &defaults);
        let value = self.jq(record, "value", &Scope::default());
        let fill = match self.exactly_one(record, &["key", "for"])? {
            "key" => {
                if !record.is_given("rows") && !record.is_given("next") {
                    self.error(record.at, format!("{}: `key` needs `rows`", record.path));
                }
                self.refuse(record, &["keep"], "is not allowed without `for`");
                self.jq(record, "key", &Scope::default()).map(LookupFill::All)
            }
            _ => {
                self.refuse(record, &["rows", "next", "take"], "is not allowed with `for`");
                let key = self.jq(record, "for", &Scope::default());
                key.zip(record.period("keep")).map(|(key, keep)| LookupFill::PerKey { key, keep })
            }
        };
        Some(LookupTable { name, help: record.text("help"), fill: fill?, request: request?, value: value? })
    }

    pub(super) fn own(&mut self, record: &Record<'_>, listings: &[Record<'_>]) -> Option<OwnCredential> {
        let when = self.jq(record, "when", &Scope::default());
        if !record.is_given("listing") {
            self.refuse(record, &["is", "hint"], "is not allowed without `listing`");
            let defaults = self.defaults(record);
            let request = self.request(record, &Scope::default(), &defaults);
            if !record.is_given("expires_at") && record.is_map {
                self.error(record.at, format!("{}: `expires_at` is missing", record.path));
            }
            let expires_at = self.jq(record, "expires_at", &Scope::default());
            return Some(OwnCredential::Request { when, request: Box::new(request?), expires_at: expires_at? });
        }
        let request = ["get", "post", "expires_at", "query", "headers", "body"];
        self.refuse(record, &request, "is not allowed with `listing`");
        let (listing, at) = record.spanned("listing")?;
        let scope = self.row_scope(&listing, at, listings)?;
        let is = self.jq(record, "is", &scope);
        let hint = self.jq(record, "hint", &scope);
        if record.first_given(&["is", "hint"]).is_none() {
            self.error(
                record.at,
                format!("{}: `is` or `hint` is missing: it selects the row of the listing", record.path),
            );
        }
        Some(OwnCredential::Listing { when, listing, is, hint })
    }

    /// The names that the rows of a listing can use.
    fn row_scope(&mut self, name: &str, at: Span, listings: &[Record<'_>]) -> Option<Scope> {
        let names: Vec<_> = listings.iter().filter_map(|listing| listing.text("name")).collect();
        let found = listings.iter().find(|listing| listing.text("name").as_deref() == Some(name));
        let Some(listing) = found else {
            let hint = suggest(name, names.iter().map(String::as_str));
            self.error(at, format!("self.listing: unknown listing `{name}`{hint}"));
            return None;
        };
        let steps = listing.records("for_each").iter().filter_map(|step| step.text("as")).collect();
        Some(Scope { steps, maps: true, special: &[] })
    }
}
