//! From an approaching expiry to the owner's mail, with real components: the demo's servers, the exporter, two Prometheus
//! servers, Alertmanager, a mail server and a webhook.
//!
//! The test changes only its own copies. In the rules, `for`, `keep_firing_for` and `interval` are one or two seconds, and
//! `last_over_time` bridges 15 seconds instead of ten minutes. In Alertmanager's configuration it changes the addresses, the
//! group intervals and the working hours.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use regex::Regex;
use serde_json::{Value, json};

use super::mail_facts::{check_facts, check_link_to_renew};
use super::sink::{Mail, Mailbox, Webhooks};
use super::{RULES, assert_golden, file, read};
use crate::test_servers::{self, Server, client, free_port, target, tool, wait_for};

/// The demo as a user starts it, and the URL of its control server.
pub(super) struct Demo {
    pub(super) server: Server,
    control_url: String,
}

pub(super) async fn demo(dir: &Path) -> Demo {
    let (port, control) = (free_port(), free_port());
    let mut command = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter"));
    command.args(["demo", "--interval=1"]);
    command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    command.arg(format!("--control.listen-address=127.0.0.1:{control}"));
    let server = Server::start("demo", command, dir, port, "/-/ready").await;
    Demo { server, control_url: format!("http://127.0.0.1:{control}") }
}

impl Demo {
    /// Sends a control request.
    async fn control(&self, path: &str) {
        let reply = client().post(format!("{}/{path}", self.control_url)).send().await.unwrap();
        assert!(reply.status().is_success(), "{path}: {}", reply.status());
    }

    async fn tokens(&self) -> Vec<Token> {
        let reply = client().get(format!("{}/tokens", self.control_url)).send().await.unwrap();
        serde_json::from_str(&reply.text().await.unwrap()).unwrap()
    }

    /// Two healthy tokens of an owner without due tokens.
    async fn two_of_one_owner(&self) -> [Token; 2] {
        let tokens = self.tokens().await;
        let due = ["warning", "critical", "expired", "departing"];
        let has_no_due_tokens = |owner: &str| {
            !tokens.iter().any(|it| it.owner.as_deref() == Some(owner) && due.contains(&it.scenario.as_str()))
        };
        let healthy =
            |token: &&Token| token.source == "atlassian" && token.kind == "api-token" && token.scenario == "healthy";
        let of = |owner: &str| {
            tokens.iter().filter(healthy).filter(|it| it.owner.as_deref() == Some(owner)).cloned().collect::<Vec<_>>()
        };
        let owners = tokens.iter().filter_map(|token| token.owner.as_deref()).filter(|owner| has_no_due_tokens(owner));
        let mut found = owners.map(of).find(|tokens| tokens.len() >= 2).expect("no owner with two healthy tokens");
        found.truncate(2);
        found.try_into().unwrap_or_else(|_| panic!("two tokens"))
    }
}

#[derive(Clone, Debug, serde::Deserialize)]
pub(super) struct Token {
    source: String,
    kind: String,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) owner: Option<String>,
    scenario: String,
}

/// Writes the rules with short durations.
pub(crate) fn write_rules(dir: &Path) -> std::path::PathBuf {
    let mut text = read(RULES);
    for (pattern, short) in [
        (r"(?m)^        for: \w+", "        for: 2s"),
        (r"(?m)^        keep_firing_for: \w+", "        keep_firing_for: 1s"),
        (r"(?m)^    interval: \w+", "    interval: 1s"),
        (r"\[10m\]", "[15s]"),
    ] {
        text = Regex::new(pattern).unwrap().replace_all(&text, short).into_owned();
    }
    let path = dir.join("rules.yaml");
    std::fs::write(&path, text).unwrap();
    path
}

/// The working hours of a test.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum WorkingHours {
    Always,
    Never,
}

/// The example configuration, adapted to a test.
pub(crate) fn configuration(mailbox: &Mailbox, webhooks: &Webhooks, hours: WorkingHours) -> String {
    let weekdays = "weekdays: \\[monday:friday\\]";
    let days = if hours == WorkingHours::Always { "weekdays: [sunday:saturday]" } else { "years: ['2000']" };
    let mut text = read("alerts/alertmanager.yaml");
    for (pattern, replacement) in [
        (r"127\.0\.0\.1:2525", format!("127.0.0.1:{}", mailbox.port)),
        (r"127\.0\.0\.1:2599", format!("127.0.0.1:{}", webhooks.port)),
        (r"templates/\*", file("alerts/templates/*").display().to_string()),
        (r"group_wait: \w+", "group_wait: 4s".to_owned()),
        (r"group_interval: \w+", "group_interval: 2s".to_owned()),
        (weekdays, days.to_owned()),
        (r#"start_time: "08:00", end_time: "18:00""#, r#"start_time: "00:00", end_time: "24:00""#.to_owned()),
    ] {
        let changed = Regex::new(pattern).unwrap().replace_all(&text, replacement.as_str()).into_owned();
        assert_ne!(changed, text, "the example has no {pattern}");
        text = changed;
    }
    text
}

/// Starts Alertmanager with this configuration, which it writes to `alertmanager.yaml`.
pub(crate) async fn alertmanager(dir: &Path, configuration: &str) -> Server {
    let port = free_port();
    let config = dir.join("alertmanager.yaml");
    std::fs::write(&config, configuration).unwrap();
    let mut command = Command::new(tool("alertmanager"));
    command.arg(format!("--config.file={}", config.display()));
    command.arg(format!("--storage.path={}", dir.join("alertmanager").display()));
    command.arg(format!("--web.listen-address=127.0.0.1:{port}")).arg("--cluster.listen-address=");
    Server::start("alertmanager", command, dir, port, "/-/ready").await
}

/// Starts one Prometheus of a pair. They differ by an external label, which is removed from their alerts.
async fn prometheus(dir: &Path, replica: &str, exporter: &Server, alertmanager: &Server) -> Server {
    let config = json!({
        "global": {"external_labels": {"replica": replica}},
        "rule_files": [write_rules(dir)],
        "scrape_configs": [{"job_name": "token-expiry-exporter", "static_configs": [{"targets": [target(exporter)]}]}],
        "alerting": {
            "alert_relabel_configs": [{"action": "labeldrop", "regex": "replica"}],
            "alertmanagers": [{"static_configs": [{"targets": [target(alertmanager)]}]}],
        },
    });
    test_servers::prometheus(dir, config).await
}

/// Replaces what differs between runs: times, durations and addresses.
fn normalize(text: &str) -> String {
    let mut text = text.to_owned();
    for (pattern, replacement) in [
        (r"\d{4}-\d{2}-\d{2} \d{2}:\d{2} UTC", "DATE"),
        (r"\d{4}-\d{2}-\d{2}", "DAY"),
        (r"\b(?:\d+d )?(?:\d+h )?\d+m \d+s\b", "SPAN"),
        (r"\d+ seconds", "SPAN"),
        (r"127\.0\.0\.1:\d+", "ADDRESS"),
    ] {
        text = Regex::new(pattern).unwrap().replace_all(&text, replacement).into_owned();
    }
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim().to_owned() + "\n"
}

/// Waits until no further matching mail arrives, and returns the last one: the first mail of a group may not have all alerts.
pub(super) async fn last_mail(mailbox: &Mailbox, description: &str, matches: impl Fn(&Mail) -> bool) -> Mail {
    let found = || mailbox.mails().into_iter().filter(&matches).collect::<Vec<_>>();
    wait_for(description, || async { (!found().is_empty()).then_some(()) }).await;
    loop {
        let before = found().len();
        tokio::time::sleep(Duration::from_secs(6)).await;
        if found().len() == before {
            return found().pop().unwrap();
        }
    }
}

/// The active alerts with this name in Alertmanager.
async fn active_alerts(alertmanager: &Server, alert: &str) -> Vec<Value> {
    let url = format!("{}/api/v2/alerts?active=true&silenced=false&filter=alertname%3D{alert}", alertmanager.url);
    serde_json::from_str(&client().get(url).send().await.unwrap().text().await.unwrap()).unwrap()
}

fn of_token(alerts: &[Value], token: &Token, status: &str) -> Option<Value> {
    alerts.iter().find(|it| it["labels"]["token_id"] == token.id.as_str() && it["status"] == status).cloned()
}

#[tokio::test(flavor = "multi_thread")]
async fn approaching_expiry_notifies_owner_and_on_call_until_the_token_is_rotated() {
    let dir = tempfile::tempdir().unwrap();
    let (mailbox, webhooks) = (Mailbox::start(dir.path()), Webhooks::start().await);
    let demo = demo(dir.path()).await;
    let alertmanager = alertmanager(dir.path(), &configuration(&mailbox, &webhooks, WorkingHours::Always)).await;
    let [first, second] = demo.two_of_one_owner().await;
    let owner = first.owner.clone().unwrap();
    let address = format!("{}@example.com", owner.to_lowercase().replace(' ', "."));
    // The mail is ordered by date, to the minute.
    for (token, seconds) in [(&first, 10_800), (&second, 9_000)] {
        demo.control(&format!("tokens/{}/expire?in={seconds}", token.id)).await;
    }
    let _prometheus_pair = [
        prometheus(dir.path(), "a", &demo.server, &alertmanager).await,
        prometheus(dir.path(), "b", &demo.server, &alertmanager).await,
    ];

    // The owner gets one mail for both tokens.
    let mail = last_mail(&mailbox, "a mail to the owner", |mail| mail.to == [address.clone()]).await;
    assert_eq!(mail.from, "tokens@example.com");
    assert_eq!(mail.subject, "2 of your tokens need to be renewed");
    for form in [&mail.text, &mail.html] {
        assert!([&first, &second].iter().all(|token| form.contains(&token.name)), "{form}");
    }
    check_facts(&demo, &mail, &[&first, &second]).await;
    assert_golden("tests/golden/mails/owner.txt", &normalize(&mail.text));
    assert_golden("tests/golden/mails/owner.html", &normalize(&mail.html));

    // On-call gets one page per token from two Prometheus servers.
    let page = wait_for("a page", || async { of_token(&webhooks.alerts("on-call"), &first, "firing") }).await;
    assert_eq!(page["labels"]["alertname"], "TokenExpiryCritical");
    assert_eq!(page["labels"]["token_owner"], owner.as_str());
    assert_eq!(page["annotations"]["summary"], "A token is about to expire");
    let description = page["annotations"]["description"].as_str().unwrap();
    let expected = format!("{} (api-token) of {owner} at atlassian-cloud (atlassian) expires in 2h ", first.name);
    assert!(description.starts_with(&expected), "{description}");
    // Atlassian's page shows every reader his own tokens, so it is no link for on-call.
    assert_eq!(page["annotations"]["manage_url"], "", "{page}");
    let critical = active_alerts(&alertmanager, "TokenExpiryCritical").await;
    let mine = critical.iter().filter(|it| it["labels"]["token_id"] == first.id.as_str());
    assert_eq!(mine.count(), 1, "one alert from two servers: {critical:?}");

    // Tokens without an address, policy findings, and the chat of a team.
    let no_owner = last_mail(&mailbox, "a mail on tokens without an address", |mail| {
        mail.subject.contains("without an owner address")
    })
    .await;
    assert_eq!(no_owner.to, ["platform@example.com"]);
    assert!(
        no_owner.text.contains(" without an owner address ") && !no_owner.text.contains("of your tokens"),
        "{no_owner:?}"
    );
    check_link_to_renew(&mailbox).await;
    let unused = "Tokens violate a policy: unused (platform)";
    let policy = last_mail(&mailbox, "a mail on a policy", |mail| mail.subject == unused).await;
    assert_eq!(policy.to, ["auditors@example.com"]);
    assert_golden("tests/golden/mails/policy.txt", &normalize(&policy.text));
    assert_golden("tests/golden/mails/policy.html", &normalize(&policy.html));
    let chats = wait_for("a chat", || async {
        let chats = [webhooks.sent_to("team-platform"), webhooks.sent_to("fallback")].concat();
        (!chats.is_empty()).then_some(chats)
    })
    .await;
    let chat = chats[0]["attachments"][0]["text"].as_str().unwrap();
    assert!(chat.starts_with("• ") && chat.contains("|what to do>"), "{chat}");

    // The provider stops: the alert stays, and TokenSourceFailing fires.
    demo.control("providers/atlassian/stop").await;
    wait_for("a page about the source", || async {
        let alerts = webhooks.alerts("on-call");
        let failing =
            |it: &&Value| it["labels"]["alertname"] == "TokenSourceFailing" && it["labels"]["source"] == "atlassian";
        alerts.iter().find(failing).map(|it| assert_eq!(it["annotations"]["summary"], "A source is failing"))
    })
    .await;
    let still = active_alerts(&alertmanager, "TokenExpiryCritical").await;
    assert!(still.iter().any(|it| it["labels"]["token_id"] == first.id.as_str()), "the alert has resolved: {still:?}");
    assert!(of_token(&webhooks.alerts("on-call"), &first, "resolved").is_none());

    // The provider is back and one token is rotated: only its page resolves.
    demo.control("providers/atlassian/start").await;
    demo.control(&format!("tokens/{}/rotate", first.id)).await;
    wait_for("the page to resolve", || async { of_token(&webhooks.alerts("on-call"), &first, "resolved") }).await;
    let left = active_alerts(&alertmanager, "TokenExpiryCritical").await;
    let ids: Vec<_> = left.iter().map(|it| it["labels"]["token_id"].as_str().unwrap()).collect();
    assert!(ids.contains(&second.id.as_str()) && !ids.contains(&first.id.as_str()), "{ids:?}");
}
