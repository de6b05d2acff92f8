//! The pages in a real browser: accessible in both themes, on a phone and on a desktop; usable by keyboard and without scripts.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use token_expiry_exporter::core::inventory::Inventory;
use token_expiry_exporter::core::outcome::Outcome;
use token_expiry_exporter::core::token::{Owner, Token};

use super::server::Server;
use crate::sample_inventory::{expires_in, listing, no_rules, now, policy, token};

/// Runs the browser on these pages, and returns what it found.
async fn check(server: &Server, pages: Value) -> Value {
    check_site(format!("http://{}", server.address), pages).await
}

/// Likewise, for the pages of any site.
pub async fn check_site(base: String, pages: Value) -> Value {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(
        top.join(".tools/browser/node_modules/axe-core").exists(),
        "the browser is not installed; run `make tools`"
    );
    let checked = tokio::task::spawn_blocking(move || {
        let directory = tempfile::tempdir().unwrap();
        let mut node = Command::new("node")
            .arg(top.join("tests/pages/browser.mjs"))
            .args(["check", &base])
            .arg(directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        node.stdin.take().unwrap().write_all(pages.to_string().as_bytes()).unwrap();
        let output = node.wait_with_output().unwrap();
        assert!(output.status.success(), "the browser failed");
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    })
    .await
    .unwrap();
    let problems: Vec<_> = checked["problems"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
    checked
}

pub fn page(path: &str, status: u16) -> Value {
    json!({"name": path, "path": path, "status": status})
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_accessible_and_usable_in_a_browser() {
    let server = Server::start().await;
    let pages = json!([
        page("/", 200),
        page("/?q=e&source=gitlab&limit=2&offset=2", 200),
        page("/?bnad=x", 400),
        page("/token/gitlab/p03", 200),
        page("/token/gitlab/p07", 200),
        page("/token/gitlab/p11", 200),
        page("/token/gitlab/g%5C1%22", 200),
        page("/token/vault/v1", 200),
        page("/owner", 200),
        page("/owner/Jane%20Doe", 200),
        page("/finding", 200),
        page("/finding/no_owner", 200),
        page("/source", 200),
        page("/source/gitlab", 200),
        page("/source/vault", 200),
        page("/token/gitlab/unknown", 404),
        page("/owner/unknown", 404),
    ]);
    let count = pages.as_array().unwrap().len();
    let checked = check(&server, pages).await;
    assert_eq!(checked["checked"], count * 4, "each in two themes and two widths");
    assert!(checked["passes"].as_u64().unwrap() > 15, "axe has tested something: {checked}");
    let seen = &checked["behaviour"];
    for (what, expected) in [
        ("all", json!(18)),
        ("focused", json!("q")),
        ("found", json!(1)),
        ("foundName", json!(true)),
        ("url", json!(true)),
        ("token", json!(true)),
        ("skip", json!("#content")),
        ("skipped", json!("content")),
        ("cards", json!("block")),
        ("roles", json!(true)),
        ("plainFound", json!(1)),
        ("plainQuery", json!(true)),
        ("plainSorted", json!("Token ▲")),
    ] {
        assert_eq!(seen[what], expected, "{what}: {seen}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_and_long_names_do_not_break_the_layout() {
    let names = [
        "x".repeat(10_000),
        "wide ".repeat(2_000),
        "\u{5e9}\u{5dc}\u{5d5}\u{5dd} \u{202e}abc \u{627}\u{644}\u{639}\u{631}\u{628}\u{64a}\u{629}".to_owned(),
        "</td></tr></table><script>alert(1)</script>".to_owned(),
        "日本語".repeat(500),
        "a\u{301}\u{301}\u{301}\u{301}".repeat(100),
    ];
    let tokens = names.iter().enumerate().map(|(number, name)| Token {
        owner: Some(Owner { name: Some(name.as_str().into()), ..Owner::default() }.into()),
        kind: name.as_str().into(),
        scopes: vec![name.clone()].into(),
        labels: BTreeMap::from([("team".to_owned(), name.clone())]).into(),
        ..token(&format!("{number}{name}"), name, expires_in(3))
    });
    let mut inventory = Inventory::default();
    inventory.set_policy(BTreeMap::from([("main".to_owned(), policy("vendor", &["all"]))]), no_rules());
    inventory.record(
        "main",
        Outcome { listings: vec![listing("all", tokens.collect())], ..Outcome::default() },
        now(),
        now(),
    );
    let ids: Vec<String> = inventory.tokens(now()).map(|view| view.token.id.to_string()).collect();
    assert_eq!(ids.len(), names.len());
    let server = Server::start_with(None, |state| *state.inventory.write() = inventory).await;
    let of_token = |id: &String| {
        let query: String = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("source", "main"), ("id", id)])
            .finish();
        page(&format!("/token?{query}"), 200)
    };
    let pages: Vec<Value> = ids
        .iter()
        .filter(|id| id.len() < 2_000)
        .map(of_token)
        .chain(["/", "/owner", "/source/main"].map(|path| page(path, 200)))
        .collect();
    let checked = check(&server, json!(pages)).await;
    assert_eq!(checked["behaviour"]["all"], names.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_inventory_is_accessible_in_a_browser() {
    let server = Server::start_with(None, |state| *state.inventory.write() = Inventory::default()).await;
    let pages = json!(["/", "/owner", "/finding", "/source"].map(|path| page(path, 200)));
    assert_eq!(check(&server, pages).await["checked"], 16);
}
