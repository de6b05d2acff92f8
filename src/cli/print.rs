//! Standard output and standard error: the only place that writes to them, apart from the log.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use comfy_table::{Table, presets};

use crate::core::sanitize::replace_unsafe;

/// Writes what was asked for. Whoever reads may stop early (`| head`): that is no fault.
pub(crate) fn output(text: &str) {
    let mut out = io::stdout().lock();
    drop(out.write_all(tame(text).as_bytes()).and_then(|()| out.flush()));
}

/// Writes a line, or several, beside what was asked for. A provider's words may be among them: none of them may reach the
/// terminal as a command.
pub(super) fn note(line: impl Display) {
    drop(writeln!(io::stderr(), "{}", tame(&line.to_string())));
}

fn tame(text: &str) -> String {
    replace_unsafe(text, &['\n', '\t'])
}

/// Writes why the program ends.
pub(super) fn error(why: &dyn Display) {
    note(why);
}

/// A table without lines, as people can read it and programs can cut it.
pub(super) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header.iter().copied());
    for row in rows {
        // A line end in a cell would begin another row.
        table.add_row(row.iter().map(|cell| replace_unsafe(cell, &[])));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// A line on a terminal that is written over again and again; nothing where nobody watches.
pub(super) struct Progress {
    shown: bool,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self { shown: io::stderr().is_terminal() }
    }

    pub(super) fn say(&self, line: &str) {
        if self.shown {
            let mut err = io::stderr().lock();
            drop(write!(err, "\r\x1b[K{line}").and_then(|()| err.flush()));
        }
    }

    pub(super) fn done(self) {
        self.say("");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_command_reaches_the_terminal() {
        assert_eq!(tame("a\tb\nc \u{1b}[2J\r\u{7}"), "a\tb\nc \u{fffd}[2J\u{fffd}\u{fffd}");
    }

    #[test]
    fn a_table() {
        let table =
            table(&["NAME", "ENDS"], [vec!["ci".into(), "in 3 days".into()], vec!["deploy".into(), String::new()]]);
        assert_eq!(table, "NAME    ENDS\nci      in 3 days\ndeploy\n");
        let table = super::table(&["NAME"], [vec!["a\nb\u{1b}[2J\u{202e}".into()]]);
        assert_eq!(table, "NAME\na\u{fffd}b\u{fffd}[2J\u{fffd}\n");
    }
}
