//! Whether a caller's address lies in the ranges that a key allows.

use ipnet::IpNet;

use crate::model::Source;

/// Whether `source` lies in one of `ranges`; no ranges are anywhere, and an address that is not known is in none.
pub(super) fn is_allowed(ranges: &[IpNet], source: &Source) -> bool {
    if ranges.is_empty() {
        return true;
    }
    // An IPv4 address written as IPv6 is the IPv4 address, however the source was made.
    source
        .address
        .map(|address| address.to_canonical())
        .is_some_and(|address| ranges.iter().any(|range| range.contains(&address)))
}

/// Whether `range` is an IPv4 range written as IPv6 (`::ffff:0:0/96` and within), which would contain no address.
pub(super) fn is_mapped(range: &IpNet) -> bool {
    match range {
        IpNet::V4(_) => false,
        IpNet::V6(range) => range.prefix_len() >= 96 && range.addr().to_ipv4_mapped().is_some(),
    }
}
