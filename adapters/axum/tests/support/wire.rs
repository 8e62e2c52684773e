//! HTTP as bytes over a real socket: a server in the background, and a client that sends exactly what it is told.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::Answer;

/// Serves `app` until the runtime ends; answers where.
pub fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.set_nonblocking(true).expect("a socket");
    let address = listener.local_addr().expect("an address");
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

/// A request as it goes over the wire: field values are bytes, the target is sent undecoded.
#[derive(Clone, Debug, Default)]
pub struct Raw {
    pub method: String,
    pub target: String,
    pub fields: Vec<(String, Vec<u8>)>,
    pub body: Option<Vec<u8>>,
    /// What comes after the head besides, with no field that says how much it is.
    pub rest: Vec<u8>,
}

impl Raw {
    pub fn new(method: &str, target: &str) -> Self {
        Self { method: method.to_owned(), target: target.to_owned(), ..Self::default() }
    }

    pub fn field(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.fields.push((name.to_owned(), value.into()));
        self
    }

    pub fn json(self, body: &serde_json::Value) -> Self {
        let body = Some(body.to_string().into_bytes());
        Self { body, ..self.field("Content-Type", "application/json") }
    }

    pub fn followed_by(self, rest: Vec<u8>) -> Self {
        Self { rest, ..self }
    }

    /// Sends it on a connection of its own, off the runtime's threads.
    pub async fn send(self, to: SocketAddr) -> Answer {
        tokio::task::spawn_blocking(move || self.exchange(to)).await.expect("a client")
    }

    fn exchange(&self, to: SocketAddr) -> Answer {
        let mut stream = TcpStream::connect(to).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
        let mut writing = stream.try_clone().expect("a socket");
        let bytes = self.bytes();
        // A server that has heard enough answers and hangs up while the rest is still being sent.
        let writer = std::thread::spawn(move || {
            let _ = writing.write_all(&bytes);
            let _ = writing.flush();
        });
        let mut answer = Vec::new();
        if let Err(error) = stream.read_to_end(&mut answer) {
            assert!(error.kind() == ErrorKind::ConnectionReset && !answer.is_empty(), "{error}: {}", self.target);
        }
        let _ = stream.shutdown(Shutdown::Both);
        writer.join().expect("a writer");
        parse(&answer)
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n", self.method, self.target)
            .into_bytes();
        let mut put = |name: &str, value: &[u8]| {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        };
        for (name, value) in &self.fields {
            put(name, value);
        }
        if let Some(body) = &self.body {
            put("Content-Length", body.len().to_string().as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(self.body.as_deref().unwrap_or_default());
        bytes.extend_from_slice(&self.rest);
        bytes
    }
}

fn parse(answer: &[u8]) -> Answer {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or_else(|| {
        panic!("no answer: {:?}", String::from_utf8_lossy(answer));
    });
    let head = std::str::from_utf8(&answer[..end]).expect("an ASCII head");
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status line");
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ").or_else(|| line.split_once(':')).expect("a field");
        headers.append(
            HeaderName::from_bytes(name.as_bytes()).expect("a field name"),
            HeaderValue::from_str(value).expect("a field value"),
        );
    }
    // When it was sent says nothing about what was answered.
    headers.remove("date");
    Answer {
        status: StatusCode::from_bytes(status.as_bytes()).expect("a status"),
        headers,
        body: answer[end + 4..].to_vec(),
    }
}
