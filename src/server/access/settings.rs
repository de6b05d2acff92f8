//! The web configuration's file, read and checked.

use std::path::PathBuf;

use axum::http::header::{HeaderName, HeaderValue};
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};

use super::users::{Hash, Hashes};
use crate::core::rate::Rate;
use crate::core::secret::Secret;
use crate::core::time::parse_duration;
use crate::schema::diagnostic::{Diagnostics, SourceText, Span, did_you_mean};
use crate::schema::yaml;
use crate::schema::yaml::{Fields, Kind, Node, Reader};

/// What the file says.
#[derive(Debug)]
pub struct Settings {
    /// None without `tls_server_config`.
    pub(super) tls: Option<Tls>,
    pub(super) http2: bool,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) users: Hashes,
    pub(super) rate_limit: Option<Rate>,
}

/// `tls_server_config`.
#[derive(Debug)]
pub(super) struct Tls {
    pub(super) certificate: Pem,
    pub(super) key: Pem,
    pub(super) client_auth: ClientAuth,
    pub(super) client_ca: Option<Pem>,
    pub(super) client_allowed_sans: Vec<String>,
    pub(super) versions: Vec<&'static SupportedProtocolVersion>,
    /// Names of cipher suites of TLS 1.2; empty for the usual ones.
    pub(super) cipher_suites: Vec<String>,
    /// Names of curves; empty for the usual ones.
    pub(super) curves: Vec<String>,
    pub(super) prefer_server_cipher_suites: bool,
}

/// A certificate or a key.
#[derive(Debug)]
pub(super) enum Pem {
    /// In a file, relative to the configuration's own.
    File(PathBuf),
    /// In the configuration itself.
    Inline(Secret),
}

/// What is asked of clients: Go's names, since the format is Go's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientAuth {
    None,
    Request,
    RequireAny,
    VerifyIfGiven,
    RequireAndVerify,
}

impl ClientAuth {
    const NAMES: [(&'static str, Self); 6] = [
        ("NoClientCert", Self::None),
        ("RequestClientCert", Self::Request),
        ("RequireAnyClientCert", Self::RequireAny),
        ("RequireClientCert", Self::RequireAny),
        ("VerifyClientCertIfGiven", Self::VerifyIfGiven),
        ("RequireAndVerifyClientCert", Self::RequireAndVerify),
    ];

    pub(super) fn verifies(self) -> bool {
        matches!(self, Self::VerifyIfGiven | Self::RequireAndVerify)
    }

    pub(super) fn requires(self) -> bool {
        matches!(self, Self::RequireAny | Self::RequireAndVerify)
    }
}

/// The headers that the format knows.
const HEADERS: [&str; 5] = [
    "Content-Security-Policy",
    "X-Frame-Options",
    "X-Content-Type-Options",
    "X-XSS-Protection",
    "Strict-Transport-Security",
];

impl Settings {
    /// Reads the file.
    ///
    /// # Errors
    /// Every mistake, with its place; lines are not shown, since any of them may hold a hash or a key.
    pub fn parse(text: &SourceText) -> Result<Self, Diagnostics> {
        let root = yaml::parse(text).map_err(|mistake| mistake.hide_line())?;
        let mut reader = Reader::new(text.clone());
        let settings = read(&mut reader, &root);
        let mut hidden = Diagnostics::default();
        for mistake in reader.diagnostics.iter() {
            hidden.push(mistake.clone().hide_line());
        }
        hidden.into_result()?;
        Ok(settings)
    }
}

fn read(reader: &mut Reader, root: &Node) -> Settings {
    let mut settings = Settings { tls: None, http2: true, headers: Vec::new(), users: Hashes::new(), rate_limit: None };
    // An empty file asks for nothing.
    if root.is_null() {
        return settings;
    }
    let mut fields = reader.map(root, "");
    // As in exporter-toolkit, where nothing is set there is no TLS.
    if let Some(node) = fields.optional("tls_server_config").filter(|node| !is_empty(node)) {
        settings.tls = read_tls(reader, node);
    }
    if let Some(node) = fields.optional("http_server_config") {
        let mut http = reader.map(node, "http_server_config");
        if let Some(node) = http.optional("http2") {
            settings.http2 = reader.flag(node, "http_server_config.http2").unwrap_or(true);
        }
        if let Some(node) = http.optional("headers") {
            settings.headers = read_headers(reader, node);
        }
        http.finish(reader);
    }
    if let Some(node) = fields.optional("basic_auth_users") {
        settings.users = read_users(reader, node);
    }
    if let Some(node) = fields.optional("rate_limit") {
        settings.rate_limit = read_rate_limit(reader, node);
    }
    fields.finish(reader);
    settings
}

fn is_empty(node: &Node) -> bool {
    node.is_null() || matches!(&node.kind, Kind::Map(keys) if keys.is_empty())
}

fn read_users(reader: &mut Reader, node: &Node) -> Hashes {
    let mut users = Hashes::new();
    for (name, node) in reader.map(node, "basic_auth_users").rest() {
        let what = format!("basic_auth_users.{}", name.name);
        let Some(text) = reader.string(node, &what) else { continue };
        match Hash::parse(&text) {
            Some(hash) => {
                users.insert(name.name.clone(), hash);
            }
            None => reader
                .error(node.at, format!("{what}: no bcrypt hash; `htpasswd -nBC 10 \"\" | tr -d ':\\n'` makes one")),
        }
    }
    users
}

fn read_headers(reader: &mut Reader, node: &Node) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = Vec::new();
    for (key, node) in reader.map(node, "http_server_config.headers").rest() {
        let Some(name) = HEADERS.into_iter().find(|known| known.eq_ignore_ascii_case(&key.name)) else {
            let hint = did_you_mean(&key.name, HEADERS);
            reader.error(key.at, format!("http_server_config.headers: `{}` cannot be set{hint}", key.name));
            continue;
        };
        let Some(value) = reader.string(node, &format!("http_server_config.headers.{name}")) else { continue };
        let allowed: &[&str] = match name {
            "X-Frame-Options" => &["deny", "sameorigin"],
            "X-Content-Type-Options" => &["nosniff"],
            _ => &[],
        };
        match (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value)) {
            _ if value.is_empty() => {}
            _ if !allowed.is_empty() && !allowed.contains(&value.to_ascii_lowercase().as_str()) => {
                let allowed = allowed.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(" or ");
                reader.error(node.at, format!("http_server_config.headers.{name}: expected {allowed}"));
            }
            (Ok(name), Ok(value)) => headers.push((name, value)),
            _ => reader.error(node.at, format!("http_server_config.headers.{name}: no header can have this value")),
        }
    }
    headers
}

fn read_rate_limit(reader: &mut Reader, node: &Node) -> Option<Rate> {
    let mut fields = reader.map(node, "rate_limit");
    let interval = fields.optional("interval").and_then(|node| {
        let text = reader.string(node, "rate_limit.interval")?;
        let parsed = if text == "0" { Some(chrono::TimeDelta::zero()) } else { parse_duration(&text) };
        let interval = parsed.and_then(|interval| interval.to_std().ok());
        if interval.is_none() {
            reader.error(node.at, "rate_limit.interval: no duration; write it like `100ms` or `1s`");
        }
        interval
    });
    let burst = fields.optional("burst").and_then(|node| {
        let burst = u32::try_from(reader.count(node, "rate_limit.burst")?).ok();
        if burst.is_none() {
            reader.error(node.at, "rate_limit.burst: too many");
        }
        burst
    });
    fields.finish(reader);
    let interval = interval.filter(|interval| !interval.is_zero())?;
    let Some(burst) = burst.filter(|burst| *burst > 0) else {
        reader.error(node.at, "rate_limit: without `burst` no request would ever be answered");
        return None;
    };
    Some(Rate { interval, burst })
}

fn read_tls(reader: &mut Reader, node: &Node) -> Option<Tls> {
    let mut fields = reader.map(node, "tls_server_config");
    let certificate = read_pem(reader, &mut fields, "cert", "cert_file");
    let key = read_pem(reader, &mut fields, "key", "key_file");
    let client_ca = read_pem(reader, &mut fields, "client_ca", "client_ca_file");
    let client_auth = read_client_auth(reader, &mut fields);
    let sans = fields.optional("client_allowed_sans");
    let client_allowed_sans = sans.map(|node| read_list(reader, node, "client_allowed_sans")).unwrap_or_default();
    let versions = read_versions(reader, &mut fields);
    let suites = fields.optional("cipher_suites");
    let cipher_suites = suites.map(|node| read_list(reader, node, "cipher_suites")).unwrap_or_default();
    let curves = fields.optional("curve_preferences");
    let curves = curves.map(|node| read_list(reader, node, "curve_preferences")).unwrap_or_default();
    let prefer = fields.optional("prefer_server_cipher_suites");
    let prefer_server_cipher_suites =
        prefer.and_then(|node| reader.flag(node, "tls_server_config.prefer_server_cipher_suites")).unwrap_or(true);
    for (found, names) in [(&certificate, "`cert_file` or `cert`"), (&key, "`key_file` or `key`")] {
        if found.is_none() {
            reader.error(fields.at, format!("tls_server_config: {names} is missing"));
        }
    }
    if client_ca.is_some() && client_auth == ClientAuth::None {
        reader.error(fields.at, "tls_server_config: with a client CA, `client_auth_type` must ask for a certificate");
    }
    if client_ca.is_none() && client_auth.verifies() {
        reader.error(fields.at, "tls_server_config: to verify clients, `client_ca_file` or `client_ca` is needed");
    }
    if !client_allowed_sans.is_empty() && !client_auth.requires() {
        let types = "`RequireAndVerifyClientCert` or `RequireAnyClientCert`";
        reader.error(fields.at, format!("tls_server_config: `client_allowed_sans` needs `client_auth_type` {types}"));
    }
    fields.finish(reader);
    Some(Tls {
        certificate: certificate?,
        key: key?,
        client_auth,
        client_ca,
        client_allowed_sans,
        versions,
        cipher_suites,
        curves,
        prefer_server_cipher_suites,
    })
}

fn read_pem(reader: &mut Reader, fields: &mut Fields<'_>, inline: &'static str, file: &'static str) -> Option<Pem> {
    let (inline_node, file_node) = (fields.optional(inline), fields.optional(file));
    if let (Some(_), Some(node)) = (inline_node, file_node) {
        reader.error(node.at, format!("tls_server_config: `{inline}` and `{file}` exclude each other"));
    }
    if let Some(node) = file_node {
        let path = reader.string(node, &fields.name(file))?;
        return Some(Pem::File(path.into()));
    }
    let text = reader.string(inline_node?, &fields.name(inline))?;
    Some(Pem::Inline(Secret::new(text)))
}

fn read_client_auth(reader: &mut Reader, fields: &mut Fields<'_>) -> ClientAuth {
    let Some(node) = fields.optional("client_auth_type") else { return ClientAuth::None };
    let Some(name) = reader.string(node, "tls_server_config.client_auth_type") else { return ClientAuth::None };
    let found = ClientAuth::NAMES.into_iter().find(|(known, _)| *known == name);
    if found.is_none() && !name.is_empty() {
        let hint = did_you_mean(&name, ClientAuth::NAMES.map(|(known, _)| known));
        reader.error(node.at, format!("tls_server_config.client_auth_type: `{name}` is not known{hint}"));
    }
    found.map_or(ClientAuth::None, |(_, auth)| auth)
}

fn read_versions(reader: &mut Reader, fields: &mut Fields<'_>) -> Vec<&'static SupportedProtocolVersion> {
    let mut bound = |reader: &mut Reader, key: &'static str, default: u8| -> (u8, Span) {
        let Some(node) = fields.optional(key) else { return (default, Span::default()) };
        let version = match reader.string(node, &fields.name(key)).as_deref() {
            Some("TLS12") => 12,
            Some("TLS13") => 13,
            Some("TLS10" | "TLS11") => {
                reader
                    .error(node.at, format!("{}: TLS 1.0 and 1.1 are not secure, and not supported", fields.name(key)));
                default
            }
            Some(_) => {
                reader.error(node.at, format!("{}: expected `TLS12` or `TLS13`", fields.name(key)));
                default
            }
            None => default,
        };
        (version, node.at)
    };
    let (least, _) = bound(reader, "min_version", 12);
    let (most, at) = bound(reader, "max_version", 13);
    if least > most {
        reader.error(at, "tls_server_config.max_version: below `min_version`");
    }
    [(12, &TLS12), (13, &TLS13)]
        .into_iter()
        .filter(|(number, _)| (least..=most).contains(number))
        .map(|(_, v)| v)
        .collect()
}

fn read_list(reader: &mut Reader, node: &Node, key: &str) -> Vec<String> {
    let what = format!("tls_server_config.{key}");
    let nodes = reader.list(node, &what, false);
    nodes.into_iter().filter_map(|node| reader.string(node, &what)).collect()
}
