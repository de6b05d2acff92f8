//! The manual page and the completions of shells, which packages install. They are written by `make golden`, and held here
//! to what the program really takes.

use std::fs;
use std::path::Path;

use clap::{Command, CommandFactory as _};
use clap_complete::{Shell, generate};

use super::args::Cli;

const NAME: &str = "token-expiry-exporter";

/// Compares with a file of the repository. With `UPDATE_GOLDEN=1` the file is written instead.
fn compare(file: &str, text: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(file);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
    }
    let golden = fs::read(&path).unwrap_or_default();
    assert!(
        golden == text,
        "packaging/{file} is not what the flags say; see the difference with UPDATE_GOLDEN=1 and git diff"
    );
}

/// The same in every terminal, of every build.
fn command() -> Command {
    Cli::command().version(env!("CARGO_PKG_VERSION"))
}

#[test]
fn the_manual_page_is_that_of_the_flags() {
    let mut page = Vec::new();
    let manual = clap_mangen::Man::new(command()).section("1").manual("token-expiry-exporter");
    manual.render_title(&mut page).unwrap();
    manual.render_name_section(&mut page).unwrap();
    manual.render_synopsis_section(&mut page).unwrap();
    manual.render_description_section(&mut page).unwrap();
    manual.render_options_section(&mut page).unwrap();
    // One page for all commands: people look for a flag, not for a page.
    for command in command().get_subcommands().filter(|command| command.get_name() != "help") {
        let name = command.get_name();
        page.extend(format!(".SH {}\n{}\n", name.to_uppercase(), command.get_about().unwrap()).bytes());
        let manual = clap_mangen::Man::new(command.clone());
        let mut options = Vec::new();
        manual.render_options_section(&mut options).unwrap();
        page.extend(String::from_utf8(options).unwrap().replace(".SH OPTIONS\n", "").bytes());
    }
    compare(&format!("man/{NAME}.1"), &page);
}

#[test]
fn the_completions_are_those_of_the_flags() {
    for (shell, file) in
        [(Shell::Bash, format!("{NAME}.bash")), (Shell::Zsh, format!("_{NAME}")), (Shell::Fish, format!("{NAME}.fish"))]
    {
        let mut script = Vec::new();
        generate(shell, &mut command(), NAME, &mut script);
        compare(&format!("completions/{file}"), &script);
    }
}
