//! A network between a program and a server, which a test interrupts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Network {
    Works,
    /// Every request arrives; its response does not.
    LosesResponses,
    /// Nothing arrives, and connections stay open.
    Silent,
    /// Connections are closed at once.
    Closed,
}

/// A proxy of one TCP server. Runs until it is dropped.
pub struct TcpProxy {
    network: Arc<AtomicU8>,
    lost: Arc<AtomicU64>,
    pub port: u16,
    task: JoinHandle<()>,
}

impl TcpProxy {
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (network, lost) = (Arc::new(AtomicU8::new(Network::Works as u8)), Arc::new(AtomicU64::new(0)));
        let own = listener.local_addr().unwrap().port();
        let (state, losses) = (Arc::clone(&network), Arc::clone(&lost));
        let task = tokio::spawn(async move {
            loop {
                let Ok((client, _)) = listener.accept().await else { return };
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { continue };
                tokio::spawn(carry(client, server, Arc::clone(&state), Arc::clone(&losses)));
            }
        });
        Self { network, lost, port: own, task }
    }

    pub fn set(&self, network: Network) {
        self.network.store(network as u8, Ordering::SeqCst);
    }

    /// The responses that were lost.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::SeqCst)
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(mut client: TcpStream, mut server: TcpStream, network: Arc<AtomicU8>, lost: Arc<AtomicU64>) {
    let (mut request, mut response) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        let is = |state: Network| network.load(Ordering::SeqCst) == state as u8;
        if is(Network::Closed) {
            return;
        }
        tokio::select! {
            read = client.read(&mut request) => {
                let Ok(length @ 1..) = read else { return };
                if is(Network::Silent) { std::future::pending::<()>().await }
                if is(Network::Closed) || server.write_all(&request[..length]).await.is_err() { return }
            }
            read = server.read(&mut response) => {
                let Ok(length @ 1..) = read else { return };
                if is(Network::Silent) { std::future::pending::<()>().await }
                if is(Network::LosesResponses) {
                    lost.fetch_add(1, Ordering::SeqCst);
                    return;
                }
                if is(Network::Closed) || client.write_all(&response[..length]).await.is_err() { return }
            }
        }
    }
}
