//! The control endpoint: changes the invented organisation while the exporter watches.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use super::expected::Expected;
use super::organisation::DemoToken;
use super::state::DemoState;
use super::stub::Request;

const HELP: &str = "\
GET  /expected                                     expected metric values
GET  /tokens                                       every token with its scenario
POST /tokens/ID/rotate                             rotate: a new token replaces it
POST /tokens/ID/revoke                             revoke it
POST /tokens/ID/expire?in=SECONDS                  set its expiry
POST /providers/{atlassian|vault}/{stop|start}     503 until it is started again
";

pub(super) fn respond(state: &DemoState, request: &Request) -> Response {
    let (method, path) = request.target();
    let (mut organisation, now) = (state.organisation.write(), Utc::now());
    let found = match (method, &path[..]) {
        ("GET", [""]) => return HELP.into_response(),
        ("GET", ["expected"]) => return Json(Expected::of(&organisation)).into_response(),
        ("GET", ["tokens"]) => return Json(organisation.tokens.iter().map(shown).collect::<Vec<_>>()).into_response(),
        ("POST", ["tokens", id, "rotate"]) => match organisation.rotate(id, now) {
            Some(token) => return Json(shown(&token)).into_response(),
            None => false,
        },
        ("POST", ["tokens", id, "revoke"]) => organisation.revoke(id),
        ("POST", ["tokens", id, "expire"]) => match request.query("in").and_then(|seconds| seconds.parse::<i32>().ok())
        {
            Some(seconds) => organisation.expire(id, now + TimeDelta::seconds(seconds.into())),
            None => return (StatusCode::BAD_REQUEST, "in: expected a number of seconds\n").into_response(),
        },
        ("POST", ["providers", provider @ ("atlassian" | "vault"), command @ ("stop" | "start")]) => {
            match *command {
                "stop" => organisation.stopped.insert((*provider).to_owned()),
                _ => organisation.stopped.remove(*provider),
            };
            true
        }
        _ => false,
    };
    match found {
        true => StatusCode::NO_CONTENT.into_response(),
        false => {
            (StatusCode::NOT_FOUND, "not found; GET / lists the commands, GET /tokens the tokens\n").into_response()
        }
    }
}

fn shown(token: &DemoToken) -> Value {
    json!({
        "source": token.listing.source,
        "listing": token.listing.name,
        "kind": token.listing.kind,
        "id": token.id,
        "name": token.name,
        "owner": token.owner,
        "scenario": token.scenario,
    })
}
