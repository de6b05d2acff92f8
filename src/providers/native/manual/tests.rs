#![allow(clippy::unwrap_used, clippy::expect_used)]
use std::io::Write;

use super::*;
use crate::core::intake::Intake;
use crate::core::outcome::ListingResult;
use crate::core::secret::NoCredential;
use crate::core::time::parse_timestamp;
use crate::core::token::{Expiry, Owner};

/// The source with this configuration.
fn source(content: &str) -> Result<Box<dyn Source>, String> {
    let text = SourceText::new("config.yaml", content);
    let Kind::Map(settings) = parse(&text).unwrap().kind else { panic!("a map") };
    let wanted = SourceSpec {
        text,
        at: crate::schema::diagnostic::Span::default(),
        name: "hand".into(),
        auth: None,
        listings: None,
        settings,
        credentials: std::sync::Arc::new(NoCredential),
        credential_at: None,
        kubeconfig: None,
        has_client_certificate: false,
        headers: crate::core::extra_headers::ExtraHeaders::default(),
        header_names: Vec::new(),
        identify: None,
    };
    connect(wanted).map_err(|errors| errors.to_string())
}

async fn listed(source: &dyn Source) -> ListingResult {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(5);
    source.collect(DateTime::UNIX_EPOCH, deadline, &Intake::default()).await.listings.remove(0)
}

fn file(ending: &str, content: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::Builder::new().suffix(ending).tempfile().unwrap();
    file.write_all(content.as_bytes()).unwrap();
    file
}

fn at(text: &str) -> Expiry {
    Expiry::At(parse_timestamp(text).unwrap())
}

#[tokio::test]
async fn collect_lists_tokens_of_the_configuration() {
    let source = source(
        "tokens:
  - {name: deploy, expires: 2027-01-31, kind: api-key, owner: Team A, created: 2026-01-31, labels: {site: x}, renew: 'at x\n\nthen y'}
  - {id: 7, name: eternal, expires: never, owner: {email: a@example.com}, manage_url: https://x.example/keys}",
    );
    let listed = listed(&*source.unwrap()).await;
    let [scope] = &listed.scopes[..] else { panic!("one scope") };
    let [deploy, eternal] = &scope.tokens[..] else { panic!("two tokens") };
    assert_eq!((&*deploy.id, &*deploy.kind, deploy.expires), ("deploy", "api-key", at("2027-01-31")));
    assert_eq!(deploy.owner, Some(Owner { name: Some("Team A".into()), ..Owner::default() }.into()));
    assert_eq!((deploy.created_at, deploy.labels["site"].as_str()), (parse_timestamp("2026-01-31"), "x"));
    assert_eq!(deploy.renew.as_ref().map(|renew| renew.steps.clone()), Some(vec!["at x".into(), "then y".into()]));
    assert_eq!(eternal.renew, None);
    assert_eq!((&*eternal.id, &*eternal.kind, eternal.expires), ("7", "manual", Expiry::Never));
}

fn listed_ids(listed: &ListingResult) -> Vec<(&str, Expiry)> {
    listed.scopes.iter().flat_map(|scope| &scope.tokens).map(|token| (&*token.id, token.expires)).collect()
}

#[tokio::test]
async fn entries_with_the_same_name_are_all_listed() {
    let file = file(
        ".csv",
        "name,expires,id\nkey,2028-01-01,\ndeploy,2027-01-31,\ndeploy,2026-12-24,\nx,never,\nx,never,x-2\n",
    );
    let source = source(&format!(
        "file: {}
tokens:
  - {{name: key, expires: 2027-06-01}}
  - {{name: key, expires: 2026-12-01}}
  - {{name: key, expires: never}}
  - {{name: key, id: old, expires: 2026-12-01}}",
        file.path().display()
    ));
    let source = source.unwrap();
    assert_eq!(source.without_replacement(), ["token"], "an entry must not hide another one that expires sooner");
    let listed = listed(&*source).await;
    assert_eq!(listed.scopes[1].malformed, []);
    assert_eq!(
        listed_ids(&listed),
        [
            ("key (2027-06-01T00:00:00Z)", at("2027-06-01")),
            ("key (2026-12-01T00:00:00Z)", at("2026-12-01")),
            ("key (never)", Expiry::Never),
            ("old", at("2026-12-01")),
            ("key", at("2028-01-01")),
            ("deploy (2027-01-31T00:00:00Z)", at("2027-01-31")),
            ("deploy (2026-12-24T00:00:00Z)", at("2026-12-24")),
            ("x", Expiry::Never),
            ("x-2", Expiry::Never),
        ]
    );
}

#[test]
fn connect_refuses_entries_that_cannot_be_distinguished() {
    let errors = source(
        "tokens:
  - {name: key, expires: 2027-06-01, owner: Jane}
  - {name: key, expires: 2027-06-01, owner: Ada}
  - {name: a, id: 7, expires: never}
  - {name: b, id: 7, expires: never}",
    );
    insta::assert_snapshot!(errors.err().unwrap(), @"
    config.yaml:3:5: sources.hand.tokens.key: same id, or same name and expiry, as the entry in line 2; add an `id` to one of them
    3 |   - {name: key, expires: 2027-06-01, owner: Ada}
      |     ^

    config.yaml:5:5: sources.hand.tokens.b: same id, or same name and expiry, as the entry in line 4; add an `id` to one of them
    5 |   - {name: b, id: 7, expires: never}
      |     ^
    ");
}

#[tokio::test]
async fn entry_of_a_file_that_cannot_be_distinguished_is_malformed() {
    let file = file(".yaml", "- {name: key, expires: 2027-06-01}\n- {name: key, expires: 2027-06-01}\n");
    let listed = listed(&*source(&format!("file: {}", file.path().display())).unwrap()).await;
    let id = "key (2027-06-01T00:00:00Z)";
    assert_eq!(listed_ids(&listed), [(id, at("2027-06-01"))]);
    assert_eq!(listed.scopes[0].malformed, [MalformedRow { position: 2, id: Some(id.into()), field: "id" }]);
}

#[test]
fn connect_reports_each_error_with_its_position() {
    let errors = source(
        "tokens:
  - {name: a, expires: soon}
  - {name: b, expire: 2027-01-31}
  - {expires: 2027-01-31, manage_url: 'javascript:x'}
fil: x",
    );
    insta::assert_snapshot!(errors.err().unwrap(), @"
    config.yaml:2:24: sources.hand.tokens.a.expires: invalid time; expected a date such as 2027-01-31, a timestamp such as 2027-01-31T12:00:00Z, or never
    2 |   - {name: a, expires: soon}
      |                        ^^^^

    config.yaml:3:15: unknown key `sources.hand.tokens.b.expire`; did you mean `expires`?
    3 |   - {name: b, expire: 2027-01-31}
      |               ^^^^^^

    config.yaml:4:6: sources.hand.tokens[2]: `name` is missing
    4 |   - {expires: 2027-01-31, manage_url: 'javascript:x'}
      |      ^^^^^^^

    config.yaml:4:39: sources.hand.tokens[2].manage_url: invalid URL; expected https:// or http://, without credentials
    4 |   - {expires: 2027-01-31, manage_url: 'javascript:x'}
      |                                       ^^^^^^^^^^^^^^

    config.yaml:5:1: unknown key `sources.hand.fil`; did you mean `file`?
    5 | fil: x
      | ^^^
    ");
    assert!(source("{}").err().unwrap().contains("`tokens` or `file` is missing"));
}

#[tokio::test]
async fn collect_reads_the_yaml_file_again_and_skips_malformed_entries() {
    let file = file(".yaml", "- {name: a, expires: 2027-01-31}\n- {name: b, expires: soon}\n");
    let source = source(&format!("file: {}", file.path().display())).unwrap();
    let first = listed(&*source).await;
    assert_eq!(first.scopes[0].tokens.len(), 1);
    assert_eq!(first.scopes[0].malformed, [MalformedRow { position: 2, id: Some("b".into()), field: "expires" }]);
    std::fs::write(file.path(), "tokens: [{name: c, expires: never}]").unwrap();
    assert_eq!(&*listed(&*source).await.scopes[0].tokens[0].id, "c");
    drop(file);
    let gone = listed(&*source).await;
    assert_eq!((gone.scopes.len(), gone.gaps[0].failure.reason), (0, Reason::NotFound));
}

#[tokio::test]
async fn collect_reads_the_same_fields_from_csv() {
    let content = "\u{feff}name,expires,owner,owner_email,created,team\n\
        \"a, b\",2027-01-31,Jane,jane@example.com,2026-01-31,blue\nc,never,,,,\nd,,,,,\n";
    let file = file(".csv", content);
    let listed = listed(&*source(&format!("file: {}", file.path().display())).unwrap()).await;
    let scope = &listed.scopes[0];
    assert_eq!(&*scope.tokens[0].name, "a, b");
    assert_eq!(scope.tokens[0].owner.as_ref().unwrap().email.as_deref(), Some("jane@example.com"));
    assert_eq!(scope.tokens[0].labels["team"], "blue");
    assert_eq!((scope.tokens[1].expires, scope.tokens[1].owner.clone()), (Expiry::Never, None));
    assert_eq!(scope.malformed, [MalformedRow { position: 3, id: Some("d".into()), field: "expires" }]);
}

#[tokio::test]
async fn collect_reads_csv_as_spreadsheets_write_it_and_refuses_only_single_rows() {
    let plain =
        "name,expires,team\na,2027-01-31,blue\nshort,never\nlong,never,red,DO-NOT-LEAK\nb,never,\n,,\n\nc,soon,\n";
    let files = [
        plain.to_owned(),
        plain.replace('\n', "\r\n"),
        plain.replace(',', ";"),
        plain.replace(',', "\t"),
        format!("\u{feff}{}", plain.replace(',', ";")),
        format!("sep=;\r\n{}", plain.replace(',', ";")),
        plain.replace(",blue", ",blue,,").replace("never,\n", "never,,,\n").replace("soon,", "soon,,,"),
    ];
    for content in files {
        let file = file(".csv", &content);
        let listed = listed(&*source(&format!("file: {}", file.path().display())).unwrap()).await;
        assert_eq!(listed.gaps, [], "{content}");
        let scope = &listed.scopes[0];
        let ids: Vec<_> = scope.tokens.iter().map(|token| &*token.id).collect();
        assert_eq!((ids, scope.tokens[0].labels["team"].as_str()), (vec!["a", "b"], "blue"), "{content}");
        let row = |position, id: &str, field| MalformedRow { position, id: Some(id.to_owned()), field };
        let line = |line: usize| format!("line {}", line + usize::from(content.starts_with("sep")));
        let refused = [row(2, &line(3), "columns"), row(3, &line(4), "columns"), row(5, "c", "expires")];
        assert_eq!(scope.malformed, refused, "{content}");
    }
}

#[tokio::test]
async fn collect_reports_an_invalid_file_as_a_gap_with_its_line() {
    let cases = [
        (".yaml", "a: {b: 1\nc: 2\n", ":2:"),
        (".yaml", "name: x", "expected a list of tokens"),
        (".csv", "name,when\nx,y\n", "must name the columns"),
    ];
    for (ending, content, words) in cases {
        let file = file(ending, content);
        let listed = listed(&*source(&format!("file: {}", file.path().display())).unwrap()).await;
        let failure = &listed.gaps[0].failure;
        assert_eq!(failure.reason, Reason::Decode);
        assert!(failure.what.contains(words) && !failure.what.contains("LEAK"), "{}", failure.what);
    }
}
