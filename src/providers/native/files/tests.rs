#![allow(clippy::unwrap_used, clippy::expect_used)]
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::json;

use super::*;
use crate::core::intake::Intake;
use crate::core::time::parse_timestamp;
use crate::core::token::Expiry;

/// `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=web.example`
const CERTIFICATE: &str = include_str!("test-certificate.pem");

fn jwt(claims: &serde_json::Value) -> String {
    let encode = |value: &serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.c2lnbmF0dXJl", encode(&json!({"alg": "RS256"})), encode(claims))
}

fn parse(text: &str) -> Result<Vec<Token>, &'static str> {
    let found = content::parse(text.as_bytes(), DateTime::UNIX_EPOCH)?;
    Ok(found.into_iter().map(|credential| token("/etc/x/file", credential)).collect())
}

fn files(patterns: Vec<String>) -> Files {
    Files { patterns, locations: false }
}

fn local() -> Local {
    Local { listed: crate::core::outcome::ListingResult::new("file"), found: FoundInUse::default() }
}

fn at(text: &str) -> Expiry {
    Expiry::At(parse_timestamp(text).unwrap())
}

/// Id, kind, name and expiry of each.
fn rows(text: &str) -> Vec<(String, String, String, Expiry)> {
    parse(text)
        .unwrap()
        .into_iter()
        .map(|token| (token.id.into(), token.kind.to_string(), token.name.into(), token.expires))
        .collect()
}

fn row(id: &str, kind: &str, name: &str, expires: Expiry) -> (String, String, String, Expiry) {
    (id.into(), kind.into(), name.into(), expires)
}

#[test]
fn jwt_has_expiry_owner_and_issuer() {
    let text = jwt(&json!({"exp": 1_800_000_000, "iat": 1_700_000_000, "sub": "ci", "iss": "https://idp.example"}));
    let tokens = parse(&format!("{text}\n")).unwrap();
    assert_eq!(tokens[0].expires, at("2027-01-15T08:00:00Z"));
    assert_eq!(tokens[0].created_at, parse_timestamp("2023-11-14T22:13:20Z"));
    assert_eq!(tokens[0].owner.as_ref().unwrap().name.as_deref(), Some("ci"));
    assert_eq!(tokens[0].labels["issuer"], "https://idp.example");
    assert_eq!(rows(&jwt(&json!({"sub": "x"}))), [row("/etc/x/file", "jwt", "file", Expiry::Never)]);
}

#[test]
fn pem_file_lists_each_certificate() {
    let found = rows(&format!("{CERTIFICATE}{CERTIFICATE}"));
    let ids: Vec<_> = found.iter().map(|(id, kind, name, _)| (id.as_str(), kind.as_str(), name.as_str())).collect();
    assert_eq!(ids, [("/etc/x/file", "certificate", "web.example"), ("/etc/x/file#2", "certificate", "web.example")]);
    assert_eq!(found[0].3, at("2036-11-21T15:52:45Z"));
    for form in
        [CERTIFICATE.replace('\n', "\\n"), BASE64_STANDARD.encode(CERTIFICATE), format!("\u{feff}{CERTIFICATE}")]
    {
        assert_eq!(rows(&form)[0], found[0], "{form}");
    }
    let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    assert_eq!(rows(key), [row("/etc/x/file", "private-key", "file", Expiry::Unknown)]);
}

#[test]
fn configuration_files_list_a_credential_for_each_user_machine_and_registry() {
    let token = jwt(&json!({"exp": 1_800_000_000}));
    let expires = at("2027-01-15T08:00:00Z");
    let kubeconfig = format!(
        "apiVersion: v1\nkind: Config\nusers:\n- {{name: sa, user: {{token: {token}}}}}\n- {{name: sso, user: {{exec: {{command: x}}}}}}\n- {{name: admin, user: {{client-certificate-data: {}}}}}\n",
        BASE64_STANDARD.encode(CERTIFICATE)
    );
    let found = rows(&kubeconfig);
    assert_eq!(found[0], row("/etc/x/file#sa", "jwt", "file#sa", expires));
    assert_eq!((found.len(), found[1].0.as_str(), found[1].1.as_str()), (2, "/etc/x/file#admin", "certificate"));

    let docker = json!({"auths": {
        "r.example": {"auth": BASE64_STANDARD.encode(format!("ci:{token}"))},
        "s.example": {"auth": BASE64_STANDARD.encode("ci:hunter2")},
        "t.example": {},
    }});
    let expected = [
        row("/etc/x/file#r.example", "jwt", "file#r.example", expires),
        row("/etc/x/file#s.example", "opaque-token", "file#s.example", Expiry::Unknown),
    ];
    assert_eq!(rows(&docker.to_string()), expected);

    let netrc =
        format!("# mine\nmachine a.example login ci\n  password {token}\nmachine b.example login x password y\n");
    let expected = [
        row("/etc/x/file#a.example ci", "jwt", "file#a.example ci", expires),
        row("/etc/x/file#b.example x", "opaque-token", "file#b.example x", Expiry::Unknown),
    ];
    assert_eq!(rows(&netrc), expected);
}

#[test]
fn bare_secret_has_unknown_expiry_and_other_text_is_malformed() {
    assert_eq!(rows("ghp_0123456789abcdef\n"), [row("/etc/x/file", "opaque-token", "file", Expiry::Unknown)]);
    for malformed in [
        "",
        "hello",
        "some words\nand more",
        "a: b\nc: d",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
    ] {
        assert!(parse(malformed).is_err(), "{malformed}");
    }
}

#[tokio::test]
async fn each_file_is_a_scope_and_an_unreadable_one_a_gap() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    std::fs::write(path("a.jwt"), jwt(&json!({"exp": 1_800_000_000}))).unwrap();
    std::fs::write(path("b.jwt"), "no token").unwrap();
    std::fs::create_dir(path("c.jwt")).unwrap();
    let files = files(vec![path("*.jwt"), path("none/*.pem"), path("missing.pem")]);
    let mut local = local();
    files.read(DateTime::UNIX_EPOCH, &Intake::default(), &mut local).await;
    let listed = local.listed;
    let ids: Vec<_> = listed.scopes.iter().map(|scope| (scope.tokens.len(), scope.malformed.len())).collect();
    assert_eq!(ids, [(1, 0), (0, 1)]);
    assert_eq!(*listed.scopes[0].tokens[0].id, *path("a.jwt"));
    assert_eq!(listed.gaps.len(), 1);
    assert_eq!(listed.gaps[0].failure.reason, crate::core::failure::Reason::NotFound);
    assert!(listed.gaps[0].path.covers(&Path::root().join(&path("missing.pem")).join("x")));
}

/// The ids of the tokens that these patterns yield, relative to the directory, and the reasons of the gaps.
async fn collected(directory: &std::path::Path, patterns: &[&str]) -> (Vec<String>, Vec<Reason>) {
    let patterns = patterns.iter().map(|pattern| directory.join(pattern).display().to_string()).collect();
    let mut local = local();
    files(patterns).read(DateTime::UNIX_EPOCH, &Intake::default(), &mut local).await;
    let listed = local.listed;
    let root = format!("{}/", directory.display());
    let tokens = listed.scopes.iter().flat_map(|scope| &scope.tokens);
    let ids = tokens.map(|token| token.id.strip_prefix(&root).unwrap().to_owned()).collect();
    (ids, listed.gaps.iter().map(|gap| gap.failure.reason).collect())
}

#[tokio::test]
async fn file_of_a_mounted_secret_counts_once_and_keeps_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let link = |target: &str, name: &str| std::os::unix::fs::symlink(target, path(name)).unwrap();
    std::fs::create_dir_all(path("m/..2026_1/sub")).unwrap();
    for name in ["m/..2026_1/tls.crt", "m/..2026_1/sub/ca.crt"] {
        std::fs::write(path(name), CERTIFICATE).unwrap();
    }
    link("..2026_1", "m/..data");
    link("..data/tls.crt", "m/tls.crt");
    link("..data/sub", "m/sub");
    for patterns in [&["m/**/*"][..], &["**/*.crt"], &["m/*/*", "m/*"], &["m/**/*", "m/*.crt"], &["m/**"]] {
        let (mut ids, gaps) = collected(directory.path(), patterns).await;
        ids.sort();
        assert_eq!((ids, gaps), (vec!["m/sub/ca.crt".to_owned(), "m/tls.crt".to_owned()], Vec::new()), "{patterns:?}");
    }
    let (ids, _) = collected(directory.path(), &["m/..data/*.crt"]).await;
    assert_eq!(ids, ["m/..data/tls.crt"], "as the pattern says");
}

#[tokio::test]
async fn file_with_several_names_counts_once_and_loops_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let link = |target: &str, name: &str| std::os::unix::fs::symlink(target, path(name)).unwrap();
    std::fs::create_dir_all(path("archive/web")).unwrap();
    std::fs::write(path("archive/web/cert3.pem"), CERTIFICATE).unwrap();
    std::fs::create_dir(path("live")).unwrap();
    link("../archive/web/cert3.pem", "live/web.pem");
    link("..", "live/up");
    link(".", "live/same");
    link("gone", "live/broken.pem");
    let (ids, gaps) = collected(directory.path(), &["**/*.pem"]).await;
    assert_eq!((ids, gaps), (vec!["live/web.pem".to_owned()], vec![Reason::NotFound]));
}

#[tokio::test]
async fn kubeconfig_has_the_expiry_of_the_files_that_it_names() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    std::fs::create_dir(path("pki")).unwrap();
    std::fs::write(path("pki/client.crt"), CERTIFICATE).unwrap();
    std::fs::write(path("token"), jwt(&json!({"exp": 1_800_000_000}))).unwrap();
    std::fs::write(path("notes"), "no credential").unwrap();
    let kubeconfig = format!(
        "\u{feff}kind: Config\nusers:\n- {{name: admin, user: {{client-certificate: pki/client.crt, client-key: pki/client.key}}}}\n- {{name: sa, user: {{tokenFile: {}}}}}\n- {{name: gone, user: {{client-certificate: pki/gone.crt}}}}\n- {{name: odd, user: {{tokenFile: notes}}}}\n",
        path("token").display()
    );
    std::fs::write(path("kubeconfig"), kubeconfig).unwrap();
    let files = files(vec![path("kubeconfig").display().to_string()]);
    let mut local = local();
    files.read(DateTime::UNIX_EPOCH, &Intake::default(), &mut local).await;
    let listed = local.listed;

    let id = |user: &str| format!("{}#{user}", path("kubeconfig").display());
    let tokens: Vec<_> = listed.scopes.iter().flat_map(|scope| &scope.tokens).collect();
    let rows: Vec<_> = tokens.iter().map(|token| (token.id.to_string(), &*token.kind, token.expires)).collect();
    let expected =
        [(id("admin"), "certificate", at("2036-11-21T15:52:45Z")), (id("sa"), "jwt", at("2027-01-15T08:00:00Z"))];
    assert_eq!(rows, expected);
    assert_eq!(listed.scopes.iter().map(|scope| scope.malformed.len()).sum::<usize>(), 1);
    assert_eq!(listed.gaps.len(), 1);
    assert_eq!(listed.gaps[0].failure.reason, Reason::NotFound);
    assert!(listed.gaps[0].failure.what.contains("pki/gone.crt"), "{}", listed.gaps[0].failure);
}

#[tokio::test]
async fn wildcard_may_match_configuration_that_mentions_no_credential() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let cases =
        [("a.yaml", "server: {port: 80}", 0), ("b.json", r#"{"access_token": "x"}"#, 1), ("c", "words only", 1)];
    for (name, content, malformed) in cases {
        std::fs::write(path(name), content).unwrap();
        for (pattern, malformed) in [(path(name), 1), (format!("{}*", path(name)), malformed)] {
            let mut local = local();
            files(vec![pattern]).read(DateTime::UNIX_EPOCH, &Intake::default(), &mut local).await;
            let listed = local.listed;
            assert_eq!((listed.scopes.len(), listed.scopes[0].malformed.len()), (1, malformed), "{name}");
        }
    }
}
