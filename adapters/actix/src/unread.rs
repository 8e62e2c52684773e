//! Bodies of requests that nobody reads to their end.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::HttpResponse;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::web::Bytes;

/// `response`, which holds `payload`, its request's, until it is sent.
///
/// actix reads a chunked body that was dropped to its end, and keeps the connection for as long as a client cares to draw
/// that out. It closes the connection instead where an unfinished body is still held once the response is sent. The
/// contract's routes do this by themselves; middleware of the host can do it for all its routes.
#[must_use]
pub fn close_unless_read(response: HttpResponse, payload: impl Unpin + 'static) -> HttpResponse {
    response.map_body(|_, body| BoxBody::new(Holding { body, _payload: payload }))
}

/// A response's body, and what is held for as long as it is.
struct Holding<P> {
    body: BoxBody,
    _payload: P,
}

impl<P: Unpin> MessageBody for Holding<P> {
    type Error = Box<dyn Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_next(context)
    }
}
