//! The man page and the shell completions, which packages install. `make golden` writes them; the tests here compare them with
//! the flags.

use std::fs;
use std::path::Path;

use clap::{Command, CommandFactory as _};
use clap_complete::{Shell, generate};
use clap_mangen::Man;

use super::args::Cli;

const NAME: &str = "token-expiry-exporter";

/// Compares with a file of the repository, or writes it with `UPDATE_GOLDEN=1`.
fn compare(file: &str, text: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(file);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
    }
    let golden = fs::read(&path).unwrap_or_default();
    assert!(golden == text, "packaging/{file} is out of date; update it with UPDATE_GOLDEN=1");
}

/// The same for every build: without the commit.
fn command() -> Command {
    Cli::command().version(env!("CARGO_PKG_VERSION"))
}

#[test]
fn man_page_is_up_to_date() {
    let mut page = Vec::new();
    let man = Man::new(command()).section("1").manual(NAME);
    man.render_title(&mut page).unwrap();
    man.render_name_section(&mut page).unwrap();
    man.render_synopsis_section(&mut page).unwrap();
    man.render_description_section(&mut page).unwrap();
    man.render_options_section(&mut page).unwrap();
    // One page for all subcommands: readers search for a flag, not for a page.
    for command in command().get_subcommands().filter(|command| command.get_name() != "help") {
        let name = command.get_name();
        page.extend(format!(".SH {}\n{}\n", name.to_uppercase(), command.get_about().unwrap()).bytes());
        let mut options = Vec::new();
        Man::new(command.clone()).render_options_section(&mut options).unwrap();
        page.extend(String::from_utf8(options).unwrap().replace(".SH OPTIONS\n", "").bytes());
    }
    compare(&format!("man/{NAME}.1"), &page);
}

#[test]
fn completions_are_up_to_date() {
    for (shell, file) in
        [(Shell::Bash, format!("{NAME}.bash")), (Shell::Zsh, format!("_{NAME}")), (Shell::Fish, format!("{NAME}.fish"))]
    {
        let mut script = Vec::new();
        generate(shell, &mut command(), NAME, &mut script);
        compare(&format!("completions/{file}"), &script);
    }
}
