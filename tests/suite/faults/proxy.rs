//! A proxy in between, which works until it is told otherwise.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::door::{head, own_address};

/// How a proxy fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failing {
    /// It works on.
    Not,
    /// Nobody listens.
    Refuses,
    /// It wants a password.
    Asks,
    /// It may not go there.
    Forbids,
    /// It cannot go there.
    Unable,
    /// It dies when it has read the request.
    Dies,
}

pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    failing: Failing,
    faulty: watch::Sender<bool>,
    struck: AtomicU64,
    /// What went through tunnels, as it was seen here, and what came after a fault had struck.
    seen: Mutex<Vec<u8>>,
}

impl Proxy {
    pub(super) fn start(failing: Failing) -> Arc<Self> {
        let proxy = Arc::new(Self {
            address: own_address(),
            failing,
            faulty: watch::channel(false).0,
            struck: AtomicU64::new(0),
            seen: Mutex::default(),
        });
        tokio::spawn(Arc::clone(&proxy).listen());
        proxy
    }

    pub(super) fn set(&self, faulty: bool) {
        self.faulty.send_replace(faulty);
    }

    pub(super) fn struck(&self) -> u64 {
        self.struck.load(Ordering::SeqCst)
    }

    /// Whether it could read this in what was to be hidden from it.
    pub(super) fn has_seen(&self, secret: &str) -> bool {
        let seen = self.seen.lock().unwrap();
        assert!(!seen.is_empty(), "nothing went through the proxy");
        seen.windows(secret.len()).any(|window| window == secret.as_bytes())
    }

    async fn listen(self: Arc<Self>) {
        let mut faulty = self.faulty.subscribe();
        loop {
            let is_faulty = *faulty.borrow_and_update();
            if is_faulty {
                self.struck.fetch_add(1, Ordering::SeqCst);
            }
            if is_faulty && self.failing == Failing::Refuses {
                faulty.changed().await.unwrap();
                continue;
            }
            let Ok(listener) = TcpListener::bind(self.address).await else {
                tokio::task::yield_now().await;
                continue;
            };
            loop {
                tokio::select! {
                    _ = faulty.changed() => break,
                    accepted = listener.accept() => {
                        let Ok((stream, _)) = accepted else { continue };
                        let (proxy, mut changed) = (Arc::clone(&self), faulty.clone());
                        tokio::spawn(async move {
                            tokio::select! { _ = proxy.connection(stream, is_faulty) => {} _ = changed.changed() => {} }
                        });
                    }
                }
            }
        }
    }

    /// One connection: a tunnel, or one request.
    async fn connection(&self, mut stream: TcpStream, is_faulty: bool) -> Option<()> {
        let head = head(&mut stream).await?;
        let mut words = head.split(' ');
        let (method, target) = (words.next()?, words.next()?);
        let refusal = match self.failing {
            _ if !is_faulty => None,
            Failing::Not | Failing::Refuses => None,
            Failing::Asks => Some("407 Proxy Authentication Required\r\nProxy-Authenticate: Basic"),
            Failing::Forbids => Some("403 Forbidden"),
            Failing::Unable => Some("502 Bad Gateway"),
            Failing::Dies => return None,
        };
        if method == "CONNECT" {
            self.seen.lock().unwrap().extend(head.bytes());
        }
        if let Some(refusal) = refusal {
            let answer = format!("HTTP/1.1 {refusal}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.ok()?;
            return None;
        }
        if method == "CONNECT" {
            let far = TcpStream::connect(target).await.ok()?;
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok()?;
            self.tunnel(stream, far).await
        } else {
            let (host, path) = target.strip_prefix("http://")?.split_once('/')?;
            let mut far = TcpStream::connect(host).await.ok()?;
            let head = head.replacen(target, &format!("/{path}"), 1).replacen("\r\n", "\r\nConnection: close\r\n", 1);
            far.write_all(head.as_bytes()).await.ok()?;
            copy(&mut far, &mut stream).await.ok()?;
            None
        }
    }

    async fn tunnel(&self, stream: TcpStream, far: TcpStream) -> Option<()> {
        let (mut from_near, mut to_near) = stream.into_split();
        let (mut from_far, mut to_far) = far.into_split();
        let out = async {
            let mut bytes = vec![0; 16 << 10];
            loop {
                let count = from_near.read(&mut bytes).await.ok().filter(|count| *count > 0)?;
                self.seen.lock().unwrap().extend(&bytes[..count]);
                to_far.write_all(&bytes[..count]).await.ok()?;
            }
        };
        let back = async { copy(&mut from_far, &mut to_near).await.ok().map(drop) };
        tokio::select! { end = out => end, end = back => end }
    }
}
