//! Signs in as a GitHub App: a signed JWT, exchanged for a token of the App's installation in one organization.
//!
//! Follows
//! <https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app>
//! and <https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app>.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::json;

use crate::core::failure::{Failure, Reason};
use crate::core::pem;
use crate::core::secret::Secret;
use crate::core::time::parse_timestamp;
use crate::providers::language::expression::Val;
use crate::providers::language::value;

/// GitHub accepts at most ten minutes; our clock may be ahead of GitHub's.
const JWT_LIFETIME: TimeDelta = TimeDelta::minutes(8);

/// GitHub recommends to set `iat` a minute back, against clock drift.
const CLOCK_DRIFT: TimeDelta = TimeDelta::minutes(1);

/// The lifetime of an installation token.
const TOKEN_LIFETIME: TimeDelta = TimeDelta::hours(1);

/// The path of the App's installation in an organization.
pub(super) fn installation_path(organization: &str) -> String {
    let organization: String = url::form_urlencoded::byte_serialize(organization.as_bytes()).collect();
    format!("/orgs/{organization}/installation")
}

/// The path that grants a token, to be sent as a POST request.
///
/// # Errors
/// Reason `decode` if the installation has no id.
pub(super) fn token_path(installation: &Val) -> Result<String, Failure> {
    Ok(format!("/app/installations/{}/access_tokens", field(installation, "id")?))
}

/// The granted token, and its remaining lifetime at `now`.
///
/// # Errors
/// Reason `decode` if there is none.
pub(super) fn granted_token(response: &Val, now: DateTime<Utc>) -> Result<(Secret, TimeDelta), Failure> {
    let expires = field(response, "expires_at").ok().and_then(|text| parse_timestamp(&text));
    Ok((Secret::new(field(response, "token")?), expires.map_or(TOKEN_LIFETIME, |expires| expires - now)))
}

fn field(response: &Val, name: &str) -> Result<String, Failure> {
    let missing = || Failure::new(Reason::Decode, format!("GitHub App login: no `{name}` in the response"));
    value::field(response, name).and_then(value::text).ok_or_else(missing)
}

/// The App's JSON Web Token, signed with RS256.
///
/// # Errors
/// Reason `credential` if the key is not an RSA key in PEM.
pub(super) fn signed_jwt(app_id: &str, key: &str, now: DateTime<Utc>) -> Result<Secret, Failure> {
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let claims = json!({
        "iat": (now - CLOCK_DRIFT).timestamp(),
        "exp": (now + JWT_LIFETIME).timestamp(),
        "iss": app_id,
    });
    let header = json!({"alg": "RS256", "typ": "JWT"});
    let signed = format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()));
    let key = key_pair(key)?;
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
        .map_err(|_| Failure::new(Reason::Internal, "GitHub App login: cannot sign the JWT"))?;
    Ok(Secret::new(format!("{signed}.{}", encode(&signature))))
}

/// GitHub issues keys in PKCS#1; tools convert them to PKCS#8, and secret stores change their lines.
fn key_pair(text: &str) -> Result<RsaKeyPair, Failure> {
    let pem = pem::normalize(text);
    let key = match PrivateKeyDer::from_pem_slice(pem.as_bytes()).or_else(|_| key_without_marks(&pem)) {
        Ok(PrivateKeyDer::Pkcs1(key)) => RsaKeyPair::from_der(key.secret_pkcs1_der()).ok(),
        Ok(PrivateKeyDer::Pkcs8(key)) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).ok(),
        _ => None,
    };
    key.ok_or_else(|| {
        let what = "GitHub App login: invalid private key; expected an RSA key in PEM, found";
        Failure::new(Reason::Credential, format!("{what} {}", pem::describe_key(text)))
    })
}

/// The base64 of a key's PEM, without the lines that begin and end it.
fn key_without_marks(text: &str) -> Result<PrivateKeyDer<'static>, &'static str> {
    let bytes = BASE64_STANDARD.decode(text.split_whitespace().collect::<String>()).map_err(|_| "not base64")?;
    PrivateKeyDer::try_from(bytes)
}

#[cfg(test)]
mod tests;
