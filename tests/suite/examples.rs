//! What people copy: every file in `examples/`, and every configuration in `docs/providers/`, is read and connected.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use chrono::DateTime;
use token_expiry_exporter::config::{self, Environment};
use token_expiry_exporter::core::certificates::TlsMaterial;
use token_expiry_exporter::http::client::Options;
use token_expiry_exporter::providers::{Catalogue, SourceSpec};
use token_expiry_exporter::schema::diagnostic::SourceText;

/// A machine on which every file that an example names is there.
struct Machine;

impl Environment for Machine {
    fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        let pem: &[u8] = match path.extension().and_then(|end| end.to_str()) {
            Some("key") => include_bytes!("../../src/providers/engine/signers/github_app/test-key.pem"),
            Some("pem" | "crt") => include_bytes!("../../src/providers/native/files/test-certificate.pem"),
            _ => b"a secret",
        };
        Ok(pem.to_vec())
    }

    fn env(&self, _name: &str) -> Option<String> {
        Some("a secret".to_owned())
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The names of the providers that a configuration uses.
fn connected(name: &str, content: &str) -> BTreeSet<String> {
    let catalogue = Catalogue::builtin().expect("the built-in definitions");
    let config = config::parse(SourceText::new(name, content), Arc::new(Machine));
    let config = config.unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let options = Options {
        connect_timeout: Duration::from_secs(1),
        request_timeout: Duration::from_secs(1),
        body_limit: 1,
        retries: 0,
        longest_wait: Duration::ZERO,
        concurrency: 1,
        rate: None,
        certificates: Arc::new(TlsMaterial::default()),
        proxy: None,
    };
    let mut used = BTreeSet::new();
    for source in config.sources {
        let wanted = SourceSpec {
            text: config.text.clone(),
            at: source.at,
            name: source.name.0,
            auth: source.auth,
            listings: source.listings,
            settings: source.settings,
            credentials: source.credentials,
            credential_at: source.credential_at,
        };
        let provider = (source.provider.0.as_str(), source.provider.1);
        let made = catalogue.connect(provider, wanted, options.clone(), Arc::new(|| DateTime::UNIX_EPOCH));
        let made = made.unwrap_or_else(|mistakes| panic!("{mistakes}"));
        assert!(!made.listings().is_empty(), "{name}: a source of {} lists nothing", provider.0);
        used.insert(catalogue.get(provider.0).expect("a provider").name.to_owned());
    }
    used
}

fn files(folder: &str, end: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == end));
    files.retain(|path| !path.ends_with("examples/compose.yaml")); // that is of others: tests/suite/compose.rs
    files.sort();
    files
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}

#[test]
fn each_example_connects_and_shows_the_provider_that_it_is_named_after() {
    for path in files("examples", "yaml") {
        let used = connected(&path.display().to_string(), &fs::read_to_string(&path).unwrap());
        assert!(stem(&path) == "config" || used == BTreeSet::from([stem(&path)]), "{}: {used:?}", path.display());
    }
}

#[test]
fn each_situation_connects() {
    let situations = files("examples/situations", "yaml");
    assert_eq!(
        situations.iter().map(|path| stem(path)).collect::<Vec<_>>(),
        ["atlassian", "gitlab-and-vault", "kubernetes", "laptop"]
    );
    for path in situations {
        connected(&path.display().to_string(), &fs::read_to_string(&path).unwrap());
    }
}

#[test]
fn each_page_of_a_provider_has_a_configuration_that_connects() {
    for path in files("docs/providers", "md") {
        let page = fs::read_to_string(&path).unwrap();
        let blocks: Vec<&str> = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        assert!(!blocks.is_empty(), "{}: no configuration", path.display());
        for block in blocks.into_iter().filter(|block| block.starts_with("sources:")) {
            assert_eq!(
                connected(&path.display().to_string(), block),
                BTreeSet::from([stem(&path)]),
                "{}",
                path.display()
            );
        }
    }
}

#[test]
fn the_large_example_has_every_source_of_the_small_ones() {
    let path = root().join("examples/config.yaml");
    let used = connected("examples/config.yaml", &fs::read_to_string(path).unwrap());
    let small: BTreeSet<String> = files("examples", "yaml").iter().map(|path| stem(path)).collect();
    let missing: Vec<&String> = small.iter().filter(|name| *name != "config" && !used.contains(*name)).collect();
    assert!(missing.is_empty(), "examples/config.yaml has no source of {missing:?}");
}
