//! Exit codes: one table, from which the help, the manual page and the documentation are made.

use std::fmt::{self, Write as _};
use std::io;
use std::process::ExitCode;

use crate::app::RunError;
use crate::schema::diagnostic::{Diagnostic, Diagnostics};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    Success = 0,
    Failed = 1,
    Invalid = 2,
    Incomplete = 3,
    Unwritten = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        (exit as u8).into()
    }
}

/// What an exit code means for one command, or for all if its name is empty.
struct Meaning {
    exit: Exit,
    command: &'static str,
    text: &'static str,
}

const MEANINGS: &[Meaning] = &[
    Meaning { exit: Exit::Success, command: "", text: "success" },
    Meaning {
        exit: Exit::Failed,
        command: "serve",
        text: "the address or the storage path is in use, or the exporter failed while running",
    },
    Meaning { exit: Exit::Failed, command: "check", text: "with --online: a listing failed" },
    Meaning {
        exit: Exit::Failed,
        command: "list",
        text: "with --fail-within: a token in an alert band has expired or expires within the duration",
    },
    Meaning { exit: Exit::Failed, command: "explain", text: "no token matches, or several do" },
    Meaning {
        exit: Exit::Failed,
        command: "digest",
        text: "the exporter cannot be read, a mail was not accepted, or the state file is unusable",
    },
    Meaning { exit: Exit::Failed, command: "health", text: "no exporter responds, or it is unhealthy" },
    Meaning {
        exit: Exit::Failed,
        command: "demo",
        text: "the address is in use, or the exporter failed while running",
    },
    Meaning { exit: Exit::Invalid, command: "", text: "invalid flag, configuration, definition or credential file" },
    Meaning { exit: Exit::Incomplete, command: "list", text: "a source is incomplete: the output lacks tokens" },
    Meaning {
        exit: Exit::Incomplete,
        command: "explain",
        text: "no token matches, and a source is incomplete: it may be there",
    },
    Meaning {
        exit: Exit::Incomplete,
        command: "digest",
        text: "a source is incomplete, so mails may lack tokens; or tokens have no recipient",
    },
    Meaning { exit: Exit::Unwritten, command: "", text: "standard output cannot be written, such as to a full disk" },
];

/// The end of a command's help; of the program's, if the name is empty.
pub(super) fn help(command: &str) -> String {
    let mut text = "Exit codes:".to_owned();
    for Meaning { exit, command: of, text: meaning } in MEANINGS {
        let prefix = if command.is_empty() && !of.is_empty() { format!("{of}: ") } else { String::new() };
        if command.is_empty() || of.is_empty() || *of == command {
            let _ = write!(text, "\n  {}  {prefix}{meaning}", *exit as u8);
        }
    }
    text
}

/// The table of docs/stability.md.
#[cfg(test)]
pub(super) fn table() -> String {
    let mut text = "\n| exit code | command | meaning |\n|--:|---|---|\n".to_owned();
    for Meaning { exit, command, text: meaning } in MEANINGS {
        let command = if command.is_empty() { "all".to_owned() } else { format!("`{command}`") };
        let _ = writeln!(text, "| {} | {command} | {meaning} |", *exit as u8);
    }
    text + "\n"
}

#[cfg(test)]
pub(super) fn man_page_section() -> String {
    let mut text = ".SH EXIT STATUS\n".to_owned();
    for Meaning { exit, command, text: meaning } in MEANINGS {
        let command = if command.is_empty() { String::new() } else { format!("{command}: ") };
        let _ = writeln!(text, ".TP\n\\fB{}\\fR\n{command}{}", *exit as u8, meaning.replace('-', "\\-"));
    }
    text
}

/// Why a command failed.
#[derive(Debug)]
pub(super) enum Failure {
    Run(RunError),
    Output(io::Error),
}

impl Failure {
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Run(RunError::Diagnostics(_)) => Exit::Invalid,
            Self::Run(_) => Exit::Failed,
            Self::Output(_) => Exit::Unwritten,
        }
    }
}

impl<E: Into<RunError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Run(error.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(error) => error.fmt(to),
            Self::Output(error) => write!(to, "cannot write to standard output: {error}"),
        }
    }
}

/// An error in a flag or argument.
pub(super) fn invalid(flag: &str, message: impl Into<String>) -> Failure {
    Diagnostics::from(Diagnostic::in_file(flag, message)).into()
}
