#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;

#[test]
fn the_built_in_definitions_are_without_mistakes() {
    if let Err(mistakes) = Catalogue::builtin(&[]) {
        panic!("{mistakes}");
    }
}

/// A definition with this name and these further lines.
fn definition(name: &str, more: &str) -> SourceText {
    let content = format!(
        "format: 1\nprovider: {name}\n{more}title: T\ndocs: https://x.example\nexpiry: an instant\nsettings:\n  \
         url: {{type: url, help: the address}}\nauth: bearer\nlistings:\n  - {{name: all, kind: token, get: /all, rows: ., \
         token: {{id: .id, expires_at: .at}}}}\n"
    );
    SourceText::new(format!("{name}.yaml"), content)
}

#[test]
fn a_users_definition_takes_a_built_in_ones_place_only_if_it_says_so() {
    let mut catalogue = Catalogue::builtin(&[]).expect("the built-in definitions");
    let refused = catalogue.add(definition("gitlab", "")).expect_err("the name is taken").to_string();
    assert!(refused.starts_with("gitlab.yaml:2:11: `gitlab` is built in; take another name, or say"), "{refused}");
    assert_ne!(catalogue.get("gitlab").expect("gitlab").title, "T");
    catalogue.add(definition("gitlab", "override: true\n")).expect("it says so");
    assert_eq!(catalogue.get("gitlab").expect("gitlab").title, "T");
    let twice = catalogue.add(definition("gitlab", "override: true\n")).expect_err("twice").to_string();
    assert!(twice.contains("`gitlab` is defined twice"), "{twice}");
}

#[test]
fn a_provider_goes_by_its_aliases_too_and_they_are_its_own() {
    let mut catalogue = Catalogue::builtin(&[]).expect("the built-in definitions");
    catalogue.add(definition("widgets", "aliases: [gadgets]\n")).expect("a definition");
    assert_eq!(catalogue.get("gadgets").expect("an alias").name, "widgets");
    let taken = catalogue.add(definition("gadgets", "")).expect_err("taken").to_string();
    assert!(taken.contains("`gadgets` is another name of the provider `widgets`"), "{taken}");
    assert!(catalogue.names().any(|name| name == "widgets") && !catalogue.names().any(|name| name == "gadgets"));
}

#[test]
fn a_native_provider_is_told_like_a_defined_one() {
    let catalogue = Catalogue::builtin(&[]).expect("the built-in definitions");
    let manual = catalogue.get("manual").expect("manual");
    assert!(manual.native && manual.listings.len() == 1 && manual.schemes.is_empty());
    let gitlab = catalogue.get("gitlab").expect("gitlab");
    assert!(!gitlab.native && gitlab.listings.iter().any(|listing| listing.permission.is_some()));
}
