//! A provider with hostile names.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use serde::Deserialize;

use super::cases::{LINKS, NameCase, cases};

/// Two sources with half of the cases each, as a collection logs at most twenty failed scopes.
pub const SOURCES: [&str; 2] = ["first", "second"];

pub const DEFINITION: &str = r#"
format: 1
provider: hostile
title: Hostile
docs: https://hostile.example/
expiry: a timestamp
settings:
  url: {type: url, help: its URL}
  half: {type: number, help: which half of the cases}
auth: bearer
error: .message
listings:
  - name: token
    kind: token
    get: /tokens
    query: {half: '{half}'}
    rows: .
    token:
      id: .id
      name: .name
      kind: .name
      owner: '{id: .id, name: .name, email: .name}'
      expires_at: .expires
      manage_url: .link
      scopes: '[.name]'
      labels: '{region: .name, (.name): "x"}'
  - name: forbidden
    kind: token
    for_each: {get: /names, query: {half: '{half}'}, rows: ., as: name}
    get: /forbidden
    query: {name: '{name}'}
    rows: .
    token: {id: .id, expires_at: .expires}
  - name: malformed
    kind: token
    get: /names
    query: {half: '{half}'}
    rows: .
    token: {id: '"malformed-\(.)"', expires_at: '"x" | fromjson'}
"#;

#[derive(Deserialize)]
struct Half {
    half: usize,
}

/// The cases of a half, with their numbers.
pub fn half(half: usize) -> Vec<(usize, NameCase)> {
    cases().into_iter().enumerate().filter(|(number, _)| number % 2 == half).collect()
}

/// The link of a case's token.
pub fn link(number: usize) -> (&'static str, Option<&'static str>) {
    LINKS[number % LINKS.len()]
}

/// Starts the provider, which runs as long as the runtime.
pub async fn start() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new()
        .route("/tokens", get(|Query(Half { half }): Query<Half>| async move { tokens(half) }))
        .route(
            "/names",
            get(|Query(Half { half }): Query<Half>| async move { list(half, |_, case| case.json.clone()) }),
        )
        .route("/forbidden", get(forbidden));
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn list(half_of: usize, item: impl Fn(usize, &NameCase) -> Vec<u8>) -> Vec<u8> {
    let items: Vec<_> = half(half_of).iter().map(|(number, case)| item(*number, case)).collect();
    [&b"["[..], &items.join(&b","[..]), b"]"].concat()
}

fn tokens(half: usize) -> Vec<u8> {
    // Critical, and the same time left in every run.
    let expires = (chrono::Utc::now() + chrono::TimeDelta::hours(71)).to_rfc3339();
    list(half, |number, case| {
        let link = serde_json::to_string(link(number).0).unwrap();
        // The id starts with the bytes of the name.
        let id = [&case.json[..case.json.len() - 1], format!(" {number:02}\"").as_bytes()].concat();
        let parts: [&[u8]; 9] = [
            b"{\"id\":",
            &id,
            b",\"name\":",
            &case.json,
            b",\"expires\":\"",
            expires.as_bytes(),
            b"\",\"link\":",
            link.as_bytes(),
            b"}",
        ];
        parts.concat()
    })
}

#[derive(Deserialize)]
struct Name {
    name: String,
}

/// The error message is the hostile name.
async fn forbidden(Query(Name { name }): Query<Name>) -> impl IntoResponse {
    (StatusCode::FORBIDDEN, serde_json::json!({"message": name}).to_string())
}
