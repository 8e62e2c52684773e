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
        mut credentials: impl Iterator<Item = &'a [u8]>,
        forwarded_for: Option<impl Iterator<Item = &'a [u8]>>,
        query: Option<&'a str>,
        peer: Option<IpAddr>,
    ) -> Self {
        let (first, second) = match credentials.next() {
            Some(first) => (Some(first), credentials.next()),
            None => (None, None),
        };
        let authorization = [first.unwrap_or_default(), second.unwrap_or_default()];
        let offered = usize::from(first.is_some()) + usize::from(second.is_some());
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

/// A head that outlives the request, for whoever has to wait before it is read again.
pub(crate) struct KeptHead {
    authorization: Vec<Vec<u8>>,
    forwarded_for: Vec<Vec<u8>>,
    query: Option<String>,
    peer: Option<IpAddr>,
}

impl KeptHead {
    pub(crate) fn of(head: &Head<'_>) -> Self {
        let kept = |fields: &[&[u8]]| fields.iter().map(|field| field.to_vec()).collect();
        Self {
            authorization: kept(head.authorization),
            forwarded_for: kept(head.forwarded_for),
            query: head.query.map(str::to_owned),
            peer: head.peer,
        }
    }

    pub(crate) fn fields(&self) -> Fields<'_> {
        let forwarded_for = self.forwarded_for.iter().map(Vec::as_slice);
        let authorization = self.authorization.iter().map(Vec::as_slice);
        Fields::new(authorization, Some(forwarded_for), self.query.as_deref(), self.peer)
    }
}
