//! All providers by name: the built-in definitions, those of the user, and the native ones.

mod kinds;
mod renewed_kinds;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use super::engine::http_source;
use super::engine::page_limit::PageLimit;
use super::engine::refusal::SharedPasswords;
use super::language::compile::compile_parsed;
use super::language::provider::{AuthScheme, Identify, IdentifyBy, Listing, Provider};
use super::provider_info::{IdentifyInfo, ListingInfo, ProviderInfo, SchemeInfo};
use super::{Source, SourceSpec, native};
use crate::core::clock::Clock;
use crate::http::client::Options;
use crate::schema::diagnostic::{Diagnostics, SourceText, Span, suggest};
use crate::schema::yaml::{self, Node};

/// The built-in definitions, by file name and content.
const DEFINITIONS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/definitions.rs"));

pub struct Catalogue {
    entries: BTreeMap<String, Entry>,
    /// The keys of every source: reserved names of settings.
    source_keys: Vec<&'static str>,
    /// The passwords of its sources.
    passwords: Arc<SharedPasswords>,
    /// How many pages its sources map at the same time.
    pages: Arc<PageLimit>,
}

/// A provider, which is compiled when it is first used: most configurations use few of the built-in definitions.
struct Entry {
    aliases: Vec<String>,
    builtin: bool,
    compiled: LazyLock<Result<Compiled, Diagnostics>, Compile>,
}

type Compile = Box<dyn FnOnce() -> Result<Compiled, Diagnostics> + Send>;

struct Compiled {
    info: ProviderInfo,
    kind: Kind,
}

enum Kind {
    Defined(Arc<Provider>),
    Native(native::Connect),
}

impl Catalogue {
    /// The built-in providers. `source_keys` are the keys of every source, whatever its provider.
    pub fn builtin(source_keys: &[&'static str]) -> Self {
        let mut catalogue = Self {
            entries: BTreeMap::new(),
            source_keys: source_keys.to_vec(),
            passwords: Arc::default(),
            pages: Arc::default(),
        };
        for (info, connect) in native::all() {
            catalogue.insert(Compiled { info, kind: Kind::Native(connect) }, true);
        }
        for &(file, content) in DEFINITIONS {
            let (name, aliases) = names(content);
            let keys = source_keys.to_vec();
            let compile = move || {
                let text = SourceText::new(file, content);
                let root = yaml::parse(&text)?;
                described(&text, &root, compile_parsed(&text, &root, &keys)?)
            };
            let entry = Entry { aliases, builtin: true, compiled: LazyLock::new(Box::new(compile)) };
            catalogue.entries.insert(name, entry);
        }
        catalogue
    }

    /// Adds a user's definition. With `override: true` it replaces a built-in one.
    ///
    /// # Errors
    /// Every error in it, a name or an alias that is taken among them.
    pub fn add(&mut self, text: &SourceText) -> Result<(), Diagnostics> {
        let root = yaml::parse(text)?;
        let provider = compile_parsed(text, &root, &self.source_keys)?;
        self.check_names(text, &root, &provider)?;
        self.insert(described(text, &root, provider)?, false);
        Ok(())
    }

    fn insert(&mut self, compiled: Compiled, builtin: bool) {
        let (name, aliases) = (compiled.info.name.clone(), compiled.info.aliases.clone());
        let compiled = LazyLock::new(Box::new(move || Ok(compiled)) as Compile);
        self.entries.insert(name, Entry { aliases, builtin, compiled });
    }

    /// Checks that a definition's names are free, or those of a built-in one that it may replace.
    fn check_names(&self, text: &SourceText, root: &Node, provider: &Provider) -> Result<(), Diagnostics> {
        let mut errors = Diagnostics::default();
        for name in [&provider.name].into_iter().chain(&provider.aliases) {
            let key = if *name == provider.name { "provider" } else { "aliases" };
            let at = root.get(key).map_or(root.at, |node| node.at);
            let Some((taken, Entry { builtin, .. })) = self.entry(name) else { continue };
            let message = match (*taken == provider.name, builtin) {
                (true, true) if provider.overrides => continue,
                (true, true) => {
                    format!("`{name}` is built in; choose another name, or set `override: true` to replace it")
                }
                (true, false) => format!("`{name}` is defined twice"),
                (false, _) => format!("`{name}` is an alias of the provider `{taken}`; choose another name"),
            };
            errors.push(text.error(at, message));
        }
        errors.into_result()
    }

    /// All providers, in alphabetical order of their names.
    pub fn providers(&self) -> impl Iterator<Item = &ProviderInfo> + Clone {
        self.entries.values().filter_map(|entry| Some(&entry.compiled.as_ref().ok()?.info))
    }

    /// A provider by name or alias.
    pub fn get(&self, name: &str) -> Option<&ProviderInfo> {
        let (_, entry) = self.entry(name)?;
        Some(&entry.compiled.as_ref().ok()?.info)
    }

    /// The names and the aliases of all providers.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.entries.iter().flat_map(|(name, entry)| [name].into_iter().chain(&entry.aliases)).map(String::as_str)
    }

    fn entry(&self, name: &str) -> Option<(&String, &Entry)> {
        let by_alias = || self.entries.iter().find(|(_, entry)| entry.aliases.iter().any(|alias| alias == name));
        self.entries.get_key_value(name).or_else(by_alias)
    }

    /// Creates a source.
    ///
    /// # Errors
    /// Every error in its configuration, with its position: an unknown provider, or invalid settings.
    pub fn connect(
        &self,
        provider: (&str, Span),
        spec: SourceSpec,
        http: Options,
        clock: Clock,
    ) -> Result<Box<dyn Source>, Diagnostics> {
        let Some((_, entry)) = self.entry(provider.0) else {
            let hint = suggest(provider.0, self.names());
            let message = format!("{}: unknown provider `{}`{hint}", spec.path_of("provider"), provider.0);
            return Err(spec.text.error(provider.1, message).into());
        };
        match &entry.compiled.as_ref().map_err(Clone::clone)?.kind {
            Kind::Defined(definition) => {
                connect(Arc::clone(definition), spec, http, clock, Arc::clone(&self.passwords), Arc::clone(&self.pages))
            }
            Kind::Native(connect) => connect(spec),
        }
    }
}

/// The name and the aliases in a built-in definition, without reading the rest; a test compares them with what is compiled.
fn names(definition: &str) -> (String, Vec<String>) {
    let value = |key| {
        let line = definition.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
        line.split('#').next().unwrap_or_default().trim()
    };
    let aliases = value("aliases:").trim_matches(['[', ']']).split(',').map(|alias| alias.trim().to_owned());
    (value("provider:").to_owned(), aliases.filter(|alias| !alias.is_empty()).collect())
}

/// A compiled definition, with what is shown of it.
fn described(text: &SourceText, root: &Node, provider: Provider) -> Result<Compiled, Diagnostics> {
    let info = info(&provider);
    renewed_kinds::check(text, root, &info)?;
    Ok(Compiled { info, kind: Kind::Defined(Arc::new(provider)) })
}

/// Creates a source of a compiled definition.
pub(super) fn connect(
    provider: Arc<Provider>,
    spec: SourceSpec,
    http: Options,
    clock: Clock,
    passwords: Arc<SharedPasswords>,
    pages: Arc<PageLimit>,
) -> Result<Box<dyn Source>, Diagnostics> {
    let resolved = provider.resolve(&spec)?;
    let at = spec.kubeconfig.map_or(spec.at, |(at, _)| at);
    http_source::connect(provider, &resolved, (spec.credentials, spec.headers), http, clock, passwords, pages)
        .map_err(|message| spec.text.error(at, format!("source {}: {message}", spec.name)).into())
}

fn info(provider: &Provider) -> ProviderInfo {
    let scheme = |scheme: &AuthScheme| SchemeInfo { name: scheme.name.clone(), permission: scheme.permission.clone() };
    let listing = |listing: &Listing| ListingInfo {
        name: listing.name.clone(),
        help: listing.help.clone(),
        kind: listing.kind.clone(),
        kinds: kinds::of_listing(listing),
        labels: kinds::labels(listing),
        permission: listing.request.permission.clone(),
        opt_in: listing.opt_in,
        is_unknowable: listing.is_unknowable,
    };
    let identify = |way: &Identify| match &way.by {
        IdentifyBy::Request { request, touches, .. } => {
            IdentifyInfo { permission: request.permission.clone(), touches: touches.clone() }
        }
        IdentifyBy::Value { .. } | IdentifyBy::Hint { .. } => {
            IdentifyInfo { permission: None, touches: "nothing; nothing of the found credential is sent".to_owned() }
        }
    };
    ProviderInfo {
        name: provider.name.clone(),
        aliases: provider.aliases.clone(),
        title: provider.title.clone(),
        docs: provider.docs.clone(),
        expiry: provider.expiry.clone(),
        permission: provider.permission.clone(),
        guide: provider.guide.clone(),
        interval: provider.interval,
        settings: provider.settings.clone(),
        reads_kubeconfig: provider.reads_kubeconfig,
        schemes: provider.schemes.iter().map(scheme).collect(),
        listings: provider.listings.iter().map(listing).collect(),
        renewals: Arc::new(provider.renewals.clone()),
        identify: provider.identify.iter().map(identify).collect(),
        native: false,
    }
}
