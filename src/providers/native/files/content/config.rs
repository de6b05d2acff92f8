//! Kubeconfigs and Docker's `config.json`.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{Credential, certificate, secret};
use crate::schema::diagnostic::SourceText;
use crate::schema::yaml::Kind;

/// `None` if the file is neither.
pub(super) fn parse(text: &str, now: DateTime<Utc>) -> Option<Vec<Credential>> {
    let root = crate::schema::yaml::parse(&SourceText::new("", text)).ok()?.to_json();
    if let Some(users) = root.get("users").and_then(Value::as_array) {
        return Some(users.iter().flat_map(|user| kubernetes_user(user, now)).collect());
    }
    let auths = root.get("auths").and_then(Value::as_object)?;
    Some(auths.iter().flat_map(|(registry, auth)| docker_login(registry, auth, now)).collect())
}

pub(super) fn is_map(text: &str) -> bool {
    crate::schema::yaml::parse(&SourceText::new("", text)).is_ok_and(|root| matches!(root.kind, Kind::Map(_)))
}

/// A user's client certificate and token, each inline or in a file that the kubeconfig names.
/// <https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/>
fn kubernetes_user(entry: &Value, now: DateTime<Utc>) -> Vec<Credential> {
    let name = entry.get("name").and_then(Value::as_str).unwrap_or_default();
    let text = |key: &str| entry.get("user")?.get(key)?.as_str().filter(|text| !text.is_empty());
    let in_file = |kind, path: &str| Credential { named_file: Some(path.to_owned()), ..Credential::of_kind(kind) };
    let certificate = match (text("client-certificate-data"), text("client-certificate")) {
        (Some(data), _) => Some(client_certificate(data)),
        (None, path) => path.map(|path| in_file("certificate", path)),
    };
    let token = match (text("tokenFile"), text("token")) {
        (Some(path), _) => Some(in_file("opaque-token", path)),
        (None, token) => token.map(|token| secret(token, now)),
    };
    let token_part = if certificate.is_none() { name.to_owned() } else { format!("{name} token") };
    let certificate = certificate.map(|certificate| certificate.at(name));
    certificate.into_iter().chain(token.map(|token| token.at(token_part))).collect()
}

fn client_certificate(data: &str) -> Credential {
    let pem = BASE64_STANDARD.decode(data.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let first = pem.and_then(|pem| certificate::parse(&pem).ok()).and_then(|found| found.into_iter().next());
    first.unwrap_or_else(|| Credential::of_kind("certificate"))
}

/// A registry's login: `user:password` in base64, or a token.
/// <https://docs.docker.com/reference/cli/docker/login/>
fn docker_login(registry: &str, auth: &Value, now: DateTime<Utc>) -> Option<Credential> {
    let text = |name: &str| auth.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let password = text("auth").and_then(|auth| {
        let pair = String::from_utf8(BASE64_STANDARD.decode(auth.trim()).ok()?).ok()?;
        pair.split_once(':').map(|(_, password)| password.to_owned())
    });
    let token = text("identitytoken").or_else(|| text("registrytoken")).map(str::to_owned);
    let secret = secret(&token.or(password)?, now);
    Some(secret.at(registry))
}
