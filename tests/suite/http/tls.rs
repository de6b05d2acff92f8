//! Certificates of servers and of the client.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use axum_server::tls_rustls::RustlsConfig;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::RootCertStore;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use token_expiry_exporter::core::certificates::TlsMaterial;
use token_expiry_exporter::core::failure::Reason;
use token_expiry_exporter::core::secret::Secret;
use token_expiry_exporter::http::client::Options;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use url::Url;

use super::{client, fetch, options};

/// A certificate ca.
struct Ca {
    pem: String,
    certificate: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Ca {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { pem: certificate.pem(), certificate, issuer: Issuer::new(params, key) }
    }

    fn issue(&self, name: &str, purpose: ExtendedKeyUsagePurpose) -> (rcgen::Certificate, KeyPair) {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.extended_key_usages = vec![purpose];
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    /// Trusts this CA.
    fn trust(&self) -> TlsMaterial {
        TlsMaterial { ca: Some(self.pem.clone().into_bytes()), identity: None }
    }

    /// A client certificate and its key.
    fn identity(&self) -> Secret {
        let (certificate, key) = self.issue("exporter", ExtendedKeyUsagePurpose::ClientAuth);
        Secret::new(format!("{}{}", certificate.pem(), key.serialize_pem()))
    }

    /// Starts a server on loopback whose certificate has this name, and that accepts only clients of `clients`.
    fn serve(&self, name: &str, clients: Option<&Self>) -> Url {
        let (certificate, key) = self.issue(name, ExtendedKeyUsagePurpose::ServerAuth);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(clients) => {
                let mut roots = RootCertStore::empty();
                roots.add(clients.certificate.der().clone()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let server = axum_server::from_tcp_rustls(listener, RustlsConfig::from_config(Arc::new(config))).unwrap();
        let router = Router::new().route("/a", get(|| async { "[]" }));
        tokio::spawn(server.serve(router.into_make_service()));
        Url::parse(&format!("https://{address}/a")).unwrap()
    }
}

#[tokio::test]
async fn certificate_of_a_configured_ca_is_trusted() {
    let ca = Ca::new();
    let url = ca.serve("127.0.0.1", None);

    let failure = fetch(&client(options()), url.clone()).await.unwrap_err();
    assert_eq!(failure.reason, Reason::Tls);
    let error = "TLS handshake failed: invalid peer certificate: UnknownIssuer after 1 attempt";
    assert_eq!(failure.what, format!("GET {url}: {error}"));

    let trusted = Options { certificates: Arc::new(ca.trust()), ..options() };
    assert_eq!(fetch(&client(trusted), url).await.unwrap().body, b"[]");
}

#[tokio::test]
async fn certificate_with_another_name_is_not_trusted() {
    let ca = Ca::new();
    let url = ca.serve("h.example", None);
    let trusted = Options { certificates: Arc::new(ca.trust()), ..options() };
    assert_eq!(fetch(&client(trusted), url).await.unwrap_err().reason, Reason::Tls);
}

#[tokio::test]
async fn server_without_tls_is_a_tls_failure() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("https://{}/a", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        assert_ne!(stream.read(&mut [0; 4096]).await.unwrap(), 0);
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        stream.shutdown().await.unwrap();
    });
    assert_eq!(fetch(&client(options()), url).await.unwrap_err().reason, Reason::Tls);
}

#[tokio::test]
async fn client_certificate_is_sent() {
    let (ca, clients) = (Ca::new(), Ca::new());
    let url = ca.serve("127.0.0.1", Some(&clients));
    let without = Options { certificates: Arc::new(ca.trust()), ..options() };

    let failure = fetch(&client(without.clone()), url.clone()).await.unwrap_err();
    assert_eq!(failure.reason, Reason::Tls, "{failure}");

    let trust = TlsMaterial { identity: Some(clients.identity()), ..ca.trust() };
    let with = Options { certificates: Arc::new(trust), ..without };
    assert_eq!(fetch(&client(with), url).await.unwrap().body, b"[]");
}
