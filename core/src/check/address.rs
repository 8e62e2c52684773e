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

#[cfg(test)]
mod tests {
    use super::super::samples::source;
    use super::*;

    fn ranges(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|text| text.parse().expect("a range")).collect()
    }

    #[test]
    fn an_address_is_allowed_inside_a_range_and_an_unknown_one_in_none() {
        let some = ranges(&["192.0.2.0/24", "2001:db8::/32"]);
        let cases = [
            ("192.0.2.0", true),
            ("192.0.2.255", true),
            ("192.0.3.0", false),
            ("::ffff:192.0.2.7", true),
            ("::ffff:192.0.3.7", false),
            ("2001:db8:ffff::1", true),
            ("2001:db9::", false),
        ];
        for (address, want) in cases {
            assert_eq!(is_allowed(&some, &source(address)), want, "{address}");
            assert!(is_allowed(&[], &source(address)));
        }
        assert!(!is_allowed(&some, &Source::UNKNOWN));
        assert!(!is_allowed(&ranges(&["0.0.0.0/0", "::/0"]), &Source::UNKNOWN));
        assert!(is_allowed(&[], &Source::UNKNOWN));
    }

    #[test]
    fn every_ipv6_address_is_no_ipv4_address() {
        assert!(!is_allowed(&ranges(&["::/0"]), &source("192.0.2.1")));
        assert!(!is_allowed(&ranges(&["0.0.0.0/0"]), &source("2001:db8::1")));
    }

    #[test]
    fn an_ipv4_range_in_ipv6_notation_is_told() {
        for (range, want) in
            [("::ffff:192.0.2.0/120", true), ("::ffff:0:0/96", true), ("::/0", false), ("10.0.0.0/8", false)]
        {
            assert_eq!(is_mapped(&range.parse().expect("a range")), want, "{range}");
        }
    }
}
