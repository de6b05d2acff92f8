#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::core::extra_headers::ExtraHeaders;
use crate::core::failure::Failure;
use crate::core::secret::{Credential, Credentials};
use crate::providers::language::compile::compile;
use crate::schema::diagnostic::SourceText;
use crate::schema::yaml;

const DEFINITION: &str = "
format: 1
provider: widgets
title: Widgets
docs: https://widgets.example/docs
expiry: a timestamp
settings:
  url: {type: url, default: https://api.widgets.example, help: the address}
  teams: {type: list, help: the teams}
  admin: {type: flag, default: false, help: whether it is an administrator's}
  days: {type: number, default: 90, help: so many days}
  org: {default: null, help: the organization}
  client_id: {default: null, help: 'the client, if auth is oauth'}
  sites: {type: list, default: [], help: the sites}
  other_url: {type: url, default: null, help: another address}
  region: {default: null, help: the region}
  keys_url: {type: url, default: 'https://keys.{region}.widgets.example/api/', help: the address of the region}
auth:
  - {name: token, bearer: '{credential}'}
  - name: oauth
    bearer: '{login}'
    login: {post: /login, form: {client_id: '{client_id}', client_secret: '{credential.secret}'}, token: .token}
listings:
  - {name: team, kind: token, for_each: {in: $settings.teams, as: team}, get: '/t/{team}', rows: ., token: {id: .id, expires_at: .at}}
  - {name: org, kind: token, opt_in: true, get: '/o/{org}', rows: ., token: {id: .id, expires_at: .at}}
  - {name: all, kind: token, when: $settings.admin, get: '/a/{org}', rows: ., token: {id: .id, expires_at: .at}}
  - name: site
    kind: token
    opt_in: true
    for_each: {in: 'if $settings.sites == [] then null else $settings.sites end', as: site}
    get: /s/{site}
    rows: .
    token: {id: .id, expires_at: .at}
  - {name: other, kind: token, opt_in: true, get: '{other_url}/o', rows: ., token: {id: .id, expires_at: .at}}
";

/// Credentials with these parts.
struct Parts(Vec<&'static str>);

impl Credentials for Parts {
    fn read(&self) -> Result<Credential, Failure> {
        Ok(Credential::default())
    }

    fn parts(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }
}

/// The names of a source's headers.
fn header_names(source: &Node) -> Vec<(String, Span)> {
    let headers = source.get("headers").map(Node::entries).unwrap_or_default();
    headers.iter().map(|(key, _)| (key.name.clone(), key.at)).collect()
}

/// Resolves the settings of a source of the configuration.
fn resolve(source: &str, parts: &[&'static str]) -> Result<ResolvedSettings, String> {
    let text = SourceText::new("config.yaml", source);
    let root = yaml::parse(&text).expect("YAML");
    let entries = root.entries();
    let word = |node: &Node| (node.as_text().expect("a text").to_owned(), node.at);
    let spec = SourceSpec {
        text: text.clone(),
        at: entries[0].1.at,
        name: "mine".into(),
        auth: root.get("auth").map(word),
        listings: root.get("listings").map(|node| node.elements().iter().map(word).collect()),
        settings: entries
            .iter()
            .filter(|(key, _)| !["name", "auth", "listings", "credential", "headers"].contains(&key.name.as_str()))
            .cloned()
            .collect(),
        credentials: Arc::new(Parts(parts.to_vec())),
        credential_at: root.get("credential").map(|node| node.at),
        kubeconfig: None,
        has_client_certificate: false,
        identify: None,
        headers: ExtraHeaders::default(),
        header_names: header_names(&root),
    };
    let provider =
        compile(&SourceText::new("widgets.yaml", DEFINITION), &["name", "credential"]).expect("a definition");
    provider.resolve(&spec).map_err(|errors| errors.to_string())
}

#[test]
fn resolve_applies_defaults() {
    let resolved =
        resolve("name: mine\nteams: web\nurl: https://widgets.example/api/\ndays: 30\n", &[""]).expect("resolved");
    let expected = json!({"url": "https://widgets.example/api", "teams": ["web"], "admin": false, "days": 30, "org": null,
        "client_id": null, "sites": [], "other_url": null, "region": null, "keys_url": null, "auth": "token"});
    assert_eq!(serde_json::Value::from(resolved.settings), expected);
    assert_eq!((resolved.scheme, resolved.listings), (0, vec![0, 2]));

    let source = "name: mine\nteams: []\nauth: oauth\nclient_id: me\norg: 12\nlistings: [all, org, all]\n";
    let resolved = resolve(source, &["secret"]).expect("resolved");
    assert_eq!((resolved.scheme, resolved.listings), (1, vec![1, 2]));
    assert_eq!((&resolved.settings["org"], &resolved.settings["auth"]), (&json!("12"), &json!("oauth")));
}

#[test]
fn resolve_reports_every_error_at_once() {
    let source =
        "name: mine\nurl: widgets.example\nteam: [a]\ndays: many\nadmin: 'yes'\nauth: oauht\nlistings: [teams, x]\n";
    insta::assert_snapshot!(resolve(source, &[""]).expect_err("errors"), @"
    config.yaml:1:7: sources.mine: `teams` is missing: the teams
    1 | name: mine
      |       ^^^^

    config.yaml:2:6: sources.mine.url: expected an http or https URL, such as `https://api.example.com`
    2 | url: widgets.example
      |      ^^^^^^^^^^^^^^^

    config.yaml:3:1: unknown key `sources.mine.team`; did you mean `teams`?
    3 | team: [a]
      | ^^^^

    config.yaml:4:7: sources.mine.days: expected a whole number, found a string
    4 | days: many
      |       ^^^^

    config.yaml:5:8: sources.mine.admin: expected `true` or `false`, found a string
    5 | admin: 'yes'
      |        ^^^^^

    config.yaml:6:7: sources.mine.auth: unknown name `oauht`; did you mean `oauth`?
    6 | auth: oauht
      |       ^^^^^

    config.yaml:7:12: sources.mine.listings: unknown name `teams`; did you mean `team`?
    7 | listings: [teams, x]
      |            ^^^^^

    config.yaml:7:19: sources.mine.listings: unknown name `x`; expected `team`, `org`, `all`, `site` or `other`
    7 | listings: [teams, x]
      |                   ^
    ");
}

#[test]
fn resolve_requires_what_is_certainly_needed() {
    let cases: &[(&str, &[&str], &[&str])] = &[
        ("teams: []\n", &[""], &[]),
        ("teams: []\n", &[], &["sources.mine.credential: missing; write `credential: {file: PATH}` or `{env: NAME}`"]),
        (
            "teams: []\n",
            &["secret"],
            &["sources.mine.credential: has no parts here; write `credential: {file: PATH}` or `{env: NAME}`"],
        ),
        (
            "teams: []\nauth: oauth\n",
            &["secret"],
            &["sources.mine: `client_id` is missing, which `auth: oauth` needs: the client, if auth is oauth"],
        ),
        (
            "teams: []\nauth: oauth\nclient_id: me\n",
            &["secrt"],
            &[
                "sources.mine.credential: the part `secret` is missing; write `credential: {secret: {file: PATH}}` or `{env: NAME}`",
                "sources.mine.credential: unknown part `secrt`; did you mean `secret`?",
            ],
        ),
        (
            "teams: []\nlistings: [org]\n",
            &[""],
            &["sources.mine: `org` is missing, which the listing `org` needs: the organization"],
        ),
        ("teams: []\nlistings: [all]\n", &[""], &[]),
        (
            "teams: []\nadmin: true\n",
            &[""],
            &["sources.mine: `org` is missing, which the listing `all` needs: the organization"],
        ),
        ("teams: []\nadmin: true\norg: web\n", &[""], &[]),
        (
            "teams: []\nlistings: [site]\n",
            &[""],
            &["sources.mine: `sites` is missing, which the listing `site` needs: the sites"],
        ),
        (
            "teams: []\nlistings: [site]\nsites: []\n",
            &[""],
            &["sources.mine: `sites` is missing, which the listing `site` needs: the sites"],
        ),
        ("teams: []\nlistings: [site]\nsites: [a]\n", &[""], &[]),
        (
            "teams: []\nlistings: [other]\n",
            &[""],
            &["sources.mine: `other_url` is missing, which the listing `other` needs: another address"],
        ),
        ("teams: []\nlistings: [other]\nother_url: https://o.example\n", &[""], &[]),
        ("teams:\n", &[""], &["sources.mine: `teams` is missing: the teams"]),
    ];
    for (source, parts, expected) in cases {
        let errors = resolve(&format!("name: mine\n{source}"), parts).err().unwrap_or_default();
        let mut messages: Vec<&str> = errors
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
fn resolve_fills_the_default_of_a_url() {
    let cases = [
        ("region: eu-1\n", json!("https://keys.eu-1.widgets.example/api")),
        ("region: eu-1\nkeys_url:\n", json!("https://keys.eu-1.widgets.example/api")),
        ("region: eu-1\nkeys_url: http://127.0.0.1:5000/\n", json!("http://127.0.0.1:5000")),
        ("region: eu/1\nkeys_url: http://127.0.0.1:5000/\n", json!("http://127.0.0.1:5000")),
        ("region: ''\n", json!(null)),
        ("", json!(null)),
    ];
    for (source, expected) in cases {
        let resolved = resolve(&format!("name: mine\nteams: []\n{source}"), &[""]).expect("resolved");
        assert_eq!(resolved.settings["keys_url"], expected, "{source}");
    }
}

#[test]
fn resolve_rejects_a_value_that_would_change_the_host_of_a_url() {
    for region in ["evil.example/", "a.b", "a@b", "a:1", "'a b'", "é", "'{{region}}'"] {
        let errors = resolve(&format!("name: mine\nteams: []\nregion: {region}\n"), &[""]).expect_err(region);
        let expected = "config.yaml:3:9: sources.mine.region: expected letters, digits and hyphens, which are part of `keys_url`; or set `keys_url`";
        assert!(errors.starts_with(expected), "{region}: {errors}");
    }
}

#[test]
fn resolve_hides_lines_that_may_hold_a_secret() {
    let source =
        "name: mine\nteams: []\napi_token: s3cret\ncredentail: s3cret\nurl: https://me:s3cret@widgets.example\n";
    let errors = resolve(source, &[""]).expect_err("errors");
    assert!(!errors.contains("s3cret"), "{errors}");
    assert!(errors.contains("unknown key `sources.mine.api_token`; secrets are not allowed here"), "{errors}");
    assert!(errors.contains("unknown key `sources.mine.credentail`; did you mean `credential`?"), "{errors}");
    assert!(errors.contains("expected an http or https URL without user and password"), "{errors}");
}

#[test]
fn base_url_has_no_trailing_slash() {
    let cases = [
        ("https://x.example", Ok("https://x.example")),
        ("https://x.example/", Ok("https://x.example")),
        ("HTTP://X.example:8443/base//", Ok("http://x.example:8443/base")),
        ("ftp://x.example", Err("expected an http or https URL, such as `https://api.example.com`")),
        ("https://x.example/?a=b", Err("a base URL has no `?` and no `#`")),
        ("x.example", Err("expected an http or https URL, such as `https://api.example.com`")),
    ];
    for (written, expected) in cases {
        assert_eq!(base_url(written), expected.map(str::to_owned), "{written}");
    }
}

#[test]
fn header_that_the_definition_sets_is_an_error_in_any_case() {
    let provider = |auth: &str| {
        let definition = format!(
            "format: 1\nprovider: set\ntitle: Set\ndocs: https://set.example/\nexpiry: a timestamp\n\
             settings: {{url: {{type: url, help: its address}}}}\nheaders: {{X-Version: '3'}}\nauth: {auth}\n\
             self: {{get: /self, headers: {{X-Own: a}}, expires_at: .at}}\n\
             maps: {{users: {{get: /users, headers: {{X-Map: a}}, rows: ., key: .id, value: .name}}}}\n\
             identify: {{prefix: s_, rest: a, get: /me, headers: {{X-Found: '{{value}}'}}, id: .id, touches: nothing}}\n\
             listings:\n  - name: key\n    kind: key\n    require: {{get: /role, headers: {{X-Require: a}}, that: .ok}}\n    \
             for_each: {{get: /groups, headers: {{X-Step: a}}, rows: ., as: group}}\n    get: /k/{{group}}\n    \
             headers: {{X-Listing: a}}\n    next: {{cursor: .next, param: X-Cursor, in: header}}\n    rows: .\n    \
             token: {{id: .id, expires_at: .at}}\n"
        );
        compile(&SourceText::new("set.yaml", definition), &["name"]).unwrap_or_else(|errors| panic!("{errors}"))
    };
    let of_all = "X-Version X-Own X-Map X-Found X-Require X-Step X-Listing X-Cursor";
    let cases = [
        ("bearer", "Authorization", "X-Key X-Amz-Date Cookie Proxy-Authorization"),
        ("{basic: {user: u, password: '{credential}'}}", "Authorization", "X-Key"),
        ("{headers: {X-Key: '{credential}'}}", "X-Key", "Authorization X-Keys"),
        (
            "{aws_sigv4: {service: iam, region: r}}",
            "Authorization X-Amz-Date X-Amz-Security-Token X-Amz-Anything",
            "X-Amazon",
        ),
        (
            "{ovh_signature: {application_key: k, application_secret: '{credential}', consumer_key: k}}",
            "X-Ovh-Application X-Ovh-Consumer X-Ovh-Timestamp X-Ovh-Signature",
            "Authorization",
        ),
        (
            "{akamai_edgegrid: {client_token: '{credential}', client_secret: '{credential}', access_token: '{credential}'}}",
            "Authorization",
            "X-Key",
        ),
        ("{github_app: {app_id: '1', private_key: '{credential}', organization: a}}", "Authorization", "X-Key"),
        (
            "{headers: {X-Key: '{login}'}, login: {post: /l, headers: {X-Login: a}, basic: {user: u, password: '{credential}'}, token: .t}}",
            "X-Key X-Login Authorization",
            "X-Other",
        ),
    ];
    let url = Url::parse("https://set.example/").expect("a URL");
    for (auth, refused, accepted) in cases {
        let provider = provider(auth);
        let problem = |name: &str| headers::problem(&provider, &provider.schemes[0], name, Some(&url));
        for name in refused.split(' ').chain(of_all.split(' ')) {
            for name in [name.to_owned(), name.to_lowercase(), name.to_uppercase()] {
                assert!(problem(&name).is_some_and(|problem| problem.contains("remove it")), "{auth}: {name}");
            }
        }
        for name in accepted.split(' ') {
            assert_eq!(problem(name), None, "{auth}: {name}");
        }
    }
}

#[test]
fn header_error_names_line_and_key() {
    let source = "name: mine\nteams: web\nurl: http://widgets.example\nheaders:\n  X-Team: a\n  authorization: {file: a}\n  \
                  Proxy-Authorization: {file: b}\n";
    insta::assert_snapshot!(resolve(source, &[""]).expect_err("errors"), @"
    config.yaml:6:3: sources.mine.headers.authorization: the requests of `widgets` have this header already; remove it, and let the gateway accept another one, such as `Proxy-Authorization`
    6 |   authorization: {file: a}
      |   ^^^^^^^^^^^^^

    config.yaml:7:3: sources.mine.headers.Proxy-Authorization: with plain http the first proxy on the way takes this header; use https
    7 |   Proxy-Authorization: {file: b}
      |   ^^^^^^^^^^^^^^^^^^^
    ");
}

#[test]
fn headers_go_to_the_origin_of_url_or_of_the_first_listing() {
    for (source, origin) in [
        ("", "https://api.widgets.example"),
        ("url: https://w.example:8443/api\n", "https://w.example:8443"),
        ("listings: [team, other]\nother_url: https://o.example/x\n", "https://api.widgets.example"),
        ("listings: [other]\nother_url: https://o.example/x\n", "https://o.example"),
        ("listings: [all, other]\nother_url: https://o.example\n", "https://o.example"),
        ("listings: [all]\n", "https://api.widgets.example"),
    ] {
        let resolved = resolve(&format!("name: mine\nteams: web\n{source}"), &[""]).expect("resolved");
        assert_eq!(resolved.headers_to.map(|origin| origin.ascii_serialization()).as_deref(), Some(origin), "{source}");
    }
}
