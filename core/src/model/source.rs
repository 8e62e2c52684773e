//! Where a request came from, as far as the caller knows.

use std::net::IpAddr;

/// The client's address, for IP ranges, limits and audit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Source {
    /// The client's address; `None` where it is not known, which no IP range contains.
    pub address: Option<IpAddr>,
}

impl Source {
    /// A caller whose address is not known.
    pub const UNKNOWN: Self = Self { address: None };

    /// A caller at `address`. An IPv4 address written as IPv6 (`::ffff:a.b.c.d`) counts as the IPv4 address.
    #[must_use]
    pub fn at(address: IpAddr) -> Self {
        Self { address: Some(address.to_canonical()) }
    }
}
