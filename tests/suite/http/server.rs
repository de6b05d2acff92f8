//! A server of bytes: it says exactly what a test tells it to, and remembers what it was asked.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// What the server does with one request. Then it closes the connection.
#[derive(Clone)]
pub(crate) enum Act {
    /// Sends these bytes.
    Say(Vec<u8>),
    /// Sends these bytes, and then zeros until the other side has enough.
    Endless(Vec<u8>),
    /// Sends these bytes and keeps the connection.
    Hang(Vec<u8>),
}

/// An answer with a status, further header lines and a body.
pub(crate) fn answer(status: u16, headers: &[&str], body: &[u8]) -> Act {
    Act::Say(raw(&format!("HTTP/1.1 {status} X"), headers, body.len(), body))
}

/// An answer that promises more bytes than it has.
pub(crate) fn cut(promised: usize, body: &[u8]) -> Act {
    Act::Say(raw("HTTP/1.1 200 OK", &[], promised, body))
}

fn raw(start: &str, headers: &[&str], length: usize, body: &[u8]) -> Vec<u8> {
    let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    let head = format!("{start}\r\n{lines}Content-Length: {length}\r\nConnection: close\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// A running server.
pub(crate) struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    written: Arc<AtomicUsize>,
}

impl Server {
    /// Does one act a request, in this order; the last one for all that follow.
    pub(crate) async fn start(acts: Vec<Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self { address: listener.local_addr().unwrap(), asked: Arc::default(), written: Arc::default() };
        let (asked, written) = (Arc::clone(&server.asked), Arc::clone(&server.written));
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let (acts, asked, written) = (acts.clone(), Arc::clone(&asked), Arc::clone(&written));
                tokio::spawn(async move {
                    let Some(request) = read_request(&mut stream).await else { return };
                    let act = {
                        let mut asked = asked.lock().unwrap();
                        asked.push(request);
                        acts[(asked.len() - 1).min(acts.len() - 1)].clone()
                    };
                    perform(act, &mut stream, &written).await;
                });
            }
        });
        server
    }

    /// A URL of this server.
    pub(crate) fn url(&self, path: &str) -> Url {
        Url::parse(&format!("http://{}{path}", self.address)).unwrap()
    }

    /// What it was asked, whole, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// The first lines of what it was asked.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.asked().iter().map(|request| request.lines().next().unwrap().to_owned()).collect()
    }

    /// How many bytes of endless answers it could send.
    pub(crate) fn written(&self) -> usize {
        self.written.load(Ordering::SeqCst)
    }
}

async fn perform(act: Act, stream: &mut TcpStream, written: &AtomicUsize) {
    match act {
        Act::Say(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        Act::Endless(head) => {
            let _ = stream.write_all(&head).await;
            while stream.write_all(&[b'0'; 4096]).await.is_ok() {
                written.fetch_add(4096, Ordering::SeqCst);
            }
        }
        Act::Hang(bytes) => {
            let _ = stream.write_all(&bytes).await;
            std::future::pending().await
        }
    }
}

/// A request with its body; none where the connection ends before.
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
