#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;
use crate::providers::language::provider::RowMap;

#[test]
fn builtin_definitions_compile_and_have_the_names_of_the_catalogue() {
    let catalogue = Catalogue::builtin(&[]);
    for (name, entry) in &catalogue.entries {
        let info = entry.compiled.as_ref().map_or_else(|errors| panic!("{errors}"), |compiled| &compiled.info);
        assert_eq!((name, &entry.aliases), (&info.name, &info.aliases));
    }
    assert_eq!(catalogue.entries.len(), DEFINITIONS.len() + native::all().len(), "no two have the same name");
    let mut names: Vec<&str> = catalogue.names().collect();
    names.sort_unstable();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "no alias is taken: {names:?}");
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
    let mut catalogue = Catalogue::builtin(&[]);
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
    let mut catalogue = Catalogue::builtin(&[]);
    catalogue.add(&definition("widgets", "aliases: [gadgets]\n")).expect("a definition");
    assert_eq!(catalogue.get("gadgets").expect("an alias").name, "widgets");
    let taken = catalogue.add(&definition("gadgets", "")).expect_err("taken").to_string();
    assert!(taken.contains("`gadgets` is an alias of the provider `widgets`"), "{taken}");
    let names: Vec<&str> = catalogue.providers().map(|info| info.name.as_str()).collect();
    assert!(names.contains(&"widgets") && !names.contains(&"gadgets"), "{names:?}");
}

#[test]
fn get_describes_native_and_defined_providers() {
    let catalogue = Catalogue::builtin(&[]);
    let manual = catalogue.get("manual").expect("manual");
    assert!(manual.native && manual.listings.len() == 1 && manual.schemes.is_empty());
    let gitlab = catalogue.get("gitlab").expect("gitlab");
    assert!(!gitlab.native && gitlab.listings.iter().any(|listing| listing.permission.is_some()));
}

#[test]
fn listing_that_omits_tokens_without_an_error_is_named_as_such() {
    let mut catalogue = Catalogue::builtin(&[]);
    let text =
        definition("hides", "not_listed: sessions\n").content().replace("get: /all", "require: unknowable, get: /all");
    catalogue.add(&SourceText::new("hides.yaml", text)).expect("a definition");
    let limits = catalogue.get("hides").expect("hides").not_listed();
    assert_eq!(
        limits,
        [
            "sessions",
            "of the listing `all`: what the credential may not see is missing without an error, and no request reveals it"
        ]
    );
}

/// Whether a kind was read as one, and not as a pattern or a vendor's word that an expression compares with.
fn is_kind(kind: &str) -> bool {
    !kind.is_empty() && kind.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-*".contains(c))
}

#[test]
fn every_builtin_kind_has_renewal_steps() {
    let catalogue = Catalogue::builtin(&[]);
    let mut checked = 0;
    let mut missing = Vec::new();
    for info in catalogue.providers() {
        let kinds = info.listings.iter().flat_map(|listing| listing.kinds.iter().flatten().chain([&listing.kind]));
        for kind in kinds.filter(|kind| is_kind(kind)) {
            let Some(renewal) = info.renew(kind) else {
                missing.push(format!("{}: no `renew` for {kind}", info.name));
                continue;
            };
            assert!((1..=4).contains(&renewal.steps.len()), "{}: {kind}: {renewal:?}", info.name);
            assert!(renewal.steps[0].starts_with("Who: "), "{}: {kind}: {renewal:?}", info.name);
            checked += 1;
        }
        for (kind, renewal) in info.renewals.iter() {
            assert!(renewal.steps.iter().all(|step| !step.ends_with('…')), "{}: {kind} is cut", info.name);
            assert!(info.native || renewal.docs.is_some(), "{}: {kind} has no documentation", info.name);
        }
    }
    assert_eq!(missing, [""; 0]);
    assert!(checked >= 20, "only {checked} kinds");
    let files = catalogue.get("files").expect("files");
    for kind in ["certificate", "jwt", "opaque-token", "private-key"] {
        assert!(files.renew(kind).is_some(), "{kind}");
    }
}

/// Such a page shows every reader his own tokens, not the one that he looks for.
#[test]
fn builtin_links_do_not_lead_to_the_readers_own_tokens() {
    let catalogue = Catalogue::builtin(&[]);
    let own = [
        "manage-profile",
        "user_settings",
        "-/profile",
        "/settings/personal",
        "/settings/tokens",
        "/settings/keys",
        "/plugins/servlet/access-tokens/manage",
    ];
    let mut checked = 0;
    for entry in catalogue.entries.values() {
        let Ok(Compiled { kind: Kind::Defined(provider), .. }) = &*entry.compiled else { continue };
        for link in provider.listings.iter().filter_map(|listing| match &listing.rows {
            RowMap::Token(map) => map.manage_url.as_ref(),
            RowMap::Location(_) => None,
        }) {
            let found = own.iter().find(|path| link.code().contains(**path));
            assert_eq!(found, None, "{}: {}", provider.name, link.code());
            checked += 1;
        }
    }
    assert!(checked >= 10, "only {checked} links");
}

#[test]
fn renewal_of_a_kind_that_no_listing_has_is_an_error() {
    let mut catalogue = Catalogue::builtin(&[]);
    let mut add = |name: &str, renew: &str| catalogue.add(&definition(name, &format!("renew:\n{renew}")));
    for (renew, expected) in [
        (
            "  tokn: {who: a, where: b}\n",
            "a.yaml:4:3: renew: no listing has tokens of the kind `tokn`; did you mean `token`?",
        ),
        ("  '*-*': {who: a, where: b}\n", "a.yaml:4:3: renew: `*-*` has more than one `*`"),
        ("  token: {who: a}\n", "a.yaml:4:3: renew.token: add `where` or `command`"),
        ("  token: {where: a}\n", "a.yaml:4:11: renew.token: `who` is missing"),
        ("  token: {who: a, wher: b}\n", "a.yaml:4:19: unknown key `renew.token.wher`; did you mean `where`?"),
        ("  token: {who: a, command: b, docs: 'javascript:x'}\n", "a.yaml:4:37: renew.token.docs: invalid URL"),
        ("  token: {who: \"a\\nb\", command: b}\n", "a.yaml:4:16: renew.token.who: "),
    ] {
        let errors = add("a", renew).expect_err("an error").to_string();
        assert!(errors.starts_with(expected), "{renew}{errors}");
    }
    let long = "x".repeat(191);
    let errors = add("a", &format!("  token: {{who: a, command: {long}}}\n")).expect_err("too long").to_string();
    assert!(errors.contains("renew.token.command: 191 characters; at most 190"), "{errors}");
    add("a", "  token: {who: a, command: b}\n  't*': {who: c, where: d, docs: https://e.example}\n").expect("valid");
    let info = catalogue.get("a").expect("the provider");
    assert_eq!(info.renew("token").expect("exact").steps, ["Who: a", "Command: b"]);
    assert_eq!(info.renew("ticket").expect("pattern").docs.as_deref(), Some("https://e.example"));
    assert_eq!(info.renew("key"), None);
}
