//! What is read of a request: borrowed parts, as bytes, before any of them is believed.

use std::fmt;
use std::net::IpAddr;

/// What the HTTP policy reads of a request's head. Field values are bytes, in the order in which they came.
///
/// `Debug` shows which parts came, never what they hold.
#[derive(Clone, Copy, Default)]
pub struct Head<'a> {
    /// The values of `Authorization`. The first two are enough: more than one is refused.
    pub authorization: &'a [&'a [u8]],
    /// The target's query, undecoded and without the `?`.
    pub query: Option<&'a str>,
    /// The address at the other end of the connection.
    pub peer: Option<IpAddr>,
    /// The values of `X-Forwarded-For`, all of them: they are read only behind a proxy that the host trusts.
    pub forwarded_for: &'a [&'a [u8]],
}

impl fmt::Debug for Head<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head")
            .field("authorization", &self.authorization.len())
            .field("query", &self.query.is_some())
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// A request to one of the [`endpoints`](crate::endpoints()).
///
/// `Debug` shows which parts came, never what they hold.
#[derive(Clone, Copy, Default)]
pub struct Request<'a> {
    /// Its head.
    pub head: Head<'a>,
    /// What stood in the place of the path's `{…}`, percent-decoded once; `None` where the path has no such place, or
    /// where it was not decodable.
    pub parameter: Option<&'a str>,
    /// The value of `Content-Type`.
    pub content_type: Option<&'a [u8]>,
    /// The values of `Idempotency-Key`. The first two are enough: more than one is refused.
    pub idempotency_key: &'a [&'a [u8]],
    /// The body, at most the endpoint's `max_body` bytes of it: longer ones are answered by
    /// [`Endpoint::payload_too_large`](crate::Endpoint::payload_too_large).
    pub body: &'a [u8],
}

impl Request<'_> {
    /// Whether its body is said to be of `media_type`, whatever the parameters after that.
    pub(crate) fn is_media_type(&self, media_type: &str) -> bool {
        let said = self.content_type.and_then(|value| value.split(|&byte| byte == b';').next());
        said.is_some_and(|said| said.trim_ascii().eq_ignore_ascii_case(media_type.as_bytes()))
    }
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("head", &self.head)
            .field("parameter", &self.parameter.is_some())
            .field("idempotency_key", &self.idempotency_key.len())
            .field("body", &format_args!("{} bytes", self.body.len()))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l1_debug_shows_neither_credential_nor_body() {
        let request = Request {
            head: Head { authorization: &[b"Bearer hunter2"], query: Some("access_token=hunter2"), ..Head::default() },
            parameter: Some("hunter2"),
            idempotency_key: &[b"hunter2"],
            body: b"{\"apiKey\":\"hunter2\"}",
            ..Request::default()
        };
        for shown in [format!("{request:?}"), format!("{request:#?}")] {
            assert!(!shown.contains("hunter2") && !shown.contains("104"), "{shown}");
        }
    }
}
