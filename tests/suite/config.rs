//! The configuration: every key is read, and every error is reported with its position and a remedy.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{env, fs, io};

use chrono::TimeDelta;
use serde_json::{Value, json};
use token_expiry_exporter::app::config_schema::config_schema;
use token_expiry_exporter::config::{self, Environment, OwnerLabels, SharedSettings};
use token_expiry_exporter::core::failure::Reason;
use token_expiry_exporter::core::lead::Lead;
use token_expiry_exporter::core::token::State;
use token_expiry_exporter::core::token_series::TokenSeries;
use token_expiry_exporter::providers::Catalogue;
use token_expiry_exporter::schema::diagnostic::{Diagnostics, SourceText};
use token_expiry_exporter::schema::yaml;

/// The secret of the golden files. No message may contain it.
const SECRET: &str = "DO-NOT-LEAK";

/// A machine with a few files.
struct Machine;

impl Environment for Machine {
    fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        match path.to_str().unwrap() {
            "/run/secrets/gitlab" => Ok(b"DO-NOT-LEAK\n".to_vec()),
            "etc/secrets/password" => Ok("\u{feff}DO-NOT-LEAK\r\n".into()),
            "/run/secrets/empty" => Ok(b"\n".to_vec()),
            "/run/secrets/two-lines" => Ok(b"Bearer DO-NOT-LEAK\nDO-NOT-LEAK\n".to_vec()),
            "/run/secrets/forbidden" => Err(io::Error::from_raw_os_error(13)),
            "certificate.pem" | "etc/certificate.pem" => {
                Ok(b"-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n".to_vec())
            }
            "locked-key.pem" => Ok(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nDO-NOT-LEAK\n".to_vec()),
            kubeconfig if kubeconfig.trim_start_matches("etc/").starts_with("kubeconfigs/") => {
                fs::read(golden().join(kubeconfig.trim_start_matches("etc/")))
            }
            "certificate.der" => Ok(vec![0x30, 0x82, 0xff]),
            _ => Err(io::Error::from_raw_os_error(2)),
        }
    }

    fn env(&self, name: &str) -> Option<String> {
        match name {
            "BOT" => Some(SECRET.into()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }
}

/// The name of a provider of the golden files, by its name or alias.
fn own_name(provider: &str) -> Option<String> {
    match provider {
        "vault" | "openbao" => Some("vault".into()),
        "gitlab" | "github" | "harbor" => Some(provider.into()),
        _ => None,
    }
}

/// The errors that `check` reports.
fn check(text: SourceText) -> Result<(), Diagnostics> {
    let mut config = config::parse(text, Arc::new(Machine))?;
    let mut errors = Diagnostics::default();
    errors.extend(config.resolve_providers(own_name).err().unwrap_or_default());
    errors.extend(config.check_credentials().err().unwrap_or_default());
    errors.into_result()
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/config")
}

/// The golden files with this extension, in order.
fn files(extension: &str) -> Vec<PathBuf> {
    let paths = fs::read_dir(golden()).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
    paths.sort();
    paths
}

/// Each `NAME.yaml` has errors, which are in `NAME.txt`. `UPDATE_GOLDEN=1` writes these files.
#[test]
fn check_reports_the_errors_of_the_golden_files() {
    let update = env::var_os("UPDATE_GOLDEN").is_some();
    let mut wrong = Vec::new();
    for path in files("yaml") {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let content = fs::read_to_string(&path).unwrap();
        let errors = check(SourceText::new(format!("{name}.yaml"), content)).expect_err(&name);
        let found = format!("{errors}\n");
        assert!(!found.contains(SECRET) && !format!("{errors:?}").contains(SECRET), "{name} shows a secret:\n{found}");
        let expected = path.with_extension("txt");
        if update {
            fs::write(&expected, &found).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != found {
            wrong.push(format!("{}:\n{found}", expected.display()));
        }
    }
    assert!(wrong.is_empty(), "unexpected errors (UPDATE_GOLDEN=1 writes them):\n\n{}", wrong.join("\n"));
}

#[test]
fn golden_errors_belong_to_a_golden_file() {
    for path in files("txt") {
        assert!(path.with_extension("yaml").exists(), "{} has no YAML", path.display());
    }
}

fn valid(name: &str) -> SourceText {
    let content = fs::read_to_string(golden().join("valid").join(name)).unwrap();
    SourceText::new(format!("etc/{name}"), content)
}

#[test]
fn minimal_configuration_has_every_default() {
    let config = config::parse(valid("minimal.yaml"), Arc::new(Machine)).unwrap();
    assert_eq!(config.interval, Duration::from_secs(900));
    let defaults = SharedSettings {
        timeout: Duration::from_secs(300),
        alert_lead: Lead { warning: TimeDelta::days(30), critical: TimeDelta::days(7) },
        min_lifetime: TimeDelta::days(1),
        expired_retention: TimeDelta::days(7),
        token_limit: 100_000,
        never_expires: true,
        max_lifetime: Some(TimeDelta::days(366)),
        unused_after: Some(TimeDelta::days(90)),
        tokens: TokenSeries::All,
    };
    assert_eq!(config.defaults, defaults);
    assert_eq!(config.labels, OwnerLabels { owner: true, owner_email: false });
    assert!(config.rules.is_empty() && config.label_names.is_empty());
    let source = &config.sources[0];
    assert!(source.credentials.parts().is_empty() && source.interval.is_none() && source.listings.is_none());
    assert_eq!(source.shared, defaults);
}

#[test]
fn every_key_is_read() {
    let mut config = config::parse(valid("everything.yaml"), Arc::new(Machine)).unwrap();
    config.resolve_providers(own_name).unwrap();
    config.check_credentials().unwrap();

    assert_eq!(config.interval, Duration::from_secs(1800));
    let defaults = SharedSettings {
        timeout: Duration::from_secs(600),
        alert_lead: Lead { warning: TimeDelta::weeks(6), critical: TimeDelta::days(10) },
        min_lifetime: TimeDelta::zero(),
        expired_retention: TimeDelta::days(14),
        token_limit: 5000,
        never_expires: false,
        max_lifetime: Some(TimeDelta::days(365)),
        unused_after: None,
        tokens: TokenSeries::Due,
    };
    assert_eq!(config.defaults, defaults);
    assert_eq!(config.labels, OwnerLabels { owner: false, owner_email: true });
    let denied: Vec<_> = config.metrics.deny.iter().flatten().map(|(name, _)| name.as_str()).collect();
    assert_eq!((denied, &config.metrics.allow), (vec!["token_info"], &None));
    assert_eq!(config.label_names, ["area", "cost_center", "team"]);

    let vault = &config.sources[0];
    assert_eq!((vault.name.0.as_str(), vault.provider.0.as_str()), ("vault", "openbao"));
    let settings: Vec<_> = vault.settings.iter().map(|(key, node)| (key.name.as_str(), node.to_json())).collect();
    assert_eq!(
        settings,
        [
            ("url", json!("https://vault.example.com")),
            ("namespaces", json!(["team-a", "team-b"])),
            ("role_id", json!(4711)),
        ]
    );
    assert_eq!(vault.auth.as_ref().unwrap().0, "approle");
    assert_eq!(vault.listings.as_ref().unwrap()[0].0, "token");
    assert_eq!(vault.interval, Some(Duration::from_secs(5400)));
    let shared = SharedSettings {
        timeout: Duration::from_secs(60),
        alert_lead: Lead { warning: TimeDelta::weeks(6), critical: TimeDelta::days(3) },
        min_lifetime: TimeDelta::hours(2),
        expired_retention: TimeDelta::zero(),
        token_limit: 10,
        never_expires: true,
        max_lifetime: None,
        unused_after: Some(TimeDelta::days(30)),
        tokens: TokenSeries::None,
    };
    assert_eq!(vault.shared, shared);
    let names: Vec<_> = vault.header_names.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["X-Team", "X-Level", "CF-Access-Client-Secret", "X-Api-Key"]);
    let plain: Vec<_> = vault.headers.plain.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(plain, [("X-Team", "platform"), ("X-Level", "3")]);
    let secret = vault.headers.secret.read().unwrap();
    assert_eq!(secret.part("CF-Access-Client-Secret").unwrap().expose(), SECRET);
    assert_eq!(secret.part("X-Api-Key").unwrap().expose(), SECRET);
    let trust = vault.certificates.read().unwrap();
    assert!(trust.ca.unwrap().starts_with(b"-----BEGIN") && trust.identity.is_none());
    assert_eq!(vault.proxy.as_ref().unwrap().as_str(), "http://proxy.example.com:3128/");

    let rule = &config.rules[0];
    assert_eq!(rule.matches.provider, ["vault"], "an alias is replaced");
    assert_eq!(rule.matches.kind, ["service-token", "secret-id"]);
    assert_eq!(rule.owner.as_ref().unwrap().email.as_deref(), Some("platform@example.com"));
    assert_eq!(rule.labels["cost_center"], "4711");
    assert_eq!(config.rules[1].rotate_after, Some(TimeDelta::days(90)));
    assert!(config.rules[1].matches.labels["environment"].is_match("prod"));
    assert_eq!(config.rules[1].matches.expiry, ["never"]);
    assert_eq!(config.rules[2].matches.state, [State::Replaced, State::Disabled]);
    assert!(config.rules[2].drop);
}

#[test]
fn credential_is_read_each_time_and_its_failure_names_only_the_file() {
    struct Rotated(AtomicUsize);
    impl Environment for Rotated {
        fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
            assert_eq!(path, Path::new("etc/secret"), "relative paths start at the configuration's directory");
            match self.0.fetch_add(1, Ordering::Relaxed) {
                0 => Ok(b"first\n".to_vec()),
                1 => Ok(b"second\n".to_vec()),
                _ => Err(io::Error::from_raw_os_error(13)),
            }
        }

        fn env(&self, _: &str) -> Option<String> {
            None
        }
    }
    let text = SourceText::new("etc/config.yaml", "sources: [{name: a, provider: b, credential: {file: secret}}]");
    let config = config::parse(text, Arc::new(Rotated(AtomicUsize::new(0)))).unwrap();
    let credentials = &config.sources[0].credentials;
    assert_eq!(credentials.parts(), [""]);
    for expected in ["first", "second"] {
        assert_eq!(credentials.read().unwrap().part("").unwrap().expose(), expected);
    }
    let failure = credentials.read().unwrap_err();
    assert_eq!(failure.reason, Reason::Credential);
    assert_eq!(failure.what, "credential: cannot read etc/secret: Permission denied (os error 13)");
}

#[test]
fn secret_header_is_read_each_time_and_must_be_one_line() {
    struct Rotated(AtomicUsize);
    impl Environment for Rotated {
        fn read_file(&self, _: &Path) -> io::Result<Vec<u8>> {
            let contents = ["Bearer one\n", "Bearer two", "schlüssel", "two\nlines", "\u{1b}[0m", "\0", "\n"];
            Ok(contents[self.0.fetch_add(1, Ordering::Relaxed)].into())
        }

        fn env(&self, _: &str) -> Option<String> {
            None
        }
    }
    let file = "sources: [{name: a, provider: b, headers: {Proxy-Authorization: {file: /run/key}}}]";
    let config = config::parse(SourceText::new("config.yaml", file), Arc::new(Rotated(AtomicUsize::new(0)))).unwrap();
    let headers = &config.sources[0].headers.secret;
    for expected in ["Bearer one", "Bearer two", "schlüssel"] {
        assert_eq!(headers.read().unwrap().part("Proxy-Authorization").unwrap().expose(), expected);
    }
    let invalid = "contains a line break or another control character";
    for problem in [invalid, invalid, invalid, "is empty"] {
        let failure = headers.read().unwrap_err();
        assert_eq!(failure.reason, Reason::Credential);
        assert_eq!(failure.what, format!("headers.Proxy-Authorization: /run/key {problem}"));
    }
}

#[test]
fn credential_with_several_parts_has_each_by_its_name() {
    let config = config::parse(valid("everything.yaml"), Arc::new(Machine)).unwrap();
    let credentials = &config.sources[1].credentials;
    assert_eq!(credentials.parts(), ["user", "password"]);
    let credential = credentials.read().unwrap();
    assert_eq!(credential.part("user").unwrap().expose(), SECRET);
    assert_eq!(credential.part("password").unwrap().expose(), SECRET, "without byte order mark and line break");
    assert!(!format!("{config:?}{credential:?}").contains(SECRET));
}

/// Errors that a JSON Schema cannot express; `check` reports them.
const BEYOND_THE_SCHEMA: &[&str] = &[
    "certificates",
    "credential-unreadable",
    "headers-unreadable",
    "duplicate-source",
    "interval-out-of-range",
    "lead-of-a-rule",
    "lead-of-a-source",
    "lead-out-of-order",
    "lead-out-of-order-within",
    "regular-expression",
    "rule-of-an-unknown-provider",
    "rule-of-an-unknown-source",
];

/// The JSON Schema with the providers that the golden files use.
fn schema() -> jsonschema::Validator {
    let mut catalogue = Catalogue::builtin(&config::source_keys());
    let vault = "url: {type: url, help: h}\n  namespaces: {type: list, default: [''], help: h}\n  \
                 role_id: {default: null, help: h}";
    for (name, settings, auth) in [
        ("gitlab", "url: {type: url, default: 'https://gitlab.com', help: h}", "bearer"),
        ("github", "url: {type: url, default: 'https://github.com', help: h}", "bearer"),
        ("harbor", "url: {type: url, default: 'https://harbor.example', help: h}", "bearer"),
        ("vault", vault, "[{name: token, bearer: x}, {name: approle, bearer: x}]"),
    ] {
        let alias = if name == "vault" { "[openbao]" } else { "[]" };
        let definition = format!(
            "format: 1\nprovider: {name}\naliases: {alias}\noverride: true\ntitle: {name}\ndocs: d\nexpiry: e\n\
             settings:\n  {settings}\nauth: {auth}\nlistings:\n  \
             - {{name: token, kind: token, get: /t, rows: ., token: {{id: .id, expires_at: .e}}}}\n"
        );
        catalogue.add(&SourceText::new(name, definition)).unwrap();
    }
    jsonschema::validator_for(&config_schema(&catalogue)).unwrap()
}

fn as_json(path: &Path) -> Option<Value> {
    let content = fs::read_to_string(path).unwrap();
    yaml::parse(&SourceText::new("x", content)).ok().map(|node| node.to_json())
}

#[test]
fn schema_accepts_valid_files_and_refuses_the_golden_errors() {
    let schema = schema();
    let valid = ["minimal", "everything"].map(|name| golden().join("valid").join(name).with_extension("yaml"));
    for path in valid {
        let name = path.display();
        let example = as_json(&path).unwrap();
        let errors: Vec<_> = schema.iter_errors(&example).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:#?}");
    }
    for path in files("yaml") {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let Some(example) = as_json(&path) else { continue };
        assert_eq!(schema.is_valid(&example), BEYOND_THE_SCHEMA.contains(&name), "{name}");
    }
}

#[test]
fn schema_checks_a_source_by_its_provider() {
    let schema = schema();
    let cases = [
        ("{name: a, provider: openbao, url: 'https://x', auth: approle}", true),
        ("{name: a, provider: vault}", false),
        ("{name: a, provider: vault, url: https}", false),
        ("{name: a, provider: vault, url: 'https://x', auth: kerberos}", false),
        ("{name: a, provider: vault, url: 'https://x', listings: [tokens]}", false),
        ("{name: a, provider: gitlab, namespaces: [x]}", false),
        ("{name: a, provider: gitlba}", false),
        ("{name: a, provider: kubernetes, kubeconfig: {file: x}}", true),
        ("{name: a, provider: kubernetes, kubeconfig: {context: x}}", false),
        ("{name: a, provider: gitlab, kubeconfig: {file: x}}", false),
    ];
    for (source, valid) in cases {
        let source = yaml::parse(&SourceText::new("x", format!("sources: [{source}]"))).unwrap().to_json();
        assert_eq!(schema.is_valid(&source), valid, "{source}");
    }
}
