//! A different origin, which must receive no request.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use super::server::own_address;

/// A server that records what it receives.
pub(super) struct ForeignOrigin {
    pub(super) address: SocketAddr,
    received: Arc<Mutex<Vec<String>>>,
}

impl ForeignOrigin {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind(own_address()).await.unwrap();
        let origin = Self { address: listener.local_addr().unwrap(), received: Arc::default() };
        let received = Arc::clone(&origin.received);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let received = Arc::clone(&received);
                tokio::spawn(async move {
                    let mut bytes = vec![0; 4096];
                    let count = stream.read(&mut bytes).await.unwrap_or(0);
                    received.lock().unwrap().push(String::from_utf8_lossy(&bytes[..count]).into_owned());
                });
            }
        });
        origin
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Everything received; an empty text for a connection without data.
    pub(super) fn received(&self) -> Vec<String> {
        self.received.lock().unwrap().clone()
    }
}
