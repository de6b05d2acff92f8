//! The requests to the exporter: pages, logins, TLS, and failures.

use serde_json::json;

use super::{Api, base, digest, owned_by, source, token, write};
use crate::web::certificates::Authority;
use crate::web::exporter::Start;

fn many(count: usize) -> Vec<serde_json::Value> {
    (0..count).map(|number| token(&format!("t{number}"), json!({}))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_of_a_list_is_read() {
    let api = Api::new(many(2_500), vec![source("gitlab", true)]);
    let url = api.start().await;
    let (code, text, problems) = digest(&base(&url, &["--team=Platform", "--source=gitlab"])).await;
    assert_eq!(code, 0, "{problems}");
    assert!(text.contains("\nSubject: Your tokens: 2500 to renew now\n") && text.contains("… and 2400 more"), "{text}");
    let requests = api.requests.lock().unwrap();
    assert_eq!(requests.iter().filter(|request| request.starts_with("/api/v1/tokens")).count(), 4, "{requests:?}");
    assert!(requests[0].contains("source=gitlab&team=platform&offset=0&limit=1000"), "{requests:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn list_that_changes_while_it_is_read_is_read_again() {
    let api = Api::new(many(1_500), vec![source("gitlab", true)]);
    *api.changes.lock().unwrap() = 4;
    let url = api.start().await;
    let (code, text, problems) = digest(&base(&url, &[])).await;
    assert_eq!(code, 0, "{problems}");
    assert!(text.contains(": 1500 to renew now\n"), "{text}");
    assert!(api.requests.lock().unwrap().len() > 4);

    *api.changes.lock().unwrap() = 1_000;
    let (code, text, problems) = digest(&base(&url, &[])).await;
    assert_eq!((code, text.as_str()), (1, ""));
    assert!(problems.contains("the list changed 5 times while it was read; run the command again"), "{problems}");
}

#[tokio::test(flavor = "multi_thread")]
async fn login_is_sent_and_a_missing_one_is_explained() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path(), "password", "open sesame\n");
    let mut api = Api::new(many(1), vec![source("gitlab", true)]);
    // "digest:open sesame"
    api.authorization = Some("Basic ZGlnZXN0Om9wZW4gc2VzYW1l".to_owned());
    let url = api.start().await;
    let (code, text, problems) = digest(&base(&url, &[])).await;
    assert_eq!((code, text.as_str()), (1, ""));
    assert!(
        problems.contains("api/v1/tokens: status 401; check --exporter.username and --exporter.password-file"),
        "{problems}"
    );
    let (code, text, problems) =
        digest(&base(&url, &["--exporter.username=digest", "--exporter.password-file", &file])).await;
    assert_eq!(code, 0, "{problems}");
    assert!(text.starts_with("To: jane@example.com\n"), "{text}");

    api.authorization = Some("Bearer open sesame".to_owned());
    let url = api.start().await;
    let (code, _, problems) = digest(&base(&url, &["--exporter.bearer-token-file", &file])).await;
    assert_eq!(code, 0, "{problems}");
}

#[tokio::test(flavor = "multi_thread")]
async fn exporter_with_tls_and_a_login_is_read() {
    let authority = Authority::new();
    let hash = bcrypt::hash("open sesame", 4).unwrap();
    let config = format!(
        "tls_server_config: {{cert_file: server.pem, key_file: server.key}}\nbasic_auth_users: {{digest: '{hash}'}}\n"
    );
    let start = Start::new().file("ca.pem", &authority.pem).file("password", "open sesame");
    authority.issue_to(start.directory());
    let exporter = start.web_config(&config).run().await;
    let (url, ca, password) = (
        format!("https://localhost:{}/", exporter.address().port()),
        exporter.file("ca.pem"),
        exporter.file("password"),
    );
    let (ca, password) = (ca.display().to_string(), password.display().to_string());
    let login = ["--exporter.username=digest", "--exporter.password-file", &password, "--exporter.ca-file", &ca];
    let (code, text, problems) = digest(&base(&url, &login)).await;
    assert_eq!((code, text.as_str(), problems.trim()), (0, "", "no mails: no token is due this week"));
    let (code, _, problems) = digest(&base(&url, &login[..3])).await;
    assert_eq!(code, 1);
    assert!(problems.contains("unknown CA"), "{problems}");
}

#[tokio::test(flavor = "multi_thread")]
async fn exporter_that_does_not_respond_is_a_failure() {
    let port = crate::test_servers::free_port();
    let (code, text, problems) = digest(&base(&format!("http://127.0.0.1:{port}/"), &[])).await;
    assert_eq!((code, text.as_str()), (1, ""));
    assert!(problems.contains("connection failed"), "{problems}");
    // Another server's page.
    let api = Api::new(vec![json!({"id": 1})], vec![source("gitlab", true)]);
    let (code, _, problems) = digest(&base(&api.start().await, &[])).await;
    assert_eq!(code, 1);
    assert!(problems.contains("not a response of an exporter of this version"), "{problems}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_several_shards_are_in_one_mail() {
    let first = Api::new(vec![owned_by("a", "jane@example.com")], vec![source("one", true)]).start().await;
    let second = Api::new(
        vec![owned_by("b", "jane@example.com"), owned_by("a", "jane@example.com")],
        vec![source("two", false)],
    );
    let second = second.start().await;
    let (code, text, problems) = digest(&base(&first, &["--exporter.url", &second])).await;
    assert_eq!(code, 3, "{problems}");
    assert!(text.contains("Subject: Your tokens: 2 to renew now, list may be incomplete\n"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_of_a_real_exporter_has_its_facts() {
    let dir = tempfile::tempdir().unwrap();
    let expires = (chrono::Utc::now() + chrono::TimeDelta::hours(73)).format("%Y-%m-%dT%H:%M:%SZ");
    let entry = format!(
        "{{id: a/b, name: vpn, kind: license, expires: '{expires}', owner: {{name: Jane, email: Jane@example.com}}, \
         renew: Ask the network team in the portal}}"
    );
    let config = format!(
        "labels: {{owner: true, owner_email: true}}\nsources:\n  - {{name: by-hand, provider: manual, tokens: [{entry}]}}\n\
         rules:\n  - {{match: {{kind: license}}, used_in: [rack 7]}}\n"
    );
    let exporter = crate::test_servers::exporter(dir.path(), &config, &[]).await;
    let url = format!("{}/", exporter.url.trim_end_matches('/'));
    let text = crate::test_servers::wait_for("a mail", || async {
        let (code, text, _) = digest(&base(&url, &["--web.external-url=https://tokens.example.com/x"])).await;
        (code == 0 && !text.is_empty()).then_some(text)
    })
    .await;
    for part in [
        "To: jane@example.com\n",
        "* vpn\n  Expires in 3 days: ",
        "license at by-hand (manual)\n",
        "Used in: rack 7\n",
        "in the portal",
        "https://tokens.example.com/x/token?source=by-hand&id=a%2Fb\n",
    ] {
        assert!(text.contains(part), "{part:?}: {text}");
    }
}
