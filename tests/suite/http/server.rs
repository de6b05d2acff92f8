//! A server that sends exactly the bytes of a test, and records the requests.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// The server's reaction to one request, after which it closes the connection.
#[derive(Clone)]
pub(crate) enum Reaction {
    Send(Vec<u8>),
    /// Sends these bytes, and then zeros until the client closes the connection.
    Endless(Vec<u8>),
    /// Sends these bytes and keeps the connection open.
    Hang(Vec<u8>),
}

pub(crate) fn respond(status: u16, headers: &[&str], body: &[u8]) -> Reaction {
    Reaction::Send(raw(&format!("HTTP/1.1 {status} X"), headers, body.len(), body))
}

/// A response whose `Content-Length` exceeds its body.
pub(crate) fn truncated(length: usize, body: &[u8]) -> Reaction {
    Reaction::Send(raw("HTTP/1.1 200 OK", &[], length, body))
}

fn raw(start: &str, headers: &[&str], length: usize, body: &[u8]) -> Vec<u8> {
    let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    let head = format!("{start}\r\n{lines}Content-Length: {length}\r\nConnection: close\r\n\r\n");
    [head.as_bytes(), body].concat()
}

pub(crate) struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    written: Arc<AtomicUsize>,
}

impl Server {
    /// Uses one reaction per request, in order, and the last one for all further requests.
    pub(crate) async fn start(reactions: Vec<Reaction>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server =
            Self { address: listener.local_addr().unwrap(), requests: Arc::default(), written: Arc::default() };
        let (requests, written) = (Arc::clone(&server.requests), Arc::clone(&server.written));
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let (reactions, requests, written) = (reactions.clone(), Arc::clone(&requests), Arc::clone(&written));
                tokio::spawn(async move {
                    let Some(request) = read_request(&mut stream).await else { return };
                    let reaction = {
                        let mut requests = requests.lock().unwrap();
                        requests.push(request);
                        reactions[(requests.len() - 1).min(reactions.len() - 1)].clone()
                    };
                    perform(reaction, &mut stream, &written).await;
                });
            }
        });
        server
    }

    pub(crate) fn url(&self, path: &str) -> Url {
        Url::parse(&format!("http://{}{path}", self.address)).unwrap()
    }

    /// The complete requests, in order.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// The request lines.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.requests().iter().map(|request| request.lines().next().unwrap().to_owned()).collect()
    }

    /// The bytes of endless responses that were sent.
    pub(crate) fn written(&self) -> usize {
        self.written.load(Ordering::SeqCst)
    }
}

async fn perform(reaction: Reaction, stream: &mut TcpStream, written: &AtomicUsize) {
    match reaction {
        Reaction::Send(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        Reaction::Endless(head) => {
            let _ = stream.write_all(&head).await;
            while stream.write_all(&[b'0'; 4096]).await.is_ok() {
                written.fetch_add(4096, Ordering::SeqCst);
            }
        }
        Reaction::Hang(bytes) => {
            let _ = stream.write_all(&bytes).await;
            std::future::pending().await
        }
    }
}

/// A complete request, unless the connection closes before.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return Some(text);
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}
