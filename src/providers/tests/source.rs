//! A source as the scenario configures it, at the server of the scenario.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::core::certificates::TlsMaterial;
use crate::core::extra_headers::ExtraHeaders;
use crate::core::failure::Failure;
use crate::core::secret::{Credential, Credentials, Secret};
use crate::http::client::Options;
use crate::providers::catalogue;
use crate::providers::language::provider::{AuthMethod, AuthScheme, Provider};
use crate::providers::provider_info::SettingType;
use crate::providers::{Source, SourceSpec};
use crate::schema::yaml::{Key, Kind, Node};

use super::scenario::Scenario;
use super::server::VENDOR;

/// A key made for these tests, of no App.
const APP_KEY: &str = include_str!("../engine/github_app/test-key.pem");

/// A certificate made for these tests.
const CERTIFICATE: &str = include_str!("../native/files/test-certificate.pem");

struct Fixed(Credential);

impl Credentials for Fixed {
    fn read(&self) -> Result<Credential, Failure> {
        Ok(self.0.clone())
    }

    fn parts(&self) -> Vec<String> {
        self.0.0.keys().cloned().collect()
    }
}

pub(super) fn connect(provider: &Arc<Provider>, scenario: &Scenario, origin: &str) -> Result<Box<dyn Source>, String> {
    let Kind::Map(entries) = &scenario.source.kind else { return Err("`source` must be a map".into()) };
    let (mut auth, mut listings, mut settings, mut parts) = (None, None, Vec::new(), None);
    for (key, node) in entries {
        match key.name.as_str() {
            "auth" => auth = node.as_text().map(|name| (name.to_owned(), node.at)),
            "listings" => {
                let Kind::List(list) = &node.kind else { return Err("`listings` must be a list".into()) };
                listings = Some(list.iter().filter_map(|node| Some((node.as_text()?.to_owned(), node.at))).collect());
            }
            "credential" => parts = Some(node.to_json()),
            _ => settings.push((key.clone(), at_server(node, origin))),
        }
    }
    for setting in provider.settings.iter().filter(|setting| setting.setting_type == SettingType::Url) {
        if !entries.iter().any(|(key, _)| key.name == setting.name) {
            let at = scenario.source.at;
            let node = Node { at, kind: Kind::Text(origin.to_owned()) };
            settings.push((Key { at, name: setting.name.clone() }, node));
        }
    }
    let scheme = match &auth {
        Some((name, _)) => provider.schemes.iter().find(|scheme| scheme.name == *name),
        None => provider.schemes.first(),
    };
    let part = |name: &str| match name {
        "private_key" | "" => APP_KEY.to_owned(),
        "certificate" => CERTIFICATE.to_owned(),
        name => format!("{name}-of-the-document"),
    };
    let single = match scheme {
        Some(AuthScheme { method: AuthMethod::GithubApp { .. }, .. }) => APP_KEY.to_owned(),
        Some(AuthScheme { json_parts: Some(names), .. }) => {
            let fields = names.iter().map(|name| (name.clone(), part(name).into()));
            serde_json::Value::Object(fields.collect()).to_string()
        }
        _ => "CREDENTIAL".to_owned(),
    };
    let credential = match parts {
        Some(parts) => Credential(
            parts
                .as_object()
                .into_iter()
                .flatten()
                // Null stands for a key or a certificate that these tests have.
                .map(|(name, value)| (name.clone(), value.as_str().map_or_else(|| part(name), str::to_owned)))
                .map(|(name, text)| (name, Secret::new(text)))
                .collect::<BTreeMap<_, _>>(),
        ),
        None => Credential::single(Secret::new(single)),
    };
    let spec = SourceSpec {
        text: scenario.text.clone(),
        at: scenario.source.at,
        name: "source".to_owned(),
        auth,
        listings,
        settings,
        credentials: Arc::new(Fixed(credential)),
        credential_at: None,
        kubeconfig: None,
        has_client_certificate: false,
        headers: ExtraHeaders::default(),
        header_names: Vec::new(),
        identify: (!scenario.found.is_empty()).then_some(scenario.source.at),
    };
    let options = Options {
        connect_timeout: Duration::from_secs(5),
        request_timeout: Duration::from_secs(5),
        body_limit: 1 << 20,
        retries: scenario.retries,
        max_retry_delay: Duration::ZERO,
        concurrency: 4,
        rate: None,
        certificates: Arc::new(TlsMaterial::default()),
        proxy: None,
    };
    let now = scenario.now;
    catalogue::connect(provider.clone(), spec, options, Arc::new(move || now), Arc::default(), Arc::default())
        .map_err(|errors| errors.to_string())
}

fn at_server(node: &Node, origin: &str) -> Node {
    let kind = match &node.kind {
        Kind::Text(text) => Kind::Text(text.replace(VENDOR, origin)),
        other => other.clone(),
    };
    Node { at: node.at, kind }
}
