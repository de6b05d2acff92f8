//! The flags of `digest`, checked before anything is read or sent.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use lettre::message::Mailbox;
use url::Url;

use super::super::digest_args::{DigestArgs, Group, MailArgs, SmtpArgs, SmtpTls};
use super::super::exit::{Failure, invalid};
use crate::config::{Environment as _, SystemEnvironment};
use crate::core::address;
use crate::core::secret::Secret;
use crate::core::web_url::web_url;

/// Who receives which mail.
pub(super) struct Recipients {
    pub(super) by: Group,
    /// In lower case.
    pub(super) allowed_domains: BTreeSet<String>,
    /// Addresses by team; teams in lower case.
    pub(super) teams: BTreeMap<String, String>,
    pub(super) fallback: Option<String>,
}

/// How mails are sent.
pub(super) struct Delivery {
    pub(super) from: Mailbox,
    pub(super) server: MailServer,
    pub(super) state: PathBuf,
}

pub(super) struct MailServer {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: SmtpTls,
    /// User name and password.
    pub(super) login: Option<(String, Secret)>,
    /// CAs to trust in addition to the system's, as PEM.
    pub(super) ca: Option<Vec<u8>>,
}

impl Recipients {
    /// # Errors
    /// If an address is invalid or its domain is not allowed.
    pub(super) fn new(args: &MailArgs) -> Result<Self, Failure> {
        let mut allowed_domains = BTreeSet::new();
        for domain in &args.allowed_domains {
            let address = address::normalize(&format!("x@{domain}"));
            let domain = address.as_deref().and_then(|address| address.strip_prefix("x@"));
            let expected = "expected a domain such as example.com; each subdomain needs its own flag";
            allowed_domains.insert(domain.ok_or_else(|| invalid("--mail.allow-domain", expected))?.to_owned());
        }
        let mut recipients = Self { by: args.by, allowed_domains, teams: BTreeMap::new(), fallback: None };
        if let Some(text) = &args.fallback {
            recipients.fallback = Some(recipients.address("--mail.fallback", text)?);
        }
        for text in &args.teams {
            let (team, address) = text
                .rsplit_once('=')
                .filter(|(team, _)| !team.trim().is_empty())
                .ok_or_else(|| invalid("--mail.team", format!("`{text}`: expected TEAM=ADDRESS")))?;
            let address = recipients.address("--mail.team", address)?;
            if recipients.teams.insert(team.trim().to_lowercase(), address).is_some() {
                return Err(invalid("--mail.team", format!("team `{team}` has two addresses; keep one")));
            }
        }
        if args.by == Group::Owner && !recipients.teams.is_empty() {
            return Err(invalid("--mail.team", "has no effect without --mail.by=team"));
        }
        Ok(recipients)
    }

    pub(super) fn is_allowed(&self, address: &str) -> bool {
        address.rsplit_once('@').is_some_and(|(_, domain)| self.allowed_domains.contains(domain))
    }

    /// An address of a flag.
    fn address(&self, flag: &str, text: &str) -> Result<String, Failure> {
        let address = address::normalize(text)
            .ok_or_else(|| invalid(flag, format!("`{text}` is not an address such as platform@example.com")))?;
        if self.is_allowed(&address) {
            return Ok(address);
        }
        Err(invalid(flag, format!("the domain of `{address}` is not allowed; add it with --mail.allow-domain")))
    }
}

impl Delivery {
    /// `None` if mails are only printed.
    ///
    /// # Errors
    /// If a flag is invalid or a file cannot be read.
    pub(super) fn new(args: &DigestArgs) -> Result<Option<Self>, Failure> {
        let (Some(server), Some(from), Some(state)) = (&args.smtp.server, &args.mail.from, &args.state) else {
            return Ok(None);
        };
        let server = MailServer::new(server, &args.smtp)?;
        let from: Mailbox = from
            .parse()
            .map_err(|_| invalid("--mail.from", format!("`{from}` is not an address such as tokens@example.com")))?;
        Ok((!args.dry_run).then(|| Self { from, server, state: state.clone() }))
    }
}

impl MailServer {
    fn new(server: &str, args: &SmtpArgs) -> Result<Self, Failure> {
        let invalid_server =
            || invalid("--smtp.server", "expected a host such as mail.example.com or mail.example.com:587");
        // A URL parses names and IPv6 addresses, and rejects what is not one.
        let url = Url::parse(&format!("smtp://{server}")).map_err(|_| invalid_server())?;
        let is_host_only = url.username().is_empty() && url.password().is_none() && url.query().is_none();
        let is_host_only = is_host_only && url.fragment().is_none() && matches!(url.path(), "" | "/");
        let host = url.host_str().filter(|host| is_host_only && !host.is_empty()).ok_or_else(invalid_server)?;
        let login = match (&args.username, &args.password_file) {
            (Some(name), Some(file)) => Some((name.clone(), read_secret("--smtp.password-file", file)?)),
            _ => None,
        };
        if login.is_some() && args.tls == SmtpTls::None {
            return Err(invalid("--smtp.tls", "a login needs encryption; use starttls or implicit"));
        }
        let ca = args.ca_file.as_deref().map(|file| read_file("--smtp.ca-file", file)).transpose()?;
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: url.port().unwrap_or_else(|| args.tls.default_port()),
            tls: args.tls,
            login,
            ca,
        })
    }
}

/// The URL below which the pages of tokens are.
///
/// # Errors
/// If it is not an http or https URL without query and fragment.
pub(super) fn base_url(flag: &str, text: &str) -> Result<Url, Failure> {
    let mut url = web_url(text)
        .filter(|url| url.query().is_none() && url.fragment().is_none())
        .ok_or_else(|| invalid(flag, "expected a URL such as `https://example.com/tokens/`, without a login in it"))?;
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

pub(super) fn read_file(flag: &str, path: &Path) -> Result<Vec<u8>, Failure> {
    let content = SystemEnvironment.read_file(path);
    content.map_err(|error| invalid(flag, format!("cannot read {}: {error}", path.display())))
}

/// A secret on the only line of a file.
pub(super) fn read_secret(flag: &str, path: &Path) -> Result<Secret, Failure> {
    let text = String::from_utf8(read_file(flag, path)?)
        .map_err(|_| invalid(flag, format!("{} is not valid UTF-8", path.display())))?;
    let secret = Secret::new(text.trim_start_matches('\u{feff}'));
    if secret.expose().trim().is_empty() {
        return Err(invalid(flag, format!("{} is empty", path.display())));
    }
    if secret.expose().chars().any(char::is_control) {
        return Err(invalid(flag, format!("{}: expected one line with the secret alone", path.display())));
    }
    Ok(secret)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn mail(teams: &[&str], fallback: Option<&str>) -> Result<Recipients, String> {
        let args = MailArgs {
            by: if teams.is_empty() { Group::Owner } else { Group::Team },
            from: None,
            allowed_domains: vec!["Example.com".to_owned()],
            teams: teams.iter().map(ToString::to_string).collect(),
            fallback: fallback.map(str::to_owned),
            external_url: None,
        };
        Recipients::new(&args).map_err(|failure| failure.to_string())
    }

    #[test]
    fn only_listed_domains_are_allowed() {
        let recipients = mail(&[], None).unwrap();
        for (address, is_allowed) in [
            ("jane@example.com", true),
            ("jane@mail.example.com", false),
            ("jane@example.com.evil.example", false),
            ("jane@evilexample.com", false),
            ("example.com", false),
        ] {
            assert_eq!(recipients.is_allowed(address), is_allowed, "{address}");
        }
    }

    #[test]
    fn addresses_of_flags_are_checked() {
        let recipients = mail(&["Platform = Platform@Example.com"], Some("ops@example.com")).unwrap();
        assert_eq!(recipients.teams["platform"], "platform@example.com");
        assert_eq!(recipients.fallback.as_deref(), Some("ops@example.com"));
        for (teams, fallback, problem) in [
            (&["platform"][..], None, "--mail.team: `platform`: expected TEAM=ADDRESS"),
            (&["=a@example.com"], None, "--mail.team: `=a@example.com`: expected TEAM=ADDRESS"),
            (&["a=a@example.com", "A=b@example.com"], None, "--mail.team: team `A` has two addresses; keep one"),
            (&["a=a"], None, "--mail.team: `a` is not an address such as platform@example.com"),
            (
                &[],
                Some("ops@evil.example"),
                "--mail.fallback: the domain of `ops@evil.example` is not allowed; add it with --mail.allow-domain",
            ),
            (
                &[],
                Some("ops@example.com\r\nBcc: x@evil.example"),
                "--mail.fallback: `ops@example.com\r\nBcc: x@evil.example` is not an address such as platform@example.com",
            ),
        ] {
            assert_eq!(mail(teams, fallback).err().as_deref(), Some(problem));
        }
    }

    #[test]
    fn mail_server_is_a_host_with_an_optional_port() {
        let server = |text: &str, tls| {
            let args = SmtpArgs { server: None, tls, username: None, password_file: None, ca_file: None };
            MailServer::new(text, &args).map(|server| (server.host, server.port)).ok()
        };
        for (text, tls, expected) in [
            ("mail.example.com", SmtpTls::Starttls, Some(("mail.example.com", 587))),
            ("mail.example.com", SmtpTls::Implicit, Some(("mail.example.com", 465))),
            ("localhost:2525", SmtpTls::None, Some(("localhost", 2525))),
            ("[::1]", SmtpTls::None, Some(("::1", 25))),
            ("user@mail.example.com", SmtpTls::Starttls, None),
            ("mail.example.com/x", SmtpTls::Starttls, None),
            ("smtp://mail.example.com", SmtpTls::Starttls, None),
            ("", SmtpTls::Starttls, None),
        ] {
            assert_eq!(server(text, tls), expected.map(|(host, port)| (host.to_owned(), port)), "{text}");
        }
    }
}
