//! Clients that are slow, idle, many or greedy: each meets its limit, is counted, and keeps nobody else from an answer.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

use super::certificates::Authority;
use super::program::{ExporterMetrics, Start, exchange, sample};

/// Longer than the limits of ten seconds, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(25);

const GET: &str = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";

/// A connection whose system takes in as little as can be.
async fn narrow(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    socket.connect(address).await.unwrap()
}

/// Waits until the server closes a connection, and says after how many seconds. What comes before is dropped.
async fn closed(stream: &mut TcpStream) -> f64 {
    let begun = Instant::now();
    let mut buffer = [0; 1_024];
    let end = async { while !matches!(stream.read(&mut buffer).await, Ok(0) | Err(_)) {} };
    timeout(PATIENCE, end).await.expect("it is closed");
    begun.elapsed().as_secs_f64()
}

fn after_ten(seconds: f64, what: &str) {
    assert!((8.5..20.0).contains(&seconds), "{what}: closed after {seconds} s");
}

/// Sends nothing at all.
async fn silent(address: SocketAddr) {
    after_ten(closed(&mut TcpStream::connect(address).await.unwrap()).await, "silent");
}

/// Sends a byte of a request each second.
async fn trickles(address: SocketAddr) {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut from, mut to) = stream.into_split();
    let sending = tokio::spawn(async move {
        for byte in GET.bytes() {
            drop(to.write_all(&[byte]).await);
            sleep(Duration::from_secs(1)).await;
        }
    });
    let begun = Instant::now();
    let mut answer = Vec::new();
    drop(timeout(PATIENCE, from.read_to_end(&mut answer)).await.expect("it is closed"));
    sending.abort();
    assert_eq!(String::from_utf8_lossy(&answer), "");
    after_ten(begun.elapsed().as_secs_f64(), "a trickle");
}

/// Asks once, and begins to ask again.
async fn begins_again(address: SocketAddr) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = [0; 15];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    sleep(Duration::from_secs(2)).await;
    stream.write_all(b"GET /met").await.unwrap();
    after_ten(closed(&mut stream).await, "a second request that does not go on");
}

/// Asks for much, and takes nothing of it. The server's metrics tell what comes of that: who does not read, is not told.
async fn takes_nothing(address: SocketAddr) {
    let mut stream = narrow(address).await;
    stream.write_all(GET.as_bytes()).await.unwrap();
    sleep(Duration::from_secs(15)).await;
}

/// Announces a body, and does not send it.
async fn owes_a_body(address: SocketAddr) {
    let request = "POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx";
    let answer = timeout(Duration::from_secs(5), exchange(address, request)).await.expect("at once");
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("connection: close\r\n"), "{answer}");
}

#[tokio::test]
async fn whoever_is_slow_is_let_go_and_counted() {
    let program = Start::new().tokens(2_000).go().await;
    let address = program.address();
    tokio::join!(
        silent(address),
        trickles(address),
        begins_again(address),
        takes_nothing(address),
        owes_a_body(address),
        silent(program.probes),
    );
    assert_eq!(program.closed("slow_request").await, 4);
    assert_eq!(program.closed("slow_reader").await, 1);
    let metrics = program.metrics().await;
    assert_eq!(sample(&metrics, "http_requests_total{code=\"413\",path=\"/-/reload\"}"), 1);
    assert_eq!(sample(&metrics, "http_connections"), 1, "only the one that asks");
}

#[tokio::test]
async fn whoever_is_slow_over_tls_too() {
    let authority = Authority::new();
    let start =
        Start::new().tokens(2_000).guarded("tls_server_config: {cert_file: server.pem, key_file: server.key}\n");
    authority.issue_to(start.folder());
    let program = start.go().await;
    let url = format!("https://localhost:{}/metrics", program.address().port());
    let client = authority.client(None);
    let half_handshake = async {
        let mut stream = TcpStream::connect(program.address()).await.unwrap();
        stream.write_all(&[0x16, 3, 1]).await.unwrap();
        after_ten(closed(&mut stream).await, "half a handshake");
    };
    let takes_nothing = async {
        let ca = reqwest::Certificate::from_pem(authority.pem.as_bytes()).unwrap();
        let client = reqwest::Client::builder().no_proxy().no_gzip().tls_certs_only([ca]);
        let client = client.http2_initial_stream_window_size(65_535).build().unwrap();
        let answer = client.get(&url).send().await.unwrap();
        assert_eq!(answer.version(), reqwest::Version::HTTP_2);
        sleep(Duration::from_secs(15)).await;
        assert!(answer.bytes().await.is_err(), "it was broken off");
    };
    let no_tls = async {
        assert!(!exchange(program.address(), GET).await.contains("token"));
    };
    tokio::join!(silent(program.address()), half_handshake, takes_nothing, no_tls);
    let metrics = client.get(&url).send().await.unwrap().text().await.unwrap();
    for (cause, count) in [("slow_handshake", 2), ("slow_reader", 1), ("handshake", 1)] {
        assert_eq!(sample(&metrics, &format!("http_connections_closed_total{{cause=\"{cause}\"}}")), count, "{cause}");
    }
}

#[tokio::test]
async fn what_is_no_request_is_closed_and_counted() {
    let program = Start::new().go().await;
    let huge = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(200_000));
    for (request, cause) in [("nonsense\r\n\r\n", "malformed"), (&huge, "too_large")] {
        let answer = exchange(program.address(), request).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
        assert_eq!(program.closed(cause).await, 1, "{cause}");
    }
}

/// Asks as Prometheus does, and says how long it took.
async fn scrape(program: &ExporterMetrics) -> Duration {
    let begun = Instant::now();
    let request = "GET /metrics HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n";
    let answer = timeout(Duration::from_secs(5), exchange(program.address(), request)).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    begun.elapsed()
}

async fn open(address: SocketAddr, count: usize, sent: &str) -> Vec<TcpStream> {
    let mut streams = Vec::new();
    for _ in 0..count {
        let mut stream = narrow(address).await;
        stream.write_all(sent.as_bytes()).await.unwrap();
        streams.push(stream);
    }
    streams
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_who_idle_or_are_slow_keep_nobody_from_a_scrape() {
    let mut limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current = limit.maximum;
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
    let program = Start::new().tokens(2_000).go().await;
    let address = program.address();
    let alone = scrape(&program).await;
    let before = program.memory();
    let slow = [
        open(address, 400, "").await,
        open(address, 300, "GET /metrics HT").await,
        // Compressed, plain, and a page that is written for each.
        open(address, 300, &GET.replace("Host", "Accept-Encoding: gzip\r\nHost")).await,
        open(address, 50, GET).await,
        open(address, 50, "GET /api/v1/tokens HTTP/1.1\r\nHost: x\r\n\r\n").await,
    ];
    let mut scrapes = Vec::new();
    for _ in 0..11 {
        scrapes.push(scrape(&program).await);
    }
    scrapes.sort();
    let (usual, slowest) = (scrapes[5], scrapes[10]);
    let grown = program.memory().saturating_sub(before);
    eprintln!(
        "a scrape alone {alone:?}; among 1,100 connections usually {usual:?}, at most {slowest:?}; memory +{grown} MiB"
    );
    // On a machine that is busy with other tests. Prometheus waits for ten seconds.
    assert!(usual < Duration::from_secs(1) && slowest < Duration::from_secs(4), "{scrapes:?}, alone {alone:?}");
    assert!(grown < 150, "{grown} MiB");

    // More than there is room for: who was silent longest goes, and who asks gets its answer.
    let more = open(address, 1_500, "").await;
    assert!(scrape(&program).await < Duration::from_secs(4));
    let metrics = exchange(address, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(sample(&metrics, "http_connections_closed_total{cause=\"full\"}") > 0, "room was made");
    assert!(sample(&metrics, "http_connections") <= 2_010);
    assert!(program.probe("/-/healthy").await.starts_with("HTTP/1.1 200"));
    drop((slow, more));
}
