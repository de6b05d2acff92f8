//! Certificates of servers and of the client.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use axum_server::tls_rustls::RustlsConfig;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use token_expiry_exporter::core::certificates::TlsMaterial;
use token_expiry_exporter::core::failure::Reason;
use token_expiry_exporter::core::secret::Secret;
use token_expiry_exporter::http::client::{Client, Options};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use url::Url;

use super::{client, fetch, options};
use crate::web::certificates::server_tls;

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
        serve(&certificate, &key, clients)
    }
}

/// Starts a server on loopback with this certificate, that accepts only clients of `clients`.
fn serve(certificate: &rcgen::Certificate, key: &KeyPair, clients: Option<&Ca>) -> Url {
    let builder = server_tls(clients.map(|clients| clients.certificate.der().clone()));
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

#[tokio::test]
async fn certificate_of_a_configured_ca_is_trusted() {
    let ca = Ca::new();
    let url = ca.serve("127.0.0.1", None);

    let failure = fetch(&client(options()), url.clone()).await.unwrap_err();
    assert_eq!(failure.reason, Reason::Tls);
    let error = "TLS handshake failed: the server's certificate is signed by an unknown CA; \
                 add that CA's certificate, or the server's own, to `tls.ca_file` after 1 attempt";
    assert_eq!(failure.what, format!("GET {url}: {error}"));

    let trusted = Options { certificates: Arc::new(ca.trust()), ..options() };
    assert_eq!(fetch(&client(trusted), url).await.unwrap().body, b"[]");
}

/// A client that trusts these certificates.
fn trusting(pem: &str) -> Client {
    let trust = TlsMaterial { ca: Some(pem.as_bytes().to_vec()), identity: None };
    client(Options { certificates: Arc::new(trust), ..options() })
}

/// A certificate that signs itself.
fn self_signed(name: &str, change: impl FnOnce(&mut CertificateParams)) -> (rcgen::Certificate, KeyPair) {
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap(), key)
}

/// Without `subjectAltName`.
fn only_common_name(name: &'static str) -> impl FnOnce(&mut CertificateParams) {
    move |params| {
        params.subject_alt_names.clear();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
    }
}

#[tokio::test]
async fn server_certificate_in_the_ca_file_is_trusted() {
    let as_openssl_does = |params: &mut CertificateParams| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let explicit = |params: &mut CertificateParams| params.is_ca = IsCa::ExplicitNoCa;
    let ca = Ca::new();
    let certificates = [
        self_signed("127.0.0.1", as_openssl_does),
        self_signed("127.0.0.1", explicit),
        self_signed("127.0.0.1", |_| {}),
        self_signed("127.0.0.1", only_common_name("127.0.0.1")),
        ca.issue("127.0.0.1", ExtendedKeyUsagePurpose::ServerAuth),
    ];
    for (certificate, key) in certificates {
        let url = serve(&certificate, &key, None);
        assert_eq!(fetch(&trusting(&certificate.pem()), url.clone()).await.unwrap().body, b"[]");
        let others = ca.pem.clone() + &certificate.pem() + &Ca::new().pem;
        assert_eq!(fetch(&trusting(&others), url.clone()).await.unwrap().body, b"[]");
        let failure = fetch(&client(options()), url).await.unwrap_err();
        assert_eq!(failure.reason, Reason::Tls);
        assert!(failure.what.contains("`tls.ca_file`"), "{failure}");
    }
}

#[tokio::test]
async fn server_certificate_in_the_ca_file_must_be_valid_and_vouches_for_no_other() {
    let (other_name, key) = self_signed("h.example", |_| {});
    let failure = fetch(&trusting(&other_name.pem()), serve(&other_name, &key, None)).await.unwrap_err();
    assert!(failure.reason == Reason::Tls && failure.what.contains("not valid for name"), "{failure}");

    let (other_name, key) = self_signed("h.example", only_common_name("h.example"));
    let failure = fetch(&trusting(&other_name.pem()), serve(&other_name, &key, None)).await.unwrap_err();
    assert!(failure.reason == Reason::Tls && failure.what.contains("not valid for"), "{failure}");

    let past = |params: &mut CertificateParams| params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let (expired, key) = self_signed("127.0.0.1", past);
    let failure = fetch(&trusting(&expired.pem()), serve(&expired, &key, None)).await.unwrap_err();
    assert!(failure.reason == Reason::Tls && failure.what.contains("xpired"), "{failure}");

    let root = Ca::new();
    let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    params.is_ca = IsCa::ExplicitNoCa;
    let leaf_key = KeyPair::generate().unwrap();
    let leaf = params.signed_by(&leaf_key, &root.issuer).unwrap();
    let (minted_key, issuer) = (KeyPair::generate().unwrap(), Issuer::new(params, leaf_key));
    let minted = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().signed_by(&minted_key, &issuer).unwrap();
    let failure = fetch(&trusting(&leaf.pem()), serve(&minted, &minted_key, None)).await.unwrap_err();
    assert_eq!(failure.reason, Reason::Tls);
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
