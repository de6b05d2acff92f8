#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::core::failure::Failure;
use crate::core::secret::{Credential, Credentials};
use crate::providers::language::provider::compile;
use crate::schema::diagnostic::SourceText;
use crate::schema::yaml;

const DEFINITION: &str = "
format: 1
provider: widgets
title: Widgets
docs: https://widgets.example/docs
expiry: an instant
settings:
  url: {type: url, default: https://api.widgets.example, help: the address}
  teams: {type: list, help: the teams}
  admin: {type: flag, default: false, help: whether it is an administrator's}
  days: {type: number, default: 90, help: so many days}
  org: {default: null, help: the organization}
  client_id: {default: null, help: 'the client, if auth is oauth'}
auth:
  - {name: token, bearer: '{credential}'}
  - name: oauth
    bearer: '{login}'
    login: {post: /login, form: {client_id: '{client_id}', client_secret: '{credential.secret}'}, token: .token}
listings:
  - {name: team, kind: token, for_each: {in: $settings.teams, as: team}, get: '/t/{team}', rows: ., token: {id: .id, expires_at: .at}}
  - {name: org, kind: token, opt_in: true, get: '/o/{org}', rows: ., token: {id: .id, expires_at: .at}}
  - {name: all, kind: token, when: $settings.admin, get: '/a/{org}', rows: ., token: {id: .id, expires_at: .at}}
";

/// Credentials of which nothing but the parts' names is asked.
struct Parts(Vec<&'static str>);

impl Credentials for Parts {
    fn read(&self) -> Result<Credential, Failure> {
        Ok(Credential::default())
    }

    fn parts(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }
}

/// Settles a source that is written as the configuration would have it.
fn settle(source: &str, parts: &[&'static str]) -> Result<ResolvedSettings, String> {
    let text = SourceText::new("config.yaml", source);
    let root = yaml::parse(&text).expect("YAML");
    let Kind::Map(entries) = &root.kind else { panic!("a map") };
    let entry = |name: &str| entries.iter().find(|(key, _)| key.name == name).map(|(_, node)| node);
    let word = |node: &Node| (node.as_text().expect("a text").to_owned(), node.at);
    let wanted = SourceSpec {
        text: text.clone(),
        at: entries[0].1.at,
        name: "mine".into(),
        auth: entry("auth").map(word),
        listings: entry("listings").map(|node| match &node.kind {
            Kind::List(list) => list.iter().map(word).collect(),
            _ => panic!("a list"),
        }),
        settings: entries
            .iter()
            .filter(|(key, _)| !["name", "auth", "listings", "credential"].contains(&key.name.as_str()))
            .cloned()
            .collect(),
        credentials: Arc::new(Parts(parts.to_vec())),
        credential_at: entry("credential").map(|node| node.at),
    };
    let provider = compile(&SourceText::new("widgets.yaml", DEFINITION)).expect("a definition");
    provider.settle(&wanted).map_err(|mistakes| mistakes.to_string())
}

#[test]
fn a_source_is_settled() {
    let settled =
        settle("name: mine\nteams: web\nurl: https://widgets.example/api/\ndays: 30\n", &[""]).expect("settled");
    let expected = json!({"url": "https://widgets.example/api", "teams": ["web"], "admin": false, "days": 30, "org": null,
        "client_id": null, "auth": "token"});
    assert_eq!(serde_json::Value::from(settled.settings), expected);
    assert_eq!((settled.scheme, settled.listings), (0, vec![0, 2]));

    let source = "name: mine\nteams: []\nauth: oauth\nclient_id: me\norg: 12\nlistings: [all, org, all]\n";
    let settled = settle(source, &["secret"]).expect("settled");
    assert_eq!((settled.scheme, settled.listings), (1, vec![1, 2]));
    assert_eq!((&settled.settings["org"], &settled.settings["auth"]), (&json!("12"), &json!("oauth")));
}

#[test]
fn what_a_source_gets_wrong_is_told_all_at_once() {
    let source =
        "name: mine\nurl: widgets.example\nteam: [a]\ndays: many\nadmin: 'yes'\nauth: oauht\nlistings: [teams, x]\n";
    insta::assert_snapshot!(settle(source, &[""]).expect_err("mistakes"), @"
    config.yaml:1:7: mine: `teams` is missing: the teams
    1 | name: mine
      |       ^^^^

    config.yaml:2:6: mine: `url`: not a URL; it begins with `https://`
    2 | url: widgets.example
      |      ^^^^^^^^^^^^^^^

    config.yaml:3:1: mine: unknown key `team`; did you mean `teams`?
    3 | team: [a]
      | ^^^^

    config.yaml:4:7: mine: `days`: expected a whole number, found a text
    4 | days: many
      |       ^^^^

    config.yaml:5:8: mine: `admin`: expected true or false, found a text
    5 | admin: 'yes'
      |        ^^^^^

    config.yaml:6:7: mine: auth: no way to authenticate is called `oauht`; did you mean `oauth`?
    6 | auth: oauht
      |       ^^^^^

    config.yaml:7:12: mine: listings: no listing is called `teams`; did you mean `team`?
    7 | listings: [teams, x]
      |            ^^^^^

    config.yaml:7:19: mine: listings: no listing is called `x`; `widgets` has `team`, `org`, `all`
    7 | listings: [teams, x]
      |                   ^
    ");
}

#[test]
fn what_is_certainly_needed_is_asked_for_and_nothing_else() {
    let cases: &[(&str, &[&str], &[&str])] = &[
        ("teams: []\n", &[""], &[]),
        ("teams: []\n", &[], &["mine: the credential is missing: `credential: {file: …}` or `{env: …}`"]),
        (
            "teams: []\n",
            &["secret"],
            &["mine: the credential is one secret here, without parts: `credential: {file: …}` or `{env: …}`"],
        ),
        (
            "teams: []\nauth: oauth\n",
            &["secret"],
            &["mine: `client_id` is missing, which `auth: oauth` needs: the client, if auth is oauth"],
        ),
        (
            "teams: []\nauth: oauth\nclient_id: me\n",
            &["secrt"],
            &[
                "mine: the credential's part `secret` is missing: `credential: {secret: {file: …}}` or `{env: …}`",
                "mine: the credential has no part `secrt`; did you mean `secret`?",
            ],
        ),
        (
            "teams: []\nlistings: [org]\n",
            &[""],
            &["mine: `org` is missing, which the listing `org` needs: the organization"],
        ),
        ("teams: []\nlistings: [all]\n", &[""], &[]),
        ("teams:\n", &[""], &["mine: `teams` is missing: the teams"]),
    ];
    for (source, parts, expected) in cases {
        let told = settle(&format!("name: mine\n{source}"), parts).err().unwrap_or_default();
        let mut messages: Vec<&str> = told
            .lines()
            .filter_map(|line| line.strip_prefix("config.yaml:")?.split_once(": ").map(|(_, message)| message))
            .collect();
        let mut expected = expected.to_vec();
        messages.sort_unstable();
        expected.sort_unstable();
        assert_eq!(messages, expected, "{source} {parts:?}");
    }
}

#[test]
fn a_line_that_may_hold_a_secret_is_not_shown() {
    let source =
        "name: mine\nteams: []\napi_token: s3cret\ncredentail: s3cret\nurl: https://me:s3cret@widgets.example\n";
    let told = settle(source, &[""]).expect_err("mistakes");
    assert!(!told.contains("s3cret"), "{told}");
    assert!(told.contains("unknown key `api_token`; a secret stands in a file or a variable"), "{told}");
    assert!(told.contains("unknown key `credentail`; did you mean `credential`?"), "{told}");
    assert!(told.contains("a URL carries no name and no password here"), "{told}");
}

#[test]
fn an_address_is_kept_as_requests_need_it() {
    let cases = [
        ("https://x.example", Ok("https://x.example")),
        ("https://x.example/", Ok("https://x.example")),
        ("HTTP://X.example:8443/base//", Ok("http://x.example:8443/base")),
        ("ftp://x.example", Err("not a URL that can be asked; it begins with `https://`")),
        ("https://x.example/?a=b", Err("a base URL has no `?` and no `#`")),
        ("x.example", Err("not a URL; it begins with `https://`")),
    ];
    for (written, expected) in cases {
        assert_eq!(address(written), expected.map(str::to_owned), "{written}");
    }
}
