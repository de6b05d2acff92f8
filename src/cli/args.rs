//! The command line: every flag, in the ecosystem's own habits.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::LazyLock;

use chrono::TimeDelta;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::app::{BUILD, Shard};
use crate::core::time::parse_duration;
use crate::pages::path::TelemetryPath;

/// `--version` says which commit it is, where whoever built it said so.
static VERSION: LazyLock<String> = LazyLock::new(|| match BUILD.revision {
    "" => BUILD.version.to_owned(),
    revision => format!("{} ({revision})", BUILD.version),
});

/// Asks every place where API tokens live when they expire, and tells Prometheus.
#[derive(Debug, Parser)]
#[command(name = "token-expiry-exporter", version = VERSION.as_str(), args_conflicts_with_subcommands = true)]
pub(super) struct Cli {
    /// What to do; without it: serve.
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    /// Flags of `serve`.
    #[command(flatten)]
    pub(super) serve: ServeArgs,
    /// What is logged.
    #[command(flatten)]
    pub(super) log: LogArgs,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Collect in the background and serve metrics, the status page and the calendar (the default)
    Serve(ServeArgs),
    /// Check the configuration and the definitions, offline; with --online ask each provider too
    Check(CheckArgs),
    /// Collect once and print every token
    List(ListArgs),
    /// Show the providers that the program knows, or what one of them needs
    Providers(ProvidersArgs),
    /// Print a JSON Schema of the configuration, for editors
    Schema(SchemaArgs),
    /// Ask a running exporter whether it lives; exits with 0 if it does, with 1 if not
    Health(HealthArgs),
    /// Watch an invented company: the real exporter over HTTP, no account and no configuration needed
    Demo(DemoArgs),
}

/// What is logged, and how. Everything goes to standard error.
#[derive(Clone, Debug, Args)]
pub(super) struct LogArgs {
    /// The least important messages that are logged
    #[arg(long = "log.level", value_name = "LEVEL", default_value = "info", global = true)]
    pub(super) level: Level,
    /// How messages are written
    #[arg(long = "log.format", value_name = "FORMAT", default_value = "logfmt", global = true)]
    pub(super) format: LogFormat,
}

/// The least important messages that are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Level {
    /// Everything.
    Debug,
    /// One line a collection, and all below.
    Info,
    /// What needs attention.
    Warn,
    /// What has failed.
    Error,
}

/// How messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// Pairs of key and value.
    Logfmt,
    /// One JSON object a line.
    Json,
}

/// Where the configuration and further definitions are.
#[derive(Clone, Debug, Args)]
pub(super) struct Files {
    /// The configuration
    #[arg(long = "config.file", value_name = "FILE", default_value = "token-expiry-exporter.yaml")]
    pub(super) config: PathBuf,
    /// Further provider definitions (*.yaml)
    #[arg(long = "providers.dir", value_name = "FOLDER")]
    pub(super) providers: Option<PathBuf>,
}

/// Flags of `serve`.
#[derive(Clone, Debug, Args)]
pub(super) struct ServeArgs {
    /// Where the configuration is.
    #[command(flatten)]
    pub(super) files: Files,
    /// The folder in which the inventory is kept over a restart; it holds no secret. Without it, it is not kept
    #[arg(long = "storage.path", value_name = "FOLDER")]
    pub(super) storage: Option<PathBuf>,
    /// How it is served.
    #[command(flatten)]
    pub(super) web: WebArgs,
    /// Collect only a part of the sources: the I-th of N instances, such as 1/3; or the part of a pod of a StatefulSet, by its
    /// name, such as exporter-0/3
    #[arg(long = "shard", value_name = "I/N", default_value = "1/1")]
    pub(super) shard: Shard,
}

/// How metrics and pages are served.
#[derive(Clone, Debug, Args)]
pub(super) struct WebArgs {
    /// The address to listen at, such as :10984 or 127.0.0.1:10984; may be given several times
    #[arg(long = "web.listen-address", value_name = "ADDRESS", default_value = ":10984")]
    pub(super) listen: Vec<ListenAddress>,
    /// A further address that answers /-/healthy and /-/ready alone, without TLS and users: for probes at a guarded door
    #[arg(long = "web.probe-listen-address", value_name = "ADDRESS")]
    pub(super) probes: Option<ListenAddress>,
    /// The path of the metrics
    #[arg(long = "web.telemetry-path", value_name = "PATH", default_value = "/metrics")]
    pub(super) telemetry_path: TelemetryPath,
    /// TLS, client certificates and users, in the exporter-toolkit's format
    #[arg(long = "web.config.file", value_name = "FILE")]
    pub(super) guard: Option<PathBuf>,
    /// Allow a reload by POST /-/reload
    #[arg(long = "web.enable-lifecycle")]
    pub(super) lifecycle: bool,
}

/// Flags of `check`.
#[derive(Clone, Debug, Args)]
pub(super) struct CheckArgs {
    /// Where the configuration is.
    #[command(flatten)]
    pub(super) files: Files,
    /// Ask each provider for the first page of each listing, and name the permission that is missing
    #[arg(long)]
    pub(super) online: bool,
}

/// Flags of `list`.
#[derive(Clone, Debug, Args)]
pub(super) struct ListArgs {
    /// Where the configuration is.
    #[command(flatten)]
    pub(super) files: Files,
    /// Only these sources
    #[arg(long = "source", value_name = "NAME")]
    pub(super) sources: Vec<String>,
    /// How the tokens are printed
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(super) output: Output,
    /// Exit with 1 if an active token ends within this time, or has ended: 7d, 12h
    #[arg(long = "fail-within", value_name = "TIME", value_parser = span)]
    pub(super) fail_within: Option<TimeDelta>,
}

/// How tokens are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// For people.
    Table,
    /// As `/api/v1/tokens` has it.
    Json,
    /// For a spreadsheet.
    Csv,
    /// As `/metrics` has it.
    Prom,
}

/// Flags of `providers`.
#[derive(Clone, Debug, Args)]
pub(super) struct ProvidersArgs {
    /// The provider, or an alias of it; without it: all of them
    pub(super) name: Option<String>,
    /// Further provider definitions (*.yaml)
    #[arg(long = "providers.dir", value_name = "FOLDER")]
    pub(super) providers: Option<PathBuf>,
}

/// Flags of `schema`.
#[derive(Clone, Debug, Args)]
pub(super) struct SchemaArgs {
    /// Print the schema of provider definitions instead of the configuration's
    #[arg(long)]
    pub(super) definitions: bool,
    /// Further provider definitions (*.yaml)
    #[arg(long = "providers.dir", value_name = "FOLDER")]
    pub(super) providers: Option<PathBuf>,
}

/// Flags of `health`.
#[derive(Clone, Debug, Args)]
pub(super) struct HealthArgs {
    /// Where the exporter listens, on this machine: the door or the one for probes
    #[arg(value_name = "ADDRESS", default_value = "127.0.0.1:10984")]
    pub(super) address: SocketAddr,
}

/// Flags of `demo`.
#[derive(Clone, Debug, Args)]
pub(super) struct DemoArgs {
    /// Address to listen on
    #[arg(long = "web.listen-address", value_name = "ADDRESS", default_value = "127.0.0.1:10984")]
    pub(super) listen: ListenAddress,
    /// Address of the control endpoint, which changes the organisation; port 0: any free port
    #[arg(long = "control.listen-address", value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(super) control: ListenAddress,
    /// Approximate number of tokens; default: a few hundred
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    pub(super) tokens: Option<u32>,
    /// Collection interval
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) interval: u32,
    /// Print the demo's configuration and exit
    #[arg(long)]
    pub(super) print_config: bool,
    /// Print the expected metric values as JSON and exit
    #[arg(long, conflicts_with = "print_config")]
    pub(super) expect: bool,
}

/// An address to listen at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListenAddress {
    /// A port at every address of the machine: `:10984`.
    Every(u16),
    /// One address.
    One(SocketAddr),
}

impl ListenAddress {
    /// One address that stands for it.
    pub(super) fn socket(self) -> SocketAddr {
        match self {
            Self::Every(port) => (Ipv6Addr::UNSPECIFIED, port).into(),
            Self::One(address) => address,
        }
    }
}

impl std::str::FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = match text.strip_prefix(':') {
            Some(port) => port.parse().ok().map(Self::Every),
            None => text.replacen("localhost:", "127.0.0.1:", 1).parse().ok().map(Self::One),
        };
        parsed.ok_or_else(|| "an address is written 127.0.0.1:10984, [::1]:10984 or :10984".to_owned())
    }
}

fn span(text: &str) -> Result<TimeDelta, String> {
    parse_duration(text).ok_or_else(|| "a time is written 7d, 12h or 1d12h".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_flags_are_in_order() {
        Cli::command().debug_assert();
    }

    #[test]
    fn serve_is_what_it_does_without_a_word() {
        for line in [
            &["x", "--config.file", "a.yaml", "--log.level=debug"][..],
            &["x", "serve", "--config.file=a.yaml", "--log.level", "debug"],
        ] {
            let cli = Cli::try_parse_from(line).unwrap();
            let serve = match cli.command {
                None => cli.serve,
                Some(Command::Serve(args)) => args,
                Some(other) => panic!("{other:?}"),
            };
            assert_eq!(serve.files.config, PathBuf::from("a.yaml"), "{line:?}");
            assert_eq!(cli.log.level, Level::Debug, "{line:?}");
        }
    }

    #[test]
    fn addresses() {
        let one = |address: &str| Some(ListenAddress::One(address.parse().unwrap()));
        for (text, expected) in [
            ("127.0.0.1:10984", one("127.0.0.1:10984")),
            (":10984", Some(ListenAddress::Every(10_984))),
            ("localhost:1", one("127.0.0.1:1")),
            ("[::1]:10984", one("[::1]:10984")),
            (":65536", None),
            ("10984", None),
            ("example.com:1", None),
        ] {
            assert_eq!(text.parse::<ListenAddress>().ok(), expected, "{text}");
        }
    }
}
