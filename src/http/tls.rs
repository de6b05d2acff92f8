//! The TLS configuration of a source's connections: whom it trusts, and the client certificate.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_platform_verifier::Verifier;
use x509_parser::prelude::{ASN1Time, FromDer as _, X509Certificate};

use super::error::root_cause;
use crate::core::certificates::TlsMaterial;

/// How long the CAs of the system are shared: a reload reads them again.
const MAX_AGE: Duration = Duration::from_secs(10);

/// # Errors
/// If a certificate or key is invalid.
pub(super) fn client_config(material: &TlsMaterial) -> Result<ClientConfig, String> {
    let unusable = |error: Error| format!("cannot configure TLS with these certificates: {}", root_cause(&error));
    let provider = Arc::new(ring::default_provider());
    let listed = material.ca.as_deref().map(ca_bundle).transpose()?.unwrap_or_default();
    let cas: Vec<_> = listed.iter().filter(|certificate| is_ca(certificate)).cloned().collect();
    let chains = verifier(cas, &provider).map_err(unusable)?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(ServerTrust { listed, chains }));
    let mut config = match &material.identity {
        None => builder.with_no_client_auth(),
        Some(pem) => {
            let pem = pem.expose().as_bytes();
            let invalid =
                |error: &dyn std::fmt::Display| format!("invalid PEM in the client certificate or its key: {error}");
            let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
            let key = PrivateKeyDer::from_pem_slice(pem).map_err(|error| invalid(&error))?;
            builder.with_client_auth_cert(chain.map_err(|error| invalid(&error))?, key).map_err(unusable)?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// From when to when the first certificate in PEM is valid.
pub(super) fn validity(pem: &str) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
    let (_, certificate) = X509Certificate::from_der(&der).ok()?;
    let [begin, end] = [certificate.validity.not_before, certificate.validity.not_after];
    let time = |time: ASN1Time| DateTime::from_timestamp(time.timestamp(), 0);
    Some((time(begin)?, time(end)?))
}

/// A verifier that trusts the CAs of the system and these. Those of the system are read once for all sources that are connected at
/// the same time: to read them takes 20 ms.
fn verifier(cas: Vec<CertificateDer<'static>>, provider: &Arc<CryptoProvider>) -> Result<Arc<Verifier>, Error> {
    static SYSTEM: Mutex<Option<(Instant, Arc<Verifier>)>> = Mutex::new(None);
    if !cas.is_empty() {
        return Ok(Arc::new(Verifier::new_with_extra_roots(cas, Arc::clone(provider))?));
    }
    let mut system = SYSTEM.lock();
    if let Some((read, verifier)) = &*system
        && read.elapsed() < MAX_AGE
    {
        return Ok(Arc::clone(verifier));
    }
    let verifier = Arc::new(Verifier::new(Arc::clone(provider))?);
    *system = Some((Instant::now(), Arc::clone(&verifier)));
    Ok(verifier)
}

fn ca_bundle(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let bundle = read.map_err(|error| format!("invalid PEM in the CA bundle: {error}"))?;
    if bundle.is_empty() {
        return Err("no certificate in the CA bundle; expected PEM (BEGIN CERTIFICATE)".into());
    }
    match bundle.iter().position(|certificate| X509Certificate::from_der(certificate).is_err()) {
        Some(at) => Err(format!("invalid PEM in the CA bundle: certificate {} is damaged", at + 1)),
        None => Ok(bundle),
    }
}

/// Whether a certificate may sign others. A server's own must not: its key would then vouch for any name.
fn is_ca(certificate: &CertificateDer<'_>) -> bool {
    X509Certificate::from_der(certificate).is_ok_and(|(_, certificate)| match certificate.basic_constraints() {
        Ok(Some(constraints)) => constraints.value.ca,
        Ok(None) => certificate.subject() == certificate.issuer(),
        Err(_) => false,
    })
}

/// Trusts chains to the CAs of the system and of the bundle, and any server certificate that the bundle itself contains, as
/// curl does. The libraries reject the latter if it is a CA's, which is OpenSSL's default, or if another CA signed it.
#[derive(Debug)]
struct ServerTrust {
    /// The certificates of the bundle.
    listed: Vec<CertificateDer<'static>>,
    chains: Arc<Verifier>,
}

impl ServerCertVerifier for ServerTrust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if !self.listed.contains(end_entity) {
            return self.chains.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        }
        verify_period(end_entity, now)?;
        match verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name) {
            Err(error) if !has_only_common_name(end_entity, server_name) => Err(error),
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}

/// Whether a certificate has no `subjectAltName`, which OpenSSL does not add by itself, and its common name is this one. The
/// libraries read only `subjectAltName`; curl reads the common name too.
fn has_only_common_name(certificate: &CertificateDer<'_>, name: &ServerName<'_>) -> bool {
    X509Certificate::from_der(certificate).is_ok_and(|(_, certificate)| {
        let common_name = certificate.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
        matches!(certificate.subject_alternative_name(), Ok(None))
            && common_name.is_some_and(|common_name| common_name.eq_ignore_ascii_case(&name.to_str()))
    })
}

fn verify_period(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let (_, certificate) = X509Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?;
    let now = i64::try_from(now.as_secs()).ok().and_then(|now| ASN1Time::from_timestamp(now).ok());
    let now = now.ok_or(CertificateError::BadEncoding)?;
    let validity = certificate.validity();
    if now < validity.not_before {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > validity.not_after { Err(CertificateError::Expired.into()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn system_cas_are_read_once_for_all_sources() {
        let provider = Arc::new(ring::default_provider());
        let [first, second] = [(); 2].map(|()| verifier(Vec::new(), &provider).unwrap());
        assert!(Arc::ptr_eq(&first, &second));
    }
}
