//! What a client can draw out is bounded: the same for every program, each of which serves by its own `served`.

use std::net::SocketAddr;
use std::time::Duration;

use latchbook_ledger::program::Patience;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::served;

const LITTLE: Patience = Patience {
    head: Duration::from_secs(2),
    body: Duration::from_millis(300),
    handshake: Duration::from_millis(300),
    drain: Duration::from_secs(20),
};

const HEAD: &str = "POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 4\r\n\r\n";

/// What is answered to `request`, up to the end of the connection.
async fn answer(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    let read = tokio::time::timeout(Duration::from_secs(30), stream.read_to_string(&mut text)).await;
    let _ = read.expect("the server ends the connection");
    text
}

#[tokio::test]
async fn a_whole_request_is_answered_and_its_connection_ends_once_it_is_idle_too_long() {
    let (address, _stop, _) = served(LITTLE).await;
    let text = answer(address, &format!("{HEAD}1234")).await;
    assert!(text.starts_with("HTTP/1.1 200 ") && text.contains("\r\n\r\n4"), "{text}");
}

#[tokio::test]
async fn a_slow_head_ends_the_connection() {
    let (address, _stop, _) = served(LITTLE).await;
    for request in ["", "POST / HTTP/1.1\r\nHost: h"] {
        let text = answer(address, request).await;
        assert!(!text.contains(" 200 "), "{text}");
    }
}

#[tokio::test]
async fn a_slow_body_is_refused() {
    // So that it is not the head that is late, where the machine is busy.
    let (address, _stop, _) = served(Patience { head: Duration::from_secs(60), ..LITTLE }).await;
    let chunked = "POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n12";
    for request in [&*format!("{HEAD}12"), chunked] {
        let text = answer(address, request).await;
        assert!(text.starts_with("HTTP/1.1 400 "), "{text}");
    }
}

#[tokio::test]
async fn the_signal_ends_idle_connections_at_once() {
    let (address, stop, server) = served(LITTLE).await;
    let _idle = TcpStream::connect(address).await.unwrap();
    let mut used = TcpStream::connect(address).await.unwrap();
    used.write_all(format!("{HEAD}1234").as_bytes()).await.unwrap();
    used.read_exact(&mut [0; 12]).await.unwrap();
    stop.send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(10), server).await.expect("well within the drain").unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}
