//! Certificates, made for each test.

use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use reqwest::{Certificate, Client, Identity};
use rustls::pki_types::CertificateDer;
use rustls::server::{WantsServerCert, WebPkiClientVerifier};
use rustls::{ConfigBuilder, RootCertStore, ServerConfig};

use super::server::install_crypto_provider;

/// The beginning of a server's TLS configuration, for every client or for those with a certificate of this CA.
pub fn server_tls(clients: Option<CertificateDer<'static>>) -> ConfigBuilder<ServerConfig, WantsServerCert> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let Some(ca) = clients else { return builder.with_no_client_auth() };
    let mut roots = RootCertStore::empty();
    roots.add(ca).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    builder.with_client_cert_verifier(verifier.build().unwrap())
}

/// A certificate authority.
pub struct Authority {
    pub pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub fn new() -> Self {
        install_crypto_provider();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// A certificate with this name, for servers and clients, and its key.
    pub fn issue(&self, name: &str) -> (String, String) {
        self.issue_with(name, |_| {})
    }

    /// The same, for a certificate with other parameters.
    pub fn issue_with(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut params);
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    /// Writes a server's certificate and key.
    pub fn issue_to(&self, directory: &Path) {
        let (certificate, key) = self.issue("localhost");
        std::fs::write(directory.join("server.pem"), certificate).unwrap();
        std::fs::write(directory.join("server.key"), key).unwrap();
    }

    /// A client that trusts only this authority, with an optional certificate of its own.
    pub fn client(&self, identity: Option<(String, String)>) -> Client {
        let ca = Certificate::from_pem(self.pem.as_bytes()).unwrap();
        let mut builder = Client::builder().no_proxy().tls_certs_only([ca]);
        if let Some((certificate, key)) = identity {
            builder = builder.identity(Identity::from_pem(format!("{certificate}{key}").as_bytes()).unwrap());
        }
        builder.build().unwrap()
    }
}
