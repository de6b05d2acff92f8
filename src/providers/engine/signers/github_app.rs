//! A GitHub App: a signed statement of who it is, against a token for its installation in one organization.
//!
//! Follows
//! <https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app>
//! and <https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app>.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::json;
use url::Url;

use crate::core::failure::{Failure, Reason};
use crate::core::secret::Secret;
use crate::core::time::parse_instant;
use crate::http::client::{Body, Request};
use crate::providers::engine::auth::{Session, SessionToken, filled};
use crate::providers::engine::build_request::plain;
use crate::providers::language::template::Template;
use crate::providers::language::value;

/// GitHub accepts ten minutes at most; a clock may be ahead of its.
const STATEMENT_LIFETIME: TimeDelta = TimeDelta::minutes(8);

/// GitHub advises to date the statement back, for clocks that are ahead.
const CLOCK_DRIFT: TimeDelta = TimeDelta::minutes(1);

/// An installation's token lives an hour.
const TOKEN_LIFETIME: TimeDelta = TimeDelta::hours(1);

/// A token for the App's installation in the organization.
///
/// # Errors
/// Reason `credential` where the key is no RSA key in PEM; else what the two requests fail with.
pub(in crate::providers) async fn log_in(
    session: &Session<'_>,
    app_id: &Template,
    private_key: &Template,
    organization: &Template,
) -> Result<SessionToken, Failure> {
    let names = session.names(None);
    let now = (session.clock)();
    let statement = statement(&filled(app_id, &names)?, &filled(private_key, &names)?, now)?;
    let organization: String = url::form_urlencoded::byte_serialize(filled(organization, &names)?.as_bytes()).collect();
    let ask = |method, path: String| request(session, method, &path, &statement);

    let (installation, _) =
        session.granted(&ask(http::Method::GET, format!("/orgs/{organization}/installation"))?).await?;
    let id = value::field(&installation, "id").and_then(value::text).ok_or_else(|| no("installation id"))?;
    let path = format!("/app/installations/{id}/access_tokens");
    let (granted, _) = session.granted(&ask(http::Method::POST, path)?).await?;
    let token = value::field(&granted, "token").and_then(value::text).ok_or_else(|| no("token"))?;
    let end = value::field(&granted, "expires_at").and_then(value::text).and_then(|text| parse_instant(&text));
    let lifetime = end.map_or(TOKEN_LIFETIME, |end| end - now).to_std().unwrap_or(Duration::ZERO);
    Ok(SessionToken::new(Secret::new(token), lifetime))
}

fn no(what: &str) -> Failure {
    Failure::new(Reason::Decode, format!("the login as a GitHub App: the answer has no {what}"))
}

fn request(session: &Session<'_>, method: http::Method, path: &str, statement: &Secret) -> Result<Request, Failure> {
    let base = value::field(session.settings, "url").and_then(value::text).unwrap_or_default();
    let url = Url::parse(&format!("{}{path}", base.trim_end_matches('/')))
        .map_err(|_| Failure::new(Reason::Internal, "`url` and the path of an App's installation make no URL"))?;
    let mut headers = Vec::new();
    for (name, template) in &session.provider.headers {
        headers.extend(plain(template, &session.names(None))?.map(|value| (name.clone(), value)));
    }
    let credential = vec![("Authorization".to_owned(), Secret::new(format!("Bearer {}", statement.expose())))];
    Ok(Request { method, url, headers, credential, body: Body::Empty })
}

/// A JSON Web Token, signed with RS256, that says which App this is.
fn statement(app_id: &str, key: &str, now: DateTime<Utc>) -> Result<Secret, Failure> {
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let claims = json!({
        "iat": (now - CLOCK_DRIFT).timestamp(),
        "exp": (now + STATEMENT_LIFETIME).timestamp(),
        "iss": app_id,
    });
    let header = json!({"alg": "RS256", "typ": "JWT"});
    let signed = format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()));
    let key = key_pair(key)?;
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
        .map_err(|_| Failure::new(Reason::Internal, "the statement of a GitHub App could not be signed"))?;
    Ok(Secret::new(format!("{signed}.{}", encode(&signature))))
}

/// The key that GitHub hands out is PKCS#1; tools make PKCS#8 of it.
fn key_pair(pem: &str) -> Result<RsaKeyPair, Failure> {
    let refused = |what: &str| {
        Failure::new(Reason::Credential, format!("the private key of the GitHub App {what}; it is an RSA key in PEM"))
    };
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| refused("is no PEM"))?;
    match &key {
        PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
        PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
        _ => return Err(refused("is of another kind")),
    }
    .map_err(|_| refused("cannot be read"))
}

#[cfg(test)]
mod tests;
