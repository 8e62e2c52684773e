//! A request's body that has to arrive within a bounded time.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::HttpMessage as _;
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::error::PayloadError;
use actix_web::web::Bytes;
use futures_core::Stream;
use tokio::time::{Sleep, sleep};

/// The body as it comes in, or an error once it is late.
struct Timely {
    body: Payload,
    within: Duration,
    /// Runs from the first time that there was nothing to read; most bodies are there at once.
    late: Option<Pin<Box<Sleep>>>,
}

/// Bounds the time that the body of `request` may take, where it has one.
pub(crate) fn bound(request: &mut ServiceRequest, within: Duration) {
    let body = match request.take_payload() {
        Payload::None => return,
        body => Timely { body, within, late: None },
    };
    request.set_payload(Payload::Stream { payload: Box::pin(body) });
}

impl Stream for Timely {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if let Poll::Ready(chunk) = Pin::new(&mut this.body).poll_next(context) {
            return Poll::Ready(chunk);
        }
        let within = this.within;
        let late = this.late.get_or_insert_with(|| Box::pin(sleep(within)));
        late.as_mut().poll(context).map(|()| Some(Err(PayloadError::Io(io::ErrorKind::TimedOut.into()))))
    }
}
