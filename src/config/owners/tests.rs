#![allow(clippy::unwrap_used)]

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::super::{Config, Environment, parse};
use crate::core::owners::{Directory, Join};
use crate::core::token::Owner;
use crate::schema::diagnostic::SourceText;

const SOURCES: &str = "
sources:
  - {name: secrets, provider: openbao, url: https://vault.acme.net, credential: {env: T}}
  - {name: gitlab-eu, provider: gitlab, credential: {env: T}}
";

/// A machine with one owners file of any name.
struct Machine(&'static str);

impl Environment for Machine {
    fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        if path.starts_with("etc") { Ok(self.0.into()) } else { Err(io::Error::from_raw_os_error(2)) }
    }

    fn env(&self, _: &str) -> Option<String> {
        None
    }
}

fn name_of(provider: &str) -> Option<String> {
    match provider {
        "vault" | "openbao" => Some("vault".into()),
        "gitlab" | "github" => Some(provider.into()),
        _ => None,
    }
}

fn read(settings: &str, file: &'static str) -> Result<(Config, Directory), String> {
    let text = SourceText::new("config.yaml", format!("{settings}{SOURCES}"));
    let config = parse(text, Arc::new(Machine(file))).map_err(|errors| errors.to_string())?;
    let directory = config.directory(name_of);
    Ok((config, directory))
}

/// The name of the entry to which a login belongs.
fn find(config: &Config, directory: Directory, source: &str, provider: &str, login: &str) -> String {
    let owners = config.rules_with(directory).owners;
    let owner = Owner { name: Some(login.into()), ..Owner::default() };
    match owners.find(source, provider, &owner, true) {
        Join::Person(person) => format!(
            "{} {} {}",
            person.name.clone().unwrap_or_default(),
            person.email.clone().unwrap_or_default(),
            person.team.clone().unwrap_or_default()
        ),
        other => format!("{other:?}"),
    }
}

#[test]
fn owners_are_read_from_every_form_of_file() {
    const CSV: &str = "name,email,team,also\nJane Doe,JANE@example.com,platform,jdoe|openbao:jane| gitlab-eu: 12\n,ops@example.com,,ops\n\n";
    const EXCEL: &str = "\u{feff}sep=;\r\nemail;name;also\r\nJane@example.com;Jane Doe;jdoe | vault:jane\r\n";
    const YAML: &str =
        "owners:\n  - {name: Jane Doe, email: jane@example.com, team: platform, also: [jdoe, 'vault:jane']}\n";
    const LIST: &str =
        "- {name: Jane Doe, email: jane@example.com, also: jdoe}\n- {also: 'vault:jane', email: jane2@example.com}";
    for (settings, file, source, provider, login, expected) in [
        ("owners_file: etc/o.csv", CSV, "x", "github", "jdoe", "Jane Doe jane@example.com platform"),
        ("owners_file: etc/o.CSV", CSV, "secrets", "vault", "jane", "Jane Doe jane@example.com platform"),
        ("owners_file: etc/o.csv", CSV, "x", "github", "jane", "Nobody"),
        ("owners_file: etc/o.csv", CSV, "gitlab-eu", "gitlab", "12", "Jane Doe jane@example.com platform"),
        ("owners_file: etc/o.csv", CSV, "gitlab-us", "gitlab", "12", "Nobody"),
        ("owners_file: etc/o.csv", CSV, "x", "github", "ops", " ops@example.com "),
        ("owners_file: etc/o.csv", EXCEL, "secrets", "vault", "jane", "Jane Doe jane@example.com "),
        ("owners_file: etc/o.yaml", YAML, "secrets", "vault", "jane", "Jane Doe jane@example.com platform"),
        ("owners_file: etc/o.yml", LIST, "secrets", "vault", "jane", " jane2@example.com "),
        ("owners: [{name: Jane, also: '712020:5f'}]", "", "x", "github", "712020:5f", "Jane  "),
        ("owners: [{name: Ada}]\nowners_file: etc/o.yaml", LIST, "x", "github", "Ada", "Ada  "),
        ("owners: [{name: Ada}]\nowners_file: etc/o.yaml", LIST, "x", "github", "jdoe", "Jane Doe jane@example.com "),
        ("owners_file: etc/o.yaml", "owners:", "x", "github", "jdoe", "Nobody"),
    ] {
        let (config, directory) = read(settings, file).unwrap();
        assert_eq!(find(&config, directory, source, provider, login), expected, "{settings} {login}");
    }
}

#[test]
fn invalid_owner_is_an_error_with_its_position() {
    for (settings, file, expected) in [
        (
            "owners: [{name: Jane, mail: x}]",
            "",
            &["config.yaml:1:23: unknown key `owners.Jane.mail`; did you mean `email`?"][..],
        ),
        (
            "owners: [{team: web}]",
            "",
            &["config.yaml:1:11: owners[0]: `name` and `email` are missing; add one of them"],
        ),
        (
            "owners: [{name: Jane, email: 'a@x.example, b@y.example'}]",
            "",
            &["owners.Jane.email: `a@x.example, b@y.example` is not a bare address"],
        ),
        (
            "owners_from: gitlab",
            "",
            &["config.yaml:1:14: owners_from: unknown source `gitlab`; did you mean `gitlab-eu`?"],
        ),
        ("owners_file: o.csv", "", &["config.yaml:1:14: owners_file: cannot read o.csv: No such file"]),
        (
            "owners_file: etc/o.csv",
            "name,e-mail\nJane,x\n",
            &["etc/o.csv:1:1: unknown column `e-mail`; did you mean `email`?"],
        ),
        (
            "owners_file: etc/o.csv",
            "also,team\njdoe,web\n",
            &["etc/o.csv:1:1: the first line must name the columns, such as `name`, `email`, `team` or `also`"],
        ),
        (
            "owners_file: etc/o.csv",
            "name,email\nJane,jane@example.com\nAda,ada,x\nBob,bob@\n",
            &["etc/o.csv:3:1: the row has 3 columns, the first line has 2"],
        ),
        (
            "owners_file: etc/o.csv",
            "name,email\nJane,jane@example.com\nBob,bob@\n",
            &["etc/o.csv:3:1: owners.Bob.email: `bob@` is not a bare address"],
        ),
        ("owners_file: etc/o.yaml", "Jane", &["etc/o.yaml:1:1: expected a list of owners, or `owners:` with a list"]),
        (
            "owners_file: etc/o.yaml",
            "- {name: Jane, also: []}\n- {nmae: x}",
            &["owners.Jane.also: the list is empty", "etc/o.yaml:2:4: unknown key `owners[1].nmae`"],
        ),
    ] {
        let error = read(settings, file).map(drop).unwrap_err();
        for expected in expected {
            assert!(error.contains(expected), "{settings}: {error}");
        }
    }
}

#[test]
fn warnings_name_values_that_match_nobody_or_too_much() {
    const FILE: &str = "name,email,also\nJane,jane@example.com,jdoe\nAda,ada@example.com,12\n";
    let (config, directory) = read("owners: [{name: John, also: jdoe}]\nowners_file: etc/o.csv", FILE).unwrap();
    let warnings: Vec<_> =
        config.owner_warnings(&directory).iter().map(|warning| warning.message().to_owned()).collect();
    assert_eq!(
        warnings,
        [
            "owners: `jdoe` is also in the entry at config.yaml:1, so it matches neither; remove one",
            "owners: the number `12` matches in every source; write `SOURCE:12`",
        ]
    );
}

#[test]
fn rules_are_completed_and_sources_are_authoritative() {
    let settings = "
owners: [{name: Platform, email: platform@example.com, team: infra}]
owners_from: [gitlab-eu]
rules: [{owner: {name: Platform}}, {owner: {name: Other}}]";
    let (config, directory) = read(settings, "").unwrap();
    assert!(config.sets_team());
    let rules = config.rules_with(directory);
    let owner = |rule: usize| rules.list[rule].owner.clone().unwrap();
    assert_eq!((owner(0).email.as_deref(), owner(1).email.as_deref()), (Some("platform@example.com"), None));
    assert_eq!(rules.list[0].labels.get("team").map(String::as_str), Some("infra"));
    assert!(rules.owners.is_authoritative("gitlab-eu") && !rules.owners.is_authoritative("secrets"));
}
