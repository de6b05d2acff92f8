//! The command line: reads the flags, does one thing, and says by its exit code how that went.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | done |
//! | 1 | `list --fail-within`: a token ends, or has ended; `check --online`: a listing is refused; `health`: no life; `serve`: it broke down, or its storage path is in use |
//! | 2 | a mistake: in the flags, the configuration or a definition. `serve` and `check` tell the same |
//! | 3 | `list`: not everything could be had; what is printed is not all |

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

use crate::app::setup::{ConfigPaths, Setup};
use crate::app::{RunError, Shard};
use crate::core::clock::Clock;
use args::{Cli, Command, Files};

/// Does what the command line says.
pub async fn main() -> ExitCode {
    let Cli { command, serve, log } = Cli::parse();
    log::start(&log);
    process::keep_to_itself();
    let done = match command {
        None => serve::run(serve).await,
        Some(Command::Serve(args)) => serve::run(args).await,
        Some(Command::Check(args)) => check::run(args).await,
        Some(Command::List(args)) => list::run(args).await,
        Some(Command::Health(args)) => health::run(args).await,
        Some(Command::Demo(args)) => demo::run(args).await,
        Some(Command::Providers(args)) => providers::run(&args),
        Some(Command::Schema(args)) => schema::run(&args),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(fault) => {
            print::error(&fault);
            ExitCode::from(if let RunError::Diagnostics(_) = fault { 2 } else { 1 })
        }
    }
}

/// Reads the configuration and the definitions.
async fn load(files: Files, shard: Shard, clock: &Clock) -> Result<Setup, RunError> {
    let places = ConfigPaths { config: files.config, providers: files.providers };
    let clock = Clock::clone(clock);
    let loaded = tokio::task::spawn_blocking(move || Setup::load(&places, shard, &clock)).await;
    let loaded = loaded.map_err(|_| RunError::Internal("the loading of the configuration broke off".to_owned()))?;
    loaded.map_err(RunError::from)
}
