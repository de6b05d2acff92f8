//! The command line: what each subcommand prints, and its exit codes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use serde_json::Value;
use token_expiry_exporter::demo::{Demo, Options};

use crate::test_servers::{LIMIT, persisted};

fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter"));
    command.args(args).env_remove("HTTP_PROXY").env_remove("http_proxy");
    command
}

/// Runs it: exit code, standard output and standard error.
fn run(args: &[&str]) -> (i32, String, String) {
    result(&program(args).output().unwrap())
}

/// The same while the demo's servers run in this process.
async fn run_with_demo(args: Vec<String>) -> (i32, String, String) {
    let output = tokio::task::spawn_blocking(move || {
        program(&args.iter().map(String::as_str).collect::<Vec<_>>()).output().unwrap()
    });
    result(&output.await.unwrap())
}

fn result(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn write_config(dir: &Path, config: &str) -> String {
    let file = dir.join("config.yaml");
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
fn version_flag_prints_the_version() {
    let (code, out, _) = run(&["--version"]);
    assert_eq!((code, out.trim()), (0, concat!("token-expiry-exporter ", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn help_has_every_flag_and_subcommand() {
    let (code, help, _) = run(&["serve", "--help"]);
    assert_eq!(code, 0);
    for flag in [
        "--config.file",
        "--storage.path",
        "--providers.dir",
        "--web.listen-address",
        "--web.probe-listen-address",
        "--web.telemetry-path",
        "--web.external-url",
        "--web.route-prefix",
        "--web.config.file",
        "--web.enable-lifecycle",
        "--log.level",
        "--log.format",
        "--shard",
    ] {
        assert!(help.contains(flag), "{flag}:\n{help}");
    }
    let (_, help, _) = run(&["--help"]);
    for command in
        ["serve", "check", "list", "explain", "providers", "schema", "digest", "calendar-url", "health", "demo"]
    {
        assert!(help.contains(&format!("\n  {command}")), "{command}:\n{help}");
    }
}

#[test]
fn invalid_flag_exits_with_2() {
    for args in [
        &["--shard", "4/3"][..],
        &["--web.external-url", "tokens"],
        &["--web.route-prefix", "/metrics"],
        &["list", "--fail-within", "soon"],
        &["--web.telemetry-path", "/-/ready"],
        &["fly"],
    ] {
        let (code, out, err) = run(args);
        assert_eq!((code, out.as_str()), (2, ""), "{args:?}: {err}");
    }
}

#[test]
fn serve_and_check_report_the_same_errors() {
    let dir = tempfile::tempdir().unwrap();
    let config = BY_HAND.replace("provider: manual", "provider: manuel") + "alert_laed: {}\nintervall: 1h\n";
    let file = write_config(dir.path(), &config);
    let (code, out, errors) = run(&["check", "--config.file", &file]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(errors.contains("did you mean `alert_lead`?") && errors.contains("did you mean `interval`?"), "{errors}");
    let args = ["--log.level=error", "--web.listen-address", "127.0.0.1:0", "--config.file", &file];
    assert_eq!(run(&args), (2, String::new(), errors));
}

#[test]
fn check_reports_errors_of_additional_definitions() {
    let dir = tempfile::tempdir().unwrap();
    let file = write_config(dir.path(), BY_HAND);
    let providers = dir.path().join("providers");
    std::fs::create_dir(&providers).unwrap();
    std::fs::write(providers.join("own.yaml"), "format: 1\nprovidr: own\n").unwrap();
    let args = ["check", "--config.file", &file, "--providers.dir", &providers.display().to_string()];
    let (code, _, err) = run(&args);
    assert_eq!(code, 2);
    assert!(err.contains("own.yaml:2:1") && err.contains("did you mean `provider`?"), "{err}");
}

#[test]
fn check_accepts_a_valid_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let file = write_config(dir.path(), BY_HAND);
    assert_eq!(run(&["check", "--config.file", &file]), (0, format!("{file}: valid, 1 source\n"), String::new()));
}

#[test]
fn check_warns_of_a_placeholder_in_a_list_of_numbers_and_texts() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("key"), "glpat-1").unwrap();
    let source = "{name: a, provider: gitlab, groups: [17, your-group], credential: {file: key}}";
    let file = write_config(dir.path(), &format!("sources: [{source}]\n"));
    let (code, out, err) = run(&["check", "--config.file", &file]);
    assert!(code == 0 && err.contains("sources.a.groups: looks like a placeholder"), "{err}");
    assert_eq!(out, format!("{file}: valid, 1 source\n"));
}

#[test]
fn check_serve_and_list_report_the_same_errors() {
    let dir = tempfile::tempdir().unwrap();
    let source = "{name: v, provider: vault, url: 'https://v.example.com', credential: {file: missing}}";
    let file = write_config(
        dir.path(),
        &format!(
            "intervall: 5m\nsources:\n  - {source}\n  - {{name: w, provider: valut}}\n  - {{name: v, provider: gitlab, adnim: true, credential: {{env: HOME}}}}\n"
        ),
    );
    let (code, _, stderr) = run(&["check", "--config.file", &file]);
    assert_eq!(code, 2, "{stderr}");
    for error in ["unknown key `intervall`", "did you mean `vault`?", "duplicate name `v`"] {
        assert!(stderr.contains(error), "{error}: {stderr}");
    }
    let file = write_config(dir.path(), &format!("sources:\n  - {source}\n"));
    let (code, _, stderr) = run(&["check", "--config.file", &file]);
    assert!(code == 2 && stderr.contains("missing: No such file"), "{stderr}");
    for command in ["serve", "list"] {
        let (code, _, also) = run(&[command, "--config.file", &file]);
        assert_eq!(code, 2, "{command}: {also}");
        assert!(also.contains(stderr.trim()), "{command}: {also}");
    }
}

#[test]
fn list_prints_a_table_soonest_first() {
    let dir = tempfile::tempdir().unwrap();
    let file = write_config(dir.path(), BY_HAND);
    let (code, out, err) = run(&["list", "--config.file", &file]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let words: Vec<Vec<&str>> = out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[0], ["NAME", "KIND", "OWNER", "SOURCE", "EXPIRES", "STATE"]);
    assert_eq!(words[1][..4], ["=cmd", "license", "by-hand", "2020-01-01T00:00:00Z"]);
    assert_eq!(words[2][0], "vpn");
    assert!(words[1].ends_with(&["years", "ago", "expired"]) && words[2].ends_with(&["never", "active"]), "{out}");
}

#[test]
fn list_prints_json_csv_and_the_exposition_format() {
    let dir = tempfile::tempdir().unwrap();
    let file = write_config(dir.path(), BY_HAND);
    let json: Value = serde_json::from_str(&run(&["list", "--config.file", &file, "--output", "json"]).1).unwrap();
    assert_eq!(json["total"], 2);
    assert_eq!(json["tokens"][0]["expires_at"], "2020-01-01T00:00:00Z");
    let (_, csv, _) = run(&["list", "--config.file", &file, "--output", "csv"]);
    assert!(csv.starts_with("source,provider,listing,id,kind,name,"), "{csv}");
    assert!(csv.contains(",'=cmd,"), "formulas are escaped: {csv}");
    let (_, prom, _) = run(&["list", "--config.file", &file, "--output", "prom"]);
    assert!(
        prom.contains("\ntoken_expiry_timestamp_seconds{source=\"by-hand\",provider=\"manual\",token_id=\"a\""),
        "{prom}"
    );
}

#[test]
fn list_selects_and_orders_as_the_api_does() {
    let dir = tempfile::tempdir().unwrap();
    let file = write_config(dir.path(), BY_HAND);
    let list = |flags: &[&str]| run(&[&["list", "--config.file", &file, "--output", "json"], flags].concat());
    for (flags, total, names) in [
        (&["--state", "active"][..], 1, &["vpn"][..]),
        (&["-q", "VPN manua"], 1, &["vpn"]),
        (&["--sort", "-name"], 2, &["vpn", "=cmd"]),
        (&["--sort=-name", "--limit=1", "--offset", "1"], 2, &["=cmd"]),
        (&["--within", "1d", "--provider", "manual", "--provider", "gitlab"], 1, &["=cmd"]),
        (&["--team", "nobody"], 0, &[]),
    ] {
        let (code, out, err) = list(flags);
        assert_eq!((code, err.as_str()), (0, ""), "{flags:?}");
        let json: Value = serde_json::from_str(&out).unwrap();
        let found: Vec<&str> =
            json["tokens"].as_array().unwrap().iter().map(|token| token["name"].as_str().unwrap()).collect();
        assert_eq!((json["total"].as_u64(), &found[..]), (Some(total), names), "{flags:?}");
    }
    let (code, _, err) = list(&["--state", "activ"]);
    assert_eq!((code, err.as_str()), (2, "--state: unknown value `activ`; did you mean `active`?\n"));
    let (code, _, err) = run(&["list", "--config.file", &file, "--output", "prom", "--limit", "1"]);
    assert_eq!((code, err.as_str()), (2, "--output=prom: has every token; omit the filters and the order\n"));
}

/// A manual entry by name, with days from now to its creation and to its expiry; `None`: never.
fn entry(name: &str, created: f64, expires: Option<f64>) -> String {
    let time = |days: f64| Utc::now() + TimeDelta::seconds((days * 86_400.0) as i64);
    let expires = expires.map_or("never".to_owned(), |days| time(days).to_rfc3339());
    format!("      - {{name: {name}, created: {:?}, expires: {expires:?}}}\n", time(created).to_rfc3339())
}

/// Exit code and standard error of `list --fail-within 7d`, with these entries, in a file with these rules and defaults.
fn fail_within(entries: &[String], settings: &str, flags: &[&str]) -> (i32, String) {
    let dir = tempfile::tempdir().unwrap();
    let config = format!("sources:\n  - name: hand\n    provider: manual\n    tokens:\n{}{settings}", entries.concat());
    let file = write_config(dir.path(), &config);
    let (code, _, err) = run(&[&["list", "--config.file", &file, "--fail-within", "7d"], flags].concat());
    (code, err)
}

#[test]
fn list_fail_within_counts_tokens_in_an_alert_band() {
    for (case, created, expires, settings, expected) in [
        ("due", -365.0, 3.5, "", "expires in 3 days"),
        ("expired", -365.0, -3.5, "", "expired 3 days ago"),
        ("week-long, last day", -6.1, 0.9, "", "expires in 21 hours"),
        ("short-lived, included", -0.5, 0.0201, "min_lifetime: 1h\n", "expires in 28 minutes"),
    ] {
        for flags in [&[][..], &["--all"]] {
            let (code, err) = fail_within(&[entry("a", created, Some(expires))], settings, flags);
            assert_eq!((code, err), (1, format!("hand: manual a {expected}\n")), "{case} {flags:?}");
        }
    }
}

#[test]
fn list_fail_within_counts_no_token_outside_its_bands_unless_all_are_requested() {
    let lead = "rules:\n  - match: {name: '^a$'}\n    alert_lead: {warning: 2d, critical: 1d}\n";
    for (case, entry, settings) in [
        ("session below min_lifetime", entry("a", -0.01, Some(0.03)), ""),
        ("expired session", entry("a", -0.1, Some(-0.05)), ""),
        ("week-long, first day", entry("a", -0.5, Some(6.5)), ""),
        ("outside its lead", entry("a", -365.0, Some(5.0)), lead),
        ("past its retention", entry("a", -365.0, Some(-9.0)), ""),
    ] {
        let (code, err) = fail_within(std::slice::from_ref(&entry), settings, &[]);
        assert_eq!(code, 0, "{case}: {err}");
        assert!(
            err.starts_with("not counted: 1 token that has expired or expires within 7 days, in no alert band"),
            "{case}: {err}"
        );
        let (code, err) = fail_within(&[entry], settings, &["--all"]);
        assert_eq!(
            (code, err.starts_with("hand: manual a expire"), err.lines().count()),
            (1, true, 1),
            "{case}: {err}"
        );
    }
    for (case, entry) in [("later", entry("a", -365.0, Some(8.0))), ("never", entry("a", -365.0, None))] {
        for flags in [&[][..], &["--all"]] {
            assert_eq!(fail_within(std::slice::from_ref(&entry), "", flags), (0, String::new()), "{case} {flags:?}");
        }
    }
}

#[test]
fn list_reports_a_token_past_its_rotation_as_due_for_rotation() {
    let dir = tempfile::tempdir().unwrap();
    let rule = "rules:\n  - match: {name: '^a$'}\n    rotate_after: 90d\n";
    let overdue = entry("a", -788.5, None);
    let (code, err) = fail_within(std::slice::from_ref(&overdue), rule, &[]);
    assert_eq!((code, err.as_str()), (1, "hand: manual a is due for rotation, 698 days overdue\n"));
    let (code, err) = fail_within(&[entry("a", -85.5, None)], rule, &[]);
    assert_eq!((code, err.as_str()), (1, "hand: manual a is due for rotation in 4 days\n"));
    let config = format!("sources:\n  - name: hand\n    provider: manual\n    tokens:\n{overdue}{rule}");
    let file = write_config(dir.path(), &config);
    let (_, table, _) = run(&["list", "--config.file", &file]);
    assert!(table.contains("  698 days overdue  due for rotation\n"), "{table}");
    let (_, json, _) = run(&["list", "--config.file", &file, "--output", "json"]);
    let token = &serde_json::from_str::<Value>(&json).unwrap()["tokens"][0];
    assert_eq!(
        (&token["state"], &token["expiry"], &token["band"]),
        (&"active".into(), &"policy".into(), &"expired".into())
    );
}

#[test]
fn list_prints_no_finding_or_token_that_policy_and_rules_allow() {
    let dir = tempfile::tempdir().unwrap();
    let source = "sources:\n- name: hand\n  provider: manual\n  tokens:\n  - {name: eternal, expires: never, owner: x}\n  \
                  - {name: old, expires: 2020-01-01, owner: x}\n  - {name: new, expires: 2099-01-01, owner: x}\n";
    let listed = |rest: &str| {
        let file = write_config(dir.path(), &format!("{source}{rest}\n"));
        let (_, prom, _) = run(&["list", "--config.file", &file, "--output", "prom"]);
        let count = |start: &str| prom.lines().filter(|line| line.starts_with(start)).count();
        (count("token_info{"), count("token_finding{"))
    };
    assert_eq!(listed(""), (3, 1));
    assert_eq!(listed("policy: {never_expires: false}"), (3, 0));
    assert_eq!(listed("rules: [{match: {expiry: never}, drop: true}]"), (2, 0));
    assert_eq!(listed("rules: [{match: {state: expired}, drop: true}]"), (2, 1));
}

#[test]
fn list_shows_an_address_in_the_name_of_an_owner_only_if_addresses_are_exposed() {
    let dir = tempfile::tempdir().unwrap();
    let sources = "sources:\n- name: hand\n  provider: manual\n  tokens:\n  \
                   - {name: laptop, expires: 2099-03-01, owner: jane.doe@corp.example}\n  \
                   - {name: server, expires: 2099-03-01, owner: {id: jane.doe@corp.example, name: 'Jane <JANE.DOE@corp.example>'}}\n";
    for (labels, shows_owner, shows_address) in
        [("", true, false), ("labels: {owner_email: true}", true, true), ("labels: {owner: false}", false, false)]
    {
        let file = write_config(dir.path(), &format!("{sources}{labels}\n"));
        for output in ["table", "json", "csv", "prom"] {
            let (code, out, _) = run(&["list", "--config.file", &file, "--output", output]);
            assert!(code == 0 && out.contains("laptop"), "{output}: {out}");
            assert_eq!(out.contains("jane.doe"), shows_owner, "{labels} {output}: {out}");
            assert_eq!(out.contains("JANE.DOE"), shows_owner, "{labels} {output}: {out}");
            assert_eq!(out.to_lowercase().contains("@corp.example"), shows_address, "{labels} {output}: {out}");
        }
        let (_, prom, _) = run(&["list", "--config.file", &file, "--output", "prom"]);
        let hidden = if shows_owner && !shows_address { 2 } else { 0 };
        let counted = format!("source=\"hand\",provider=\"manual\",adjustment=\"hidden_address\"}} {hidden}\n");
        assert!(prom.contains(&counted), "{labels}: {prom}");
    }
}

const TWO_OF_A_NAME: &str = "rules:
  - match: {id: '^b$'}
    alert_lead: {warning: 90d}
sources:
  - name: hand
    provider: manual
    tokens:
      - {id: a, name: deploy, expires: 2999-01-01, owner: Jane}
      - {id: b, name: deploy, expires: never, kind: key}
      - {id: c, name: scan, expires: 2020-01-01}
";

#[test]
fn list_has_colours_only_on_request_in_a_pipe() {
    let dir = tempfile::tempdir().unwrap();
    let file = write_config(dir.path(), TWO_OF_A_NAME);
    let (_, plain, _) = run(&["list", "--config.file", &file]);
    assert!(plain.contains("expired\n") && !plain.contains('\u{1b}'), "{plain}");
    let (_, colored, _) = run(&["list", "--config.file", &file, "--color=always"]);
    assert!(colored.contains("\u{1b}[31mexpired\u{1b}[0m\n"), "{colored}");
}

#[test]
fn explain_names_the_rule_and_lists_candidates() {
    let dir = tempfile::tempdir().unwrap();
    let file = write_config(dir.path(), TWO_OF_A_NAME);
    let explain = |token: &str| run(&["explain", "--config.file", &file, token]);
    let (code, out, err) = explain("hand/b");
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("config.yaml:2  matches: warning lead 90 days"), "{out}");
    assert!(out.contains("never  it never expires; `rotate_after`"), "{out}");
    let (code, out, err) = explain("deploy");
    assert_eq!((code, out.as_str()), (1, ""), "{err}");
    assert!(err.starts_with("2 tokens are called `deploy`; name one of them:\n  hand/a  manual, expires in"), "{err}");
    let (code, _, err) = explain("sca");
    assert_eq!(code, 1);
    assert!(err.starts_with("no token `sca`; did you mean `scan`?; `list` shows all of them"), "{err}");
}

#[test]
fn list_rejects_an_unknown_source() {
    let dir = tempfile::tempdir().unwrap();
    let file = write_config(dir.path(), BY_HAND);
    let (code, _, err) = run(&["list", "--config.file", &file, "--source", "by-hnad"]);
    assert_eq!((code, err.trim()), (2, "--source: unknown source `by-hnad`; did you mean `by-hand`?"));
}

#[test]
fn providers_lists_all_or_describes_one() {
    let (code, all, _) = run(&["providers"]);
    assert_eq!(code, 0);
    let line = |start: &str| {
        let found = all.lines().position(|line| line.starts_with(start));
        found.unwrap_or_else(|| panic!("{start}:\n{all}"))
    };
    for (group, provider) in
        [("Atlassian", "atlassian-cloud"), ("Code and CI", "gitlab"), ("Files, and by hand", "manual")]
    {
        assert!(line(group) < line(&format!("  {provider} ")), "{group}, {provider}:\n{all}");
    }
    assert!(line("  atlassian-cloud ") < line("Code and CI"), "{all}");
    let (code, one, _) = run(&["providers", "openbao"]);
    assert_eq!(code, 0);
    for part in [
        "vault: HashiCorp Vault",
        "approle_mounts",
        "auth/token/lookup-accessor",
        "approle-secret-id",
        "credential     Write the policy, and log in",
        "requests       one for the list of each namespace",
        "not listed     batch tokens, which have no accessor\n                 child namespaces",
        "tested against a real server",
        "Example\n\n  sources:\n    - name: vault\n      provider: vault\n      url: ",
    ] {
        assert!(one.contains(part), "{part}:\n{one}");
    }
    // A permission of several lines stays in its row.
    let policy = "{ capabilities = [\"list\", \"sudo\"] }; path \"auth/token/lookup-accessor\"";
    assert!(one.contains(policy) && !one.contains('\u{fffd}'), "{one}");
}

#[test]
fn schema_is_a_json_schema_with_the_providers() {
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
fn demo_prints_expected_values_and_configuration() {
    let (code, out, _) = run(&["demo", "--expect"]);
    assert_eq!(code, 0);
    let expected: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(expected["sources"]["atlassian-sandbox"]["gaps"]["api-keys"], "forbidden");
    let (code, config, _) = run(&["demo", "--print-config"]);
    assert_eq!(code, 0);
    assert!(config.contains("\nsources:\n  - name: atlassian\n"), "{config}");
}

#[tokio::test(flavor = "multi_thread")]
async fn list_exits_with_3_and_reports_failed_scopes() {
    let demo = Demo::prepare(Options::default()).await.unwrap();
    let file = demo.config_file().display().to_string();
    let (code, out, err) = run_with_demo(vec!["list".into(), "--config.file".into(), file.clone()]).await;
    assert_eq!(code, 3, "{err}");
    assert!(out.lines().count() > 300);
    assert!(err.contains("atlassian-sandbox: api-keys: forbidden: "), "{err}");
    assert!(err.contains("atlassian: service-account-clients: malformed row "), "{err}");
    let only = ["list", "--config.file", &file, "--source", "vault"].map(str::to_owned).to_vec();
    let (code, _, err) = run_with_demo(only).await;
    assert!(code == 0 && err.starts_with("vault: token: rows read: ") && !err.contains("warning"), "{code} {err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_online_reports_the_missing_permission() {
    let demo = Demo::prepare(Options::default()).await.unwrap();
    let file = demo.config_file().display().to_string();
    let (code, out, err) = run_with_demo(vec!["check".into(), "--online".into(), "--config.file".into(), file]).await;
    assert_eq!((code, err.trim()), (1, "1 of 11 listings failed"), "{out}");
    let (_, refused) = out.split_once("atlassian-sandbox: api-keys: forbidden\n").unwrap_or_else(|| panic!("{out}"));
    let permission = "\n  required permission: the scope read:keys:admin\n";
    assert!(refused.find(permission).is_some_and(|at| at < 200), "{out}");
    assert!(out.contains("atlassian: api-tokens: ok, ") && out.contains(": ok, no tokens\n"), "{out}");
    assert!(out.contains("\nvault: token: ok, 9 tokens\n  rows read: 10 (the first ones), taken: 10, "), "{out}");
}

/// A running exporter, killed at the end of the test.
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
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        response
    }

    fn wait_for(&self, path: &str, what: &str) -> String {
        let deadline = Instant::now() + LIMIT;
        loop {
            let response = self.get(path);
            if response.contains(what) || Instant::now() > deadline {
                return response;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Stops it as Kubernetes does; the exit code.
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

#[test]
fn serve_keeps_the_inventory_across_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let tokens = dir.path().join("tokens.yaml");
    std::fs::write(&tokens, "tokens:\n  - {id: a, name: gate, kind: license, expires: 2999-01-01}\n").unwrap();
    let source = format!("{{name: by-hand, provider: manual, file: '{}'}}", tokens.display());
    let file = write_config(dir.path(), &format!("sources:\n  - {source}\n"));
    let storage = dir.path().display().to_string();
    let serving = Serving::start(&["--config.file", &file, "--storage.path", &storage]);
    let response = serving.wait_for("/-/ready", "200 OK");
    assert!(response.contains("200 OK"), "{response}");
    let before = Instant::now();
    assert_eq!(serving.terminate(), Some(0));
    assert!(before.elapsed() < Duration::from_secs(5), "prompt: {:?}", before.elapsed());
    let inventory = persisted(dir.path(), "by-hand").unwrap();
    assert!(inventory.len() == 1 && inventory[0]["token"]["kind"] == "license", "{inventory:?}");

    // The source fails now; its tokens are restored.
    std::fs::remove_file(&tokens).unwrap();
    let serving = Serving::start(&["--config.file", &file, "--storage.path", &storage]);
    let gap = "token_source_gaps{source=\"by-hand\",provider=\"manual\",listing=\"token\",reason=\"not_found\"} 1";
    let response = serving.wait_for("/metrics", gap);
    assert!(response.contains(gap), "{response}");
    assert!(response.contains("token_name=\"gate\""), "{response}");
    assert_eq!(serving.terminate(), Some(0));
}
