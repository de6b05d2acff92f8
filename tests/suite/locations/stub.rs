//! Vendors' APIs as far as locations need them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Json;
use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// A Secret of a cluster, in the shape of a recorded response.
#[derive(Clone)]
pub struct Secret(Value);

impl Secret {
    pub fn new(namespace: &str, name: &str, values: &[(&str, &str)]) -> Self {
        let recorded = include_str!("../../providers/kubernetes/secrets-list-limit2.json");
        let recorded: Value = serde_json::from_str(recorded).unwrap();
        let mut secret = recorded["items"][0].clone();
        assert_eq!((&secret["type"], secret["data"].is_object()), (&json!("Opaque"), true), "the recorded shape");
        secret["metadata"]["namespace"] = namespace.into();
        secret["metadata"]["name"] = name.into();
        secret["metadata"]["uid"] = format!("{namespace}-{name}").into();
        let data = values.iter().map(|(key, value)| ((*key).to_owned(), BASE64_STANDARD.encode(value).into()));
        secret["data"] = Value::Object(data.collect());
        Self(secret)
    }

    /// With an expiry that somebody wrote.
    pub fn annotated(mut self, expires: &str) -> Self {
        self.0["metadata"]["annotations"] = json!({"token-expiry-exporter.io/expires-at": expires});
        self
    }
}

enum Api {
    Cluster(Vec<Secret>),
    /// Ids by token, and the ids that are listed.
    Gitlab {
        tokens: BTreeMap<String, u64>,
        listed: Vec<u64>,
        forbids: bool,
    },
    /// Time, token and address, the newest last.
    Atlassian(Vec<(DateTime<Utc>, String, String)>),
}

struct Content {
    api: Api,
    asked: u64,
    pages: u64,
    refuses: bool,
}

/// A vendor. Runs until it is dropped.
pub struct Stub {
    pub url: String,
    content: Arc<Mutex<Content>>,
    server: JoinHandle<()>,
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Stub {
    async fn start(api: Api) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let content = Arc::new(Mutex::new(Content { api, asked: 0, pages: 0, refuses: false }));
        let router = Router::new().fallback(respond).with_state(Arc::clone(&content));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, content, server }
    }

    /// An API server with these Secrets.
    pub async fn cluster(secrets: Vec<Secret>) -> Self {
        Self::start(Api::Cluster(secrets)).await
    }

    /// A GitLab with these tokens, all of which are listed.
    pub async fn gitlab(tokens: &[(&str, u64)]) -> Self {
        let tokens: BTreeMap<_, _> = tokens.iter().map(|(value, id)| ((*value).to_owned(), *id)).collect();
        let listed = tokens.values().copied().collect();
        Self::start(Api::Gitlab { tokens, listed, forbids: false }).await
    }

    /// One whose administration the exporter may not use.
    pub async fn forbidden_gitlab() -> Self {
        Self::start(Api::Gitlab { tokens: BTreeMap::new(), listed: Vec::new(), forbids: true }).await
    }

    /// An organisation with the token `tok-1`.
    pub async fn atlassian() -> Self {
        Self::start(Api::Atlassian(Vec::new())).await
    }

    /// The number of requests for the id of a found token.
    pub fn asked(&self) -> u64 {
        self.content.lock().unwrap().asked
    }

    /// Pages of Secrets or of the audit log.
    pub fn pages(&self) -> u64 {
        self.content.lock().unwrap().pages
    }

    pub fn refuse(&self) {
        self.content.lock().unwrap().refuses = true;
    }

    pub fn unlist(&self, id: u64) {
        if let Api::Gitlab { listed, .. } = &mut self.content.lock().unwrap().api {
            listed.retain(|listed| *listed != id);
        }
    }

    pub fn list(&self, id: u64) {
        if let Api::Gitlab { listed, .. } = &mut self.content.lock().unwrap().api {
            listed.push(id);
        }
    }

    pub fn event(&self, at: DateTime<Utc>, token: &str, address: &str) {
        if let Api::Atlassian(events) = &mut self.content.lock().unwrap().api {
            events.push((at, token.to_owned(), address.to_owned()));
        }
    }
}

async fn respond(
    State(content): State<Arc<Mutex<Content>>>,
    Query(query): Query<BTreeMap<String, String>>,
    request: Request,
) -> Response {
    let mut content = content.lock().unwrap();
    let path = request.uri().path().to_owned();
    let sent = request.headers().get("PRIVATE-TOKEN").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let number = |name: &str| query.get(name).and_then(|value| value.parse::<usize>().ok());
    let Content { api, asked, pages, refuses } = &mut *content;
    if *refuses {
        let refused = include_str!("../../providers/kubernetes/forbidden.403.json");
        return (StatusCode::FORBIDDEN, Json(serde_json::from_str::<Value>(refused).unwrap())).into_response();
    }
    match api {
        Api::Cluster(secrets) => {
            assert_eq!(path, "/api/v1/secrets");
            *pages += 1;
            // Half of the Secrets on each page, so that there are two.
            let (limit, from) =
                (number("limit").unwrap().min(secrets.len().div_ceil(2)), number("continue").unwrap_or(0));
            let page: Vec<_> = secrets.iter().skip(from).take(limit).map(|secret| secret.0.clone()).collect();
            let next = if from + limit < secrets.len() { (from + limit).to_string() } else { String::new() };
            let metadata = json!({"resourceVersion": "272", "continue": next});
            Json(json!({"kind": "SecretList", "apiVersion": "v1", "metadata": metadata, "items": page})).into_response()
        }
        Api::Gitlab { forbids, .. } if *forbids && path == "/api/v4/admin/token" => {
            *asked += 1;
            (StatusCode::FORBIDDEN, Json(json!({"message": "403 Forbidden"}))).into_response()
        }
        Api::Gitlab { tokens, listed, .. } => match path.as_str() {
            "/api/v4/personal_access_tokens/self" if sent == "the-exporters-own-key" => {
                Json(json!({"id": 1, "expires_at": "2099-12-31"})).into_response()
            }
            "/api/v4/personal_access_tokens/self" => {
                *asked += 1;
                match tokens.get(sent) {
                    Some(id) => Json(json!({"id": id, "expires_at": "2099-12-31"})).into_response(),
                    None => (StatusCode::UNAUTHORIZED, Json(json!({"message": "401 Unauthorized"}))).into_response(),
                }
            }
            _ => {
                let row = |id: &u64| json!({"id": id, "name": format!("t{id}"), "revoked": false, "user_id": 1, "expires_at": "2099-12-31"});
                Json(Value::Array(listed.iter().map(row).collect())).into_response()
            }
        },
        Api::Atlassian(events) => {
            if !path.ends_with("/events-stream") {
                let token =
                    json!({"id": "tok-1", "label": "ci", "status": "ALLOWED", "expiresAt": "2099-12-31T00:00:00Z"});
                return Json(json!({"data": [token], "links": {"next": null}})).into_response();
            }
            assert_eq!(query["sortOrder"], "desc");
            *pages += 1;
            let from = number("cursor").unwrap_or(0);
            let event = |(at, token, address): &(DateTime<Utc>, String, String)| {
                let time = at.to_rfc3339_opts(SecondsFormat::Millis, true);
                let actor = json!({"id": "a", "auth": {"authType": "api-token", "tokenId": token, "tokenLabel": "ci"}});
                json!({"id": time, "type": "events", "attributes": {"time": time, "actor": actor, "location": {"ip": address}}})
            };
            let page: Vec<_> = events.iter().rev().skip(from).take(1).map(event).collect();
            Json(json!({"data": page, "links": {"next": (from + 1).to_string()}})).into_response()
        }
    }
}
