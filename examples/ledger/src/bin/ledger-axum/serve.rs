//! Serves until a signal comes, then drains for a bounded time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use latchbook_ledger::program::Patience;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tower_service::Service as _;

use crate::body::Timely;
use crate::tls::Handshakes;

/// Serves `app` on `listener`, with TLS where `tls` is there, until `stop` comes. Idle connections are closed at once
/// then, busy ones within the drain.
pub(crate) async fn serve(
    mut listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    app: Router,
    patience: Patience,
    stop: impl Future<Output = ()>,
) {
    let mut tls = tls.map(|config| Handshakes::new(config, patience.handshake));
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

#[cfg(test)]
#[path = "../../serving_tests.rs"]
mod tests;

#[cfg(test)]
/// Serves the length of bodies at `POST /` with little patience; sending on the second value stops it.
async fn served(patience: Patience) -> (SocketAddr, tokio::sync::oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let length = async |ConnectInfo(peer): ConnectInfo<SocketAddr>, body: String| {
        assert!(peer.ip().is_loopback());
        body.len().to_string()
    };
    let app = Router::new().route("/", axum::routing::post(length));
    let stop_signal = async { drop(stopped.await) };
    (address, stop, tokio::spawn(serve(listener, None, app, patience, stop_signal)))
}
