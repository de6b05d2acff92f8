//! JSON Web Tokens that the exporter signs (RFC 7515, 7518 and 7519).

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding,
    RsaKeyPair,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Map, Value};

use crate::core::failure::{Failure, Reason};
use crate::core::pem;
use crate::core::secret::Secret;
use crate::providers::language::provider::JwtAlgorithm;

/// `SEQUENCE { OID rsaEncryption, NULL }` (RFC 3279, section 2.3.1).
const RSA_ENCRYPTION: [u8; 15] =
    [0x30, 0x0D, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01, 0x05, 0x00];

/// A private key for one algorithm.
pub(super) enum SigningKey {
    Rsa(RsaKeyPair, &'static dyn RsaEncoding, &'static str),
    Ec(EcdsaKeyPair),
}

impl SigningKey {
    /// Reads a key in PEM. Vendors issue RSA keys in PKCS#1; tools convert them to PKCS#8, and secret stores change their lines.
    ///
    /// # Errors
    /// Reason `credential` if it is not a key for this algorithm.
    pub(super) fn read(algorithm: JwtAlgorithm, text: &str) -> Result<Self, Failure> {
        let pem = pem::normalize(text);
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).or_else(|_| key_without_marks(&pem));
        let (read, expected) = match algorithm {
            JwtAlgorithm::Rs256 => (rsa(key.ok()).map(|key| Self::Rsa(key, &RSA_PKCS1_SHA256, "RS256")), "an RSA key"),
            JwtAlgorithm::Ps256 => (rsa(key.ok()).map(|key| Self::Rsa(key, &RSA_PSS_SHA256, "PS256")), "an RSA key"),
            JwtAlgorithm::Es256 => (p256(key.ok()).map(Self::Ec), "a P-256 key in PKCS#8, as PEM"),
        };
        let expected = if expected.ends_with("PEM") { expected.to_owned() } else { format!("{expected} in PEM") };
        read.ok_or_else(|| {
            let what = format!("invalid private key; expected {expected}, found {}", pem::describe_key(text));
            Failure::new(Reason::Credential, what)
        })
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(.., name) => name,
            Self::Ec(_) => "ES256",
        }
    }

    /// The SHA-256 of the public key (SubjectPublicKeyInfo, RFC 5280, section 4.1.2.7) in base64; empty for another than an RSA key.
    pub(super) fn public_key_sha256(&self) -> String {
        let Self::Rsa(key, ..) = self else { return String::new() };
        let key = [&[0x00], key.public_key().as_ref()].concat();
        let info = [&RSA_ENCRYPTION[..], &der(0x03, &key)].concat();
        BASE64_STANDARD.encode(digest(&SHA256, &der(0x30, &info)))
    }

    /// A token with this header, to which `alg` and `typ` are added, and these claims.
    ///
    /// # Errors
    /// Reason `internal` if it cannot be signed.
    pub(super) fn sign(&self, mut header: Map<String, Value>, claims: Map<String, Value>) -> Result<Secret, Failure> {
        header.insert("alg".to_owned(), self.algorithm().into());
        header.insert("typ".to_owned(), "JWT".into());
        let encode = |part: Map<String, Value>| BASE64_URL_SAFE_NO_PAD.encode(Value::from(part).to_string());
        let signed = format!("{}.{}", encode(header), encode(claims));
        let (random, failed) = (SystemRandom::new(), |_| Failure::new(Reason::Internal, "cannot sign the JWT"));
        let signature = match self {
            Self::Rsa(key, encoding, _) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(*encoding, &random, signed.as_bytes(), &mut signature).map_err(failed)?;
                signature
            }
            Self::Ec(key) => key.sign(&random, signed.as_bytes()).map_err(failed)?.as_ref().to_vec(),
        };
        Ok(Secret::new(format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))))
    }
}

/// The thumbprint `x5t#S256` of the first certificate in a PEM text (RFC 7515, section 4.1.8).
///
/// # Errors
/// Reason `credential` if there is none.
pub(super) fn thumbprint(text: &str) -> Result<String, Failure> {
    let pem = pem::normalize(text);
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes())
        .map_err(|_| Failure::new(Reason::Credential, "invalid certificate; expected a certificate in PEM"))?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, &certificate)))
}

fn rsa(key: Option<PrivateKeyDer<'_>>) -> Option<RsaKeyPair> {
    match key? {
        PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()).ok(),
        PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).ok(),
        _ => None,
    }
}

fn p256(key: Option<PrivateKeyDer<'_>>) -> Option<EcdsaKeyPair> {
    match key? {
        PrivateKeyDer::Pkcs8(key) => {
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.secret_pkcs8_der(), &SystemRandom::new())
                .ok()
        }
        _ => None,
    }
}

/// The base64 of a key's PEM, without the lines that begin and end it.
fn key_without_marks(text: &str) -> Result<PrivateKeyDer<'static>, &'static str> {
    let bytes = BASE64_STANDARD.decode(text.split_whitespace().collect::<String>()).map_err(|_| "not base64")?;
    PrivateKeyDer::try_from(bytes)
}

/// A DER value of less than 64 KiB (X.690, section 8.1).
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let [.., high, low] = content.len().to_be_bytes();
    let length: &[u8] = match content.len() {
        0..0x80 => &[low],
        0x80..0x100 => &[0x81, low],
        _ => &[0x82, high, low],
    };
    [&[tag], length, content].concat()
}

#[cfg(test)]
mod tests;
