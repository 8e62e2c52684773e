//! A server in the background, and a client that sends exactly what it is told.

use std::net::{SocketAddr, TcpListener};

use axum::Router;
pub use latchbook_axum::testing::RawRequest as Raw;
use latchbook_axum::testing::{Answer, send_over_socket};

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

/// Sends a request to a server.
pub trait OverWire {
    /// Sends it on a connection of its own, off the runtime's threads.
    fn send(self, to: SocketAddr) -> impl Future<Output = Answer>;
}

impl OverWire for Raw {
    async fn send(self, to: SocketAddr) -> Answer {
        let sent = tokio::task::spawn_blocking(move || {
            send_over_socket(to, &self).unwrap_or_else(|error| panic!("{self:?}: {error}"))
        });
        sent.await.expect("an answer")
    }
}
