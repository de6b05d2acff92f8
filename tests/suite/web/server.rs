//! A server on a port of its own, and a client that shows what came back.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, RwLock};

use reqwest::{Method, StatusCode};
use serde_json::Value;
use token_expiry_exporter::exposition::Labels;
use token_expiry_exporter::exposition::page::Page;
use token_expiry_exporter::exposition::program::{Build, ExporterMetrics};
use token_expiry_exporter::web::path::TelemetryPath;
use token_expiry_exporter::web::serve::serve;
use token_expiry_exporter::web::{Desk, Reload, Surface};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

use crate::sample;

pub struct Server {
    pub surface: Arc<Surface>,
    pub address: SocketAddr,
    pub reloads: Option<mpsc::Receiver<Reload>>,
    client: reqwest::Client,
    _stop: oneshot::Sender<()>,
}

pub struct Answer {
    pub status: StatusCode,
    headers: BTreeMap<String, String>,
    bytes: Vec<u8>,
    pub text: String,
}

impl Answer {
    pub async fn of(response: reqwest::Response) -> Self {
        let status = response.status();
        let headers = response.headers().iter();
        let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
        let bytes = response.bytes().await.unwrap().to_vec();
        Self { status, headers, text: String::from_utf8_lossy(&bytes).into_owned(), bytes }
    }

    /// A header, or nothing.
    pub fn header(&self, name: &str) -> String {
        self.headers.get(name).cloned().unwrap_or_default()
    }

    pub fn unzipped(&self) -> String {
        let mut text = String::new();
        flate2::read::GzDecoder::new(&self.bytes[..]).read_to_string(&mut text).unwrap();
        text
    }
}

/// The library that speaks TLS wants one choice of cryptography for the whole process.
pub fn choose_cryptography() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

impl Server {
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub async fn start_with(change: impl FnOnce(&mut Surface)) -> Self {
        choose_cryptography();
        let inventory = Arc::new(RwLock::new(sample::inventory()));
        let program = Arc::new(ExporterMetrics::new(Build { version: "1.2.3", revision: "abc" }, (1, 1)).unwrap());
        let clock = Arc::new(sample::now);
        let page = Page::new(Arc::clone(&inventory), Labels::default(), Arc::clone(&program), clock.clone()).unwrap();
        let (ask, reloads) = mpsc::channel(1);
        let mut surface = Surface {
            version: "1.2.3".to_owned(),
            inventory,
            page: Arc::new(page),
            program,
            clock,
            ready: Arc::new(AtomicBool::new(false)),
            reload: Some(ask),
            telemetry_path: TelemetryPath::default(),
            guard: None,
            stopping: Arc::new(AtomicBool::new(false)),
            desk: Desk::default(),
        };
        change(&mut surface);
        let surface = Arc::new(surface);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(serve(listener.into(), Arc::clone(&surface), async {
            let _ = stopped.await;
        }));
        let client = reqwest::Client::builder().no_proxy().no_gzip().build().unwrap();
        Self { surface, address, reloads: Some(reloads), client, _stop: stop }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, &[]).await
    }

    pub async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = self.client.request(method, format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::of(request.send().await.unwrap()).await
    }

    pub async fn json(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        assert_eq!(answer.header("content-type"), "application/json");
        serde_json::from_str(&answer.text).unwrap()
    }
}
