//! `tls_server_config` as a configuration of rustls.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, SupportedKxGroup, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{NamedGroup, SupportedCipherSuite};

use super::client_cert;
use super::settings::{Pem, Tls};
use crate::core::pem;
use crate::core::secret::Secret;

/// The content of the files that the settings name.
#[derive(PartialEq, Eq)]
pub(super) struct TlsFiles {
    certificate: Secret,
    key: Secret,
    client_ca: Option<Secret>,
}

impl TlsFiles {
    /// Reads them. Relative paths start at the directory of the web configuration.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub(super) fn read(tls: &Tls, directory: &Path) -> Result<Self, String> {
        let read = |written: &Pem| match written {
            Pem::Inline(secret) => Ok(Secret::new(pem::normalize(secret.expose()))),
            Pem::File(name) => {
                let path = directory.join(name);
                let read = std::fs::read_to_string(&path);
                read.map(|text| Secret::new(pem::normalize(&text)))
                    .map_err(|error| format!("{} cannot be read: {error}", path.display()))
            }
        };
        Ok(Self {
            certificate: read(&tls.certificate)?,
            key: read(&tls.key)?,
            client_ca: tls.client_ca.as_ref().map(read).transpose()?,
        })
    }
}

/// The server's TLS configuration.
///
/// # Errors
/// A sentence that names the setting.
pub(super) fn server_config(tls: &Tls, files: &TlsFiles, http2: bool) -> Result<Arc<ServerConfig>, String> {
    let provider = Arc::new(provider(tls)?);
    let chain = certificates(&files.certificate, "tls_server_config: the certificate")?;
    let key = PrivateKeyDer::from_pem_slice(files.key.expose().as_bytes()).map_err(|_| {
        let found = pem::describe_key(files.key.expose());
        format!("tls_server_config: the key is not an unencrypted private key in PEM; found {found}")
    })?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&tls.versions)
        .map_err(|error| format!("tls_server_config: incompatible versions and cipher suites: {error}"))?;
    let client_ca = match &files.client_ca {
        Some(pem) => certificates(pem, "tls_server_config: the client CA")?,
        None => Vec::new(),
    };
    let builder = match client_cert::verifier(tls, client_ca, &provider)? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|error| format!("tls_server_config: unusable certificate or key: {error}"))?;
    config.ignore_client_order = tls.prefer_server_cipher_suites;
    if http2 {
        config.alpn_protocols.push(b"h2".to_vec());
    }
    config.alpn_protocols.push(b"http/1.1".to_vec());
    Ok(Arc::new(config))
}

fn certificates(pem: &Secret, what: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.expose().as_bytes()).collect();
    match read {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        _ => Err(format!("{what} is not PEM")),
    }
}

/// The cryptography that the settings allow.
fn provider(tls: &Tls) -> Result<CryptoProvider, String> {
    let mut provider = ring::default_provider();
    if !tls.cipher_suites.is_empty() {
        let (newer, older): (Vec<_>, Vec<_>) =
            provider.cipher_suites.into_iter().partition(|suite| suite.tls13().is_some());
        // As in Go, the list applies to TLS 1.2; suites of 1.3 may be named but have no effect.
        let named: Vec<String> =
            tls.cipher_suites.iter().filter(|name| !NAMES_IN_TLS13.contains(&name.as_str())).cloned().collect();
        let chosen = chosen("cipher_suites", &named, &older, suite_name)?;
        provider.cipher_suites = newer.into_iter().chain(chosen).collect();
    }
    if !tls.curves.is_empty() {
        provider.kx_groups = chosen("curve_preferences", &tls.curves, &provider.kx_groups, curve_name)?;
    }
    Ok(provider)
}

/// Go's names of the TLS 1.3 suites: <https://pkg.go.dev/crypto/tls#pkg-constants>.
const NAMES_IN_TLS13: [&str; 3] = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];

fn suite_name(suite: SupportedCipherSuite) -> &'static str {
    suite.suite().as_str().unwrap_or_default()
}

/// Go's names.
fn curve_name(group: &'static dyn SupportedKxGroup) -> &'static str {
    match group.name() {
        NamedGroup::X25519 => "X25519",
        NamedGroup::secp256r1 => "CurveP256",
        NamedGroup::secp384r1 => "CurveP384",
        _ => "",
    }
}

/// The named items, in the order of the names.
fn chosen<T: Copy>(
    key: &str,
    names: &[String],
    all: &[T],
    name_of: impl Fn(T) -> &'static str,
) -> Result<Vec<T>, String> {
    let find = |name: &String| {
        all.iter().copied().find(|candidate| name_of(*candidate) == name).ok_or_else(|| {
            let known = all.iter().map(|candidate| name_of(*candidate)).collect::<Vec<_>>().join(", ");
            format!("tls_server_config.{key}: `{name}` is not supported; expected one of {known}")
        })
    };
    names.iter().map(find).collect()
}
