//! Errors in definitions. Each case is a valid definition with a small edit; its errors are in `tests/golden/definitions/`,
//! which `UPDATE_GOLDEN=1 cargo test --test suite -- definitions::` writes.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use token_expiry_exporter::config;
use token_expiry_exporter::providers::language::compile::compile;
use token_expiry_exporter::providers::language::definition::{definition_schema, key_tables};
use token_expiry_exporter::schema::diagnostic::SourceText;
use token_expiry_exporter::schema::yaml;

/// A case: its name, the definition that it edits, and its replacements.
type Case = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const CASES: &[Case] = &[
    ("folded", "gitlab", &[("elif test(\"^group", "elif testt(\"^group")]),
    (
        "functions",
        "gitlab",
        &[
            ("      name: .name\n", "      name: .name | ascii_downcaes\n"),
            ("owner: .username", "owner: personal_token"),
        ],
    ),
    (
        "interpolation",
        "atlassian-cloud",
        &[("\\(.title)\"'", "\\(.title\"'"), (".status == \"BLOCKED\"", ".status = \"BLOCKED\"")],
    ),
    (
        "next-key",
        "atlassian-cloud",
        &[("next: {cursor: .links.next, param: cursor}", "next: {cursor: .links.next, parm: cursor}")],
    ),
    (
        "next-needs-rows",
        "gitlab",
        &[("    next: link\n    rows: .\n", "    next: link\n"), ("        rows: .\n        take", "        take")],
    ),
    (
        "shape",
        "gitlab",
        &[(
            "      expires_at: .expires_at\n      last_used_at: .last_used_at\n      scopes: .scopes\n\n  - name: group\n",
            "      expires: .expires_at\n      last_used_at: .last_used_at\n      scopes: .scopes\n\n  - name: group\n",
        )],
    ),
    (
        "failed",
        "gitlab",
        &[(
            "    query: {per_page: 100}\n    next: link\n    rows: .\n    key",
            "    query: {per_page: 100}\n    next: link\n    failed: [{if: .error, reason: forbiden}, {reason: forbidden}]\n    rows: .\n    key",
        )],
    ),
    (
        "default-url",
        "gitlab",
        &[(
            "default: https://gitlab.com, help: \"the base URL\"}\n",
            "default: 'https://{regoin}.gitlab.com', help: \"the base URL\"}\n  a: {type: url, default: 'https://{groups}.gitlab.com', help: a}\n  b: \
             {type: url, default: 'https://{admin}.gitlab.com', help: b}\n  c: {type: url, default: 'gitlab.com/{region}', help: c}\n  region: \
             {help: the region}\n",
        )],
    ),
    (
        "service",
        "gitlab",
        &[(
            "    query: {per_page: 100}\n    next: link\n    rows: .\n    key",
            "    query: {per_page: 100}\n    service: ssm\n    next: link\n    rows: .\n    key",
        )],
    ),
    ("never-after", "gitlab", &[("format: 1\n", "format: 1\nnever: [0, {after: soon}, {before: 1y}]\n")]),
    ("method", "gitlab", &[("    get: /api/v4/users\n", "    put: /api/v4/users\n")]),
    ("unclosed", "gitlab", &[("test(\"^project_[0-9]+_bot\")", "test(\"^project_[0-9]+_bot\"")]),
    (
        "unknown-key",
        "gitlab",
        &[(
            "    query: {per_page: 100}\n    next: link\n    rows: .\n    key",
            "    query: {per_page: 100}\n    nxt: link\n    rows: .\n    key",
        )],
    ),
    ("variable", "gitlab", &[("'{id: $project.id, name: $project.path}'", "'{id: $projekt.id, name: env.HOME}'")]),
    (
        "wrong-names",
        "gitlab",
        &[
            ("when: $settings.admin", "when: $settings.admn"),
            ("owner: $maps.users[", "owner: $maps.user["),
            ("groups/{group.id}/access", "groups/{grup.id}/access"),
        ],
    ),
    (
        "yaml-broken",
        "gitlab",
        &[(
            "query: {per_page: 100, revoked: false, sort: created_asc}",
            "query: {per_page: 100, revoked: false, sort: created_asc",
        )],
    ),
];

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/definitions").join(name)
}

/// Compares with the golden file, or writes it.
fn compare(path: &Path, actual: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        return fs::write(path, actual).expect("the golden file is written");
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    assert!(actual == expected, "{} differs; UPDATE_GOLDEN=1 writes it\n\n{actual}", path.display());
}

fn edited(case: &Case) -> SourceText {
    let (name, base, edits) = case;
    let mut content = fs::read_to_string(golden(&format!("base/{base}.yaml"))).expect("the definition");
    for (from, to) in *edits {
        assert!(content.contains(from), "{name}: `{from}` is not in {base}.yaml");
        content = content.replace(from, to);
    }
    SourceText::new(format!("{name}.yaml"), content)
}

fn errors(text: &SourceText) -> String {
    match compile(text, &config::source_keys()) {
        Ok(_) => "no errors\n".to_owned(),
        Err(errors) => format!("{errors}\n"),
    }
}

#[test]
fn errors_have_position_and_remedy() {
    for case in CASES {
        compare(&golden(&format!("{}.txt", case.0)), &errors(&edited(case)));
    }
}

#[test]
fn credential_in_a_path_is_refused() {
    let login = |request: &str| {
        let auth = format!("auth:\n  - {{bearer: '{{login}}', login: {{{request}, token: .t}}}}\n");
        let rest = "format: 1\nprovider: w\ntitle: W\ndocs: https://w.example/\nexpiry: an instant\n\
                    settings: {url: {type: url, help: u}}\nlistings:\n  \
                    - {name: t, kind: t, get: /t, rows: ., token: {id: .id, expires_at: .e}}\n";
        errors(&SourceText::new("w.yaml", format!("{rest}{auth}")))
    };
    for valid in ["post: /login, form: {s: '{credential}'}", "get: /login, query: {s: '{credential}'}"] {
        assert_eq!(login(valid), "no errors\n");
    }
    let refused = login("get: '/login/{credential}'");
    assert!(
        refused.contains("login: no `{credential}` in a path: messages and the logs of servers and proxies show paths"),
        "{refused}"
    );
}

#[test]
fn setting_with_the_name_of_a_secret_is_refused() {
    let define = |setting: &str| {
        let text = format!(
            "format: 1\nprovider: w\ntitle: W\ndocs: https://w.example/\nexpiry: a timestamp\nsettings:\n  \
             url: {{type: url, help: u}}\n  {setting}\nauth: bearer\nlistings:\n  \
             - {{name: t, kind: t, get: /t, rows: ., token: {{id: .id, expires_at: .e}}}}\n"
        );
        errors(&SourceText::new("w.yaml", text))
    };
    for name in ["password", "token", "api_key", "client_secret", "clientSecret", "access-token", "tokens"] {
        let refused = define(&format!("{name}: {{help: h}}"));
        let expected = format!(
            "w.yaml:8:3: settings.{name}: the name of a secret, which settings do not keep; use `{{credential.{name}}}` in `auth`, or \
             name it `{name}_id` if it is not secret\n"
        );
        assert!(refused.starts_with(&expected) && refused.matches("w.yaml:").count() == 1, "{refused}");
    }
    // Neither can hold one.
    for valid in
        ["token_name: {help: h}", "token: {type: flag, default: false, help: h}", "secret: {type: number, help: h}"]
    {
        assert_eq!(define(valid), "no errors\n", "{valid}");
    }
}

#[test]
fn identification_by_a_hint_names_a_listing_and_sends_nothing() {
    let identify = |way: &str| {
        let rest = "format: 1\nprovider: w\ntitle: W\ndocs: https://w.example/\nexpiry: an instant\n\
                    settings: {url: {type: url, help: u}}\nlistings:\n  \
                    - {name: keys, kind: t, get: /t, rows: ., token: {id: .id, expires_at: .e}}\n";
        errors(&SourceText::new("w.yaml", format!("{rest}identify: {{prefix: wdg_, {way}}}\n")))
    };
    for valid in
        ["listing: keys, hint: '\"wdg_\", .last_eight'", "listing: keys, hint: .begins_with", "id: jwt_claims.jti"]
    {
        assert_eq!(identify(valid), "no errors\n");
    }
    let request = "get: /me, headers: {X: '{value}'}, touches: nothing";
    for (way, problem) in [
        ("listing: kesy, hint: .h", "w.yaml:9:35: identify.listing: unknown listing `kesy`; did you mean `keys`?"),
        ("listing: keys", "identify: `hint` is missing"),
        ("hint: .h, id: .id", "identify: `hint` is not allowed without `listing`"),
        ("listing: keys, hint: .h, id: .id", "identify: `id` is not allowed with `listing`"),
        (&format!("listing: keys, hint: .h, {request}"), "identify: `get` is not allowed with `listing`"),
        (request, "identify: `id` is missing"),
        ("touches: nothing, id: .", "identify: `touches` needs a request: `get` or `post`"),
    ] {
        let errors = identify(way);
        assert!(errors.contains(problem), "{way}: {errors}");
    }
}

#[test]
fn errors_are_reported_all_at_once() {
    for name in ["shapes", "meaning", "kubeconfig"] {
        let content = fs::read_to_string(golden(&format!("{name}.yaml"))).expect("the definition");
        compare(&golden(&format!("{name}.txt")), &errors(&SourceText::new(format!("{name}.yaml"), content)));
    }
}

#[test]
fn documentation_has_the_tables_of_keys() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/definitions.md");
    let page = fs::read_to_string(&path).expect("the page");
    let (begin, end) = ("<!-- keys -->\n", "<!-- end of keys -->");
    let (before, rest) = page.split_once(begin).expect("the start of the tables");
    let (_, after) = rest.split_once(end).expect("the end of the tables");
    compare(&path, &format!("{before}{begin}\n{}\n{end}{after}", key_tables()));
}

#[test]
fn schema_accepts_what_the_reader_accepts() {
    let schema = jsonschema::validator_for(&definition_schema()).expect("a JSON Schema");
    let providers = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/providers/definitions");
    let definitions = fs::read_dir(providers).expect("the directory").map(|entry| entry.expect("an entry").path());
    let yaml = definitions.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    let mut seen = 0;
    for path in yaml.chain([golden("base/gitlab.yaml"), golden("base/atlassian-cloud.yaml")]) {
        let text = SourceText::new(path.display().to_string(), fs::read_to_string(&path).expect("the definition"));
        if let Err(errors) = compile(&text, &config::source_keys()) {
            panic!("{errors}");
        }
        let json = yaml::parse(&text).expect("YAML").to_json();
        let errors: Vec<String> =
            schema.iter_errors(&json).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", path.display());
        seen += 1;
    }
    assert!(seen > 2, "the built-in definitions are missing");
    for name in ["shapes", "meaning"] {
        let content = fs::read_to_string(golden(&format!("{name}.yaml"))).expect("the definition");
        let json = yaml::parse(&SourceText::new(name, content)).expect("YAML").to_json();
        assert!(!schema.is_valid(&json), "the schema accepts {name}.yaml");
    }
    // Wrong keys are errors to the schema; what expressions and templates mean is left to the compiler.
    for case in CASES.iter().filter(|(name, ..)| *name != "yaml-broken") {
        let json = yaml::parse(&edited(case)).expect("YAML").to_json();
        let is_wrong_key = ["failed", "method", "never-after", "next-key", "shape", "unknown-key"].contains(&case.0);
        assert_eq!(schema.is_valid(&json), !is_wrong_key, "{}", case.0);
    }
}

/// Replaces each value of a valid definition by values of every type.
#[test]
fn schema_refuses_only_what_the_reader_refuses() {
    let schema = jsonschema::validator_for(&definition_schema()).expect("a JSON Schema");
    let text = fs::read_to_string(golden("base/gitlab.yaml")).expect("the definition");
    let original = yaml::parse(&SourceText::new("gitlab.yaml", text)).expect("YAML").to_json();
    let values = [json!(null), json!(true), json!(7), json!("x"), json!("15m"), json!(["x"]), json!({"x": "y"})];
    let mut refused = 0;
    for pointer in pointers(&original, String::new()) {
        for value in &values {
            let mut changed = original.clone();
            *changed.pointer_mut(&pointer).expect("the value") = value.clone();
            // JSON is YAML.
            let text = SourceText::new("gitlab.yaml", changed.to_string());
            if !schema.is_valid(&changed) {
                refused += 1;
                assert!(compile(&text, &config::source_keys()).is_err(), "only the schema refuses {pointer}: {value}");
            }
        }
    }
    assert!(refused > 500, "the schema refuses too little: {refused}");
}

/// The JSON pointers of all values within this one.
fn pointers(value: &Value, path: String) -> Vec<String> {
    let within: Vec<String> = match value {
        Value::Object(map) => map.iter().flat_map(|(key, value)| pointers(value, format!("{path}/{key}"))).collect(),
        Value::Array(list) => {
            list.iter().enumerate().flat_map(|(at, value)| pointers(value, format!("{path}/{at}"))).collect()
        }
        _ => Vec::new(),
    };
    [path].into_iter().filter(|path| !path.is_empty()).chain(within).collect()
}
