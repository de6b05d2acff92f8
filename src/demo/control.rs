//! A way to make things happen to the invented company while the exporter watches.

use axum::Json;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::{Value, json};

use super::expected::Expected;
use super::organisation::DemoToken;
use super::state::DemoState;

/// What can be done here.
const HELP: &str = "\
GET  /expected                                     the numbers that must be seen
GET  /tokens                                       every token with the story that it tells
POST /tokens/ID/rotate                             a successor takes its place
POST /tokens/ID/revoke                             it is gone
POST /tokens/ID/end?in=SECONDS                     its end moves
POST /providers/{atlassian|vault}/{stop|start}     503 until it is started again
";

/// The control endpoint.
pub(super) fn router(world: DemoState) -> Router {
    Router::new()
        .route("/", get(async || HELP))
        .route("/expected", get(async |State(world): State<DemoState>| Json(Expected::of(&world.read().organisation))))
        .route("/tokens", get(tokens))
        .route("/tokens/{id}/rotate", post(rotate))
        .route("/tokens/{id}/revoke", post(revoke))
        .route("/tokens/{id}/end", post(end))
        .route("/providers/{provider}/stop", post(stop))
        .route("/providers/{provider}/start", post(start))
        .with_state(world)
}

fn shown(token: &DemoToken) -> Value {
    json!({
        "source": token.listing.source,
        "listing": token.listing.name,
        "kind": token.listing.kind,
        "id": token.id,
        "name": token.name,
        "owner": token.owner,
        "story": token.story,
    })
}

fn missing() -> Response {
    (StatusCode::NOT_FOUND, "there is no such token; GET /tokens lists them\n").into_response()
}

fn done(done: bool) -> Response {
    if done { StatusCode::NO_CONTENT.into_response() } else { missing() }
}

async fn tokens(State(world): State<DemoState>) -> Json<Vec<Value>> {
    Json(world.read().organisation.all().iter().map(shown).collect())
}

async fn rotate(State(world): State<DemoState>, Path(id): Path<String>) -> Response {
    let now = world.now();
    let successor = world.write().organisation.rotate(&id, now);
    successor.map_or_else(missing, |token| Json(shown(&token)).into_response())
}

async fn revoke(State(world): State<DemoState>, Path(id): Path<String>) -> Response {
    done(world.write().organisation.revoke(&id))
}

#[derive(Deserialize)]
struct In {
    r#in: i32,
}

async fn end(State(world): State<DemoState>, Path(id): Path<String>, Query(when): Query<In>) -> Response {
    let end = world.now() + TimeDelta::seconds(when.r#in.into());
    done(world.write().organisation.end_at(&id, end))
}

async fn stop(State(world): State<DemoState>, Path(provider): Path<String>) -> Response {
    if ["atlassian", "vault"].contains(&provider.as_str()) {
        world.write().stopped.insert(provider);
        return StatusCode::NO_CONTENT.into_response();
    }
    (StatusCode::NOT_FOUND, "the providers are atlassian and vault\n").into_response()
}

async fn start(State(world): State<DemoState>, Path(provider): Path<String>) -> Response {
    world.write().stopped.remove(&provider);
    StatusCode::NO_CONTENT.into_response()
}
