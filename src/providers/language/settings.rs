//! The settings of a source, checked against its provider's definition.

pub(in crate::providers::language) mod default_url;
mod headers;
pub(in crate::providers::language) mod kubeconfig;
pub(in crate::providers::language) mod needs;
pub(in crate::providers::language) mod secret_names;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use serde_json::{Map, Value, json};
use url::{Origin, Url};

use super::provider::{AuthMethod, AuthScheme, Provider};
use super::template::{Name, Template};
use crate::core::web_url::web_url;
use crate::providers::SourceSpec;
use crate::providers::provider_info::{Setting, SettingType};
use crate::schema::diagnostic::{Diagnostics, Span, did_you_mean, nearest, suggest};
use crate::schema::reader::{Reader, written};
use crate::schema::table::{DomainType, ValueType};
use crate::schema::yaml::{Key, Kind, Node};

/// Parts of keys under which people put the secret itself.
const SECRETS: [&str; 6] = ["token", "password", "secret", "api_key", "key", "bearer"];

/// A source's settings, ready for its provider.
#[derive(Clone, Debug, PartialEq)]
pub struct ResolvedSettings {
    /// All settings by name, and `auth`, the name of the scheme: what expressions see as `$settings`.
    pub settings: Map<String, Value>,
    /// The index of the scheme among the provider's.
    pub scheme: usize,
    /// The indices of the source's listings among the provider's, whether or not their `when` lets them run.
    pub listings: Vec<usize>,
    /// Whether it identifies credentials that other sources find.
    pub identify: bool,
    /// To which origin its further headers go.
    pub headers_to: Option<Origin>,
}

impl SettingType {
    pub fn value_type(self) -> &'static ValueType {
        static URL: ValueType = ValueType::Domain(&BASE_URL);
        static NUMBER: ValueType = ValueType::Domain(&INTEGER);
        match self {
            Self::Text => &ValueType::Text,
            Self::Url => &URL,
            Self::Flag => &ValueType::Flag,
            Self::Number => &NUMBER,
            Self::List => &ValueType::OneOrList(0, &ValueType::Text),
        }
    }
}

static INTEGER: DomainType = DomainType {
    words: "number",
    json_schema: || json!({"type": "integer"}),
    check: |reader, node, path| {
        if node.to_json().as_i64().is_none() && node.to_json().as_u64().is_none() {
            reader.wrong_type(node, path, "a whole number");
        }
    },
};

/// The URL that paths are appended to.
static BASE_URL: DomainType = DomainType {
    words: "URL",
    json_schema: || json!({"type": "string", "format": "uri", "pattern": "^https?://"}),
    check: |reader, node, path| {
        let Some(text) = reader.string(node, path) else { return };
        if let Err(problem) = base_url(&text) {
            let error = reader.text.error(node.at, format!("{path}: {problem}"));
            // A URL may contain a password.
            reader.diagnostics.push(if text.contains('@') { error.hide_line() } else { error });
        }
    },
};

/// A base URL as requests need it: without a slash at its end.
fn base_url(text: &str) -> Result<String, &'static str> {
    let url = web_url(text).ok_or(match text.contains('@') {
        true => "expected an http or https URL without user and password; use `credential` for these",
        false => "expected an http or https URL, such as `https://api.example.com`",
    })?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err("a base URL has no `?` and no `#`");
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// A setting's value; null if it is unset. None if it is invalid, which is reported.
pub(super) fn value(reader: &mut Reader, node: &Node, setting_type: SettingType, path: &str) -> Option<Value> {
    if node.is_null() {
        return Some(Value::Null);
    }
    if !reader.check(node, path, setting_type.value_type()) {
        return None;
    }
    let text = |node: &Node| written(&reader.text, node).map(str::to_owned);
    match setting_type {
        SettingType::Text => text(node).map(Value::from),
        SettingType::Url => base_url(&text(node)?).ok().map(Value::from),
        SettingType::List => node.elements().iter().map(text).collect(),
        SettingType::Flag | SettingType::Number => Some(node.to_json()),
    }
}

impl Provider {
    /// Checks the settings of a source against this definition.
    ///
    /// # Errors
    /// Every error in them.
    pub fn resolve(&self, spec: &SourceSpec) -> Result<ResolvedSettings, Diagnostics> {
        let mut resolver = SettingsResolver { provider: self, spec, reader: Reader::new(spec.text.clone()) };
        let mut settings = resolver.settings();
        let scheme = resolver.scheme();
        let listings = resolver.listings();
        let own_url = headers::own_url(self, &listings, &settings);
        if let Some(scheme) = scheme.and_then(|number| self.schemes.get(number)) {
            settings.insert("auth".into(), scheme.name.as_str().into());
            resolver.check_credential(scheme);
            resolver.check_needed(scheme, &listings, &settings);
            resolver.check_headers(scheme, own_url.as_ref());
        }
        if let (true, Some(at)) = (self.identify.is_empty(), spec.identify) {
            let message = "this provider cannot say which token a credential is; remove it";
            resolver.error(at, "identify", message);
        }
        resolver.reader.finish(|_| false)?;
        let identify = spec.identify.is_some();
        let headers_to = own_url.map(|url| url.origin());
        Ok(ResolvedSettings { settings, scheme: scheme.unwrap_or_default(), listings, identify, headers_to })
    }
}

struct SettingsResolver<'a> {
    provider: &'a Provider,
    spec: &'a SourceSpec,
    reader: Reader,
}

impl SettingsResolver<'_> {
    fn error(&mut self, at: Span, key: &str, message: &str) {
        self.reader.error(at, format!("{}: {message}", self.spec.path_of(key)));
    }

    fn given(&self, setting: &Setting) -> Option<&(Key, Node)> {
        self.spec.settings.iter().find(|(key, _)| key.name == setting.name)
    }

    fn settings(&mut self) -> Map<String, Value> {
        let mut settings = Map::new();
        for setting in &self.provider.settings {
            let given = self.given(setting).map(|(_, node)| node.clone());
            let path = self.spec.path_of(&setting.name);
            let given = given.and_then(|node| value(&mut self.reader, &node, setting.setting_type, &path));
            let read = if setting.name == kubeconfig::URL { self.server_url() } else { None };
            let value = given.filter(|value| !value.is_null()).or(read).or_else(|| setting.default.clone());
            if value.is_none() {
                self.missing(setting, "");
            }
            settings.insert(setting.name.clone(), value.unwrap_or_default());
        }
        self.check_unknown();
        self.check_kubeconfig();
        self.fill_default_urls(&mut settings);
        settings
    }

    /// Fills the names in the URLs that are not set. A URL whose names have no values is unset.
    fn fill_default_urls(&mut self, settings: &mut Map<String, Value>) {
        for setting in self.provider.settings.iter().filter(|setting| setting.setting_type == SettingType::Url) {
            let is_given = self.given(setting).is_some_and(|(_, node)| !node.is_null());
            let default =
                setting.default.as_ref().and_then(Value::as_str).filter(|text| !is_given && text.contains('{'));
            let Some(template) = default.and_then(|text| Template::parse(text).ok()) else { continue };
            let text = |name: &Name| settings.get(&name.head).and_then(Value::as_str).map(str::to_owned);
            let url = default_url::filled(&template, &text);
            if url.is_err() {
                let names: Vec<&str> = template.names().map(|name| name.head.as_str()).collect();
                let given = self.spec.settings.iter().find(|(key, _)| names.contains(&key.name.as_str()));
                let (at, name) = given.map_or((self.spec.at, names[0]), |(key, node)| (node.at, key.name.as_str()));
                let (name, url) = (name.to_owned(), setting.name.as_str());
                let message =
                    format!("expected letters, digits and hyphens, which are part of `{url}`; or set `{url}`");
                self.error(at, &name, &message);
            }
            settings.insert(setting.name.clone(), url.ok().flatten().map_or(Value::Null, Value::from));
        }
    }

    /// Reports a setting that is not set, unless its value is invalid, which is reported already.
    fn missing(&mut self, setting: &Setting, why: &str) {
        let is_empty = |node: &Node| node.is_null() || matches!(&node.kind, Kind::List(list) if list.is_empty());
        let at = match self.given(setting) {
            Some((key, node)) if is_empty(node) => key.at,
            Some(_) => return,
            None => self.spec.at,
        };
        self.reader
            .error(at, format!("sources.{}: `{}` is missing{why}: {}", self.spec.name, setting.name, setting.help));
    }

    fn check_unknown(&mut self) {
        let known: Vec<&str> = self.provider.settings.iter().map(|setting| setting.name.as_str()).collect();
        for (key, _) in self.spec.settings.iter().filter(|(key, _)| !known.contains(&key.name.as_str())) {
            let meant = nearest(&key.name, known.iter().chain(&self.provider.source_keys).copied());
            let is_secret = || SECRETS.iter().any(|secret| key.name.to_lowercase().contains(secret));
            let hint = match meant {
                Some(meant) => format!("; did you mean `{meant}`?"),
                None if is_secret() => {
                    "; secrets are not allowed here: use `credential: {file: PATH}` or `{env: NAME}`".into()
                }
                None => String::new(),
            };
            let message = format!("unknown key `{}`{hint}", self.spec.path_of(&key.name));
            let error = self.spec.text.error(key.at, message);
            // The line of an unknown key may contain a secret.
            let is_known = meant.is_some_and(|meant| known.contains(&meant));
            self.reader.diagnostics.push(if is_known { error } else { error.hide_line() });
        }
    }

    fn scheme(&mut self) -> Option<usize> {
        let Some((wanted, at)) = &self.spec.auth else { return self.scheme_of_user().or(Some(0)) };
        let names: Vec<_> = self.provider.schemes.iter().map(|scheme| scheme.name.as_str()).collect();
        let found = names.iter().position(|name| name == wanted);
        if found.is_none() {
            let names = names.into_iter().filter(|name| !name.is_empty()).collect();
            self.unknown_name(*at, "auth", wanted, names);
        }
        found
    }

    fn listings(&mut self) -> Vec<usize> {
        let listings = &self.provider.listings;
        let Some(wanted) = &self.spec.listings else {
            return (0..listings.len()).filter(|number| !listings[*number].opt_in).collect();
        };
        let names: Vec<_> = listings.iter().map(|listing| listing.name.as_str()).collect();
        let mut chosen = Vec::new();
        for (name, at) in wanted {
            match names.iter().position(|known| known == name) {
                Some(number) => chosen.push(number),
                None => self.unknown_name(*at, "listings", name, names.clone()),
            }
        }
        chosen.sort_unstable();
        chosen.dedup();
        chosen
    }

    fn unknown_name(&mut self, at: Span, key: &str, name: &str, known: Vec<&str>) {
        let hint = match known.is_empty() {
            true => format!("; `{}` has only one, without a name: omit `{key}`", self.provider.name),
            false => suggest(name, known),
        };
        self.error(at, key, &format!("unknown name `{name}`{hint}"));
    }

    /// Checks that the parts of the credential that the scheme uses are configured, and no others.
    fn check_credential(&mut self, scheme: &AuthScheme) {
        let is_unread = matches!(self.spec.kubeconfig, Some((_, None)));
        if is_unread || matches!(scheme.method, AuthMethod::Unknown(_)) {
            return;
        }
        let has_certificate = self.spec.has_client_certificate || self.spec.kubeconfig.is_some();
        if matches!(scheme.method, AuthMethod::ClientCertificate) && !has_certificate {
            let at = self.spec.auth.as_ref().map_or(self.spec.at, |(_, at)| *at);
            self.error(at, "auth", "needs a client certificate; set `tls: {cert_file: PATH, key_file: PATH}`");
        }
        let needed = needs::parts(scheme);
        let given = self.spec.credentials.parts();
        let at = self.spec.credential_at.unwrap_or(self.spec.at);
        let is_single = needed.iter().any(String::is_empty);
        const SINGLE: &str = "`credential: {file: PATH}` or `{env: NAME}`";
        for part in needed.iter().filter(|part| !given.contains(part)) {
            let message = match part.as_str() {
                "" if given.is_empty() => format!("missing; write {SINGLE}"),
                "" => format!("has no parts here; write {SINGLE}"),
                part => {
                    format!(
                        "the part `{part}` is missing; write `credential: {{{part}: {{file: PATH}}}}` or `{{env: NAME}}`"
                    )
                }
            };
            self.error(at, "credential", &message);
        }
        for part in given.iter().filter(|part| !is_single && !needed.contains(part)) {
            match part.as_str() {
                "" if needed.is_empty() => {
                    let with = match scheme.name.as_str() {
                        "" => "this provider".to_owned(),
                        name => format!("`auth: {name}`"),
                    };
                    self.error(at, "credential", &format!("has no effect with {with}; remove it"));
                }
                "" => {}
                part => {
                    let hint = did_you_mean(part, needed.iter().map(String::as_str));
                    self.error(at, "credential", &format!("unknown part `{part}`{hint}"));
                }
            }
        }
    }

    /// Reports headers of the source that its requests have anyway.
    fn check_headers(&mut self, scheme: &AuthScheme, url: Option<&Url>) {
        for (name, at) in &self.spec.header_names {
            if let Some(problem) = headers::problem(self.provider, scheme, name, url) {
                self.error(*at, &format!("headers.{name}"), &problem);
            }
        }
    }

    /// Checks the settings without which the scheme, or a listing that runs, cannot send a request.
    fn check_needed(&mut self, scheme: &AuthScheme, listings: &[usize], settings: &Map<String, Value>) {
        let why = match scheme.name.as_str() {
            "" => String::new(),
            name => format!(", which `auth: {name}` needs"),
        };
        let mut needed: Vec<(String, String)> =
            needs::scheme(scheme, self.provider.schemes.len() == 1).map(|name| (name, why.clone())).collect();
        let values = super::value::from_json(&Value::Object(settings.clone()));
        for listing in listings.iter().filter_map(|number| self.provider.listings.get(*number)) {
            let why = format!(", which the listing `{}` needs", listing.name);
            needed.extend(needs::listing(listing, &values).into_iter().map(|name| (name, why.clone())));
        }
        let mut reported = HashSet::new();
        let is_unset = |name: &str| settings.get(name).is_some_and(|v| v.is_null() || *v == "" || *v == json!([]));
        for (name, why) in needed.iter().filter(|(name, _)| is_unset(name)) {
            let setting =
                self.provider.settings.iter().find(|setting| setting.name == *name && setting.default.is_some());
            if let Some(setting) = setting.filter(|_| reported.insert(name)) {
                self.missing(setting, why);
            }
        }
    }
}
