//! A small S3 in this process, which violates what a test wants.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::future::pending;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::server::Address;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behaviour {
    Correct,
    IgnoresIfNoneMatch,
    IgnoresIfMatch,
    /// As old versions of Ceph.
    WantsNoQuotes,
    ListsNoEtag,
    Responds(u16, String),
    Redirects(String),
    Silent,
}

#[derive(Debug, Default)]
struct Objects {
    bodies: BTreeMap<String, (String, Vec<u8>)>,
    puts: u64,
    /// Method, key and query, and headers of every request.
    seen: Vec<(Method, String, HeaderMap)>,
}

#[derive(Clone)]
struct Shared {
    behaviour: Behaviour,
    objects: Arc<Mutex<Objects>>,
}

/// Runs until it is dropped.
pub struct FakeS3 {
    shared: Shared,
    pub port: u16,
    task: JoinHandle<()>,
}

impl FakeS3 {
    pub async fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Shared { behaviour, objects: Arc::default() };
        let router = Router::new().fallback(respond).with_state(shared.clone());
        let task = tokio::spawn(async move { drop(axum::serve(listener, router).await) });
        Self { shared, port, task }
    }

    pub fn address(&self) -> Address {
        Address::s3(self.port)
    }

    /// Method, key and query, and headers of every request.
    pub fn seen(&self) -> Vec<(Method, String, HeaderMap)> {
        self.shared.objects.lock().unwrap().seen.clone()
    }
}

impl Drop for FakeS3 {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn error(status: StatusCode, code: &str) -> Response {
    let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>hidden-message</Message></Error>");
    (status, body).into_response()
}

async fn respond(State(shared): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    let target = parts.uri.path_and_query().unwrap().as_str().trim_start_matches("/fleet").to_owned();
    shared.objects.lock().unwrap().seen.push((parts.method.clone(), target, parts.headers.clone()));
    match &shared.behaviour {
        Behaviour::Silent => pending().await,
        Behaviour::Responds(status, code) => return error(StatusCode::from_u16(*status).unwrap(), code),
        Behaviour::Redirects(url) => {
            return (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, url.clone())]).into_response();
        }
        _ => {}
    }
    let key = parts.uri.path().trim_start_matches("/fleet").trim_start_matches('/').to_owned();
    let mut objects = shared.objects.lock().unwrap();
    match parts.method {
        Method::PUT => objects.put(&shared.behaviour, key, &parts.headers, bytes.to_vec()),
        Method::DELETE => {
            objects.bodies.remove(&key);
            StatusCode::NO_CONTENT.into_response()
        }
        Method::GET if key.is_empty() => objects.list(&shared.behaviour),
        _ => match objects.bodies.get(&key) {
            Some((etag, body)) => Response::builder()
                .header(header::ETAG, format!("\"{etag}\""))
                .header(header::LAST_MODIFIED, "Sun, 01 Nov 2026 00:00:00 GMT")
                .body(Body::from(body.clone()))
                .unwrap(),
            None => error(StatusCode::NOT_FOUND, "NoSuchKey"),
        },
    }
}

impl Objects {
    fn put(&mut self, behaviour: &Behaviour, key: String, headers: &HeaderMap, body: Vec<u8>) -> Response {
        let current = self.bodies.get(&key).map(|(etag, _)| etag.clone());
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        let create = text(header::IF_NONE_MATCH).is_some() && *behaviour != Behaviour::IgnoresIfNoneMatch;
        let expected = text(header::IF_MATCH).filter(|_| *behaviour != Behaviour::IgnoresIfMatch);
        let expected = expected.map(|etag| match behaviour {
            Behaviour::WantsNoQuotes => etag,
            _ => etag.trim_matches('"').to_owned(),
        });
        if create && current.is_some() || expected.is_some() && expected != current {
            return error(StatusCode::PRECONDITION_FAILED, "PreconditionFailed");
        }
        self.puts += 1;
        let etag = format!("etag-{}", self.puts);
        self.bodies.insert(key, (etag.clone(), body));
        [(header::ETAG, format!("\"{etag}\""))].into_response()
    }

    fn list(&self, behaviour: &Behaviour) -> Response {
        let mut xml = "<?xml version=\"1.0\"?><ListBucketResult><IsTruncated>false</IsTruncated>".to_owned();
        for (key, (etag, body)) in &self.bodies {
            let etag = if *behaviour == Behaviour::ListsNoEtag { "" } else { etag };
            let modified = "2026-11-01T00:00:00.000Z";
            write!(
                xml,
                "<Contents><Key>{key}</Key><Size>{}</Size><LastModified>{modified}</LastModified><ETag>{etag}</ETag></Contents>",
                body.len()
            )
            .unwrap();
        }
        xml.push_str("</ListBucketResult>");
        xml.into_response()
    }
}
