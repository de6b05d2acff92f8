//! The configuration file, checked as a whole, as typed settings.
//!
//! The only reader of files and environment variables for secrets, both through [`Environment`]. A source's settings other
//! than [`source_keys`] are checked by its provider.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::Value;
use url::Url;

use self::credential::CredentialSource;
use self::owners::OwnerSettings;
use self::rule::{Named, RuleNames};
use super::schema::diagnostic::{Diagnostic, Diagnostics, SourceText, Span, suggest};
use super::schema::json_schema::json_schema;
use super::schema::markdown::markdown;
use super::schema::record::Record;
use super::schema::yaml::{Key, Node};
use crate::core::api_server::ApiServer;
use crate::core::certificates::SharedCertificates;
use crate::core::extra_headers::ExtraHeaders;
use crate::core::lead::Lead;
use crate::core::rules::Rule;
use crate::core::secret::SharedCredentials;
use crate::core::token_series::TokenSeries;

mod credential;
mod environment;
mod file;
mod headers;
mod kubeconfig;
mod labels;
mod lead;
mod metrics;
mod owners;
mod redaction;
mod rule;
mod secrets;
mod source;
mod table;
mod tls;
mod value_types;
mod watched_files;

pub use environment::{Environment, SystemEnvironment};
pub use table::source_keys;
pub use watched_files::watched_files;

/// The whole configuration, with every default applied.
#[derive(Debug)]
pub struct Config {
    /// The text of the file, for errors that only a provider can find.
    pub text: SourceText,
    /// How often a source is collected, unless its provider or the source says otherwise.
    pub interval: Duration,
    /// What applies to the sources.
    pub defaults: SharedSettings,
    pub labels: OwnerLabels,
    pub metrics: Metrics,
    /// At least one, in the order of the file; each name once.
    pub sources: Vec<SourceConfig>,
    /// In the order of the file.
    pub rules: Arc<[Rule]>,
    /// The names of the labels that rules set, sorted: every token has all of them, empty unless a rule sets it.
    pub label_names: Vec<String>,
    credentials: Vec<Arc<CredentialSource>>,
    rule_names: RuleNames,
    owners: OwnerSettings,
}

/// Which labels of a token's owner are exposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnerLabels {
    /// The name, as `token_owner`.
    pub owner: bool,
    /// The e-mail address, as `token_owner_email`.
    pub owner_email: bool,
}

/// The metrics that the file names, unchecked; not both.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    pub allow: Option<Vec<(String, Span)>>,
    pub deny: Option<Vec<(String, Span)>>,
    pub at: Span,
}

/// What the file sets for all sources, and a source for itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SharedSettings {
    /// Maximum duration of one collection.
    pub timeout: Duration,
    pub alert_lead: Lead,
    /// A token with a shorter lifetime has no lead.
    pub min_lifetime: TimeDelta,
    /// How long an expired token is kept.
    pub expired_retention: TimeDelta,
    /// Maximum number of tokens.
    pub token_limit: usize,
    /// Whether a token that never expires is a finding.
    pub never_expires: bool,
    /// A longer lifetime is a finding; `None` switches the limit off.
    pub max_lifetime: Option<TimeDelta>,
    /// A longer time without use is a finding; `None` switches the limit off.
    pub unused_after: Option<TimeDelta>,
    /// Which tokens have series of their own.
    pub tokens: TokenSeries,
}

impl SharedSettings {
    fn read(values: &Record<'_>, defaults: Self) -> Self {
        let token_limit = values.count("token_limit").and_then(|limit| usize::try_from(limit).ok());
        Self {
            timeout: values.period("timeout").unwrap_or(defaults.timeout),
            alert_lead: defaults.alert_lead.changed(lead::change(values)),
            min_lifetime: values.duration("min_lifetime").unwrap_or(defaults.min_lifetime),
            expired_retention: values.duration("expired_retention").unwrap_or(defaults.expired_retention),
            token_limit: token_limit.unwrap_or(defaults.token_limit),
            never_expires: values.flag("policy.never_expires").unwrap_or(defaults.never_expires),
            max_lifetime: values.limit("policy.max_lifetime").unwrap_or(defaults.max_lifetime),
            unused_after: values.limit("policy.unused_after").unwrap_or(defaults.unused_after),
            tokens: metrics::tokens(values).unwrap_or(defaults.tokens),
        }
    }
}

/// One source of the file.
pub struct SourceConfig {
    pub name: (String, Span),
    /// The name or alias of its provider, as written.
    pub provider: (String, Span),
    pub at: Span,
    /// The authentication scheme.
    pub auth: Option<(String, Span)>,
    pub listings: Option<Vec<(String, Span)>>,
    /// The provider's own settings, unchecked.
    pub settings: Vec<(Key, Node)>,
    /// Read at each collection.
    pub credentials: SharedCredentials,
    pub credential_at: Option<Span>,
    pub headers: ExtraHeaders,
    /// The names of all headers, each with its position.
    pub header_names: Vec<(String, Span)>,
    /// The position of `identify: true`.
    pub identify: Option<Span>,
    pub interval: Option<Duration>,
    /// Its own settings, and the file's where it has none.
    pub shared: SharedSettings,
    /// The age at which a token that never expires is due for rotation, unless a rule sets another one.
    pub rotate_after: Option<TimeDelta>,
    /// The position of its own or the file's `timeout`; `None` for the default.
    pub timeout_at: Option<Span>,
    /// The position of its own or the file's `metrics.tokens`; `None` for the default.
    pub tokens_at: Option<Span>,
    /// Read at each collection.
    pub certificates: SharedCertificates,
    /// Whether the configuration has a client certificate.
    pub has_client_certificate: bool,
    /// The position of `kubeconfig`, and the API server, unless something is invalid, which is reported.
    pub kubeconfig: Option<(Span, Option<ApiServer>)>,
    /// `None`: the proxy of the environment.
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

/// Reads a configuration. Relative paths in it are relative to the directory in the name of the text.
///
/// # Errors
/// Every error in it, in the order of their positions. None quotes a secret.
pub fn parse(text: SourceText, environment: Arc<dyn Environment>) -> Result<Config, Diagnostics> {
    match file::read(text, environment) {
        (Some(config), errors) => errors.into_result().map(|()| config),
        (None, errors) => Err(errors),
    }
}

/// Reads a configuration file: its content, unless it cannot be read as YAML, and every error, so that errors in its
/// sources' settings can be reported together with them.
pub fn load(path: &Path) -> (Option<Config>, Diagnostics) {
    let name = path.display().to_string();
    let error = |message: String| (None, Diagnostic::in_file(&name, message).into());
    let content = match SystemEnvironment.read_file(path) {
        Ok(content) => content,
        Err(problem) => {
            return error(format!("cannot read the configuration: {problem}; set its path with `--config.file`"));
        }
    };
    match String::from_utf8(content) {
        Ok(content) => file::read(SourceText::new(name, content), Arc::new(SystemEnvironment)),
        Err(problem) => {
            let valid = &problem.as_bytes()[..problem.utf8_error().valid_up_to()];
            let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
            error(format!("line {line} is not valid UTF-8; save the file as UTF-8"))
        }
    }
}

/// The JSON Schema of the file. Its definition `source` allows any provider and any setting.
pub fn schema() -> Value {
    json_schema(&table::FILE, "The configuration of token-expiry-exporter")
}

/// The keys of the file, as Markdown.
pub fn reference() -> String {
    markdown(&table::FILE)
}

impl Config {
    /// The position of a rule.
    pub fn rule_at(&self, rule: usize) -> Span {
        self.rule_names.positions.get(rule).copied().unwrap_or_default()
    }

    /// The kinds that the rules' `match.kind` names.
    pub fn rule_kinds(&self) -> &[Named] {
        &self.rule_names.kinds
    }

    /// Checks that every credential can be read now.
    ///
    /// # Errors
    /// An error for each file and variable that is missing, unreadable or empty.
    pub fn check_credentials(&self) -> Result<(), Diagnostics> {
        let mut errors = Diagnostics::default();
        for (at, problem) in self.credentials.iter().flat_map(|credential| credential.problems()) {
            errors.push(self.text.error(at, problem));
        }
        errors.into_result()
    }

    /// Signs that a secret was written with something that does not belong to it, such as quotes or `Bearer `. None of it is
    /// shown.
    pub fn credential_hints(&self) -> Vec<Diagnostic> {
        let hints = self.credentials.iter().flat_map(|credential| credential.hints());
        hints.map(|(at, hint)| self.text.error(at, hint)).collect()
    }

    /// Replaces aliases in the rules' `match.provider` by the names that tokens carry. Call it once, when the providers are
    /// known. `name_of` returns the name of a provider by its name or alias.
    ///
    /// # Errors
    /// An error for each provider that no source has.
    pub fn resolve_providers(&mut self, name_of: impl Fn(&str) -> Option<String>) -> Result<(), Diagnostics> {
        let mut errors = Diagnostics::default();
        let mut rules = self.rules.to_vec();
        for rule in &mut rules {
            rule.matches.provider.clear();
        }
        for Named { rule, name, at } in &self.rule_names.providers {
            let own = name_of(name);
            let known = self.sources.iter().map(|source| source.provider.0.as_str());
            if !known.clone().any(|known| known == name || own.is_some() && name_of(known) == own) {
                let message = format!(
                    "rules[{rule}].match.provider: no source has the provider `{name}`{}",
                    suggest(name, known)
                );
                errors.push(self.text.error(*at, message));
            }
            if let Some(rule) = rules.get_mut(*rule) {
                rule.matches.provider.push(own.unwrap_or_else(|| name.clone()));
            }
        }
        self.rules = rules.into();
        errors.into_result()
    }
}
