//! Build and release automation that can be checked without running it: workflows, Dockerfile, scripts, Makefile, pinned
//! versions. `make ship` runs the scripts.

mod release;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use regex::Regex;

use crate::test_servers::tool;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn files(dir: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(root().join(dir))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    files
}

fn workflows() -> Vec<PathBuf> {
    let files = files(".github/workflows");
    assert_eq!(files.len(), 2, "{files:?}");
    files
}

/// Runs a command in the checkout; whether it succeeded, and its output.
fn run(command: &mut Command) -> (bool, String) {
    let output = command.current_dir(root()).output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

fn assert_linted(linter: &str, args: &[&str], files: &[PathBuf]) {
    let (success, output) = run(Command::new(tool(linter)).args(args).args(files));
    assert!(success, "{linter}: {output}");
}

#[test]
fn workflows_pass_zizmor() {
    assert_linted("zizmor", &["--offline", "--no-progress"], &workflows());
}

#[test]
fn workflows_and_issue_forms_match_their_schemas() {
    assert_linted("check-jsonschema", &["--builtin-schema", "vendor.github-workflows"], &workflows());
    let (config, forms): (Vec<_>, Vec<_>) =
        files(".github/ISSUE_TEMPLATE").into_iter().partition(|path| path.ends_with("config.yml"));
    assert_linted("check-jsonschema", &["--builtin-schema", "vendor.github-issue-forms"], &forms);
    assert_linted("check-jsonschema", &["--builtin-schema", "vendor.github-issue-config"], &config);
}

#[test]
fn dockerfile_passes_hadolint() {
    assert_linted("hadolint", &["--failure-threshold", "style"], &[root().join("Dockerfile")]);
}

#[test]
fn scripts_pass_shellcheck() {
    let is_script = |path: &PathBuf| {
        fs::read_to_string(path)
            .is_ok_and(|text| text.starts_with("#!") && text.lines().next().unwrap().ends_with("sh"))
    };
    let dirs = [".ci", "packaging", "packaging/deb", "tests/ship", "tests/tools"];
    let scripts: Vec<PathBuf> = dirs.into_iter().flat_map(files).filter(is_script).collect();
    assert!(scripts.len() > 12, "{scripts:?}");
    assert_linted("shellcheck", &["--external-sources"], &scripts);
}

#[test]
fn actions_are_pinned_to_a_commit_with_its_version() {
    let uses = Regex::new(r"(?m)^\s*(?:- )?uses: (.*)$").unwrap();
    let pinned = Regex::new(r"^[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+\b").unwrap();
    let mut seen = 0;
    for path in workflows() {
        for found in uses.captures_iter(&fs::read_to_string(&path).unwrap()) {
            assert!(pinned.is_match(&found[1]), "{}: {}", path.display(), &found[1]);
            seen += 1;
        }
    }
    assert!(seen > 5);
}

#[test]
fn workflows_call_only_existing_scripts_and_targets() {
    let makefile = read("Makefile");
    let script = Regex::new(r"(?:packaging/[\w.-]+\.sh|\.ci/run)").unwrap();
    let make = Regex::new(r"make ([a-z-]+)").unwrap();
    for path in workflows() {
        let text = fs::read_to_string(&path).unwrap();
        let code: String =
            text.lines().filter(|line| !line.trim_start().starts_with('#')).collect::<Vec<_>>().join("\n");
        for found in script.find_iter(&code) {
            assert!(root().join(found.as_str()).is_file(), "{}: {}", path.display(), found.as_str());
        }
        for found in make.captures_iter(&code) {
            assert!(makefile.contains(&format!("\n{}:", &found[1])), "{}: make {}", path.display(), &found[1]);
        }
    }
}

#[test]
fn release_notes_need_a_tag_of_the_current_version() {
    let notes = |tag: &str| run(Command::new(root().join("packaging/notes.sh")).arg(tag));
    let (success, output) = notes(concat!("v", env!("CARGO_PKG_VERSION")));
    assert!(success && output.contains("### Added") && !output.contains("\n## "), "{output}");
    let (success, output) = notes("v99.0.0");
    assert!(!success && output.contains("tag v99.0.0 does not match the version"), "{output}");
}

/// The published chart has the addresses of the fork that publishes it, and the image by its digest, also for `image: null`.
#[test]
fn published_chart_has_the_image_of_its_release() {
    let dir = tempfile::tempdir().unwrap();
    let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
    let package = |repository: &str, digest: &str| {
        let mut command = Command::new(root().join("packaging/chart.sh"));
        run(command.args([repository, digest]).arg(dir.path()).env("HELM", tool("helm")))
    };
    let (success, output) = package("Acme/Tokens", &digest);
    assert!(success, "{output}");
    let archive = dir.path().join(format!("token-expiry-exporter-{}.tgz", env!("CARGO_PKG_VERSION")));
    let helm = |arguments: &[&str]| {
        let (success, output) = run(Command::new(tool("helm")).args(arguments).arg(&archive));
        assert!(success, "{output}");
        output
    };
    let metadata = helm(&["show", "chart"]);
    for part in
        ["home: https://github.com/Acme/Tokens", "ghcr.io/acme/tokens:", "githubusercontent.com/Acme/Tokens/main/docs"]
    {
        assert!(metadata.contains(part), "{part}: {metadata}");
    }
    let readme = helm(&["show", "readme"]);
    assert!(
        readme.contains("oci://ghcr.io/acme/charts/token-expiry-exporter") && !readme.contains("](../"),
        "{readme:.2000}"
    );
    let values = root().join("tests/helm/good/minimal.yaml").display().to_string();
    for image in ["image.tag=", "image=null"] {
        let rendered = helm(&["template", "tokens", "--values", &values, "--set", image]);
        let images: Vec<_> = rendered.lines().filter(|line| line.trim_start().starts_with("image: ")).collect();
        let expected = format!("image: \"ghcr.io/acme/tokens@{digest}\"");
        assert!(images.len() == 2 && images.iter().all(|line| line.trim() == expected), "{image}: {images:?}");
    }
    let (success, output) = package("Acme/Tokens", "latest");
    assert!(!success && output.contains("latest is not a digest"), "{output}");
}

/// One name of the image: that of the chart's values.
#[test]
fn pages_have_the_image_of_the_chart() {
    let values = read("helm/token-expiry-exporter/values.yaml");
    let image = Regex::new(r"(?m)^  repository: (\S+)$").unwrap().captures(&values).unwrap()[1].to_owned();
    let (registry, name) = image.split_once('/').unwrap();
    let owner = name.split('/').next().unwrap();
    let address = Regex::new(
        r"(ghcr\.io|github\.com|githubusercontent\.com)/([\w.-]+/[\w.-]*token-expiry-exporter|[\w.-]+/charts)\b",
    )
    .unwrap();
    let pages = [
        "README.md",
        "docs/install.md",
        "docs/kubernetes.md",
        "helm/token-expiry-exporter/README.md",
        "helm/token-expiry-exporter/Chart.yaml",
    ];
    for page in pages {
        let text = read(page);
        let mut found = 0;
        for address in address.captures_iter(&text) {
            let expected = if address[2].ends_with("/charts") { format!("{owner}/charts") } else { name.to_owned() };
            assert_eq!(address[2], expected, "{page}: {}", &address[0]);
            found += usize::from(&address[1] == registry);
        }
        assert!(found > 0, "{page}: no address of the image or the chart");
    }
    let chart = read("helm/token-expiry-exporter/Chart.yaml");
    for key in ["home: ", "sources: ", "icon: ", "maintainers:", "artifacthub.io/images: ", "artifacthub.io/links: "] {
        assert!(chart.contains(key), "Chart.yaml: no {key}");
    }
    assert!(chart.contains(&format!("image: {image}:{}\n", env!("CARGO_PKG_VERSION"))), "{chart}");
    let icon = chart.split_once("/main/").unwrap().1.lines().next().unwrap();
    assert!(root().join(icon).is_file(), "{icon}");
}

#[test]
fn new_provider_is_a_valid_definition() {
    let dir = tempfile::tempdir().unwrap();
    let new = |name: &str| run(Command::new(root().join("tests/tools/new-provider.sh")).args([name]).arg(dir.path()));
    let (success, output) = new("acme-cloud");
    assert!(success, "{output}");
    let written: Vec<_> = output.lines().take_while(|line| !line.is_empty()).collect();
    assert!(written.len() == 4 && written.iter().all(|file| dir.path().join(file).is_file()), "{output}");

    let config = dir.path().join("config.yaml");
    let source = "{name: acme, provider: acme-cloud, url: 'https://acme.example.com', credential: {env: KEY}}";
    fs::write(&config, format!("sources: [{source}]\n")).unwrap();
    let mut check = Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter"));
    check.env("KEY", "a-key").args(["check", "--config.file"]).arg(&config);
    let (success, output) = run(check.arg("--providers.dir").arg(dir.path().join("src/providers/definitions")));
    assert!(success, "{output}");

    for (name, error) in
        [("acme-cloud", "already exists"), ("Acme", "usage: "), ("", "usage: "), ("../acme", "usage: ")]
    {
        let (success, output) = new(name);
        assert!(!success && output.contains(error), "{name}: {output}");
    }
}

#[test]
fn rust_version_is_the_same_everywhere() {
    let only = |path: &str, pattern: &str| {
        let text = read(path);
        let mut found: Vec<_> =
            Regex::new(pattern).unwrap().captures_iter(&text).map(|found| found[1].to_owned()).collect();
        found.dedup();
        assert_eq!(found.len(), 1, "{path}: {found:?}");
        found.remove(0)
    };
    let pinned = only("rust-toolchain.toml", r#"channel = "([\d.]+)""#);
    let minor = only("Cargo.toml", r#"rust-version = "([\d.]+)""#);
    assert!(pinned.starts_with(&format!("{minor}.")), "{pinned} {minor}");
    for (path, pattern) in [
        ("Dockerfile", r"FROM rust:([\d.]+)-"),
        (".github/workflows/ci.yaml", r"image: rust:([\d.]+)-"),
        (".github/workflows/release.yaml", r"image: rust:([\d.]+)-"),
    ] {
        assert_eq!(only(path, pattern), minor, "{path}");
    }
}

/// The words of a variable of the Makefile.
fn variable(name: &str) -> Vec<String> {
    let makefile = read("Makefile").replace("\\\n", " ");
    let line = makefile.lines().find_map(|line| line.strip_prefix(&format!("{name} := "))).unwrap();
    line.split_whitespace().map(str::to_owned).collect()
}

/// The test modules of the suite, such as `helm::render`, and their code.
fn suite() -> Vec<(String, String)> {
    let pattern = root().join("tests/suite/**/*.rs");
    let paths = glob::glob(pattern.to_str().unwrap()).unwrap().map(Result::unwrap);
    let module = |path: &Path| {
        let path = path.strip_prefix(root().join("tests/suite")).unwrap().with_extension("");
        path.iter().map(|part| part.to_str().unwrap()).filter(|part| *part != "mod").collect::<Vec<_>>().join("::")
            + "::"
    };
    paths.map(|path| (module(&path), fs::read_to_string(&path).unwrap())).collect()
}

#[test]
fn make_golden_covers_every_golden_file() {
    let golden = variable("GOLDEN");
    let is_covered = |module: &str| golden.iter().any(|filter| module.starts_with(filter.as_str()));
    let writers: Vec<_> = suite()
        .into_iter()
        .filter(|(module, code)| *module != "workflows::" && code.contains("#[test]") | code.contains("#[tokio::test]"))
        .filter(|(_, code)| {
            ["assert_golden(", "assert_generated(", "UPDATE_GOLDEN"].iter().any(|call| code.contains(call))
        })
        .map(|(module, _)| module)
        .filter(|module| !is_covered(module) && !golden.iter().any(|filter| filter.starts_with(module)))
        .collect();
    assert!(writers.is_empty(), "not in GOLDEN of the Makefile: {writers:?}");
}

#[test]
fn make_check_needs_no_installed_tools() {
    let slow = variable("SLOW");
    let users: Vec<_> = suite()
        .into_iter()
        .filter(|(module, code)| {
            *module != "test_servers::" && (code.contains("tool(\"") || code.contains("\".tools/"))
        })
        .filter(|(module, _)| !slow.iter().any(|skipped| module.starts_with(skipped.as_str())))
        .map(|(module, _)| module)
        .collect();
    assert!(users.is_empty(), "use tools of `make tools`, but not in SLOW of the Makefile: {users:?}");
    for filter in slow {
        let module = filter.trim_end_matches("::");
        assert!(suite().iter().any(|(known, _)| known.trim_end_matches("::") == module), "SLOW: no module {module}");
    }
}
