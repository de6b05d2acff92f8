//! A provider whose tokens, and troubles, belong to the test: Atlassian's API of organisations, one for each source.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard};

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
/// For how long each token lives, in seconds: under a year, so that none lives too long.
const LIFE: i64 = 360 * 86_400;

/// How an organisation misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Every request gets this status.
    Status(u16),
    /// A login page where the list should be.
    Html,
    /// The connection is cut in the middle of a page.
    Cut,
    /// No answer ever comes.
    Silence,
    /// One page comes, and the next is refused.
    Half,
}

/// One organisation.
#[derive(Debug, Default)]
pub struct Org {
    /// The ends of its tokens, in seconds since 1970, by their numbers.
    pub tokens: BTreeMap<u32, i64>,
    /// What it does instead of answering.
    pub trouble: Option<Trouble>,
    /// Whether the names tell one list from another: `token-7 of list 12`.
    is_numbered: bool,
    /// Lists that were begun.
    pub lists: u64,
    /// Requests.
    pub requests: u64,
    /// Lists that are being read: all pages of one come from the same moment.
    open: BTreeMap<u64, Arc<Vec<(u32, i64)>>>,
}

impl Org {
    /// So many tokens that end in a hundred days and later.
    pub fn with(tokens: u32, now: i64) -> Self {
        let end = |number: u32| now + (100 + i64::from(number % 200)) * 86_400;
        Self { tokens: (1..=tokens).map(|number| (number, end(number))).collect(), ..Self::default() }
    }

    /// The same, with names that tell one list from another.
    pub fn numbered(self) -> Self {
        Self { is_numbered: true, ..self }
    }
}

type Orgs = Arc<Mutex<BTreeMap<String, Org>>>;

/// The provider. It answers until it is dropped.
pub struct Stub {
    orgs: Orgs,
    /// Where it answers.
    pub url: String,
    server: JoinHandle<()>,
}

impl Stub {
    /// Starts it with these organisations.
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

    /// An organisation, to look at or to change.
    pub fn org<T>(&self, name: &str, with: impl FnOnce(&mut Org) -> T) -> T {
        with(lock(&self.orgs).get_mut(name).unwrap())
    }

    /// A source of the configuration, as an item of `sources`. The credential stands in the file `key`.
    pub fn source(&self, org: &str, interval: &str) -> String {
        format!(
            "{{name: {org}, provider: atlassian-cloud, org_id: {org}, url: '{}', listings: [api-tokens], interval: \
             {interval}, timeout: 45s, credential: {{file: key}}}}",
            self.url
        )
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn lock(orgs: &Orgs) -> MutexGuard<'_, BTreeMap<String, Org>> {
    orgs.lock().unwrap()
}

#[derive(Deserialize)]
struct At {
    cursor: Option<String>,
}

async fn list(State(orgs): State<Orgs>, Path(name): Path<String>, Query(at): Query<At>) -> Response {
    let (answer, trouble) = {
        let mut orgs = lock(&orgs);
        let Some(org) = orgs.get_mut(&name) else { return StatusCode::NOT_FOUND.into_response() };
        org.requests += 1;
        (page(org, at.cursor.as_deref()), org.trouble)
    };
    match trouble {
        None => json(answer),
        Some(Trouble::Half) if at.cursor.is_none() => json(answer.replace("\"next\":null", "\"next\":\"refused:0\"")),
        Some(Trouble::Half) => StatusCode::FORBIDDEN.into_response(),
        Some(Trouble::Status(status)) => StatusCode::from_u16(status).unwrap().into_response(),
        Some(Trouble::Html) => Html("<html><form action=/login></form></html>").into_response(),
        Some(Trouble::Silence) => std::future::pending().await,
        Some(Trouble::Cut) => {
            let half = Ok(answer.as_bytes()[..answer.len() / 2].to_vec());
            let chunks = stream::iter([half, Err(std::io::Error::other("cut"))]);
            ([(header::CONTENT_TYPE, "application/json")], Body::from_stream(chunks)).into_response()
        }
    }
}

fn json(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

/// A page of a list, or the first of a new one.
fn page(org: &mut Org, cursor: Option<&str>) -> String {
    let place = cursor.and_then(|cursor| cursor.split_once(':'));
    let place = place.and_then(|(list, from)| Some((list.parse().ok()?, from.parse().ok()?)));
    let (list, from): (u64, usize) = place.unwrap_or_else(|| {
        org.lists += 1;
        let rows = org.tokens.iter().map(|(number, end)| (*number, *end)).collect();
        org.open.insert(org.lists, Arc::new(rows));
        // Lists that were given up.
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
        let (made, end) = (instant(end - LIFE), instant(*end));
        let person = number % 500;
        let _ = write!(
            text,
            "{comma}{{\"id\":\"t{number}\",\"label\":\"token-{number}{names}\",\"status\":\"ALLOWED\",\"createdAt\":\"{made}\",\
             \"expiresAt\":\"{end}\",\"user\":{{\"id\":\"712020:{person}\",\"name\":\"Person {person}\",\
             \"email\":\"person-{person}@example.com\"}},\"scopes\":[\"read:jira-work\"]}}"
        );
    }
    let _ = write!(text, "],\"links\":{{\"next\":{next}}}}}");
    text
}

fn instant(seconds: i64) -> String {
    DateTime::from_timestamp(seconds, 0).unwrap().format("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}
