//! Flags of `digest`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::filter_args::FilterArgs;

#[derive(Clone, Debug, Args)]
pub(super) struct DigestArgs {
    #[command(flatten)]
    pub(super) exporter: ExporterArgs,
    #[command(flatten)]
    pub(super) mail: MailArgs,
    #[command(flatten)]
    pub(super) smtp: SmtpArgs,
    /// Print the mails instead of sending them; the default without --smtp.server
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Which form of the mails to print
    #[arg(id = "mail_format", long = "format", value_name = "FORMAT", default_value = "text")]
    pub(super) format: MailFormat,
    /// File that remembers who received the mail of the week, so that no mail is sent twice
    #[arg(id = "state_file", long = "state.file", value_name = "FILE")]
    pub(super) state: Option<PathBuf>,
    /// File for the textfile collector of node_exporter (*.prom), written at the end of each run that sends
    #[arg(long, value_name = "FILE")]
    pub(super) textfile: Option<PathBuf>,
    /// Only this source; repeatable
    #[arg(long = "source", value_name = "NAME")]
    pub(super) sources: Vec<String>,
    #[command(flatten)]
    pub(super) filter: FilterArgs,
}

/// The exporter whose API is read.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Exporter")]
pub(super) struct ExporterArgs {
    /// URL of a running exporter, with its path behind a proxy; repeatable, for shards
    #[arg(long = "exporter.url", value_name = "URL", default_value = "http://127.0.0.1:10984/")]
    pub(super) urls: Vec<String>,
    /// User name, if the exporter requires a login
    #[arg(long = "exporter.username", value_name = "NAME", requires = "password_file")]
    pub(super) username: Option<String>,
    /// File with the password of --exporter.username
    #[arg(id = "password_file", long = "exporter.password-file", value_name = "FILE", requires = "username")]
    pub(super) password_file: Option<PathBuf>,
    /// File with a bearer token, if a proxy in front of the exporter requires one
    #[arg(long = "exporter.bearer-token-file", value_name = "FILE", conflicts_with = "username")]
    pub(super) bearer_token_file: Option<PathBuf>,
    /// PEM file of CAs to trust in addition to the system's
    #[arg(long = "exporter.ca-file", value_name = "FILE")]
    pub(super) ca_file: Option<PathBuf>,
    /// PEM file of a client certificate
    #[arg(long = "exporter.cert-file", value_name = "FILE", requires = "key_file")]
    pub(super) cert_file: Option<PathBuf>,
    /// PEM file of its key
    #[arg(id = "key_file", long = "exporter.key-file", value_name = "FILE", requires = "cert_file")]
    pub(super) key_file: Option<PathBuf>,
}

/// Who receives which mail.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Mails")]
pub(super) struct MailArgs {
    /// One mail per owner, or per team (the label `team`)
    #[arg(long = "mail.by", value_name = "GROUP", default_value = "owner")]
    pub(super) by: Group,
    /// Sender, such as tokens@example.com
    #[arg(id = "from", long = "mail.from", value_name = "ADDRESS")]
    pub(super) from: Option<String>,
    /// Domain of recipients; no other domain receives a mail; repeatable
    #[arg(long = "mail.allow-domain", value_name = "DOMAIN", required = true)]
    pub(super) allowed_domains: Vec<String>,
    /// Address of a team, such as platform=platform@example.com; repeatable
    #[arg(long = "mail.team", value_name = "TEAM=ADDRESS")]
    pub(super) teams: Vec<String>,
    /// Recipient of tokens that have no allowed address, and of sources that are incomplete
    #[arg(long = "mail.fallback", value_name = "ADDRESS")]
    pub(super) fallback: Option<String>,
    /// URL at which readers reach the exporter, for links to the pages of tokens; without it there are none
    #[arg(long = "web.external-url", value_name = "URL")]
    pub(super) external_url: Option<String>,
}

/// The mail server.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Mail server")]
pub(super) struct SmtpArgs {
    /// Mail server: HOST or HOST:PORT
    #[arg(id = "server", long = "smtp.server", value_name = "HOST:PORT", requires_all = ["state_file", "from"])]
    pub(super) server: Option<String>,
    /// How the connection is encrypted
    #[arg(long = "smtp.tls", value_name = "MODE", default_value = "starttls")]
    pub(super) tls: SmtpTls,
    /// User name at the mail server
    #[arg(id = "smtp_username", long = "smtp.username", value_name = "NAME", requires = "smtp_password_file")]
    pub(super) username: Option<String>,
    /// File with the password of --smtp.username
    #[arg(id = "smtp_password_file", long = "smtp.password-file", value_name = "FILE", requires = "smtp_username")]
    pub(super) password_file: Option<PathBuf>,
    /// PEM file of CAs to trust in addition to the system's
    #[arg(id = "smtp_ca_file", long = "smtp.ca-file", value_name = "FILE")]
    pub(super) ca_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum MailFormat {
    /// Plain text
    Text,
    /// HTML
    Html,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Group {
    /// By the owner's address
    Owner,
    /// By the label `team`; addresses are those of --mail.team
    Team,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum SmtpTls {
    /// STARTTLS is required; default port 587
    Starttls,
    /// TLS from the start; default port 465
    Implicit,
    /// No encryption, only without a login; default port 25
    None,
}

impl SmtpTls {
    pub(super) const fn default_port(self) -> u16 {
        match self {
            Self::Starttls => 587,
            Self::Implicit => 465,
            Self::None => 25,
        }
    }
}
