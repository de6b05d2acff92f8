//! The command line: reads the flags and runs one subcommand.
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | success |
//! | 1 | `list --fail-within`: a token has expired or expires within the time; `check --online`: a listing failed; `health`: unhealthy; `serve`: failed while running, or the storage path is in use |
//! | 2 | invalid flags, configuration or definition; `serve` and `check` report the same errors |
//! | 3 | `list`: incomplete, the output lacks tokens |

mod args;
mod check;
mod demo;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod generated_docs;
mod health;
mod list;
mod log;
mod print;
mod process;
mod providers;
mod schema;
mod serve;

use std::process::ExitCode;

use clap::Parser;

use crate::app::RunError;
use args::{Cli, Command};

/// Runs what the command line requests.
pub async fn main() -> ExitCode {
    let Cli { command, serve, log } = Cli::parse();
    log::start(&log);
    process::protect();
    let result = match command.unwrap_or(Command::Serve(serve)) {
        Command::Serve(args) => serve::run(args).await,
        Command::Check(args) => check::run(args).await,
        Command::List(args) => list::run(args).await,
        Command::Health(args) => health::run(args).await,
        Command::Demo(args) => demo::run(args).await,
        Command::Providers(args) => providers::run(&args),
        Command::Schema(args) => schema::run(&args),
    };
    let code = result.unwrap_or_else(|error| {
        print::note(&error);
        if let RunError::Diagnostics(_) = error { 2 } else { 1 }
    });
    code.into()
}
