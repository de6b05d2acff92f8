//! Slow, idle, many or greedy clients: each reaches its limit, is counted, and does not keep others from a response.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

use super::certificates::Authority;
use super::exporter::{Exporter, Start, exchange, sample};

/// Longer than the timeouts of ten seconds, on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(25);

const GET: &str = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";

/// A connection with the smallest receive buffer.
async fn narrow(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    socket.connect(address).await.unwrap()
}

/// Reads and drops everything until the server closes the connection; returns the seconds.
async fn closed(stream: &mut TcpStream) -> f64 {
    let start = Instant::now();
    let mut buffer = [0; 1_024];
    let end = async { while !matches!(stream.read(&mut buffer).await, Ok(0) | Err(_)) {} };
    timeout(TIMEOUT, end).await.expect("it is closed");
    start.elapsed().as_secs_f64()
}

fn after_ten(seconds: f64, what: &str) {
    assert!((8.5..20.0).contains(&seconds), "{what}: closed after {seconds} s");
}

/// Sends nothing.
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
    let start = Instant::now();
    let mut response = Vec::new();
    drop(timeout(TIMEOUT, from.read_to_end(&mut response)).await.expect("it is closed"));
    sending.abort();
    assert_eq!(String::from_utf8_lossy(&response), "");
    after_ten(start.elapsed().as_secs_f64(), "a trickle");
}

/// Sends a request and a part of a second one.
async fn half_second_request(address: SocketAddr) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut response = [0; 15];
    stream.read_exact(&mut response).await.unwrap();
    assert_eq!(&response, b"HTTP/1.1 200 OK");
    sleep(Duration::from_secs(2)).await;
    stream.write_all(b"GET /met").await.unwrap();
    after_ten(closed(&mut stream).await, "half of a second request");
}

/// Requests a large response and does not read it. Only the metrics of the server show the result.
async fn reads_nothing(address: SocketAddr) {
    let mut stream = narrow(address).await;
    stream.write_all(GET.as_bytes()).await.unwrap();
    sleep(Duration::from_secs(15)).await;
}

/// Announces a body and does not send it.
async fn announces_a_body(address: SocketAddr) {
    let request = "POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx";
    let response = timeout(Duration::from_secs(5), exchange(address, request)).await.expect("an immediate response");
    assert!(response.starts_with("HTTP/1.1 413") && response.contains("connection: close\r\n"), "{response}");
}

#[tokio::test]
async fn slow_clients_are_closed_and_counted() {
    let exporter = Start::new().tokens(2_000).run().await;
    let address = exporter.address();
    tokio::join!(
        silent(address),
        trickles(address),
        half_second_request(address),
        reads_nothing(address),
        announces_a_body(address),
        silent(exporter.probe_address),
    );
    assert_eq!(exporter.closed("slow_request").await, 4);
    assert_eq!(exporter.closed("slow_reader").await, 1);
    let metrics = exporter.metrics().await;
    assert_eq!(sample(&metrics, "http_requests_total{code=\"413\",path=\"/-/reload\"}"), 1);
    assert_eq!(sample(&metrics, "http_connections"), 1, "only the one that reads the metrics");
}

#[tokio::test]
async fn slow_clients_over_tls_are_closed_and_counted() {
    let authority = Authority::new();
    let start =
        Start::new().tokens(2_000).web_config("tls_server_config: {cert_file: server.pem, key_file: server.key}\n");
    authority.issue_to(start.directory());
    let exporter = start.run().await;
    let url = format!("https://localhost:{}/metrics", exporter.address().port());
    let client = authority.client(None);
    let half_handshake = async {
        let mut stream = TcpStream::connect(exporter.address()).await.unwrap();
        stream.write_all(&[0x16, 3, 1]).await.unwrap();
        after_ten(closed(&mut stream).await, "half a handshake");
    };
    let reads_nothing = async {
        let ca = reqwest::Certificate::from_pem(authority.pem.as_bytes()).unwrap();
        let client = reqwest::Client::builder().no_proxy().no_gzip().tls_certs_only([ca]);
        let client = client.http2_initial_stream_window_size(65_535).build().unwrap();
        let response = client.get(&url).send().await.unwrap();
        assert_eq!(response.version(), reqwest::Version::HTTP_2);
        sleep(Duration::from_secs(15)).await;
        assert!(response.bytes().await.is_err(), "the connection is closed");
    };
    let no_tls = async {
        assert!(!exchange(exporter.address(), GET).await.contains("token"));
    };
    tokio::join!(silent(exporter.address()), half_handshake, reads_nothing, no_tls);
    let metrics = client.get(&url).send().await.unwrap().text().await.unwrap();
    for (cause, count) in [("handshake", 3), ("slow_reader", 1), ("slow_request", 0)] {
        assert_eq!(sample(&metrics, &format!("http_connections_closed_total{{cause=\"{cause}\"}}")), count, "{cause}");
    }
}

#[tokio::test]
async fn malformed_requests_are_closed_and_counted() {
    let exporter = Start::new().run().await;
    let huge = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(200_000));
    for (request, count) in [("nonsense\r\n\r\n", 1), (&huge, 2)] {
        let response = exchange(exporter.address(), request).await;
        assert!(response.is_empty() || response.starts_with("HTTP/1.1 4"), "{response}");
        assert_eq!(exporter.closed("malformed").await, count);
    }
}

/// Scrapes as Prometheus does; returns the duration.
async fn scrape(exporter: &Exporter) -> Duration {
    let start = Instant::now();
    let request = "GET /metrics HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n";
    let response = timeout(Duration::from_secs(5), exchange(exporter.address(), request)).await.expect("a response");
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
    start.elapsed()
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
async fn scrape_succeeds_with_1000_idle_or_slow_clients() {
    let mut limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current = limit.maximum;
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
    let exporter = Start::new().tokens(2_000).run().await;
    let address = exporter.address();
    let alone = scrape(&exporter).await;
    let before = exporter.memory();
    let slow = [
        open(address, 400, "").await,
        open(address, 300, "GET /metrics HT").await,
        // Compressed, plain, and a page that is rendered for each.
        open(address, 300, &GET.replace("Host", "Accept-Encoding: gzip\r\nHost")).await,
        open(address, 50, GET).await,
        open(address, 50, "GET /api/v1/tokens HTTP/1.1\r\nHost: x\r\n\r\n").await,
    ];
    let mut scrapes = Vec::new();
    for _ in 0..11 {
        scrapes.push(scrape(&exporter).await);
    }
    scrapes.sort();
    let (median, slowest) = (scrapes[5], scrapes[10]);
    let grown = exporter.memory().saturating_sub(before);
    eprintln!(
        "scrape alone {alone:?}; with 1,100 connections median {median:?}, maximum {slowest:?}; memory +{grown} MiB"
    );
    // The machine may be busy with other tests. Prometheus waits for ten seconds.
    assert!(median < Duration::from_secs(1) && slowest < Duration::from_secs(4), "{scrapes:?}, alone {alone:?}");
    assert!(grown < 150, "{grown} MiB");

    // Over the connection limit: idle connections are evicted, and a scrape gets its response.
    let more = open(address, 1_500, "").await;
    assert!(scrape(&exporter).await < Duration::from_secs(4));
    // Compressed: a plain page could wait until the slow readers of the others are closed.
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let metrics = client.get(format!("http://{address}/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(sample(&metrics, "http_connections_closed_total{cause=\"full\"}") > 0, "connections were evicted");
    assert!(sample(&metrics, "http_connections") <= 2_010);
    assert!(exporter.probe("/-/healthy").await.starts_with("HTTP/1.1 200"));
    drop((slow, more));
}

/// Each page shows a part of the tokens, so it must take far less than the list of all of them. CPU times of the same process are compared,
/// since the load of a machine changes the time that passes.
#[tokio::test]
async fn page_of_10_000_tokens_takes_less_than_their_list() {
    let exporter = Start::new().tokens(10_000).run().await;
    let cpu_time = async |path: &str, expected: &str| {
        let before = exporter.cpu_time();
        for _ in 0..5 {
            let response =
                exchange(exporter.address(), &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
                    .await;
            assert!(response.starts_with("HTTP/1.1 200") && response.contains(expected), "{path}: {response:.300}");
        }
        exporter.cpu_time() - before
    };
    let list = cpu_time("/api/v1/tokens?limit=10000", "\"total\":10000").await;
    assert!(list > 10, "too short to compare: {list}");
    for path in
        ["/", "/?offset=9950", "/?sort=-name", "/?q=9---", "/token/manual/t7", "/owner", "/finding", "/source/manual"]
    {
        let page = cpu_time(path, "</html>").await;
        // The slowest takes a twelfth.
        assert!(4 * page < list, "{path}: {page} hundredths of a second, the list: {list}");
    }
}
