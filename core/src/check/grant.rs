//! Whether a new API key may be made, and what it is granted.

use ipnet::IpNet;

use super::address;
use crate::model::{
    ApiKey, MAX_ALLOWED_IPS, Metadata, Rejection, ScopeGrant, ScopeRegistry, ScopeSet, UnixTime, checked_name,
};

/// A key that someone wants to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    /// A name for people; 1 to 200 characters, no control characters.
    pub name: String,
    /// What it may do; `resource:*` stands for every scope of the resource.
    pub scopes: ScopeSet,
    /// From when on it is over, if ever.
    pub expires_at: Option<UnixTime>,
    /// The ranges that its caller's address must lie in; at most 16, none is anywhere.
    pub allowed_ips: Vec<IpNet>,
    /// The developer's own pairs.
    pub metadata: Metadata,
}

/// Whose token asks for the new key.
#[derive(Clone, Copy, Debug)]
pub struct Maker<'a> {
    /// The scopes of the token.
    pub scopes: &'a ScopeSet,
    /// The key that the token came from.
    pub key: &'a ApiKey,
}

/// What `new` is granted, if it may be made at `now`. The host itself has no maker, and may grant every declared scope.
///
/// A key is never wider than its maker: in scopes, neither than the maker's token nor than its key; in IP ranges, each
/// of the new ones inside one of the maker's; in expiry. A wildcard, which grows with what the host declares, needs the
/// maker key's own wildcard and all that it stands for in the token.
///
/// # Errors
/// - [`Rejection::InvalidRequest`] for a bad name, more than 16 ranges, an IPv4 range written as IPv6, an expiry that
///   has come;
/// - [`Rejection::InvalidScope`] for scopes that are none, unknown or wider than the maker's;
/// - [`Rejection::WiderThanMaker`] for `allowedIps` and `expiresAt`.
pub fn check_new_key(
    new: &NewKey,
    maker: Option<&Maker<'_>>,
    registry: &ScopeRegistry,
    now: UnixTime,
) -> Result<ScopeGrant, Rejection> {
    check_form(new, now)?;
    let grant = registry.grant(new.scopes.clone()).map_err(|_| Rejection::InvalidScope)?;
    if let Some(maker) = maker {
        check_within(new, maker, registry)?;
    }
    Ok(grant)
}

fn check_form(new: &NewKey, now: UnixTime) -> Result<(), Rejection> {
    let invalid = |message| Err(Rejection::InvalidRequest { message });
    if checked_name(&new.name).is_err() {
        return invalid("`name` must have 1 to 200 characters and no control characters");
    }
    if new.allowed_ips.len() > MAX_ALLOWED_IPS {
        return invalid("`allowedIps` must have at most 16 ranges");
    }
    if new.allowed_ips.iter().any(address::is_mapped) {
        return invalid("`allowedIps` must have IPv4 ranges in IPv4 notation");
    }
    if new.expires_at.is_some_and(|end| end <= now) {
        return invalid("`expiresAt` must lie in the future");
    }
    Ok(())
}

fn check_within(new: &NewKey, maker: &Maker<'_>, registry: &ScopeRegistry) -> Result<(), Rejection> {
    let covered = |token: &str| {
        let alone = new.scopes.filtered(|other| *other == token);
        let stands_for = ScopeGrant::new(alone).spelled_out(registry);
        // The maker's key covers it, and the maker's own token carries every scope that it stands for.
        maker.key.grant.covers(token) && stands_for.is_subset(maker.scopes)
    };
    if !new.scopes.iter().all(covered) {
        return Err(Rejection::InvalidScope);
    }
    let ranges = &maker.key.allowed_ips;
    let inside = |range: &IpNet| ranges.iter().any(|outer| outer.contains(range));
    if !ranges.is_empty() && (new.allowed_ips.is_empty() || !new.allowed_ips.iter().all(inside)) {
        return Err(Rejection::WiderThanMaker { what: "allowedIps" });
    }
    if let Some(end) = maker.key.expires_at
        && new.expires_at.is_none_or(|wanted| wanted > end)
    {
        return Err(Rejection::WiderThanMaker { what: "expiresAt" });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::samples::{NOW, after, key, registry, set};
    use super::*;

    fn new_key(scopes: &str) -> NewKey {
        NewKey {
            name: "New".to_owned(),
            scopes: set(scopes),
            expires_at: None,
            allowed_ips: Vec::new(),
            metadata: Metadata::default(),
        }
    }

    fn ranges(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn by_host(new: &NewKey) -> Result<ScopeGrant, Rejection> {
        check_new_key(new, None, &registry(), NOW)
    }

    fn by_token(new: &NewKey, token_scopes: &str, key: &ApiKey) -> Result<ScopeGrant, Rejection> {
        check_new_key(new, Some(&Maker { scopes: &set(token_scopes), key }), &registry(), NOW)
    }

    fn holding(grant: &str) -> ApiKey {
        ApiKey { grant: ScopeGrant::new(set(grant)), ..key() }
    }

    #[test]
    fn the_host_grants_whatever_is_declared() {
        for scopes in ["ledger:read", "keys:manage ledger:*", "keys:*"] {
            assert_eq!(by_host(&new_key(scopes)).unwrap().tokens(), &set(scopes));
        }
        for scopes in ["", "unknown:read", "ledger:read unknown:*", "*"] {
            assert_eq!(by_host(&new_key(scopes)), Err(Rejection::InvalidScope), "{scopes:?}");
        }
    }

    #[test]
    fn a_malformed_key_is_refused() {
        let spoilt = |spoil: &dyn Fn(&mut NewKey)| {
            let mut new = new_key("ledger:read");
            spoil(&mut new);
            by_host(&new)
        };
        let is_invalid = |answer| matches!(answer, Err(Rejection::InvalidRequest { .. }));
        assert!(is_invalid(spoilt(&|new| new.name.clear())));
        assert!(is_invalid(spoilt(&|new| new.name = "a\nb".to_owned())));
        assert!(is_invalid(spoilt(&|new| new.name = "a".repeat(201))));
        assert!(spoilt(&|new| new.name = "a".repeat(200)).is_ok());
        assert!(is_invalid(spoilt(&|new| new.allowed_ips = vec!["192.0.2.0/24".parse().unwrap(); 17])));
        assert!(spoilt(&|new| new.allowed_ips = vec!["192.0.2.0/24".parse().unwrap(); 16]).is_ok());
        assert!(is_invalid(spoilt(&|new| new.allowed_ips = ranges(&["::ffff:192.0.2.0/120"]))));
        assert!(is_invalid(spoilt(&|new| new.expires_at = Some(NOW))));
        assert!(spoilt(&|new| new.expires_at = Some(after(1))).is_ok());
    }

    #[test]
    fn scopes_are_no_wider_than_the_token_and_the_key_of_the_maker() {
        let cases = [
            ("ledger:read", "keys:manage ledger:read", "keys:manage ledger:read ledger:write", true),
            ("ledger:write", "keys:manage ledger:read", "keys:manage ledger:read ledger:write", false),
            ("ledger:write", "keys:manage ledger:write", "keys:manage", false),
            ("ledger:read ledger:close", "keys:manage ledger:read", "ledger:* keys:manage", false),
            ("ledger:read ledger:close", "ledger:close ledger:read", "ledger:*", true),
        ];
        for (wanted, token, key, want) in cases {
            let answer = by_token(&new_key(wanted), token, &holding(key));
            assert_eq!(answer.is_ok(), want, "{wanted} by {token} of {key}");
            assert!(want || answer == Err(Rejection::InvalidScope));
        }
    }

    #[test]
    fn a_wildcard_needs_the_makers_wildcard_and_all_its_scopes_in_the_token() {
        let all = "ledger:close ledger:read ledger:write";
        let cases = [
            (all, "ledger:*", true),
            (all, all, false),
            ("ledger:read ledger:write", "ledger:*", false),
            (all, "keys:* ledger:close", false),
        ];
        for (token, key, want) in cases {
            let answer = by_token(&new_key("ledger:*"), token, &holding(key));
            assert_eq!(answer.is_ok(), want, "by {token} of {key}");
            assert!(want || answer == Err(Rejection::InvalidScope));
        }
    }

    #[test]
    fn ranges_lie_inside_the_makers() {
        let maker = ApiKey { allowed_ips: ranges(&["10.0.0.0/8", "2001:db8::/32"]), ..key() };
        let answer = |texts: &[&str]| {
            let new = NewKey { allowed_ips: ranges(texts), ..new_key("ledger:read") };
            by_token(&new, "ledger:read", &maker).map(|_| ())
        };
        let wider = Err(Rejection::WiderThanMaker { what: "allowedIps" });
        assert_eq!(answer(&["10.0.0.0/8"]), Ok(()));
        assert_eq!(answer(&["10.1.0.0/16", "10.2.3.4/32", "2001:db8:1::/48"]), Ok(()));
        assert_eq!(answer(&[]), wider);
        assert_eq!(answer(&["10.0.0.0/7"]), wider);
        assert_eq!(answer(&["10.1.0.0/16", "192.0.2.0/24"]), wider);
        assert_eq!(answer(&["0.0.0.0/0"]), wider);
        assert_eq!(answer(&["::/0"]), wider);
    }

    #[test]
    fn a_maker_without_ranges_or_expiry_limits_neither() {
        let new = NewKey { allowed_ips: ranges(&["0.0.0.0/0"]), ..new_key("ledger:read") };
        assert!(by_token(&new, "ledger:read", &key()).is_ok());
    }

    #[test]
    fn an_expiry_is_no_later_than_the_makers() {
        let maker = ApiKey { expires_at: Some(after(100)), ..key() };
        let wider = Err(Rejection::WiderThanMaker { what: "expiresAt" });
        for (expires_at, want) in
            [(Some(after(99)), Ok(())), (Some(after(100)), Ok(())), (Some(after(101)), wider.clone()), (None, wider)]
        {
            let new = NewKey { expires_at, ..new_key("ledger:read") };
            assert_eq!(by_token(&new, "ledger:read", &maker).map(|_| ()), want, "{expires_at:?}");
        }
    }
}
