//! The fields of a head that the policy reads, found once and borrowed from the framework's own map.

use std::net::IpAddr;

use crate::Head;

/// What a [`Head`] borrows from, for adapters: `Authorization` without a copy, `X-Forwarded-For` only where it counts.
///
/// `Debug` shows which parts came, never what they hold.
pub struct Fields<'a> {
    // One credential is served and two are refused, so a third changes nothing.
    authorization: [&'a [u8]; 2],
    offered: usize,
    forwarded_for: Vec<&'a [u8]>,
    query: Option<&'a str>,
    peer: Option<IpAddr>,
}

impl<'a> Fields<'a> {
    /// The fields of a head: the values of `Authorization`, and of `X-Forwarded-For` where a proxy is trusted
    /// ([`Gate::trusts_proxies`](crate::Gate::trusts_proxies)), in the order in which they came; the target's query,
    /// undecoded and without the `?`; the socket's peer.
    #[inline]
    pub fn new(
        credentials: impl Iterator<Item = &'a [u8]>,
        forwarded_for: Option<impl Iterator<Item = &'a [u8]>>,
        query: Option<&'a str>,
        peer: Option<IpAddr>,
    ) -> Self {
        let mut authorization: [&[u8]; 2] = [&[]; 2];
        let offered = authorization.iter_mut().zip(credentials);
        let offered = offered.map(|(slot, value)| *slot = value).count();
        let forwarded_for = forwarded_for.map(Iterator::collect).unwrap_or_default();
        Self { authorization, offered, forwarded_for, query, peer }
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

impl std::fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.head().fmt(f)
    }
}
