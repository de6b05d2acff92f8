//! Signs in as a GitHub App: a signed JWT, exchanged for a token of the App's installation in one organization.
//!
//! Follows
//! <https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app>
//! and <https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app>.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::signed_jwt::SigningKey;
use crate::core::failure::{Failure, Reason};
use crate::core::secret::Secret;
use crate::core::time::parse_timestamp;
use crate::providers::language::expression::Val;
use crate::providers::language::provider::JwtAlgorithm;
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
    let claims = json!({
        "iat": (now - CLOCK_DRIFT).timestamp(),
        "exp": (now + JWT_LIFETIME).timestamp(),
        "iss": app_id,
    });
    let login = |failure: Failure| Failure { what: format!("GitHub App login: {}", failure.what), ..failure };
    let key = SigningKey::read(JwtAlgorithm::Rs256, key).map_err(login)?;
    key.sign(serde_json::Map::new(), claims.as_object().cloned().unwrap_or_default()).map_err(login)
}

#[cfg(test)]
mod tests;
