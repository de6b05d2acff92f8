//! A server on a port of its own, and a client.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use parking_lot::RwLock;
use reqwest::{Method, StatusCode};
use serde_json::Value;
use token_expiry_exporter::exposition::Labels;
use token_expiry_exporter::exposition::exporter::{Build, ExporterMetrics};
use token_expiry_exporter::exposition::page::Page;
use token_expiry_exporter::pages::path::{RoutePrefix, TelemetryPath};
use token_expiry_exporter::pages::render_limit::RenderLimit;
use token_expiry_exporter::pages::tags::Tags;
use token_expiry_exporter::pages::{self, AppState, Reload};
use token_expiry_exporter::server::access::AccessControl;
use token_expiry_exporter::server::{Site, serve};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

use crate::sample_inventory;

pub struct Server {
    pub state: Arc<AppState>,
    pub address: SocketAddr,
    pub reloads: Option<mpsc::Receiver<Reload>>,
    client: reqwest::Client,
    _stop: oneshot::Sender<()>,
}

pub struct Response {
    pub status: StatusCode,
    headers: BTreeMap<String, String>,
    bytes: Vec<u8>,
    pub text: String,
}

impl Response {
    pub async fn of(response: reqwest::Response) -> Self {
        let status = response.status();
        let headers = response.headers().iter();
        let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
        let bytes = response.bytes().await.unwrap().to_vec();
        Self { status, headers, text: String::from_utf8_lossy(&bytes).into_owned(), bytes }
    }

    /// A header; empty if it is missing.
    pub fn header(&self, name: &str) -> String {
        self.headers.get(name).cloned().unwrap_or_default()
    }

    pub fn unzipped(&self) -> String {
        let mut text = String::new();
        flate2::read::GzDecoder::new(&self.bytes[..]).read_to_string(&mut text).unwrap();
        text
    }
}

/// rustls needs one cryptography provider per process.
pub fn install_crypto_provider() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

impl Server {
    pub async fn start() -> Self {
        Self::start_with(None, |_| {}).await
    }

    pub async fn start_with(access: Option<Arc<AccessControl>>, change: impl FnOnce(&mut AppState)) -> Self {
        install_crypto_provider();
        let inventory = Arc::new(RwLock::new(sample_inventory::inventory()));
        let metrics = Arc::new(
            ExporterMetrics::new(Build { version: "1.2.3", revision: "abc" }, (1, 1), Arc::default()).unwrap(),
        );
        let clock = Arc::new(sample_inventory::now);
        let page = Page::new(Arc::clone(&inventory), Labels::default(), Arc::clone(&metrics), clock.clone()).unwrap();
        let (reload, reloads) = mpsc::channel(1);
        let mut state = AppState {
            fleet: None,
            version: "1.2.3".to_owned(),
            inventory,
            page: Arc::new(page),
            clock,
            ready: AtomicBool::new(false),
            reload: Some(reload),
            telemetry_path: TelemetryPath::default(),
            route_prefix: RoutePrefix::default(),
            calendar_key: None,
            tags: Tags::default(),
            starting: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            render_limit: RenderLimit::default(),
        };
        change(&mut state);
        let state = Arc::new(state);
        let site = Site {
            main: pages::router(Arc::clone(&state)),
            probe: pages::probe_router(Arc::clone(&state)),
            headers: pages::security_headers(),
            access,
            has_key: None,
            metrics,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(serve(listener.into(), site, async {
            let _ = stopped.await;
        }));
        let client = reqwest::Client::builder().no_proxy().no_gzip().build().unwrap();
        Self { state, address, reloads: Some(reloads), client, _stop: stop }
    }

    pub async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path, &[]).await
    }

    pub async fn request(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
        let mut request = self.client.request(method, format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Response::of(request.send().await.unwrap()).await
    }

    pub async fn json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        assert_eq!(response.status, StatusCode::OK, "{}", response.text);
        assert_eq!(response.header("content-type"), "application/json");
        serde_json::from_str(&response.text).unwrap()
    }
}
