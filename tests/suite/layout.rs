//! The arrows between the modules: who may use whom. They go one way, so that the core can be read, and trusted, alone.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Each module of the library, and the modules that it may name. `app` and `cli` wire, and may name all; so may `fuzzing`,
/// which the program does not hold.
const ARROWS: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("schema", &["core"]),
    ("config", &["core", "schema"]),
    ("http", &["core"]),
    ("providers", &["core", "schema", "http"]),
    ("collector", &["core", "providers"]),
    ("exposition", &["core"]),
    ("storage", &["core"]),
    ("web", &["core", "exposition", "schema"]),
];

/// What the core must not know: input and output, clocks, tasks, logs.
const NOT_IN_CORE: &[&str] = &[
    "std::fs",
    "std::io",
    "std::net",
    "std::env",
    "std::process",
    "tokio",
    "tracing",
    "reqwest",
    "Utc::now",
    "SystemTime",
    "Instant",
];

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The code of a file without comments and without the tests at its end.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The module of the library that a file belongs to: `http` for `src/http/client.rs`, `yaml` for `src/yaml.rs`.
fn module(path: &Path, src: &Path) -> String {
    let first = path.strip_prefix(src).unwrap().components().next().unwrap();
    first.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

fn is_test(path: &Path) -> bool {
    path.file_stem().is_some_and(|name| name == "tests") || path.components().any(|part| part.as_os_str() == "tests")
}

#[test]
fn the_arrows_go_one_way() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let arrows: BTreeMap<_, _> = ARROWS.iter().copied().collect();
    let uses = regex::Regex::new(r"\bcrate::(?:\{\s*)?([a-z_]+)").unwrap();
    let mut wrong = Vec::new();
    for path in sources(&src).into_iter().filter(|path| !is_test(path.strip_prefix(&src).unwrap())) {
        let from = module(&path, &src);
        if ["lib", "main", "app", "cli", "demo", "fuzzing"].contains(&from.as_str()) {
            continue;
        }
        let Some(allowed) = arrows.get(from.as_str()) else { panic!("{from} stands in no row of this test's table") };
        let code = code(&path);
        assert!(!code.contains("crate::{"), "{}: name one module a `use`, so that arrows can be read", path.display());
        for used in uses.captures_iter(&code).map(|found| found[1].to_owned()) {
            if used != from && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{}: {from} uses {used}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that the design does not have:\n{}", wrong.join("\n"));
}

#[test]
fn the_core_knows_no_input_no_output_and_no_clock() {
    let core = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/core");
    let mut wrong = Vec::new();
    for path in sources(&core).into_iter().filter(|path| !is_test(path.strip_prefix(&core).unwrap())) {
        let code = code(&path);
        wrong.extend(
            NOT_IN_CORE.iter().filter(|word| code.contains(*word)).map(|word| format!("{}: {word}", path.display())),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
