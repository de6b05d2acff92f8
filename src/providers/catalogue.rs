//! All providers that the program knows: built-in definitions, those of the user, and the native ones.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::engine::source;
use super::language::compile::compile;
use super::language::provider::{Provider, Setting};
use super::native::local;
use super::native::local::Native;
use super::{Source, SourceSpec, builtin};
use crate::core::clock::Clock;
use crate::http::client::Options;
use crate::schema::diagnostic::{Diagnostics, SourceText, Span, did_you_mean};
use crate::schema::yaml;

/// The providers, by name.
pub struct Catalogue {
    rows: BTreeMap<String, Row>,
    /// The keys of every source: no setting can have their names.
    source_keys: Vec<&'static str>,
}

struct Row {
    kind: Kind,
    /// Whether the program brought it, and not the user.
    builtin: bool,
}

enum Kind {
    Defined(Arc<Provider>),
    Native(Native),
}

impl Row {
    fn aliases(&self) -> &[String] {
        match &self.kind {
            Kind::Defined(provider) => &provider.aliases,
            Kind::Native(_) => &[],
        }
    }
}

/// What the command line, the documentation and the schema tell of a provider.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// Its name: the value of the label `provider`.
    pub name: &'a str,
    /// Other names that a source may use for it.
    pub aliases: &'a [String],
    /// Its name as people write it.
    pub title: &'a str,
    /// The vendor's documentation.
    pub docs: &'a str,
    /// What its ends mean, in words.
    pub expiry: &'a str,
    /// The permission that its credential needs, in words.
    pub permission: Option<&'a str>,
    /// How often a source is collected unless the configuration says so.
    pub interval: Option<Duration>,
    /// What a source may, or must, set.
    pub settings: &'a [Setting],
    /// The names of the ways to authenticate, the default first. A single one may have none.
    pub schemes: Vec<&'a str>,
    /// The listings, in the definition's order.
    pub listings: Vec<ListingEntry<'a>>,
    /// Whether it is written in Rust instead of as a definition.
    pub native: bool,
}

/// What is told of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListingEntry<'a> {
    /// Its name: the value of the label `listing`.
    pub name: &'a str,
    /// What it lists.
    pub help: Option<&'a str>,
    /// The kind of its tokens, unless they say otherwise.
    pub kind: &'a str,
    /// The permission that it needs, in words.
    pub permission: Option<&'a str>,
    /// Whether it runs only where a source names it.
    pub opt_in: bool,
}

impl Catalogue {
    /// The providers that the program brings. `source_keys` are the keys of every source, whatever its provider.
    ///
    /// # Errors
    /// Mistakes in the built-in definitions. The program's own tests hold that there are none.
    pub fn builtin(source_keys: &[&'static str]) -> Result<Self, Diagnostics> {
        let mut catalogue = Self { rows: BTreeMap::new(), source_keys: source_keys.to_vec() };
        for native in local::all() {
            let row = Row { kind: Kind::Native(native), builtin: true };
            catalogue.rows.insert(row.name().to_owned(), row);
        }
        let mut mistakes = Diagnostics::default();
        for (file, content) in builtin::DEFINITIONS {
            mistakes.collect(catalogue.insert(&SourceText::new(*file, *content), true));
        }
        mistakes.into_result().map(|()| catalogue)
    }

    /// Adds a user's definition. It takes a built-in one's place only where it says `override: true`.
    ///
    /// # Errors
    /// Every mistake in it; or its name, or an alias, is taken.
    #[allow(clippy::needless_pass_by_value)] // a seam: callers hand the text over
    pub fn add(&mut self, text: SourceText) -> Result<(), Diagnostics> {
        self.insert(&text, false)
    }

    fn insert(&mut self, text: &SourceText, builtin: bool) -> Result<(), Diagnostics> {
        let provider = compile(text, &self.source_keys)?;
        self.free(text, &provider)?;
        let row = Row { kind: Kind::Defined(Arc::new(provider)), builtin };
        self.rows.insert(row.name().to_owned(), row);
        Ok(())
    }

    /// Whether a definition's names are its own, or those of a built-in one that it may replace.
    fn free(&self, text: &SourceText, provider: &Provider) -> Result<(), Diagnostics> {
        let root = yaml::parse(text)?;
        let mut mistakes = Diagnostics::default();
        for name in [&provider.name].into_iter().chain(&provider.aliases) {
            let key = if *name == provider.name { "provider" } else { "aliases" };
            let at = root.get(key).map_or(root.at, |node| node.at);
            let Some((taken, row)) = self.row(name) else { continue };
            let same = taken == provider.name;
            if same && row.builtin && provider.overrides {
                continue;
            }
            let message = match (same, row.builtin) {
                (true, true) => {
                    format!("`{name}` is built in; take another name, or say `override: true` to take its place")
                }
                (true, false) => format!("`{name}` is defined twice"),
                (false, _) => format!("`{name}` is another name of the provider `{taken}`"),
            };
            mistakes.push(text.error(at, message));
        }
        mistakes.into_result()
    }

    /// The names, in alphabetical order, without aliases.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.rows.keys().map(String::as_str)
    }

    /// A provider, by its name or another that it goes by.
    pub fn get(&self, name: &str) -> Option<Entry<'_>> {
        self.row(name).map(|(_, row)| row.entry())
    }

    /// A definition that is in the catalogue, by its name or another that it goes by. The native providers have none.
    pub fn provider(&self, name: &str) -> Option<&Arc<Provider>> {
        match &self.row(name)?.1.kind {
            Kind::Defined(provider) => Some(provider),
            Kind::Native(_) => None,
        }
    }

    fn row(&self, name: &str) -> Option<(&str, &Row)> {
        let row = self.rows.get_key_value(name);
        let row = row.or_else(|| self.rows.iter().find(|(_, row)| row.aliases().iter().any(|alias| alias == name)));
        row.map(|(name, row)| (name.as_str(), row))
    }

    /// Makes a source of what the configuration says of it.
    ///
    /// # Errors
    /// Every mistake, each with its place and the way out: an unknown provider, or settings that do not suit it.
    pub fn connect(
        &self,
        provider: (&str, Span),
        wanted: SourceSpec,
        http: Options,
        clock: Clock,
    ) -> Result<Box<dyn Source>, Diagnostics> {
        match self.row(provider.0).map(|(_, row)| &row.kind) {
            Some(Kind::Defined(definition)) => source::connect(Arc::clone(definition), wanted, http, clock),
            Some(Kind::Native(native)) => (native.connect)(wanted),
            None => {
                let known = self.rows.iter().flat_map(|(name, row)| [name].into_iter().chain(row.aliases()));
                let mut hint = did_you_mean(provider.0, known.map(String::as_str));
                if hint.is_empty() {
                    hint = "; the command `providers` lists those that are known".into();
                }
                let message = format!("{}: no provider is called `{}`{hint}", wanted.name, provider.0);
                Err(wanted.text.error(provider.1, message).into())
            }
        }
    }
}

impl Row {
    fn name(&self) -> &str {
        match &self.kind {
            Kind::Defined(provider) => &provider.name,
            Kind::Native(native) => native.name,
        }
    }

    fn entry(&self) -> Entry<'_> {
        match &self.kind {
            Kind::Defined(provider) => Entry {
                name: &provider.name,
                aliases: &provider.aliases,
                title: &provider.title,
                docs: &provider.docs,
                expiry: &provider.expiry,
                permission: provider.permission.as_deref(),
                interval: provider.interval,
                settings: &provider.settings,
                schemes: provider.schemes.iter().map(|scheme| scheme.name.as_str()).collect(),
                listings: provider
                    .listings
                    .iter()
                    .map(|listing| ListingEntry {
                        name: &listing.name,
                        help: listing.help.as_deref(),
                        kind: &listing.kind,
                        permission: listing.request.permission.as_deref(),
                        opt_in: listing.opt_in,
                    })
                    .collect(),
                native: false,
            },
            Kind::Native(native) => {
                let (name, kind, help) = native.listing;
                Entry {
                    name: native.name,
                    aliases: &[],
                    title: native.title,
                    docs: native.docs,
                    expiry: native.expiry,
                    permission: None,
                    interval: native.interval,
                    settings: &native.settings,
                    schemes: Vec::new(),
                    listings: vec![ListingEntry { name, help: Some(help), kind, permission: None, opt_in: false }],
                    native: true,
                }
            }
        }
    }
}
