//! Which modules may import which. Arrows go one way, between modules and inside each of them, so that every module can be
//! read with only those below it in mind.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A module, and the modules that it may import in addition to its own parts and parents. The longest matching row counts.
/// `app` and `cli` connect all others.
const ARROWS: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("schema", &["core"]),
    ("config", &["core", "schema"]),
    ("http", &["core"]),
    ("providers", &["core", "schema", "http"]),
    ("providers/language", &["core", "schema", "providers/provider_info", "providers/source"]),
    ("providers/engine", &["core", "http", "providers/language", "providers/source"]),
    ("providers/native", &["core", "schema", "providers/provider_info", "providers/source"]),
    ("collector", &["core", "providers", "storage/shared", "storage/encoding", "storage/file_name"]),
    ("exposition", &["core"]),
    ("storage", &["core"]),
    ("pages", &["core", "schema", "exposition"]),
    ("server", &["core", "schema", "exposition"]),
    (
        "app",
        &["core", "schema", "config", "http", "providers", "collector", "exposition", "storage", "pages", "server"],
    ),
    ("demo", &["core", "app"]),
    (
        "cli",
        &[
            "core",
            "schema",
            "config",
            "http",
            "providers",
            "collector",
            "exposition",
            "storage",
            "pages",
            "server",
            "app",
            "demo",
        ],
    ),
];

const IO: &[&str] = &["std::fs", "std::io", "std::net", "std::env", "std::process", "tokio", "tracing", "reqwest"];
const CLOCK: &[&str] = &["Utc::now", "SystemTime", "Instant"];

/// Names that must not occur in a module.
const FORBIDDEN: &[(&str, &[&[&str]])] =
    &[("core", &[IO, CLOCK]), ("providers/language", &[IO, CLOCK]), ("providers/engine", &[&["yaml"]])];

/// A module's path, such as `["http", "client"]`; the root's is empty.
type Module = Vec<String>;

/// The non-test code of each module of the library.
type Modules = BTreeMap<Module, TokenStream>;

fn modules() -> Modules {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = glob::glob(&format!("{}/**/*.rs", src.display())).unwrap().map(Result::unwrap);
    let modules: BTreeMap<_, _> = files
        .filter_map(|file| {
            let path = file.strip_prefix(&src).unwrap().with_extension("");
            let mut module: Module = path.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
            module.pop_if(|name| ["mod", "lib", "main"].contains(&name.as_str()));
            let code =
                || fs::read_to_string(&file).unwrap().parse().unwrap_or_else(|error| panic!("{file:?}: {error}"));
            (!module.iter().any(|name| name == "tests")).then(|| (module, without_tests(code())))
        })
        .collect();
    assert!(modules.len() > 100);
    modules
}

/// Removes the items that only tests compile.
fn without_tests(code: TokenStream) -> TokenStream {
    let mut left = Vec::new();
    let mut tokens = code.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let attribute = tokens.peek().map(|next| next.to_string().replace(' ', "")).unwrap_or_default();
        match token {
            TokenTree::Punct(hash)
                if hash.as_char() == '#' && attribute.starts_with("[cfg(test")
                    || attribute.starts_with("[cfg(any(test") =>
            {
                let ends = |token: &TokenTree| match token {
                    TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
                    token => token.to_string() == ";",
                };
                tokens.find(ends);
            }
            TokenTree::Group(group) => {
                left.push(proc_macro2::Group::new(group.delimiter(), without_tests(group.stream())).into());
            }
            token => left.push(token),
        }
    }
    left.into_iter().collect()
}

/// The paths in a module's code that lead into the library, from its root, and whether a `use` makes their last name the
/// module's own.
fn paths(module: &Module, code: &TokenStream, modules: &Modules) -> Vec<(Module, bool)> {
    let tokens: Vec<TokenTree> = code.clone().into_iter().collect();
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let after = |text: &str| at > 0 && tokens[at - 1].to_string() == text;
        match token {
            TokenTree::Group(group) => found.extend(paths(module, &group.stream(), modules)),
            TokenTree::Ident(name) if !after(":") => {
                let rooted = ["crate", "self", "super"].iter().any(|root| name == root);
                // `use child::Name` without `self`.
                let child = || after("use") && modules.contains_key(&[&module[..], &[name.to_string()]].concat());
                if rooted || child() {
                    found.extend(flat(&tokens[at..]).into_iter().map(|path| (absolute(module, path), after("use"))));
                }
            }
            _ => {}
        }
    }
    found
}

/// The path at the start of these tokens; of a group `a::{b, c::d}` all of them.
fn flat(tokens: &[TokenTree]) -> Vec<Module> {
    let mut path = Vec::new();
    let mut tokens = tokens.iter();
    loop {
        match tokens.next() {
            Some(TokenTree::Ident(name)) => path.push(name.to_string()),
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                let ends = inner.split(|token| token.to_string() == ",").flat_map(flat);
                return ends.map(|end| [path.clone(), end].concat()).collect();
            }
            _ => return vec![path],
        }
        if tokens.by_ref().take(2).filter(|token| token.to_string() == ":").count() < 2 {
            return vec![path];
        }
    }
}

fn absolute(module: &Module, path: Module) -> Module {
    let mut absolute = module.clone();
    for name in path {
        match name.as_str() {
            "crate" => absolute.clear(),
            "super" => drop(absolute.pop()),
            "self" => {}
            _ => absolute.push(name),
        }
    }
    absolute
}

/// Every import of one module by another. A name that a module only passes on (`pub use`) counts as its origin's.
fn arrows(modules: &Modules) -> BTreeSet<(Module, Module)> {
    let paths: BTreeMap<_, _> = modules.iter().map(|(module, code)| (module, paths(module, code, modules))).collect();
    let all = paths.iter().flat_map(|(from, to)| to.iter().map(|(path, _)| ((*from).clone(), origin(path, &paths))));
    all.filter(|(from, to)| !to.is_empty() && from != to).collect()
}

/// The module that a path leads to.
fn origin(path: &Module, paths: &BTreeMap<&Module, Vec<(Module, bool)>>) -> Module {
    let length = (0..=path.len()).rev().find(|length| paths.contains_key(&path[..*length].to_vec())).unwrap();
    let module = path[..length].to_vec();
    let imported = path.get(length).and_then(|name| {
        paths[&module].iter().find(|(other, imported)| *imported && other.last() == Some(name) && other != path)
    });
    imported.map_or(module, |(other, _)| origin(other, paths))
}

fn is_within(module: &[String], row: &str) -> bool {
    module.starts_with(&row.split('/').map(str::to_owned).collect::<Vec<_>>())
}

#[test]
fn modules_import_only_those_below_them() {
    let modules = modules();
    let wrong: Vec<String> = arrows(&modules)
        .iter()
        .filter(|(from, to)| {
            let row = ARROWS.iter().filter(|(row, _)| is_within(from, row)).max_by_key(|(row, _)| row.len());
            let Some((row, allowed)) = row else { return !from.is_empty() };
            let is_allowed = is_within(to, row) || allowed.iter().any(|allowed| is_within(to, allowed));
            !is_allowed && !from.starts_with(to)
        })
        .map(|(from, to)| format!("{} imports {}", from.join("/"), to.join("/")))
        .collect();
    assert!(wrong.is_empty(), "not in ARROWS:\n{}", wrong.join("\n"));
    for (row, _) in ARROWS {
        assert!(modules.keys().any(|module| is_within(module, row)), "{row}: no such module");
    }
}

#[test]
fn no_modules_import_each_other_in_a_circle() {
    let mut levels: BTreeMap<Module, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for (from, to) in arrows(&modules()) {
        let common = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
        if let (Some(one), Some(other)) = (from.get(common), to.get(common)) {
            let level = levels.entry(from[..common].to_vec()).or_default();
            level.entry(one.clone()).or_default().insert(other.clone());
        }
    }
    let mut circles = BTreeSet::new();
    for (level, arrows) in &levels {
        let reached = |start: &String| {
            let mut reached = BTreeSet::new();
            let mut open: Vec<&String> = arrows.get(start).into_iter().flatten().collect();
            while let Some(next) = open.pop() {
                if reached.insert(next) {
                    open.extend(arrows.get(next).into_iter().flatten());
                }
            }
            reached
        };
        for start in arrows.keys() {
            let circle: Vec<&str> =
                reached(start).into_iter().filter(|next| reached(next).contains(start)).map(String::as_str).collect();
            if circle.len() > 1 {
                circles.insert(format!("src/{}: {}", level.join("/"), circle.join(", ")));
            }
        }
    }
    assert!(circles.is_empty(), "circles:\n{}", circles.into_iter().collect::<Vec<_>>().join("\n"));
}

#[test]
fn core_and_language_have_no_io_and_no_clock_and_engine_has_no_yaml() {
    for (module, code) in &modules() {
        let code = code.to_string().replace(' ', "");
        for (_, names) in FORBIDDEN.iter().filter(|(row, _)| is_within(module, row)) {
            let found: Vec<_> = names.concat().into_iter().filter(|name| code.contains(*name)).collect();
            assert!(found.is_empty(), "{} names {found:?}", module.join("/"));
        }
    }
}

#[test]
fn every_module_says_what_it_is() {
    let files = glob::glob(concat!(env!("CARGO_MANIFEST_DIR"), "/src/**/*.rs")).unwrap().map(Result::unwrap);
    let silent: Vec<_> = files
        .filter(|file| !file.ends_with("tests.rs") && !file.components().any(|part| part.as_os_str() == "tests"))
        .filter(|file| !fs::read_to_string(file).unwrap().starts_with("//! "))
        .collect();
    assert!(silent.is_empty(), "no `//!` comment on the first line: {silent:?}");
}
