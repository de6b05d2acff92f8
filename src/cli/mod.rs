//! The command line: reads the flags and runs one subcommand. [`exit`] has the exit codes.

mod args;
mod calendar_url;
mod check;
mod columns;
mod demo;
mod digest;
mod digest_args;
mod exit;
mod explain;
mod filter_args;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod generated_docs;
mod health;
mod list;
mod log;
mod print;
mod process;
mod providers;
mod report;
mod schema;
mod serve;
mod stream;
mod terminal;
mod validate;

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use tokio::runtime::Runtime;

use args::{Cli, Command};
use exit::Exit;

/// How long the end of an exporter waits for a log that nobody reads. Other commands wait as long as it takes.
const LOG_FLUSH: Duration = Duration::from_secs(2);

/// Runs what the command line requests, on a runtime of its own.
pub fn run() -> ExitCode {
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            print::note(format!("cannot start: {error}"));
            return Exit::Failed.into();
        }
    };
    let exit = runtime.block_on(main());
    // Does not wait for the restoration of an inventory that a signal interrupted: it only reads.
    runtime.shutdown_background();
    exit
}

async fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => error.exit(),
        Err(help) => return help_or_version(&help).into(),
    };
    let log = match log::start(&cli.log) {
        Ok(log) => log,
        Err(error) => {
            print::note(format!("cannot start the log: {error}"));
            return Exit::Failed.into();
        }
    };
    process::protect(log.clone());
    process::survive_file_size_limit();
    let lost_log_lines = log.lost();
    let command = cli.command.unwrap_or_else(|| Command::Serve(Box::new(cli.serve)));
    let flush = if matches!(command, Command::Serve(_) | Command::Demo(_)) { LOG_FLUSH } else { Duration::MAX };
    let result = match command {
        Command::Serve(args) => serve::run(*args, lost_log_lines).await,
        Command::Check(args) => check::run(args).await,
        Command::List(args) => list::run(*args).await,
        Command::Explain(args) => explain::run(args).await,
        Command::CalendarUrl(args) => calendar_url::run(&args),
        Command::Digest(args) => digest::run(*args).await,
        Command::Health(args) => health::run(args).await,
        Command::Demo(args) => demo::run(args, lost_log_lines).await,
        Command::Providers(args) => providers::run(&args),
        Command::Schema(args) => schema::run(&args),
    };
    let exit = result.unwrap_or_else(|failure| {
        // Through the log, whose lines come before it, and which cannot stop the end of the process.
        log.line(format!("{}\n", print::sanitize_terminal(&failure.to_string())));
        failure.exit()
    });
    log.flush(flush);
    exit.into()
}

/// Prints the help or the version, which the parser returns as an error.
fn help_or_version(text: &clap::Error) -> Exit {
    let written = print::written(text.print().and_then(|()| io::stdout().flush()));
    written.map_or_else(
        |failure| {
            print::note(&failure);
            failure.exit()
        },
        |()| Exit::Success,
    )
}
