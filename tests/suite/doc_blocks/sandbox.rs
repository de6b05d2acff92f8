//! Runs the commands of a page in a directory of its own: the program and the tools of the tests are real, and programs that need
//! a cluster, a registry or root are replaced by one that writes down how it was called.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use token_expiry_exporter::demo::{Demo, Options};

use super::block::Block;
use super::{calls, repository};
use crate::alerts::delivery;
use crate::test_servers::{LIMIT, Server, client, exporter, free_port, wait_for};

/// Programs that are not run.
const STUBS: &[&str] =
    &["apt", "aws", "az", "cargo", "cosign", "docker", "gcloud", "gh", "helm", "kubectl", "make", "systemctl", "vault"];

/// What a page leaves to its reader, and the value in the test.
const PLACEHOLDERS: &[(&str, &str)] = &[
    ("=SOURCE", "=vault"),
    (" SOURCE", " vault"),
    ("token_id=ID", "token_id=17"),
    ("@sha256:DIGEST", "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
    (" /etc/", " ROOT/etc/"),
    (" /usr/share/", " ROOT/usr/share/"),
];

/// Commands that may exit with another code than 0: a part of the command, and the code.
const EXIT_CODES: &[(&str, i32)] = &[
    ("list --fail-within", 1), // the demo has tokens that expire soon
    ("--fail-within 30d", 1),
    (" digest ", 3),          // some tokens of the demo have no owner
    ("sha256sum --check", 1), // there is no release here
];

const STUB: &str = r#"#!/bin/bash
# Writes down how it was called, instead of a program that needs a cluster, a registry or root.
{ printf '%s' "${0##*/}"; printf '\x1f%s' "$@"; printf '\n'; } >>"$CALLS"
if [[ "$*" == "get values "* ]]; then cat "$VALUES"; fi
if [[ " $* " == *" logs "* ]]; then echo 'msg="the storage path is full" store=lost'; fi
"#;

pub(super) struct Sandbox {
    dir: TempDir,
    _demo: Demo,
    _servers: Vec<Server>,
}

impl Sandbox {
    /// `all` are the blocks of all pages: the values of the page are those that its commands install.
    pub(super) async fn new(page: &str, all: &[Block]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        for name in ["bin", "work", "home", "etc/prometheus/rules", "etc/token-expiry-exporter/secrets"] {
            fs::create_dir_all(path(name)).unwrap();
        }
        fs::create_dir_all(path("usr/share/doc/token-expiry-exporter")).unwrap();
        symlink(repository().join("examples"), path("usr/share/doc/token-expiry-exporter/examples")).unwrap();
        symlink(env!("CARGO_BIN_EXE_token-expiry-exporter"), path("bin/token-expiry-exporter")).unwrap();
        for name in STUBS {
            write_script(&path("bin").join(name), STUB);
        }
        for name in ["alerts", "dashboards", "examples", "helm"] {
            symlink(repository().join(name), path("work").join(name)).unwrap();
        }
        let demo = Demo::prepare(Options::default()).await.unwrap();
        fs::write(path("work/token-expiry-exporter.yaml"), configuration(&demo)).unwrap();
        fs::write(path("work/web.yaml"), "rate_limit: {interval: 10ms, burst: 100}\n").unwrap();
        fs::write(path("work/policy.hcl"), "").unwrap();
        fs::write(path("work/atlassian.key"), "a-secret").unwrap();
        let values = all.iter().find(|block| block.page == page && block.first_line() == "# values.yaml");
        let values = values.map(|block| block.text.clone()).unwrap_or_else(crate::helm::minimal_values);
        fs::write(path("work/values.yaml"), &values).unwrap();
        fs::write(path("installed-values.yaml"), values).unwrap();
        let uses = |command: &str| all.iter().any(|block| block.page == page && block.text.contains(command));
        let mut servers = Vec::new();
        if uses("amtool ") {
            servers.push(alertmanager(dir.path()).await);
        }
        if uses("token-expiry-exporter digest ") {
            servers.push(running_exporter(dir.path(), &configuration(&demo)).await);
        }
        Self { dir, _demo: demo, _servers: servers }
    }

    fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    pub(super) async fn run(&self, block: &Block) -> Result<(), String> {
        let commands = block.commands();
        if commands.is_empty() {
            return Err("no command".to_owned());
        }
        for command in commands {
            let mut filled = command.clone();
            for (placeholder, value) in PLACEHOLDERS {
                filled = filled.replace(placeholder, value);
            }
            let filled = filled.replace("ROOT", &self.dir.path().display().to_string());
            let result = match server_arguments(&filled) {
                Some(arguments) => self.serve(&arguments).await,
                None => self.run_to_end(&command, &filled),
            };
            result.map_err(|error| format!("{command}: {error}"))?;
        }
        Ok(())
    }

    fn run_to_end(&self, command: &str, filled: &str) -> Result<(), String> {
        let calls = self.dir.path().join("calls");
        fs::write(&calls, "").unwrap();
        let path = format!("{}:{}:/usr/bin:/bin", self.dir.path().join("bin").display(), tools().display());
        let mut bash = Command::new("/bin/bash");
        bash.args(["-euo", "pipefail", "-c", filled]).current_dir(self.work()).stdin(Stdio::null());
        bash.env_clear()
            .env("PATH", path)
            .env("CALLS", &calls)
            .env("VALUES", self.dir.path().join("installed-values.yaml"))
            .env("HOME", self.dir.path().join("home"));
        let output = bash.output().unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        let allowed = EXIT_CODES.iter().find(|(part, _)| command.contains(part)).map_or(0, |(_, code)| *code);
        if !output.status.code().is_some_and(|code| [0, allowed].contains(&code)) {
            return Err(format!("{}, expected 0 or {allowed}\n{text}", output.status));
        }
        for call in fs::read_to_string(&calls).unwrap().lines() {
            let words: Vec<&str> = call.split('\u{1f}').collect();
            calls::check(&words, &self.work())?;
        }
        Ok(())
    }

    /// Starts the program, and stops it once it responds.
    async fn serve(&self, arguments: &[String]) -> Result<(), String> {
        let port = free_port();
        let log = self.dir.path().join("server.log");
        let output = fs::File::create(&log).unwrap();
        let mut command = super::config::program();
        command.args(arguments).arg(format!("--web.listen-address=127.0.0.1:{port}")).current_dir(self.work());
        let mut child = command.stdout(Stdio::null()).stderr(output).spawn().unwrap();
        let started = Instant::now();
        let responds = loop {
            if client().get(format!("http://127.0.0.1:{port}/-/healthy")).send().await.is_ok() {
                break true;
            }
            if child.try_wait().unwrap().is_some() || started.elapsed() > LIMIT {
                break false;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        drop(child.kill());
        drop(child.wait());
        if responds { Ok(()) } else { Err(fs::read_to_string(&log).unwrap()) }
    }
}

/// The arguments, if a command runs until it is stopped.
fn server_arguments(command: &str) -> Option<Vec<String>> {
    let mut words = command.split_whitespace();
    let is_program = words.next() == Some("token-expiry-exporter");
    let arguments: Vec<String> = words.map(str::to_owned).collect();
    let subcommand = arguments.first().filter(|first| !first.starts_with('-'));
    let is_server = subcommand.is_none_or(|name| ["serve", "demo"].contains(&name.as_str()));
    (is_program && is_server).then_some(arguments)
}

/// The demo's configuration without the source that lacks a permission, and with a token named as on the pages.
fn configuration(demo: &Demo) -> String {
    let config = &demo.config;
    let (before, rest) = config.split_once("  - name: atlassian-sandbox").expect("the incomplete source");
    let (_, after) = rest.split_once("  - name: vault\n").expect("the source after it");
    let token = "    tokens:\n      - {name: renovate, expires: 2030-01-01, owner: platform}\n";
    format!("{before}  - name: vault\n{after}").replacen("    tokens:\n", token, 1)
}

pub(crate) fn write_script(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Alertmanager, and an amtool that uses it by default.
async fn alertmanager(dir: &Path) -> Server {
    let config = fs::read_to_string(repository().join("alerts/alertmanager.yaml")).unwrap();
    let templates = repository().join("alerts/templates/*").display().to_string();
    let server = delivery::alertmanager(dir, &config.replace("templates/*", &templates)).await;
    let amtool = crate::test_servers::tool("amtool");
    let script = format!("#!/bin/bash\nexec '{}' --alertmanager.url={} \"$@\"\n", amtool.display(), server.url);
    write_script(&dir.join("bin/amtool"), &script);
    server
}

/// An exporter that has collected, which `digest` reads by default.
async fn running_exporter(dir: &Path, config: &str) -> Server {
    let server = exporter(dir, config, &[]).await;
    let ready = format!("{}/-/ready", server.url);
    wait_for("the first collection", || async {
        client().get(&ready).send().await.unwrap().status().is_success().then_some(())
    })
    .await;
    let program = env!("CARGO_BIN_EXE_token-expiry-exporter");
    let script = format!(
        "#!/bin/bash\n[ \"$1\" != digest ] || set -- \"$@\" --exporter.url={}\nexec '{program}' \"$@\"\n",
        server.url
    );
    fs::remove_file(dir.join("bin/token-expiry-exporter")).unwrap();
    write_script(&dir.join("bin/token-expiry-exporter"), &script);
    server
}

fn tools() -> PathBuf {
    crate::test_servers::tool("promtool").parent().expect("a directory").to_owned()
}
