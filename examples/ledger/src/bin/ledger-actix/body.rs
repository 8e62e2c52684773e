//! A request's body that has to arrive within a bounded time.

use std::cell::RefCell;
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use actix_web::{Error, HttpMessage as _};
use futures_core::Stream;
use latchbook::actix::close_unless_read;
use tokio::time::{Sleep, sleep};

/// Bounds the time that the body of `request` may take, where it has one.
pub(crate) async fn bounded(
    within: Duration,
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let body = match request.take_payload() {
        Payload::None => return next.call(request).await,
        body => Rc::new(RefCell::new(body)),
    };
    let timely = Timely { body: Rc::clone(&body), within, late: None };
    request.set_payload(Payload::Stream { payload: Box::pin(timely) });
    // However a body was left, its connection is not kept for the rest of it.
    let (request, response) = next.call(request).await?.into_parts();
    Ok(ServiceResponse::new(request, close_unless_read(response, body)))
}

/// The body as it comes in, or an error once it is late.
struct Timely {
    body: Rc<RefCell<Payload>>,
    within: Duration,
    /// Runs from the first time that there was nothing to read; most bodies are there at once.
    late: Option<Pin<Box<Sleep>>>,
}

impl Stream for Timely {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if let Poll::Ready(chunk) = Pin::new(&mut *this.body.borrow_mut()).poll_next(context) {
            return Poll::Ready(chunk);
        }
        let within = this.within;
        let late = this.late.get_or_insert_with(|| Box::pin(sleep(within)));
        late.as_mut().poll(context).map(|()| Some(Err(PayloadError::Io(io::ErrorKind::TimedOut.into()))))
    }
}
