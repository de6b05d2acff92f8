#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;

#[test]
fn builtin_definitions_compile() {
    Catalogue::builtin(&[]).unwrap_or_else(|errors| panic!("{errors}"));
}

/// A definition with this name and these additional lines.
fn definition(name: &str, more: &str) -> SourceText {
    let content = format!(
        "format: 1\nprovider: {name}\n{more}title: T\ndocs: https://x.example\nexpiry: a timestamp\nsettings:\n  \
         url: {{type: url, help: the address}}\nauth: bearer\nlistings:\n  - {{name: all, kind: token, get: /all, rows: ., \
         token: {{id: .id, expires_at: .at}}}}\n"
    );
    SourceText::new(format!("{name}.yaml"), content)
}

#[test]
fn add_replaces_a_builtin_definition_only_with_override() {
    let mut catalogue = Catalogue::builtin(&[]).expect("the built-in definitions");
    let refused = catalogue.add(&definition("gitlab", "")).expect_err("the name is taken").to_string();
    assert!(refused.starts_with("gitlab.yaml:2:11: `gitlab` is built in; choose another name, or set"), "{refused}");
    assert_ne!(catalogue.get("gitlab").expect("gitlab").title, "T");
    catalogue.add(&definition("gitlab", "override: true\n")).expect("an override");
    assert_eq!(catalogue.get("gitlab").expect("gitlab").title, "T");
    let twice = catalogue.add(&definition("gitlab", "override: true\n")).expect_err("twice").to_string();
    assert!(twice.contains("`gitlab` is defined twice"), "{twice}");
}

#[test]
fn get_finds_a_provider_by_alias() {
    let mut catalogue = Catalogue::builtin(&[]).expect("the built-in definitions");
    catalogue.add(&definition("widgets", "aliases: [gadgets]\n")).expect("a definition");
    assert_eq!(catalogue.get("gadgets").expect("an alias").name, "widgets");
    let taken = catalogue.add(&definition("gadgets", "")).expect_err("taken").to_string();
    assert!(taken.contains("`gadgets` is an alias of the provider `widgets`"), "{taken}");
    let names: Vec<&str> = catalogue.providers().map(|info| info.name.as_str()).collect();
    assert!(names.contains(&"widgets") && !names.contains(&"gadgets"), "{names:?}");
}

#[test]
fn get_describes_native_and_defined_providers() {
    let catalogue = Catalogue::builtin(&[]).expect("the built-in definitions");
    let manual = catalogue.get("manual").expect("manual");
    assert!(manual.native && manual.listings.len() == 1 && manual.schemes.is_empty());
    let gitlab = catalogue.get("gitlab").expect("gitlab");
    assert!(!gitlab.native && gitlab.listings.iter().any(|listing| listing.permission.is_some()));
}
