//! Reads tokens and sources from the API of running exporters, so that no provider is queried again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use url::Url;

use super::super::digest_args::ExporterArgs;
use super::super::exit::{Failure, invalid};
use super::super::print;
use super::records::{Report, Source, Token};
use super::settings::{base_url, read_file, read_secret};
use crate::core::certificates::TlsMaterial;
use crate::core::secret::Secret;
use crate::http::client::{Body, Client, Options, Request, Response};
use crate::pages::filter::{Filter, Parameters as _};

/// For all responses of one exporter.
const TIMEOUT: Duration = Duration::from_secs(120);
/// Elements of one response. Smaller than the API's maximum, since a token has up to a few kilobytes.
const PAGE: usize = 1_000;
/// How often a list is read again because it changed while it was read.
const ATTEMPTS: usize = 5;
/// The largest response.
const BODY_LIMIT: usize = 64 << 20;

/// Running exporters.
pub(super) struct Exporters {
    urls: Vec<Url>,
    client: Client,
    credential: Vec<(String, Secret)>,
}

/// A page of `/api/v1/tokens`.
#[derive(Deserialize)]
struct TokenPage {
    now: DateTime<Utc>,
    total: usize,
    tokens: Vec<Token>,
}

/// A page of `/api/v1/sources`.
#[derive(Deserialize)]
struct SourcePage {
    now: DateTime<Utc>,
    total: usize,
    sources: Vec<Source>,
}

trait Page: DeserializeOwned {
    type Row;
    const PATH: &'static str;
    fn parts(self) -> (DateTime<Utc>, usize, Vec<Self::Row>);
}

impl Page for TokenPage {
    type Row = Token;
    const PATH: &'static str = "api/v1/tokens";

    fn parts(self) -> (DateTime<Utc>, usize, Vec<Token>) {
        (self.now, self.total, self.tokens)
    }
}

impl Page for SourcePage {
    type Row = Source;
    const PATH: &'static str = "api/v1/sources";

    fn parts(self) -> (DateTime<Utc>, usize, Vec<Source>) {
        (self.now, self.total, self.sources)
    }
}

impl Exporters {
    /// # Errors
    /// If a URL is invalid, or a file cannot be read.
    pub(super) fn new(args: &ExporterArgs) -> Result<Self, Failure> {
        let urls: Result<Vec<Url>, Failure> = args.urls.iter().map(|url| base_url("--exporter.url", url)).collect();
        let file = |flag: &str, path: Option<&_>| path.map(|path| read_file(flag, path)).transpose();
        let ca = file("--exporter.ca-file", args.ca_file.as_deref())?;
        let certificate = file("--exporter.cert-file", args.cert_file.as_deref())?;
        let key = file("--exporter.key-file", args.key_file.as_deref())?;
        let identity = certificate.zip(key).map(|(certificate, key)| {
            Secret::new(format!("{}\n{}", String::from_utf8_lossy(&certificate), String::from_utf8_lossy(&key)))
        });
        let options = Options {
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(60),
            body_limit: BODY_LIMIT,
            retries: 2,
            max_retry_delay: Duration::from_secs(10),
            concurrency: 1,
            rate: None,
            certificates: Arc::new(TlsMaterial { ca, identity }),
            proxy: None,
        };
        let client = Client::new(options, Arc::new(Utc::now)).map_err(|why| invalid("--exporter.ca-file", why))?;
        let (urls, credential) = (urls?, credential(args)?);
        for url in urls.iter().filter(|url| !credential.is_empty() && is_plain(url)) {
            print::note(format!(
                "--exporter.url: plain http sends the login unencrypted to `{}`; use https",
                host(url)
            ));
        }
        Ok(Self { urls, client, credential })
    }

    /// Reads the selected tokens and all sources of all exporters.
    ///
    /// # Errors
    /// Why one of them cannot be read, in one line.
    pub(super) async fn read(&self, filter: &Filter) -> Result<Report, String> {
        let mut report = Report::default();
        for url in &self.urls {
            let deadline = Instant::now() + TIMEOUT;
            let (now, tokens) = self.list::<TokenPage>(url, &filter.pairs(), deadline).await?;
            let (_, sources) = self.list::<SourcePage>(url, &[], deadline).await?;
            report.now = report.now.max(now);
            report.tokens.extend(tokens);
            report.sources.extend(sources);
        }
        // Replicas, and shards that move, may have the same token.
        let mut seen = BTreeSet::new();
        report.tokens.retain(|token| seen.insert((token.source.clone(), token.id.clone())));
        Ok(report)
    }

    /// A whole list, as it was at one time.
    async fn list<P: Page>(
        &self,
        base: &Url,
        filter: &[(&'static str, String)],
        deadline: Instant,
    ) -> Result<(DateTime<Utc>, Vec<P::Row>), String> {
        for _ in 0..ATTEMPTS {
            let first = self.get(&page_url::<P>(base, filter, 0)?, None, deadline).await?;
            let tag = first.headers.get("etag").and_then(|tag| tag.to_str().ok()).map(str::to_owned);
            let (now, total, mut rows) = parse::<P>(&first)?.parts();
            let mut is_consistent = true;
            while rows.len() < total && is_consistent {
                let response = self.get(&page_url::<P>(base, filter, rows.len())?, None, deadline).await?;
                let (_, new_total, more) = parse::<P>(&response)?.parts();
                is_consistent = new_total == total && !more.is_empty();
                rows.extend(more);
            }
            // A list of one page is consistent. Of more, the tag of the first shows whether the list is still the same; with
            // `within` there is none, and the totals must do.
            if is_consistent && total > PAGE && tag.is_some() {
                let again = self.get(&page_url::<P>(base, filter, 0)?, tag, deadline).await?;
                is_consistent = again.status == 304;
            }
            if is_consistent {
                return Ok((now, rows));
            }
        }
        Err(format!("{base}{}: the list changed {ATTEMPTS} times while it was read; run the command again", P::PATH))
    }

    /// A response with status 200, or 304 to a request with a tag.
    async fn get(&self, url: &Url, tag: Option<String>, deadline: Instant) -> Result<Response, String> {
        let has_tag = tag.is_some();
        let request = Request {
            method: http::Method::GET,
            url: url.clone(),
            headers: tag.map(|tag| ("If-None-Match".to_owned(), tag)).into_iter().collect(),
            credential: self.credential.clone(),
            body: Body::Empty,
            retry: Vec::new(),
        };
        let response = self.client.send(&request, deadline).await.map_err(|failure| failure.to_string())?;
        let remedy = match response.status {
            200 => return Ok(response),
            304 if has_tag => return Ok(response),
            401 => "; check --exporter.username and --exporter.password-file",
            404 => "; check that --exporter.url is the address of an exporter",
            503 => "; the exporter is starting, stopping or busy",
            _ => "",
        };
        Err(format!("{base}: status {}{remedy}", response.status, base = without_query(url)))
    }
}

fn host(url: &Url) -> &str {
    url.host_str().unwrap_or_default()
}

/// Whether a request leaves this machine without encryption.
fn is_plain(url: &Url) -> bool {
    url.scheme() == "http" && !matches!(host(url), "localhost" | "127.0.0.1" | "[::1]")
}

/// The header with the credential.
fn credential(args: &ExporterArgs) -> Result<Vec<(String, Secret)>, Failure> {
    let value = match (&args.username, &args.password_file, &args.bearer_token_file) {
        (Some(name), Some(file), _) => {
            if name.contains(':') {
                return Err(invalid("--exporter.username", "must not contain a colon"));
            }
            let password = read_secret("--exporter.password-file", file)?;
            format!("Basic {}", BASE64_STANDARD.encode(format!("{name}:{}", password.expose())))
        }
        (_, _, Some(file)) => format!("Bearer {}", read_secret("--exporter.bearer-token-file", file)?.expose()),
        _ => return Ok(Vec::new()),
    };
    Ok(vec![("Authorization".to_owned(), Secret::new(value))])
}

fn page_url<P: Page>(base: &Url, filter: &[(&'static str, String)], offset: usize) -> Result<Url, String> {
    let mut url = base.join(P::PATH).map_err(|error| format!("{base}: {error}"))?;
    url.query_pairs_mut()
        .extend_pairs(filter)
        .append_pair("offset", &offset.to_string())
        .append_pair("limit", &PAGE.to_string());
    Ok(url)
}

fn parse<P: Page>(response: &Response) -> Result<P, String> {
    // Without the parser's message, which may quote the body.
    serde_json::from_slice(&response.body).map_err(|error| {
        let url = without_query(&response.url);
        format!(
            "{url}: not a response of an exporter of this version (line {}, column {}); check --exporter.url",
            error.line(),
            error.column()
        )
    })
}

fn without_query(url: &Url) -> Url {
    let mut url = url.clone();
    url.set_query(None);
    url
}
