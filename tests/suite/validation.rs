//! `check`: every file, every error at once, and warnings of what is valid but probably wrong.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Runs `check` in a directory: exit code, standard output and standard error.
fn check(dir: &Path, args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter"))
        .arg("check")
        .args(args)
        .current_dir(dir)
        .env("TOKEN", "a-secret-of-the-test")
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

const WIDGETS: &str = "\
format: 1
provider: widgets
title: Widgets
docs: https://widgets.example/docs
expiry: a timestamp
settings:
  url: {type: url, help: the address}
auth: bearer
listings:
  - name: team
    kind: team-token
    get: /tokens
    rows: .tokens
    token:
      id: .id
      expires_at: .expires
      kind: 'if .robot then \"\\(.type)-robot-token\" else null end'
";

const BY_HAND: &str = "sources:\n  - {name: hand, provider: manual, tokens: [{name: a, expires: never}]}\n";

fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("own")).unwrap();
    for (name, content) in files {
        fs::write(dir.path().join(name), content).unwrap();
    }
    dir
}

#[test]
fn check_validates_definitions_without_a_configuration() {
    let dir = directory(&[("own/widgets.yaml", WIDGETS)]);
    let own = ["--providers.dir", "own"];
    assert_eq!(check(dir.path(), &own), (0, "own: valid, 1 definition\n".into(), String::new()));
    fs::write(dir.path().join("own/other.yaml"), "format: 1\nprovidr: other\n").unwrap();
    fs::write(dir.path().join("own/widgets.yaml"), WIDGETS.replace("  - name:", "  - nam: x\n    name:")).unwrap();
    let (code, out, err) = check(dir.path(), &own);
    assert_eq!((code, out.as_str()), (2, ""), "{err}");
    assert!(err.contains("own/other.yaml:2:1: ") && err.contains("own/widgets.yaml:10:5: unknown key"), "{err}");
    let (code, _, err) = check(dir.path(), &["--providers.dir", "missing"]);
    assert_eq!((code, err.starts_with("missing: cannot read: No such file")), (2, true), "{err}");
    let (code, _, err) = check(dir.path(), &["--providers.dir", "own", "--online"]);
    assert_eq!((code, err.as_str()), (2, "--online: needs a configuration; set `--config.file`\n"));
    for args in [&["--config.file", "c.yaml", "--providers.dir", "own"][..], &[]] {
        let (code, _, err) = check(dir.path(), args);
        assert!(code == 2 && err.contains("cannot read the configuration"), "{args:?}: {err}");
    }
    let empty = directory(&[]);
    let (code, out, err) = check(empty.path(), &own);
    assert_eq!((code, out.as_str()), (0, "own: valid, 0 definitions\n"));
    assert!(err.starts_with("warning: own: no definition in this directory"), "{err}");
}

#[test]
fn check_reads_the_default_configuration_if_it_exists() {
    let dir = directory(&[("own/widgets.yaml", WIDGETS), ("token-expiry-exporter.yaml", BY_HAND)]);
    let (code, out, err) = check(dir.path(), &["--providers.dir", "own"]);
    let expected = "token-expiry-exporter.yaml: valid, 1 source\nown: valid, 1 definition\n";
    assert_eq!((code, out.as_str(), err.as_str()), (0, expected, ""));
}

#[test]
fn check_validates_the_web_configuration() {
    let dir = directory(&[("web.yaml", "rate_limit: {interval: 1s, burst: 1}\n"), ("c.yaml", BY_HAND)]);
    let web = ["--web.config.file", "web.yaml"];
    assert_eq!(check(dir.path(), &web), (0, "web.yaml: valid\n".into(), String::new()));
    let both = ["--config.file", "c.yaml", "--web.config.file", "web.yaml"];
    assert_eq!(check(dir.path(), &both).1, "c.yaml: valid, 1 source\nweb.yaml: valid\n");
    fs::write(dir.path().join("web.yaml"), "tls_server_config: {cert_file: a.pem, key_file: b.pem}\n").unwrap();
    for args in [&web[..], &both] {
        let (code, out, err) = check(dir.path(), args);
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
        assert!(err.starts_with("web.yaml: ") && err.contains("a.pem"), "{err}");
    }
}

#[test]
fn check_reports_every_error_of_every_file_at_once() {
    let config = "\
intervall: 5m
sources:
  - name: one
    provider: gitlab
    url: https://gitlab.acme.com
    intervall: 5m
    timeout: soon
    adnim: true
    credential: {env: TOKEN}
  - nam: two
    provider: gitlab
    urll: https://gitlab.acme.com
    alert_lead: {warnin: 5d}
    credential: {env: TOKEN}
  - {name: three, provider: gitlab, timeout: never, urll: x, credential: {env: UNSET}}
  - name: four
    provider: vault
    url: https://vault.acme.com
    credential: {env: TOKEN, file: x}
    namespacess: x
  - {name: five, provider: other}
  - {name: six, provider: gitlab, credential: {env: TOKEN}, adnim: true, tls: {ca_file: none.pem}}
rules:
  - {match: {kin: [a]}, labels: {team: x}}
  - {match: {source: [onee]}, label: {team: x}}
labels: {ownr: true}
";
    let dir = directory(&[("c.yaml", config), ("own/other.yaml", "format: 1\nprovider: other\ntitel: x\nexpiri: x\n")]);
    fs::write(dir.path().join("web.yaml"), "rate_limits: {}\nbasic_auth_user: {}\n").unwrap();
    let (code, out, err) =
        check(dir.path(), &["--config.file", "c.yaml", "--providers.dir", "own", "--web.config.file", "web.yaml"]);
    assert_eq!((code, out.as_str()), (2, ""));
    for expected in [
        "c.yaml:1:1: unknown key `intervall`",
        "c.yaml:6:5: unknown key `sources.one.intervall`",
        "c.yaml:7:14: ",
        "c.yaml:8:5: unknown key `sources.one.adnim`",
        "c.yaml:10:5: unknown key ",
        "c.yaml:12:5: unknown key `sources.[1].urll`",
        "c.yaml:13:18: unknown key ",
        "c.yaml:15:46: ",
        "c.yaml:15:53: unknown key `sources.three.urll`",
        "the variable UNSET is not set",
        "c.yaml:19:17: ",
        "c.yaml:20:5: unknown key `sources.four.namespacess`",
        "c.yaml:24:14: unknown key ",
        "c.yaml:25:23: rules[1].match.source: unknown source `onee`; did you mean `one`?",
        "c.yaml:25:31: unknown key ",
        "c.yaml:26:10: unknown key ",
        "c.yaml:22:89: sources.six.tls.ca_file: cannot read none.pem",
        "c.yaml:22:61: unknown key `sources.six.adnim`",
        "own/other.yaml:3:1: unknown key `titel`",
        "own/other.yaml:4:1: unknown key `expiri`",
        "web.yaml:1:1: ",
        "web.yaml:2:1: ",
    ] {
        assert!(err.contains(expected), "{expected}\n{err}");
    }
    assert!(!err.contains("unknown provider `other`"), "its definition has errors: {err}");
    assert_eq!(err.matches("none.pem: No such file").count(), 1, "{err}");
    let mut positions: Vec<&str> = err
        .lines()
        .filter(|line| line.starts_with("c.yaml"))
        .filter_map(|line| line.split_once(": "))
        .map(|(at, _)| at)
        .collect();
    let all = positions.len();
    positions.dedup();
    assert_eq!(positions.len(), all, "no position twice: {err}");
}

/// The warnings of a configuration that is valid.
fn warnings(config: &str) -> String {
    let dir = directory(&[("c.yaml", config), ("own/widgets.yaml", WIDGETS)]);
    let (code, out, err) = check(dir.path(), &["--config.file", "c.yaml", "--providers.dir", "own"]);
    assert_eq!(code, 0, "{config}: {err}");
    assert!(out.starts_with("c.yaml: valid, "), "{out}");
    err
}

#[test]
fn check_names_the_setting_without_which_a_listing_cannot_begin() {
    let head = "name: v, provider: azure-key-vault, tenant: t-1, client_id: a-1, credential: {env: TOKEN}";
    for (settings, expected) in [
        ("interval: 1h", "c.yaml:2:6: sources.v: `subscriptions` is missing, which the listing `secret` needs: ids of"),
        ("subscriptions: []", "`subscriptions` is missing, which the listing `secret` needs: ids of the subscriptions"),
        ("auth: vault-secret", "`vault_url` is missing, which the listing `vault-secret` needs: the URL of one vault"),
    ] {
        let dir = directory(&[("c.yaml", &format!("sources:\n  - {{{head}, {settings}}}\n"))]);
        let (code, _, err) = check(dir.path(), &["--config.file", "c.yaml"]);
        assert_eq!(
            (code, err.contains(expected), err.matches(" is missing").count()),
            (2, true, 1),
            "{settings}: {err}"
        );
    }
    for settings in ["subscriptions: [s-1]", "auth: vault-secret, vault_url: 'https://v.vault.azure.net'"] {
        let dir = directory(&[("c.yaml", &format!("sources:\n  - {{{head}, {settings}}}\n"))]);
        let (code, out, err) = check(dir.path(), &["--config.file", "c.yaml"]);
        assert!(code == 0 && out.starts_with("c.yaml: valid, 1 source"), "{settings}: {out}{err}");
    }
}

fn source(settings: &str) -> String {
    format!("sources:\n  - {{name: w, provider: widgets, credential: {{env: TOKEN}}, {settings}}}\n")
}

const URL: &str = "url: 'https://widgets.acme.com'";

#[test]
fn check_warns_of_what_is_probably_wrong() {
    for (config, expected) in [
        (source("url: 'http://widgets.acme.com'"), "c.yaml:2:65: sources.w.url: plain http sends the credential unencrypted to `widgets.acme.com`; use https"),
        (source("url: 'http://10.0.0.1:8080'"), "unencrypted to `10.0.0.1`"),
        (source("url: 'https://widgets.example.com'"), "`widgets.example.com` is reserved for documentation; set the real address"),
        (source("url: 'https://your-company.acme.com'"), "sources.w.url: looks like a placeholder"),
        ("sources:\n  - name: a\n    provider: atlassian-cloud\n    org_id: 1a2b3c4d-5e6f-7a8b\n    credential: {env: TOKEN}\n".into(), "c.yaml:4:13: sources.a.org_id: looks like a placeholder; set the real value"),
        (
            "sources:\n  - {name: g, provider: gitlab, listings: [own, project-variables], credential: {env: TOKEN}}\n".into(),
            "c.yaml:2:49: sources.g.listings: `project-variables` never runs with these settings; change them or remove it",
        ),
        (source(&format!("{URL}, interval: 5m, timeout: 10m")), "sources.w: `timeout` (600 s) exceeds `interval` (300 s)"),
        (source(&format!("{URL}, interval: 1m, timeout: 61s")), "sources.w: `timeout` (61 s) exceeds `interval` (60 s)"),
        (format!("{}rules:\n  - match: {{kind: [team-tokn]}}\n    labels: {{team: x}}\n", source(URL)), "c.yaml:4:20: rules[0].match.kind: no source has tokens of the kind `team-tokn`; did you mean `team-token`?"),
        (format!("{}rules:\n  - match: {{kind: [team-token, robot]}}\n    labels: {{team: x}}\n", source(URL)), "no source has tokens of the kind `robot`"),
        (format!("{BY_HAND}rules:\n  - match: {{kind: [licence]}}\n    labels: {{team: x}}\n"), "no source has tokens of the kind `licence`"),
        (format!("{}  - {{name: hand, provider: manual, tokens: [{{name: a, expires: never}}]}}\nrules:\n  - match: {{source: [w], provider: [manual]}}\n    labels: {{team: x}}\n", source(URL)), "c.yaml:5:5: rules[0].match: never matches: no source has this name and this provider"),
        (
            format!(
                "{}  - {{name: disk, provider: files, paths: [c.yaml]}}\nrules:\n  - match: {{kind: [team-tokn]}}\n    labels: {{team: x}}\n",
                source(URL)
            ),
            "did you mean `team-token`?",
        ),
        (
            format!("{}rules:\n  - match: {{labels: {{squad: x}}}}\n    labels: {{team: x}}\n", source(URL)),
            "c.yaml:4:5: rules[0].match.labels: never matches: no source or earlier rule sets the label `squad`",
        ),
        (
            format!("{}rules:\n  - match: {{expiry: [policy]}}\n    labels: {{team: x}}\n", source(URL)),
            "c.yaml:4:5: rules[0].match.expiry: never matches: no source or earlier rule sets `rotate_after`",
        ),
        (
            format!("metrics: {{deny: [token_due_timestamp_seconds]}}\n{}", source(URL)),
            "c.yaml:1:1: metrics: without `token_due_timestamp_seconds` `TokenExpiryWarning`, `TokenExpiryCritical` and `TokenExpired` cannot fire",
        ),
        (
            format!("metrics: {{allow: [token_info, token_source_up]}}\n{}", source(URL)),
            "metrics: without `token_due_timestamp_seconds` `TokenExpiryWarning`,",
        ),
        (
            format!("metrics: {{tokens: none}}\n{}", source(URL)),
            "c.yaml:1:19: sources.w: with `metrics.tokens: none` `TokenExpiryWarning`, `TokenExpiryCritical` and `TokenExpired` cannot fire for its tokens",
        ),
        (source(&format!("{URL}, metrics: {{tokens: none}}")), "sources.w: with `metrics.tokens: none` `TokenExpiryWarning`"),
        ("sources:\n  - {name: hand, provider: manual, file: missing.yaml}\n".into(), "sources.hand: "),
        ("sources:\n  - {name: disk, provider: files, paths: [missing/token]}\n".into(), "missing/token"),
    ] {
        let err = warnings(&config);
        assert!(err.starts_with("warning: ") && err.contains(expected), "{config}\n{expected}\n{err}");
        assert_eq!(err.matches("warning: ").count(), 1, "{config}\n{err}");
        assert!(!err.contains("a-secret"), "{err}");
    }
}

#[test]
fn check_reports_metrics_that_do_not_exist_or_are_always_exposed() {
    for (metrics, expected) in [
        ("deny: [token_inf]", "c.yaml:1:18: metrics.deny: unknown metric `token_inf`; did you mean `token_info`?"),
        (
            "allow: [up, token_info]",
            "c.yaml:1:19: metrics.allow: unknown metric `up`; expected `token_expiry_timestamp_seconds`, ",
        ),
        (
            "deny: [token_source_up]",
            "metrics.deny: `token_source_up` is always exposed: the alert TokenSourceFailing needs it; remove it",
        ),
        (
            "deny: [token_source_tokens]",
            "metrics.deny: `token_source_tokens` is always exposed: it counts the tokens of each source; remove it",
        ),
        ("deny: [token_expiry_exporter_build_info]", "is always exposed: it describes the exporter itself; remove it"),
        ("deny: ['token_*']", "unknown metric `token_*`"),
        ("deny: []", "metrics.deny: the list is empty"),
        ("allow: [token_info], deny: [token_info]", "metrics: both `allow` and `deny` are set; keep one of them"),
    ] {
        let dir = directory(&[
            ("c.yaml", &format!("metrics: {{{metrics}}}\n{}", source(URL))),
            ("own/widgets.yaml", WIDGETS),
        ]);
        let (code, _, err) = check(dir.path(), &["--config.file", "c.yaml", "--providers.dir", "own"]);
        assert_eq!(code, 2, "{metrics}: {err}");
        assert!(err.contains(expected), "{metrics}: {expected}\n{err}");
    }
}

#[test]
fn check_does_not_warn_of_what_may_be_right() {
    for config in [
        source(URL),
        source("url: 'http://localhost:8080'"),
        source("url: 'http://127.0.0.1:8080'"),
        source("url: 'http://[::1]:8080'"),
        // Settings that are no strings.
        "sources: [{name: g, provider: gitlab, credential: {env: TOKEN}, admin: true, groups: [7]}]".to_owned(),
        source(&format!("{URL}, interval: 5m, timeout: 5m")),
        source(&format!("{URL}, interval: 1m")),
        source(&format!("{URL}, metrics: {{tokens: due}}")),
        format!("metrics: {{tokens: none}}\n{}", source(&format!("{URL}, metrics: {{tokens: all}}"))),
        format!(
            "metrics: {{deny: [token_info, token_finding, token_source_requests_total], tokens: due}}\n{}",
            source(URL)
        ),
        format!("metrics: {{allow: [token_due_timestamp_seconds]}}\n{}", source(URL)),
        format!("{}rules:\n  - match: {{kind: [team-token, ci-robot-token]}}\n    labels: {{team: x}}\n", source(URL)),
        format!("{}rules:\n  - match: {{kind: [manual]}}\n    labels: {{team: x}}\n", BY_HAND),
        format!(
            "{}rules:\n  - match: {{name: x}}\n    labels: {{squad: y}}\n    rotate_after: 90d\n  - match: {{labels: {{squad: y}}, expiry: [policy]}}\n    labels: {{team: x}}\n",
            source(URL)
        ),
        format!("{BY_HAND}rules:\n  - match: {{labels: {{squad: y}}}}\n    labels: {{team: x}}\n"),
        format!(
            "{}rules:\n  - match: {{expiry: [policy]}}\n    labels: {{team: x}}\n",
            source(&format!("{URL}, rotate_after: 90d"))
        ),
        format!("{}rules:\n  - match: {{source: [w], provider: [widgets]}}\n    labels: {{team: x}}\n", source(URL)),
    ] {
        assert_eq!(warnings(&config), "", "{config}");
    }
}
