//! PEM files. A private key alone has no expiry.

use chrono::DateTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::pem::Pem;

use super::Credential;
use crate::core::token::Expiry;

/// Every certificate; without any, the private key.
///
/// # Errors
/// If a block is malformed, or none is a certificate or a private key.
pub(super) fn parse(text: &str) -> Result<Vec<Credential>, &'static str> {
    let (mut found, mut has_key) = (Vec::new(), false);
    for block in Pem::iter_from_buffer(text.as_bytes()) {
        let block = block.map_err(|_| "PEM")?;
        match block.label.as_str() {
            "CERTIFICATE" | "TRUSTED CERTIFICATE" => {
                let certificate = block.parse_x509().map_err(|_| "certificate")?;
                let credential = credential(&certificate);
                // The first is the leaf, the others are its chain.
                let part = found.len() + 1;
                found.push(if part == 1 { credential } else { credential.at(part.to_string()) });
            }
            label => has_key |= label.ends_with("PRIVATE KEY"),
        }
    }
    match (found.is_empty(), has_key) {
        (false, _) => Ok(found),
        (true, true) => Ok(vec![Credential::of_kind("private-key")]),
        (true, false) => Err("certificate"),
    }
}

fn credential(certificate: &X509Certificate<'_>) -> Credential {
    let name = |names: &x509_parser::x509::X509Name<'_>| {
        names.iter_common_name().next().and_then(|name| name.as_str().ok()).map(str::to_owned)
    };
    let instant = |time: x509_parser::time::ASN1Time| DateTime::from_timestamp(time.timestamp(), 0);
    let validity = certificate.validity();
    Credential {
        name: name(certificate.subject()),
        issuer: name(certificate.issuer()),
        created_at: instant(validity.not_before),
        expires: instant(validity.not_after).map_or(Expiry::Unknown, Expiry::At),
        ..Credential::of_kind("certificate")
    }
}
