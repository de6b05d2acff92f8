//! A provider whose users call things as they like.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use serde::Deserialize;

use super::words::{LINKS, Word, words};

/// Two sources of one half each, since a log tells of twenty gaps of a collection and no more.
pub const SOURCES: [&str; 2] = ["first", "second"];

/// How it is asked.
pub const DEFINITION: &str = r#"
format: 1
provider: strange
title: Strange
docs: https://strange.example/
expiry: an instant
settings:
  url: {type: url, help: its address}
  half: {type: number, help: which half of the words}
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
      name: .word
      kind: .word
      owner: '{id: .id, name: .word, email: .word}'
      expires_at: .end
      manage_url: .link
      scopes: '[.word]'
      labels: '{region: .word, (.word): "x"}'
  - name: refused
    kind: token
    for_each: {get: /words, query: {half: '{half}'}, rows: ., as: word}
    get: /refused
    query: {word: '{word}'}
    rows: .
    token: {id: .id, expires_at: .end}
  - name: odd
    kind: token
    get: /words
    query: {half: '{half}'}
    rows: .
    token: {id: '"odd-\(.)"', expires_at: '"x" | fromjson'}
"#;

#[derive(Deserialize)]
struct Half {
    half: usize,
}

/// The words of a half, with their numbers.
pub fn half(half: usize) -> Vec<(usize, Word)> {
    words().into_iter().enumerate().filter(|(number, _)| number % 2 == half).collect()
}

/// The link of a word's token.
pub fn link(number: usize) -> (&'static str, Option<&'static str>) {
    LINKS[number % LINKS.len()]
}

/// Starts it; it ends with the runtime.
pub async fn start() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new()
        .route("/tokens", get(|Query(Half { half }): Query<Half>| async move { tokens(half) }))
        .route(
            "/words",
            get(|Query(Half { half }): Query<Half>| async move { list(half, |_, word| word.json.clone()) }),
        )
        .route("/refused", get(refused));
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn list(half_of: usize, item: impl Fn(usize, &Word) -> Vec<u8>) -> Vec<u8> {
    let items: Vec<_> = half(half_of).iter().map(|(number, word)| item(*number, word)).collect();
    [&b"["[..], &items.join(&b","[..]), b"]"].concat()
}

fn tokens(half: usize) -> Vec<u8> {
    // In three days less an hour: critical, and the same for every run.
    let end = (chrono::Utc::now() + chrono::TimeDelta::hours(71)).to_rfc3339();
    list(half, |number, word| {
        let link = serde_json::to_string(link(number).0).unwrap();
        // The word's own bytes stand at the head of the identifier.
        let id = [&word.json[..word.json.len() - 1], format!(" {number:02}\"").as_bytes()].concat();
        let parts: [&[u8]; 9] = [
            b"{\"id\":",
            &id,
            b",\"word\":",
            &word.json,
            b",\"end\":\"",
            end.as_bytes(),
            b"\",\"link\":",
            link.as_bytes(),
            b"}",
        ];
        parts.concat()
    })
}

#[derive(Deserialize)]
struct Asked {
    word: String,
}

/// It says why in the stranger's own words.
async fn refused(Query(Asked { word }): Query<Asked>) -> impl IntoResponse {
    (StatusCode::FORBIDDEN, serde_json::json!({"message": word}).to_string())
}
