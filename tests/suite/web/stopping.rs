//! How the program stops: what was asked for is answered, and nobody can hold it up.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::sleep;

use super::program::{Start, exchange};

const GET: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";

/// A connection that has asked for the metrics, of which its system takes in next to nothing.
async fn asking(address: std::net::SocketAddr) -> TcpStream {
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
async fn it_stops_at_once_where_nothing_is_under_way() {
    let program = Start::new().go().await;
    let mut idle = Vec::new();
    for sent in ["", "GET /metrics HT", "GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"] {
        let mut stream = TcpStream::connect(program.address()).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        idle.push(stream);
    }
    sleep(Duration::from_millis(300)).await;
    program.terminate();
    let (code, took) = program.end().await;
    assert!(code == Some(0) && took < Duration::from_secs(1), "{code:?} after {took:?}");
}

#[tokio::test]
async fn a_scrape_under_way_comes_to_its_end_and_readiness_ends_first() {
    let program = Start::new().tokens(2_000).go().await;
    let whole = program.metrics().await.len();
    let mut scrape = asking(program.address()).await;
    program.terminate();
    let patience = Instant::now() + Duration::from_secs(5);
    loop {
        let ready = program.probe("/-/ready").await;
        if ready.starts_with("HTTP/1.1 503") {
            assert!(ready.ends_with("not ready: the program is stopping\n"), "{ready}");
            break;
        }
        assert!(Instant::now() < patience, "{ready}");
    }
    assert!(program.probe("/-/healthy").await.starts_with("HTTP/1.1 200"), "a restart would not help");
    // A slow reader: the whole of it takes some seconds.
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
    assert_eq!(exchange(program.address(), "GET / HTTP/1.0\r\n\r\n").await, "", "no new one is let in");
    let (code, took) = program.end().await;
    assert!(code == Some(0) && took < Duration::from_secs(2), "{code:?} after {took:?}");
}

#[tokio::test]
async fn whoever_takes_nothing_cannot_hold_it_up() {
    let program = Start::new().tokens(2_000).go().await;
    let _hanging = [asking(program.address()).await, asking(program.address()).await];
    let probing = TcpStream::connect(program.probes).await.unwrap();
    program.terminate();
    let (code, took) = program.end().await;
    assert!(code == Some(0) && took < Duration::from_secs(13), "{code:?} after {took:?}");
    drop(probing);
}
