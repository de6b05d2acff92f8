//! The program as people and scripts run it: what it prints, and by which code it ends.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use token_expiry_exporter::demo::{Demo, Options};

fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter"));
    command.args(args).env_remove("HTTP_PROXY").env_remove("http_proxy");
    command
}

/// Runs it to its end: the code, standard output and standard error.
fn run(args: &[&str]) -> (i32, String, String) {
    told(&program(args).output().unwrap())
}

/// The same while the demo's servers answer in this process.
async fn run_beside(args: Vec<String>) -> (i32, String, String) {
    let output = tokio::task::spawn_blocking(move || {
        program(&args.iter().map(String::as_str).collect::<Vec<_>>()).output().unwrap()
    });
    told(&output.await.unwrap())
}

fn told(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn written(folder: &Path, config: &str) -> String {
    let file = folder.join("config.yaml");
    std::fs::write(&file, config).unwrap();
    file.display().to_string()
}

const BY_HAND: &str = "\
sources:
  - name: by-hand
    provider: manual
    tokens:
      - {id: a, name: '=cmd', expires: 2020-01-01, kind: license}
      - {id: b, name: vpn, expires: never}
";

#[test]
fn it_says_which_version_it_is() {
    let (code, out, _) = run(&["--version"]);
    assert_eq!((code, out.trim()), (0, concat!("token-expiry-exporter ", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn every_flag_of_the_contract_is_there() {
    let (code, help, _) = run(&["serve", "--help"]);
    assert_eq!(code, 0);
    for flag in [
        "--config.file",
        "--storage.path",
        "--providers.dir",
        "--web.listen-address",
        "--web.probe-listen-address",
        "--web.telemetry-path",
        "--web.config.file",
        "--web.enable-lifecycle",
        "--log.level",
        "--log.format",
        "--shard",
    ] {
        assert!(help.contains(flag), "{flag}:\n{help}");
    }
    let (_, help, _) = run(&["--help"]);
    for command in ["serve", "check", "list", "providers", "schema", "health", "demo"] {
        assert!(help.contains(&format!("\n  {command}")), "{command}:\n{help}");
    }
}

#[test]
fn a_wrong_flag_is_a_mistake() {
    for args in
        [&["--shard", "4/3"][..], &["list", "--fail-within", "soon"], &["--web.telemetry-path", "/-/ready"], &["fly"]]
    {
        let (code, out, err) = run(args);
        assert_eq!((code, out.as_str()), (2, ""), "{args:?}: {err}");
    }
}

#[test]
fn serve_and_check_tell_the_same_mistakes() {
    let folder = tempfile::tempdir().unwrap();
    let config = BY_HAND.replace("provider: manual", "provider: manuel") + "alert_laed: {}\nintervall: 1h\n";
    let file = written(folder.path(), &config);
    let (code, out, mistakes) = run(&["check", "--config.file", &file]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(
        mistakes.contains("did you mean `alert_lead`?") && mistakes.contains("did you mean `interval`?"),
        "{mistakes}"
    );
    let args = ["--log.level=error", "--web.listen-address", "127.0.0.1:0", "--config.file", &file];
    assert_eq!(run(&args), (2, String::new(), mistakes));
}

#[test]
fn mistakes_in_a_definition_of_ones_own_are_told_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path(), BY_HAND);
    let providers = folder.path().join("providers");
    std::fs::create_dir(&providers).unwrap();
    std::fs::write(providers.join("own.yaml"), "format: 1\nprovidr: own\n").unwrap();
    let args = ["check", "--config.file", &file, "--providers.dir", &providers.display().to_string()];
    let (code, _, err) = run(&args);
    assert_eq!(code, 2);
    assert!(err.contains("own.yaml:2:1") && err.contains("did you mean `provider`?"), "{err}");
}

#[test]
fn a_configuration_without_mistakes() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path(), BY_HAND);
    assert_eq!(run(&["check", "--config.file", &file]), (0, format!("{file}: 1 source, no mistakes\n"), String::new()));
}

#[test]
fn every_command_says_the_same_of_a_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let source = "{name: v, provider: vault, url: 'https://v.example.com', credential: {file: missing}}";
    let file = written(
        folder.path(),
        &format!(
            "intervall: 5m\nsources:\n  - {source}\n  - {{name: w, provider: valut}}\n  - {{name: v, provider: gitlab, adnim: true, credential: {{env: HOME}}}}\n"
        ),
    );
    let (code, _, said) = run(&["check", "--config.file", &file]);
    assert_eq!(code, 2, "{said}");
    for mistake in ["unknown key `intervall`", "did you mean `vault`?", "the name `v` stands twice"] {
        assert!(said.contains(mistake), "{mistake}: {said}");
    }
    let file = written(folder.path(), &format!("sources:\n  - {source}\n"));
    let (code, _, said) = run(&["check", "--config.file", &file]);
    assert!(code == 2 && said.contains("missing cannot be read: No such file"), "{said}");
    for command in ["serve", "list"] {
        let (code, _, also) = run(&[command, "--config.file", &file]);
        assert_eq!(code, 2, "{command}: {also}");
        assert!(also.contains(said.trim()), "{command}: {also}");
    }
}

#[test]
fn a_list_for_people() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path(), BY_HAND);
    let (code, out, err) = run(&["list", "--config.file", &file]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let words: Vec<Vec<&str>> = out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[0], ["NAME", "KIND", "OWNER", "SOURCE", "EXPIRES", "STATE"]);
    assert_eq!(words[1][..4], ["=cmd", "license", "by-hand", "2020-01-01T00:00:00Z"]);
    assert_eq!(words[2][0], "vpn");
    assert!(words[1].ends_with(&["years", "ago", "expired"]) && words[2].ends_with(&["never", "active"]), "{out}");
}

#[test]
fn a_list_for_programs() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path(), BY_HAND);
    let json: Value = serde_json::from_str(&run(&["list", "--config.file", &file, "--output", "json"]).1).unwrap();
    assert_eq!(json["total"], 2);
    assert_eq!(json["tokens"][0]["expires_at"], "2020-01-01T00:00:00Z");
    let (_, csv, _) = run(&["list", "--config.file", &file, "--output", "csv"]);
    assert!(csv.starts_with("source,provider,listing,id,kind,name,"), "{csv}");
    assert!(csv.contains(",'=cmd,"), "no spreadsheet takes a name for a formula: {csv}");
    let (_, prom, _) = run(&["list", "--config.file", &file, "--output", "prom"]);
    assert!(
        prom.contains("\ntoken_expiry_timestamp_seconds{source=\"by-hand\",provider=\"manual\",token_id=\"a\""),
        "{prom}"
    );
}

#[test]
fn a_list_that_fails_for_what_ends() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path(), BY_HAND);
    let (code, _, err) = run(&["list", "--config.file", &file, "--fail-within", "7d"]);
    assert_eq!(code, 1);
    assert!(err.starts_with("by-hand: license =cmd has ended ") && err.lines().count() == 1, "{err}");
    let file = written(folder.path(), &BY_HAND.replace("2020-01-01", "2999-01-01"));
    assert_eq!(run(&["list", "--config.file", &file, "--fail-within", "7d"]).0, 0);
}

#[test]
fn a_list_of_a_source_that_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path(), BY_HAND);
    let (code, _, err) = run(&["list", "--config.file", &file, "--source", "by-hnad"]);
    assert_eq!((code, err.trim()), (2, "--source: no source `by-hnad`; did you mean `by-hand`?"));
}

#[test]
fn the_providers_are_shown() {
    let (code, all, _) = run(&["providers"]);
    assert_eq!(code, 0);
    for provider in ["atlassian-cloud", "gitlab", "manual", "vault"] {
        assert!(all.lines().any(|line| line.starts_with(&format!("{provider} "))), "{provider}:\n{all}");
    }
    let (code, one, _) = run(&["providers", "openbao"]);
    assert_eq!(code, 0);
    for part in ["vault: HashiCorp Vault", "approle_mounts", "auth/token/lookup-accessor", "approle-secret-id"] {
        assert!(one.contains(part), "{part}:\n{one}");
    }
}

#[test]
fn the_schema_is_json_and_knows_the_providers() {
    let (code, schema, _) = run(&["schema"]);
    assert_eq!(code, 0);
    let schema: Value = serde_json::from_str(&schema).unwrap();
    assert!(jsonschema::meta::is_valid(&schema));
    let config: Value = serde_json::json!({"sources": [{"name": "a", "provider": "manual", "tokens": []}]});
    let validator = jsonschema::validator_for(&schema).unwrap();
    assert!(validator.is_valid(&config));
    assert!(!validator.is_valid(&serde_json::json!({"sources": [{"name": "a", "provider": "nobody"}]})));
}

#[test]
fn the_demo_says_what_must_be_seen() {
    let (code, out, _) = run(&["demo", "--expect"]);
    assert_eq!(code, 0);
    let expected: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(expected["sources"]["atlassian-sandbox"]["gaps"]["api-keys"], "forbidden");
    let (code, config, _) = run(&["demo", "--print-config"]);
    assert_eq!(code, 0);
    assert!(config.contains("\nsources:\n  - name: atlassian\n"), "{config}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incomplete_list_says_what_is_missing() {
    let demo = Demo::prepare(Options::default()).await.unwrap();
    let file = demo.config_file().display().to_string();
    let (code, out, err) = run_beside(vec!["list".into(), "--config.file".into(), file.clone()]).await;
    assert_eq!(code, 3, "{err}");
    assert!(out.lines().count() > 300);
    assert!(err.contains("atlassian-sandbox: api-keys: forbidden: "), "{err}");
    assert!(err.contains("atlassian: service-account-clients: row "), "{err}");
    let only = ["list", "--config.file", &file, "--source", "vault"].map(str::to_owned).to_vec();
    let (code, _, err) = run_beside(only).await;
    assert_eq!((code, err.as_str()), (0, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_online_check_names_the_missing_permission() {
    let demo = Demo::prepare(Options::default()).await.unwrap();
    let file = demo.config_file().display().to_string();
    let (code, out, err) = run_beside(vec!["check".into(), "--online".into(), "--config.file".into(), file]).await;
    assert_eq!((code, err.trim()), (1, "1 listing of 11 cannot be had"), "{out}");
    let refused = out.lines().find(|line| line.contains("forbidden")).unwrap();
    assert!(refused.starts_with("atlassian-sandbox ") && refused.contains("read:keys:admin"), "{out}");
    assert!(out.contains("ok: 100 tokens on the first page"), "{out}");
    assert!(out.contains("ok: nothing is listed"), "{out}");
}

/// A program that serves, and is killed with the test.
struct Serving {
    child: Child,
    address: String,
}

impl Serving {
    fn start(args: &[&str]) -> Self {
        let mut child =
            program(args).args(["--web.listen-address", "127.0.0.1:0"]).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let first = lines.next().unwrap().unwrap();
        std::thread::spawn(move || lines.for_each(drop));
        let address = first.split("address=").nth(1).and_then(|rest| rest.split(' ').next());
        let address = address.unwrap_or_else(|| panic!("{first}")).to_owned();
        Self { child, address }
    }

    fn get(&self, path: &str) -> String {
        let Ok(mut stream) = TcpStream::connect(&self.address) else { return String::new() };
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn wait_for(&self, path: &str, what: &str) -> String {
        let patience = Instant::now() + Duration::from_secs(30);
        loop {
            let answer = self.get(path);
            if answer.contains(what) || Instant::now() > patience {
                return answer;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Asks it to stop as Kubernetes does, and gives its code.
    fn terminate(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.child.kill());
    }
}

#[cfg(unix)]
#[test]
fn what_is_known_outlives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens.yaml");
    std::fs::write(&tokens, "tokens:\n  - {id: a, name: gate, kind: license, expires: 2999-01-01}\n").unwrap();
    let source = format!("{{name: by-hand, provider: manual, file: '{}'}}", tokens.display());
    let file = written(folder.path(), &format!("sources:\n  - {source}\n"));
    let storage = folder.path().display().to_string();
    let serving = Serving::start(&["--config.file", &file, "--storage.path", &storage]);
    let answer = serving.wait_for("/-/ready", "200 OK");
    assert!(answer.contains("200 OK"), "{answer}");
    let before = Instant::now();
    assert_eq!(serving.terminate(), Some(0));
    assert!(before.elapsed() < Duration::from_secs(5), "prompt: {:?}", before.elapsed());
    let kept = std::fs::read_to_string(folder.path().join("inventory.json")).unwrap();
    assert!(kept.contains("license"), "{kept}");

    // It cannot be had any more: what was known is still told.
    std::fs::remove_file(&tokens).unwrap();
    let serving = Serving::start(&["--config.file", &file, "--storage.path", &storage]);
    let gap = "token_source_gaps{source=\"by-hand\",provider=\"manual\",listing=\"token\",reason=\"not_found\"} 1";
    let answer = serving.wait_for("/metrics", gap);
    assert!(answer.contains(gap), "{answer}");
    assert!(answer.contains("token_name=\"gate\""), "{answer}");
    assert_eq!(serving.terminate(), Some(0));
}
