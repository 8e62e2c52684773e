//! Whether an access token is one of ours, and may be used now.

use ipnet::IpNet;

use super::address;
use super::exchange::TokenPolicy;
use super::revocation::Revocations;
use crate::model::{
    AccessClaims, DeveloperRef, EntityId, EnvironmentName, KeyId, Rejection, ScopeSet, SignedClaims, Source, TokenId,
    UnixTime,
};

/// What a token must say about where it belongs: each the value of the environment whose key signed it.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The environment's issuer (`iss`).
    pub issuer: &'a str,
    /// The environment's audience (`aud`).
    pub audience: &'a str,
    /// The environment (`env`).
    pub environment: EnvironmentName,
}

/// A token whose signature, shape and place were found right. Only [`check_identity`] makes one.
///
/// It proves who the token names, and nothing about now: every use goes through [`check_use`]. It is small, since caches
/// hold many.
#[derive(Clone, Debug)]
pub struct VerifiedToken {
    developer: DeveloperRef,
    key: KeyId,
    token: TokenId,
    origin: Option<TokenId>,
    scopes: ScopeSet,
    entity: Option<EntityId>,
    issued_at: UnixTime,
    not_before: UnixTime,
    expires_at: UnixTime,
    generation: u64,
    epoch: u64,
    allowed_ips: Box<[IpNet]>,
}

impl VerifiedToken {
    /// The developer (`developer`, with `env`).
    #[must_use]
    pub fn developer(&self) -> &DeveloperRef {
        &self.developer
    }

    /// The API key that it came from (`client_id`).
    #[must_use]
    pub fn key(&self) -> KeyId {
        self.key
    }

    /// Its id (`jti`).
    #[must_use]
    pub fn token(&self) -> TokenId {
        self.token
    }

    /// The id of the first token, after a token exchange (`origin`).
    #[must_use]
    pub fn origin(&self) -> Option<TokenId> {
        self.origin
    }

    /// Its scopes (`scope`).
    #[must_use]
    pub fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    /// The entity that it is for (`entity`), if it is an entity token.
    #[must_use]
    pub fn entity(&self) -> Option<&EntityId> {
        self.entity.as_ref()
    }

    /// Its environment (`env`).
    #[must_use]
    pub fn environment(&self) -> EnvironmentName {
        self.developer.environment
    }

    /// When it was made (`iat`).
    #[must_use]
    pub fn issued_at(&self) -> UnixTime {
        self.issued_at
    }

    /// From when on it may be used (`nbf`).
    #[must_use]
    pub fn not_before(&self) -> UnixTime {
        self.not_before
    }

    /// From when on it is over (`exp`).
    #[must_use]
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    /// The generation of its key (`gen`).
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Its developer's epoch when it was made (`epoch`).
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The ranges that its caller's address must lie in (`ips`); none is anywhere.
    #[must_use]
    pub fn allowed_ips(&self) -> &[IpNet] {
        &self.allowed_ips
    }
}

/// Decides whether rightly signed claims are those of a token of ours. The answer holds for ever, so it may be cached.
///
/// # Errors
/// In this order: [`Rejection::TokenClaims`] for a `sub` unlike the `developer` (in an entity token, the `entity`),
/// [`Rejection::WrongIssuer`], [`Rejection::WrongAudience`], [`Rejection::ForeignEnvironmentClaim`]; all compared byte
/// by byte.
pub fn check_identity(signed: SignedClaims, expected: &Expected<'_>) -> Result<VerifiedToken, Rejection> {
    let claims = signed.claims;
    if claims.subject != rightful_subject(&claims) {
        return Err(Rejection::TokenClaims);
    }
    if claims.issuer != expected.issuer {
        return Err(Rejection::WrongIssuer);
    }
    if claims.audience != expected.audience {
        return Err(Rejection::WrongAudience);
    }
    if claims.environment != expected.environment {
        return Err(Rejection::ForeignEnvironmentClaim);
    }
    Ok(VerifiedToken {
        developer: DeveloperRef { environment: claims.environment, id: claims.developer },
        key: claims.key,
        token: claims.token,
        origin: claims.origin,
        scopes: claims.scopes,
        entity: claims.entity,
        issued_at: claims.issued_at,
        not_before: claims.not_before,
        expires_at: claims.expires_at,
        generation: claims.generation,
        epoch: claims.epoch,
        allowed_ips: claims.allowed_ips.into_boxed_slice(),
    })
}

fn rightful_subject(claims: &AccessClaims) -> &str {
    claims.entity.as_ref().map_or(claims.developer.as_str(), EntityId::as_str)
}

/// One use of a token.
#[derive(Clone, Copy, Debug)]
pub struct TokenUse<'a> {
    /// The present.
    pub now: UnixTime,
    /// How long tokens live.
    pub policy: &'a TokenPolicy,
    /// Where it comes from.
    pub source: Source,
    /// What was revoked.
    pub revocations: &'a Revocations,
}

/// Decides whether `token` may be used now; asked at every use, also of a token that was seen before.
///
/// The leeway moves `nbf` and `iat` alone: at `exp` the token is over. A token whose `exp` is not after its `nbf` and
/// its `iat` has no instant to be used at, and counts as expired.
///
/// # Errors
/// In this order:
/// - [`Rejection::NotYetValid`] while `now + leeway` is before `nbf` or `iat`;
/// - [`Rejection::Expired`] from `exp` on;
/// - [`Rejection::LifetimeTooLong`] if `exp` lies further from `iat` than any token's may;
/// - [`Rejection::AddressNotAllowed`] if the token has ranges and the source is in none, or not known;
/// - [`Rejection::Revoked`].
pub fn check_use(token: &VerifiedToken, using: &TokenUse<'_>) -> Result<(), Rejection> {
    let latest_start = token.not_before.max(token.issued_at);
    if using.now.plus(using.policy.leeway.as_seconds()) < latest_start {
        return Err(Rejection::NotYetValid);
    }
    if token.expires_at <= using.now.max(latest_start) {
        return Err(Rejection::Expired);
    }
    // `iat` is at most the leeway ahead here, so this bounds how far ahead `exp` lies too. Measured from `now` alone, a
    // token of the longest life from a machine whose clock is within the leeway would be refused.
    if token.expires_at.since(token.issued_at) > using.policy.longest_lifetime.as_seconds() {
        return Err(Rejection::LifetimeTooLong);
    }
    if !address::is_allowed(&token.allowed_ips, &using.source) {
        return Err(Rejection::AddressNotAllowed);
    }
    match using.revocations.check(token) {
        Some(by) => Err(Rejection::Revoked { by }),
        None => Ok(()),
    }
}
