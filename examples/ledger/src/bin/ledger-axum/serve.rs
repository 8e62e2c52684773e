//! Serves until a signal comes, then drains for a bounded time.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tower_service::Service as _;

use crate::body::Timely;
use crate::tls::Handshakes;

/// How long things may take that a client can draw out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// The head of a request, and the pause before it on an open connection.
    pub(crate) head: Duration,
    /// A request's body.
    pub(crate) body: Duration,
    /// Open requests after the signal to stop.
    pub(crate) drain: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { head: Duration::from_secs(30), body: Duration::from_secs(30), drain: Duration::from_secs(3) }
    }
}

/// Serves `app` on `listener`, with TLS where `tls` is there, until `stop` comes. Idle connections are closed at once
/// then, busy ones within the drain.
pub(crate) async fn serve(
    mut listener: TcpListener,
    mut tls: Option<Handshakes>,
    app: Router,
    patience: Patience,
    stop: impl Future<Output = ()>,
) {
    let connections = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(patience.head);
    let mut stop = std::pin::pin!(stop);
    loop {
        let (stream, peer) = tokio::select! {
            // axum's own accept, which outlives a lack of file descriptors.
            accepted = axum::serve::Listener::accept(&mut listener) => accepted,
            () = &mut stop => break,
        };
        // Answers are small and written whole: waiting to fill a packet would only delay them.
        let _ = stream.set_nodelay(true);
        let connection = Connection {
            http: http.clone(),
            peer,
            app: app.clone(),
            body: patience.body,
            watcher: connections.watcher(),
        };
        match &mut tls {
            None => drop(tokio::spawn(connection.serve(stream))),
            Some(handshakes) => {
                let handshake = handshakes.begin(stream);
                tokio::spawn(async move {
                    if let Some(stream) = handshake.await {
                        connection.serve(stream).await;
                    }
                });
            }
        }
    }
    drop((listener, tls));
    let _ = tokio::time::timeout(patience.drain, connections.shutdown()).await;
}

/// One connection, and what its requests need.
struct Connection {
    http: http1::Builder,
    peer: SocketAddr,
    app: Router,
    body: Duration,
    watcher: Watcher,
}

impl Connection {
    async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin + 'static) {
        let Self { http, peer, app, body, watcher } = self;
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let mut request: Request = request.map(|incoming| Body::new(Timely::new(incoming, body)));
            request.extensions_mut().insert(ConnectInfo(peer));
            app.clone().call(request)
        });
        let served = watcher.watch(http.serve_connection(TokioIo::new(stream), service)).await;
        if let Err(error) = served {
            tracing::debug!(error = ?error.to_string(), "connection ended early");
        }
    }
}

/// The signals that end the program: SIGTERM and SIGINT.
#[derive(Debug)]
pub(crate) struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    /// Takes the signals over, so that none is missed from here on.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            terminate: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?,
        })
    }

    /// Waits for one of them.
    pub(crate) async fn next(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::post;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    use tokio::sync::oneshot;

    use super::*;

    const HEAD: &str = "POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 4\r\n\r\n";

    /// Serves the length of bodies with little patience; sending on the second value stops it.
    async fn served() -> (SocketAddr, oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let length = async |ConnectInfo(peer): ConnectInfo<SocketAddr>, body: String| {
            assert!(peer.ip().is_loopback());
            body.len().to_string()
        };
        let patience = Patience {
            head: Duration::from_millis(300),
            body: Duration::from_millis(300),
            drain: Duration::from_secs(20),
        };
        let app = Router::new().route("/", post(length));
        let stop_signal = async { drop(stopped.await) };
        (address, stop, tokio::spawn(serve(listener, None, app, patience, stop_signal)))
    }

    /// What is answered to `request`, up to the end of the connection.
    async fn answer(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_string(&mut text)).await;
        let _ = read.expect("the server ends the connection");
        text
    }

    #[tokio::test]
    async fn a_whole_request_is_answered_and_its_connection_ends_once_it_is_idle_too_long() {
        let (address, _stop, _) = served().await;
        let text = answer(address, &format!("{HEAD}1234")).await;
        assert!(text.starts_with("HTTP/1.1 200 ") && text.contains("\r\n\r\n4"), "{text}");
    }

    #[tokio::test]
    async fn a_slow_head_ends_the_connection() {
        let (address, _stop, _) = served().await;
        for request in ["", "POST / HTTP/1.1\r\nHost: h"] {
            let text = answer(address, request).await;
            assert!(!text.contains(" 200 "), "{text}");
        }
    }

    #[tokio::test]
    async fn a_slow_body_is_refused() {
        let (address, _stop, _) = served().await;
        let text = answer(address, &format!("{HEAD}12")).await;
        assert!(text.starts_with("HTTP/1.1 400 "), "{text}");
    }

    #[tokio::test]
    async fn the_signal_ends_idle_connections_at_once() {
        let (address, stop, server) = served().await;
        let _idle = TcpStream::connect(address).await.unwrap();
        let mut used = TcpStream::connect(address).await.unwrap();
        used.write_all(format!("{HEAD}1234").as_bytes()).await.unwrap();
        used.read_exact(&mut [0; 12]).await.unwrap();
        stop.send(()).unwrap();
        tokio::time::timeout(Duration::from_secs(10), server).await.expect("well within the drain").unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }
}
