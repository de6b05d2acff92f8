//! Validates every file in `examples/` and `examples/providers/` and every configuration in `docs/providers/`, and connects its
//! sources.

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

/// An environment in which every file and variable exists.
struct FakeEnvironment;

impl Environment for FakeEnvironment {
    fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        let pem: &[u8] = match path.extension().and_then(|extension| extension.to_str()) {
            Some("key") => include_bytes!("../../src/providers/engine/github_app/test-key.pem"),
            Some("csv") => include_bytes!("../../examples/owners.csv"),
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

/// Connects all sources of a configuration; returns the names of their providers.
fn connect(name: &str, content: &str) -> BTreeSet<String> {
    let catalogue = Catalogue::builtin(&token_expiry_exporter::config::source_keys());
    let config = config::parse(SourceText::new(name, content), Arc::new(FakeEnvironment));
    let config = config.unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
    let options = Options {
        connect_timeout: Duration::from_secs(1),
        request_timeout: Duration::from_secs(1),
        body_limit: 1,
        retries: 0,
        max_retry_delay: Duration::ZERO,
        concurrency: 1,
        rate: None,
        certificates: Arc::new(TlsMaterial::default()),
        proxy: None,
    };
    let mut used = BTreeSet::new();
    for source in config.sources {
        let spec = SourceSpec {
            text: config.text.clone(),
            at: source.at,
            name: source.name.0,
            auth: source.auth,
            listings: source.listings,
            settings: source.settings,
            credentials: source.credentials,
            credential_at: source.credential_at,
            kubeconfig: source.kubeconfig.clone(),
            has_client_certificate: source.has_client_certificate,
            headers: token_expiry_exporter::core::extra_headers::ExtraHeaders::default(),
            header_names: Vec::new(),
            identify: None,
        };
        let provider = (source.provider.0.as_str(), source.provider.1);
        let connected = catalogue.connect(provider, spec, options.clone(), Arc::new(|| DateTime::UNIX_EPOCH));
        let connected = connected.unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
        assert!(!connected.listings().is_empty(), "{name}: a source of {} has no listings", provider.0);
        used.insert(catalogue.get(provider.0).expect("a provider").name.to_owned());
    }
    used
}

fn files(directory: &str, extension: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(root().join(directory)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|it| it == extension));
    files.retain(|path| !path.ends_with("examples/compose.yaml")); // tested by tests/suite/compose.rs
    files.sort();
    files
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}

#[test]
fn examples_connect_and_use_the_provider_in_their_name() {
    for path in files("examples", "yaml") {
        let used = connect(&path.display().to_string(), &fs::read_to_string(&path).unwrap());
        assert!(stem(&path) == "config" || used == BTreeSet::from([stem(&path)]), "{}: {used:?}", path.display());
    }
}

#[test]
fn example_of_every_provider_connects() {
    super::provider_pages::update();
    let catalogue = Catalogue::builtin(&token_expiry_exporter::config::source_keys());
    for info in catalogue.providers() {
        let example = info.example().unwrap_or_else(|| panic!("{}: no example", info.name));
        assert_eq!(connect(&info.name, &example), BTreeSet::from([info.name.clone()]), "{example}");
    }
    for path in files("examples/providers", "yaml") {
        let used = connect(&path.display().to_string(), &fs::read_to_string(&path).unwrap());
        assert_eq!(used, BTreeSet::from([stem(&path)]), "{}", path.display());
    }
}

#[test]
fn situations_connect() {
    let situations = files("examples/situations", "yaml");
    assert_eq!(
        situations.iter().map(|path| stem(path)).collect::<Vec<_>>(),
        ["atlassian", "gitlab-and-vault", "kubernetes", "laptop"]
    );
    for path in situations {
        connect(&path.display().to_string(), &fs::read_to_string(&path).unwrap());
    }
}

#[test]
fn configurations_of_provider_pages_connect() {
    super::provider_pages::update();
    for path in files("docs/providers", "md") {
        let page = fs::read_to_string(&path).unwrap();
        let blocks: Vec<&str> = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        assert!(!blocks.is_empty(), "{}: no configuration", path.display());
        for block in blocks.into_iter().filter(|block| block.starts_with("sources:")) {
            assert_eq!(
                connect(&path.display().to_string(), block),
                BTreeSet::from([stem(&path)]),
                "{}",
                path.display()
            );
        }
    }
}

#[test]
fn config_yaml_uses_every_provider_of_the_other_examples() {
    let path = root().join("examples/config.yaml");
    let used = connect("examples/config.yaml", &fs::read_to_string(path).unwrap());
    let examples: BTreeSet<String> = files("examples", "yaml").iter().map(|path| stem(path)).collect();
    let missing: Vec<&String> = examples.iter().filter(|name| *name != "config" && !used.contains(*name)).collect();
    assert!(missing.is_empty(), "examples/config.yaml has no source of {missing:?}");
}
