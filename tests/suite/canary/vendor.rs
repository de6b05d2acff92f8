//! A provider whose answers are full of secrets, in every fault, and which quotes what it was sent.

use std::net::SocketAddr;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::{Value, json};

use super::secret;

/// The last word of a source's URL says what goes wrong there.
pub const FAULTS: [&str; 18] = [
    "well",
    "unauthorized",
    "forbidden",
    "login-refused",
    "login-garbled",
    "login-down",
    "html",
    "broken",
    "no-object",
    "moved",
    "circle",
    "next-elsewhere",
    "next-user",
    "next-fails",
    "odd",
    "server",
    "garbled",
    "limited",
];

/// Ways to authenticate, each with the parts of its credential.
pub const SCHEMES: [(&str, &[(&str, &str)]); 5] = [
    ("bearer", &[("", "bearer")]),
    ("basic", &[("", "basic")]),
    ("header", &[("key", "header-key"), ("app", "header-app")]),
    ("oauth", &[("", "client-secret")]),
    ("query", &[("", "query-key")]),
];

/// `NAME` is what becomes the name of a token.
pub const DEFINITION: &str = r#"
format: 1
provider: leaky
title: Leaky
docs: https://leaky.example/
expiry: an instant
settings:
  url: {type: url, help: its address}
auth:
  - {name: bearer, bearer: '{credential}'}
  - {name: basic, basic: {user: ci, password: '{credential}'}}
  - {name: header, headers: {X-Api-Key: '{credential.key}', X-App: '{credential.app}'}}
  - name: oauth
    bearer: '{login}'
    login:
      post: /login
      form: {grant_type: client_credentials, client_id: ci, client_secret: '{credential}'}
      token: .access_token
      lifetime: .expires_in
  - name: query
    bearer: '{login}'
    login: {get: /login, query: {key: '{credential}'}, token: .access_token}
error: .message
listings:
  - name: token
    kind: token
    get: /tokens
    query: {limit: 100}
    next: {url: .next}
    rows: .tokens
    token: {id: .id, name: NAME, expires_at: .end, created_at: .made, manage_url: .link, owner: .owner}
"#;

/// Starts it, and its neighbour, which no request with a credential may reach: what reaches it is told.
pub async fn start(neighbour: SocketAddr) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(answer).with_state(neighbour);
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn response(status: u16, headers: &[(&str, String)], body: impl Into<Vec<u8>>) -> Response {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, value);
    }
    response.body(body.into().into()).unwrap()
}

async fn answer(State(neighbour): State<SocketAddr>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    // Its own words: all that it was sent.
    let headers: Vec<_> = head
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {:?}", value.as_bytes().escape_ascii().to_string()))
        .collect();
    let sent = format!("{} {}", headers.join(" "), String::from_utf8_lossy(&body));
    let query = head.uri.query().unwrap_or_default();
    let message = json!({"message": format!("bad: {query} {}", head.headers.get("authorization").map_or(sent.as_str(), |value| value.to_str().unwrap()))});
    let quoted = json!({"message": format!("{query} {sent}")});
    let path = head.uri.path();
    let fault = path.split('/').nth(1).unwrap_or_default();
    let of = |name| secret(name);
    if path.ends_with("/login") {
        return match fault {
            "login-refused" => response(401, &[], quoted.to_string()),
            "login-garbled" => response(200, &[], format!("access_token={}", of("access-token"))),
            "login-down" => response(503, &[("retry-after", of("response-header"))], quoted.to_string()),
            _ => response(
                200,
                &[],
                json!({"access_token": of("access-token"), "refresh_token": of("refresh-token"), "expires_in": 3600})
                    .to_string(),
            ),
        };
    }
    if path.contains("next-page") {
        return response(500, &[], quoted.to_string());
    }
    let here = format!("http://{}/{fault}/next-page?cursor={}", head.headers["host"].to_str().unwrap(), of("cursor"));
    let elsewhere = format!("http://{neighbour}/tokens?key={}", of("signed-url"));
    match fault {
        "unauthorized" => response(401, &[], message.to_string()),
        "forbidden" => response(403, &[], quoted.to_string()),
        "html" => response(200, &[("content-type", "text/html".into())], format!("<html>{}</html>", of("page"))),
        "broken" => response(200, &[], format!("{{\"tokens\": [{{\"secret\": {}", json!(of("answer-secret")))),
        "no-object" => response(200, &[], json!(of("answer-secret")).to_string()),
        "moved" => response(302, &[("location", elsewhere)], ""),
        "circle" => response(302, &[("location", format!("/circle/tokens?token={}", of("signed-url")))], ""),
        "next-elsewhere" => response(200, &[], tokens(&json!(elsewhere))),
        "next-user" => {
            response(200, &[], tokens(&json!(here.replace("http://", &format!("http://u:{}@", of("link-password"))))))
        }
        "next-fails" => response(200, &[], tokens(&json!(here))),
        "odd" => response(200, &[], odd()),
        "server" => response(500, &[], quoted.to_string()),
        "garbled" => response(200, &[("content-encoding", "gzip".into())], of("page")),
        "limited" => response(
            429,
            &[
                ("retry-after", "1".into()),
                ("x-ratelimit-reset", of("response-header")),
                ("x-ratelimit-remaining", "0".into()),
            ],
            quoted.to_string(),
        ),
        _ => response(200, &[("x-secret", of("response-header"))], tokens(&Value::Null)),
    }
}

/// Healthy rows that carry the secrets themselves, as some providers' do.
fn tokens(next: &Value) -> String {
    let row = |id: u32| {
        json!({
            "id": id, "name": format!("ci-{id}"), "end": "2027-01-10T08:00:00Z", "secret": secret("answer-secret"),
            "token": secret("answer-token"), "data": {"password": secret("answer-password")},
        })
    };
    json!({"tokens": [row(1), row(2)], "next": next, "value": secret("answer-secret")}).to_string()
}

/// Rows whose fields are not what the definition looks for, but secrets.
fn odd() -> String {
    let (one, other) = (secret("answer-secret"), secret("answer-token"));
    json!({"tokens": [
        {"id": {"secret": one}, "end": "2027-01-10"},
        {"id": 2, "name": "two", "end": one, "made": other, "link": other},
        {"id": 3, "name": "three", "end": {"secret": one}, "owner": [one]},
        {"id": 4, "name": {"secret": one}, "end": [other]},
        other,
    ]})
    .to_string()
}
