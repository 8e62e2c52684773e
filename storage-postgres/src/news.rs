//! The listener: a connection of its own, on which the server tells that something was announced.

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use latchbook_core::key_store::News;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio_postgres::{AsyncMessage, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::address::Target;

/// The way to the server for a listener.
pub(crate) struct Way {
    pub(crate) config: Config,
    pub(crate) connector: MakeRustlsConnect,
}

/// Listens until it is dropped. Nothing relies on it: what it misses is read a little later.
pub(crate) struct Listener {
    heard: watch::Sender<()>,
    /// Whether the server takes `LISTEN`, and so `NOTIFY`.
    taken: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Listener {
    /// Starts to listen on the channel that has the schema's name, and waits for the server's first answer, but no longer
    /// than `timeout`.
    pub(crate) async fn start(mut way: Way, target: &Target, timeout: Duration) -> Self {
        // A connection that hears nothing for hours must still notice that the server is gone.
        way.config.keepalives_idle(KEEP_ALIVE).keepalives_interval(KEEP_ALIVE);
        let (heard, _) = watch::channel(());
        let taken = Arc::new(AtomicBool::new(false));
        let (answered, answer) = oneshot::channel();
        let listening = Listening {
            way,
            listen: format!("LISTEN {}", target.quoted_schema()),
            heard: heard.clone(),
            taken: Arc::clone(&taken),
            answered: Some(answered),
        };
        let task = tokio::spawn(listening.run());
        let _ = tokio::time::timeout(timeout, answer).await;
        Self { heard, taken, task }
    }

    /// Whether a commit may send `NOTIFY`.
    pub(crate) fn takes_notices(&self) -> bool {
        self.taken.load(Ordering::Relaxed)
    }

    /// The server refused a `NOTIFY`: none is sent until it takes a `LISTEN` again.
    pub(crate) fn refused(&self) {
        self.taken.store(false, Ordering::Relaxed);
    }

    pub(crate) fn news(&self) -> News {
        let mut heard = self.heard.subscribe();
        Box::pin(async move {
            if heard.changed().await.is_err() {
                // The store is closed: there is no more to hear.
                std::future::pending::<()>().await;
            }
        })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Listening {
    way: Way,
    listen: String,
    heard: watch::Sender<()>,
    taken: Arc<AtomicBool>,
    answered: Option<oneshot::Sender<()>>,
}

/// Why a connection is not listened on any more.
enum End {
    Lost,
    /// The server has no `LISTEN`.
    Refused,
}

impl Listening {
    async fn run(mut self) {
        let mut wait = SHORTEST;
        loop {
            let mut listened = false;
            let end = self.listen(&mut listened).await;
            drop(self.answered.take());
            if matches!(end, End::Refused) {
                return self.taken.store(false, Ordering::Relaxed);
            }
            if listened {
                wait = SHORTEST;
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST);
        }
    }

    async fn listen(&mut self, listened: &mut bool) -> End {
        let Ok((client, mut connection)) = self.way.config.connect(self.way.connector.clone()).await else {
            return End::Lost;
        };
        let mut asked = pin!(client.batch_execute(&self.listen));
        let (heard, taken, answered) = (&self.heard, &self.taken, &mut self.answered);
        poll_fn(|context| {
            if !*listened {
                match asked.as_mut().poll(context) {
                    Poll::Ready(Ok(())) => {
                        *listened = true;
                        taken.store(true, Ordering::Relaxed);
                        drop(answered.take());
                        // What was sent while nobody listened is gone.
                        heard.send_replace(());
                    }
                    Poll::Ready(Err(error)) => {
                        let passing = error.code().is_none_or(|code| code.code().starts_with("57"));
                        return Poll::Ready(if passing { End::Lost } else { End::Refused });
                    }
                    Poll::Pending => {}
                }
            }
            loop {
                match connection.poll_message(context) {
                    Poll::Ready(Some(Ok(AsyncMessage::Notification(_)))) => {
                        heard.send_replace(());
                    }
                    Poll::Ready(Some(Ok(_))) => {}
                    Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(End::Lost),
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await
    }
}

const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// How long it waits before it connects again, the first time and at most.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(30);
