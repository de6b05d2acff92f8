//! Every code block of the README and of docs/ is run or validated, or has a reason why not.
//!
//! Most languages have one check (see [`usual`]). The other blocks are in [`table`], each by its page and its first line.

pub(crate) mod block;
mod calls;
mod config;
mod http;
pub(crate) mod sandbox;
mod table;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use block::{Block, blocks, pages};
use config::Configs;
use sandbox::Sandbox;
use table::{Check, TABLE};

use crate::test_servers::tool;

pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The check of a block that no row of the table has.
fn usual(block: &Block) -> Option<Check> {
    let keys = block.text.lines().filter(|line| !line.starts_with('#'));
    let first_key = keys.map(str::trim_end).find(|line| !line.is_empty()).unwrap_or_default();
    match block.language.as_str() {
        "promql" => Some(Check::Query),
        "sh" | "console" => Some(Check::Shell),
        "hcl" => Some(Check::VaultPolicy),
        "yaml" if block.text.starts_with("# values.yaml") => Some(Check::Values),
        // Connected with one catalogue, which takes a tenth of the time.
        "yaml" if first_key == "sources:" && block.page.starts_with("docs/providers/") => {
            Some(Check::RunBy("tests/suite/examples.rs: configurations_of_provider_pages_connect"))
        }
        "yaml" if first_key == "sources:" => Some(Check::Configuration("BLOCK")),
        _ => None,
    }
}

/// The check of each block, and an error for each block without one and each row without a block.
fn checks(all: &[Block], table: &'static [table::Row]) -> (Vec<(Block, Check)>, Vec<String>) {
    let (mut checks, mut errors) = (Vec::new(), Vec::new());
    for block in all {
        let row = table.iter().find(|row| row.is_of(block));
        match row.map(|row| row.check).or_else(|| usual(block)) {
            Some(check) => checks.push((block.clone(), check)),
            None => errors.push(format!(
                "{}: no check for this block of `{}`; add a row to tests/suite/doc_blocks/table.rs: {}",
                block.place(),
                block.language,
                block.first_line()
            )),
        }
    }
    let unused = table.iter().filter(|row| !all.iter().any(|block| row.is_of(block)));
    errors.extend(unused.map(|row| {
        format!(
            "tests/suite/doc_blocks/table.rs:{}: no block of {} begins with: {}",
            row.line(),
            row.page,
            row.first_line
        )
    }));
    (checks, errors)
}

#[tokio::test(flavor = "multi_thread")]
async fn code_blocks_are_run_or_validated() {
    let all: Vec<Block> = pages().iter().flat_map(|page| blocks(page)).collect();
    let (checks, mut errors) = checks(&all, TABLE);
    errors.extend(query_errors(&checks));
    errors.extend(values_errors(&checks));
    let configs = Configs::new();
    let mut by_page: BTreeMap<&str, Vec<&(Block, Check)>> = BTreeMap::new();
    for check in &checks {
        by_page.entry(&check.0.page).or_default().push(check);
    }
    for checks in by_page.into_values() {
        let mut sandbox = None;
        for (block, check) in checks {
            let text = &block.text;
            let result = match *check {
                Check::NotRun(reason) if reason.len() < 30 => Err(format!("no reason: {reason}")),
                Check::Query | Check::Values | Check::NotRun(_) => Ok(()),
                Check::RunBy(test) => exists(test),
                Check::Configuration(template) => configs.check(&config::fill(template, text)),
                Check::WebConfiguration => configs.check_web(text),
                Check::Definition => configs.check_definition(text),
                Check::Rules(template) => configs.check_rules(&config::fill(template, text)),
                Check::Prometheus => configs.check_prometheus(text),
                Check::ManualFile => configs.check_manual_file(text),
                Check::GrafanaProvisioning => config::check_grafana_provisioning(text),
                Check::Manifest(template) => validate_manifest(&config::fill(template, text)),
                Check::Json => {
                    serde_json::from_str::<serde_json::Value>(text).map(drop).map_err(|error| error.to_string())
                }
                Check::VaultPolicy => configs.check_policy(text),
                Check::ContainerHealth => config::check_health_check(text),
                Check::Headers => http::check_headers(text).await,
                Check::Shell => {
                    if sandbox.is_none() {
                        sandbox = Some(Sandbox::new(&block.page, &all).await);
                    }
                    sandbox.as_ref().expect("a sandbox").run(block).await
                }
            };
            errors.extend(result.err().map(|error| format!("{}: {error}", block.place())));
        }
    }
    assert!(errors.is_empty(), "{} errors:\n{}", errors.len(), errors.join("\n"));
    let not_run = checks.iter().filter(|(_, check)| matches!(check, Check::NotRun(_))).count();
    assert!(checks.len() > 200 && not_run < 15, "{} blocks, {not_run} not run", checks.len());
}

/// A test, as `file: name`.
fn exists(test: &str) -> Result<(), String> {
    let (file, name) = test.split_once(": ").expect("file and name");
    let code = fs::read_to_string(repository().join(file)).unwrap_or_default();
    if code.contains(&format!("fn {name}(")) { Ok(()) } else { Err(format!("no test {name} in {file}")) }
}

/// One file of rules, whose names are the places of the blocks: promtool reports an error with the name of its rule.
fn query_errors(checks: &[(Block, Check)]) -> Option<String> {
    let queries = checks.iter().filter(|(_, check)| matches!(check, Check::Query));
    let rule = |(number, (block, _)): (usize, &(Block, Check))| serde_json::json!({"record": format!("block:{number}"), "labels": {"place": block.place()}, "expr": block.text});
    let rules: Vec<_> = queries.clone().enumerate().map(rule).collect();
    assert!(rules.len() > 80, "only {} queries", rules.len());
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("rules.yaml");
    let groups = serde_json::json!({"groups": [{"name": "blocks", "rules": rules}]});
    fs::write(&file, groups.to_string()).unwrap();
    let (success, output) = run(Command::new(tool("promtool")).args(["check", "rules"]).arg(&file));
    if success && output.contains(&format!("{} rules found", rules.len())) {
        return None;
    }
    let places: Vec<_> =
        queries.enumerate().map(|(number, (block, _))| format!("block:{number} is {}", block.place())).collect();
    Some(format!("{output}\n{}", places.join("\n")))
}

/// Values without `config` are added to the minimal ones, as the pages say.
fn values_errors(checks: &[(Block, Check)]) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let (mut errors, mut rendered) = (Vec::new(), 0);
    for (block, _) in checks.iter().filter(|(_, check)| matches!(check, Check::Values)) {
        let values = dir.path().join("values.yaml");
        fs::write(&values, &block.text).unwrap();
        match crate::helm::render_values(&values, !block.text.contains("\nconfig:")) {
            Ok(manifests) => {
                let name = block.place().replace(['/', ':'], "-");
                fs::create_dir_all(dir.path().join("rendered")).unwrap();
                fs::write(dir.path().join("rendered").join(format!("{name}.yaml")), manifests).unwrap();
                rendered += 1;
            }
            Err(error) => errors.push(format!("{}: {error}", block.place())),
        }
    }
    assert!(rendered > 5, "only {rendered} blocks of values");
    let (output, success) = crate::helm::render::validate(&dir.path().join("rendered"));
    errors.extend((!success).then_some(output));
    errors
}

fn validate_manifest(manifest: &str) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("block.yaml"), manifest).unwrap();
    let (output, success) = crate::helm::render::validate(dir.path());
    if success && output.starts_with("1 manifests, 0 errors") { Ok(()) } else { Err(output) }
}

/// Whether a command succeeds, and its output.
pub(crate) fn run(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.success(), text)
}

#[test]
fn block_without_a_check_and_row_without_a_block_are_reported_by_file_and_line() {
    let page = "text\n\n```sh\ntrue\n```\n\n- item\n\n  ```toml\n  [a]\n\n  b = 1\n  ```\n";
    let found = block::parse("docs/page.md", page);
    assert_eq!((found[1].language.as_str(), found[1].text.as_str()), ("toml", "[a]\n\nb = 1\n"));
    let unused = TABLE.iter().position(|row| row.page == "docs/scaling.md").unwrap();
    let (checks, errors) = checks(&found, &TABLE[unused..=unused]);
    assert!(matches!(&checks[..], [(_, Check::Shell)]));
    let line = TABLE[unused].line();
    assert!(include_str!("doc_blocks/table.rs").lines().nth(line - 1).unwrap().contains("row(\"docs/scaling.md\", "));
    assert_eq!(
        errors,
        [
            "docs/page.md:9: no check for this block of `toml`; add a row to tests/suite/doc_blocks/table.rs: [a]"
                .to_owned(),
            format!(
                "tests/suite/doc_blocks/table.rs:{line}: no block of docs/scaling.md begins with: {}",
                TABLE[unused].first_line
            ),
        ]
    );
}
