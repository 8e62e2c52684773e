//! A request's head as the HTTP policy reads it: borrowed, not copied.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use axum::extract::connect_info::{ConnectInfo, MockConnectInfo};
use axum::http::header::{AUTHORIZATION, GetAll, HeaderName};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use latchbook_http::{Fields, Gate};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The parts of a head that the policy reads, in `headers` of a request without a query, which came from `peer`. For
/// code that has fields and no extractor, such as a tonic handler that wants to know who calls:
///
/// ```
/// use axum::http::HeaderMap;
/// use latchbook_axum::{Gate, fields_of};
/// use latchbook_core::authority::Principal;
/// use latchbook_http::{Reply, Serves};
///
/// async fn caller(gate: &Gate, headers: &HeaderMap) -> Result<Principal, Reply> {
///     gate.principal(&fields_of(headers, None).head(), Serves::Home).await
/// }
/// ```
#[must_use]
pub fn fields_of(headers: &HeaderMap, peer: Option<IpAddr>) -> Fields<'_> {
    found(headers, true, None, peer)
}

/// The fields of `parts`. The peer is the socket's, known where the server was started with
/// `into_make_service_with_connect_info::<SocketAddr>()`.
pub(crate) fn fields(parts: &Parts, proxies: bool) -> Fields<'_> {
    found(&parts.headers, proxies, parts.uri.query(), peer(parts))
}

fn found<'a>(headers: &'a HeaderMap, proxies: bool, query: Option<&'a str>, peer: Option<IpAddr>) -> Fields<'a> {
    let forwarded_for = proxies.then(|| values(headers.get_all(&X_FORWARDED_FOR)));
    Fields::new(values(headers.get_all(&AUTHORIZATION)), forwarded_for, query, peer)
}

/// `gate` as it answers the request of `parts`: its refusals show the request's id, where the host named a field for it
/// and that came once.
#[inline]
pub(crate) fn for_request<'a>(gate: &'a Gate, parts: &Parts) -> Cow<'a, Gate> {
    gate.identified(|field| values(parts.headers.get_all(field)))
}

/// The bytes of a field's values, in the order they came.
pub(crate) fn values<'a>(all: GetAll<'a, HeaderValue>) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    all.into_iter().map(HeaderValue::as_bytes)
}

fn peer(parts: &Parts) -> Option<IpAddr> {
    let connected = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    let mocked = || parts.extensions.get::<MockConnectInfo<SocketAddr>>().map(|info| info.0);
    connected.or_else(mocked).map(|address| address.ip())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    fn parts(fields: &[(&str, &[u8])], target: &str) -> Parts {
        let mut request = Request::builder().uri(target);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(()).expect("a request").into_parts().0
    }

    #[test]
    fn values_keep_their_bytes_and_their_order() {
        let parts = parts(
            &[
                ("authorization", b"Bearer \xff"),
                ("x-forwarded-for", b"192.0.2.1"),
                ("Authorization", b"second"),
                ("authorization", b"third"),
                ("X-Forwarded-For", b"192.0.2.2, 192.0.2.3"),
            ],
            "/path?entityId=%41&b",
        );
        let found = fields(&parts, true);
        let head = found.head();
        assert_eq!(head.authorization, [&b"Bearer \xff"[..], b"second"]);
        assert_eq!(head.forwarded_for, [&b"192.0.2.1"[..], b"192.0.2.2, 192.0.2.3"]);
        assert_eq!(head.query, Some("entityId=%41&b"));
        assert_eq!(head.peer, None);
        assert!(fields(&parts, false).head().forwarded_for.is_empty());
    }

    #[test]
    fn the_peer_is_the_sockets() {
        let mut parts = parts(&[], "/");
        assert!(fields(&parts, false).head().authorization.is_empty());
        parts.extensions.insert(MockConnectInfo(SocketAddr::from(([192, 0, 2, 9], 1))));
        assert_eq!(fields(&parts, false).head().peer, Some(IpAddr::from([192, 0, 2, 9])));
        parts.extensions.insert(ConnectInfo(SocketAddr::from(([192, 0, 2, 1], 1))));
        assert_eq!(fields(&parts, false).head().peer, Some(IpAddr::from([192, 0, 2, 1])));
    }
}
