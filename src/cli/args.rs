//! The command line's flags, named as those of Prometheus and its exporters.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use chrono::TimeDelta;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, Parser, Subcommand, ValueEnum};
use tracing::Level;

use super::digest_args::DigestArgs;
use super::exit;
use super::filter_args::{FilterArgs, OrderArgs};
use crate::app::setup::ConfigPaths;
use crate::app::{BUILD, Shard, WhenLost};
use crate::core::time::parse_duration;
use crate::exposition::external_url::ExternalUrl;
use crate::pages::path::{RoutePrefix, TelemetryPath};
use crate::storage::bucket::Location;

/// With the commit, if the builder set it.
static VERSION: LazyLock<String> = LazyLock::new(|| match BUILD.revision {
    "" => BUILD.version.to_owned(),
    revision => format!("{} ({revision})", BUILD.version),
});

/// Prometheus exporter for API token expiry.
#[derive(Debug, Parser)]
#[command(name = "token-expiry-exporter", version = VERSION.as_str(), args_conflicts_with_subcommands = true,
    after_help = exit::help(""))]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) serve: ServeArgs,
    #[command(flatten)]
    pub(super) log: LogArgs,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Collect in the background and serve metrics, the status page and the calendar (the default)
    #[command(after_help = exit::help("serve"))]
    Serve(Box<ServeArgs>),
    /// Validate the configuration, definitions and web configuration; with --online, also query each provider
    #[command(after_help = exit::help("check"))]
    Check(CheckArgs),
    /// Collect once and print every token
    #[command(after_help = exit::help("list"))]
    List(Box<ListArgs>),
    /// Collect once and explain one token: where it comes from, what each rule did, when it alerts and whom
    #[command(after_help = exit::help("explain"))]
    Explain(ExplainArgs),
    /// List known providers, or describe one
    #[command(after_help = exit::help("providers"))]
    Providers(ProvidersArgs),
    /// Print a JSON Schema of the configuration, for editors
    #[command(after_help = exit::help("schema"))]
    Schema(SchemaArgs),
    /// Mail owners or teams which of their tokens to renew this week, as a running exporter knows them
    #[command(after_help = exit::help("digest"))]
    Digest(Box<DigestArgs>),
    /// Print the URL of a calendar, with the key that opens it without a login
    #[command(after_help = exit::help("calendar-url"))]
    CalendarUrl(Box<CalendarUrlArgs>),
    /// Check that an exporter is running
    #[command(after_help = exit::help("health"))]
    Health(HealthArgs),
    /// Run against a simulated organisation; needs no account or configuration
    #[command(after_help = exit::help("demo"))]
    Demo(DemoArgs),
}

/// The log goes to standard error.
#[derive(Clone, Debug, Args)]
pub(super) struct LogArgs {
    /// Minimum log level
    #[arg(long = "log.level", value_name = "LEVEL", default_value = "info", global = true,
        value_parser = PossibleValuesParser::new(["debug", "info", "warn", "error"]).try_map(|level| level.parse::<Level>()))]
    pub(super) level: Level,
    /// Log format
    #[arg(long = "log.format", value_name = "FORMAT", default_value = "logfmt", global = true)]
    pub(super) format: LogFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// key=value pairs
    Logfmt,
    /// One JSON object per line
    Json,
}

/// The default of `--config.file`.
pub(super) const CONFIG_FILE: &str = "token-expiry-exporter.yaml";

#[derive(Clone, Debug, Args)]
pub(super) struct Files {
    /// Configuration file
    #[arg(long = "config.file", value_name = "FILE", default_value = CONFIG_FILE)]
    pub(super) config: PathBuf,
    /// Directory of additional provider definitions (*.yaml)
    #[arg(long = "providers.dir", value_name = "DIR")]
    pub(super) providers: Option<PathBuf>,
}

impl From<Files> for ConfigPaths {
    fn from(Files { config, providers }: Files) -> Self {
        Self { config, providers }
    }
}

#[derive(Clone, Debug, Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    pub(super) files: Files,
    /// Directory for the persisted inventory (contains no secrets); unset: not persisted
    #[arg(long = "storage.path", value_name = "DIR")]
    pub(super) storage: Option<PathBuf>,
    /// Store that replicas share, instead of --storage.path: s3://BUCKET/PREFIX, az://CONTAINER/PREFIX or gs://BUCKET/PREFIX;
    /// its credentials are environment variables
    #[arg(long = "storage.url", value_name = "URL", conflicts_with_all = ["storage", "shard"])]
    pub(super) storage_url: Option<Location>,
    /// Name of this installation: replicas with another name refuse the store, so that two installations never share a prefix
    #[arg(long = "storage.installation", value_name = "NAME", default_value = "default", requires = "storage_url",
        value_parser = installation)]
    pub(super) installation: String,
    /// While the shared store is lost
    #[arg(long = "storage.when-lost", value_name = "ACTION", default_value = "collect", requires = "storage_url")]
    pub(super) when_lost: WhenLostArg,
    /// Interval at which the shared store is read; a failed replica is replaced after 5.5 of it
    #[arg(long = "storage.poll", value_name = "TIME", default_value = "10s", requires = "storage_url", hide = true,
        value_parser = poll)]
    pub(super) poll: Duration,
    #[command(flatten)]
    pub(super) web: WebArgs,
    /// Collect only shard I of N, such as 1/3; in a StatefulSet POD/N, such as exporter-0/3
    #[arg(long = "shard", value_name = "I/N", default_value = "1/1")]
    pub(super) shard: Shard,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum WhenLostArg {
    /// Go on collecting
    Collect,
    /// Collect nothing
    Hold,
}

impl From<WhenLostArg> for WhenLost {
    fn from(action: WhenLostArg) -> Self {
        match action {
            WhenLostArg::Collect => Self::Collect,
            WhenLostArg::Hold => Self::Hold,
        }
    }
}

#[derive(Clone, Debug, Args)]
pub(super) struct WebArgs {
    /// Address to listen on, such as :10984 or 127.0.0.1:10984; repeatable
    #[arg(long = "web.listen-address", value_name = "ADDRESS", default_value = ":10984", value_parser = listen_address)]
    pub(super) listen: Vec<SocketAddr>,
    /// Separate address for /-/healthy and /-/ready only, without TLS or authentication
    #[arg(long = "web.probe-listen-address", value_name = "ADDRESS", value_parser = listen_address)]
    pub(super) probe: Option<SocketAddr>,
    /// Path of the metrics
    #[arg(long = "web.telemetry-path", value_name = "PATH", default_value = "/metrics")]
    pub(super) telemetry_path: TelemetryPath,
    /// URL at which people reach the exporter, for links in alerts and mails; its path is the default of --web.route-prefix
    #[arg(long = "web.external-url", value_name = "URL")]
    pub(super) external_url: Option<ExternalUrl>,
    /// Prefix of all paths, which also work without it
    #[arg(long = "web.route-prefix", value_name = "PATH")]
    pub(super) route_prefix: Option<RoutePrefix>,
    /// Web configuration file (exporter-toolkit format): TLS, client certificates, users
    #[arg(long = "web.config.file", value_name = "FILE")]
    pub(super) web_config: Option<PathBuf>,
    /// File with a secret of at least 32 bytes: the key of a calendar's URL replaces the login; see `calendar-url`
    #[arg(long = "web.calendar-key-file", value_name = "FILE")]
    pub(super) calendar_key: Option<PathBuf>,
    /// Enable POST /-/reload
    #[arg(long = "web.enable-lifecycle")]
    pub(super) lifecycle: bool,
}

#[derive(Clone, Debug, Args)]
pub(super) struct CheckArgs {
    /// Configuration file [default: token-expiry-exporter.yaml, unless only other files are given]
    #[arg(long = "config.file", value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Directory of additional provider definitions (*.yaml)
    #[arg(long = "providers.dir", value_name = "DIR")]
    pub(super) providers: Option<PathBuf>,
    /// Web configuration file to validate too
    #[arg(long = "web.config.file", value_name = "FILE")]
    pub(super) web_config: Option<PathBuf>,
    /// Collect a sample of each listing: report what its definition did, and missing permissions
    #[arg(long)]
    pub(super) online: bool,
}

#[derive(Clone, Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    pub(super) files: Files,
    /// Collect only this source; repeatable
    #[arg(long = "source", value_name = "NAME")]
    pub(super) sources: Vec<String>,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(super) output: Output,
    /// Colours in the table; NO_COLOR switches them off
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(super) color: ColorChoice,
    /// Exit with 1 if a token in an alert band has expired or expires within this duration, such as 7d
    #[arg(long = "fail-within", value_name = "TIME", value_parser = duration)]
    pub(super) fail_within: Option<TimeDelta>,
    /// With --fail-within: also tokens in no alert band, by time alone
    #[arg(long, requires = "fail_within")]
    pub(super) all: bool,
    #[command(flatten)]
    pub(super) order: OrderArgs,
    #[command(flatten)]
    pub(super) filter: FilterArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// Aligned columns, for a terminal
    Table,
    /// As /api/v1/tokens
    Json,
    /// For a spreadsheet
    Csv,
    /// As /metrics
    Prom,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ColorChoice {
    /// On a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[derive(Clone, Debug, Args)]
pub(super) struct ExplainArgs {
    #[command(flatten)]
    pub(super) files: Files,
    /// The token: its id, its name, or SOURCE/ID
    pub(super) token: String,
    /// Collect only this source; repeatable
    #[arg(long = "source", value_name = "NAME")]
    pub(super) sources: Vec<String>,
    /// Colours; NO_COLOR switches them off
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(super) color: ColorChoice,
}

#[derive(Clone, Debug, Args)]
pub(super) struct ProvidersArgs {
    /// Provider name or alias; default: all
    pub(super) name: Option<String>,
    /// Directory of additional provider definitions (*.yaml)
    #[arg(long = "providers.dir", value_name = "DIR")]
    pub(super) providers: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(super) struct SchemaArgs {
    /// Print the schema of provider definitions instead
    #[arg(long)]
    pub(super) definitions: bool,
    /// Directory of additional provider definitions (*.yaml)
    #[arg(long = "providers.dir", value_name = "DIR")]
    pub(super) providers: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(super) struct CalendarUrlArgs {
    /// File with the secret, as for `serve`
    #[arg(long = "web.calendar-key-file", value_name = "FILE")]
    pub(super) key_file: PathBuf,
    /// URL at which readers reach the exporter, with its path behind a proxy
    #[arg(long = "web.external-url", value_name = "URL")]
    pub(super) url: ExternalUrl,
    /// Only this source
    #[arg(long = "source", value_name = "NAME")]
    pub(super) sources: Vec<String>,
    #[command(flatten)]
    pub(super) filter: FilterArgs,
}

#[derive(Clone, Debug, Args)]
pub(super) struct HealthArgs {
    /// Local address of the main or probe listener
    #[arg(value_name = "ADDRESS", default_value = "127.0.0.1:10984")]
    pub(super) address: SocketAddr,
}

#[derive(Clone, Debug, Args)]
pub(super) struct DemoArgs {
    /// Address to listen on
    #[arg(long = "web.listen-address", value_name = "ADDRESS", default_value = "127.0.0.1:10984",
        value_parser = listen_address)]
    pub(super) listen: SocketAddr,
    /// Address of the control endpoint, which changes the organisation; port 0: any free port
    #[arg(long = "control.listen-address", value_name = "ADDRESS", default_value = "127.0.0.1:0",
        value_parser = listen_address)]
    pub(super) control: SocketAddr,
    /// Approximate number of tokens; default: a few hundred
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    pub(super) tokens: Option<u32>,
    /// Collection interval in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) interval: u32,
    /// Print the demo's configuration and exit
    #[arg(long)]
    pub(super) print_config: bool,
    /// Print the expected metric values as JSON and exit
    #[arg(long, conflicts_with = "print_config")]
    pub(super) expect: bool,
}

/// `:10984` is that port on all interfaces.
fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let address = match text.split_once(':') {
        Some(("", port)) => format!("[::]:{port}"),
        Some(("localhost", port)) => format!("127.0.0.1:{port}"),
        _ => text.to_owned(),
    };
    address.parse().map_err(|_| "expected an address such as 127.0.0.1:10984, [::1]:10984 or :10984".to_owned())
}

fn duration(text: &str) -> Result<TimeDelta, String> {
    parse_duration(text).ok_or_else(|| "expected a duration such as 7d, 12h or 1d12h".to_owned())
}

/// At least a second, so that a claim outlasts the store's slowest response.
fn poll(text: &str) -> Result<Duration, String> {
    let poll = duration(text)?.to_std().ok().filter(|poll| *poll >= Duration::from_secs(1));
    poll.ok_or_else(|| "expected at least 1s".to_owned())
}

/// A name that can stand in one line.
fn installation(text: &str) -> Result<String, String> {
    let is_name = !text.is_empty() && text.len() <= 253 && !text.chars().any(|c| c.is_control() || c.is_whitespace());
    is_name.then(|| text.to_owned()).ok_or_else(|| "expected 1 to 253 characters without spaces".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use clap::CommandFactory;

    use super::*;

    #[test]
    fn flags_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn serve_is_the_default_command() {
        for line in [
            &["x", "--config.file", "a.yaml", "--log.level=debug"][..],
            &["x", "serve", "--config.file=a.yaml", "--log.level", "debug"],
        ] {
            let cli = Cli::try_parse_from(line).unwrap();
            let serve = match cli.command {
                None => cli.serve,
                Some(Command::Serve(args)) => *args,
                Some(other) => panic!("{other:?}"),
            };
            assert_eq!(serve.files.config, PathBuf::from("a.yaml"), "{line:?}");
            assert_eq!(cli.log.level, Level::DEBUG, "{line:?}");
        }
    }

    #[test]
    fn listen_address_parses_host_and_port() {
        for (text, expected) in [
            ("127.0.0.1:10984", Some("127.0.0.1:10984")),
            (":10984", Some("[::]:10984")),
            ("localhost:1", Some("127.0.0.1:1")),
            ("[::1]:10984", Some("[::1]:10984")),
            (":65536", None),
            ("10984", None),
            ("example.com:1", None),
        ] {
            let expected = expected.map(|address| address.parse().unwrap());
            assert_eq!(listen_address(text).ok(), expected, "{text}");
        }
    }
}
