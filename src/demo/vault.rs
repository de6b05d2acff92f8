//! A simulation of Vault's API: token accessors, look-ups, and the secret ids of AppRoles.
//!
//! <https://openbao.org/api-docs/auth/token/>: a list is GET with `?list=true`, an empty one is a 404 with an empty list
//! of errors, and a token is looked up by its accessor, one at a time.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

use super::organisation::{DemoToken, Listing, SECRET_IDS, VAULT_TOKENS};
use super::people::login;
use super::scenario::DemoScenario;
use super::state::DemoState;
use super::stub::Request;

/// Status and error texts.
type Refusal = (StatusCode, &'static [&'static str]);

pub(super) fn respond(state: &DemoState, request: &Request) -> Response {
    match data(state, request) {
        Ok(data) => {
            Json(json!({"request_id": "demo", "lease_id": "", "renewable": false, "data": data})).into_response()
        }
        Err((status, errors)) => (status, Json(json!({"errors": errors}))).into_response(),
    }
}

fn data(state: &DemoState, request: &Request) -> Result<Value, Refusal> {
    let now = Utc::now();
    if state.organisation.read().stopped.contains("vault") {
        return Err((StatusCode::SERVICE_UNAVAILABLE, &["Vault is sealed"]));
    }
    if state.credentials.get("vault").is_none_or(|token| token != request.header("x-vault-token")) {
        return Err((StatusCode::FORBIDDEN, &["permission denied"]));
    }
    let (method, path) = request.target();
    let ["v1", "auth", path @ ..] = &path[..] else { return Err(NO_ROUTE) };
    match (method, path) {
        ("GET", ["token", "accessors"]) => {
            keys(request, state.listed(VAULT_TOKENS).into_iter().map(|token| token.id).collect())
        }
        ("POST", ["token", "lookup-accessor"]) => find(state, VAULT_TOKENS, &request.body["accessor"])
            .map(|token| service_token(&token, now))
            .ok_or((StatusCode::BAD_REQUEST, &["1 error occurred:\n\t* invalid accessor\n\n"])),
        // The exporter's own token: periodic, and always just renewed.
        ("GET", ["token", "lookup-self"]) => Ok(json!({
            "accessor": "demo", "expire_time": time(now + TimeDelta::days(32)), "renewable": true, "period": 32 * 86_400,
        })),
        ("GET", ["approle", "role"]) => {
            let mut roles: Vec<String> = state.listed(SECRET_IDS).into_iter().map(|token| token.name).collect();
            roles.push("retired".to_owned());
            roles.sort();
            roles.dedup();
            keys(request, roles)
        }
        ("GET", ["approle", "role", role, "secret-id"]) => {
            let of_role = state.listed(SECRET_IDS).into_iter().filter(|token| token.name == *role);
            keys(request, of_role.map(|token| token.id).collect())
        }
        ("POST", ["approle", "role", role, "secret-id-accessor", "lookup"]) => {
            find(state, SECRET_IDS, &request.body["secret_id_accessor"])
                .filter(|token| token.name == *role)
                .map(|token| secret_id(&token, now))
                .ok_or((StatusCode::NOT_FOUND, &["failed to find accessor entry for secret_id_accessor"]))
        }
        _ => Err(NO_ROUTE),
    }
}

const NO_ROUTE: Refusal = (StatusCode::NOT_FOUND, &["no handler for route. route entry not found."]);

fn keys(request: &Request, keys: Vec<String>) -> Result<Value, Refusal> {
    match request.query("list") {
        Some("true") if keys.is_empty() => Err((StatusCode::NOT_FOUND, &[])),
        Some("true") => Ok(json!({"keys": keys})),
        _ => Err((StatusCode::METHOD_NOT_ALLOWED, &["unsupported operation"])),
    }
}

fn find(state: &DemoState, listing: Listing, id: &Value) -> Option<DemoToken> {
    let now = state.listing_time();
    state
        .organisation
        .read()
        .find(id.as_str()?)
        .filter(|token| token.listing == listing && token.is_listed(now))
        .cloned()
}

fn service_token(token: &DemoToken, now: DateTime<Utc>) -> Value {
    let root = token.scenario == DemoScenario::Never;
    let expiry = token.expires_at(now);
    json!({
        "accessor": token.id, "display_name": format!("token-{}", token.name), "meta": {"username": token.owner.map(login)},
        "creation_time": token.created_at.timestamp(), "issue_time": time(token.created_at), "expire_time": expiry.map(time),
        "creation_ttl": if root { 0 } else { token.lifetime() }, "explicit_max_ttl": 0,
        "ttl": expiry.map_or(0, |expiry| (expiry - now).num_seconds().max(0)),
        "policies": if root { ["root"] } else { ["default"] }, "renewable": !root, "orphan": true, "num_uses": 0,
        "entity_id": "", "id": "", "path": "auth/token/create-orphan", "type": "service",
    })
}

fn secret_id(token: &DemoToken, now: DateTime<Utc>) -> Value {
    json!({
        "secret_id_accessor": token.id, "secret_id_num_uses": 0, "secret_id_ttl": token.lifetime(), "metadata": {},
        "creation_time": time(token.created_at), "last_updated_time": time(token.created_at),
        "expiration_time": token.expires_at(now).map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), time),
        "cidr_list": [], "token_bound_cidrs": [],
    })
}

/// With nanoseconds, as Vault writes them.
fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Nanos, true)
}
