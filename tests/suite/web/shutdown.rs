//! Shutdown: requests in flight get their response, and no client can delay it.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::sleep;

use super::exporter::{Start, exchange};

const GET: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";

/// A connection that has requested the metrics, with the smallest receive buffer.
async fn requesting(address: std::net::SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    stream.write_all(GET).await.unwrap();
    let mut first = [0; 15];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    stream
}

#[tokio::test]
async fn shutdown_is_immediate_without_requests_in_flight() {
    let exporter = Start::new().run().await;
    let mut idle = Vec::new();
    for sent in ["", "GET /metrics HT", "GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"] {
        let mut stream = TcpStream::connect(exporter.address()).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        idle.push(stream);
    }
    sleep(Duration::from_millis(300)).await;
    exporter.terminate();
    let (code, took) = exporter.wait().await;
    assert!(code == Some(0) && took < Duration::from_secs(1), "{code:?} after {took:?}");
}

#[tokio::test]
async fn shutdown_fails_readiness_first_and_finishes_a_scrape() {
    let exporter = Start::new().tokens(2_000).run().await;
    let whole = exporter.metrics().await.len();
    let mut scrape = requesting(exporter.address()).await;
    exporter.terminate();
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let ready = exporter.probe("/-/ready").await;
        if ready.starts_with("HTTP/1.1 503") {
            assert!(ready.ends_with("not ready: shutting down\n"), "{ready}");
            break;
        }
        assert!(Instant::now() < deadline, "{ready}");
    }
    assert!(exporter.probe("/-/healthy").await.starts_with("HTTP/1.1 200"), "healthy until it exits");
    // A slow reader: the whole response takes seconds.
    let (mut taken, mut buffer) = (0, vec![0; 64 * 1_024]);
    loop {
        let count = scrape.read(&mut buffer).await.unwrap();
        if count == 0 {
            break;
        }
        taken += count;
        sleep(Duration::from_millis(1)).await;
    }
    assert!(taken > whole * 9 / 10, "{taken} of about {whole} bytes");
    assert_eq!(exchange(exporter.address(), "GET / HTTP/1.0\r\n\r\n").await, "", "no new connection is accepted");
    let (code, took) = exporter.wait().await;
    assert!(code == Some(0) && took < Duration::from_secs(2), "{code:?} after {took:?}");
}

#[tokio::test]
async fn client_that_reads_nothing_cannot_delay_shutdown() {
    let exporter = Start::new().tokens(2_000).run().await;
    let _hanging = [requesting(exporter.address()).await, requesting(exporter.address()).await];
    let probing = TcpStream::connect(exporter.probe_address).await.unwrap();
    exporter.terminate();
    let (code, took) = exporter.wait().await;
    assert!(code == Some(0) && took < Duration::from_secs(13), "{code:?} after {took:?}");
    drop(probing);
}
