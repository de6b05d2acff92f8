//! Standard output and standard error: the only code that writes to them, apart from the log.

use std::cell::Cell;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd as _;

use comfy_table::{Table, presets};

use super::exit::Failure;
use super::stream::write_all;
use crate::core::sanitize::replace_unsafe;

/// Writes the requested output. A reader may close the pipe early (`| head`): that is not an error.
///
/// # Errors
/// If not everything was written.
pub(super) fn output(text: &str) -> Result<(), Failure> {
    written(write_to_stdout(&sanitize_terminal(text)))
}

/// [`output`] of a text whose parts are sanitized and which has colours.
pub(super) fn styled_output(text: &str) -> Result<(), Failure> {
    written(write_to_stdout(text))
}

/// The result of writing to standard output.
pub(super) fn written(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Output(error)),
        _ => Ok(()),
    }
}

fn write_to_stdout(text: &str) -> io::Result<()> {
    // Without the buffer of the standard library, in which an error could remain.
    let mut out = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    write_all(&mut out, &mut text.as_bytes())?;
    // Network file systems, and disks with quotas, report that they are full no earlier.
    if out.metadata()?.is_file() { out.sync_data() } else { Ok(()) }
}

/// Writes a message to standard error.
pub(super) fn note(message: impl Display) {
    drop(writeln!(io::stderr(), "{}", sanitize_terminal(&message.to_string())));
}

/// A provider's texts must not reach the terminal as commands.
pub(super) fn sanitize_terminal(text: &str) -> String {
    replace_unsafe(text, &['\n', '\t'])
}

/// A table without borders, for readers and for `cut`.
pub(super) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header.iter().copied());
    for row in rows {
        // A line break in a cell would start another row.
        table.add_row(row.iter().map(|cell| replace_unsafe(cell, &[])));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// A line on the terminal that is overwritten; nothing if standard error is not a terminal.
pub(super) struct Progress {
    verb: &'static str,
    done: Cell<usize>,
    total: usize,
}

impl Progress {
    pub(super) fn start(verb: &'static str, total: usize) -> Self {
        overwrite(&format!("0 of {total} sources {verb}"));
        Self { verb, done: Cell::new(0), total }
    }

    pub(super) fn step(&self) {
        self.done.update(|done| done + 1);
        overwrite(&format!("{} of {} sources {}", self.done.get(), self.total, self.verb));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        overwrite("");
    }
}

fn overwrite(line: &str) {
    let mut err = io::stderr().lock();
    if err.is_terminal() {
        drop(write!(err, "\r\x1b[K{line}").and_then(|()| err.flush()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sanitize_terminal_removes_control_characters() {
        assert_eq!(sanitize_terminal("a\tb\nc \u{1b}[2J\r\u{7}"), "a\tb\nc \u{fffd}[2J\u{fffd}\u{fffd}");
    }

    #[test]
    fn table_aligns_columns_and_keeps_one_line_per_row() {
        let table =
            table(&["NAME", "EXPIRY"], [vec!["ci".into(), "in 3 days".into()], vec!["deploy".into(), String::new()]]);
        assert_eq!(table, "NAME    EXPIRY\nci      in 3 days\ndeploy\n");
        let table = super::table(&["NAME"], [vec!["a\nb\u{1b}[2J\u{202e}".into()]]);
        assert_eq!(table, "NAME\na\u{fffd}b\u{fffd}[2J\u{fffd}\n");
    }
}
