//! An API in the shape of Vault's: accessors, look-ups, and the secret ids of AppRoles.
//!
//! <https://openbao.org/api-docs/auth/token/>: a list is GET with `?list=true`, an empty one is a 404 with an empty list
//! of errors, and a token is looked up by its accessor, one at a time.

use axum::Json;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::organisation::{DemoToken, SECRET_IDS, VAULT_TOKENS};
use super::scenario::DemoScenario;
use super::state::DemoState;

/// The API.
pub(super) fn router(world: DemoState) -> Router {
    Router::new()
        .route("/v1/auth/token/accessors", get(accessors))
        .route("/v1/auth/token/lookup-accessor", post(look_up))
        .route("/v1/auth/token/lookup-self", get(look_up_self))
        .route("/v1/auth/approle/role", get(roles))
        .route("/v1/auth/approle/role/{role}/secret-id", get(secret_ids))
        .route("/v1/auth/approle/role/{role}/secret-id-accessor/lookup", post(look_up_secret_id))
        .fallback(async || Refused(StatusCode::NOT_FOUND, &["no handler for route. route entry not found."]))
        .with_state(world)
}

type Answer = Result<Response, Refused>;

/// A refusal in Vault's shape: an empty list of errors is an empty list of whatever was asked for.
struct Refused(StatusCode, &'static [&'static str]);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(json!({"errors": self.1}))).into_response()
    }
}

fn authorise(world: &DemoState, headers: &HeaderMap) -> Result<(), Refused> {
    if !world.runs("vault") {
        return Err(Refused(StatusCode::SERVICE_UNAVAILABLE, &["Vault is sealed"]));
    }
    let token = headers.get("x-vault-token").and_then(|value| value.to_str().ok());
    if token == Some(world.keys().vault.as_str()) {
        Ok(())
    } else {
        Err(Refused(StatusCode::FORBIDDEN, &["permission denied"]))
    }
}

fn data(data: &Value) -> Response {
    Json(json!({"request_id": "demo", "lease_id": "", "renewable": false, "data": data})).into_response()
}

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    list: bool,
}

fn keys(list: &List, keys: &[String]) -> Answer {
    if !list.list {
        return Err(Refused(StatusCode::METHOD_NOT_ALLOWED, &["unsupported operation"]));
    }
    if keys.is_empty() {
        return Err(Refused(StatusCode::NOT_FOUND, &[]));
    }
    Ok(data(&json!({"keys": keys})))
}

async fn accessors(State(world): State<DemoState>, Query(list): Query<List>, headers: HeaderMap) -> Answer {
    authorise(&world, &headers)?;
    keys(&list, &world.listed(VAULT_TOKENS).into_iter().map(|token| token.id).collect::<Vec<_>>())
}

#[derive(Deserialize)]
struct Accessor {
    accessor: String,
}

async fn look_up(State(world): State<DemoState>, headers: HeaderMap, Json(asked): Json<Accessor>) -> Answer {
    authorise(&world, &headers)?;
    let token = world.find(VAULT_TOKENS, &asked.accessor);
    let token = token.ok_or(Refused(StatusCode::BAD_REQUEST, &["1 error occurred:\n\t* invalid accessor\n\n"]))?;
    Ok(data(&service_token(&token, world.now())))
}

fn service_token(token: &DemoToken, now: DateTime<Utc>) -> Value {
    let root = token.story == DemoScenario::Never;
    let end = token.ends(now);
    let left = end.map_or(0, |end| (end - now).num_seconds().max(0));
    json!({
        "accessor": token.id,
        "creation_time": token.created_at.timestamp(),
        "creation_ttl": if root { 0 } else { token.lifetime() },
        "display_name": format!("token-{}", token.name),
        "entity_id": "",
        "expire_time": end.map(time),
        "explicit_max_ttl": 0,
        "id": "",
        "issue_time": time(token.created_at),
        "meta": {"owner": token.owner},
        "num_uses": 0,
        "orphan": true,
        "path": "auth/token/create-orphan",
        "policies": if root { ["root"] } else { ["default"] },
        "renewable": !root,
        "ttl": left,
        "type": "service",
    })
}

/// The exporter's own token: periodic, and renewed by whoever runs the demo.
async fn look_up_self(State(world): State<DemoState>, headers: HeaderMap) -> Answer {
    authorise(&world, &headers)?;
    let end = world.now() + TimeDelta::days(32);
    Ok(data(&json!({"accessor": "demo", "expire_time": time(end), "renewable": true, "period": 32 * 86_400})))
}

async fn roles(State(world): State<DemoState>, Query(list): Query<List>, headers: HeaderMap) -> Answer {
    authorise(&world, &headers)?;
    let mut roles: Vec<String> = world.listed(SECRET_IDS).into_iter().map(|token| token.name).collect();
    roles.push("retired".into());
    roles.sort();
    roles.dedup();
    keys(&list, &roles)
}

async fn secret_ids(
    State(world): State<DemoState>,
    Path(role): Path<String>,
    Query(list): Query<List>,
    headers: HeaderMap,
) -> Answer {
    authorise(&world, &headers)?;
    let of_role = world.listed(SECRET_IDS).into_iter().filter(|token| token.name == role);
    keys(&list, &of_role.map(|token| token.id).collect::<Vec<_>>())
}

#[derive(Deserialize)]
struct SecretIdAccessor {
    secret_id_accessor: String,
}

async fn look_up_secret_id(
    State(world): State<DemoState>,
    Path(role): Path<String>,
    headers: HeaderMap,
    Json(asked): Json<SecretIdAccessor>,
) -> Answer {
    authorise(&world, &headers)?;
    let token = world.find(SECRET_IDS, &asked.secret_id_accessor).filter(|token| token.name == role);
    let token =
        token.ok_or(Refused(StatusCode::NOT_FOUND, &["failed to find accessor entry for secret_id_accessor"]))?;
    Ok(data(&json!({
        "cidr_list": [],
        "creation_time": time(token.created_at),
        "expiration_time": token.ends(world.now()).map_or_else(|| json!("0001-01-01T00:00:00Z"), |end| json!(time(end))),
        "last_updated_time": time(token.created_at),
        "metadata": {},
        "secret_id_accessor": token.id,
        "secret_id_num_uses": 0,
        "secret_id_ttl": token.lifetime(),
        "token_bound_cidrs": [],
    })))
}

/// Nanoseconds, as Vault writes them.
fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Nanos, true)
}
