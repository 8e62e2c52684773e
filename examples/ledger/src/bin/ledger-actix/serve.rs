//! Serves until a signal comes, then drains for a bounded time.

use std::io;
use std::sync::Arc;

use actix_web::middleware::from_fn;
use actix_web::web::ServiceConfig;
use actix_web::{App, HttpServer};
use latchbook_ledger::program::Patience;
use rustls::ServerConfig;
use tokio::net::TcpListener;

use crate::body::bounded;

/// Serves `routes` on `listener`, with TLS where `tls` is there, until `stop` comes. Idle connections are closed at once
/// then, busy ones within the drain.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    routes: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
    patience: Patience,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let within = patience.body;
    let server = HttpServer::new(move || {
        App::new().configure(routes.clone()).wrap(from_fn(move |request, next| bounded(within, request, next)))
    });
    let server = server
        .client_request_timeout(patience.head)
        .keep_alive(patience.head)
        .tls_handshake_timeout(patience.handshake)
        .shutdown_timeout(patience.drain.as_secs())
        // Answers are small and written whole: waiting to fill a packet would only delay them.
        .tcp_nodelay(true)
        .disable_signals();
    let listener = listener.into_std()?;
    let server = match tls {
        None => server.listen(listener)?,
        Some(config) => server.listen_rustls_0_23(listener, ServerConfig::clone(&config))?,
    };
    let server = server.run();
    let handle = server.handle();
    let mut server = std::pin::pin!(server);
    tokio::select! {
        ended = &mut server => return ended,
        () = stop => {}
    }
    let (ended, ()) = tokio::join!(server, handle.stop(true));
    ended
}

#[cfg(test)]
#[path = "../../serving_tests.rs"]
mod tests;

#[cfg(test)]
/// Serves the length of bodies at `POST /` with little patience; sending on the second value stops it.
async fn served(
    patience: Patience,
) -> (std::net::SocketAddr, tokio::sync::oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
    use actix_web::{HttpRequest, web};

    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let length = async |request: HttpRequest, body: String| {
        assert!(request.peer_addr().is_some_and(|peer| peer.ip().is_loopback()));
        body.len().to_string()
    };
    let routes = move |config: &mut ServiceConfig| {
        config.route("/", web::post().to(length));
    };
    let stop_signal = async { drop(stopped.await) };
    let serving = async move { serve(listener, None, routes, patience, stop_signal).await.expect("a clean end") };
    (address, stop, tokio::spawn(serving))
}
