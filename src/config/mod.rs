//! The configuration: a file that a person writes, checked whole, as typed settings.
//!
//! The only reader of files and of the environment for secrets, both through [`Environment`]. What a source may set
//! beyond [`SOURCE_KEYS`] is its provider's business, and is kept as it stands.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use url::Url;

use self::credential::Origins;
use self::rule::NamedProvider;
use super::schema::diagnostic::{Diagnostic, Diagnostics, SourceText, Span};
use super::schema::yaml::{Key, Node};
use crate::core::certificates::SharedCertificates;
use crate::core::lead::{Lead, LeadChange};
use crate::core::rules::Rule;
use crate::core::secret::SharedCredentials;

mod config_reader;
mod credential;
mod duration;
mod environment;
mod file;
mod keys;
mod labels;
mod lead;
mod pattern;
mod proxy;
mod redaction;
mod reference;
mod rule;
mod schema;
mod secrets;
mod shape;
mod source;
mod tls;
mod values;

pub use environment::{Environment, SystemEnvironment};
pub use reference::reference;
pub use schema::{ProviderSchema, SettingSchema, SettingShape, schema};

/// The keys that every source may have, whatever its provider: for suggestions beside a provider's own settings.
pub const SOURCE_KEYS: &[&str] = &keys::names::<{ keys::SOURCE.len() }>(keys::SOURCE);

/// The whole configuration, checked, with every default filled in.
#[derive(Debug)]
pub struct Config {
    /// The file's text, for messages about what only a provider can judge.
    pub text: SourceText,
    /// How often a source is collected, unless its provider or the source says otherwise.
    pub interval: Duration,
    /// How long one collection of a source may take.
    pub timeout: Duration,
    /// How long before a token's end people are told.
    pub alert_lead: Lead,
    /// A token that lives shorter than this has no lead.
    pub min_lifetime: TimeDelta,
    /// For how long an expired token is kept after its end.
    pub expired_retention: TimeDelta,
    /// How many tokens of a source are kept.
    pub token_limit: usize,
    /// What of an owner is published.
    pub labels: Labels,
    /// What a token is measured by.
    pub policy: Bounds,
    /// The sources, at least one, in the order of the file; each name once.
    pub sources: Vec<SourceConfig>,
    /// The rules, in the order of the file.
    pub rules: Arc<[Rule]>,
    /// The names of the labels that rules set, sorted: every token carries all of them, empty where no rule sets it.
    pub label_names: Vec<String>,
    credentials: Vec<Arc<Origins>>,
    rule_providers: Vec<NamedProvider>,
}

/// What of a token's owner is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Labels {
    /// The name, as `token_owner`.
    pub owner: bool,
    /// The address, as `token_owner_email`.
    pub owner_email: bool,
}

/// What a token is measured by; `None` switches a bound off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// A token that lives longer is a finding.
    pub max_lifetime: Option<TimeDelta>,
    /// A token that was not used for so long is a finding.
    pub unused_after: Option<TimeDelta>,
}

/// Bounds that a source changes in part: `None` leaves the file's, `Some(None)` switches it off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BoundsChange {
    /// The longest lifetime.
    pub max_lifetime: Option<Option<TimeDelta>>,
    /// The longest time without use.
    pub unused_after: Option<Option<TimeDelta>>,
}

impl Bounds {
    /// These bounds with a source's own over them.
    #[must_use]
    pub fn with(self, change: BoundsChange) -> Self {
        Self {
            max_lifetime: change.max_lifetime.unwrap_or(self.max_lifetime),
            unused_after: change.unused_after.unwrap_or(self.unused_after),
        }
    }
}

/// One source as the file describes it. What is `None` is the file's default; for the interval, the provider's own
/// comes between.
pub struct SourceConfig {
    /// Its name.
    pub name: (String, Span),
    /// Its provider, by name or alias, as it is written.
    pub provider: (String, Span),
    /// Where it begins.
    pub at: Span,
    /// The authentication scheme that it names.
    pub auth: Option<(String, Span)>,
    /// The listings that it names.
    pub listings: Option<Vec<(String, Span)>>,
    /// What the configuration does not know: the provider's own settings.
    pub settings: Vec<(Key, Node)>,
    /// Where its credential comes from; read at each collection.
    pub credentials: SharedCredentials,
    /// Where its credential is configured.
    pub credential_at: Option<Span>,
    /// How often it is collected.
    pub interval: Option<Duration>,
    /// How long one collection may take.
    pub timeout: Option<Duration>,
    /// A lead of its own.
    pub alert_lead: LeadChange,
    /// A token that lives shorter has no lead.
    pub min_lifetime: Option<TimeDelta>,
    /// For how long an expired token is kept.
    pub expired_retention: Option<TimeDelta>,
    /// How many tokens are kept.
    pub token_limit: Option<usize>,
    /// Bounds of its own.
    pub policy: BoundsChange,
    /// Certificates; read at each collection.
    pub certificates: SharedCertificates,
    /// A proxy, instead of the environment's.
    pub proxy: Option<Url>,
}

impl fmt::Debug for SourceConfig {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, provider, settings, interval, .. } = self;
        to.debug_struct("SourceConfig")
            .field("name", &name.0)
            .field("provider", &provider.0)
            .field("settings", settings)
            .field("interval", interval)
            .finish_non_exhaustive()
    }
}

/// Reads a configuration. Relative paths in it stand under the folder of the text's name.
///
/// # Errors
/// Every mistake in it, in the order of their places. No mistake quotes a secret.
pub fn parse(text: SourceText, surroundings: Arc<dyn Environment>) -> Result<Config, Diagnostics> {
    match file::read(text, surroundings) {
        (Some(config), mistakes) => mistakes.into_result().map(|()| config),
        (None, mistakes) => Err(mistakes),
    }
}

/// Reads a configuration file of this machine: what it says, where it is a configuration at all, and every mistake, so that
/// those of its sources' settings can be told together with them.
pub fn load(path: &Path) -> (Option<Config>, Diagnostics) {
    let name = path.display().to_string();
    let content = SystemEnvironment.read_file(path).map_err(|error| {
        Diagnostic::in_file(&name, format!("the configuration cannot be read: {error}; name it with `--config.file`"))
    });
    let content = content.and_then(|content| {
        String::from_utf8(content).map_err(|error| {
            let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            Diagnostic::in_file(&name, format!("line {line} is no UTF-8 text; save the file as UTF-8"))
        })
    });
    match content {
        Ok(content) => file::read(SourceText::new(name, content), Arc::new(SystemEnvironment)),
        Err(mistake) => (None, mistake.into()),
    }
}

impl Config {
    /// Whether every credential can be read now: for `check`, and at the start.
    ///
    /// # Errors
    /// A mistake for each file and variable that is missing, unreadable or empty.
    pub fn check_credentials(&self) -> Result<(), Diagnostics> {
        let mut mistakes = Diagnostics::default();
        for (at, problem) in self.credentials.iter().flat_map(|origins| origins.problems()) {
            mistakes.push(self.text.error(at, problem));
        }
        mistakes.into_result()
    }

    /// Replaces aliases in the rules' `match.provider` by the providers' own names, which tokens carry, and checks that a
    /// source of each is configured. Call it once, when the providers are known.
    ///
    /// `name_of` gives the own name of a provider by name or alias.
    ///
    /// # Errors
    /// A mistake for each provider that no source has.
    pub fn resolve_providers(&mut self, name_of: impl Fn(&str) -> Option<String>) -> Result<(), Diagnostics> {
        let mut mistakes = Diagnostics::default();
        let mut rules = self.rules.to_vec();
        for rule in &mut rules {
            rule.matches.provider.clear();
        }
        for NamedProvider { rule: index, name, at } in &self.rule_providers {
            let own = name_of(name);
            let has = |source: &SourceConfig| {
                source.provider.0 == *name || own.is_some() && name_of(&source.provider.0) == own
            };
            if !self.sources.iter().any(has) {
                let hint = rule::hint(name, self.sources.iter().map(|source| source.provider.0.as_str()));
                let what = format!("rules[{index}].match.provider");
                mistakes.push(self.text.error(*at, format!("{what}: no source has the provider `{name}`{hint}")));
            }
            if let Some(rule) = rules.get_mut(*index) {
                rule.matches.provider.push(own.unwrap_or_else(|| name.clone()));
            }
        }
        self.rules = rules.into();
        mistakes.into_result()
    }
}
