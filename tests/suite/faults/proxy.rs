//! A proxy. It works until its fault is turned on.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::server::{own_address, read_head};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProxyFault {
    None,
    RefusesConnections,
    RequiresAuthentication,
    DeniesAccess,
    CannotConnect,
    /// After it has read the request.
    ClosesConnection,
}

pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    fault: ProxyFault,
    faulty: watch::Sender<bool>,
    hits: AtomicU64,
    /// The bytes of tunnels and the heads of CONNECT requests.
    received: Mutex<Vec<u8>>,
}

impl Proxy {
    pub(super) fn start(fault: ProxyFault) -> Arc<Self> {
        let proxy = Arc::new(Self {
            address: own_address(),
            fault,
            faulty: watch::channel(false).0,
            hits: AtomicU64::new(0),
            received: Mutex::default(),
        });
        tokio::spawn(Arc::clone(&proxy).listen());
        proxy
    }

    pub(super) fn set(&self, faulty: bool) {
        self.faulty.send_replace(faulty);
    }

    pub(super) fn hits(&self) -> u64 {
        self.hits.load(Ordering::SeqCst)
    }

    /// Whether a secret was readable in a tunnel.
    pub(super) fn has_received(&self, secret: &str) -> bool {
        let received = self.received.lock().unwrap();
        assert!(!received.is_empty(), "nothing went through the proxy");
        received.windows(secret.len()).any(|window| window == secret.as_bytes())
    }

    async fn listen(self: Arc<Self>) {
        let mut faulty = self.faulty.subscribe();
        loop {
            let is_faulty = *faulty.borrow_and_update();
            if is_faulty {
                self.hits.fetch_add(1, Ordering::SeqCst);
            }
            if is_faulty && self.fault == ProxyFault::RefusesConnections {
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
        let head = read_head(&mut stream).await?;
        let mut words = head.split(' ');
        let (method, target) = (words.next()?, words.next()?);
        let error = match self.fault {
            _ if !is_faulty => None,
            ProxyFault::None | ProxyFault::RefusesConnections => None,
            ProxyFault::RequiresAuthentication => {
                Some("407 Proxy Authentication Required\r\nProxy-Authenticate: Basic")
            }
            ProxyFault::DeniesAccess => Some("403 Forbidden"),
            ProxyFault::CannotConnect => Some("502 Bad Gateway"),
            ProxyFault::ClosesConnection => return None,
        };
        if method == "CONNECT" {
            self.received.lock().unwrap().extend(head.bytes());
        }
        if let Some(error) = error {
            let response = format!("HTTP/1.1 {error}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            stream.write_all(response.as_bytes()).await.ok()?;
            return None;
        }
        if method == "CONNECT" {
            let upstream = TcpStream::connect(target).await.ok()?;
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok()?;
            self.tunnel(stream, upstream).await
        } else {
            let (host, path) = target.strip_prefix("http://")?.split_once('/')?;
            let mut upstream = TcpStream::connect(host).await.ok()?;
            let head = head.replacen(target, &format!("/{path}"), 1).replacen("\r\n", "\r\nConnection: close\r\n", 1);
            upstream.write_all(head.as_bytes()).await.ok()?;
            copy(&mut upstream, &mut stream).await.ok()?;
            None
        }
    }

    async fn tunnel(&self, stream: TcpStream, upstream: TcpStream) -> Option<()> {
        let (mut from_client, mut to_client) = stream.into_split();
        let (mut from_upstream, mut to_upstream) = upstream.into_split();
        let send = async {
            let mut bytes = vec![0; 16 << 10];
            loop {
                let count = from_client.read(&mut bytes).await.ok().filter(|count| *count > 0)?;
                self.received.lock().unwrap().extend(&bytes[..count]);
                to_upstream.write_all(&bytes[..count]).await.ok()?;
            }
        };
        let receive = async { copy(&mut from_upstream, &mut to_client).await.ok().map(drop) };
        tokio::select! { result = send => result, result = receive => result }
    }
}
