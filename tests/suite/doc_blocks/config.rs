//! Checks of configurations and of the other files that a page shows, by the programs that read them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use regex::Regex;
use serde_json::Value;
use tempfile::TempDir;

use super::block::blocks;
use super::{repository, run};
use crate::test_servers::tool;

/// A template, in which BLOCK stands for a block, with the indentation of that word.
pub(super) fn fill(template: &str, block: &str) -> String {
    let line = template.lines().find(|line| line.trim() == "BLOCK").expect("BLOCK");
    let indent = " ".repeat(line.len() - line.trim_start().len());
    let common = block.lines().filter(|line| !line.is_empty()).map(|line| line.len() - line.trim_start().len()).min();
    let lines = block.lines().map(|line| format!("{indent}{}\n", line.get(common.unwrap_or_default()..).unwrap_or("")));
    template.replace(line, lines.collect::<String>().trim_end())
}

pub(crate) fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_token-expiry-exporter"))
}

const KUBECONFIG: &str = "current-context: it
contexts: [{name: it, context: {cluster: it, user: it}}]
clusters: [{name: it, cluster: {server: 'https://kubernetes.internal'}}]
users: [{name: it, user: {token: a-secret}}]
";

/// A machine on which every credential of a configuration exists.
pub(super) struct Configs {
    dir: TempDir,
}

impl Configs {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("providers")).unwrap();
        fs::write(dir.path().join("providers/widgets.yaml"), definition()).unwrap();
        fs::copy(repository().join("examples/owners.csv"), dir.path().join("owners.csv")).unwrap();
        let rules = "alerts/token-expiry.rules.yaml";
        fs::copy(repository().join(rules), dir.path().join("token-expiry.rules.yaml")).unwrap();
        let (certificate, key) = crate::web::certificates::Authority::new().issue("localhost");
        for (name, content) in [("server.pem", &certificate), ("ca.pem", &certificate), ("server.key", &key)] {
            fs::write(dir.path().join(name), content).unwrap();
        }
        Self { dir }
    }

    /// Moves the absolute paths of a configuration below the directory, and creates the files.
    fn write(&self, name: &str, text: &str) -> PathBuf {
        let paths = Regex::new(r"/(?:var/run|run|etc)/[\w./*-]+").unwrap();
        let moved = paths.replace_all(text, |path: &regex::Captures<'_>| {
            let file = PathBuf::from(format!("{}{}", self.dir.path().display(), &path[0]));
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            if !path[0].contains('*') {
                fs::write(&file, self.content(&file)).unwrap();
            }
            file.display().to_string()
        });
        let file = self.dir.path().join(name);
        fs::write(&file, moved.as_bytes()).unwrap();
        file
    }

    fn content(&self, file: &Path) -> Vec<u8> {
        let name = match file.extension().and_then(|extension| extension.to_str()) {
            Some("pem" | "crt") => self.dir.path().join("server.pem"),
            Some("key") => repository().join("src/providers/engine/github_app/test-key.pem"),
            Some("kubeconfig") => return KUBECONFIG.into(),
            _ => return b"a-secret".to_vec(),
        };
        fs::read(name).unwrap()
    }

    /// The program in the directory; every environment variable that a text names is set.
    fn program(&self, text: &str) -> Command {
        let mut command = program();
        command.current_dir(self.dir.path());
        for name in Regex::new(r"env: (\w+)").unwrap().captures_iter(text) {
            command.env(&name[1], "a-secret");
        }
        command
    }

    pub(super) fn check(&self, text: &str) -> Result<(), String> {
        let file = self.write("config.yaml", text);
        let mut check = self.program(text);
        let (success, output) = run(check.args(["check", "--providers.dir=providers", "--config.file"]).arg(&file));
        let sources = text.matches("provider: ").count();
        let valid = success && output.contains(": valid, ") && sources > 0;
        if valid { Ok(()) } else { Err(format!("{output}\n{text}")) }
    }

    pub(super) fn check_web(&self, text: &str) -> Result<(), String> {
        // The hash of a password is a secret, so the page has none.
        let text = text.replace("$2y$10$…", &bcrypt::hash("secret", 4).unwrap());
        let file = self.write("web.yaml", &text);
        let (success, output) =
            run(program().args(["check", "--web.config.file"]).arg(&file).current_dir(self.dir.path()));
        if success && output.contains("web.yaml: valid") { Ok(()) } else { Err(output) }
    }

    /// A whole definition, or keys of one that replace those of the first one.
    pub(super) fn check_definition(&self, text: &str) -> Result<(), String> {
        let key = text.split_inclusive(':').next().unwrap_or_default();
        let others = definition().lines().filter(|line| !line.starts_with(key)).collect::<Vec<_>>().join("\n");
        let settings = "settings:\n  login_url: {type: url, default: https://login.widgets.example, help: the login}\n";
        let whole = if key == "format:" {
            text.to_owned()
        } else {
            format!("{}\n{text}", others.replace("settings:\n", settings))
        };
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("widgets.yaml"), whole).unwrap();
        let mut check = program();
        let (success, output) =
            run(check.args(["check", "--providers.dir"]).arg(directory.path()).current_dir(directory.path()));
        if success && output.contains("valid, 1 definition") { Ok(()) } else { Err(output) }
    }

    pub(super) fn check_prometheus(&self, text: &str) -> Result<(), String> {
        let file = self.write("prometheus.yml", text);
        let (success, output) = run(Command::new(tool("promtool")).args(["check", "config"]).arg(&file));
        if success && output.contains("SUCCESS") { Ok(()) } else { Err(output) }
    }

    pub(super) fn check_rules(&self, text: &str) -> Result<(), String> {
        let file = self.write("rules.yaml", text);
        let (success, output) = run(Command::new(tool("promtool")).args(["check", "rules"]).arg(&file));
        if success && output.contains("SUCCESS") { Ok(()) } else { Err(output) }
    }

    pub(super) fn check_manual_file(&self, text: &str) -> Result<(), String> {
        fs::write(self.dir.path().join("tokens.csv"), text).unwrap();
        let config = self.write("manual.yaml", "sources: [{name: by-hand, provider: manual, file: tokens.csv}]\n");
        let (success, output) =
            run(program().args(["list", "--output=csv", "--config.file"]).arg(&config).current_dir(self.dir.path()));
        let names = text.lines().skip(1).map(|row| row.split(',').next().unwrap());
        let missing: Vec<_> = names.filter(|name| !output.contains(name)).collect();
        if success && missing.is_empty() { Ok(()) } else { Err(format!("{missing:?} not in {output}")) }
    }

    pub(super) fn check_policy(&self, text: &str) -> Result<(), String> {
        let file = self.dir.path().join("policy.hcl");
        fs::write(&file, text).unwrap();
        let (success, output) = run(Command::new(tool("bao")).args(["policy", "fmt"]).arg(&file));
        let is_same =
            fs::read_to_string(&file).unwrap().matches("capabilities").count() == text.matches("capabilities").count();
        if success && is_same { Ok(()) } else { Err(output) }
    }
}

/// The first definition of the page on definitions.
fn definition() -> String {
    let blocks = blocks("docs/definitions.md");
    blocks.into_iter().find(|block| block.text.starts_with("format: ")).expect("a definition").text
}

/// The keys of a YAML file, without what is below `options`.
fn keys(text: &str) -> Vec<String> {
    let value: Value = serde_saphyr::from_str(text).unwrap();
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    [names(&value), names(&value["providers"][0])].concat()
}

pub(super) fn check_grafana_provisioning(text: &str) -> Result<(), String> {
    let example = fs::read_to_string(repository().join("examples/compose/grafana/dashboards.yaml")).unwrap();
    if keys(text) == keys(&example) { Ok(()) } else { Err(format!("{:?} instead of {:?}", keys(text), keys(&example))) }
}

/// Runs the command of a container's health check: no exporter responds, which is not an invalid flag.
pub(super) fn check_health_check(text: &str) -> Result<(), String> {
    let value: Value = serde_saphyr::from_str(text).unwrap();
    let test: Vec<&str> = value["healthcheck"]["test"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let ["CMD", "/token-expiry-exporter", command, address] = test[..] else { return Err(format!("{test:?}")) };
    let port = crate::test_servers::free_port().to_string();
    let address = address.replace("9000", &port);
    let output = program().args([command, &address]).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    let is_refused = output.status.code() == Some(1) && error.contains(&port);
    if is_refused { Ok(()) } else { Err(format!("{:?} {error}", output.status)) }
}
