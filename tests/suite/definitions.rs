//! The mistakes that people make in definitions, and what they are told. Each case is a good definition with a small
//! edit; the messages are kept in `tests/golden/definitions/`. `UPDATE_GOLDEN=1 cargo test --test definitions` writes them.

use std::fs;
use std::path::{Path, PathBuf};

use token_expiry_exporter::providers::language::definition::{definition_schema, key_tables};
use token_expiry_exporter::providers::language::provider::compile;
use token_expiry_exporter::schema::diagnostic::SourceText;
use token_expiry_exporter::schema::yaml;

/// A case: its name, the definition that it edits, and what is written instead of what.
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

/// Compares with what is kept, or keeps it.
fn compare(path: &Path, actual: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        return fs::write(path, actual).expect("the golden file is written");
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    assert!(
        actual == expected,
        "{} says otherwise; see the difference with UPDATE_GOLDEN=1\n\n{actual}",
        path.display()
    );
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

fn told(text: &SourceText) -> String {
    match compile(text) {
        Ok(_) => "no mistakes\n".to_owned(),
        Err(mistakes) => format!("{mistakes}\n"),
    }
}

#[test]
fn every_mistake_is_told_with_its_place_and_the_way_out() {
    for case in CASES {
        compare(&golden(&format!("{}.txt", case.0)), &told(&edited(case)));
    }
}

#[test]
fn a_credential_in_a_path_is_refused() {
    let login = |request: &str| {
        let auth = format!("auth:\n  - {{bearer: '{{login}}', login: {{{request}, token: .t}}}}\n");
        let rest = "format: 1\nprovider: w\ntitle: W\ndocs: https://w.example/\nexpiry: an instant\n\
                    settings: {url: {type: url, help: u}}\nlistings:\n  \
                    - {name: t, kind: t, get: /t, rows: ., token: {id: .id, expires_at: .e}}\n";
        told(&SourceText::new("w.yaml", format!("{rest}{auth}")))
    };
    for sound in ["post: /login, form: {s: '{credential}'}", "get: /login, query: {s: '{credential}'}"] {
        assert_eq!(login(sound), "no mistakes\n");
    }
    let refused = login("get: '/login/{credential}'");
    assert!(refused.contains("login: `{credential}` cannot stand in a path: a path is shown in messages"), "{refused}");
}

#[test]
fn all_mistakes_are_told_at_once() {
    for name in ["shapes", "meaning"] {
        let content = fs::read_to_string(golden(&format!("{name}.yaml"))).expect("the definition");
        compare(&golden(&format!("{name}.txt")), &told(&SourceText::new(format!("{name}.yaml"), content)));
    }
}

#[test]
fn the_documentation_has_the_tables_of_keys() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/definitions.md");
    let page = fs::read_to_string(&path).expect("the page");
    let (begin, end) = ("<!-- keys -->\n", "<!-- end of keys -->");
    let (before, rest) = page.split_once(begin).expect("where the tables begin");
    let (_, after) = rest.split_once(end).expect("where the tables end");
    compare(&path, &format!("{before}{begin}\n{}\n{end}{after}", key_tables()));
}

#[test]
fn the_schema_accepts_what_the_reader_accepts() {
    let schema = jsonschema::validator_for(&definition_schema()).expect("a JSON Schema");
    let providers = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/providers/definitions");
    let definitions = fs::read_dir(providers).expect("the folder").map(|entry| entry.expect("an entry").path());
    let yaml = definitions.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    let mut seen = 0;
    for path in yaml.chain([golden("base/gitlab.yaml"), golden("base/atlassian-cloud.yaml")]) {
        let text = SourceText::new(path.display().to_string(), fs::read_to_string(&path).expect("the definition"));
        if let Err(mistakes) = compile(&text) {
            panic!("{mistakes}");
        }
        let json = yaml::parse(&text).expect("YAML").to_json();
        let errors: Vec<String> =
            schema.iter_errors(&json).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", path.display());
        seen += 1;
    }
    assert!(seen > 2, "the built-in definitions are not where they are looked for");
    for name in ["shapes", "meaning"] {
        let content = fs::read_to_string(golden(&format!("{name}.yaml"))).expect("the definition");
        let json = yaml::parse(&SourceText::new(name, content)).expect("YAML").to_json();
        assert!(!schema.is_valid(&json), "the schema accepts {name}.yaml");
    }
}
