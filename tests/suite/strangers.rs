//! What strangers call a token reaches every surface as text, and as nothing else: the real program, read back by
//! Prometheus, by a browser's parser, by a calendar, by a spreadsheet's, in logs and mails.

mod mail;
mod vendor;
mod words;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::equipment::{Server, client, exporter, metrics, prometheus, query, samples, target, tool, wait_for};
use vendor::{SOURCES, half, link};
use words::{Word, words};

const SOON: Duration = Duration::from_secs(60);

/// Labels by rules are the administrator's words, and may be hostile to a template too.
const TEAM: &str = r#"{{ .Labels }} "=1+1" <b> \ ,;"#;

/// What a reader of a log, or a terminal, must not be sent.
fn is_raw(c: char) -> bool {
    c.is_control() && c != '\n'
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

fn files(dir: &Path, address: std::net::SocketAddr) -> String {
    std::fs::create_dir_all(dir.join("providers")).unwrap();
    std::fs::write(dir.join("providers/strange.yaml"), vendor::DEFINITION).unwrap();
    std::fs::write(dir.join("credential"), "no-word-of-theirs").unwrap();
    let source = |(half, name): (usize, &&str)| {
        json!({
            "name": name, "provider": "strange", "url": format!("http://{address}"), "half": half,
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

/// What `tests/tools/read_back.py` reads in a text.
fn read_back(dir: &Path, kind: &str, text: &str) -> Value {
    let file: PathBuf = dir.join(format!("read-back.{kind}"));
    std::fs::write(&file, text).unwrap();
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = top.join(".tools/python/bin/python");
    assert!(python.exists(), "the readers are not installed: run `make tools` first");
    let output = Command::new(python).arg(top.join("tests/tools/read_back.py")).arg(kind).arg(file).output().unwrap();
    assert!(output.status.success(), "{kind}: {}\n{text}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

async fn get(server: &Server, path: &str) -> String {
    client().get(format!("{}{path}", server.url)).send().await.unwrap().text().await.unwrap()
}

/// The words, each with its number.
fn numbered() -> impl Iterator<Item = (usize, Word)> {
    words().into_iter().enumerate()
}

/// The identifier that a word's token has in the end.
fn id(number: usize, word: &Word) -> String {
    let id = format!("{} {number:02}", word.shown);
    if word.what != "a megabyte" {
        return id;
    }
    let told = format!("{} {number:02}", "m".repeat(1_000_000));
    format!("{}…{:08x}", "m".repeat(491), crc32fast::hash(told.as_bytes()))
}

async fn all_listed(server: &Server) {
    wait_for("every token", SOON, || async {
        (samples(&metrics(server).await, "token_info").len() == words().len()).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_s_word_is_text_on_every_page_and_in_every_file() {
    let dir = tempfile::tempdir().unwrap();
    let config = files(dir.path(), vendor::start().await);
    let server = exporter(dir.path(), &config, &[&providers(dir.path())]).await;
    all_listed(&server).await;

    let api: Value = serde_json::from_str(&get(&server, "/api/v1/tokens").await).unwrap();
    let tokens = api["tokens"].as_array().unwrap();
    assert_eq!(tokens.len(), words().len());
    for (number, word) in numbered() {
        let token = tokens.iter().find(|token| token["id"] == id(number, &word)).expect(word.what);
        for shown in
            [&token["name"], &token["kind"], &token["owner"]["name"], &token["scopes"][0], &token["labels"]["region"]]
        {
            assert_eq!(shown, word.shown.as_str(), "{}", word.what);
        }
        assert_eq!(token["manage_url"], json!(link(number).1), "{}", word.what);
        assert_eq!(token["labels"]["team"], TEAM);
    }

    let page = read_back(dir.path(), "html", &get(&server, "/").await);
    let rows = page["rows"].as_array().unwrap();
    for (number, word) in numbered() {
        let has = |text: &str| rows.iter().any(|row| row.as_array().unwrap().iter().any(|cell| cell == text));
        assert!(has(&word.shown), "{number} {}: {rows:?}", word.what);
    }
    assert_eq!((&page["handlers"], &page["errors"]), (&json!([]), &json!([])));
    let tags =
        ["a", "body", "footer", "h1", "h2", "head", "header", "html", "link", "main", "meta", "nav", "p", "span"];
    let tags: Vec<_> = tags
        .into_iter()
        .chain(["style", "table", "tbody", "td", "th", "time", "title", "tr", "div", "ul", "li"])
        .collect();
    assert!(
        page["tags"].as_array().unwrap().iter().all(|tag| tags.contains(&tag.as_str().unwrap())),
        "{}",
        page["tags"]
    );
    for link in page["links"].as_array().unwrap() {
        let link = link.as_str().unwrap();
        assert!(
            link.starts_with('/') || link.starts_with("https://ok.example/") || link == "https://xn--pple-43d.example/",
            "{link}"
        );
    }

    let feed = get(&server, "/calendar.ics").await;
    // RFC 5545, 3.1, advises 75 bytes; the library does not count the blank that begins a folded line.
    assert!(feed.split("\r\n").all(|line| line.len() <= 76 && !line.contains(['\r', '\n'])), "{feed}");
    for once in ["VERSION:", "PRODID:", "BEGIN:VCALENDAR"] {
        assert_eq!(feed.split("\r\n").filter(|line| line.starts_with(once)).count(), 1, "{once} {feed}");
    }
    let feed = read_back(dir.path(), "calendar", &feed);
    assert_eq!(feed["parts"], json!(["VCALENDAR", "VEVENT"]));
    let events = feed["events"].as_array().unwrap();
    assert_eq!(events.len(), words().len());
    for (number, word) in numbered() {
        let summary = format!("{} expires", word.shown);
        let event = events.iter().find(|event| event["SUMMARY"] == summary).expect(word.what);
        let words = event["DESCRIPTION"].as_str().unwrap();
        let first = format!(
            "{} {} at {} (strange)\nOwner: {}\n",
            word.shown,
            id(number, &word),
            SOURCES[number % 2],
            word.shown
        );
        assert!(words.starts_with(&first), "{words:?} {first:?}");
    }
    adjustments(&server).await;
}

/// What was cleaned, cut or refused is counted: by the values of each token that hold the word.
async fn adjustments(server: &Server) {
    let counts = samples(&metrics(server).await, "token_source_adjustments");
    for (number, source) in SOURCES.iter().enumerate() {
        let of = |name: &str| {
            counts.iter().find(|it| it.label("source") == *source && it.label("adjustment") == name).unwrap().value
        };
        let with = |name| half(number).iter().filter(|(_, word)| word.adjusted == Some(name)).count();
        // What is no address of the web at all is a field that cannot be read.
        let changed = |(text, shown): (&str, Option<&str>)| {
            text.starts_with("http") && text.contains("//") && shown != Some(text)
        };
        let links = half(number).iter().filter(|(number, _)| changed(link(*number))).count();
        // Identifier, its copy in the owner, name, kind, owner, scope, the label's value and its name.
        assert_eq!(of("cleaned_value"), (with("cleaned_value") * 8 + links) as f64, "{source}");
        assert_eq!(of("cut_value"), (with("cut_value") * 8) as f64, "{source}");
        assert_eq!(of("refused_address"), half(number).len() as f64, "{source}");
        assert_eq!((of("duplicate_id"), of("unread_field") > 0.0), (0.0, true));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_s_word_is_text_for_prometheus() {
    let dir = tempfile::tempdir().unwrap();
    let config = files(dir.path(), vendor::start().await);
    let server = exporter(dir.path(), &config, &[&providers(dir.path())]).await;
    all_listed(&server).await;

    let checked = dir.path().join("metrics.prom");
    std::fs::write(&checked, metrics(&server).await).unwrap();
    let mut promtool = Command::new(tool("promtool"));
    let output = promtool.args(["check", "metrics"]).stdin(std::fs::File::open(&checked).unwrap()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let job = json!({"job_name": "x", "static_configs": [{"targets": [target(&server)]}]});
    let prometheus = prometheus(dir.path(), json!({"scrape_configs": [job], "rule_files": [rules(dir.path())]})).await;
    let infos = wait_for("a scrape", SOON, || async {
        Some(query(&prometheus, "token_info").await).filter(|infos| infos.len() == words().len())
    })
    .await;
    for (number, word) in numbered() {
        let info = infos.iter().find(|info| info.label("token_id") == id(number, &word)).expect(word.what);
        for label in ["token_name", "token_kind", "token_owner", "region"] {
            assert_eq!(info.label(label), word.shown, "{} {label}", word.what);
        }
        assert_eq!((info.label("team"), info.label("source")), (TEAM, SOURCES[number % 2]));
    }
    assert_eq!(query(&prometheus, "up == 1").await.len(), 1);
    assert!(query(&prometheus, "{__name__=~\".*evil.*\"}").await.is_empty());

    // The words of an alert: what looks like a template in a name is not read as one.
    let alerts = wait_for("alerts", SOON, || async {
        let answer: Value = serde_json::from_str(&get(&prometheus, "/api/v1/alerts").await).unwrap();
        let alerts = answer["data"]["alerts"].as_array().unwrap().clone();
        let critical: Vec<_> =
            alerts.into_iter().filter(|it| it["labels"]["alertname"] == "TokenExpiryCritical").collect();
        (critical.len() == words().len()).then_some(critical)
    })
    .await;
    for (number, word) in numbered() {
        let alert = alerts.iter().find(|alert| alert["labels"]["token_id"] == id(number, &word)).expect(word.what);
        let shown = &word.shown;
        let expected = format!("{shown} ({shown}) of {shown} at strange ({}) expires in 2d ", SOURCES[number % 2]);
        let said = alert["annotations"]["description"].as_str().unwrap();
        assert!(said.starts_with(&expected), "{}: {said}", word.what);
        assert_eq!(alert["annotations"]["manage_url"].as_str().unwrap_or_default(), link(number).1.unwrap_or_default());
    }
}

/// The project's own rules, evaluated every second.
fn rules(dir: &Path) -> PathBuf {
    let text = std::fs::read_to_string(crate::alerts::file("alerts/token-expiry.rules.yaml")).unwrap();
    let path = dir.join("rules.yaml");
    std::fs::write(&path, text.replace("interval: 1m", "interval: 1s").replace("interval: 5m", "interval: 1s"))
        .unwrap();
    path
}

/// What the program prints: its output, and what it says beside it.
fn run(dir: &Path, config: &str, arguments: &[&str]) -> (String, String) {
    let file = dir.join("list.yaml");
    std::fs::write(&file, config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter"));
    command.args(arguments).arg(format!("--config.file={}", file.display())).arg(providers(dir)).stdin(Stdio::null());
    let output = command.output().unwrap();
    (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_s_word_is_text_on_a_terminal_and_in_a_spreadsheet() {
    let dir = tempfile::tempdir().unwrap();
    let config = files(dir.path(), vendor::start().await);

    let (table, notes) = run(dir.path(), &config, &["list"]);
    assert_eq!(table.lines().count(), words().len() + 1, "a row a token:\n{table}");
    for (number, word) in numbered() {
        let row = format!("{}  ", word.shown);
        assert!(table.lines().any(|line| line.starts_with(&row)), "{number} {}:\n{table}", word.what);
    }
    // Each gap and odd row is a line; the strangers' words are in them.
    assert!(notes.lines().all(|line| SOURCES.iter().any(|source| line.starts_with(&format!("{source}: ")))), "{notes}");
    let (online, refused) = run(dir.path(), &config, &["check", "--online"]);
    for printed in [&table, &notes, &online, &refused] {
        assert!(!printed.chars().any(is_raw), "{printed:?}");
    }
    assert!(notes.contains("forbidden: GET ") && online.contains("refused"), "{notes}\n{online}");

    let (csv, _) = run(dir.path(), &config, &["list", "--output=csv"]);
    let cells = read_back(dir.path(), "csv", &csv);
    let rows = cells.as_array().unwrap();
    assert_eq!(rows.len(), words().len() + 1);
    let column = |name: &str| rows[0].as_array().unwrap().iter().position(|cell| cell == name).unwrap();
    for (number, word) in numbered() {
        let told = |text: &str| text.replace('\'', "");
        let row = rows.iter().find(|row| told(row[column("id")].as_str().unwrap()) == told(&id(number, &word)));
        let row = row.expect(word.what);
        for name in ["name", "kind", "owner"] {
            // What is put before a formula is all that differs.
            assert_eq!(told(row[column(name)].as_str().unwrap()), told(&word.shown), "{}", word.what);
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
    assert!(words().iter().all(|word| names.contains(&word.shown.as_str())), "{names:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_s_word_is_text_in_a_log() {
    let dir = tempfile::tempdir().unwrap();
    let config = files(dir.path(), vendor::start().await);
    let levels = ["debug", "info", "warn", "error"];
    for format in ["logfmt", "json"] {
        let format = format!("--log.format={format}");
        let server = exporter(dir.path(), &config, &[&providers(dir.path()), "--log.level=debug", &format]).await;
        all_listed(&server).await;
        wait_for("both sources in the log", SOON, || async {
            (server.log().matches("collection incomplete").count() >= 2).then_some(())
        })
        .await;
        let log = server.log();
        assert!(!log.chars().any(is_raw), "{log:?}");
        let mut told = BTreeMap::new();
        for line in log.lines() {
            let level = if format.ends_with("json") {
                let message: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
                message["level"].as_str().unwrap().to_ascii_lowercase()
            } else {
                assert!(line.starts_with("ts=20"), "{line}");
                line.split_once(" level=").unwrap().1.split_once(' ').unwrap().0.to_owned()
            };
            assert!(levels.contains(&level.as_str()), "{line}");
            *told.entry(level).or_insert(0) += 1;
        }
        assert!(!told.contains_key("error"), "a name makes a line of the level error:\n{log}");
        // Each word is told twice: as what is refused, and as what cannot be read.
        for text in ["<!channel> @here", "'; DROP TABLE", "half \u{fffd} end", "../../../etc/passwd"] {
            assert!(log.matches(text).count() >= 2, "{text}:\n{log}");
        }
    }
}
