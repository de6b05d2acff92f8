//! The calendar: events that move with a rotation, valid lines, and the key that replaces a login.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use token_expiry_exporter::core::outcome::Outcome;
use token_expiry_exporter::core::token::Token;

use super::exporter::{Start, exchange};
use super::server::Server;
use crate::sample_inventory::{expires_in, listing, now, token};

/// The events of source `new "one"` with these tokens: UID and start.
async fn events(server: &Server, tokens: Vec<Token>) -> Vec<(String, String)> {
    let outcome = Outcome { listings: vec![listing("token", tokens)], ..Outcome::default() };
    server.state.inventory.write().record("new \"one\"", outcome, now(), now());
    let calendar = server.get("/calendar.ics?provider=cloudflare").await.text.replace("\r\n ", "");
    let parse = |event: &str| {
        let fields: BTreeMap<&str, &str> = event.lines().filter_map(|line| line.split_once(':')).rev().collect();
        (fields["UID"].to_owned(), fields["DTSTART"].to_owned())
    };
    calendar.split("BEGIN:VEVENT").skip(1).map(parse).collect()
}

#[tokio::test]
async fn event_of_a_rotated_token_moves() {
    let server = Server::start().await;
    let before = events(&server, vec![token("1", "deploy", expires_in(10)), token("2", "other", expires_in(11))]).await;
    let rotated = vec![
        token("1", "deploy", expires_in(10)),
        token("3", "deploy", expires_in(90)),
        token("2", "other", expires_in(11)),
    ];
    let after = events(&server, rotated).await;
    assert_eq!((before.len(), after.len()), (2, 2), "the replaced token has no event: {after:?}");
    assert_eq!(after.iter().find(|event| event.0 == before[0].0).unwrap().1, "20260530T080000Z", "it has moved");
    assert!(after.contains(&before[1]), "the other one stays");

    // Two that alert with all in common: neither hides the other, and each is stable.
    let twins = || vec![token("1", "deploy", expires_in(10)), token("3", "deploy", expires_in(10))];
    // The token that is missing stays until a second complete collection.
    events(&server, twins()).await;
    let first = events(&server, twins()).await;
    assert_eq!(first.len(), 2);
    assert_ne!(first[0].0, first[1].0);
    assert_eq!(events(&server, twins()).await, first);
    let unnamed = events(&server, vec![token("1", "", expires_in(10)), token("3", "", expires_in(12))]).await;
    assert_eq!(unnamed.len(), 2);
    assert_ne!(unnamed[0].0, unnamed[1].0, "without a name only the id distinguishes them");
}

#[tokio::test]
async fn lines_are_folded_at_75_octets_and_stay_utf_8() {
    let server = Server::start().await;
    let name = "größer 🔑, a;b\\c ".repeat(30);
    let found = events(&server, vec![token("1", &name, expires_in(10))]).await;
    assert_eq!(found.len(), 1);
    let text = server.get("/calendar.ics").await.text;
    assert!(text.contains("\r\n "), "some are folded");
    for line in text.split("\r\n") {
        assert!(line.len() <= 75 && !line.contains('\n') && !line.contains('\u{fffd}'), "{line}");
    }
    assert!(text.replace("\r\n ", "").contains(r"größer 🔑\, a\;b\\c "), "{text}");
}

/// What a parser prints for a file.
fn parsed(command: &mut Command) -> Value {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}; run `make tools`", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn two_parsers_read_the_same_events_and_alarms() {
    let server = Server::start().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("calendar.ics");
    std::fs::write(&file, server.get("/calendar.ics").await.text).unwrap();
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = parsed(
        Command::new(top.join(".tools/python/bin/python"))
            .arg(top.join("tests/tools/read_back.py"))
            .arg("events")
            .arg(&file),
    );
    let script = parsed(
        Command::new("node")
            .arg(top.join("tests/tools/read_calendar.mjs"))
            .arg(top.join(".tools/ical/node_modules/ical.js/dist/ical.js"))
            .arg(&file),
    );
    assert_eq!(python, script);
    assert_eq!(python["refresh"], 3_600);
    let events = python["events"].as_array().unwrap();
    let critical = events.iter().find(|event| event["summary"] == "critical expires").unwrap();
    assert_eq!(
        (&critical["start"], &critical["alarms"]),
        (&"2026-03-04T08:00:00.000Z".into(), &json!(["2026-02-02T08:00:00.000Z"]))
    );
    let shown = server.json("/api/v1/tokens?limit=10000").await;
    let alerting = shown["tokens"].as_array().unwrap().iter().filter(|token| {
        !token["warning_at"].is_null() && token["expires_at"].as_str().is_some_and(|at| !at.starts_with('+'))
    });
    assert_eq!(events.len(), alerting.count());
}

const SECRET: &str = "0123456789abcdef0123456789abcdef-calendar";

#[tokio::test]
async fn key_opens_one_calendar_without_a_login_and_is_never_logged() {
    let password = bcrypt::hash("password", 4).unwrap();
    let start = Start::new()
        .file("calendar.key", &format!("{SECRET}\n"))
        .web_config(&format!("basic_auth_users: {{jane: '{password}'}}\n"));
    let key_file = start.directory().join("calendar.key").display().to_string();
    let exporter = start.arg(&format!("--web.calendar-key-file={key_file}")).arg("--log.level=debug").run().await;
    let url = |flags: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter"))
            .args(["calendar-url", "--web.calendar-key-file", &key_file, "--web.external-url=https://x.example/"])
            .args(flags)
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        String::from_utf8(output.stdout).unwrap().trim().strip_prefix("https://x.example").unwrap().to_owned()
    };
    let get = async |path: &str, header: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n{header}Connection: close\r\n\r\n");
        exchange(exporter.address(), &request).await
    };
    let path = url(&["--owner", "Jane"]);
    assert!(path.starts_with("/calendar.ics?owner=jane&key="), "{path}");
    let opened = get(&path, "").await;
    assert!(opened.starts_with("HTTP/1.1 200") && opened.contains("NAME:Token expiry: owner jane"), "{opened}");
    let key = path.split("key=").nth(1).unwrap();
    for closed in [
        "/calendar.ics".to_owned(),
        format!("/calendar.ics?key={key}"),
        format!("/calendar.ics?owner=bob&key={key}"),
        format!("/api/v1/tokens?owner=jane&key={key}"),
        format!("/?owner=jane&key={key}"),
        format!("/metrics?owner=jane&key={key}"),
    ] {
        let response = get(&closed, "").await;
        assert!(response.starts_with("HTTP/1.1 401"), "{closed}: {response}");
        assert!(!response.contains(key), "{response}");
    }
    let login = format!("Authorization: Basic {}\r\n", BASE64_STANDARD.encode("jane:password"));
    assert!(get("/calendar.ics", &login).await.starts_with("HTTP/1.1 200"), "a login opens every calendar");
    let rejected = get(&format!("/api/v1/tokens?kye={key}"), &login).await;
    assert!(rejected.starts_with("HTTP/1.1 400") && !rejected.contains(key), "{rejected}");
    std::fs::write(&key_file, "f".repeat(64)).unwrap();
    assert!(get(&path, "").await.starts_with("HTTP/1.1 401"), "a new secret revokes the key");
    assert!(get(&url(&["--owner", "Jane"]), "").await.starts_with("HTTP/1.1 200"));
    let log = exporter.stop();
    assert!(!log.contains(key) && !log.contains(SECRET), "{log}");
}

#[tokio::test]
async fn link_on_the_page_of_an_owner_opens_the_calendar_without_a_login_and_is_never_logged() {
    let password = bcrypt::hash("password", 4).unwrap();
    let tokens = "tokens:\n  - {name: deploy, owner: Jane Doe, expires: 2099-01-01}\n  - {name: other, owner: Bob, expires: 2099-01-01}\n";
    let start = Start::new()
        .file("calendar.key", &format!("{SECRET}\n"))
        .tokens_file(tokens)
        .web_config(&format!("basic_auth_users: {{reader: '{password}'}}\n"));
    let key_file = start.directory().join("calendar.key").display().to_string();
    let exporter = start.arg(&format!("--web.calendar-key-file={key_file}")).arg("--log.level=debug").run().await;
    let get = async |path: &str, header: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n{header}Connection: close\r\n\r\n");
        exchange(exporter.address(), &request).await
    };
    let login = format!("Authorization: Basic {}\r\n", BASE64_STANDARD.encode("reader:password"));
    let link = |page: &str| {
        let start = page.find("calendar.ics?owner=").unwrap_or_else(|| panic!("{page}"));
        format!("/{}", page[start..].split('"').next().unwrap().replace("&amp;", "&"))
    };
    let page = get("/owner/Jane%20Doe", &login).await;
    let calendar = link(&page);
    assert!(calendar.starts_with("/calendar.ics?owner=jane+doe&key="), "{calendar}");
    assert!(page.contains("Its key opens this calendar without a login"), "{page}");
    assert!(page.to_lowercase().contains("\r\ncache-control: no-store\r\n"), "{page}");
    let opened = get(&calendar, "").await;
    assert!(opened.starts_with("HTTP/1.1 200") && opened.contains("SUMMARY:deploy expires"), "{opened}");
    assert!(!opened.contains("other expires"), "{opened}");

    let key = calendar.split("key=").nth(1).unwrap();
    for (path, header, status) in [
        ("/owner/Jane%20Doe".to_owned(), "", "401"),
        (format!("/calendar.ics?owner=bob&key={key}"), "", "401"),
        ("/owner".to_owned(), &*login, "200"),
        ("/".to_owned(), &*login, "200"),
    ] {
        let response = get(&path, header).await;
        assert!(response.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {response}");
        assert!(!response.contains(key), "{path}: {response}");
    }
    std::fs::write(&key_file, "f".repeat(64)).unwrap();
    assert!(get(&calendar, "").await.starts_with("HTTP/1.1 401"), "a new secret revokes the link");
    assert!(get(&link(&get("/owner/Jane%20Doe", &login).await), "").await.starts_with("HTTP/1.1 200"));

    // A file that cannot be read leaves a link for clients that log in.
    std::fs::remove_file(&key_file).unwrap();
    let without = link(&get("/owner/Jane%20Doe", &login).await);
    assert_eq!(without, "/calendar.ics?owner=Jane+Doe");
    assert!(get(&without, &login).await.starts_with("HTTP/1.1 200"));
    let log = exporter.stop();
    assert!(log.contains("level=") && !log.contains(key) && !log.contains("key="), "{log}");
}

#[test]
fn unusable_key_file_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("key");
    std::fs::write(&file, "short").unwrap();
    let run = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter")).args(args).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let flag = format!("--web.calendar-key-file={}", file.display());
    let (code, error) = run(&["calendar-url", &flag, "--web.external-url=https://x.example/"]);
    assert_eq!(code, Some(2));
    assert!(error.contains("key: no line with at least 32 bytes") && !error.contains("short"), "{error}");
}
