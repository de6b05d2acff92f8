//! From an end that comes near to the mail of its owner, with nothing in between that is not real: the demo's servers, the
//! exporter, two Prometheus, Alertmanager, a mail server, a webhook.
//!
//! What the test changes in its own copies, and nothing else: in the rules every `for`, `keep_firing_for` and `interval` is
//! a second or two, and `last_over_time` bridges 15 seconds instead of ten minutes; in Alertmanager's configuration the
//! addresses, the waits of groups, and the working hours, which are always.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use regex::Regex;
use serde_json::{Value, json};

use super::sink::{Hooks, Mail, Mailbox};
use super::{RULES, assert_golden, file, read};
use crate::equipment::{self, Server, client, free_port, target, tool, wait_for};

pub(super) const SOON: Duration = Duration::from_secs(90);

/// The demo, as its user starts it, and the address where things are made to happen.
pub(super) struct Demo {
    pub(super) server: Server,
    control: String,
}

pub(super) async fn demo(dir: &Path) -> Demo {
    let (port, control) = (free_port(), free_port());
    let mut command = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter"));
    command.args(["demo", "--interval=1"]);
    command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    command.arg(format!("--control.listen-address=127.0.0.1:{control}"));
    let server = Server::start("demo", command, dir, port, "/-/ready").await;
    Demo { server, control: format!("http://127.0.0.1:{control}") }
}

impl Demo {
    /// Makes something happen.
    async fn make(&self, path: &str) {
        let reply = client().post(format!("{}/{path}", self.control)).send().await.unwrap();
        assert!(reply.status().is_success(), "{path}: {}", reply.status());
    }

    async fn tokens(&self) -> Vec<Token> {
        let reply = client().get(format!("{}/tokens", self.control)).send().await.unwrap();
        serde_json::from_str(&reply.text().await.unwrap()).unwrap()
    }

    /// Two healthy tokens of a person who has nothing else to hear of.
    async fn two_of_one_owner(&self) -> [Token; 2] {
        let tokens = self.tokens().await;
        let busy = ["warning", "critical", "expired", "departing"];
        let quiet = |owner: &str| {
            !tokens.iter().any(|it| it.owner.as_deref() == Some(owner) && busy.contains(&it.scenario.as_str()))
        };
        let healthy =
            |token: &&Token| token.source == "atlassian" && token.kind == "api-token" && token.scenario == "healthy";
        let of = |owner: &str| {
            tokens.iter().filter(healthy).filter(|it| it.owner.as_deref() == Some(owner)).cloned().collect::<Vec<_>>()
        };
        let owners = tokens.iter().filter_map(|token| token.owner.as_deref()).filter(|owner| quiet(owner));
        let mut found = owners.map(of).find(|tokens| tokens.len() >= 2).expect("somebody with two healthy tokens");
        found.truncate(2);
        found.try_into().unwrap_or_else(|_| panic!("two"))
    }
}

#[derive(Clone, Debug, serde::Deserialize)]
struct Token {
    source: String,
    kind: String,
    id: String,
    name: String,
    owner: Option<String>,
    scenario: String,
}

/// The rules with short waits.
fn rules(dir: &Path) -> std::path::PathBuf {
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

/// When it is working time in a test.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Hours {
    Always,
    Never,
}

/// The example configuration, as a test needs it.
pub(crate) fn configuration(mailbox: &Mailbox, hooks: &Hooks, hours: Hours) -> String {
    let weekdays = "weekdays: \\[monday:friday\\]";
    let when = if hours == Hours::Always { "weekdays: [sunday:saturday]" } else { "years: ['2000']" };
    let mut text = read("alerts/alertmanager.yaml");
    for (pattern, instead) in [
        (r"127\.0\.0\.1:2525", format!("127.0.0.1:{}", mailbox.port)),
        (r"127\.0\.0\.1:2599", format!("127.0.0.1:{}", hooks.port)),
        (r"templates/\*", file("alerts/templates/*").display().to_string()),
        (r"group_wait: \w+", "group_wait: 4s".to_owned()),
        (r"group_interval: \w+", "group_interval: 2s".to_owned()),
        (weekdays, when.to_owned()),
        (r#"start_time: "08:00", end_time: "18:00""#, r#"start_time: "00:00", end_time: "24:00""#.to_owned()),
    ] {
        let changed = Regex::new(pattern).unwrap().replace_all(&text, instead.as_str()).into_owned();
        assert_ne!(changed, text, "the example has no {pattern}");
        text = changed;
    }
    text
}

/// Alertmanager with this configuration, which stands in `alertmanager.yaml`.
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

/// One of a pair of Prometheus: an external label tells them apart, and is taken off what they send.
async fn prometheus(dir: &Path, replica: &str, exporter: &Server, alertmanager: &Server) -> Server {
    let config = json!({
        "global": {"external_labels": {"replica": replica}},
        "rule_files": [rules(dir)],
        "scrape_configs": [{"job_name": "token-expiry-exporter", "static_configs": [{"targets": [target(exporter)]}]}],
        "alerting": {
            "alert_relabel_configs": [{"action": "labeldrop", "regex": "replica"}],
            "alertmanagers": [{"static_configs": [{"targets": [target(alertmanager)]}]}],
        },
    });
    equipment::prometheus(dir, config).await
}

/// What differs from run to run: instants, spans, places, and identifiers that the demo draws.
fn normal(text: &str) -> String {
    let mut text = text.to_owned();
    for (pattern, instead) in [
        (r"\d{4}-\d{2}-\d{2} \d{2}:\d{2} UTC", "DATE"),
        (r"\b(?:\d+d )?(?:\d+h )?\d+m \d+s\b", "SPAN"),
        (r"\d+ seconds", "SPAN"),
        (r"127\.0\.0\.1:\d+", "ADDRESS"),
    ] {
        text = Regex::new(pattern).unwrap().replace_all(&text, instead).into_owned();
    }
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim().to_owned() + "\n"
}

/// The last mail of this subject once no other has come for a while: a group may begin before all that belongs to it is seen.
async fn settled(mailbox: &Mailbox, what: &str, is: impl Fn(&Mail) -> bool) -> Mail {
    let mine = || mailbox.mails().into_iter().filter(&is).collect::<Vec<_>>();
    wait_for(what, SOON, || async { (!mine().is_empty()).then_some(()) }).await;
    loop {
        let before = mine().len();
        tokio::time::sleep(Duration::from_secs(6)).await;
        if mine().len() == before {
            return mine().pop().unwrap();
        }
    }
}

/// What Alertmanager holds now: the active alerts of this name.
async fn active(alertmanager: &Server, alert: &str) -> Vec<Value> {
    let url = format!("{}/api/v2/alerts?active=true&silenced=false&filter=alertname%3D{alert}", alertmanager.url);
    serde_json::from_str(&client().get(url).send().await.unwrap().text().await.unwrap()).unwrap()
}

fn of_token(alerts: &[Value], token: &Token, status: &str) -> Option<Value> {
    alerts.iter().find(|it| it["labels"]["token_id"] == token.id.as_str() && it["status"] == status).cloned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_comes_near_reaches_its_owner_and_on_call_and_goes_again() {
    let dir = tempfile::tempdir().unwrap();
    let (mailbox, hooks) = (Mailbox::start(dir.path()), Hooks::start().await);
    let demo = demo(dir.path()).await;
    let alertmanager = alertmanager(dir.path(), &configuration(&mailbox, &hooks, Hours::Always)).await;
    let [first, second] = demo.two_of_one_owner().await;
    let owner = first.owner.clone().unwrap();
    let address = format!("{}@example.com", owner.to_lowercase().replace(' ', "."));
    for token in [&first, &second] {
        demo.make(&format!("tokens/{}/expire?in=10800", token.id)).await;
    }
    let _pair = [
        prometheus(dir.path(), "a", &demo.server, &alertmanager).await,
        prometheus(dir.path(), "b", &demo.server, &alertmanager).await,
    ];

    // The owner: one mail for both.
    let mail = settled(&mailbox, "a mail to the owner", |mail| mail.to == [address.clone()]).await;
    assert_eq!(mail.from, "tokens@example.com");
    assert_eq!(mail.subject, "2 tokens of yours need to be renewed");
    for form in [&mail.text, &mail.html] {
        assert!([&first, &second].iter().all(|token| form.contains(&token.name)), "{form}");
    }
    assert_golden("tests/golden/mails/owner.txt", &normal(&mail.text));
    assert_golden("tests/golden/mails/owner.html", &normal(&mail.html));

    // On-call: a page with the same, once for two Prometheus.
    let page = wait_for("a page", SOON, || async { of_token(&hooks.alerts("on-call"), &first, "firing") }).await;
    assert_eq!(page["labels"]["alertname"], "TokenExpiryCritical");
    assert_eq!(page["labels"]["token_owner"], owner.as_str());
    assert_eq!(page["annotations"]["summary"], "A token is about to end");
    let words = page["annotations"]["description"].as_str().unwrap();
    let expected = format!("{} (api-token) of {owner} at atlassian-cloud (atlassian) expires in 2h ", first.name);
    assert!(words.starts_with(&expected), "{words}");
    assert!(page["annotations"]["manage_url"].as_str().unwrap().starts_with("http"), "{page}");
    let critical = active(&alertmanager, "TokenExpiryCritical").await;
    let mine = critical.iter().filter(|it| it["labels"]["token_id"] == first.id.as_str());
    assert_eq!(mine.count(), 1, "two servers, one alert: {critical:?}");

    // Nobody's tokens, the broken policies, and a team's chat.
    let nobody =
        settled(&mailbox, "a mail for those without an address", |mail| mail.subject.contains("without a known")).await;
    assert_eq!(nobody.to, ["platform@example.com"]);
    let unused = "Tokens break a policy: unused (platform)";
    let policy = settled(&mailbox, "a mail about policies", |mail| mail.subject == unused).await;
    assert_eq!(policy.to, ["auditors@example.com"]);
    assert_golden("tests/golden/mails/policy.txt", &normal(&policy.text));
    assert_golden("tests/golden/mails/policy.html", &normal(&policy.html));
    let chats = wait_for("a chat", SOON, || async {
        let chats = [hooks.sent_to("team-platform"), hooks.sent_to("fallback")].concat();
        (!chats.is_empty()).then_some(chats)
    })
    .await;
    let chat = chats[0]["attachments"][0]["text"].as_str().unwrap();
    assert!(chat.starts_with("• ") && chat.contains("|what to do>"), "{chat}");

    // The provider goes: the alert stays, and the source has one of its own.
    demo.make("providers/atlassian/stop").await;
    wait_for("a page about the source", SOON, || async {
        let alerts = hooks.alerts("on-call");
        let failing =
            |it: &&Value| it["labels"]["alertname"] == "TokenSourceFailing" && it["labels"]["source"] == "atlassian";
        alerts.iter().find(failing).map(|it| assert_eq!(it["annotations"]["summary"], "A source does not answer"))
    })
    .await;
    let still = active(&alertmanager, "TokenExpiryCritical").await;
    assert!(still.iter().any(|it| it["labels"]["token_id"] == first.id.as_str()), "the alert goes on: {still:?}");
    assert!(of_token(&hooks.alerts("on-call"), &first, "resolved").is_none());

    // Back, and rotated: the page is taken back; the other token's is not.
    demo.make("providers/atlassian/start").await;
    demo.make(&format!("tokens/{}/rotate", first.id)).await;
    wait_for("the page to be taken back", SOON, || async { of_token(&hooks.alerts("on-call"), &first, "resolved") })
        .await;
    let left = active(&alertmanager, "TokenExpiryCritical").await;
    let ids: Vec<_> = left.iter().map(|it| it["labels"]["token_id"].as_str().unwrap()).collect();
    assert!(ids.contains(&second.id.as_str()) && !ids.contains(&first.id.as_str()), "{ids:?}");
}
