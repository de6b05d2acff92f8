//! Wires the configuration and the definitions to sources that are ready to be collected.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;

use super::fingerprint::fingerprints;
use super::selection;
use super::shard::Shard;
use super::warnings;
use super::watch::FileHashes;
pub use super::watch::definitions;
use crate::collector::SourceJob;
use crate::config::{self, Config, SourceConfig};
use crate::core::clock::Clock;
use crate::core::inventory::Policy;
use crate::core::renewal::Renewals;
use crate::core::rules::Rules;
use crate::exposition::{Exposure, Labels};
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
    /// With the owners directory.
    pub rules: Rules,
    /// Which owner labels, families and tokens are exposed.
    pub exposure: Exposure,
    /// What is valid but probably wrong.
    pub warnings: Vec<Diagnostic>,
    /// The file and line of each rule.
    pub rule_places: Vec<String>,
    /// The sources that are read from this machine.
    pub local: BTreeSet<String>,
    /// What the provider of each source does not list, by the name of the source.
    pub not_listed: BTreeMap<String, Vec<String>>,
}

impl Setup {
    /// Reads the files. Sends no request.
    ///
    /// # Errors
    /// Every error in the configuration, in the definitions and in the settings of the sources, and every credential that
    /// cannot be read. A credential that becomes unreadable later is a failure of its source alone.
    pub fn load(paths: &ConfigPaths, shard: Shard, clock: &Clock) -> Result<Self, Diagnostics> {
        let (config, mut errors) = config::load(&paths.config);
        let (catalogue, invalid) = read_catalogue(paths.providers.as_deref());
        let Some(config) = config else {
            errors.extend(invalid);
            return Err(errors);
        };
        let definitions = FileHashes::of_files(definitions(paths.providers.as_deref()));
        Self::new(&catalogue, invalid, config, errors, &definitions, shard, clock)
    }

    /// `errors` are those of the file itself, and `invalid` those of the definitions that the catalogue lacks. The rest is checked
    /// all the same.
    fn new(
        catalogue: &Catalogue,
        invalid: Diagnostics,
        mut config: Config,
        mut errors: Diagnostics,
        definitions: &FileHashes,
        shard: Shard,
        clock: &Clock,
    ) -> Result<Self, Diagnostics> {
        let in_file = errors.clone();
        let is_defined = |name: &str| catalogue.get(name).is_some() || invalid.iter().len() == 0;
        let name_of = |name: &str| catalogue.get(name).map(|info| info.name.clone());
        errors.collect(config.resolve_providers(name_of));
        let fingerprints = fingerprints(&config, definitions);
        let (mut jobs, mut policies, mut local) = (Vec::new(), BTreeMap::new(), BTreeSet::new());
        let (mut unusable, mut not_listed) = (Vec::new(), BTreeMap::new());
        for (source, fingerprint) in config.sources.iter().zip(fingerprints) {
            // An invalid definition may be the one of this provider.
            if !is_defined(&source.provider.0) {
                continue;
            }
            let connected = connect(catalogue, &config, source, clock);
            let connected = errors.collect(connected.map_err(|found| new_errors(found, &config, source, &in_file)));
            let Some(connected) = connected.filter(|_| shard.holds(&source.name.0)) else { continue };
            let warning = connected.warning().map(|what| format!("sources.{}: {what}", source.name.0));
            unusable.extend(warning.map(|warning| config.text.error(source.at, warning)));
            let info = catalogue.get(&source.provider.0);
            let provider = info.map_or(&*source.provider.0, |info| &info.name);
            if info.is_some_and(|info| info.native) {
                local.insert(source.name.0.clone());
            }
            not_listed
                .insert(source.name.0.clone(), info.map(|info| info.guide.not_listed.clone()).unwrap_or_default());
            // The provider knows the cost of a collection, so its interval is a minimum for the file's.
            let minimum = info.and_then(|info| info.interval).unwrap_or_default();
            let interval = source.interval.unwrap_or_else(|| config.interval.max(minimum));
            let renewals = info.map(|info| Arc::clone(&info.renewals)).unwrap_or_default();
            policies.insert(source.name.0.clone(), policy(source, provider, &*connected, interval, renewals));
            jobs.push(SourceJob {
                name: source.name.0.clone(),
                source: Arc::from(connected),
                interval,
                timeout: source.shared.timeout,
                fingerprint,
            });
        }
        errors.collect(config.check_credentials());
        let selection = errors.collect(selection::read(&config)).unwrap_or_default();
        errors.extend(invalid);
        errors.into_result()?;
        let directory = config.directory(name_of);
        let mut warnings = warnings::find(catalogue, &config, &policies);
        warnings.extend(config.owner_warnings(&directory));
        warnings.extend(unusable);
        warnings.extend(selection::silenced(&config, &selection));
        let line = |rule| config.text.line_number(config.rule_at(rule).start);
        let rule_places = (0..config.rules.len()).map(|rule| format!("{}:{}", config.text.name(), line(rule)));
        let rule_places = rule_places.collect();
        let labels = Labels { owner: config.labels.owner, owner_email: config.labels.owner_email };
        let exposure = Exposure { labels, selection: Arc::new(selection), external_url: None };
        let rules = config.rules_with(directory);
        Ok(Self { jobs, policies, rules, exposure, warnings, rule_places, local, not_listed })
    }
}

/// The errors that the provider found in a source, without those that repeat errors of the file, or are about a credential
/// that could not be read.
fn new_errors(found: Diagnostics, config: &Config, source: &SourceConfig, in_file: &Diagnostics) -> Diagnostics {
    let unread = source.credential_at.filter(|_| source.credentials.parts().is_empty());
    let unread = unread.map(|at| config.text.line_number(at.start));
    let is_new = |error: &Diagnostic| {
        // The HTTP client reports a certificate that the file's check has reported, without its position.
        let problem = error.message().trim_start_matches(&format!("source {}: ", source.name.0));
        Some(error.line_number()) != unread
            && !in_file.iter().any(|known| error.repeats(known) || known.message().contains(problem))
    };
    let mut errors = Diagnostics::default();
    found.iter().filter(|error| is_new(error)).for_each(|error| errors.push(error.clone()));
    errors
}

/// The built-in definitions, and those of a directory.
///
/// # Errors
/// Every error in them.
pub fn catalogue(directory: Option<&Path>) -> Result<Catalogue, Diagnostics> {
    let (catalogue, errors) = read_catalogue(directory);
    errors.into_result().map(|()| catalogue)
}

/// The valid definitions, and every error in the others.
fn read_catalogue(directory: Option<&Path>) -> (Catalogue, Diagnostics) {
    let mut catalogue = Catalogue::builtin(&config::source_keys());
    let mut errors = Diagnostics::default();
    let Some(directory) = directory else { return (catalogue, errors) };
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
    (catalogue, errors)
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
        kubeconfig: source.kubeconfig.clone(),
        has_client_certificate: source.has_client_certificate,
        headers: source.headers.clone(),
        header_names: source.header_names.clone(),
        identify: source.identify,
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

fn policy(
    source: &SourceConfig,
    provider: &str,
    connected: &dyn Source,
    interval: Duration,
    renewals: Arc<Renewals>,
) -> Policy {
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
        rotate_after: source.rotate_after,
        without_replacement: connected.without_replacement(),
        owner_logins: connected.owner_logins(),
        renewals,
        finds_locations: connected.finds_locations(),
        finds_credentials: connected.finds_credentials(),
        identifies: connected.pattern().is_some(),
    }
}
