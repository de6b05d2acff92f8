//! The sources.

use std::sync::Arc;

use super::credential::{self, CredentialSource};
use super::environment::FileEnvironment;
use super::headers::Headers;
use super::{SharedSettings, SourceConfig, headers, kubeconfig, lead, tls};
use crate::core::certificates::SharedCertificates;
use crate::core::secret::{NoCredential, SharedCredentials};
use crate::schema::reader::Reader;
use crate::schema::record::Record;

/// Reads the sources. A name that occurs twice is an error.
pub(super) fn read(
    reader: &mut Reader,
    environment: &FileEnvironment,
    file: &Record<'_>,
    defaults: SharedSettings,
) -> Vec<(SourceConfig, Vec<Arc<CredentialSource>>)> {
    let mut sources: Vec<(SourceConfig, _)> = Vec::new();
    for values in file.records("sources") {
        let Some(mut source) = source(reader, environment, values, defaults) else { continue };
        let written = [values, file].into_iter().find(|values| values.is_given("timeout"));
        source.0.timeout_at = written.map(|values| values.value_at("timeout"));
        let written = [values, file].into_iter().find(|values| values.is_given("metrics.tokens"));
        source.0.tokens_at = written.map(|values| values.value_at("metrics.tokens"));
        let (name, at) = &source.0.name;
        if let Some((first, _)) = sources.iter().find(|(other, _)| other.name.0 == *name) {
            let line = reader.text.line_number(first.name.1.start);
            reader.error(*at, format!("sources: duplicate name `{name}`, first in line {line}; choose another"));
        }
        sources.push(source);
    }
    sources
}

/// Reads one source. None if it has no valid provider. Without a valid name, which is reported, its number is its name, so that
/// its settings are checked all the same.
fn source(
    reader: &mut Reader,
    environment: &FileEnvironment,
    values: &Record<'_>,
    defaults: SharedSettings,
) -> Option<(SourceConfig, Vec<Arc<CredentialSource>>)> {
    let credential = values.node("credential");
    let origin = credential.and_then(|node| credential::read(reader, environment, node, &values.path_of("credential")));
    let Headers { extra, names, secrets } = headers::read(reader, environment, values);
    let certificates = tls::read(reader, environment, values);
    let kubeconfig = kubeconfig::read(reader, environment, values);
    let (credentials, certificates): (SharedCredentials, SharedCertificates) = match (&kubeconfig, &origin) {
        (Some(kubeconfig), _) => (Arc::clone(kubeconfig) as _, Arc::clone(kubeconfig) as _),
        (None, Some(origin)) => (Arc::clone(origin) as _, certificates),
        (None, None) => (Arc::new(NoCredential), certificates),
    };
    let proxy = values.text("proxy").and_then(|proxy| proxy.parse().ok());
    let settings = SharedSettings::read(values, defaults);
    if values.is_given("alert_lead") {
        lead::check(reader, values, settings.alert_lead, "from the top of the file");
    }
    let source = SourceConfig {
        name: values
            .spanned("name")
            .unwrap_or_else(|| (values.path.trim_start_matches("sources").to_owned(), values.at)),
        provider: values.spanned("provider")?,
        at: values.at,
        auth: values.spanned("auth"),
        listings: values.texts("listings"),
        settings: values.rest.iter().map(|(key, value)| ((*key).clone(), (*value).clone())).collect(),
        credentials,
        credential_at: credential.map(|node| node.at),
        headers: extra,
        header_names: names,
        identify: values.flag("identify").unwrap_or_default().then(|| values.value_at("identify")),
        interval: values.period("interval"),
        shared: settings,
        rotate_after: values.duration("rotate_after"),
        timeout_at: None,
        tokens_at: None,
        certificates,
        has_client_certificate: values.is_given("tls.cert_file"),
        kubeconfig: values
            .is_given("kubeconfig")
            .then(|| (values.value_at("kubeconfig"), kubeconfig.as_ref().map(|kubeconfig| kubeconfig.server()))),
        proxy: proxy.or_else(|| kubeconfig?.proxy()),
    };
    Some((source, origin.into_iter().chain(secrets).collect()))
}
