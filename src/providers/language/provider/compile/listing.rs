//! Listings, their fan-outs and tokens; look-up tables; the exporter's own credential.

use std::time::Duration;

use super::{Build, Names, path};
use crate::providers::language::definition;
use crate::providers::language::definition::{entry, first_key, get, named};
use crate::providers::language::provider::{Listing, LookupFill, Map, OwnCredential, Require, Step, TokenMap};
use crate::schema::diagnostic::did_you_mean;
use crate::schema::yaml::{Kind, Node};

/// Names that an `as` cannot take: expressions and templates know something else by them.
const TAKEN: [&str; 9] = ["settings", "maps", "body", "headers", "status", "rows", "credential", "login", "key"];

/// How long a looked-up value is used again unless the map says so.
const KEEP: Duration = Duration::from_secs(24 * 60 * 60);

impl Build {
    pub(super) fn listings(&mut self, node: Option<&Node>) -> Option<Vec<Listing>> {
        let node = node.filter(|node| matches!(node.kind, Kind::List(_)))?;
        self.twice(node, "listings");
        let listings: Vec<_> =
            named(node, "listings").into_iter().map(|(what, node)| self.listing(node, &what)).collect();
        if listings.is_empty() {
            self.tell(node.at, "listings: the list is empty".into());
        }
        listings.into_iter().collect()
    }

    fn listing(&mut self, node: &Node, what: &str) -> Option<Listing> {
        let outer = self.outer(node, what);
        let when = self.jq(node, "when", what, &Names::none());
        let require = get(node, "require").map(|node| {
            let what = path(what, "require");
            let request = self.request(node, &what, &Names::none(), &outer);
            let that = self.jq(node, "that", &what, &Names::none());
            Some(Require { request: request?, that: that? })
        });
        let mut names = Names { maps: true, ..Names::none() };
        let mut for_each = Vec::new();
        if let Some(steps) = get(node, "for_each") {
            for (what, step) in named(steps, &path(what, "for_each")) {
                // The times of the last answer are not those of the steps.
                let outer = crate::providers::language::provider::compile::request::Outer {
                    times: self.times.clone(),
                    ..outer.clone()
                };
                for_each.push(self.step(step, &what, &mut names, &outer));
            }
        }
        let request = self.request(node, what, &names, &outer);
        let token = get(node, "token").and_then(|token| self.token(token, &path(what, "token"), &names));
        let require = match require {
            Some(require) => Some(require?),
            None => None,
        };
        Some(Listing {
            name: self.string(node, "name")?,
            help: self.string(node, "help"),
            kind: self.string(node, "kind")?,
            opt_in: flag(node, "opt_in", false),
            replaces: flag(node, "replaces", true),
            when,
            require,
            for_each: for_each.into_iter().collect::<Option<_>>()?,
            recheck: get(node, "recheck").and_then(definition::duration),
            request: request?,
            token: token?,
        })
    }

    /// A step; its name joins those to the left.
    fn step(
        &mut self,
        node: &Node,
        what: &str,
        names: &mut Names,
        outer: &crate::providers::language::provider::compile::request::Outer,
    ) -> Option<Step> {
        let name = self.step_name(node, what, names);
        let step = match entry(node, "in") {
            Some(_) => {
                let asks = ["get", "post", "query", "headers", "body", "rows", "row", "take", "next", "none"];
                if let Some((key, _)) = asks.iter().find_map(|key| entry(node, key)) {
                    self.tell(key.at, format!("{what}: `{}` has no meaning beside `in`", key.name));
                }
                let list = self.jq(node, "in", what, names);
                name.clone().zip(list).map(|(name, list)| Step::Values { list, name })
            }
            None => {
                let request = self.request(node, what, names, outer);
                name.clone().zip(request).map(|(name, request)| Step::Request { request: Box::new(request), name })
            }
        };
        names.steps.extend(name);
        step
    }

    fn step_name(&mut self, node: &Node, what: &str, names: &Names) -> Option<String> {
        let at = get(node, "as")?;
        let name = at.as_text()?;
        let taken = TAKEN.contains(&name) || names.steps.iter().any(|step| step == name);
        if taken || self.settings.iter().any(|setting| setting.name == name) {
            self.tell(at.at, format!("{what}.as: `{name}` means something already; take another name"));
        } else if name.contains('-') {
            self.tell(at.at, format!("{what}.as: `${name}` is no variable in jq; take a name without `-`"));
        }
        Some(name.to_owned())
    }

    fn token(&mut self, node: &Node, what: &str, names: &Names) -> Option<TokenMap> {
        let mut field = |key: &str| self.jq(node, key, what, names);
        let (id, expires_at) = (field("id"), field("expires_at"));
        let (name, kind, owner) = (field("name"), field("kind"), field("owner"));
        let (created_at, last_used_at, lifetime) = (field("created_at"), field("last_used_at"), field("lifetime"));
        let (scopes, disabled) = (field("scopes"), field("disabled"));
        let (manage_url, labels) = (field("manage_url"), field("labels"));
        Some(TokenMap {
            id: id?,
            expires_at: expires_at?,
            name,
            kind,
            owner,
            created_at,
            last_used_at,
            lifetime,
            scopes,
            disabled,
            manage_url,
            labels,
        })
    }

    pub(super) fn read_maps(&mut self, node: Option<&Node>) -> Option<Vec<Map>> {
        let Some(Kind::Map(entries)) = node.map(|node| &node.kind) else { return Some(Vec::new()) };
        let maps: Vec<_> =
            entries.iter().map(|(key, node)| self.map(&key.name, node, &format!("maps.{}", key.name))).collect();
        maps.into_iter().collect()
    }

    fn map(&mut self, name: &str, node: &Node, what: &str) -> Option<Map> {
        let outer = self.outer(node, what);
        let look_up = entry(node, "for").is_some();
        let names = if look_up { Names::special(&["key"]) } else { Names::none() };
        let request = self.request(node, what, &names, &outer);
        let value = self.jq(node, "value", what, &Names::none());
        let fill = match (entry(node, "key"), entry(node, "for")) {
            (Some(_), None) => {
                if entry(node, "rows").is_none() && entry(node, "next").is_none() {
                    self.tell(first_key(node), format!("{what}: a map with a `key` needs `rows`"));
                }
                if let Some((keep, _)) = entry(node, "keep") {
                    self.tell(keep.at, format!("{what}: `keep` has no meaning without `for`"));
                }
                self.jq(node, "key", what, &Names::none()).map(LookupFill::All)
            }
            (None, Some(_)) => {
                for key in ["rows", "next", "take"] {
                    if let Some((key, _)) = entry(node, key) {
                        self.tell(key.at, format!("{what}: `{}` has no meaning with `for`", key.name));
                    }
                }
                let keep = get(node, "keep").and_then(definition::duration).unwrap_or(KEEP);
                self.jq(node, "for", what, &Names::none()).map(|key| LookupFill::PerKey { key, keep })
            }
            _ => {
                if matches!(node.kind, Kind::Map(_)) {
                    self.tell(first_key(node), format!("{what}: either `key` or `for` is needed"));
                }
                None
            }
        };
        let help = self.string(node, "help");
        Some(Map { name: name.to_owned(), help, fill: fill?, request: request?, value: value? })
    }

    pub(super) fn own(&mut self, node: &Node, listings: Option<&Node>) -> Option<OwnCredential> {
        let when = self.jq(node, "when", "self", &Names::none());
        let Some((_, listing)) = entry(node, "listing") else {
            for key in ["is", "hint"] {
                if let Some((key, _)) = entry(node, key) {
                    self.tell(key.at, format!("self: `{}` has no meaning without `listing`", key.name));
                }
            }
            let outer = self.outer(node, "self");
            let request = self.request(node, "self", &Names::none(), &outer);
            if matches!(node.kind, Kind::Map(_)) && entry(node, "expires_at").is_none() {
                self.tell(first_key(node), "self: `expires_at` is missing".into());
            }
            let expires_at = self.jq(node, "expires_at", "self", &Names::none());
            return Some(OwnCredential::Request { when, request: Box::new(request?), expires_at: expires_at? });
        };
        for key in ["get", "post", "expires_at", "query", "headers", "body"] {
            if let Some((key, _)) = entry(node, key) {
                self.tell(key.at, format!("self: `{}` has no meaning beside `listing`", key.name));
            }
        }
        let names = self.listing_names(listing, listings)?;
        let is = self.jq(node, "is", "self", &names);
        let hint = self.jq(node, "hint", "self", &names);
        if entry(node, "is").is_none() && entry(node, "hint").is_none() {
            self.tell(first_key(node), "self: `is` or `hint` is missing: which of the listing's rows is it?".into());
        }
        Some(OwnCredential::Listing { when, listing: listing.as_text()?.to_owned(), is, hint })
    }

    /// The names that the rows of a listing see.
    fn listing_names(&mut self, name: &Node, listings: Option<&Node>) -> Option<Names> {
        let wanted = name.as_text()?;
        let listings = named(listings?, "listings");
        let called = |node: &Node| get(node, "name").and_then(Node::as_text).map(str::to_owned);
        if let Some((_, listing)) = listings.iter().find(|(_, node)| called(node).as_deref() == Some(wanted)) {
            let steps = get(listing, "for_each").map(|steps| named(steps, "")).unwrap_or_default();
            let steps = steps.iter().filter_map(|(_, step)| get(step, "as")?.as_text().map(str::to_owned)).collect();
            return Some(Names { steps, maps: true, special: &[] });
        }
        let known: Vec<String> = listings.iter().filter_map(|(_, node)| called(node)).collect();
        let hint = did_you_mean(wanted, known.iter().map(String::as_str));
        self.tell(name.at, format!("self.listing: no listing is called `{wanted}`{hint}"));
        None
    }
}

fn flag(node: &Node, key: &str, default: bool) -> bool {
    match get(node, key).map(|node| &node.kind) {
        Some(Kind::Flag(flag)) => *flag,
        _ => default,
    }
}
