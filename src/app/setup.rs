//! Wires the configuration and the definitions to sources that are ready to be collected.

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
use crate::core::rules::Rule;
use crate::exposition::Labels;
use crate::http::options::Options;
use crate::providers::{Catalogue, Source, SourceSpec};
use crate::schema::diagnostic::{Diagnostic, Diagnostics, SourceText};

/// The paths of the configuration.
#[derive(Clone, Debug)]
pub struct ConfigPaths {
    pub config: PathBuf,
    /// The directory of additional definitions.
    pub providers: Option<PathBuf>,
}

/// The result of reading a configuration.
pub struct Setup {
    /// The sources of this shard.
    pub jobs: Vec<SourceJob>,
    /// The policy of each source, by its name.
    pub policies: BTreeMap<String, Policy>,
    pub rules: Arc<[Rule]>,
    /// Which owner labels are exposed.
    pub labels: Labels,
    /// What is probably an error.
    pub warnings: Vec<Diagnostic>,
}

impl Setup {
    /// Reads the files. Sends no request.
    ///
    /// # Errors
    /// Every error in the configuration, in the definitions and in the settings of the sources, and every credential that
    /// cannot be read. A credential that becomes unreadable later is a failure of its source alone.
    pub fn load(paths: &ConfigPaths, shard: Shard, clock: &Clock) -> Result<Self, Diagnostics> {
        let (config, mut errors) = config::load(&paths.config);
        match (errors.collect(catalogue(paths.providers.as_deref())), config) {
            (Some(catalogue), Some(config)) => {
                let definitions = FileHashes::of_files(definitions(paths.providers.as_deref()));
                Self::new(&catalogue, config, errors, &definitions, shard, clock)
            }
            _ => Err(errors),
        }
    }

    /// `errors` are those of the file itself. The rest of it is checked all the same.
    fn new(
        catalogue: &Catalogue,
        mut config: Config,
        mut errors: Diagnostics,
        definitions: &FileHashes,
        shard: Shard,
        clock: &Clock,
    ) -> Result<Self, Diagnostics> {
        let in_file = errors.clone();
        let name_of = |name: &str| catalogue.get(name).map(|info| info.name.clone());
        errors.collect(config.resolve_providers(name_of));
        let fingerprints = fingerprints(&config, definitions);
        let (mut jobs, mut policies) = (Vec::new(), BTreeMap::new());
        for (number, (source, fingerprint)) in config.sources.iter().zip(fingerprints).enumerate() {
            // Its provider would report a source with errors once more.
            if has_error(&config, number, &in_file) {
                continue;
            }
            let connected = errors.collect(connect(catalogue, &config, source, clock));
            let Some(connected) = connected.filter(|_| shard.holds(&source.name.0)) else { continue };
            let info = catalogue.get(&source.provider.0);
            let provider = info.map_or(&*source.provider.0, |info| &info.name);
            // The provider knows the cost of a collection, so its interval is a minimum for the file's.
            let minimum = info.and_then(|info| info.interval).unwrap_or_default();
            let interval = source.interval.unwrap_or_else(|| config.interval.max(minimum));
            policies.insert(source.name.0.clone(), policy(source, provider, &*connected, interval));
            jobs.push(SourceJob {
                name: source.name.0.clone(),
                source: Arc::from(connected),
                interval,
                timeout: source.shared.timeout,
                fingerprint,
            });
        }
        errors.collect(config.check_credentials());
        errors.into_result()?;
        let warnings = config.credential_hints();
        let labels = Labels { owner: config.labels.owner, owner_email: config.labels.owner_email };
        Ok(Self { jobs, policies, rules: config.rules, labels, warnings })
    }
}

/// Whether one of these errors is in the lines of a source.
fn has_error(config: &Config, number: usize, errors: &Diagnostics) -> bool {
    let line = |source: &SourceConfig| config.text.line_number(source.at.start);
    let from = config.sources.get(number).map(line);
    let to = config.sources.get(number + 1).map_or(usize::MAX, line);
    errors.iter().map(Diagnostic::line_number).any(|at| Some(at) >= from && at < to)
}

/// The built-in definitions, and those of a directory.
///
/// # Errors
/// Every error in them.
pub fn catalogue(directory: Option<&Path>) -> Result<Catalogue, Diagnostics> {
    let mut catalogue = Catalogue::builtin(&config::source_keys())?;
    let Some(directory) = directory else { return Ok(catalogue) };
    let mut errors = Diagnostics::default();
    let unreadable =
        |path: &Path, error| Diagnostic::in_file(path.display().to_string(), format!("cannot read: {error}"));
    if let Err(error) = fs::read_dir(directory) {
        errors.push(unreadable(directory, error));
    }
    for path in definitions(Some(directory)) {
        let content = fs::read_to_string(&path).map_err(|error| unreadable(&path, error).into());
        let name = path.display().to_string();
        errors.collect(content.and_then(|content| catalogue.add(&SourceText::new(name, content))));
    }
    errors.into_result().map(|()| catalogue)
}

fn connect(
    catalogue: &Catalogue,
    config: &Config,
    source: &SourceConfig,
    clock: &Clock,
) -> Result<Box<dyn Source>, Diagnostics> {
    let spec = SourceSpec {
        text: config.text.clone(),
        at: source.at,
        name: source.name.0.clone(),
        auth: source.auth.clone(),
        listings: source.listings.clone(),
        settings: source.settings.clone(),
        credentials: Arc::clone(&source.credentials),
        credential_at: source.credential_at,
    };
    catalogue.connect((&source.provider.0, source.provider.1), spec, options(source), Arc::clone(clock))
}

/// The options of a source's HTTP client, unless its provider has other limits.
fn options(source: &SourceConfig) -> Options {
    Options {
        connect_timeout: Duration::from_secs(10),
        request_timeout: Duration::from_secs(60),
        body_limit: 64 << 20,
        retries: 4,
        max_retry_delay: Duration::from_secs(120),
        concurrency: 4,
        rate: None,
        certificates: Arc::clone(&source.certificates),
        proxy: source.proxy.clone(),
    }
}

fn policy(source: &SourceConfig, provider: &str, connected: &dyn Source, interval: Duration) -> Policy {
    let settings = source.shared;
    Policy {
        provider: provider.to_owned(),
        listings: connected.listings().to_vec(),
        interval: TimeDelta::from_std(interval).unwrap_or(TimeDelta::MAX),
        lead: settings.alert_lead,
        min_lifetime: settings.min_lifetime,
        expired_retention: settings.expired_retention,
        token_limit: settings.token_limit,
        never_expires: settings.never_expires,
        max_lifetime: settings.max_lifetime,
        unused_after: settings.unused_after,
        without_replacement: connected.without_replacement(),
    }
}
