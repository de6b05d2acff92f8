//! Names that try to become a header, a recipient, markup or a command.

use serde_json::json;

use super::{Api, base, digest, source, token};
use crate::alerts::sink::Mailbox;
use crate::hostile_names::read_back;

const NAMES: [&str; 8] = [
    "a\r\nBcc: x@evil.example",
    "a\r\n\r\n<h1>phish</h1>",
    "=?utf-8?q?=0D=0ABcc:_x@evil.example?=",
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "</style><a href='https://evil.example/'>renew</a>",
    "\u{202e}moc.elpmaxe\u{1b}[2J",
    ".\r\nMAIL FROM:<x@evil.example>",
];

#[tokio::test(flavor = "multi_thread")]
async fn hostile_text_adds_no_header_recipient_or_markup() {
    let dir = tempfile::tempdir().unwrap();
    let mailbox = Mailbox::start(dir.path());
    for (number, name) in NAMES.into_iter().enumerate() {
        let hostile = token(
            name,
            json!({
                "name": name, "kind": name, "source": name, "provider": name, "owner": {"id": name, "name": name, "email": null},
                "labels": {"team": name}, "manage_url": format!("javascript:alert('{name}')"),
                "locations": [{"kind": "file", "place": name, "last_seen": null}],
                "renewal": {"steps": [name], "docs": "data:text/html,x"},
            }),
        );
        let url = Api::new(vec![hostile], vec![source(name, false)]).start().await;
        let state = format!("--state.file={}", dir.path().join(format!("{number}.json")).display());
        let team =
            format!("--mail.team={}=team@example.com", name.replace(['\r', '\n', '\u{202e}', '\u{1b}'], "\u{fffd}"));
        let server = format!("--smtp.server=127.0.0.1:{}", mailbox.port);
        let flags = ["--mail.by=team", &team, &server, "--smtp.tls=none", "--mail.from=tokens@example.com", &state];
        let link = "--web.external-url=https://ok.example/";
        let (code, _, problems) = digest(&base(&url, &[&flags[..], &[link]].concat())).await;
        assert_eq!(code, 3, "{name:?}: {problems}");
        assert!(!problems.contains('\u{1b}') && !problems.contains('\u{202e}'), "{problems:?}");
        let mails = mailbox.mails();
        assert_eq!(mails.len(), number + 1, "{name:?}: {problems}");
        let mail = &mails[number];
        assert_eq!(mail.to, ["team@example.com"], "{name:?}");
        let headers: Vec<&str> = mail.headers.iter().map(|(name, _)| name.as_str()).collect();
        let expected =
            ["From", "To", "Date", "Message-ID", "Subject", "Auto-Submitted", "MIME-Version", "Content-Type"];
        let mut sorted = headers.clone();
        sorted.sort_unstable();
        let mut expected_sorted = expected.to_vec();
        expected_sorted.sort_unstable();
        assert_eq!(sorted, expected_sorted, "{name:?}");
        assert!(!mail.subject.contains(['\r', '\n']) && mail.subject.starts_with("Tokens of "), "{:?}", mail.subject);
        assert!(mail.subject.ends_with(": 1 to renew now, list may be incomplete"), "{:?}", mail.subject);
        // A name is on one line, behind the mark of a token.
        assert_eq!(mail.text.matches("\n* ").count(), 1, "{}", mail.text);
        assert!(!mail.text.contains(['\u{1b}', '\u{202e}', '\r']), "{:?}", mail.text);
        assert!(!mail.text.contains("javascript:") && !mail.text.contains("data:"), "{}", mail.text);
        let page = read_back(dir.path(), "html", &mail.html);
        assert_eq!(page["handlers"], json!([]), "{name:?}");
        let tags: Vec<&str> = page["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap()).collect();
        assert!(!tags.iter().any(|tag| ["script", "img", "svg", "iframe", "object", "form"].contains(tag)), "{tags:?}");
        let links: Vec<&str> = page["links"].as_array().unwrap().iter().map(|link| link.as_str().unwrap()).collect();
        assert_eq!(links.len(), 1, "{links:?}");
        assert!(links[0].starts_with("https://ok.example/token?source="), "{links:?}");
    }
}
