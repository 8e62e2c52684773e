//! TLS handshakes: bounded in number and in time, so that a silent client stops nobody but itself.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How many may run at once; half of the file descriptors that a process usually has.
const MOST: usize = 512;

/// The handshakes that run. Dropping this ends them all.
pub(crate) struct Handshakes {
    acceptor: TlsAcceptor,
    most: usize,
    longest: Duration,
    /// Oldest first. A sender that is dropped ends its handshake.
    running: VecDeque<oneshot::Sender<Infallible>>,
}

impl Handshakes {
    /// Handshakes by `config`, each of which may take as long as `longest`; none runs yet.
    pub(crate) fn new(config: Arc<ServerConfig>, longest: Duration) -> Self {
        Self { acceptor: TlsAcceptor::from(config), most: MOST, longest, running: VecDeque::new() }
    }

    /// One more handshake, to be awaited in a task of its own; `None` if it came to nothing. Where too many run, the
    /// oldest gives way: a client that speaks is through long before it is the oldest.
    pub(crate) fn begin<S>(&mut self, stream: S) -> impl Future<Output = Option<TlsStream<S>>> + Send + use<S>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        if self.running.len() >= self.most {
            self.running.retain(|handshake| !handshake.is_closed());
        }
        if self.running.len() >= self.most {
            self.running.pop_front();
        }
        let (running, displaced) = oneshot::channel();
        self.running.push_back(running);
        let handshake = tokio::time::timeout(self.longest, self.acceptor.accept(stream));
        async move {
            tokio::select! {
                ended = handshake => match ended {
                    Ok(Ok(stream)) => Some(stream),
                    Ok(Err(error)) => {
                        tracing::debug!(error = ?error.to_string(), "TLS handshake failed");
                        None
                    }
                    Err(_) => None,
                },
                _ = displaced => None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use rustls_pki_types::PrivateKeyDer;
    use tokio::io::duplex;

    use super::*;

    fn handshakes(most: usize) -> Handshakes {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = builder.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key).unwrap();
        Handshakes { most, ..Handshakes::new(Arc::new(config), Duration::from_secs(10)) }
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_of_too_many_handshakes_gives_way() {
        let mut handshakes = handshakes(2);
        let mut clients = Vec::new();
        let mut silent = || {
            let (client, server) = duplex(1024);
            clients.push(client);
            tokio::spawn(handshakes.begin(server))
        };
        let (first, second) = (silent(), silent());
        tokio::task::yield_now().await;
        assert!(!first.is_finished() && !second.is_finished());
        let third = silent();
        assert!(first.await.unwrap().is_none());
        assert!(!second.is_finished() && !third.is_finished());
        drop(handshakes);
        assert!(second.await.unwrap().is_none() && third.await.unwrap().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_handshake_ends_by_itself() {
        let mut handshakes = handshakes(2);
        let (_client, server) = duplex(1024);
        assert!(handshakes.begin(server).await.is_none());
    }
}
