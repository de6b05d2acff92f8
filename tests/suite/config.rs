//! The configuration as a person meets it: what is wrong with a file, said so that it can be put right.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{env, fs, io};

use chrono::TimeDelta;
use serde_json::{Value, json};
use token_expiry_exporter::config::{self, Bounds, Environment, Labels, ProviderSchema, SettingSchema, SettingShape};
use token_expiry_exporter::core::failure::Reason;
use token_expiry_exporter::core::lead::{Lead, LeadChange};
use token_expiry_exporter::schema::diagnostic::{Diagnostics, SourceText};
use token_expiry_exporter::schema::yaml;

/// No message may hold this: it stands wherever a golden file has a secret.
const SECRET: &str = "DO-NOT-LEAK";

/// A machine with a few files.
struct Machine;

impl Environment for Machine {
    fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        match path.to_str().unwrap() {
            "/run/secrets/gitlab" => Ok(b"DO-NOT-LEAK\n".to_vec()),
            "etc/secrets/password" => Ok("\u{feff}DO-NOT-LEAK\r\n".into()),
            "/run/secrets/empty" => Ok(b"\n".to_vec()),
            "/run/secrets/forbidden" => Err(io::Error::from_raw_os_error(13)),
            "certificate.pem" | "etc/certificate.pem" => {
                Ok(b"-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n".to_vec())
            }
            "locked-key.pem" => Ok(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nDO-NOT-LEAK\n".to_vec()),
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

/// The own names of the providers that the golden files use.
fn own_name(provider: &str) -> Option<String> {
    match provider {
        "vault" | "openbao" => Some("vault".into()),
        "gitlab" | "github" | "harbor" => Some(provider.into()),
        _ => None,
    }
}

/// What `check` says of a file.
fn check(text: SourceText) -> Result<(), Diagnostics> {
    let mut config = config::parse(text, Arc::new(Machine))?;
    let mut mistakes = Diagnostics::default();
    mistakes.extend(config.resolve_providers(own_name).err().unwrap_or_default());
    mistakes.extend(config.check_credentials().err().unwrap_or_default());
    mistakes.into_result()
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/config")
}

/// The golden files of this ending, in order.
fn files(ending: &str) -> Vec<PathBuf> {
    let paths = fs::read_dir(golden()).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = paths.filter(|path| path.extension().is_some_and(|found| found == ending)).collect();
    paths.sort();
    paths
}

/// Each `NAME.yaml` has mistakes, and `NAME.txt` says how they are told. `UPDATE_GOLDEN=1` writes these anew.
#[test]
fn every_mistake_is_told_as_the_golden_file_says() {
    let update = env::var_os("UPDATE_GOLDEN").is_some();
    let mut wrong = Vec::new();
    for path in files("yaml") {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let content = fs::read_to_string(&path).unwrap();
        let mistakes = check(SourceText::new(format!("{name}.yaml"), content)).expect_err(&name);
        let found = format!("{mistakes}\n");
        assert!(
            !found.contains(SECRET) && !format!("{mistakes:?}").contains(SECRET),
            "{name} shows a secret:\n{found}"
        );
        let expected = path.with_extension("txt");
        if update {
            fs::write(&expected, &found).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != found {
            wrong.push(format!("{}:\n{found}", expected.display()));
        }
    }
    assert!(wrong.is_empty(), "not as expected (UPDATE_GOLDEN=1 writes anew):\n\n{}", wrong.join("\n"));
}

#[test]
fn no_expectation_is_left_of_a_file_that_is_gone() {
    for path in files("txt") {
        assert!(path.with_extension("yaml").exists(), "{} has no YAML", path.display());
    }
}

fn valid(name: &str) -> SourceText {
    let content = fs::read_to_string(golden().join("valid").join(name)).unwrap();
    SourceText::new(format!("etc/{name}"), content)
}

#[test]
fn a_source_alone_has_every_default() {
    let config = config::parse(valid("minimal.yaml"), Arc::new(Machine)).unwrap();
    assert_eq!((config.interval.as_secs(), config.timeout.as_secs()), (900, 300));
    assert_eq!(config.alert_lead, Lead { warning: TimeDelta::days(30), critical: TimeDelta::days(7) });
    assert_eq!((config.min_lifetime, config.expired_retention), (TimeDelta::days(1), TimeDelta::days(7)));
    assert_eq!(config.token_limit, 100_000);
    assert_eq!(config.labels, Labels { owner: true, owner_email: false });
    let bounds = Bounds { max_lifetime: Some(TimeDelta::days(366)), unused_after: Some(TimeDelta::days(90)) };
    assert_eq!(config.policy, bounds);
    assert!(config.rules.is_empty() && config.label_names.is_empty());
    let source = &config.sources[0];
    assert!(source.credentials.parts().is_empty() && source.interval.is_none() && source.listings.is_none());
    assert_eq!(config.policy.with(source.policy), bounds);
}

#[test]
fn everything_that_can_be_said_is_read() {
    let mut config = config::parse(valid("everything.yaml"), Arc::new(Machine)).unwrap();
    config.resolve_providers(own_name).unwrap();
    config.check_credentials().unwrap();

    assert_eq!((config.interval.as_secs(), config.timeout.as_secs()), (1800, 600));
    assert_eq!(config.alert_lead, Lead { warning: TimeDelta::weeks(6), critical: TimeDelta::days(10) });
    assert_eq!((config.min_lifetime, config.expired_retention), (TimeDelta::zero(), TimeDelta::days(14)));
    assert_eq!((config.token_limit, config.labels), (5000, Labels { owner: false, owner_email: true }));
    assert_eq!(config.policy, Bounds { max_lifetime: Some(TimeDelta::days(365)), unused_after: None });
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
    assert_eq!((vault.interval, vault.timeout), (Some(Duration::from_secs(5400)), Some(Duration::from_secs(60))));
    assert_eq!(vault.alert_lead, LeadChange { warning: None, critical: Some(TimeDelta::days(3)) });
    assert_eq!(vault.min_lifetime, Some(TimeDelta::hours(2)));
    assert_eq!((vault.expired_retention, vault.token_limit), (Some(TimeDelta::zero()), Some(10)));
    let bounds = Bounds { max_lifetime: None, unused_after: Some(TimeDelta::days(30)) };
    assert_eq!(config.policy.with(vault.policy), bounds);
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
    assert!(config.rules[2].drop);
}

#[test]
fn a_credential_is_read_anew_each_time_and_its_failure_names_the_place_alone() {
    struct Rotated(AtomicUsize);
    impl Environment for Rotated {
        fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
            assert_eq!(path, Path::new("etc/secret"), "relative paths stand under the configuration's folder");
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
    assert_eq!(failure.what, "credential: the file etc/secret cannot be read: Permission denied (os error 13)");
}

#[test]
fn a_credential_of_several_parts_has_each_by_its_name() {
    let config = config::parse(valid("everything.yaml"), Arc::new(Machine)).unwrap();
    let credentials = &config.sources[1].credentials;
    assert_eq!(credentials.parts(), ["user", "password"]);
    let credential = credentials.read().unwrap();
    assert_eq!(credential.part("user").unwrap().expose(), SECRET);
    assert_eq!(credential.part("password").unwrap().expose(), SECRET, "without mark and line end");
    assert!(!format!("{config:?}{credential:?}").contains(SECRET));
}

/// What no schema can say; `check` does.
const BEYOND_THE_SCHEMA: &[&str] = &[
    "certificates",
    "credential-unreadable",
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

fn provider(name: &str, alias: Option<&str>, settings: Vec<SettingSchema>, schemes: &[&str]) -> ProviderSchema {
    ProviderSchema {
        name: name.into(),
        aliases: alias.map(str::to_owned).into_iter().collect(),
        title: name.to_uppercase(),
        settings,
        listings: vec!["token".into()],
        schemes: schemes.iter().map(|name| (*name).to_owned()).collect(),
    }
}

fn setting(name: &str, shape: SettingShape, default: Option<Value>) -> SettingSchema {
    SettingSchema { name: name.into(), shape, default, help: format!("the {name}") }
}

fn providers() -> Vec<ProviderSchema> {
    let url = || setting("url", SettingShape::Url, None);
    vec![
        provider("files", None, vec![], &[]),
        provider("gitlab", None, vec![setting("url", SettingShape::Url, Some(json!("https://gitlab.com")))], &[""]),
        provider("github", None, vec![], &[]),
        provider("harbor", None, vec![], &[]),
        provider(
            "vault",
            Some("openbao"),
            vec![
                url(),
                setting("namespaces", SettingShape::List, Some(json!([""]))),
                setting("role_id", SettingShape::Text, Some(Value::Null)),
            ],
            &["token", "approle"],
        ),
    ]
}

fn as_json(path: &Path) -> Option<Value> {
    let content = fs::read_to_string(path).unwrap();
    yaml::parse(&SourceText::new("x", content)).ok().map(|node| node.to_json())
}

#[test]
fn the_schema_accepts_what_is_right_and_refuses_what_it_can() {
    let schema = jsonschema::validator_for(&config::schema(&providers())).unwrap();
    for name in ["minimal", "everything"] {
        let example = as_json(&golden().join("valid").join(name).with_extension("yaml")).unwrap();
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
fn the_schema_checks_a_source_by_its_provider() {
    let schema = jsonschema::validator_for(&config::schema(&providers())).unwrap();
    let cases = [
        ("{name: a, provider: openbao, url: 'https://x', auth: approle}", true),
        ("{name: a, provider: vault}", false),
        ("{name: a, provider: vault, url: https}", false),
        ("{name: a, provider: vault, url: 'https://x', auth: kerberos}", false),
        ("{name: a, provider: vault, url: 'https://x', listings: [tokens]}", false),
        ("{name: a, provider: gitlab, namespaces: [x]}", false),
        ("{name: a, provider: gitlba}", false),
    ];
    for (source, valid) in cases {
        let source = yaml::parse(&SourceText::new("x", format!("sources: [{source}]"))).unwrap().to_json();
        assert_eq!(schema.is_valid(&source), valid, "{source}");
    }
}
