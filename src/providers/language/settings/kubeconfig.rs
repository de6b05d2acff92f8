//! What a source takes from its kubeconfig: the URL of the API server, and the scheme.

use serde_json::Value;

use super::{SettingsResolver, base_url};
use crate::core::api_server::ApiServer;
use crate::providers::language::provider::AuthMethod;

/// The setting that has the URL of the API server.
pub(in crate::providers::language) const URL: &str = "url";

impl SettingsResolver<'_> {
    /// Reports a kubeconfig that the provider does not read, and a URL in addition to it.
    pub(super) fn check_kubeconfig(&mut self) {
        let Some((at, _)) = self.spec.kubeconfig else { return };
        if !self.provider.reads_kubeconfig {
            self.error(at, "kubeconfig", "this provider reads no kubeconfig; remove it");
        }
        let urls = self.spec.settings.iter().filter(|(key, node)| key.name == URL && !node.is_null());
        for (key, _) in urls.collect::<Vec<_>>() {
            self.error(key.at, URL, "the kubeconfig has it; remove one of them");
        }
    }

    /// What the kubeconfig names; `None` without a valid one.
    fn api_server(&self) -> Option<&ApiServer> {
        self.spec.kubeconfig.as_ref()?.1.as_ref()
    }

    /// The URL of the API server.
    pub(super) fn server_url(&mut self) -> Option<Value> {
        let (at, url) = (self.spec.kubeconfig.as_ref()?.0, base_url(&self.api_server()?.url));
        let report = |problem: &&str| self.error(at, "kubeconfig", &format!("the server: {problem}"));
        url.inspect_err(report).ok().map(Value::from)
    }

    /// The scheme by which the user of the kubeconfig authenticates.
    pub(super) fn scheme_of_user(&self) -> Option<usize> {
        let has_token = self.api_server()?.has_token;
        self.provider.schemes.iter().position(|scheme| match scheme.method {
            AuthMethod::Bearer(_) => has_token,
            AuthMethod::ClientCertificate => !has_token,
            _ => false,
        })
    }
}
