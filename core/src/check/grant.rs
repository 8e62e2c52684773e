//! Whether a new API key may be made, and what it is granted.

use ipnet::IpNet;

use super::address;
use crate::model::{
    ApiKey, MAX_ALLOWED_IPS, Metadata, Rejection, ScopeGrant, ScopeRegistry, ScopeSet, ScopeToken, UnixTime,
    checked_name,
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
    if !new.scopes.iter().all(|token| maker_covers(maker, token, registry)) {
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

/// Whether the maker's key covers `token`, and the maker's own token carries every scope that `token` stands for.
fn maker_covers(maker: &Maker<'_>, token: &ScopeToken, registry: &ScopeRegistry) -> bool {
    let stands_for = ScopeGrant::new([token.clone()].into_iter().collect()).spelled_out(registry);
    maker.key.grant.covers(token.as_str()) && stands_for.is_subset(maker.scopes)
}
