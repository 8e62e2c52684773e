//! The client's address: the socket's, or what a trusted proxy says.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use latchbook_core::model::Source;

use crate::Head;

/// Where a request came from, behind `proxies`.
///
/// The peer counts, unless it is one of `proxies`; then the right-most address of `X-Forwarded-For` that is none of
/// them does, since each proxy adds what it saw at the right, and whatever stands further left may be invented. An
/// entry that is no address leaves the client unknown: a guess would be as good as the attacker's.
#[must_use]
pub(crate) fn client(head: &Head<'_>, proxies: &[IpNet]) -> Source {
    let Some(peer) = head.peer else { return Source::UNKNOWN };
    let trusted = |address: IpAddr| proxies.iter().any(|range| range.contains(&address));
    let mut nearest = peer.to_canonical();
    for entry in head.forwarded_for.iter().rev().flat_map(|field| field.rsplit(|&byte| byte == b',')) {
        if !trusted(nearest) {
            break;
        }
        match address(entry) {
            Some(next) => nearest = next.to_canonical(),
            None => return Source::UNKNOWN,
        }
    }
    Source::at(nearest)
}

/// An entry's address. Some proxies write the port too.
fn address(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry.trim_ascii()).ok()?;
    let bare = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip())).or_else(bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, fields: &[&str], proxies: &[&str]) -> String {
        let fields: Vec<&[u8]> = fields.iter().map(|field| field.as_bytes()).collect();
        let proxies: Vec<IpNet> = proxies.iter().map(|range| range.parse().expect("a range")).collect();
        let head = Head { peer: peer.parse().ok(), forwarded_for: &fields, ..Head::default() };
        client(&head, &proxies).address.map_or("unknown".to_owned(), |address| address.to_string())
    }

    #[test]
    fn h16_the_peer_counts_where_it_is_no_trusted_proxy() {
        assert_eq!(seen("192.0.2.1", &["198.51.100.7"], &[]), "192.0.2.1");
        assert_eq!(seen("192.0.2.1", &["198.51.100.7"], &["10.0.0.0/8"]), "192.0.2.1");
        assert_eq!(seen("::ffff:192.0.2.1", &[], &[]), "192.0.2.1");
        assert_eq!(seen("", &["198.51.100.7"], &["0.0.0.0/0"]), "unknown");
    }

    #[test]
    fn behind_proxies_the_right_most_address_that_is_none_of_them_counts() {
        let proxies = ["10.0.0.0/8", "2001:db8::/32"];
        let cases: [(&[&str], &str); 9] = [
            (&["198.51.100.7"], "198.51.100.7"),
            (&["1.1.1.1, 198.51.100.7, 10.2.2.2"], "198.51.100.7"),
            (&["1.1.1.1", "198.51.100.7,10.2.2.2", "10.3.3.3"], "198.51.100.7"),
            (&["198.51.100.7:4711"], "198.51.100.7"),
            (&["[2001:db9::1]:4711, [2001:db8::2]"], "2001:db9::1"),
            (&["::ffff:198.51.100.7"], "198.51.100.7"),
            (&["10.4.4.4, 10.5.5.5"], "10.4.4.4"),
            (&[], "10.1.1.1"),
            (&["garbage, 198.51.100.7"], "198.51.100.7"),
        ];
        for (fields, want) in cases {
            assert_eq!(seen("10.1.1.1", fields, &proxies), want, "{fields:?}");
        }
    }

    #[test]
    fn what_is_no_address_leaves_the_client_unknown() {
        for field in ["unknown", "", "198.51.100.7, ", "198.51.100.7, 10.0.0", "1.1.1.1, \u{e9}"] {
            assert_eq!(seen("10.1.1.1", &[field], &["10.0.0.0/8"]), "unknown", "{field:?}");
        }
    }
}
