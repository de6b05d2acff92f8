//! A mail about tokens with hostile names, through Prometheus and Alertmanager to a mail server.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::cases::NameCase;
use super::{all_listed, files, get, id, numbered, provider, providers, read_back, rules};
use crate::alerts::delivery::{WorkingHours, alertmanager, configuration};
use crate::alerts::sink::{Mailbox, Webhooks};
use crate::test_servers::{exporter, prometheus, target, wait_for};

#[tokio::test(flavor = "multi_thread")]
async fn hostile_name_is_plain_text_in_a_mail() {
    let dir = tempfile::tempdir().unwrap();
    let (mailbox, hooks) = (Mailbox::start(dir.path()), Webhooks::start().await);
    let alertmanager = alertmanager(dir.path(), &configuration(&mailbox, &hooks, WorkingHours::Always)).await;
    let config = files(dir.path(), provider::start().await);
    let external = "--web.external-url=https://tokens.example.com/t/";
    let server = exporter(dir.path(), &config, &[&providers(dir.path()), external]).await;
    all_listed(&server).await;
    let config = json!({
        "scrape_configs": [{"job_name": "x", "static_configs": [{"targets": [target(&server)]}]}],
        "rule_files": [rules(dir.path())],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [target(&alertmanager)]}]}]},
    });
    let _prometheus = prometheus(dir.path(), config).await;

    // One mail per source, as no owner has a valid address.
    let mails = wait_for("a mail with every token", || async {
        let mails = mailbox.mails();
        let has = |name: &str| mails.iter().any(|mail| mail.text.contains(name));
        numbered().all(|(_, case)| has(&format!("* {}: ", case.displayed))).then_some(mails)
    })
    .await;
    assert!(mails.iter().all(|mail| !mail.subject.contains(['\n', '\r'])), "{mails:?}");
    assert!(mails.iter().all(|mail| mail.to.len() == 1 && mail.to[0].ends_with("@example.com")), "{mails:?}");
    let pages: Vec<_> = mails.iter().map(|mail| read_back(dir.path(), "html", &mail.html)).collect();
    for (number, case) in numbered() {
        let displayed = case.displayed.split_whitespace().collect::<Vec<_>>().join(" ");
        let has = |page: &serde_json::Value| page["text"].as_str().unwrap().contains(&displayed);
        assert!(pages.iter().any(has), "{number} {}", case.title);
    }
    // Each mail has the link to the page of each of its tokens.
    let mut shown = BTreeSet::new();
    for link in pages.iter().flat_map(|page| page["links"].as_array().unwrap()).filter_map(Value::as_str) {
        if let Some(address) = link.strip_prefix("https://tokens.example.com") {
            let page = read_back(dir.path(), "html", &get(&server, address).await);
            let leaves = page["leaves"].as_array().unwrap();
            let is_of = |(number, case): &(usize, NameCase)| leaves.iter().any(|text| *text == id(*number, case));
            shown.insert(numbered().find(is_of).unwrap_or_else(|| panic!("{link}: {leaves:?}")).0);
        }
    }
    assert_eq!(shown.len(), numbered().count(), "{shown:?}");
    for page in &pages {
        assert_eq!(page["handlers"], json!([]));
        let tags: Vec<_> = page["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap()).collect();
        assert!(!tags.iter().any(|tag| ["script", "img", "svg", "iframe", "object", "form"].contains(tag)), "{tags:?}");
        for link in page["links"].as_array().unwrap() {
            let link = link.as_str().unwrap();
            let expected = [
                "https://ok.example/",
                "https://tokens.example.com/t/token?",
                "https://xn--pple-43d.example/",
                "https://runbooks.example.com/",
                "https://grafana.example.com/",
            ];
            assert!(expected.iter().any(|start| link.starts_with(start)), "{link}");
        }
    }
}
