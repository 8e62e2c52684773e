//! What an access token may carry that a key is exchanged for.

use super::api_key::VerifiedKey;
use crate::model::{
    AccessClaims, EntityId, Leeway, Lifetime, Rejection, ScopeRegistry, ScopeSet, ScopeToken, TokenId, UnixTime,
};

/// How long tokens live, and how far another machine's clock may run ahead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenPolicy {
    /// The lifetime of a token whose client asks for none: 900 s.
    pub default_lifetime: Lifetime,
    /// The longest that any token may have: 3600 s.
    pub longest_lifetime: Lifetime,
    /// How far `nbf` and `iat` may lie ahead: 5 s. `exp` has no leeway.
    pub leeway: Leeway,
}

impl Default for TokenPolicy {
    fn default() -> Self {
        Self {
            default_lifetime: Lifetime::seconds(900),
            longest_lifetime: Lifetime::seconds(3600),
            leeway: Leeway::DEFAULT,
        }
    }
}

/// What a client asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenRequest {
    /// The entity that the token is for; `None` asks for a developer token.
    pub entity: Option<EntityId>,
    /// The scope, as it was sent (RFC 6749 §3.3).
    pub scope: Option<String>,
    /// The lifetime in seconds.
    pub lifetime: Option<u64>,
}

/// What the authorization server brings to a new token.
#[derive(Clone, Copy, Debug)]
pub struct Minting<'a> {
    /// The environment's issuer (`iss`).
    pub issuer: &'a str,
    /// The environment's audience (`aud`).
    pub audience: &'a str,
    /// The token's id (`jti`).
    pub token: TokenId,
    /// The present (`iat`, `nbf`).
    pub now: UnixTime,
    /// How long tokens live.
    pub policy: &'a TokenPolicy,
    /// The scopes that exist.
    pub registry: &'a ScopeRegistry,
}

/// The claims of the token that `key` is exchanged for. That the developer reaches the entity is checked elsewhere.
///
/// Without a scope in the request the token gets the key's, an entity token without the management scopes. It is never
/// wider than the key, and never outlives it.
///
/// # Errors
/// - [`Rejection::InvalidRequest`] for a lifetime outside 1 to the policy's longest;
/// - [`Rejection::InvalidScope`] for a scope that is malformed, empty, unknown or not the key's, or a management scope
///   for an entity token;
/// - [`Rejection::KeyExpired`] if the key is over at [`Minting::now`].
pub fn check_exchange(
    key: &VerifiedKey,
    request: &TokenRequest,
    minting: &Minting<'_>,
) -> Result<AccessClaims, Rejection> {
    let lifetime = lifetime(request.lifetime, minting.policy)?;
    let scopes = scopes(key, request, minting.registry)?;
    let now = minting.now;
    let wished = now.plus(lifetime);
    let expires_at = key.ends_at().map_or(wished, |end| end.min(wished));
    if key.ends_at().is_some_and(|end| end <= now) {
        return Err(Rejection::KeyExpired);
    }
    let developer = &key.developer().reference;
    let subject = request.entity.as_ref().map_or(developer.id.as_str(), EntityId::as_str);
    Ok(AccessClaims {
        issuer: minting.issuer.to_owned(),
        audience: minting.audience.to_owned(),
        subject: subject.to_owned(),
        key: key.key().id,
        issued_at: now,
        not_before: now,
        expires_at,
        token: minting.token,
        scopes,
        developer: developer.id.clone(),
        entity: request.entity.clone(),
        environment: developer.environment,
        generation: key.generation(),
        epoch: key.developer().epoch,
        allowed_ips: key.key().allowed_ips.clone(),
        delegation: None,
        origin: None,
    })
}

fn lifetime(wanted: Option<u64>, policy: &TokenPolicy) -> Result<u64, Rejection> {
    let longest = policy.longest_lifetime.as_seconds();
    match wanted {
        None => Ok(policy.default_lifetime.as_seconds().min(longest)),
        Some(seconds) if (1..=longest).contains(&seconds) => Ok(seconds),
        Some(_) => Err(Rejection::InvalidRequest {
            message: "the lifetime must be a whole number of seconds from 1 to the longest that is allowed",
        }),
    }
}

fn scopes(key: &VerifiedKey, request: &TokenRequest, registry: &ScopeRegistry) -> Result<ScopeSet, Rejection> {
    let may_carry = |token: &ScopeToken| request.entity.is_none() || !registry.is_management(token);
    let held = key.key().grant.spelled_out(registry);
    let held: ScopeSet = held.iter().filter(|token| may_carry(token)).cloned().collect();
    let Some(text) = &request.scope else {
        return Ok(held);
    };
    let wanted = ScopeSet::parse(text).map_err(|_| Rejection::InvalidScope)?;
    if wanted.is_empty() || !wanted.is_subset(&held) {
        return Err(Rejection::InvalidScope);
    }
    Ok(wanted)
}
