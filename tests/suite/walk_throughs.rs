//! Runs docs/walk-throughs: every command, and every address, against real processes.
//!
//! A page is a sequence of steps:
//!
//! - A block `sh` is run line by line. A server keeps running until the end of the page.
//! - A block `text` has the output of the block before it, line by line; `…` stands for any text, and other lines may be between.
//! - A block whose first line is `# NAME` is written to that file.
//! - A paragraph with an address in `<>` shows everything that is bold in it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use regex::Regex;
use tempfile::TempDir;

use crate::alerts::delivery;
use crate::doc_blocks::block::{Block, blocks};
use crate::doc_blocks::repository;
use crate::test_servers::{LIMIT, Server, client, free_port, tool};

/// The ports on the pages: exporter, control endpoint of the demo, Prometheus, Alertmanager.
const PORTS: [u16; 4] = [10984, 10985, 9090, 9093];

pub(crate) struct Walk {
    /// By port. They stop, and show their logs, before the directory is removed.
    servers: BTreeMap<u16, Server>,
    pub(crate) dir: TempDir,
    page: String,
    ports: BTreeMap<u16, u16>,
    /// Texts of the page that the test replaces, such as the address of a provider.
    pub(crate) replace: Vec<(String, String)>,
    /// Of the last block.
    output: String,
    /// The commands of the last block that failed. A block `text` after it may be the message of an error.
    failed: Vec<String>,
}

/// A step, and its line.
enum Step {
    Block(Block),
    Paragraph(usize, String),
}

/// The blocks and paragraphs of a page, in order; an item of a list is a paragraph.
fn steps(page: &str) -> Vec<Step> {
    let text = fs::read_to_string(repository().join(page)).unwrap();
    let blocks = blocks(page);
    let in_block = |line: usize| {
        blocks.iter().any(|block| line >= block.line && line <= block.line + block.text.lines().count() + 1)
    };
    let mut steps: Vec<(usize, Step)> = blocks.iter().map(|block| (block.line, Step::Block(block.clone()))).collect();
    let item = Regex::new(r"^\s*(?:-|\d+\.) ").unwrap();
    let mut paragraph: Option<(usize, String)> = None;
    for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line)) {
        let ends = line.trim().is_empty() || in_block(number) || item.is_match(line);
        if ends {
            steps.extend(paragraph.take().map(|(at, text)| (at, Step::Paragraph(at, text))));
        }
        if !line.trim().is_empty() && !in_block(number) {
            let (_, text) = paragraph.get_or_insert((number, String::new()));
            text.push_str(line.trim());
            text.push(' ');
        }
    }
    steps.extend(paragraph.map(|(at, text)| (at, Step::Paragraph(at, text))));
    steps.sort_by_key(|(line, _)| *line);
    steps.into_iter().map(|(_, step)| step).collect()
}

/// Whether a text has these lines, in order; `…` stands for any text.
fn has_lines(text: &str, expected: &str) -> Result<(), String> {
    let mut lines = text.lines();
    for line in expected.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let pattern = Regex::new(&format!("^{}$", regex::escape(line).replace('…', ".*"))).unwrap();
        if !lines.any(|found| pattern.is_match(&collapse(found))) {
            return Err(format!("no line {line:?} in order"));
        }
    }
    Ok(())
}

fn collapse(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Walk {
    pub(crate) fn new(page: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::create_dir_all(path("bin")).unwrap();
        fs::create_dir_all(path("work/alerts")).unwrap();
        symlink(exporter(), path("bin/token-expiry-exporter")).unwrap();
        // With short durations.
        fs::rename(delivery::write_rules(dir.path()), path("work/alerts/token-expiry.rules.yaml")).unwrap();
        fs::copy(repository().join("alerts/alertmanager.yaml"), path("work/alerts/alertmanager.yaml")).unwrap();
        symlink(repository().join("alerts/templates"), path("work/alerts/templates")).unwrap();
        let ports = PORTS.iter().map(|port| (*port, free_port())).collect();
        Self {
            dir,
            page: page.to_owned(),
            ports,
            replace: Vec::new(),
            servers: BTreeMap::new(),
            output: String::new(),
            failed: Vec::new(),
        }
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    /// A text of the page with the addresses of the test.
    fn adapted(&self, text: &str) -> String {
        let text = self.replace.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
        self.ports.iter().fold(text, |text, (port, real)| {
            Regex::new(&format!(r"(localhost|127\.0\.0\.1):{port}\b"))
                .unwrap()
                .replace_all(&text, format!("127.0.0.1:{real}"))
                .into_owned()
        })
    }

    pub(crate) async fn run(mut self) {
        let (page, steps) = (self.page.clone(), steps(&self.page));
        let mut last: Option<Block> = None;
        for step in steps {
            let (line, result) = match step {
                Step::Paragraph(line, text) => (line, self.open(&text).await),
                Step::Block(block) if block.language == "text" => {
                    (block.line, self.compare(last.as_ref(), &block.text).await)
                }
                Step::Block(block) => {
                    self.assert_no_failure();
                    let result = match block.language.as_str() {
                        "sh" => self.commands(&block).await,
                        _ => self.write(&block),
                    };
                    let line = block.line;
                    last = Some(block);
                    (line, result)
                }
            };
            result.unwrap_or_else(|error| panic!("{page}:{line}: {error}"));
        }
        self.assert_no_failure();
    }

    /// The last block has succeeded, unless the page showed its output.
    fn assert_no_failure(&self) {
        assert!(self.failed.is_empty(), "{}: {:?} failed: {}", self.page, self.failed, self.output);
    }

    fn write(&self, block: &Block) -> Result<(), String> {
        let name = block.first_line().strip_prefix("# ").ok_or("the first line must be the name of a file")?;
        let text = self.adapted(&block.text).replace("_interval: 15s", "_interval: 1s");
        let file = self.work().join(name);
        fs::create_dir_all(file.parent().expect("a directory")).map_err(|error| error.to_string())?;
        fs::write(file, text).map_err(|error| error.to_string())
    }

    /// Opens each address of a paragraph; what is bold must be in one of the responses.
    async fn open(&self, paragraph: &str) -> Result<(), String> {
        let address = Regex::new(r"<(https?://[^>]+)>").unwrap();
        let bold = Regex::new(r"\*\*([^*]+)\*\*").unwrap();
        let mut shown: Vec<String> = bold.captures_iter(paragraph).map(|found| found[1].to_owned()).collect();
        let addresses: Vec<String> = address.captures_iter(paragraph).map(|found| self.adapted(&found[1])).collect();
        if addresses.is_empty() {
            return Ok(());
        }
        if shown.is_empty() {
            return Err("nothing in this paragraph is bold, so it is not tested".to_owned());
        }
        let started = Instant::now();
        loop {
            for url in &addresses {
                let request = client().get(url).header("accept", "text/html,*/*;q=0.8");
                let response = request.send().await.map_err(|error| error.to_string())?;
                let status = response.status();
                let text = response.text().await.map_err(|error| error.to_string())?;
                if !status.is_success() {
                    return Err(format!("{url}: {status}"));
                }
                let text = readable(&text);
                shown.retain(|expected| !text.contains(expected.as_str()));
                if !shown.is_empty() && started.elapsed() > LIMIT {
                    return Err(format!("{url} does not show {shown:?}:\n{text}"));
                }
            }
            if shown.is_empty() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    async fn commands(&mut self, block: &Block) -> Result<(), String> {
        self.output.clear();
        self.failed.clear();
        for command in block.commands() {
            let command = self.adapted(&command);
            match self.server(&command) {
                Some(server) => self.start(server).await,
                None => {
                    let (success, output) = self.bash(&command);
                    self.output.push_str(&output);
                    self.failed.extend((!success).then_some(command));
                }
            }
        }
        Ok(())
    }

    /// Compares the output of the block before; a query is repeated until it has these lines.
    async fn compare(&mut self, last: Option<&Block>, expected: &str) -> Result<(), String> {
        let Some(last) = last else {
            let mail = fs::read_to_string(repository().join("tests/golden/mails/owner.txt")).unwrap();
            return has_lines(&mail, expected).map_err(|error| format!("{error}: {mail}"));
        };
        let started = Instant::now();
        let is_query = ["curl -s '", "amtool alert query", "promtool query"];
        let is_query = last.commands().iter().all(|command| is_query.iter().any(|query| command.starts_with(query)));
        loop {
            match has_lines(&self.output, expected) {
                Ok(()) => {
                    self.failed.clear();
                    return Ok(());
                }
                Err(error) if !is_query || started.elapsed() > LIMIT => {
                    return Err(format!("{error}:\n{}", self.output));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(500)).await,
            }
            self.commands(last).await?;
        }
    }

    fn bash(&self, command: &str) -> (bool, String) {
        let tools = tool("promtool").parent().expect("a directory").display().to_string();
        let path = format!("{}:{tools}:/usr/bin:/bin", self.dir.path().join("bin").display());
        let mut bash = Command::new("/bin/bash");
        bash.args(["-c", command]).current_dir(self.work()).env("PATH", path).env("HOME", self.dir.path());
        bash.stdin(Stdio::null()).env_remove("HTTP_PROXY").env_remove("http_proxy");
        crate::doc_blocks::run(&mut bash)
    }

    /// The name, the command and the port of a server, if this command runs until it is stopped.
    fn server(&self, command: &str) -> Option<(&'static str, Command, u16)> {
        let words: Vec<&str> = command.split_whitespace().collect();
        let (name, program, arguments, page_port) = match words[..] {
            ["token-expiry-exporter", "demo", ..] => ("demo", exporter(), &words[1..], 10984),
            ["token-expiry-exporter"] => ("token-expiry-exporter", exporter(), &words[1..], 10984),
            ["prometheus", ..] => ("prometheus", tool("prometheus"), &words[1..], 9090),
            ["alertmanager", ..] => ("alertmanager", tool("alertmanager"), &words[1..], 9093),
            _ => return None,
        };
        let port = self.ports[&page_port];
        let mut server = Command::new(program);
        server.args(arguments).arg(format!("--web.listen-address=127.0.0.1:{port}")).current_dir(self.work());
        match name {
            "demo" => server.arg("--interval=1"),
            // Without a path, Debian's Prometheus writes to /var/lib/prometheus: two would share their data.
            "prometheus" => server.arg("--storage.tsdb.path=prometheus-data"),
            "alertmanager" => server.args(["--cluster.listen-address=", "--storage.path=alertmanager-data"]),
            _ => &mut server,
        };
        Some((name, server, port))
    }

    /// Starts a server, and stops the one that has its port, as the reader does.
    async fn start(&mut self, (name, command, port): (&'static str, Command, u16)) {
        drop(self.servers.remove(&port));
        self.servers.insert(port, Server::start(name, command, self.dir.path(), port, "/-/ready").await);
    }
}

fn exporter() -> PathBuf {
    env!("CARGO_BIN_EXE_token-expiry-exporter").into()
}

/// The text of a page as a person reads it; lines of a calendar are unfolded.
fn readable(text: &str) -> String {
    let unfolded = text.replace("\r\n ", "").replace("\\,", ",").replace("\\;", ";");
    let script = Regex::new(r"(?s)<(style|script)>.*?</(style|script)>").unwrap().replace_all(&unfolded, "");
    let plain = Regex::new(r"<[^>]*>").unwrap().replace_all(&script, "");
    let plain = plain.replace("&#39;", "'").replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">");
    collapse(&plain.replace("&amp;", "&"))
}

#[tokio::test(flavor = "multi_thread")]
async fn walk_through_of_the_platform_engineer_runs() {
    Walk::new("docs/walk-throughs/platform-engineer.md").run().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn walk_through_of_the_on_call_engineer_runs() {
    Walk::new("docs/walk-throughs/on-call-engineer.md").run().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn walk_through_of_the_token_owner_runs() {
    let mut walk = Walk::new("docs/walk-throughs/token-owner.md");
    // The owner's platform engineer has started it.
    let demo = walk.server("token-expiry-exporter demo").unwrap();
    walk.start(demo).await;
    walk.run().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn walk_through_of_the_auditor_runs() {
    Walk::new("docs/walk-throughs/auditor.md").run().await;
}

#[test]
fn output_that_a_page_does_not_show_is_an_error() {
    let output = "name   state\nrenovate  active\nsite      expired\n";
    assert_eq!(has_lines(output, "name …\nsite expired\n"), Ok(()));
    assert!(has_lines(output, "site expired\nrenovate active\n").is_err(), "in order");
    assert!(has_lines(output, "renovate expired\n").is_err());
    assert!(has_lines("", "anything\n").is_err());
}

#[test]
fn paragraphs_and_blocks_of_a_page_are_steps_in_order() {
    let steps = steps("docs/walk-throughs/token-owner.md");
    let lines: Vec<usize> = steps
        .iter()
        .map(|step| match step {
            Step::Block(block) => block.line,
            Step::Paragraph(line, _) => *line,
        })
        .collect();
    assert!(lines.len() > 8 && lines.is_sorted(), "{lines:?}");
}
