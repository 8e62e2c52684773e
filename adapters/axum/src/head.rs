//! A request's head as the HTTP policy reads it: borrowed, not copied.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use axum::extract::connect_info::{ConnectInfo, MockConnectInfo};
use axum::http::header::{AUTHORIZATION, AsHeaderName, HeaderMap, HeaderName};
use axum::http::request::Parts;
use latchbook_http::Head;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The parts of a head that the policy reads, found once. For code that has fields and no extractor, such as a tonic
/// handler that wants to know who calls:
///
/// ```
/// use axum::http::HeaderMap;
/// use latchbook_axum::{Fields, Gate};
/// use latchbook_core::authority::Principal;
/// use latchbook_http::{Reply, Serves};
///
/// async fn caller(gate: &Gate, headers: &HeaderMap) -> Result<Principal, Reply> {
///     gate.principal(&Fields::new(headers, None).head(), Serves::Home).await
/// }
/// ```
pub struct Fields<'a> {
    // One credential is served and two are refused, so a third changes nothing.
    authorization: [&'a [u8]; 2],
    offered: usize,
    forwarded_for: Vec<&'a [u8]>,
    query: Option<&'a str>,
    peer: Option<IpAddr>,
}

impl<'a> Fields<'a> {
    /// The fields of `parts`. The peer is the socket's, known where the server was started with
    /// `into_make_service_with_connect_info::<SocketAddr>()`. `X-Forwarded-For` is looked for behind `proxies` alone.
    pub(crate) fn of(parts: &'a Parts, proxies: bool) -> Self {
        Self { query: parts.uri.query(), ..Self::found(&parts.headers, peer(parts), proxies) }
    }

    /// The fields in `headers` of a request without a query, which came from `peer`.
    #[must_use]
    pub fn new(headers: &'a HeaderMap, peer: Option<IpAddr>) -> Self {
        Self::found(headers, peer, true)
    }

    fn found(headers: &'a HeaderMap, peer: Option<IpAddr>, proxies: bool) -> Self {
        let mut authorization: [&[u8]; 2] = [&[]; 2];
        let offered = authorization.iter_mut().zip(values(headers, AUTHORIZATION));
        let offered = offered.map(|(slot, value)| *slot = value).count();
        let forwarded_for = if proxies { values(headers, X_FORWARDED_FOR).collect() } else { Vec::new() };
        Self { authorization, offered, forwarded_for, query: None, peer }
    }

    /// The same, in the policy's words.
    #[must_use]
    pub fn head(&self) -> Head<'_> {
        Head {
            authorization: self.authorization.get(..self.offered).unwrap_or_default(),
            query: self.query,
            peer: self.peer,
            forwarded_for: &self.forwarded_for,
        }
    }
}

impl fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.head().fmt(f)
    }
}

/// The values of a field, in the order they came.
pub(crate) fn values(headers: &HeaderMap, name: impl AsHeaderName) -> impl Iterator<Item = &[u8]> {
    headers.get_all(name).into_iter().map(|value| value.as_bytes())
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
        let fields = Fields::of(&parts, true);
        let head = fields.head();
        assert_eq!(head.authorization, [&b"Bearer \xff"[..], b"second"]);
        assert_eq!(head.forwarded_for, [&b"192.0.2.1"[..], b"192.0.2.2, 192.0.2.3"]);
        assert_eq!(head.query, Some("entityId=%41&b"));
        assert_eq!(head.peer, None);
        assert!(Fields::of(&parts, false).head().forwarded_for.is_empty());
    }

    #[test]
    fn the_peer_is_the_sockets() {
        let mut parts = parts(&[], "/");
        assert!(Fields::of(&parts, false).head().authorization.is_empty());
        parts.extensions.insert(MockConnectInfo(SocketAddr::from(([192, 0, 2, 9], 1))));
        assert_eq!(Fields::of(&parts, false).head().peer, Some(IpAddr::from([192, 0, 2, 9])));
        parts.extensions.insert(ConnectInfo(SocketAddr::from(([192, 0, 2, 1], 1))));
        assert_eq!(Fields::of(&parts, false).head().peer, Some(IpAddr::from([192, 0, 2, 1])));
    }
}
