//! The mails in a real browser: accessible in both themes, on a phone and on a desktop.

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use serde_json::json;
use tokio::net::TcpListener;

use super::{Api, base, digest, root, sample, source};
use crate::web::browser::{check_site, page};

/// Serves HTML at these paths; returns the address.
async fn serve(pages: Vec<(&'static str, String)>) -> String {
    let router = pages
        .into_iter()
        .fold(Router::new(), |router, (path, html)| router.route(path, get(async move || Html(html.clone()))));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_are_accessible_in_a_browser() {
    let url = Api::new(sample(), vec![source("gitlab", true), source("vault", false)]).start().await;
    let flags = ["--format=html", "--web.external-url=https://tokens.example.com/", "--mail.fallback=ops@example.com"];
    let (_, mails, problems) = digest(&base(&url, &flags)).await;
    let mails: Vec<String> = mails.split_inclusive("</html>").map(|mail| mail.trim().to_owned()).collect();
    let with =
        |text: &str| mails.iter().find(|mail| mail.contains(text)).unwrap_or_else(|| panic!("{text}: {problems}"));
    let (owner, fallback) = (with("Expired or overdue"), with("Tokens without a recipient"));
    for part in [
        "Renew now",
        "Renew soon",
        "Coming up",
        "How to renew it:",
        "All about this token",
        "vault: its last collection",
    ] {
        assert!(owner.contains(part), "{part}: {owner}");
    }
    // The mail of Alertmanager that the tests of the alerts deliver.
    let alert = std::fs::read_to_string(root().join("tests/golden/mails/owner.html")).unwrap();
    let pages = vec![
        ("/", "<!DOCTYPE html><html lang=en><title>Mails</title></html>".to_owned()),
        ("/owner", owner.clone()),
        ("/fallback", fallback.clone()),
        ("/alert", alert),
    ];
    let checked =
        check_site(serve(pages).await, json!(["/owner", "/fallback", "/alert"].map(|path| page(path, 200)))).await;
    assert_eq!(checked["checked"], 12, "each in two themes and two widths");
    assert!(checked["passes"].as_u64().unwrap() > 10, "axe has tested something: {checked}");
}
