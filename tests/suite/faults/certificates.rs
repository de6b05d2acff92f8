//! Valid and invalid certificates.

use std::net::IpAddr;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CertificateKind {
    Valid,
    Expired,
    /// Issued by a CA that is not trusted.
    Untrusted,
    /// For another host.
    WrongHost,
}

/// The trusted CA of the tests, and another one.
pub(super) struct TestCa {
    pub(super) pem: String,
    trusted: Issuer<'static, KeyPair>,
    untrusted: Issuer<'static, KeyPair>,
}

impl TestCa {
    pub(super) fn new() -> Self {
        let (pem, trusted) = issuer();
        Self { pem, trusted, untrusted: issuer().1 }
    }

    /// The TLS configuration of a server at this address.
    pub(super) fn server_config(&self, address: IpAddr, kind: CertificateKind, http2: bool) -> Arc<ServerConfig> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![match kind {
            CertificateKind::WrongHost => SanType::DnsName("other.example".try_into().unwrap()),
            _ => SanType::IpAddress(address),
        }];
        if kind == CertificateKind::Expired {
            (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
        }
        let key = KeyPair::generate().unwrap();
        let issuer = if kind == CertificateKind::Untrusted { &self.untrusted } else { &self.trusted };
        let certificate = params.signed_by(&key, issuer).unwrap().der().clone();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let mut config = builder.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
        config.alpn_protocols = vec![if http2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
        Arc::new(config)
    }
}

fn issuer() -> (String, Issuer<'static, KeyPair>) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    (pem, Issuer::new(params, key))
}
