//! A request's head as the HTTP policy reads it: borrowed, not copied.

use std::borrow::Cow;

use actix_web::HttpRequest;
use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, X_FORWARDED_FOR};
use latchbook_http::{Fields, Gate};

/// The fields of `request`. The peer is the socket's.
pub(crate) fn fields(request: &HttpRequest, proxies: bool) -> Fields<'_> {
    let headers = request.headers();
    let forwarded_for = proxies.then(|| values(headers, &X_FORWARDED_FOR));
    let peer = request.peer_addr().map(|address| address.ip());
    Fields::new(values(headers, &AUTHORIZATION), forwarded_for, request.uri().query(), peer)
}

/// `gate` as it answers `request`: its refusals show the request's id, where the host named a field for it and that
/// came once.
#[inline]
pub(crate) fn for_request<'a>(gate: &'a Gate, request: &HttpRequest) -> Cow<'a, Gate> {
    gate.identified(|field| request.headers().get_all(field).map(HeaderValue::as_bytes))
}

/// The bytes of a field's values, in the order they came.
pub(crate) fn values<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    headers.get_all(name).map(HeaderValue::as_bytes)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, SocketAddr};

    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn values_keep_their_bytes_and_their_order() {
        let bytes = |bytes: &[u8]| HeaderValue::from_bytes(bytes).unwrap();
        let request = TestRequest::with_uri("/path?entityId=%41&b")
            .append_header(("authorization", bytes(b"Bearer \xff")))
            .append_header(("x-forwarded-for", "192.0.2.1"))
            .append_header(("Authorization", "second"))
            .append_header(("authorization", "third"))
            .append_header(("X-Forwarded-For", "192.0.2.2, 192.0.2.3"))
            .to_http_request();
        let found = fields(&request, true);
        let head = found.head();
        assert_eq!(head.authorization, [&b"Bearer \xff"[..], b"second"]);
        assert_eq!(head.forwarded_for, [&b"192.0.2.1"[..], b"192.0.2.2, 192.0.2.3"]);
        assert_eq!(head.query, Some("entityId=%41&b"));
        assert_eq!(head.peer, None);
        assert!(fields(&request, false).head().forwarded_for.is_empty());
    }

    #[test]
    fn the_peer_is_the_sockets() {
        let request = TestRequest::default().peer_addr(SocketAddr::from(([192, 0, 2, 1], 1))).to_http_request();
        let found = fields(&request, false);
        assert!(found.head().authorization.is_empty());
        assert_eq!(found.head().peer, Some(IpAddr::from([192, 0, 2, 1])));
    }
}
