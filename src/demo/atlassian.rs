//! A simulation of Atlassian's API for API access.
//!
//! <https://developer.atlassian.com/cloud/admin/api-access/rest/intro/>: bearer keys with scopes, a cursor in `links.next`
//! that holds the position alone (all other parameters are sent again), errors in a list.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::organisation::{
    API_KEYS, API_TOKENS, BOT_CLIENTS, BOT_TOKENS, DemoExpiry, DemoToken, Listing, ORGANISATION, SANDBOX,
    SANDBOX_TOKENS,
};
use super::people::{account_id, email};
use super::scenario::DemoScenario;
use super::state::DemoState;
use super::stub::Request;

/// Fewer than a client may request, so that a small organisation has several pages.
const MAX_ROWS: usize = 100;
/// Page sizes that the list of keys accepts.
const KEY_PAGES: [usize; 10] = [5, 10, 20, 25, 40, 50, 60, 75, 80, 100];
/// Requests per organisation and `WINDOW`.
const RATE_LIMIT: i64 = 500;
/// In seconds.
const WINDOW: i64 = 300;

/// Status, code and title of an error.
type Refusal = (StatusCode, &'static str, &'static str);

pub(super) fn respond(state: &DemoState, request: &Request) -> Response {
    list(state, request).unwrap_or_else(|(status, code, title)| {
        let error = json!({"id": "demo", "status": status.as_str(), "code": code, "title": title});
        (status, Json(json!({"errors": [error]}))).into_response()
    })
}

fn list(state: &DemoState, request: &Request) -> Result<Response, Refusal> {
    if state.organisation.read().stopped.contains("atlassian") {
        return Err((StatusCode::SERVICE_UNAVAILABLE, "GENERIC_ERROR", "Service Unavailable"));
    }
    let key = request.header("authorization").strip_prefix("Bearer ");
    let opens = |source| key == state.credentials.get(source).map(String::as_str);
    let key_org = match (opens("atlassian"), opens("atlassian-sandbox")) {
        (true, _) => ORGANISATION,
        (_, true) => SANDBOX,
        _ => return Err((StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "The API key is not valid")),
    };
    let (_, path) = request.target();
    let list = match &path[..] {
        ["admin", "api-access", "v1", "orgs", org, list @ ..] if *org == key_org => list,
        _ => return Err((StatusCode::NOT_FOUND, "ADMIN-404-2", "The organization does not exist")),
    };
    match (list, key_org) {
        (["api-tokens"], ORGANISATION) => page(state, request, API_TOKENS),
        (["api-tokens"], _) => page(state, request, SANDBOX_TOKENS),
        (["api-keys"], ORGANISATION) => page(state, request, API_KEYS),
        (["api-keys"], _) => Err((StatusCode::FORBIDDEN, "FORBIDDEN", "The API key lacks the scope read:keys:admin")),
        (["service-accounts", "api-tokens"], ORGANISATION) => Ok(array(state, BOT_TOKENS)),
        (["service-accounts", "oauth-clients"], ORGANISATION) => Ok(array(state, BOT_CLIENTS)),
        _ => Err((StatusCode::FORBIDDEN, "FEATURE_NOT_ENABLED", "Service accounts are not enabled")),
    }
}

/// Lists of service accounts are arrays without pages.
fn array(state: &DemoState, listing: Listing) -> Response {
    let now = Utc::now();
    Json(state.listed(listing).iter().map(|token| row(token, now)).collect::<Vec<_>>()).into_response()
}

fn page(state: &DemoState, request: &Request, listing: Listing) -> Result<Response, Refusal> {
    let refuse = |code, title| Err((StatusCode::BAD_REQUEST, code, title));
    let size = request.query("pageSize").map_or(20, |size| size.parse().unwrap_or(0));
    let allowed = if listing == API_KEYS { KEY_PAGES.contains(&size) } else { (1..=1000).contains(&size) };
    let cursor = request.query("cursor");
    if !allowed {
        return refuse("INVALID_PAGE_SIZE", "The page size is not allowed");
    }
    if request.query("sort").is_some_and(|sort| sort != "createdAt") {
        return refuse("INVALID_SORT", "This list sorts by createdAt");
    }
    if cursor.is_some_and(|cursor| !cursor.contains('|')) {
        return refuse("INVALID_API_TOKEN_SEARCH_QUERY", "The cursor is not valid");
    }
    let (now, listing_time) = (Utc::now(), state.listing_time());
    let organisation = state.organisation.read();
    let tokens = organisation.of(listing);
    let start = cursor.map_or(0, |last| tokens.partition_point(|token| token.position().as_str() <= last));
    let mut listed = tokens[start..].iter().filter(|token| token.is_listed(listing_time));
    let rows: Vec<&DemoToken> = listed.by_ref().take(size.min(MAX_ROWS)).collect();
    let next = rows.last().filter(|_| listed.next().is_some()).map(|last| last.position());
    let data: Vec<Value> = rows.iter().map(|token| row(token, now)).collect();
    let body = Json(json!({"data": data, "links": {"self": cursor, "next": next, "prev": null}}));
    // As if others used it up, a little every second, so that the dashboard has something to show. No request is refused.
    let elapsed = now.timestamp().rem_euclid(WINDOW);
    let used = if listing == SANDBOX_TOKENS { elapsed / 3 } else { elapsed };
    let remaining = (RATE_LIMIT - used).to_string();
    Ok(([("x-ratelimit-limit", RATE_LIMIT.to_string()), ("x-ratelimit-remaining", remaining)], body).into_response())
}

fn row(token: &DemoToken, now: DateTime<Utc>) -> Value {
    let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let id = (token.scenario != DemoScenario::Malformed).then_some(&token.id);
    let (created, used) = (time(token.created_at), time(token.last_used_at));
    let expires = match token.expiry {
        DemoExpiry::Text(text) => Some(text.to_owned()),
        _ => token.expires_at(now).map(time),
    };
    let owner = token.owner.map(|name| json!({"id": account_id(name), "name": name, "email": email(name)}));
    let scopes = match token.listing {
        API_KEYS => ["read:tokens:admin", "read:keys:admin"],
        _ => ["read:jira-work", "read:confluence-content.all"],
    };
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
    let expired = token.expires_at(now).is_some_and(|expiry| expiry <= now);
    match (token.scenario, token.listing) {
        (DemoScenario::Disabled, _) => "BLOCKED",
        (_, BOT_TOKENS) if expired => "EXPIRED",
        _ => "ALLOWED",
    }
}
