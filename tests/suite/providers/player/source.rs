//! A source as a scenario configures it, with the server in place of the provider.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use token_expiry_exporter::core::certificates::TlsMaterial;
use token_expiry_exporter::core::failure::Failure;
use token_expiry_exporter::core::secret::{Credential, Credentials, Secret};
use token_expiry_exporter::http::client::Options;
use token_expiry_exporter::providers::engine::source;
use token_expiry_exporter::providers::language::provider::{AuthMethod, Provider, SettingType};
use token_expiry_exporter::providers::{Source, SourceSpec};
use token_expiry_exporter::schema::yaml::{Key, Kind, Node};

use super::scenario::Scenario;
use super::server::VENDOR;

/// A key of no App at all, made for these tests.
const APP_KEY: &str = include_str!("../../../../src/providers/engine/signers/github_app/test-key.pem");

struct Fixed(Credential);

impl Credentials for Fixed {
    fn read(&self) -> Result<Credential, Failure> {
        Ok(self.0.clone())
    }

    fn parts(&self) -> Vec<String> {
        self.0.0.keys().cloned().collect()
    }
}

pub(crate) fn connect(provider: &Arc<Provider>, scenario: &Scenario, origin: &str) -> Result<Box<dyn Source>, String> {
    let Kind::Map(entries) = &scenario.source.kind else { return Err("`source` is a map".into()) };
    let (mut auth, mut listings, mut settings, mut parts) = (None, None, Vec::new(), None);
    for (key, node) in entries {
        match key.name.as_str() {
            "auth" => auth = node.as_text().map(|name| (name.to_owned(), node.at)),
            "listings" => {
                let Kind::List(list) = &node.kind else { return Err("`listings` is a list".into()) };
                listings = Some(list.iter().filter_map(|node| Some((node.as_text()?.to_owned(), node.at))).collect());
            }
            "credential" => parts = Some(node.to_json()),
            _ => settings.push((key.clone(), at_server(node, origin))),
        }
    }
    for setting in provider.settings.iter().filter(|setting| setting.shape == SettingType::Url) {
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
    let single = match scheme.map(|scheme| &scheme.means) {
        Some(AuthMethod::GithubApp { .. }) => APP_KEY,
        _ => "CREDENTIAL",
    };
    let credential = match parts {
        Some(parts) => Credential(
            parts
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, value)| (name.clone(), Secret::new(value.as_str().unwrap_or_default())))
                .collect::<BTreeMap<_, _>>(),
        ),
        None => Credential::single(Secret::new(single)),
    };
    let wanted = SourceSpec {
        text: scenario.text.clone(),
        at: scenario.source.at,
        name: "source".to_owned(),
        auth,
        listings,
        settings,
        credentials: Arc::new(Fixed(credential)),
        credential_at: None,
    };
    let options = Options {
        connect_timeout: Duration::from_secs(5),
        request_timeout: Duration::from_secs(5),
        body_limit: 1 << 20,
        retries: scenario.retries,
        longest_wait: Duration::ZERO,
        concurrency: 4,
        rate: None,
        certificates: Arc::new(TlsMaterial::default()),
        proxy: None,
    };
    let now = scenario.now;
    source::connect(provider.clone(), wanted, options, Arc::new(move || now)).map_err(|mistakes| mistakes.to_string())
}

fn at_server(node: &Node, origin: &str) -> Node {
    let kind = match &node.kind {
        Kind::Text(text) => Kind::Text(text.replace(VENDOR, origin)),
        other => other.clone(),
    };
    Node { at: node.at, kind }
}
