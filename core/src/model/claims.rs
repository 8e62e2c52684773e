//! The claims of an access token, typed.

use std::borrow::Cow;

use ipnet::IpNet;

use super::{DeveloperId, EntityId, EnvironmentName, KeyId, ScopeSet, SigningKeyId, TokenId, UnixTime};

/// The claims of an access token (RFC 7519 §4, RFC 9068 §2.2 and our own).
///
/// The three texts that are only ever compared or printed are borrowed, from the token that was read or from what the
/// host decided; [`into_owned`](Self::into_owned) keeps them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessClaims<'t> {
    /// `iss`: the host's issuer URL, a slash, the environment.
    pub issuer: Cow<'t, str>,
    /// `aud`: one audience.
    pub audience: Cow<'t, str>,
    /// `sub`: equals `developer`, or in an entity token `entity`.
    pub subject: Cow<'t, str>,
    /// `client_id`: the API key that the token came from.
    pub key: KeyId,
    /// `iat`.
    pub issued_at: UnixTime,
    /// `nbf`.
    pub not_before: UnixTime,
    /// `exp`: the first instant at which the token is over.
    pub expires_at: UnixTime,
    /// `jti`.
    pub token: TokenId,
    /// `scope`.
    pub scopes: ScopeSet,
    /// `developer`.
    pub developer: DeveloperId,
    /// `entity`: present exactly in entity tokens.
    pub entity: Option<EntityId>,
    /// `env`.
    pub environment: EnvironmentName,
    /// `gen`: the key's generation.
    pub generation: u64,
    /// `epoch`: the developer's revocation epoch.
    pub epoch: u64,
    /// `ips`: the key's allowed ranges, at most 16; empty is anywhere.
    pub allowed_ips: Vec<IpNet>,
    /// `act` (RFC 8693 §4.1), after a token exchange.
    pub delegation: Option<Delegation>,
    /// `origin`: the first token's `jti`, after a token exchange.
    pub origin: Option<TokenId>,
}

impl AccessClaims<'_> {
    /// These claims, borrowing nothing.
    #[must_use]
    pub fn into_owned(self) -> AccessClaims<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        AccessClaims {
            issuer: owned(self.issuer),
            audience: owned(self.audience),
            subject: owned(self.subject),
            key: self.key,
            issued_at: self.issued_at,
            not_before: self.not_before,
            expires_at: self.expires_at,
            token: self.token,
            scopes: self.scopes,
            developer: self.developer,
            entity: self.entity,
            environment: self.environment,
            generation: self.generation,
            epoch: self.epoch,
            allowed_ips: self.allowed_ips,
            delegation: self.delegation,
            origin: self.origin,
        }
    }
}

/// Who a token was exchanged from (`act`, RFC 8693 §4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegation {
    /// `act.sub`: the developer.
    pub developer: DeveloperId,
    /// `act.client_id`: the key of the subject token.
    pub key: KeyId,
}

/// Claims whose signature and syntax were found right, and nothing more: lifetime, scope and revocation are not checked.
#[derive(Clone, Debug)]
pub struct SignedClaims<'t> {
    /// The key that signed (`kid`).
    pub signing_key: SigningKeyId,
    /// What was signed.
    pub claims: AccessClaims<'t>,
}

impl SignedClaims<'_> {
    /// These claims, borrowing nothing.
    #[must_use]
    pub fn into_owned(self) -> SignedClaims<'static> {
        SignedClaims { signing_key: self.signing_key, claims: self.claims.into_owned() }
    }
}
