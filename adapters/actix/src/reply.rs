//! A reply of the HTTP policy as an actix response.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, Responder, ResponseError};
use latchbook_http::Reply;

/// A refusal, ready to be sent: the error of every extractor here. actix makes a response of it where the handler would
/// have made one, so that middleware around the route (CORS, say) adds its fields to it as to any other.
///
/// A handler that calls the authority itself turns its refusal into one by [`Gate::refuse`](crate::Gate::refuse):
///
/// ```
/// use latchbook_actix::{Gate, Refused};
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

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused with status {}", self.0.status)
    }
}

impl ResponseError for Refused {
    fn status_code(&self) -> StatusCode {
        status(&self.0)
    }

    fn error_response(&self) -> HttpResponse {
        respond(self.0.clone())
    }
}

impl Responder for Refused {
    type Body = actix_web::body::BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        respond(self.0)
    }
}

/// `reply`, field by field.
pub(crate) fn respond(reply: Reply) -> HttpResponse {
    let mut response = HttpResponse::build(status(&reply));
    for field in reply.headers {
        response.append_header(field);
    }
    // INVARIANT: the policy prints statuses and fields that HTTP allows; should it not, nothing half-right leaves.
    response.body(reply.body)
}

fn status(reply: &Reply) -> StatusCode {
    StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_and_fields_arrive_as_they_are() {
        let headers = vec![("allow", "GET, HEAD".to_owned()), ("www-authenticate", "Bearer realm=\"a\"".to_owned())];
        let response = respond(Reply { status: 405, headers, body: b"{}".to_vec() });
        assert_eq!(response.status(), 405);
        assert_eq!(response.headers().get("allow").unwrap(), "GET, HEAD");
        assert_eq!(response.headers().get("www-authenticate").unwrap(), "Bearer realm=\"a\"");
    }

    #[test]
    fn a_field_that_http_forbids_never_leaves() {
        let headers = vec![("www-authenticate", "Bearer\r\nset-cookie: a=b".to_owned())];
        let response = respond(Reply { status: 401, headers, body: Vec::new() });
        assert_eq!(response.status(), 500);
        assert!(response.headers().get("www-authenticate").is_none());
    }
}
