//! A GitLab with CI/CD variables, and a GitHub with authorized credentials, on one server.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Json;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// What it has, and the requests that it received.
#[derive(Default)]
pub struct Content {
    /// By owner, `projects/5` or `groups/acme`: name, value (hidden without one), and environment.
    pub variables: Vec<(&'static str, String, Option<String>, &'static str)>,
    /// GitLab's tokens: ids by value, all of which are listed.
    pub tokens: BTreeMap<String, u64>,
    /// GitHub's authorizations: the id, and the last eight characters.
    pub authorizations: Vec<(u64, &'static str)>,
    pub refuses_authorizations: bool,
    /// Requests about a found token.
    pub asked: usize,
    /// Requests of the authorizations.
    pub lists: usize,
}

impl Content {
    pub fn variable(&mut self, owner: &'static str, name: &str, value: &str) {
        self.variables.push((owner, name.to_owned(), Some(value.to_owned()), "*"));
    }
}

/// Runs until it is dropped.
pub struct Ci {
    pub url: String,
    content: Arc<Mutex<Content>>,
    server: JoinHandle<()>,
}

impl Drop for Ci {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Ci {
    pub async fn start(content: Content) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let content = Arc::new(Mutex::new(content));
        let router = Router::new().fallback(respond).with_state(Arc::clone(&content));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, content, server }
    }

    /// Reads or changes it.
    pub fn with<T>(&self, with: impl FnOnce(&mut Content) -> T) -> T {
        with(&mut self.content.lock().unwrap())
    }

    /// The host of its URL, with which a place begins.
    pub fn host(&self) -> &str {
        self.url.trim_start_matches("http://")
    }
}

async fn respond(State(content): State<Arc<Mutex<Content>>>, request: Request) -> Response {
    let mut content = content.lock().unwrap();
    let path = request.uri().path().trim_start_matches("/api/v4").to_owned();
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let body = match path.as_str() {
        "/personal_access_tokens/self" => {
            let sent = header("PRIVATE-TOKEN");
            let is_own = sent == "the-exporters-own-key";
            content.asked += usize::from(!is_own);
            let Some(id) = content.tokens.get(sent).copied().or(is_own.then_some(1)) else {
                return (StatusCode::UNAUTHORIZED, Json(json!({"message": "401 Unauthorized"}))).into_response();
            };
            json!({"id": id, "expires_at": "2099-12-31"})
        }
        "/personal_access_tokens" => {
            let row = |id: &u64| json!({"id": id, "name": format!("t{id}"), "revoked": false, "user_id": 1, "expires_at": "2099-12-31"});
            content.tokens.values().map(row).collect()
        }
        "/groups/acme/projects" => {
            json!([{"id": 5, "path_with_namespace": "acme/app", "archived": false, "builds_access_level": "enabled"}])
        }
        "/groups/acme/descendant_groups" => json!([]),
        "/rate_limit" => json!({}),
        "/orgs/acme/credential-authorizations" => {
            content.lists += 1;
            if content.refuses_authorizations {
                return (StatusCode::FORBIDDEN, Json(json!({"message": "Must have admin rights"}))).into_response();
            }
            let row = |(id, end): &(u64, &str)| json!({"login": "mona", "credential_id": id, "credential_type": "personal access token", "token_last_eight": end, "authorized_credential_note": format!("t{id}")});
            content.authorizations.iter().map(row).collect()
        }
        other => {
            let owner = other.trim_start_matches('/').strip_suffix("/variables");
            let of_owner = content.variables.iter().filter(|(of, ..)| Some(*of) == owner);
            // https://docs.gitlab.com/api/project_level_variables/#list-project-variables
            let row = |(_, name, value, environment): &(&str, String, Option<String>, &str)| json!({"variable_type": "env_var", "key": name, "value": value, "protected": true, "masked": true, "hidden": value.is_none(), "raw": false, "environment_scope": environment, "description": null});
            assert!(owner.is_some(), "unexpected request: {other}");
            of_owner.map(row).collect::<Value>()
        }
    };
    Json(body).into_response()
}
