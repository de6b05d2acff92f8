//! A source's settings, checked against its provider's definition.

mod needs;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};
use url::Url;

use super::provider::{AuthScheme, Provider, Setting, SettingType};
use crate::providers::SourceSpec;
use crate::schema::diagnostic::{Diagnostics, Span, did_you_mean};
use crate::schema::yaml::{Kind, Node, Reader};

/// What every source may set, whatever its provider: the configuration reads these itself.
pub const COMMON: [&str; 14] = [
    "name",
    "provider",
    "credential",
    "listings",
    "auth",
    "interval",
    "timeout",
    "alert_lead",
    "min_lifetime",
    "expired_retention",
    "token_limit",
    "policy",
    "tls",
    "proxy",
];

/// Keys under which people look for a place for the secret itself.
const SECRETS: [&str; 6] = ["token", "password", "secret", "api_key", "key", "bearer"];

/// A source's settings, ready for its provider.
#[derive(Clone, Debug, PartialEq)]
pub struct ResolvedSettings {
    /// All settings by name, and `auth`, the name of the scheme: what expressions see as `$settings`.
    pub settings: Map<String, Value>,
    /// The scheme, by its place in the provider's.
    pub scheme: usize,
    /// The listings that the source wants, by their place in the provider's. Whether `when` lets them run is not asked.
    pub listings: Vec<usize>,
}

impl Provider {
    /// Checks what a source says against this definition.
    ///
    /// # Errors
    /// Every mistake, each with its place and the way out.
    pub fn settle(&self, wanted: &SourceSpec) -> Result<ResolvedSettings, Diagnostics> {
        let mut settling = SettingsResolver { provider: self, wanted, reader: Reader::new(wanted.text.clone()) };
        let mut settings = settling.settings();
        let scheme = settling.scheme();
        let listings = settling.listings();
        if let Some(scheme) = scheme.and_then(|number| self.schemes.get(number)) {
            settings.insert("auth".into(), scheme.name.as_str().into());
            settling.credential(scheme);
            settling.needed(scheme, &listings, &settings);
        }
        settling.reader.diagnostics.into_result()?;
        Ok(ResolvedSettings { settings, scheme: scheme.unwrap_or_default(), listings })
    }
}

struct SettingsResolver<'a> {
    provider: &'a Provider,
    wanted: &'a SourceSpec,
    reader: Reader,
}

impl SettingsResolver<'_> {
    fn settings(&mut self) -> Map<String, Value> {
        let mut settings = Map::new();
        for setting in &self.provider.settings {
            let said = self.wanted.settings.iter().find(|(key, _)| key.name == setting.name);
            let said = said.and_then(|(_, node)| {
                let what = format!("{}: `{}`", self.wanted.name, setting.name);
                value(&mut self.reader, node, setting.shape, &what)
            });
            let value = match (said, &setting.default) {
                (Some(value), _) if !value.is_null() => value,
                (_, Some(default)) => default.clone(),
                (_, None) => {
                    self.missing(setting, "");
                    Value::Null
                }
            };
            settings.insert(setting.name.clone(), value);
        }
        self.unknown();
        settings
    }

    /// Notes a setting that is not set, unless what is set cannot be read: that is said already.
    fn missing(&mut self, setting: &Setting, why: &str) {
        let said = self.wanted.settings.iter().find(|(key, _)| key.name == setting.name);
        let at = match said {
            Some((_, node)) if !node.is_null() => return,
            Some((key, _)) => key.at,
            None => self.wanted.at,
        };
        let message = format!("{}: `{}` is missing{why}: {}", self.wanted.name, setting.name, setting.help);
        self.reader.error(at, message);
    }

    fn unknown(&mut self) {
        let known: Vec<&str> = self.provider.settings.iter().map(|setting| setting.name.as_str()).collect();
        for (key, _) in &self.wanted.settings {
            if known.contains(&key.name.as_str()) {
                continue;
            }
            let all = known.iter().copied().chain(COMMON);
            let mut hint = did_you_mean(&key.name, all);
            let typo = known.iter().any(|name| hint.contains(&format!("`{name}`")));
            if hint.is_empty() && SECRETS.iter().any(|secret| key.name.to_lowercase().contains(secret)) {
                hint = "; a secret stands in a file or a variable: `credential: {file: …}` or `{env: …}`".into();
            }
            let message = format!("{}: unknown key `{}`{hint}", self.wanted.name, key.name);
            let mistake = self.wanted.text.error(key.at, message);
            // The line of a key that nobody knows may hold a secret.
            self.reader.diagnostics.push(if typo { mistake } else { mistake.hide_line() });
        }
    }

    fn scheme(&mut self) -> Option<usize> {
        let Some((wanted, at)) = &self.wanted.auth else { return Some(0) };
        let schemes = &self.provider.schemes;
        let found = schemes.iter().position(|scheme| scheme.name == *wanted);
        if found.is_none() {
            let names = schemes.iter().map(|scheme| scheme.name.as_str()).filter(|name| !name.is_empty());
            self.no_such(*at, "auth", "way to authenticate", wanted, names.collect());
        }
        found
    }

    fn listings(&mut self) -> Vec<usize> {
        let listings = &self.provider.listings;
        let Some(wanted) = &self.wanted.listings else {
            return (0..listings.len()).filter(|number| !listings[*number].opt_in).collect();
        };
        let mut chosen = Vec::new();
        for (name, at) in wanted {
            match listings.iter().position(|listing| listing.name == *name) {
                Some(number) => chosen.push(number),
                None => {
                    let names = listings.iter().map(|listing| listing.name.as_str()).collect();
                    self.no_such(*at, "listings", "listing", name, names);
                }
            }
        }
        chosen.sort_unstable();
        chosen.dedup();
        chosen
    }

    fn no_such(&mut self, at: Span, key: &str, thing: &str, wanted: &str, known: Vec<&str>) {
        let mut hint = did_you_mean(wanted, known.iter().copied());
        if hint.is_empty() {
            let known: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
            hint = match known.len() {
                0 => format!("; `{}` has but one, without a name: leave `{key}` out", self.provider.name),
                _ => format!("; `{}` has {}", self.provider.name, known.join(", ")),
            };
        }
        let message = format!("{}: {key}: no {thing} is called `{wanted}`{hint}", self.wanted.name);
        self.reader.error(at, message);
    }

    /// Whether the parts of the credential that the scheme uses are configured, and no others.
    fn credential(&mut self, scheme: &AuthScheme) {
        let needed = needs::parts(scheme);
        let given = self.wanted.credentials.parts();
        let at = self.wanted.credential_at.unwrap_or(self.wanted.at);
        let name = &self.wanted.name;
        let written = |part: &str| match part {
            "" => "`credential: {file: …}` or `{env: …}`".to_owned(),
            part => format!("`credential: {{{part}: {{file: …}}}}` or `{{env: …}}`"),
        };
        for part in needed.iter().filter(|part| !given.contains(part)) {
            let what = match (part.as_str(), given.is_empty()) {
                ("", true) => "the credential is missing".to_owned(),
                ("", false) => "the credential is one secret here, without parts".to_owned(),
                (part, _) => format!("the credential's part `{part}` is missing"),
            };
            self.reader.error(at, format!("{name}: {what}: {}", written(part)));
        }
        let single = needed.iter().any(String::is_empty);
        for part in given.iter().filter(|part| !needed.contains(part)) {
            let message = match part.as_str() {
                _ if single => continue,
                "" if needed.is_empty() => format!("{name}: no credential is used here"),
                "" => continue,
                part => {
                    let hint = did_you_mean(part, needed.iter().map(String::as_str));
                    format!("{name}: the credential has no part `{part}`{hint}")
                }
            };
            self.reader.error(at, message);
        }
    }

    /// Whether every setting is set without which the scheme, or a listing that certainly runs, can send nothing.
    fn needed(&mut self, scheme: &AuthScheme, listings: &[usize], settings: &Map<String, Value>) {
        let unset = |name: &str| settings.get(name).is_some_and(|value| value.is_null() || *value == "");
        let why = match scheme.name.as_str() {
            "" => String::new(),
            name => format!(", which `auth: {name}` needs"),
        };
        let listings = listings.iter().filter_map(|number| self.provider.listings.get(*number));
        let mut wants: Vec<(String, String)> = needs::scheme(scheme).map(|name| (name, why.clone())).collect();
        for listing in listings {
            let why = format!(", which the listing `{}` needs", listing.name);
            wants.extend(needs::listing(listing).map(|name| (name, why.clone())));
        }
        let mut told = Vec::new();
        for (name, why) in wants.iter().filter(|(name, _)| unset(name)) {
            if let Some(setting) = self.provider.settings.iter().find(|setting| setting.name == *name)
                && setting.default.is_some()
                && !told.contains(&name)
            {
                self.missing(setting, why);
                told.push(name);
            }
        }
    }
}

/// A setting's value, if it is of the right shape.
pub(in crate::providers) fn value(reader: &mut Reader, node: &Node, shape: SettingType, what: &str) -> Option<Value> {
    if node.is_null() {
        return Some(Value::Null);
    }
    match shape {
        SettingType::Text => reader.string(node, what).map(Value::from),
        SettingType::Flag => reader.flag(node, what).map(Value::from),
        SettingType::Number => match &node.kind {
            Kind::Number(number) if number.is_i64() || number.is_u64() => Some(number.clone().into()),
            _ => {
                reader.wrong_type(node, what, "a whole number");
                None
            }
        },
        SettingType::List => {
            let texts: Vec<_> =
                reader.list(node, what, true).into_iter().map(|element| reader.string(element, what)).collect();
            texts.into_iter().collect()
        }
        SettingType::Url => {
            let written = reader.string(node, what)?;
            match address(&written) {
                Ok(url) => Some(url.into()),
                Err(why) => {
                    let mistake = reader.text.error(node.at, format!("{what}: {why}"));
                    // An address may carry a password.
                    reader.diagnostics.push(if written.contains('@') { mistake.hide_line() } else { mistake });
                    None
                }
            }
        }
    }
}

/// An address as requests are built on it: without a slash at its end.
fn address(written: &str) -> Result<String, &'static str> {
    let url = Url::parse(written).map_err(|_| "not a URL; it begins with `https://`")?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err("not a URL that can be asked; it begins with `https://`");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a URL carries no name and no password here; they stand in `credential`");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("a base URL has no `?` and no `#`");
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}
