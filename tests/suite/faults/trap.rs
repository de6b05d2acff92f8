//! Another origin, where nothing must ever come.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use super::door::own_address;

/// A server that only notes what comes.
pub(super) struct Trap {
    pub(super) address: SocketAddr,
    caught: Arc<Mutex<Vec<String>>>,
}

impl Trap {
    pub(super) async fn set() -> Self {
        let listener = TcpListener::bind(own_address()).await.unwrap();
        let trap = Self { address: listener.local_addr().unwrap(), caught: Arc::default() };
        let caught = Arc::clone(&trap.caught);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let caught = Arc::clone(&caught);
                tokio::spawn(async move {
                    let mut bytes = vec![0; 4096];
                    let count = stream.read(&mut bytes).await.unwrap_or(0);
                    caught.lock().unwrap().push(String::from_utf8_lossy(&bytes[..count]).into_owned());
                });
            }
        });
        trap
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Everything that came, connections without a word too.
    pub(super) fn caught(&self) -> Vec<String> {
        self.caught.lock().unwrap().clone()
    }
}
