//! From the files that a person has written to what runs: the configuration, the definitions, the sources.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;

use super::fingerprint::fingerprints;
use super::shard::Shard;
use super::watch::{FileHashes, definitions};
use crate::collector::SourceJob;
use crate::config::{self, Config, SourceConfig};
use crate::core::clock::Clock;
use crate::core::inventory::Policy;
use crate::core::lead::Lead;
use crate::core::rules::Rule;
use crate::exposition::Labels;
use crate::http::options::Options;
use crate::providers::{Catalogue, Source, SourceSpec};
use crate::schema::diagnostic::{Diagnostic, Diagnostics, SourceText};

/// Where the files are.
#[derive(Clone, Debug)]
pub struct ConfigPaths {
    /// The configuration.
    pub config: PathBuf,
    /// Further definitions.
    pub providers: Option<PathBuf>,
}

/// What a configuration comes to.
pub struct Setup {
    /// The sources of this shard, ready to be collected.
    pub orders: Vec<SourceJob>,
    /// What the configuration says of them.
    pub policies: BTreeMap<String, Policy>,
    /// The rules.
    pub rules: Arc<[Rule]>,
    /// What of an owner may be shown.
    pub labels: Labels,
}

impl Setup {
    /// Reads the files. Nothing is asked of any provider.
    ///
    /// # Errors
    /// Every mistake in the configuration, in the definitions, and in what the sources ask of their providers; a credential
    /// that cannot be read is one too. One that goes bad later is a failure of its source, and of no other.
    pub fn load(places: &ConfigPaths, shard: Shard, clock: &Clock) -> Result<Self, Diagnostics> {
        let catalogue = catalogue(places.providers.as_deref());
        let (config, mut mistakes) = config::load(&places.config);
        match (catalogue, config) {
            (Ok(catalogue), Some(config)) => {
                let definitions = FileHashes::of_files(definitions(places.providers.as_deref()));
                Self::of(&catalogue, config, mistakes, &definitions, shard, clock)
            }
            (Err(found), _) => {
                mistakes.extend(found);
                Err(mistakes)
            }
            (Ok(_), None) => Err(mistakes),
        }
    }

    /// `mistakes` are those of the file itself; what they leave to be read is checked all the same.
    fn of(
        catalogue: &Catalogue,
        mut config: Config,
        mut mistakes: Diagnostics,
        definitions: &FileHashes,
        shard: Shard,
        clock: &Clock,
    ) -> Result<Self, Diagnostics> {
        let in_file = mistakes.clone();
        let own_name = |name: &str| catalogue.get(name).map(|entry| entry.name.to_owned());
        if let Err(found) = config.resolve_providers(own_name) {
            mistakes.extend(found);
        }
        let fingerprints = fingerprints(&config, definitions);
        let (mut orders, mut policies) = (Vec::new(), BTreeMap::new());
        for (number, (config_of, fingerprint)) in config.sources.iter().zip(fingerprints).enumerate() {
            // A source that is wrong in the file's own terms would be told to be wrong in its provider's too.
            if is_mistaken(&config, number, &in_file) {
                continue;
            }
            match connect(catalogue, &config, config_of, clock) {
                Ok(source) if shard.holds(&config_of.name.0) => {
                    let interval = interval(&config, config_of, catalogue);
                    policies
                        .insert(config_of.name.0.clone(), policy(&config, config_of, catalogue, &*source, interval));
                    orders.push(SourceJob {
                        name: config_of.name.0.clone(),
                        source: Arc::from(source),
                        interval,
                        timeout: config_of.timeout.unwrap_or(config.timeout),
                        fingerprint,
                    });
                }
                Ok(_) => {}
                Err(found) => mistakes.extend(found),
            }
        }
        if let Err(found) = config.check_credentials() {
            mistakes.extend(found);
        }
        mistakes.into_result()?;
        let labels = Labels { owner: config.labels.owner, owner_email: config.labels.owner_email };
        Ok(Self { orders, policies, rules: config.rules, labels })
    }
}

/// Whether one of these mistakes stands in the lines of a source.
fn is_mistaken(config: &Config, number: usize, mistakes: &Diagnostics) -> bool {
    let line = |source: &SourceConfig| config.text.line_number(source.at.start);
    let from = config.sources.get(number).map(line);
    let to = config.sources.get(number + 1).map_or(usize::MAX, line);
    mistakes.iter().map(Diagnostic::line_number).any(|at| Some(at) >= from && at < to)
}

/// The built-in definitions, and those of a folder.
///
/// # Errors
/// Every mistake in them.
pub fn catalogue(folder: Option<&Path>) -> Result<Catalogue, Diagnostics> {
    let mut catalogue = Catalogue::builtin()?;
    let Some(folder) = folder else { return Ok(catalogue) };
    let mut mistakes = Diagnostics::default();
    if let Err(error) = fs::read_dir(folder) {
        mistakes.push(Diagnostic::in_file(folder.display().to_string(), format!("the folder cannot be read: {error}")));
    }
    for path in definitions(Some(folder)) {
        let name = path.display().to_string();
        let added = fs::read_to_string(&path)
            .map_err(|error| Diagnostic::in_file(&*name, format!("the definition cannot be read: {error}")).into())
            .and_then(|content| catalogue.add(SourceText::new(&*name, content)));
        if let Err(found) = added {
            mistakes.extend(found);
        }
    }
    mistakes.into_result().map(|()| catalogue)
}

fn connect(
    catalogue: &Catalogue,
    config: &Config,
    source: &SourceConfig,
    clock: &Clock,
) -> Result<Box<dyn Source>, Diagnostics> {
    let wanted = SourceSpec {
        text: config.text.clone(),
        at: source.at,
        name: source.name.0.clone(),
        auth: source.auth.clone(),
        listings: source.listings.clone(),
        settings: source.settings.clone(),
        credentials: Arc::clone(&source.credentials),
        credential_at: source.credential_at,
    };
    catalogue.connect((&source.provider.0, source.provider.1), wanted, options(source), Arc::clone(clock))
}

/// How a source's client behaves, where neither the source nor its provider says otherwise.
fn options(source: &SourceConfig) -> Options {
    Options {
        connect_timeout: Duration::from_secs(10),
        request_timeout: Duration::from_secs(60),
        body_limit: 64 << 20,
        retries: 4,
        longest_wait: Duration::from_secs(120),
        concurrency: 4,
        rate: None,
        certificates: Arc::clone(&source.certificates),
        proxy: source.proxy.clone(),
    }
}

/// A source's own interval; else the longer of the file's and its provider's, which knows how much a collection costs.
fn interval(config: &Config, source: &SourceConfig, catalogue: &Catalogue) -> Duration {
    let provider = catalogue.get(&source.provider.0).and_then(|entry| entry.interval);
    source.interval.unwrap_or_else(|| provider.unwrap_or_default().max(config.interval))
}

fn policy(
    config: &Config,
    source: &SourceConfig,
    catalogue: &Catalogue,
    connected: &dyn Source,
    interval: Duration,
) -> Policy {
    let bounds = config.policy.with(source.policy);
    let provider = catalogue.get(&source.provider.0).map(|entry| entry.name.to_owned());
    Policy {
        provider: provider.unwrap_or_else(|| source.provider.0.clone()),
        listings: connected.listings().to_vec(),
        interval: TimeDelta::from_std(interval).unwrap_or(TimeDelta::MAX),
        lead: Lead {
            warning: source.alert_lead.warning.unwrap_or(config.alert_lead.warning),
            critical: source.alert_lead.critical.unwrap_or(config.alert_lead.critical),
        },
        min_lifetime: source.min_lifetime.unwrap_or(config.min_lifetime),
        expired_retention: source.expired_retention.unwrap_or(config.expired_retention),
        token_limit: source.token_limit.unwrap_or(config.token_limit),
        max_lifetime: bounds.max_lifetime,
        unused_after: bounds.unused_after,
        without_replacement: connected.without_replacement(),
    }
}
