//! The web configuration file.

use std::path::PathBuf;

use axum::http::header::{HeaderName, HeaderValue};
use chrono::TimeDelta;
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};

use super::users::{Hash, Hashes};
use crate::core::rate::Rate;
use crate::core::secret::Secret;
use crate::schema::diagnostic::{Diagnostics, SourceText, did_you_mean, one_of};
use crate::schema::reader::{Reader, join};
use crate::schema::record::Record;
use crate::schema::table::ValueType::{self, Count, Domain, Flag, List, Map, OneOf, Text};
use crate::schema::table::{DomainType, Key, Table};
use crate::schema::yaml::{self, Kind, Node};

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
    /// A path, relative to the directory of the web configuration file.
    File(PathBuf),
    /// The PEM text itself.
    Inline(Secret),
}

/// Whether clients must present a certificate. The names are Go's, because the format is Go's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientAuth {
    None,
    Request,
    RequireAny,
    VerifyIfGiven,
    RequireAndVerify,
}

impl ClientAuth {
    pub(super) fn verifies(self) -> bool {
        matches!(self, Self::VerifyIfGiven | Self::RequireAndVerify)
    }

    pub(super) fn requires(self) -> bool {
        matches!(self, Self::RequireAny | Self::RequireAndVerify)
    }
}

/// The keys of the file; `docs/web.md` describes them.
static FILE: Table = Table::new(&[
    key("tls_server_config", ValueType::Record(&TLS)),
    key("http_server_config", ValueType::Record(&HTTP)),
    key("basic_auth_users", Map(&Domain(&BCRYPT_HASH))),
    key("rate_limit", ValueType::Record(&RATE_LIMIT)),
]);

static TLS: Table = Table::new(&[
    key("cert", Text),
    key("cert_file", Text),
    key("key", Text),
    key("key_file", Text),
    key("client_ca", Text),
    key("client_ca_file", Text),
    key(
        "client_auth_type",
        OneOf(&[
            "",
            "NoClientCert",
            "RequestClientCert",
            "RequireAnyClientCert",
            "RequireClientCert",
            "VerifyClientCertIfGiven",
            "RequireAndVerifyClientCert",
        ]),
    ),
    key("client_allowed_sans", List(0, &Text)),
    Key::or("min_version", Domain(&VERSION), "TLS12", ""),
    Key::or("max_version", Domain(&VERSION), "TLS13", ""),
    key("cipher_suites", List(0, &Text)),
    key("curve_preferences", List(0, &Text)),
    Key::or("prefer_server_cipher_suites", Flag, "true", ""),
]);

static HTTP: Table = Table::new(&[Key::or("http2", Flag, "true", ""), key("headers", Domain(&RESPONSE_HEADERS))]);

static RATE_LIMIT: Table = Table::new(&[
    key("interval", ValueType::Duration(TimeDelta::zero(), TimeDelta::MAX)),
    key("burst", Count(0, u32::MAX as u64)),
]);

const fn key(name: &'static str, value: ValueType) -> Key {
    Key::optional(name, value, "")
}

static BCRYPT_HASH: DomainType = DomainType::undocumented(|reader, node, path| {
    if reader.string(node, path).is_some_and(|text| Hash::parse(&text).is_none()) {
        let message = format!("{path}: not a bcrypt hash; create one with `htpasswd -nBC 10 \"\" | tr -d ':\\n'`");
        reader.error(node.at, message);
    }
});

static VERSION: DomainType = DomainType::undocumented(|reader, node, path| match node.as_text() {
    Some("TLS10" | "TLS11") => {
        let message = format!("{path}: TLS 1.0 and 1.1 are insecure and not supported; use `TLS12` or `TLS13`");
        reader.error(node.at, message);
    }
    _ => reader.one_of(node, path, &["TLS12", "TLS13"]),
});

/// The headers that the format knows, and their values if these are restricted.
const HEADERS: [(&str, &[&str]); 5] = [
    ("Content-Security-Policy", &[]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-XSS-Protection", &[]),
    ("Strict-Transport-Security", &[]),
];

static RESPONSE_HEADERS: DomainType = DomainType::undocumented(|reader, node, path| {
    if !matches!(node.kind, Kind::Map(_)) {
        return reader.wrong_type(node, path, "a map");
    }
    for (key, value) in node.entries() {
        let Some((name, allowed)) = HEADERS.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(&key.name)) else {
            let hint = did_you_mean(&key.name, HEADERS.map(|(name, _)| name));
            reader.error(key.at, format!("{path}: `{}` cannot be set{hint}", key.name));
            continue;
        };
        let path = join(path, name);
        let Some(text) = reader.string(value, &path) else { continue };
        if text.is_empty() {
            continue;
        }
        if !allowed.is_empty() && !allowed.contains(&text.to_ascii_lowercase().as_str()) {
            reader.error(value.at, format!("{path}: expected {}", one_of(allowed.iter().copied())));
        } else if HeaderValue::from_str(&text).is_err() {
            reader.error(value.at, format!("{path}: contains characters that no header can have"));
        }
    }
});

impl Settings {
    /// Reads the file.
    ///
    /// # Errors
    /// Every error in it. No line is shown, since any may contain a hash or a key.
    pub fn parse(text: &SourceText) -> Result<Self, Diagnostics> {
        let root = yaml::parse(text).map_err(|error| error.hide_line())?;
        let mut reader = Reader::new(text.clone());
        // An empty file sets nothing.
        let root = if root.is_null() { Node { kind: Kind::Map(Vec::new()), ..root } } else { root };
        let values = reader.read(&root, "", &FILE);
        let users = values.map("basic_auth_users").into_iter();
        let settings = Self {
            // As in exporter-toolkit, an empty `tls_server_config` is no TLS.
            tls: values
                .node("tls_server_config")
                .filter(|tls| !tls.entries().is_empty())
                .and_then(|_| tls(&mut reader, &values)),
            http2: values.flag("http_server_config.http2").unwrap_or(true),
            headers: values.map("http_server_config.headers").into_iter().filter_map(header).collect(),
            users: users.filter_map(|(name, hash)| Some((name, Hash::parse(&hash)?))).collect(),
            rate_limit: rate_limit(&mut reader, &values),
        };
        reader.finish(|_| true).map(|()| settings)
    }
}

/// A header to set; an empty value sets none.
fn header((name, value): (String, String)) -> Option<(HeaderName, HeaderValue)> {
    let value = HeaderValue::from_str(&value).ok().filter(|value| !value.is_empty())?;
    Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value))
}

fn rate_limit(reader: &mut Reader, values: &Record<'_>) -> Option<Rate> {
    let interval = values.period("rate_limit.interval").filter(|interval| !interval.is_zero())?;
    let burst = values.count("rate_limit.burst").and_then(|burst| u32::try_from(burst).ok()).unwrap_or_default();
    if burst == 0 {
        reader.error(values.value_at("rate_limit"), "rate_limit: without `burst` every request would be rejected");
    }
    (burst > 0).then_some(Rate { interval, burst })
}

fn tls(reader: &mut Reader, values: &Record<'_>) -> Option<Tls> {
    let values = values.record("tls_server_config")?;
    let certificate = pem(reader, values, "cert", "cert_file");
    let key = pem(reader, values, "key", "key_file");
    let client_ca = pem(reader, values, "client_ca", "client_ca_file");
    let client_auth = match values.text("client_auth_type").as_deref() {
        Some("RequestClientCert") => ClientAuth::Request,
        Some("RequireAnyClientCert" | "RequireClientCert") => ClientAuth::RequireAny,
        Some("VerifyClientCertIfGiven") => ClientAuth::VerifyIfGiven,
        Some("RequireAndVerifyClientCert") => ClientAuth::RequireAndVerify,
        _ => ClientAuth::None,
    };
    let texts = |key| values.texts(key).into_iter().flatten().map(|(text, _)| text).collect::<Vec<_>>();
    let client_allowed_sans = texts("client_allowed_sans");
    let problems = [
        (!values.is_given("cert") && !values.is_given("cert_file"), "`cert_file` or `cert` is missing"),
        (!values.is_given("key") && !values.is_given("key_file"), "`key_file` or `key` is missing"),
        (
            client_ca.is_some() && client_auth == ClientAuth::None,
            "with a client CA, `client_auth_type` must request a certificate",
        ),
        (client_ca.is_none() && client_auth.verifies(), "to verify clients, `client_ca_file` or `client_ca` is needed"),
        (
            !client_allowed_sans.is_empty() && !client_auth.requires(),
            "`client_allowed_sans` needs `client_auth_type` `RequireAndVerifyClientCert` or `RequireAnyClientCert`",
        ),
    ];
    for (_, problem) in problems.into_iter().filter(|(is_wrong, _)| *is_wrong) {
        reader.error(values.at, format!("{}: {problem}", values.path));
    }
    let (min, max) = (values.text("min_version"), values.text("max_version"));
    if min > max && max.is_some() {
        reader.error(values.value_at("max_version"), format!("{}: below `min_version`", values.path_of("max_version")));
    }
    let versions = [("TLS12", &TLS12), ("TLS13", &TLS13)].into_iter();
    let versions = versions.filter(|(name, _)| min.as_deref() <= Some(name) && Some(*name) <= max.as_deref());
    Some(Tls {
        certificate: certificate?,
        key: key?,
        client_auth,
        client_ca,
        client_allowed_sans,
        versions: versions.map(|(_, version)| version).collect(),
        cipher_suites: texts("cipher_suites"),
        curves: texts("curve_preferences"),
        prefer_server_cipher_suites: values.flag("prefer_server_cipher_suites").unwrap_or(true),
    })
}

/// A PEM text, which is in the file itself or in one of its own.
fn pem(reader: &mut Reader, values: &Record<'_>, inline: &str, file: &str) -> Option<Pem> {
    if values.is_given(inline) && values.is_given(file) {
        let message = format!("{}: set either `{inline}` or `{file}`, not both", values.path);
        reader.error(values.value_at(file), message);
    }
    let path = values.text(file).map(|path| Pem::File(path.into()));
    path.or_else(|| Some(Pem::Inline(Secret::new(values.text(inline)?))))
}
