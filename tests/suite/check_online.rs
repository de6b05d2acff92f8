//! `check --online`: what each listing of a definition did, and the usual errors in one.

use std::process::Command;

use axum::Router;
use axum::http::{StatusCode, Uri};
use axum::response::IntoResponse as _;
use chrono::{TimeDelta, Utc};
use serde_json::json;

const DEFINITION: &str = include_str!("../golden/check-online/usual-errors.yaml");

/// A provider with three tokens.
async fn provider() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let days = |days| (Utc::now() + TimeDelta::days(days)).timestamp_millis();
    let token = move |id: i64| {
        json!({
            "id": id, "title": format!("token {id}"), "status": "active", "active": true, "owner": {"id": "7", "name": "Ada"},
            "created": days(-id), "expires": days(90 + id), "used": days(-1),
        })
    };
    let router = Router::new().fallback(move |uri: Uri| async move {
        match uri.path() {
            "/tokens" => axum::Json(json!({"warnings": [], "tokens": [token(1), token(2), token(3)]})).into_response(),
            _ => (StatusCode::NOT_FOUND, axum::Json(json!({"message": "no such path"}))).into_response(),
        }
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// Runs the program in a directory with this configuration: exit code, standard output and standard error.
async fn run(config: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("providers")).unwrap();
    std::fs::write(dir.path().join("providers/usual-errors.yaml"), DEFINITION).unwrap();
    std::fs::write(dir.path().join("key"), "a-credential-of-the-test").unwrap();
    std::fs::write(dir.path().join("config.yaml"), config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter"));
    command.args(arguments).args(["--config.file=config.yaml", "--providers.dir=providers"]).current_dir(dir.path());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn config(url: &str) -> String {
    format!(
        "sources: [{{name: acme, provider: usual-errors, url: '{url}', credential: {{file: key}}}}]\n\
         rules: [{{match: {{kind: dropped}}, drop: true}}]\n"
    )
}

#[tokio::test]
async fn check_online_points_at_usual_errors_in_a_definition() {
    let url = provider().await;
    let (code, out, err) = run(&config(&url), &["check", "--online"]).await;
    assert_eq!(code, Some(1), "{err}");
    let printed = out.replace(&url, "https://provider.example");
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/check-online/usual-errors.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(golden, &printed).unwrap();
    }
    assert_eq!(printed, std::fs::read_to_string(golden).unwrap());
}

/// The output for one source with this secret, and how long it took.
async fn check(secret: &[u8], url: &str, arguments: &[&str]) -> (String, std::time::Duration) {
    let started = std::time::Instant::now();
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("providers")).unwrap();
    std::fs::write(dir.path().join("providers/usual-errors.yaml"), DEFINITION).unwrap();
    std::fs::write(dir.path().join("key"), secret).unwrap();
    std::fs::write(dir.path().join("config.yaml"), config(url)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter"));
    command.args(arguments).args(["--config.file=config.yaml", "--providers.dir=providers"]).current_dir(dir.path());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let printed = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (printed, started.elapsed())
}

#[tokio::test]
async fn hint_says_what_does_not_belong_to_a_secret_and_does_not_show_it() {
    let url = provider().await;
    for (secret, hint) in [
        (&b"Bearer hunter2-of-the-test"[..], "begins with `Bearer `"),
        (b"\"hunter2-of-the-test\"", "is in quotes"),
        (b"TOKEN=hunter2-of-the-test", "begins with `NAME=`"),
        (b"hunter2-of-the-test ", "contains blanks"),
        (b"ada\nhunter2-of-the-test\n", "has more than one line"),
        (b"hunter2-of-the-test\x00\x01", "contains binary data"),
        (b"hunter2-of-the-test\xff\xfe", "is not valid UTF-8 (binary data, or UTF-16)"),
    ] {
        for arguments in [&["check"][..], &["check", "--online"]] {
            let (printed, _) = check(secret, &url, arguments).await;
            assert!(
                printed.contains("sources.acme.credential.file: ") && printed.contains(hint),
                "{arguments:?}: {printed}"
            );
            assert!(!printed.contains("hunter2"), "{printed}");
        }
    }
    let (printed, _) = check(b"hunter2-of-the-test", &url, &["check"]).await;
    assert_eq!(printed, "config.yaml: valid, 1 source\nproviders: valid, 1 definition\n");
}

#[tokio::test]
async fn hint_is_part_of_a_refusal() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(|| async { StatusCode::UNAUTHORIZED });
    tokio::spawn(async move { axum::serve(listener, router).await });
    let what = "401 after 1 attempt; the secret is in quotes; remove them\n";
    for arguments in [&["list"][..], &["check", "--online"]] {
        let (printed, _) = check(b"'hunter2-of-the-test'", &url, arguments).await;
        assert!(printed.contains(what) && !printed.contains("permission"), "{arguments:?}: {printed}");
        assert!(!printed.contains("hunter2"), "{printed}");
    }
}

#[tokio::test]
async fn refused_connection_is_reported_within_3_seconds() {
    let port = crate::test_servers::free_port();
    for arguments in [&["check", "--online"][..], &["list"]] {
        let mut fastest = std::time::Duration::MAX;
        // A busy machine delays one run, but not each of them.
        for _ in 0..5 {
            let (printed, took) = check(b"hunter2-of-the-test", &format!("http://127.0.0.1:{port}"), arguments).await;
            assert!(printed.contains("Connection refused after 2 attempts"), "{printed}");
            fastest = fastest.min(took);
            if fastest < std::time::Duration::from_secs(3) {
                break;
            }
        }
        assert!(fastest < std::time::Duration::from_secs(3), "{arguments:?}: {fastest:?}");
    }
}

#[tokio::test]
async fn list_shows_what_a_definition_did() {
    let url = provider().await;
    let (code, out, err) = run(&config(&url), &["list"]).await;
    assert!(code == Some(3) && out.contains("token 1 "), "{code:?} {out}");
    for line in [
        "acme: no-error: rows read: 3, taken: 3, malformed: 0, duplicates: 0, dropped by rules: 0, tokens: 3, never expire: 0\n",
        "acme: names-do-not-exist: rows read: 3, taken: 3, malformed: 0, duplicates: 0, dropped by rules: 0, tokens: 3, \
         never expire: 0; fields without any value: name, owner\n",
        "acme: take-matches-nothing: warning: no row was taken: `take` yields nothing for any of the 3 rows",
        "acme: rules-drop-all: warning: no token is left: ",
        "acme: expiry-does-not-exist: warning: `expires_at` never had a value, so every token never expires; ",
    ] {
        assert!(err.contains(line), "{line}: {err}");
    }
}
