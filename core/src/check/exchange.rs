//! What an access token may carry that a key is exchanged for.

use super::api_key::VerifiedKey;
use crate::model::{AccessClaims, EntityId, Leeway, Lifetime, Rejection, ScopeRegistry, ScopeSet, TokenId, UnixTime};

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
pub fn check_exchange<'m>(
    key: &VerifiedKey,
    request: &TokenRequest,
    minting: &Minting<'m>,
) -> Result<AccessClaims<'m>, Rejection> {
    let lifetime = lifetime(request.lifetime, minting.policy)?;
    let scopes = scopes(&key.key().grant.spelled_out(minting.registry), request, minting.registry)?;
    let now = minting.now;
    let wished = now.plus(lifetime);
    let expires_at = key.ends_at().map_or(wished, |end| end.min(wished));
    if key.ends_at().is_some_and(|end| end <= now) {
        return Err(Rejection::KeyExpired);
    }
    let developer = &key.developer().reference;
    let subject = request.entity.as_ref().map_or(developer.id.as_str(), EntityId::as_str);
    Ok(AccessClaims {
        issuer: minting.issuer.into(),
        audience: minting.audience.into(),
        subject: subject.to_owned().into(),
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

/// The lifetime in seconds: what is wanted, or the policy's.
pub(super) fn lifetime(wanted: Option<u64>, policy: &TokenPolicy) -> Result<u64, Rejection> {
    let longest = policy.longest_lifetime.as_seconds();
    match wanted {
        None => Ok(policy.default_lifetime.as_seconds().min(longest)),
        Some(seconds) if (1..=longest).contains(&seconds) => Ok(seconds),
        Some(_) => Err(Rejection::InvalidRequest {
            message: "the lifetime must be a whole number of seconds from 1 to the longest that is allowed",
        }),
    }
}

/// What is given of `held`: all that the kind of token may carry, or the part of that which was asked for.
pub(super) fn scopes(held: &ScopeSet, request: &TokenRequest, registry: &ScopeRegistry) -> Result<ScopeSet, Rejection> {
    let may_carry = |token: &&str| request.entity.is_none() || !registry.is_management(token);
    let held = held.filtered(may_carry);
    let Some(text) = &request.scope else {
        return Ok(held);
    };
    let wanted = ScopeSet::parse(text).map_err(|_| Rejection::InvalidScope)?;
    if wanted.is_empty() || !wanted.is_subset(&held) {
        return Err(Rejection::InvalidScope);
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::super::samples::{ISSUER, NOW, after, entity, key, policy, registry, set, token_id, verified_key};
    use super::*;
    use crate::model::{ApiKey, KeyText, ScopeGrant};

    fn exchange_at(now: UnixTime, key: &ApiKey, request: &TokenRequest) -> Result<AccessClaims<'static>, Rejection> {
        let (policy, registry) = (policy(), registry());
        let minting = Minting {
            issuer: ISSUER,
            audience: "ledger",
            token: token_id('0'),
            now,
            policy: &policy,
            registry: &registry,
        };
        check_exchange(&verified_key(key), request, &minting).map(AccessClaims::into_owned)
    }

    fn exchange(request: &TokenRequest) -> Result<AccessClaims<'static>, Rejection> {
        exchange_at(NOW, &key(), request)
    }

    fn asking(scope: &str) -> TokenRequest {
        TokenRequest { scope: Some(scope.to_owned()), ..TokenRequest::default() }
    }

    fn entity_request(scope: Option<&str>) -> TokenRequest {
        TokenRequest { entity: Some(entity("acme")), scope: scope.map(str::to_owned), lifetime: None }
    }

    #[test]
    fn a_developer_token_says_what_its_key_says() {
        let claims = exchange(&TokenRequest::default()).unwrap();
        assert_eq!((&*claims.issuer, &*claims.audience), (ISSUER, "ledger"));
        assert_eq!((&*claims.subject, claims.developer.as_str()), ("dev", "dev"));
        assert_eq!((claims.key, claims.token, claims.entity), (key().id, token_id('0'), None));
        assert_eq!((claims.issued_at, claims.not_before, claims.expires_at), (NOW, NOW, after(900)));
        assert_eq!((claims.generation, claims.epoch), (2, 3));
        assert_eq!(claims.scopes, set("keys:manage ledger:read ledger:write"));
        assert_eq!((claims.delegation, claims.origin), (None, None));
    }

    #[test]
    fn an_entity_token_is_for_its_entity_and_carries_no_management_scope() {
        let claims = exchange(&entity_request(None)).unwrap();
        assert_eq!((&*claims.subject, claims.developer.as_str()), ("acme", "dev"));
        assert_eq!(claims.entity, Some(entity("acme")));
        assert_eq!(claims.scopes, set("ledger:read ledger:write"));
        assert_eq!(exchange(&entity_request(Some("ledger:read"))).unwrap().scopes, set("ledger:read"));
        for scope in ["keys:manage", "ledger:read keys:manage"] {
            assert_eq!(exchange(&entity_request(Some(scope))), Err(Rejection::InvalidScope), "{scope}");
        }
    }

    #[test]
    fn a_scope_marked_by_the_host_is_management_too() {
        let mut key = key();
        key.grant = ScopeGrant::new(set("ledger:*"));
        let developers = exchange_at(NOW, &key, &TokenRequest::default()).unwrap();
        assert_eq!(developers.scopes, set("ledger:close ledger:read ledger:write"));
        let entitys = exchange_at(NOW, &key, &entity_request(None)).unwrap();
        assert_eq!(entitys.scopes, set("ledger:read ledger:write"));
        assert_eq!(exchange_at(NOW, &key, &entity_request(Some("ledger:close"))), Err(Rejection::InvalidScope));
    }

    #[test]
    fn k12_e14_a_scope_is_narrower_than_the_keys_or_refused() {
        assert_eq!(exchange(&asking("ledger:read")).unwrap().scopes, set("ledger:read"));
        assert_eq!(exchange(&asking("ledger:read ledger:read")).unwrap().scopes, set("ledger:read"));
        for scope in [
            "",
            " ",
            "ledger:close",
            "ledger:read audit:read",
            "unknown:read",
            "ledger:*",
            "*",
            "ledger:read ",
            "ledger:read  ledger:write",
            "LEDGER:READ",
            "ledger:read\n",
            "\"ledger:read\"",
        ] {
            assert_eq!(exchange(&asking(scope)), Err(Rejection::InvalidScope), "{scope:?}");
        }
    }

    #[test]
    fn a_lifetime_is_one_second_to_the_longest() {
        let asking = |lifetime| exchange(&TokenRequest { lifetime: Some(lifetime), ..TokenRequest::default() });
        for good in [1, 900, 3600] {
            assert_eq!(asking(good).unwrap().expires_at, NOW.plus(good));
        }
        for bad in [0, 3601, u64::MAX] {
            assert!(matches!(asking(bad), Err(Rejection::InvalidRequest { .. })), "{bad}");
        }
    }

    #[test]
    fn a_token_never_outlives_its_key() {
        let ending = |key_end: i64, grace_end: i64| {
            let mut key = key();
            key.expires_at = Some(after(key_end));
            key.current = KeyText { ends_at: Some(after(grace_end)), ..key.current };
            exchange_at(NOW, &key, &TokenRequest::default()).map(|claims| claims.expires_at)
        };
        assert_eq!(ending(100, 5000), Ok(after(100)));
        assert_eq!(ending(5000, 100), Ok(after(100)));
        assert_eq!(ending(900, 5000), Ok(after(900)));
        assert_eq!(ending(1, 5000), Ok(after(1)));
        assert_eq!(ending(0, 5000), Err(Rejection::KeyExpired));
        assert_eq!(ending(-1, 5000), Err(Rejection::KeyExpired));
    }

    #[test]
    fn the_keys_ranges_go_along() {
        let mut key = key();
        key.allowed_ips = vec!["192.0.2.0/24".parse().unwrap()];
        assert_eq!(exchange_at(NOW, &key, &TokenRequest::default()).unwrap().allowed_ips, key.allowed_ips);
    }

    #[test]
    fn t2_no_clock_makes_an_expiry_overflow() {
        for now in [UnixTime::EPOCH, UnixTime::MAX.minus(1), UnixTime::MAX] {
            let request = TokenRequest { lifetime: Some(3600), ..TokenRequest::default() };
            let claims = exchange_at(now, &key(), &request).unwrap();
            assert_eq!(claims.expires_at, now.plus(3600));
        }
    }
}
