//! The completions in real shells. fish and zsh are tested where they are installed, and always in CI.

use std::path::{Path, PathBuf};
use std::process::Command;

const NAME: &str = "token-expiry-exporter";

/// Command lines up to the cursor, some completions that the shell must offer, and some that it must not.
const LINES: &[(&str, &[&str], &[&str])] = &[
    ("token-expiry-exporter ", &["check", "demo", "health", "list", "providers", "schema", "serve"], &["definitions"]),
    ("token-expiry-exporter ch", &["check"], &["demo", "list"]),
    ("token-expiry-exporter --storage", &["--storage.path"], &["--online"]),
    (
        "token-expiry-exporter list --",
        &["--config.file", "--source", "--output", "--fail-within", "--all"],
        &["--online"],
    ),
    ("token-expiry-exporter list --output ", &["table", "json", "csv", "prom"], &["--source"]),
    ("token-expiry-exporter check --", &["--config.file", "--online", "--web.config.file"], &["--fail-within"]),
    ("token-expiry-exporter demo --", &["--tokens", "--print-config"], &["--online"]),
    ("token-expiry-exporter --log.level ", &["debug", "info", "warn", "error"], &["check"]),
    ("token-expiry-exporter --log.level debug ", &["check", "serve"], &["info"]),
    ("token-expiry-exporter --log.level debug list --o", &["--output"], &["--online"]),
    ("token-expiry-exporter schema --d", &["--definitions"], &["--definitely"]),
];

fn script(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/completions").join(file)
}

/// Whether a shell is there. It must be in CI.
fn is_installed(shell: &str) -> bool {
    let found = Command::new(shell).arg("--version").output().is_ok_and(|output| output.status.success());
    assert!(found || std::env::var_os("CI").is_none(), "{shell} is not installed");
    if !found {
        eprintln!("skipped: {shell} is not installed");
    }
    found
}

fn run(command: &mut Command) -> String {
    let output = command.env("PATH", std::env::var_os("PATH").unwrap()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success() && output.stderr.is_empty(), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

fn assert_offers(shell: &str, complete: impl Fn(&str) -> String) {
    for (line, expected, unexpected) in LINES {
        let offered = complete(line);
        let words: Vec<&str> = offered.split_whitespace().collect();
        for word in *expected {
            assert!(words.contains(word), "{shell}: {line:?} lacks {word}: {offered}");
        }
        for word in *unexpected {
            assert!(!words.contains(word), "{shell}: {line:?} has {word}: {offered}");
        }
    }
}

/// Calls the function as bash does, and prints what it offers.
const BASH: &str = r#"
source "$1"
read -ra COMP_WORDS <<<"$2"
case $2 in *' ') COMP_WORDS+=("") ;; esac
COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_LINE=$2 COMP_POINT=${#2}
rule=$(complete -p token-expiry-exporter)
[[ $rule =~ -F\ ([^ ]+) ]]
"${BASH_REMATCH[1]}" "${COMP_WORDS[0]}" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
"#;

#[test]
fn bash_completes_commands_flags_and_values() {
    let script = script(&format!("{NAME}.bash"));
    assert_offers("bash", |line| run(Command::new("bash").args(["--norc", "-c", BASH, "bash"]).arg(&script).arg(line)));
    assert_offers("bash, with a path", |line| {
        let line = format!("/usr/bin/{line}");
        run(Command::new("bash").args(["--norc", "-c", BASH, "bash"]).arg(&script).arg(line))
    });
}

#[test]
fn fish_completes_commands_flags_and_values() {
    if !is_installed("fish") {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let script = script(&format!("{NAME}.fish"));
    let complete = "source $argv[1]; complete -C $argv[2]";
    assert_offers("fish", |line| {
        let mut fish = Command::new("fish");
        let offered = run(fish.args(["--no-config", "-c", complete]).arg(&script).arg(line).env("HOME", home.path()));
        // Each with its description, after a tab.
        offered.lines().map(|line| format!("{}\n", line.split('\t').next().unwrap())).collect()
    });
}

/// Completion works only in an interactive zsh: types the line and two tabs into one, and prints the screen, without its
/// control sequences, and the completed line.
const ZSH: &str = r#"
zmodload zsh/zpty
expect() { # reads until the pattern, for at most 20 s
  local text part
  for _ in {1..2000}; do
    while zpty -r -t shell part; do text+=$part; done
    [[ $text == *$~1* ]] && { print -r -- "$text"; return }
    sleep 0.01
  done
  print -r -- "$text"
}
zpty shell zsh -f -i
zpty -w shell "stty columns 400 rows 500; unset zle_bracketed_paste; fpath=($1 \$fpath); autoload -Uz compinit; compinit -u -D; LISTMAX=1000; setopt no_beep no_auto_menu; zstyle ':completion:*' verbose no; finish() { zle -I; print -r -- \$BUFFER D''ONE }; zle -N finish; bindkey '^X' finish; PROMPT=; print R''EADY"
expect '*READY*' >/dev/null
zpty -w -n shell "$2"$'\t\t\x18'
expect '*DONE*' | sed $'s/\x1b\\[[0-9;?]*[a-zA-Z]/ /g; s/[\r\x08]/ /g'
zpty -d shell
"#;

#[test]
fn zsh_completes_commands_flags_and_values() {
    if !is_installed("zsh") {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let directory = script("");
    assert_offers("zsh", |line| {
        run(Command::new("zsh").args(["-f", "-c", ZSH, "zsh"]).arg(&directory).arg(line).env("HOME", home.path()))
    });
}
