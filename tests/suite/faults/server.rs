//! A provider's server for one source. It responds correctly until its fault is turned on.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::certificates::{CertificateKind, TestCa};
use super::fault::{Fault, Requests};
use super::http2;
use super::provider::{Paging, Part, Provider, Response};

pub(super) struct FaultyServer {
    pub(super) provider: Provider,
    pub(super) users: u64,
    pub(super) origin: String,
    address: SocketAddr,
    fault: Fault,
    affects: Requests,
    faulty: watch::Sender<bool>,
    /// With a valid certificate, and with that of the fault.
    tls: Option<[TlsAcceptor; 2]>,
    hits: AtomicU64,
    /// Lists that were complete to the last page since the first hit.
    complete_listings: AtomicU64,
    /// The times of the affected requests.
    times: Mutex<Vec<Instant>>,
    /// Requests without the credential.
    unauthenticated: Mutex<Vec<String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http,
    Https,
    Http2,
}

/// A loopback address of its own: on 127.0.0.1 another process could take a port that is released for a while.
pub(super) fn own_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(1);
    let [high, low] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    let process = std::process::id().to_be_bytes();
    (Ipv4Addr::new(127, 64 | (process[3] & 63), high, low), 20_000 + u16::from(process[2])).into()
}

impl FaultyServer {
    pub(super) fn start(
        provider: Provider,
        users: u64,
        (fault, affects): (Fault, Requests),
        protocol: Protocol,
        ca: &TestCa,
    ) -> Arc<Self> {
        let address = own_address();
        let kind = if let Fault::Certificate(kind) = fault { kind } else { CertificateKind::Valid };
        let http2 = protocol == Protocol::Http2;
        let acceptor = |kind| TlsAcceptor::from(ca.server_config(address.ip(), kind, http2));
        let tls = (protocol != Protocol::Http).then(|| [acceptor(CertificateKind::Valid), acceptor(kind)]);
        let scheme = if tls.is_some() { "https" } else { "http" };
        let server = Arc::new(Self {
            provider,
            users,
            origin: format!("{scheme}://{address}"),
            address,
            fault,
            affects,
            faulty: watch::channel(false).0,
            tls,
            hits: AtomicU64::new(0),
            complete_listings: AtomicU64::new(0),
            times: Mutex::default(),
            unauthenticated: Mutex::default(),
        });
        tokio::spawn(Arc::clone(&server).listen());
        server
    }

    pub(super) fn set(&self, faulty: bool) {
        self.faulty.send_replace(faulty);
    }

    /// The number of requests, or connections, that the fault affected.
    pub(super) fn hits(&self) -> u64 {
        self.hits.load(Ordering::SeqCst)
    }

    pub(super) fn complete_listings(&self) -> u64 {
        self.complete_listings.load(Ordering::SeqCst)
    }

    /// The shortest time between two affected requests.
    pub(super) fn min_interval(&self) -> Option<Duration> {
        let times = self.times.lock().unwrap();
        times.windows(2).map(|pair| pair[1] - pair[0]).min()
    }

    /// The requests without the credential.
    pub(super) fn unauthenticated(&self) -> Vec<String> {
        self.unauthenticated.lock().unwrap().clone()
    }

    async fn listen(self: Arc<Self>) {
        let mut faulty = self.faulty.subscribe();
        loop {
            let is_faulty = *faulty.borrow_and_update();
            if is_faulty && matches!(self.fault, Fault::Refused) {
                self.hits.fetch_add(1, Ordering::SeqCst);
                faulty.changed().await.unwrap();
                continue;
            }
            let is_full = is_faulty && matches!(self.fault, Fault::BacklogFull);
            let listener = listener(self.address, if is_full { 1 } else { 1024 }).await;
            let _backlog = if is_full { fill_backlog(self.address).await } else { Vec::new() };
            if is_full {
                self.hits.fetch_add(1, Ordering::SeqCst);
            }
            loop {
                tokio::select! {
                    _ = faulty.changed() => break,
                    accepted = listener.accept(), if !is_full => {
                        let Ok((stream, _)) = accepted else { continue };
                        let (server, mut changed) = (Arc::clone(&self), faulty.clone());
                        tokio::spawn(async move {
                            // When the fault is turned on or off, open connections are closed.
                            tokio::select! { () = server.connection(stream, is_faulty) => {} _ = changed.changed() => {} }
                        });
                    }
                }
            }
        }
    }

    async fn connection(&self, mut stream: TcpStream, is_faulty: bool) {
        let _ = stream.set_nodelay(true);
        match (&self.tls, is_faulty, &self.fault) {
            (None, true, Fault::Reset) => self.reset(stream).await,
            (Some(_), true, Fault::NoTls) => {
                self.hits.fetch_add(1, Ordering::SeqCst);
                let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            }
            (None, ..) => self.serve(stream, is_faulty).await,
            (Some([good, bad]), ..) => {
                let is_bad = is_faulty && matches!(self.fault, Fault::Certificate(_));
                if is_bad {
                    self.hits.fetch_add(1, Ordering::SeqCst);
                }
                let Ok(stream) = if is_bad { bad } else { good }.accept(stream).await else { return };
                if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                    http2::serve(self, stream, is_faulty.then_some(&self.fault)).await;
                } else {
                    self.serve(stream, is_faulty).await;
                }
            }
        }
    }

    async fn reset(&self, mut stream: TcpStream) {
        if read_head(&mut stream).await.is_some() {
            self.record_hit();
            let _ = stream.set_zero_linger();
        }
    }

    /// Counts a hit of a fault outside the server.
    pub(super) fn count_hit(&self) {
        self.hits.fetch_add(1, Ordering::SeqCst);
    }

    fn record_hit(&self) {
        self.hits.fetch_add(1, Ordering::SeqCst);
        self.times.lock().unwrap().push(Instant::now());
    }

    /// Whether the fault affects a request; if so, counts it.
    pub(super) fn is_hit(&self, target: &str, is_faulty: bool) -> bool {
        let part = self.provider.part(target);
        let is_hit = is_faulty
            && match self.affects {
                Requests::All => true,
                Requests::Tokens => part != Part::Other,
                Requests::NextPages => part == Part::NextPage,
                Requests::OneUser => target.contains("/users/u500?"),
                Requests::Once => self.is_first(part),
            };
        if is_hit {
            self.record_hit();
        }
        is_hit
    }

    /// Whether this is the first request for the part that is affected once.
    fn is_first(&self, part: Part) -> bool {
        let affected = if matches!(self.fault, Fault::Pages(_)) { Part::NextPage } else { Part::FirstPage };
        part == affected && self.hits() == 0
    }

    /// The response of the correct provider, or of one whose pages have a wrong sequence.
    pub(super) fn respond(&self, target: &str, is_hit: bool) -> Response {
        let paging = match &self.fault {
            Fault::Pages(paging) if is_hit => paging,
            _ => &Paging::Correct,
        };
        let response = self.provider.respond(target, &self.origin, paging, self.users);
        let is_last = self.provider.part(target) == Part::NextPage;
        if is_last && !is_hit && self.hits() > 0 {
            self.complete_listings.fetch_add(1, Ordering::SeqCst);
        }
        response
    }

    /// Records a request without the credential.
    pub(super) fn check_credential(&self, head: &str) {
        if !self.provider.accepts(head) {
            self.unauthenticated.lock().unwrap().push(head.to_owned());
        }
    }

    /// Serves HTTP/1.1 until the client or a fault closes the connection.
    async fn serve(&self, stream: impl AsyncRead + AsyncWrite + Unpin, is_faulty: bool) {
        let mut stream = BufReader::new(stream);
        while let Some(head) = read_head(&mut stream).await {
            let Some(target) = head.strip_prefix("GET ").and_then(|rest| rest.split(' ').next()) else { return };
            self.check_credential(&head);
            let is_hit = self.is_hit(target, is_faulty);
            let is_last = head.contains("Connection: close");
            let sent = match &self.fault {
                Fault::Silent if is_hit => std::future::pending().await,
                Fault::Bytes(bytes) if is_hit => {
                    let _ = stream.write_all(bytes).await;
                    let _ = stream.shutdown().await;
                    return;
                }
                Fault::Trickle(bytes, more) if is_hit => trickle(&mut stream, bytes, *more).await,
                Fault::Endless(bytes, more) if is_hit => endless(&mut stream, bytes, more).await,
                Fault::Response(response) if is_hit => send(&mut stream, &response(), is_last).await,
                _ => send(&mut stream, &self.respond(target, is_hit), is_last).await,
            };
            if sent.is_err() || is_last {
                return;
            }
        }
    }
}

impl Drop for FaultyServer {
    fn drop(&mut self) {
        self.faulty.send_replace(false);
    }
}

/// Listens on an address that may have been released just now.
async fn listener(address: SocketAddr, backlog: u32) -> TcpListener {
    loop {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        match socket.bind(address).and_then(|()| socket.listen(backlog)) {
            Ok(listener) => return listener,
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
    }
}

/// Opens connections that are not accepted until the backlog is full.
async fn fill_backlog(address: SocketAddr) -> Vec<TcpStream> {
    let mut backlog = Vec::new();
    while let Ok(Ok(stream)) = timeout(Duration::from_millis(300), TcpStream::connect(address)).await {
        backlog.push(stream);
    }
    backlog
}

/// The head of a request; `None` if the connection is closed before. No request of these providers has a body.
pub(super) async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        if bytes.len() > 64 << 10 {
            return None;
        }
        bytes.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

async fn send(stream: &mut (impl AsyncWrite + Unpin), response: &Response, is_last: bool) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {} X\r\n", response.status).into_bytes();
    if is_last {
        head.extend(b"Connection: close\r\n");
    }
    for (name, value) in &response.headers {
        head.extend(format!("{name}: ").into_bytes());
        // A header may contain any byte but line breaks; a character of the test is one byte.
        head.extend(value.chars().map(|c| u8::try_from(c).unwrap()));
        head.extend(b"\r\n");
    }
    if response.status != 204 {
        head.extend(format!("Content-Length: {}\r\n", response.body.len()).into_bytes());
    }
    head.extend(b"\r\n");
    stream.write_all(&[&head[..], &response.body].concat()).await
}

async fn trickle(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8], more: u8) -> std::io::Result<()> {
    stream.write_all(bytes).await?;
    loop {
        stream.write_all(&[more]).await?;
        sleep(Duration::from_millis(50)).await;
    }
}

async fn endless(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8], more: &[u8]) -> std::io::Result<()> {
    stream.write_all(bytes).await?;
    loop {
        stream.write_all(more).await?;
    }
}
