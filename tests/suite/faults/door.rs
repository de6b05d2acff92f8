//! One provider's server for one source, which is well until it is told to be faulty.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::certificates::{Authority, Kind};
use super::fault::{At, Fault};
use super::http2;
use super::provider::{Answer, Paging, Part, Provider};

/// A server.
pub(super) struct Door {
    pub(super) provider: Provider,
    pub(super) users: u64,
    pub(super) origin: String,
    address: SocketAddr,
    fault: Fault,
    at: At,
    faulty: watch::Sender<bool>,
    /// The good certificate, and the one of the fault.
    tls: Option<[TlsAcceptor; 2]>,
    struck: AtomicU64,
    /// Lists that were answered well to their last page since the fault struck.
    whole: AtomicU64,
    /// When a request was struck.
    times: Mutex<Vec<Instant>>,
    /// Requests without the credential.
    strangers: Mutex<Vec<String>>,
}

/// How a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaks {
    Http,
    Https,
    Http2,
}

/// An address of this machine that nobody else has: others take ports of 127.0.0.1 meanwhile, and a port that is given up
/// for a while must be there again afterwards.
pub(super) fn own_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(1);
    let [high, low] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    let process = std::process::id().to_be_bytes();
    (Ipv4Addr::new(127, 64 | (process[3] & 63), high, low), 20_000 + u16::from(process[2])).into()
}

impl Door {
    pub(super) fn open(
        provider: Provider,
        users: u64,
        (fault, at): (Fault, At),
        speaks: Speaks,
        authority: &Authority,
    ) -> Arc<Self> {
        let address = own_address();
        let kind = if let Fault::Certificate(kind) = fault { kind } else { Kind::Good };
        let http2 = speaks == Speaks::Http2;
        let acceptor = |kind| TlsAcceptor::from(authority.server(address.ip(), kind, http2));
        let tls = (speaks != Speaks::Http).then(|| [acceptor(Kind::Good), acceptor(kind)]);
        let scheme = if tls.is_some() { "https" } else { "http" };
        let door = Arc::new(Self {
            provider,
            users,
            origin: format!("{scheme}://{address}"),
            address,
            fault,
            at,
            faulty: watch::channel(false).0,
            tls,
            struck: AtomicU64::new(0),
            whole: AtomicU64::new(0),
            times: Mutex::default(),
            strangers: Mutex::default(),
        });
        tokio::spawn(Arc::clone(&door).listen());
        door
    }

    pub(super) fn set(&self, faulty: bool) {
        self.faulty.send_replace(faulty);
    }

    /// How often the fault has struck, as far as the server can know.
    pub(super) fn struck(&self) -> u64 {
        self.struck.load(Ordering::SeqCst)
    }

    pub(super) fn whole(&self) -> u64 {
        self.whole.load(Ordering::SeqCst)
    }

    /// The shortest time between two requests that were struck.
    pub(super) fn least_pause(&self) -> Option<Duration> {
        let times = self.times.lock().unwrap();
        times.windows(2).map(|pair| pair[1] - pair[0]).min()
    }

    /// Requests that came without the credential.
    pub(super) fn strangers(&self) -> Vec<String> {
        self.strangers.lock().unwrap().clone()
    }

    async fn listen(self: Arc<Self>) {
        let mut faulty = self.faulty.subscribe();
        loop {
            let is_faulty = *faulty.borrow_and_update();
            if is_faulty && matches!(self.fault, Fault::Refused) {
                self.struck.fetch_add(1, Ordering::SeqCst);
                faulty.changed().await.unwrap();
                continue;
            }
            let is_full = is_faulty && matches!(self.fault, Fault::Full);
            let listener = listener(self.address, if is_full { 1 } else { 1024 }).await;
            let _waiting = if is_full { fill(self.address).await } else { Vec::new() };
            if is_full {
                self.struck.fetch_add(1, Ordering::SeqCst);
            }
            loop {
                tokio::select! {
                    _ = faulty.changed() => break,
                    accepted = listener.accept(), if !is_full => {
                        let Ok((stream, _)) = accepted else { continue };
                        let (door, mut changed) = (Arc::clone(&self), faulty.clone());
                        tokio::spawn(async move {
                            // A connection ends with the mood that it was made in.
                            tokio::select! { () = door.connection(stream, is_faulty) => {} _ = changed.changed() => {} }
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
                self.struck.fetch_add(1, Ordering::SeqCst);
                let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            }
            (None, ..) => self.serve(stream, is_faulty).await,
            (Some([good, bad]), ..) => {
                let is_bad = is_faulty && matches!(self.fault, Fault::Certificate(_));
                if is_bad {
                    self.struck.fetch_add(1, Ordering::SeqCst);
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
        if head(&mut stream).await.is_some() {
            self.strike();
            let _ = stream.set_zero_linger();
        }
    }

    /// Counts a fault that strikes elsewhere.
    pub(super) fn note(&self) {
        self.struck.fetch_add(1, Ordering::SeqCst);
    }

    fn strike(&self) {
        self.struck.fetch_add(1, Ordering::SeqCst);
        self.times.lock().unwrap().push(Instant::now());
    }

    /// Whether a request is struck; counts it if so.
    pub(super) fn strikes(&self, target: &str, is_faulty: bool) -> bool {
        let part = self.provider.part(target);
        let strikes = is_faulty
            && match self.at {
                At::All => true,
                At::Tokens => part != Part::Beside,
                At::Further => part == Part::Further,
                At::OneUser => target.contains("/users/u500?"),
                At::Once => self.is_first(part),
            };
        if strikes {
            self.strike();
        }
        strikes
    }

    /// Whether this is the part that is struck once, and it was not yet.
    fn is_first(&self, part: Part) -> bool {
        let struck = if matches!(self.fault, Fault::Pages(_)) { Part::Further } else { Part::First };
        part == struck && self.struck() == 0
    }

    /// What the provider answers while it is well, or while only its pages are not.
    pub(super) fn well(&self, target: &str, is_struck: bool) -> Answer {
        let paging = match &self.fault {
            Fault::Pages(paging) if is_struck => paging,
            _ => &Paging::Well,
        };
        let answer = self.provider.answer(target, &self.origin, paging, self.users);
        let is_last = self.provider.part(target) == Part::Further;
        if is_last && !is_struck && self.struck() > 0 {
            self.whole.fetch_add(1, Ordering::SeqCst);
        }
        answer
    }

    /// Notes a request without the credential.
    pub(super) fn admit(&self, head: &str) {
        if !self.provider.accepts(head) {
            self.strangers.lock().unwrap().push(head.to_owned());
        }
    }

    /// HTTP/1.1 until the other side ends, or a fault ends it.
    async fn serve(&self, stream: impl AsyncRead + AsyncWrite + Unpin, is_faulty: bool) {
        let mut stream = BufReader::new(stream);
        while let Some(head) = head(&mut stream).await {
            let Some(target) = head.strip_prefix("GET ").and_then(|rest| rest.split(' ').next()) else { return };
            self.admit(&head);
            let is_struck = self.strikes(target, is_faulty);
            let is_last = head.contains("Connection: close");
            let sent = match &self.fault {
                Fault::Silent if is_struck => std::future::pending().await,
                Fault::Bytes(bytes) if is_struck => {
                    let _ = stream.write_all(bytes).await;
                    let _ = stream.shutdown().await;
                    return;
                }
                Fault::Trickle(bytes, more) if is_struck => trickle(&mut stream, bytes, *more).await,
                Fault::Endless(bytes, more) if is_struck => endless(&mut stream, bytes, more).await,
                Fault::Answer(answer) if is_struck => send(&mut stream, &answer(), is_last).await,
                _ => send(&mut stream, &self.well(target, is_struck), is_last).await,
            };
            if sent.is_err() || is_last {
                return;
            }
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.faulty.send_replace(false);
    }
}

/// Listens at an address that was perhaps given up just now.
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

/// Makes connections that nobody takes until there is no place for another.
async fn fill(address: SocketAddr) -> Vec<TcpStream> {
    let mut waiting = Vec::new();
    while let Ok(Ok(stream)) = timeout(Duration::from_millis(300), TcpStream::connect(address)).await {
        waiting.push(stream);
    }
    waiting
}

/// The head of a request; none where the connection ends before. No request of these providers has a body.
pub(super) async fn head(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        if bytes.len() > 64 << 10 {
            return None;
        }
        bytes.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

async fn send(stream: &mut (impl AsyncWrite + Unpin), answer: &Answer, is_last: bool) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {} X\r\n", answer.status).into_bytes();
    if is_last {
        head.extend(b"Connection: close\r\n");
    }
    for (name, value) in &answer.headers {
        head.extend(format!("{name}: ").into_bytes());
        // A header may hold any byte but these; a character of the test is one byte.
        head.extend(value.chars().map(|c| u8::try_from(c).unwrap()));
        head.extend(b"\r\n");
    }
    if answer.status != 204 {
        head.extend(format!("Content-Length: {}\r\n", answer.body.len()).into_bytes());
    }
    head.extend(b"\r\n");
    stream.write_all(&[&head[..], &answer.body].concat()).await
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
