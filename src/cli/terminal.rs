//! What the terminal at standard output can show.

use std::env;
use std::io::{self, IsTerminal as _};

use super::args::ColorChoice;

/// The width that is assumed of a terminal that does not say.
const DEFAULT_WIDTH: usize = 80;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terminal {
    /// In columns; `None` if standard output is a file or a pipe, whose lines are never cut.
    pub(super) width: Option<usize>,
    pub(super) colored: bool,
}

impl Terminal {
    pub(super) fn of_stdout(choice: ColorChoice) -> Self {
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        let set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        let reported = rustix::termios::tcgetwinsize(&stdout).ok().map(|size| usize::from(size.ws_col));
        let width = reported.filter(|width| *width > 0).unwrap_or(DEFAULT_WIDTH);
        Self { width: is_terminal.then_some(width), colored: is_colored(choice, is_terminal && !dumb, set("NO_COLOR")) }
    }
}

/// A request for colours comes before `NO_COLOR` (<https://no-color.org>), which comes before the terminal.
fn is_colored(choice: ColorChoice, is_capable: bool, no_color: bool) -> bool {
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => is_capable && !no_color,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_need_a_capable_terminal_or_a_request() {
        for (choice, is_capable, no_color, expected) in [
            (ColorChoice::Auto, true, false, true),
            (ColorChoice::Auto, true, true, false),
            (ColorChoice::Auto, false, false, false),
            (ColorChoice::Always, false, true, true),
            (ColorChoice::Never, true, false, false),
        ] {
            assert_eq!(is_colored(choice, is_capable, no_color), expected, "{choice:?} {is_capable} {no_color}");
        }
    }
}
