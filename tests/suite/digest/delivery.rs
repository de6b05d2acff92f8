//! Mails through a real mail server: TLS, logins, and repeated runs.

use std::path::Path;

use serde_json::Value;

use super::{Api, base, command, digest, owned_by, source, write};
use crate::alerts::sink::Mailbox;
use crate::test_servers::wait_for;
use crate::web::certificates::Authority;

const PASSWORD: &str = "correct-horse-battery";

/// A mail server with STARTTLS (or TLS from the start) and a login, and the flags for it.
fn secure(dir: &Path, more: &[&str]) -> (Mailbox, Vec<String>) {
    let authority = Authority::new();
    authority.issue_to(dir);
    let file = |name: &str| dir.join(name).display().to_string();
    let (certificate, key) = (file("server.pem"), file("server.key"));
    let mailbox =
        Mailbox::with(dir, &[&["--tls", &certificate, &key, "--login", "digest", PASSWORD][..], more].concat());
    let flags = vec![
        format!("--smtp.server=localhost:{}", mailbox.port),
        format!("--smtp.ca-file={}", write(dir, "ca.pem", &authority.pem)),
        "--smtp.username=digest".to_owned(),
        format!("--smtp.password-file={}", write(dir, "password", PASSWORD)),
        "--mail.from=Tokens <tokens@example.com>".to_owned(),
        format!("--state.file={}", file("state.json")),
        format!("--textfile={}", file("digest.prom")),
    ];
    (mailbox, flags)
}

/// Runs it with these flags.
async fn send(url: &str, flags: &[String], more: &[&str]) -> (i32, String, String) {
    let flags: Vec<&str> = flags.iter().map(String::as_str).chain(more.iter().copied()).collect();
    digest(&base(url, &flags)).await
}

async fn api(addresses: &[&str]) -> String {
    let tokens: Vec<Value> = addresses.iter().map(|address| owned_by(&format!("of-{address}"), address)).collect();
    Api::new(tokens, vec![source("gitlab", true)]).start().await
}

/// Without TLS and login.
fn plain(dir: &Path, options: &[&str]) -> (Mailbox, Vec<String>) {
    let mailbox = Mailbox::with(dir, options);
    let flags = vec![
        format!("--smtp.server=127.0.0.1:{}", mailbox.port),
        "--smtp.tls=none".to_owned(),
        "--mail.from=tokens@example.com".to_owned(),
        format!("--state.file={}", dir.join("state.json").display()),
    ];
    (mailbox, flags)
}

fn recipients(mailbox: &Mailbox) -> Vec<String> {
    mailbox.mails().into_iter().flat_map(|mail| mail.to).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_is_sent_over_tls_with_a_login_once_a_week() {
    for (tls, option) in [("--smtp.tls=starttls", None), ("--smtp.tls=implicit", Some("--implicit"))] {
        let dir = tempfile::tempdir().unwrap();
        let (mailbox, flags) = secure(dir.path(), option.as_slice());
        let url = api(&["jane@example.com", "joe@example.com"]).await;
        let (code, out, problems) = send(&url, &flags, &[tls]).await;
        assert_eq!(
            (code, out.as_str(), problems.trim()),
            (0, "", "2026-W48: 2 mails sent, 0 already sent before, 0 failed")
        );
        let mails = mailbox.mails();
        assert_eq!(recipients(&mailbox), ["jane@example.com", "joe@example.com"]);
        let mail = &mails[0];
        assert!(mail.encrypted && mail.login.as_deref() == Some("digest"), "{mail:?}");
        assert_eq!((mail.from.as_str(), mail.subject.as_str()), ("tokens@example.com", "Your tokens: 1 to renew now"));
        let header = |name: &str| mail.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str());
        assert_eq!(header("From"), Some("Tokens <tokens@example.com>"));
        assert_eq!(header("Auto-Submitted"), Some("auto-generated"));
        assert!(
            mail.text.contains("* of-jane@example.com\n") && mail.html.contains("<h3>of-jane@example.com</h3>"),
            "{mail:?}"
        );

        let metrics = std::fs::read_to_string(dir.path().join("digest.prom")).unwrap();
        crate::test_servers::assert_promtool_accepts(&metrics);
        assert!(metrics.contains("\ntoken_expiry_digest_last_run_successful 1\n"), "{metrics}");
        assert!(metrics.contains("\ntoken_expiry_digest_mails{result=\"sent\"} 2\n"), "{metrics}");

        let (code, _, problems) = send(&url, &flags, &[tls]).await;
        assert_eq!((code, problems.trim()), (0, "2026-W48: 0 mails sent, 2 already sent before, 0 failed"));
        assert_eq!(mailbox.mails().len(), 2);
        let (code, out, problems) = send(&url, &flags, &[tls, "--dry-run"]).await;
        assert_eq!((code, out.as_str()), (0, ""));
        assert!(problems.contains("joe@example.com: already received the mail of 2026-W48"), "{problems}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn password_is_not_sent_without_tls_or_to_an_unknown_server() {
    let dir = tempfile::tempdir().unwrap();
    let (mailbox, flags) = secure(dir.path(), &[]);
    let url = api(&["jane@example.com"]).await;
    let (code, _, problems) = send(&url, &flags, &["--smtp.tls=none"]).await;
    assert_eq!(code, 2);
    assert!(problems.contains("--smtp.tls: a login needs encryption; use starttls or implicit"), "{problems}");

    let without_ca: Vec<String> = flags.iter().filter(|flag| !flag.contains("ca-file")).cloned().collect();
    let (code, _, problems) = send(&url, &without_ca, &[]).await;
    assert_eq!(code, 1);
    assert!(problems.contains("cannot encrypt the connection"), "{problems}");

    // The server offers no STARTTLS, as if somebody on the way removed it.
    let other = tempfile::tempdir().unwrap();
    let stripped = Mailbox::start(other.path());
    let mut stripped_flags = flags.clone();
    stripped_flags[0] = format!("--smtp.server=localhost:{}", stripped.port);
    let (code, _, problems) = send(&url, &stripped_flags, &[]).await;
    assert_eq!(code, 1);
    assert!(problems.contains("STARTTLS is not supported"), "{problems}");

    write(dir.path(), "password", "wrong");
    let (code, _, problems) = send(&url, &flags, &[]).await;
    assert_eq!(code, 1);
    assert!(problems.contains("login failed") && !problems.contains("wrong"), "{problems}");
    assert!(mailbox.mails().is_empty() && stripped.mails().is_empty());
    let metrics = std::fs::read_to_string(dir.path().join("digest.prom")).unwrap();
    assert!(metrics.contains("\ntoken_expiry_digest_last_run_successful 0\n"), "{metrics}");
    assert!(metrics.contains("\ntoken_expiry_digest_mails{result=\"failed\"} 1\n"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_recipient_fails_alone_and_the_next_run_retries_only_that_one() {
    let dir = tempfile::tempdir().unwrap();
    let url = api(&["ann@example.com", "bob@example.com", "cat@example.com"]).await;
    let (first, flags) = plain(dir.path(), &["--reject", "bob@example.com"]);
    let (code, _, problems) = send(&url, &flags, &[]).await;
    assert_eq!(code, 1);
    assert!(
        problems.contains("bob@example.com: the mail server refuses the mail:") && problems.contains("550"),
        "{problems}"
    );
    assert!(problems.contains("2026-W48: 2 mails sent, 0 already sent before, 1 failed"), "{problems}");
    assert_eq!(recipients(&first), ["ann@example.com", "cat@example.com"]);

    let other = tempfile::tempdir().unwrap();
    let (second, mut flags_of_second) = plain(other.path(), &[]);
    flags_of_second[3].clone_from(&flags[3]);
    let (code, _, problems) = send(&url, &flags_of_second, &[]).await;
    assert_eq!(code, 0, "{problems}");
    assert_eq!(recipients(&second), ["bob@example.com"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn run_that_is_killed_between_two_recipients_is_resumed() {
    let dir = tempfile::tempdir().unwrap();
    let url = api(&["ann@example.com", "bob@example.com"]).await;
    let (first, flags) = plain(dir.path(), &["--stall", "bob@example.com"]);
    let all: Vec<&str> = flags.iter().map(String::as_str).collect();
    let mut child = command(&base(&url, &all)).spawn().unwrap();
    let state = dir.path().join("state.json");
    wait_for("the state has the first recipient", || async {
        std::fs::read_to_string(&state).ok().filter(|text| text.contains("ann@example.com"))
    })
    .await;
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(recipients(&first), ["ann@example.com"]);

    let other = tempfile::tempdir().unwrap();
    let (second, mut flags_of_second) = plain(other.path(), &[]);
    flags_of_second[3].clone_from(&flags[3]);
    let (code, _, problems) = send(&url, &flags_of_second, &[]).await;
    assert_eq!((code, problems.trim()), (0, "2026-W48: 1 mails sent, 1 already sent before, 0 failed"));
    assert_eq!(recipients(&second), ["bob@example.com"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_if_the_state_cannot_be_used() {
    let dir = tempfile::tempdir().unwrap();
    let url = api(&["ann@example.com"]).await;
    let (mailbox, mut flags) = plain(dir.path(), &[]);
    write(dir.path(), "state.json", "{");
    let (code, _, problems) = send(&url, &flags, &[]).await;
    assert_eq!(code, 1);
    assert!(problems.contains("remove it to send this week's mails again"), "{problems}");
    flags[3] = format!("--state.file={}/missing/state.json", dir.path().display());
    let (code, _, problems) = send(&url, &flags, &[]).await;
    assert_eq!(code, 1);
    assert!(problems.contains("the directory must exist and be writable"), "{problems}");
    assert!(mailbox.mails().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn address_outside_of_the_allowed_domains_receives_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (mailbox, mut flags) = plain(dir.path(), &[]);
    flags.push(format!("--textfile={}", dir.path().join("digest.prom").display()));
    let url = api(&["ann@example.com", "bob@evil.example", "eve@mail.example.com"]).await;
    let (code, _, problems) = send(&url, &flags, &["--mail.fallback=ops@example.com"]).await;
    assert_eq!(code, 0, "{problems}");
    assert!(
        problems.contains("the domain of bob@evil.example is not allowed: in the mail to ops@example.com"),
        "{problems}"
    );
    assert_eq!(recipients(&mailbox), ["ann@example.com", "ops@example.com"]);
    let mail = &mailbox.mails()[1];
    assert_eq!(mail.subject, "Tokens: 2 without a recipient");
    assert!(mail.text.contains("No recipient: the domain of bob@evil.example is not allowed"), "{}", mail.text);
    let metrics = std::fs::read_to_string(dir.path().join("digest.prom")).unwrap();
    assert!(metrics.contains("{reason=\"domain_not_allowed\"} 2\n"), "{metrics}");
}
