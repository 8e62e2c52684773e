//! A reply of the HTTP policy as an axum response.

use axum::body::Body;
use axum::http::{Response as Builder, StatusCode};
use axum::response::{IntoResponse, Response};
use latchbook_http::Reply;

/// A refusal, ready to be sent: the rejection of every extractor here.
///
/// A handler that calls the authority itself turns its refusal into one by [`Gate::refuse`](crate::Gate::refuse):
///
/// ```
/// use latchbook_axum::{Gate, Refused};
/// use latchbook_core::authority::Refusal;
///
/// fn refused(gate: &Gate, refusal: &Refusal) -> Refused {
///     Refused::from(gate.refuse(refusal))
/// }
/// ```
#[derive(Debug)]
pub struct Refused(Reply);

impl Refused {
    /// The reply itself.
    #[must_use]
    pub fn into_inner(self) -> Reply {
        self.0
    }
}

impl From<Reply> for Refused {
    fn from(reply: Reply) -> Self {
        Self(reply)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        respond(self.0)
    }
}

/// `reply`, field by field.
pub(crate) fn respond(reply: Reply) -> Response {
    let mut response = Builder::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    // INVARIANT: the policy prints statuses and fields that HTTP allows; should it not, nothing half-right leaves.
    response.body(Body::from(reply.body)).unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_and_fields_arrive_as_they_are() {
        let headers = vec![("allow", "GET, HEAD".to_owned()), ("www-authenticate", "Bearer realm=\"a\"".to_owned())];
        let response = respond(Reply { status: 405, headers, body: b"{}".to_vec() });
        assert_eq!(response.status(), 405);
        assert_eq!(response.headers()["allow"], "GET, HEAD");
        assert_eq!(response.headers()["www-authenticate"], "Bearer realm=\"a\"");
    }

    #[test]
    fn a_field_that_http_forbids_never_leaves() {
        let headers = vec![("www-authenticate", "Bearer\r\nset-cookie: a=b".to_owned())];
        let response = respond(Reply { status: 401, headers, body: Vec::new() });
        assert_eq!(response.status(), 500);
        assert!(response.headers().get("www-authenticate").is_none());
    }
}
