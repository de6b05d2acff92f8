//! An API in the shape of Atlassian's administration of API access.
//!
//! <https://developer.atlassian.com/cloud/admin/api-access/rest/intro/>: bearer keys with scopes, cursors in
//! `links.next` that encode only the place (all other parameters are sent again), errors in a list.

use axum::Json;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::organisation::{
    API_KEYS, API_TOKENS, BOT_CLIENTS, BOT_TOKENS, DemoToken, End, Listing, SANDBOX_TOKENS, account,
};
use super::people::email;
use super::scenario::DemoScenario;
use super::state::DemoState;

/// The organisation's id.
pub(super) const ORGANISATION: &str = "9d0c6d7e-41c2-4d7a-9f3a-0e1b6c2a7f10";
/// The sandbox's id.
pub(super) const SANDBOX: &str = "1b7f9a34-6a0e-4f0e-8d55-7c1f2e3d4a5b";

/// The label of the key that the exporter itself uses.
pub(super) const OWN_KEY: &str = "prometheus";

/// No page has more rows, whatever is asked for, so that a small company has several pages too.
const MOST_ROWS: usize = 100;
/// So many requests an organisation may make in each `WINDOW`.
const RATE_LIMIT: i64 = 500;
/// After so many seconds the rate limit begins anew.
const WINDOW: i64 = 300;
/// The sizes that the list of keys accepts.
const KEY_PAGES: [usize; 10] = [5, 10, 20, 25, 40, 50, 60, 75, 80, 100];

/// The API.
pub(super) fn router(world: DemoState) -> Router {
    Router::new()
        .route("/admin/api-access/v1/orgs/{org}/api-tokens", get(api_tokens))
        .route("/admin/api-access/v1/orgs/{org}/api-keys", get(api_keys))
        .route("/admin/api-access/v1/orgs/{org}/service-accounts/api-tokens", get(bot_tokens))
        .route("/admin/api-access/v1/orgs/{org}/service-accounts/oauth-clients", get(bot_clients))
        .with_state(world)
}

/// A refusal in Atlassian's shape.
struct Refused(StatusCode, &'static str, &'static str);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Self(status, code, title) = self;
        let error = json!({"id": "demo", "status": status.as_str(), "code": code, "title": title});
        (status, Json(json!({"errors": [error]}))).into_response()
    }
}

/// What a key opens.
enum Org {
    Main,
    Sandbox,
}

fn authorise(world: &DemoState, org: &str, headers: &HeaderMap) -> Result<Org, Refused> {
    if !world.runs("atlassian") {
        return Err(Refused(StatusCode::SERVICE_UNAVAILABLE, "GENERIC_ERROR", "Service Unavailable"));
    }
    let authorization = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (known, opens) = match authorization.strip_prefix("Bearer ") {
        Some(key) if key == world.keys().organisation => (ORGANISATION, Org::Main),
        Some(key) if key == world.keys().sandbox => (SANDBOX, Org::Sandbox),
        _ => return Err(Refused(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "The API key is not valid")),
    };
    if org == known {
        Ok(opens)
    } else {
        Err(Refused(StatusCode::NOT_FOUND, "ADMIN-404-2", "The organization does not exist"))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Paging {
    page_size: Option<usize>,
    sort: Option<String>,
    cursor: Option<String>,
}

async fn api_tokens(
    State(world): State<DemoState>,
    Path(org): Path<String>,
    Query(paging): Query<Paging>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let listing = match authorise(&world, &org, &headers)? {
        Org::Main => API_TOKENS,
        Org::Sandbox => SANDBOX_TOKENS,
    };
    if !(1..=1000).contains(&paging.page_size.unwrap_or(20)) {
        return Err(Refused(StatusCode::BAD_REQUEST, "INVALID_PAGE_SIZE", "The page size must be from 1 to 1000"));
    }
    page(&world, &org, listing, &paging)
}

async fn api_keys(
    State(world): State<DemoState>,
    Path(org): Path<String>,
    Query(paging): Query<Paging>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    if let Org::Sandbox = authorise(&world, &org, &headers)? {
        return Err(Refused(StatusCode::FORBIDDEN, "FORBIDDEN", "The API key lacks the scope read:keys:admin"));
    }
    if !KEY_PAGES.contains(&paging.page_size.unwrap_or(20)) {
        return Err(Refused(StatusCode::BAD_REQUEST, "INVALID_PAGE_SIZE", "The page size is not one of those allowed"));
    }
    page(&world, &org, API_KEYS, &paging)
}

async fn bot_tokens(
    State(world): State<DemoState>,
    Path(org): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    bots(&world, &org, &headers, BOT_TOKENS)
}

async fn bot_clients(
    State(world): State<DemoState>,
    Path(org): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    bots(&world, &org, &headers, BOT_CLIENTS)
}

/// Lists about service accounts are bare arrays without pages.
fn bots(world: &DemoState, org: &str, headers: &HeaderMap, listing: Listing) -> Result<Response, Refused> {
    if let Org::Sandbox = authorise(world, org, headers)? {
        return Err(Refused(StatusCode::FORBIDDEN, "FEATURE_NOT_ENABLED", "Service accounts are not enabled"));
    }
    let now = world.now();
    Ok(Json(world.listed(listing).iter().map(|token| row(token, now)).collect::<Vec<_>>()).into_response())
}

/// A place in a list that is sorted by the time of making.
type Place = (DateTime<Utc>, String);

/// What each answer tells of the rate limit. Others of the organisation use it up too, a little every second, so that
/// something can be seen; however often the demo is asked, nobody is refused.
fn rate_limit(org: &str, now: DateTime<Utc>) -> [(&'static str, String); 2] {
    let passed = now.timestamp().rem_euclid(WINDOW);
    let used = if org == SANDBOX { passed / 3 } else { passed };
    [("x-ratelimit-limit", RATE_LIMIT.to_string()), ("x-ratelimit-remaining", (RATE_LIMIT - used).to_string())]
}

fn page(world: &DemoState, org: &str, listing: Listing, paging: &Paging) -> Result<Response, Refused> {
    if !matches!(paging.sort.as_deref(), None | Some("createdAt")) {
        return Err(Refused(StatusCode::BAD_REQUEST, "INVALID_SORT", "This list sorts by createdAt"));
    }
    let after = match paging.cursor.as_deref().map(decode) {
        None => None,
        Some(Some(place)) => Some(place),
        Some(None) => {
            return Err(Refused(StatusCode::BAD_REQUEST, "INVALID_API_TOKEN_SEARCH_QUERY", "The cursor is not valid"));
        }
    };
    let size = paging.page_size.unwrap_or(20).min(MOST_ROWS);
    let now = world.now();
    let state = world.read();
    let tokens = state.organisation.of(listing);
    let from = after.map_or(0, |last| tokens.partition_point(|token| place(token) <= last));
    let leaving = world.leaving_time();
    let mut listed = tokens[from..].iter().filter(|token| token.is_listed(leaving)).peekable();
    let rows: Vec<&DemoToken> = listed.by_ref().take(size).collect();
    let next = rows.last().filter(|_| listed.peek().is_some()).map(|last| encode(&place(last)));
    let data: Vec<Value> = rows.iter().map(|token| row(token, now)).collect();
    let answer = Json(json!({"data": data, "links": {"self": paging.cursor, "next": next, "prev": null}}));
    Ok((rate_limit(org, now), answer).into_response())
}

fn place(token: &DemoToken) -> Place {
    (token.created_at, token.id.clone())
}

fn encode((at, id): &Place) -> String {
    URL_SAFE.encode(format!("{}|{id}", at.timestamp_millis()))
}

fn decode(cursor: &str) -> Option<Place> {
    let text = String::from_utf8(URL_SAFE.decode(cursor).ok()?).ok()?;
    let (at, id) = text.split_once('|')?;
    Some((DateTime::from_timestamp_millis(at.parse().ok()?)?, id.to_owned()))
}

fn time(at: DateTime<Utc>) -> Value {
    json!(at.to_rfc3339_opts(SecondsFormat::Millis, true))
}

fn row(token: &DemoToken, now: DateTime<Utc>) -> Value {
    let expires = match token.end {
        End::Word(word) => json!(word),
        _ => token.ends(now).map_or(Value::Null, time),
    };
    let owner = token
        .owner
        .map_or(Value::Null, |person| json!({"id": account(person), "name": person, "email": email(person)}));
    let scopes = match token.listing {
        API_KEYS => json!(["read:tokens:admin", "read:keys:admin"]),
        _ => json!(["read:jira-work", "read:confluence-content.all"]),
    };
    let (created, used) = (time(token.created_at), time(token.last_used_at));
    let id = if token.story == DemoScenario::Odd { Value::Null } else { json!(token.id) };
    match token.listing {
        API_KEYS => json!({
            "id": id, "label": token.name, "createdAt": created, "expiresAt": expires, "lastActiveAt": used,
            "orgId": ORGANISATION, "createdBy": owner, "scopes": scopes,
        }),
        BOT_CLIENTS => json!({
            "clientId": id, "clientName": token.name, "serviceAccount": owner, "createdAt": created,
            "expiresAt": expires, "scopes": scopes,
        }),
        _ => json!({
            "id": id, "label": token.name, "status": status(token, now), "createdAt": created, "expiresAt": expires,
            "lastActiveAt": used, "user": owner, "scopes": scopes,
        }),
    }
}

fn status(token: &DemoToken, now: DateTime<Utc>) -> &'static str {
    let expired = token.ends(now).is_some_and(|end| end <= now);
    match (token.story, token.listing) {
        (DemoScenario::Disabled, _) => "BLOCKED",
        (_, BOT_TOKENS) if expired => "EXPIRED",
        _ => "ALLOWED",
    }
}
