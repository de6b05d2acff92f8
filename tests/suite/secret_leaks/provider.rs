//! A provider with secrets in every response, faults included, which also echoes the request.

use std::net::SocketAddr;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::{Value, json};

use super::secret;

/// The fault is the last path segment of the source's URL.
pub const FAULTS: [&str; 18] = [
    "well",
    "unauthorized",
    "forbidden",
    "login-refused",
    "login-garbled",
    "login-down",
    "html",
    "broken",
    "not-an-object",
    "moved",
    "redirect-loop",
    "next-other-origin",
    "next-user",
    "next-fails",
    "malformed",
    "server",
    "garbled",
    "limited",
];

/// Authentication schemes, each with the parts of its credential.
pub const SCHEMES: [(&str, &[(&str, &str)]); 5] = [
    ("bearer", &[("", "bearer")]),
    ("basic", &[("", "basic")]),
    ("header", &[("key", "header-key"), ("app", "header-app")]),
    ("oauth", &[("", "client-secret")]),
    ("query", &[("", "query-key")]),
];

/// `NAME` is the expression for a token's name.
pub const DEFINITION: &str = r#"
format: 1
provider: leaky
title: Leaky
docs: https://leaky.example/
expiry: a timestamp
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

/// Starts it. Some of its redirects and next pages lead to `other_origin`.
pub async fn start(other_origin: SocketAddr) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(respond).with_state(other_origin);
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

async fn respond(State(other_origin): State<SocketAddr>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    // Its error message is the whole request.
    let headers: Vec<_> = head
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {:?}", value.as_bytes().escape_ascii().to_string()))
        .collect();
    let sent = format!("{} {}", headers.join(" "), String::from_utf8_lossy(&body));
    let query = head.uri.query().unwrap_or_default();
    let message = json!({"message": format!("bad: {query} {}", head.headers.get("authorization").map_or(sent.as_str(), |value| value.to_str().unwrap()))});
    let echo = json!({"message": format!("{query} {sent}")});
    let path = head.uri.path();
    let fault = path.split('/').nth(1).unwrap_or_default();
    let of = |name| secret(name);
    if path.ends_with("/login") {
        return match fault {
            "login-refused" => response(401, &[], echo.to_string()),
            "login-garbled" => response(200, &[], format!("access_token={}", of("access-token"))),
            "login-down" => response(503, &[("retry-after", of("response-header"))], echo.to_string()),
            _ => response(
                200,
                &[],
                json!({"access_token": of("access-token"), "refresh_token": of("refresh-token"), "expires_in": 3600})
                    .to_string(),
            ),
        };
    }
    if path.contains("next-page") {
        return response(500, &[], echo.to_string());
    }
    let here = format!("http://{}/{fault}/next-page?cursor={}", head.headers["host"].to_str().unwrap(), of("cursor"));
    let other = format!("http://{other_origin}/tokens?key={}", of("signed-url"));
    match fault {
        "unauthorized" => response(401, &[], message.to_string()),
        "forbidden" => response(403, &[], echo.to_string()),
        "html" => response(200, &[("content-type", "text/html".into())], format!("<html>{}</html>", of("page"))),
        "broken" => response(200, &[], format!("{{\"tokens\": [{{\"secret\": {}", json!(of("response-secret")))),
        "not-an-object" => response(200, &[], json!(of("response-secret")).to_string()),
        "moved" => response(302, &[("location", other)], ""),
        "redirect-loop" => {
            response(302, &[("location", format!("/redirect-loop/tokens?token={}", of("signed-url")))], "")
        }
        "next-other-origin" => response(200, &[], tokens(&json!(other))),
        "next-user" => {
            response(200, &[], tokens(&json!(here.replace("http://", &format!("http://u:{}@", of("link-password"))))))
        }
        "next-fails" => response(200, &[], tokens(&json!(here))),
        "malformed" => response(200, &[], malformed()),
        "server" => response(500, &[], echo.to_string()),
        "garbled" => response(200, &[("content-encoding", "gzip".into())], of("page")),
        "limited" => response(
            429,
            &[
                ("retry-after", "1".into()),
                ("x-ratelimit-reset", of("response-header")),
                ("x-ratelimit-remaining", "0".into()),
            ],
            echo.to_string(),
        ),
        _ => response(200, &[("x-secret", of("response-header"))], tokens(&Value::Null)),
    }
}

/// Valid rows with secrets in them, as some providers have.
fn tokens(next: &Value) -> String {
    let row = |id: u32| {
        json!({
            "id": id, "name": format!("ci-{id}"), "end": "2027-01-10T08:00:00Z", "secret": secret("response-secret"),
            "token": secret("response-token"), "data": {"password": secret("response-password")},
        })
    };
    json!({"tokens": [row(1), row(2)], "next": next, "value": secret("response-secret")}).to_string()
}

/// Rows with secrets in the fields that the definition reads.
fn malformed() -> String {
    let (one, two) = (secret("response-secret"), secret("response-token"));
    json!({"tokens": [
        {"id": {"secret": one}, "end": "2027-01-10"},
        {"id": 2, "name": "two", "end": one, "made": two, "link": two},
        {"id": 3, "name": "three", "end": {"secret": one}, "owner": [one]},
        {"id": 4, "name": {"secret": one}, "end": [two]},
        two,
    ]})
    .to_string()
}
