//! Certificates that are good, and those that are not.

use std::net::IpAddr;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Good,
    Expired,
    /// Of an authority that nobody trusts.
    Untrusted,
    /// For another name.
    WrongHost,
}

/// An authority of the test.
pub(super) struct Authority {
    pub(super) pem: String,
    trusted: Issuer<'static, KeyPair>,
    stranger: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(super) fn new() -> Self {
        let (pem, trusted) = issuer();
        Self { pem, trusted, stranger: issuer().1 }
    }

    /// What a server at this address needs for TLS, with HTTP/2 if it speaks that.
    pub(super) fn server(&self, address: IpAddr, kind: Kind, http2: bool) -> Arc<ServerConfig> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![match kind {
            Kind::WrongHost => SanType::DnsName("other.example".try_into().unwrap()),
            _ => SanType::IpAddress(address),
        }];
        if kind == Kind::Expired {
            (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
        }
        let key = KeyPair::generate().unwrap();
        let issuer = if kind == Kind::Untrusted { &self.stranger } else { &self.trusted };
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
