//! Further headers of a source's requests through the program: which requests have them, and which must not.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use serde_json::{Value, json};

const DEFINITION: &str = "format: 1
provider: gated
title: Gated
docs: https://gated.example/
expiry: a timestamp
settings:
  url: {type: url, help: its address}
  login_url: {type: url, default: null, help: the address of another login}
auth:
  - name: here
    bearer: '{login}'
    login: {post: /login, form: {secret: '{credential}'}, token: .token}
  - name: there
    bearer: '{login}'
    login: {post: '{login_url}/login', form: {secret: '{credential}'}, token: .token}
listings:
  - {name: key, kind: key, get: /keys, next: link, rows: ., token: {id: .id, expires_at: .ends}}
  - {name: moved, kind: key, get: /moved, rows: ., token: {id: .id, expires_at: .ends}}
  - {name: away, kind: key, get: /away, rows: ., token: {id: .id, expires_at: .ends}}
";

const SECRET: &str = "s3cr3t-of-the-gateway";

/// A server, and its requests as `METHOD URI TEAM KEY`.
struct Recorder {
    origin: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Recorder {
    async fn start(respond: impl Fn(&str) -> Response + Clone + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let recorded = Arc::clone(&requests);
        let router = Router::new().fallback(move |request: Request| {
            let (recorded, respond) = (Arc::clone(&recorded), respond.clone());
            async move {
                let header =
                    |name: &str| request.headers().get(name).map_or("-", |value| value.to_str().unwrap()).to_owned();
                let (team, key) = (header("x-team"), header("x-gateway-key"));
                recorded.lock().unwrap().push(format!("{} {} {team} {key}", request.method(), request.uri()));
                respond(request.uri().path_and_query().unwrap().as_str())
            }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { origin, requests }
    }

    /// The requests since the last call, in alphabetical order.
    fn take(&self) -> Vec<String> {
        let mut requests = std::mem::take(&mut *self.requests.lock().unwrap());
        requests.sort();
        requests
    }
}

async fn run(dir: &Path, arguments: &'static [&'static str], config: &str) -> Output {
    std::fs::create_dir_all(dir.join("providers")).unwrap();
    std::fs::write(dir.join("providers/gated.yaml"), DEFINITION).unwrap();
    std::fs::write(dir.join("credential"), "c\n").unwrap();
    std::fs::write(dir.join("config.yaml"), config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter"));
    command.args(arguments).args(["--config.file=config.yaml", "--providers.dir=providers"]).current_dir(dir);
    command.env("GATEWAY_KEY", SECRET);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn text(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_go_to_the_origin_of_the_source_and_to_no_other() {
    let other = Recorder::start(|_| Json(json!({"token": "t"})).into_response()).await;
    let foreign = other.origin.clone();
    let own = Recorder::start(move |path| match path {
        "/login" => Json(json!({"token": "t"})).into_response(),
        // The host of a link does not count, that of a redirect does.
        "/keys" => (
            [("link", format!("<{foreign}/keys?page=2>; rel=\"next\""))],
            Json(json!([{"id": 1, "ends": null}, {"id": 2, "ends": null}])),
        )
            .into_response(),
        "/moved" => (StatusCode::FOUND, [("location", "/kept")]).into_response(),
        "/away" => (StatusCode::FOUND, [("location", format!("{foreign}/away"))]).into_response(),
        path => Json(json!([{"id": path, "ends": null}])).into_response(),
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let config = |auth: &str| {
        format!(
            "sources:\n  - name: a\n    provider: gated\n    auth: {auth}\n    url: {}\n    login_url: {}\n    \
             credential: {{file: credential}}\n    headers: {{X-Team: platform, X-Gateway-Key: {{env: GATEWAY_KEY}}}}\n",
            own.origin, other.origin
        )
    };
    let expected = |requests: &[&str]| -> Vec<String> {
        requests.iter().map(|request| format!("{request} platform {SECRET}")).collect()
    };
    let listed = ["GET /away", "GET /kept", "GET /keys", "GET /keys?page=2", "GET /moved"];
    for arguments in [&["list", "--output=json", "--log.level=debug"][..], &["check", "--online"]] {
        let output = run(dir.path(), arguments, &config("here")).await;
        assert_eq!(own.take(), expected(&[&listed[..], &["POST /login"]].concat()), "{}", text(&output));
        assert_eq!(other.take(), Vec::<String>::new());
        assert!(
            !text(&output).contains(SECRET) && text(&output).contains("redirect target is at"),
            "{}",
            text(&output)
        );
        if arguments[0] == "list" {
            let tokens: Value = serde_json::from_slice(&output.stdout).unwrap();
            let tokens = tokens.as_array().or_else(|| tokens["tokens"].as_array()).unwrap();
            assert_eq!(tokens.len(), 4, "{tokens:?}");
        }
    }
    let output = run(dir.path(), &["list", "--output=json"], &config("there")).await;
    assert_eq!(own.take(), expected(&listed), "{}", text(&output));
    assert_eq!(other.take(), ["POST /login - -"], "the login of another origin has no headers of the gateway");
}

#[tokio::test]
async fn check_names_line_and_key_of_a_header_that_cannot_be_sent() {
    let dir = tempfile::tempdir().unwrap();
    let config = "\
sources:
  - name: gitlab
    provider: gitlab
    url: https://gitlab.example.com
    credential: {file: credential}
    headers:
      X-Team: platform
      PRIVATE-TOKEN: {env: GATEWAY_KEY}
      X-Two-Lines: {file: two-lines}
      X-Team-Key: s3cr3t-of-the-gateway
  - name: hand
    provider: manual
    tokens: [{name: a, expires_at: 2030-01-01}]
    headers: {X-Team: platform}
";
    std::fs::write(dir.path().join("two-lines"), format!("{SECRET}\n{SECRET}\n")).unwrap();
    let output = run(dir.path(), &["check"], config).await;
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    let printed = text(&output);
    for line in [
        "config.yaml:8:7: sources.gitlab.headers.PRIVATE-TOKEN: the requests of `gitlab` have this header already; remove it, and \
         let the gateway accept another one",
        "config.yaml:9:27: sources.gitlab.headers.X-Two-Lines.file: two-lines contains a line break or another control \
         character; write only the header's value, on one line",
        "config.yaml:10:19: sources.gitlab.headers.X-Team-Key: secrets are not allowed in the configuration; write `{file: PATH}` \
         or `{env: NAME}`",
        "config.yaml:14:15: sources.hand.headers.X-Team: has no effect with this provider, which sends no requests; remove it",
    ] {
        assert!(printed.contains(line), "{line}\nis missing in\n{printed}");
    }
    assert!(!printed.contains(SECRET), "{printed}");
}
