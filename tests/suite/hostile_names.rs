//! Hostile token names are plain text in every output. The output of the real program is parsed by Prometheus, and by parsers
//! for HTML, calendars, CSV, logs and mails.

mod cases;
mod mail;
mod provider;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::test_servers::{Server, client, exporter, metrics, prometheus, query, samples, target, tool, wait_for};
use cases::{NameCase, cases};
use provider::{SOURCES, half, link};

/// The label of a rule, which comes from the configuration, may be hostile to a template too.
const TEAM: &str = r#"{{ .Labels }} "=1+1" <b> \ ,;"#;

/// Whether a character must not be in a log or on a terminal.
fn is_unsafe(c: char) -> bool {
    c.is_control() && c != '\n'
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

fn files(dir: &Path, address: std::net::SocketAddr) -> String {
    std::fs::create_dir_all(dir.join("providers")).unwrap();
    std::fs::write(dir.join("providers/hostile.yaml"), provider::DEFINITION).unwrap();
    std::fs::write(dir.join("credential"), "a-key").unwrap();
    let source = |(half, name): (usize, &&str)| {
        json!({
            "name": name, "provider": "hostile", "url": format!("http://{address}"), "half": half,
            "credential": {"file": "credential"},
        })
    };
    let sources: Vec<_> = SOURCES.iter().enumerate().map(source).collect();
    let rules = json!([{"match": {"source": SOURCES}, "labels": {"team": TEAM}}]);
    json!({"interval": "1s", "sources": sources, "rules": rules}).to_string()
}

fn providers(dir: &Path) -> String {
    format!("--providers.dir={}", dir.join("providers").display())
}

/// Parses a text with `tests/tools/read_back.py`.
pub(crate) fn read_back(dir: &Path, kind: &str, text: &str) -> Value {
    let file: PathBuf = dir.join(format!("read-back.{kind}"));
    std::fs::write(&file, text).unwrap();
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = top.join(".tools/python/bin/python");
    assert!(python.exists(), "the parsers are not installed; run `make tools`");
    let output = Command::new(python).arg(top.join("tests/tools/read_back.py")).arg(kind).arg(file).output().unwrap();
    assert!(output.status.success(), "{kind}: {}\n{text}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

async fn get(server: &Server, path: &str) -> String {
    client().get(format!("{}{path}", server.url)).send().await.unwrap().text().await.unwrap()
}

/// The cases, each with its number.
fn numbered() -> impl Iterator<Item = (usize, NameCase)> {
    cases().into_iter().enumerate()
}

/// The id of a case's token in every output.
fn id(number: usize, case: &NameCase) -> String {
    let id = format!("{} {number:02}", case.displayed);
    if case.title != "a megabyte" {
        return id;
    }
    let reported = format!("{} {number:02}", "m".repeat(1_000_000));
    format!("{}…{:08x}", "m".repeat(491), crc32fast::hash(reported.as_bytes()))
}

async fn all_listed(server: &Server) {
    wait_for("every token", || async {
        (samples(&metrics(server).await, "token_info").len() == cases().len()).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_name_is_plain_text_on_every_page() {
    let dir = tempfile::tempdir().unwrap();
    let config = files(dir.path(), provider::start().await);
    let server = exporter(dir.path(), &config, &[&providers(dir.path())]).await;
    all_listed(&server).await;

    let api: Value = serde_json::from_str(&get(&server, "/api/v1/tokens").await).unwrap();
    let tokens = api["tokens"].as_array().unwrap();
    assert_eq!(tokens.len(), cases().len());
    for (number, case) in numbered() {
        let token = tokens.iter().find(|token| token["id"] == id(number, &case)).expect(case.title);
        for value in
            [&token["name"], &token["kind"], &token["owner"]["name"], &token["scopes"][0], &token["labels"]["region"]]
        {
            assert_eq!(value, case.displayed.as_str(), "{}", case.title);
        }
        assert_eq!(token["manage_url"], json!(link(number).1), "{}", case.title);
        assert_eq!(token["labels"]["team"], TEAM);
    }

    let page = read_back(dir.path(), "html", &get(&server, "/").await);
    let leaves = page["leaves"].as_array().unwrap();
    for (number, case) in numbered() {
        assert!(leaves.iter().any(|text| *text == case.displayed), "{number} {}: {leaves:?}", case.title);
    }
    assert_inert(&page);
    for link in page["links"].as_array().unwrap() {
        let link = link.as_str().unwrap();
        assert!(
            link.starts_with("./")
                || link == "#content"
                || link.starts_with("https://ok.example/")
                || link == "https://xn--pple-43d.example/",
            "{link}"
        );
    }

    // Each link leads to a page of the token, on which the names are text again.
    for link in page["links"].as_array().unwrap().iter().filter_map(|link| link.as_str()?.strip_prefix("./token/")) {
        let page = read_back(dir.path(), "html", &get(&server, &format!("/token/{link}")).await);
        assert_inert(&page);
        let leaves = page["leaves"].as_array().unwrap();
        let shows = |(number, case): (usize, NameCase)| {
            [id(number, &case), case.displayed].iter().all(|shown| leaves.iter().any(|text| text == shown))
        };
        assert!(numbered().any(shows), "{link}: {leaves:?}");
    }

    let feed = get(&server, "/calendar.ics").await;
    // RFC 5545, 3.1.
    assert!(feed.split("\r\n").all(|line| line.len() <= 75 && !line.contains(['\r', '\n'])), "{feed}");
    for once in ["VERSION:", "PRODID:", "BEGIN:VCALENDAR"] {
        assert_eq!(feed.split("\r\n").filter(|line| line.starts_with(once)).count(), 1, "{once} {feed}");
    }
    let feed = read_back(dir.path(), "calendar", &feed);
    assert_eq!(feed["parts"], json!(["VALARM", "VCALENDAR", "VEVENT"]));
    let events = feed["events"].as_array().unwrap();
    assert_eq!(events.len(), cases().len());
    for (number, case) in numbered() {
        let summary = format!("{} expires", case.displayed);
        let event = events.iter().find(|event| event["SUMMARY"] == summary).expect(case.title);
        let description = event["DESCRIPTION"].as_str().unwrap();
        let first = format!(
            "{} {} at {} (hostile)\nOwner: {}\n",
            case.displayed,
            id(number, &case),
            SOURCES[number % 2],
            case.displayed
        );
        assert!(description.starts_with(&first), "{description:?} {first:?}");
    }
    check_adjustments(&server).await;
}

/// No element or attribute of a page comes from a name.
fn assert_inert(page: &Value) {
    const TAGS: &str = "a bdi body button caption code dd details div dl dt em footer form h1 h2 h3 head header html input label \
                        li main meta nav ol option p rect script section select span strong style summary svg table tbody td \
                        th thead time title tr ul {http://www.w3.org/2000/svg}rect \
                        {http://www.w3.org/2000/svg}svg";
    let tags: Vec<_> = TAGS.split_whitespace().collect();
    let found = page["tags"].as_array().unwrap();
    assert!(found.iter().all(|tag| tags.contains(&tag.as_str().unwrap())), "{found:?}");
    assert_eq!((&page["handlers"], &page["errors"]), (&json!([]), &json!([])));
    assert_eq!(page["scripts"], 1, "the page's own");
}

/// Every adjusted value is counted.
async fn check_adjustments(server: &Server) {
    let counts = samples(&metrics(server).await, "token_source_adjustments");
    for (number, source) in SOURCES.iter().enumerate() {
        let of = |name: &str| {
            counts.iter().find(|it| it.label("source") == *source && it.label("adjustment") == name).unwrap().value
        };
        let with = |name| half(number).iter().filter(|(_, case)| case.adjustment == Some(name)).count();
        // Other links are unreadable fields.
        let is_changed = |(text, displayed): (&str, Option<&str>)| {
            text.starts_with("http") && text.contains("//") && displayed != Some(text)
        };
        let links = half(number).iter().filter(|(number, _)| is_changed(link(*number))).count();
        // Id, owner id, name, kind, owner name, scope, and the value and the name of a label.
        assert_eq!(of("cleaned_value"), (with("cleaned_value") * 8 + links) as f64, "{source}");
        assert_eq!(of("cut_value"), (with("cut_value") * 8) as f64, "{source}");
        assert_eq!(of("refused_address"), half(number).len() as f64, "{source}");
        assert_eq!((of("duplicate_id"), of("unread_field") > 0.0), (0.0, true));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_name_is_plain_text_for_prometheus() {
    let dir = tempfile::tempdir().unwrap();
    let config = files(dir.path(), provider::start().await);
    let server = exporter(dir.path(), &config, &[&providers(dir.path())]).await;
    all_listed(&server).await;

    let checked = dir.path().join("metrics.prom");
    std::fs::write(&checked, metrics(&server).await).unwrap();
    let mut promtool = Command::new(tool("promtool"));
    let output = promtool.args(["check", "metrics"]).stdin(std::fs::File::open(&checked).unwrap()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let job = json!({"job_name": "x", "static_configs": [{"targets": [target(&server)]}]});
    let prometheus = prometheus(dir.path(), json!({"scrape_configs": [job], "rule_files": [rules(dir.path())]})).await;
    let infos = wait_for("a scrape", || async {
        Some(query(&prometheus, "token_info").await).filter(|infos| infos.len() == cases().len())
    })
    .await;
    for (number, case) in numbered() {
        let info = infos.iter().find(|info| info.label("token_id") == id(number, &case)).expect(case.title);
        for label in ["token_name", "token_kind", "token_owner", "region"] {
            assert_eq!(info.label(label), case.displayed, "{} {label}", case.title);
        }
        assert_eq!((info.label("team"), info.label("source")), (TEAM, SOURCES[number % 2]));
    }
    assert_eq!(query(&prometheus, "up == 1").await.len(), 1);
    assert!(query(&prometheus, "{__name__=~\".*evil.*\"}").await.is_empty());

    // A template in a name is not evaluated in an alert.
    let alerts = wait_for("alerts", || async {
        let response: Value = serde_json::from_str(&get(&prometheus, "/api/v1/alerts").await).unwrap();
        let alerts = response["data"]["alerts"].as_array().unwrap().clone();
        let critical: Vec<_> =
            alerts.into_iter().filter(|it| it["labels"]["alertname"] == "TokenExpiryCritical").collect();
        (critical.len() == cases().len()).then_some(critical)
    })
    .await;
    for (number, case) in numbered() {
        let alert = alerts.iter().find(|alert| alert["labels"]["token_id"] == id(number, &case)).expect(case.title);
        let name = &case.displayed;
        let expected = format!("{name} ({name}) of {name} at hostile ({}) expires in 2d ", SOURCES[number % 2]);
        let description = alert["annotations"]["description"].as_str().unwrap();
        assert!(description.starts_with(&expected), "{}: {description}", case.title);
        assert_eq!(alert["annotations"]["manage_url"].as_str().unwrap_or_default(), link(number).1.unwrap_or_default());
    }
}

/// The project's alert rules, evaluated every second.
fn rules(dir: &Path) -> PathBuf {
    let text = std::fs::read_to_string(crate::alerts::file("alerts/token-expiry.rules.yaml")).unwrap();
    let path = dir.join("rules.yaml");
    std::fs::write(&path, text.replace("interval: 1m", "interval: 1s").replace("interval: 5m", "interval: 1s"))
        .unwrap();
    path
}

/// Runs the program; returns its standard output and standard error.
fn run(dir: &Path, config: &str, arguments: &[&str]) -> (String, String) {
    let file = dir.join("list.yaml");
    std::fs::write(&file, config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter"));
    command.args(arguments).arg(format!("--config.file={}", file.display())).arg(providers(dir)).stdin(Stdio::null());
    let output = command.output().unwrap();
    (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_name_is_plain_text_on_a_terminal_and_in_csv() {
    let dir = tempfile::tempdir().unwrap();
    let config = files(dir.path(), provider::start().await);

    let (table, notes) = run(dir.path(), &config, &["list"]);
    assert_eq!(table.lines().count(), cases().len() + 1, "one row per token:\n{table}");
    for (number, case) in numbered() {
        let row = format!("{}  ", case.displayed);
        assert!(table.lines().any(|line| line.starts_with(&row)), "{number} {}:\n{table}", case.title);
    }
    // One line per failed scope and malformed row, with the hostile names.
    assert!(notes.lines().all(|line| SOURCES.iter().any(|source| line.starts_with(&format!("{source}: ")))), "{notes}");
    let (online, stderr) = run(dir.path(), &config, &["check", "--online"]);
    for printed in [&table, &notes, &online, &stderr] {
        assert!(!printed.chars().any(is_unsafe), "{printed:?}");
    }
    assert!(notes.contains("forbidden: GET ") && online.contains("forbidden"), "{notes}\n{online}");

    let (csv, _) = run(dir.path(), &config, &["list", "--output=csv"]);
    let cells = read_back(dir.path(), "csv", &csv);
    let rows = cells.as_array().unwrap();
    assert_eq!(rows.len(), cases().len() + 1);
    let column = |name: &str| rows[0].as_array().unwrap().iter().position(|cell| cell == name).unwrap();
    for (number, case) in numbered() {
        let unescaped = |text: &str| text.replace('\'', "");
        let row =
            rows.iter().find(|row| unescaped(row[column("id")].as_str().unwrap()) == unescaped(&id(number, &case)));
        let row = row.expect(case.title);
        for name in ["name", "kind", "owner"] {
            // Formulas are escaped by a prefix.
            assert_eq!(unescaped(row[column(name)].as_str().unwrap()), unescaped(&case.displayed), "{}", case.title);
        }
    }
    for cell in rows.iter().flat_map(|row| row.as_array().unwrap()) {
        for part in cell.as_str().unwrap().split(';') {
            let part = part.trim_start_matches([' ', '"']);
            assert!(!part.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠', '\t']), "a formula: {part}");
        }
    }

    let (json, _) = run(dir.path(), &config, &["list", "--output=json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    let names: Vec<_> =
        json["tokens"].as_array().unwrap().iter().map(|token| token["name"].as_str().unwrap()).collect();
    assert!(cases().iter().all(|case| names.contains(&case.displayed.as_str())), "{names:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_name_is_plain_text_in_a_log() {
    let dir = tempfile::tempdir().unwrap();
    let config = files(dir.path(), provider::start().await);
    let levels = ["debug", "info", "warn", "error"];
    for format in ["logfmt", "json"] {
        let format = format!("--log.format={format}");
        let server = exporter(dir.path(), &config, &[&providers(dir.path()), "--log.level=debug", &format]).await;
        all_listed(&server).await;
        wait_for("both sources in the log", || async {
            (server.log().matches("collection incomplete").count() >= 2).then_some(())
        })
        .await;
        let log = server.log();
        assert!(!log.chars().any(is_unsafe), "{log:?}");
        let mut counts = BTreeMap::new();
        for line in log.lines() {
            let level = if format.ends_with("json") {
                let message: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
                message["level"].as_str().unwrap().to_ascii_lowercase()
            } else {
                assert!(line.starts_with("ts=20"), "{line}");
                line.split_once(" level=").unwrap().1.split_once(' ').unwrap().0.to_owned()
            };
            assert!(levels.contains(&level.as_str()), "{line}");
            *counts.entry(level).or_insert(0) += 1;
        }
        assert!(!counts.contains_key("error"), "a name forged a line with level error:\n{log}");
        // Each name is logged twice: for a failed scope and for a malformed row.
        for text in ["<!channel> @here", "'; DROP TABLE", "half \u{fffd} end", "../../../etc/passwd"] {
            assert!(log.matches(text).count() >= 2, "{text}:\n{log}");
        }
    }
}
