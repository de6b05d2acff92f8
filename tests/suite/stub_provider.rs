//! A provider whose tokens and faults a test sets: Atlassian's organisation API, one organisation per source.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use chrono::DateTime;
use futures_util::stream;
use serde::Deserialize;
use tokio::task::JoinHandle;

const PAGE: usize = 1000;
/// The lifetime of each token in seconds: under a year, so that none violates the policy.
const LIFETIME: i64 = 360 * 86_400;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderFault {
    /// Responds with this status.
    Status(u16),
    /// Responds with a login page instead of the list.
    Html,
    /// Closes the connection in the middle of a page.
    Truncate,
    /// Never responds.
    Silence,
    /// Responds with the first page and rejects the next.
    Half,
}

/// One organisation.
#[derive(Debug, Default)]
pub struct Org {
    /// Unix timestamps at which its tokens expire, by their numbers.
    pub tokens: BTreeMap<u32, i64>,
    pub fault: Option<ProviderFault>,
    /// Whether names contain the number of the list: `token-7 of list 12`.
    is_numbered: bool,
    /// Lists that were started.
    pub lists: u64,
    /// When each of them was.
    pub starts: Vec<Instant>,
    /// How long each page takes.
    pub delay: Duration,
    pub requests: u64,
    /// Lists that are being read. All pages of one have the same tokens.
    open: BTreeMap<u64, Arc<Vec<(u32, i64)>>>,
}

impl Org {
    /// This many tokens, which expire in a hundred days or later.
    pub fn with(tokens: u32, now: i64) -> Self {
        let expiry = |number: u32| now + (100 + i64::from(number % 200)) * 86_400;
        Self { tokens: (1..=tokens).map(|number| (number, expiry(number))).collect(), ..Self::default() }
    }

    /// Adds the number of the list to the names.
    pub fn numbered(self) -> Self {
        Self { is_numbered: true, ..self }
    }
}

type Orgs = Arc<Mutex<BTreeMap<String, Org>>>;

/// The provider. Runs until it is dropped.
pub struct StubProvider {
    orgs: Orgs,
    pub url: String,
    server: JoinHandle<()>,
}

impl StubProvider {
    pub async fn start(orgs: impl IntoIterator<Item = (&str, Org)>) -> Self {
        let orgs: BTreeMap<_, _> = orgs.into_iter().map(|(name, org)| (name.to_owned(), org)).collect();
        let orgs: Orgs = Arc::new(Mutex::new(orgs));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router =
            Router::new().route("/admin/api-access/v1/orgs/{org}/api-tokens", get(list)).with_state(Arc::clone(&orgs));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { orgs, url, server }
    }

    /// Reads or changes an organisation.
    pub fn org<T>(&self, name: &str, with: impl FnOnce(&mut Org) -> T) -> T {
        with(lock(&self.orgs).get_mut(name).unwrap())
    }

    /// An item of `sources` in the configuration. The credential is in the file `key`.
    pub fn source(&self, org: &str, interval: &str) -> String {
        format!(
            "{{name: {org}, provider: atlassian-cloud, org_id: {org}, url: '{}', listings: [api-tokens], interval: \
             {interval}, timeout: 45s, credential: {{file: key}}}}",
            self.url
        )
    }
}

impl Drop for StubProvider {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn lock(orgs: &Orgs) -> MutexGuard<'_, BTreeMap<String, Org>> {
    orgs.lock().unwrap()
}

#[derive(Deserialize)]
struct Cursor {
    cursor: Option<String>,
}

async fn list(State(orgs): State<Orgs>, Path(name): Path<String>, Query(query): Query<Cursor>) -> Response {
    let (page, fault, delay) = {
        let mut orgs = lock(&orgs);
        let Some(org) = orgs.get_mut(&name) else { return StatusCode::NOT_FOUND.into_response() };
        org.requests += 1;
        (next_page(org, query.cursor.as_deref()), org.fault, org.delay)
    };
    tokio::time::sleep(delay).await;
    match fault {
        None => json(page),
        Some(ProviderFault::Half) if query.cursor.is_none() => {
            json(page.replace("\"next\":null", "\"next\":\"rejected:0\""))
        }
        Some(ProviderFault::Half) => StatusCode::FORBIDDEN.into_response(),
        Some(ProviderFault::Status(status)) => StatusCode::from_u16(status).unwrap().into_response(),
        Some(ProviderFault::Html) => Html("<html><form action=/login></form></html>").into_response(),
        Some(ProviderFault::Silence) => std::future::pending().await,
        Some(ProviderFault::Truncate) => {
            let half = Ok(page.as_bytes()[..page.len() / 2].to_vec());
            let chunks = stream::iter([half, Err(std::io::Error::other("truncated"))]);
            ([(header::CONTENT_TYPE, "application/json")], Body::from_stream(chunks)).into_response()
        }
    }
}

fn json(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

/// The page at a cursor, or the first page of a new list.
fn next_page(org: &mut Org, cursor: Option<&str>) -> String {
    let position = cursor.and_then(|cursor| cursor.split_once(':'));
    let position = position.and_then(|(list, from)| Some((list.parse().ok()?, from.parse().ok()?)));
    let (list, from): (u64, usize) = position.unwrap_or_else(|| {
        org.lists += 1;
        org.starts.push(Instant::now());
        let rows = org.tokens.iter().map(|(number, end)| (*number, *end)).collect();
        org.open.insert(org.lists, Arc::new(rows));
        // Lists that were abandoned.
        while org.open.len() > 4 {
            org.open.pop_first();
        }
        (org.lists, 0)
    });
    let rows = org.open.get(&list).cloned().unwrap_or_default();
    let to = rows.len().min(from + PAGE);
    let next = if to < rows.len() { format!("\"{list}:{to}\"") } else { "null".to_owned() };
    if to == rows.len() {
        org.open.remove(&list);
    }
    let names = if org.is_numbered { format!(" of list {list}") } else { String::new() };
    let mut text = String::from("{\"data\":[");
    for (index, (number, end)) in rows[from.min(to)..to].iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let (created, expires) = (timestamp(end - LIFETIME), timestamp(*end));
        let person = number % 500;
        let _ = write!(
            text,
            "{comma}{{\"id\":\"t{number}\",\"label\":\"token-{number}{names}\",\"status\":\"ALLOWED\",\"createdAt\":\"{created}\",\
             \"expiresAt\":\"{expires}\",\"user\":{{\"id\":\"712020:{person}\",\"name\":\"Person {person}\",\
             \"email\":\"person-{person}@example.com\"}},\"scopes\":[\"read:jira-work\"]}}"
        );
    }
    let _ = write!(text, "],\"links\":{{\"next\":{next}}}}}");
    text
}

fn timestamp(seconds: i64) -> String {
    DateTime::from_timestamp(seconds, 0).unwrap().format("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}
