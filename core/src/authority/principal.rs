//! Who is calling: a token that was let in, and the entity that it was let in for.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::token_cache::Seen;
use crate::check::VerifiedToken;
use crate::model::{
    AuditActor, DeveloperRef, EntityId, EntityRef, EnvironmentName, KeyId, ScopeSet, TokenId, UnixTime,
};

/// A caller whose token was checked just now. Made by [`Authority::authenticate`](super::Authority::authenticate) alone.
#[derive(Clone)]
pub struct Principal {
    seen: Arc<Seen>,
}

impl Principal {
    pub(super) fn new(seen: Arc<Seen>) -> Self {
        Self { seen }
    }

    pub(super) fn verified(&self) -> &VerifiedToken {
        &self.seen.token
    }

    pub(super) fn audit_actor(&self) -> AuditActor {
        AuditActor::Key { key: self.key(), token: Some(self.token_id()) }
    }

    /// The environment that the token belongs to.
    #[must_use]
    pub fn environment(&self) -> EnvironmentName {
        self.verified().environment()
    }

    /// The developer: environment and id.
    #[must_use]
    pub fn developer(&self) -> &DeveloperRef {
        self.verified().developer()
    }

    /// The API key that the token came from (`client_id`).
    #[must_use]
    pub fn key(&self) -> KeyId {
        self.verified().key()
    }

    /// The token's id (`jti`).
    #[must_use]
    pub fn token_id(&self) -> TokenId {
        self.verified().token()
    }

    /// The token's scopes.
    #[must_use]
    pub fn scopes(&self) -> &ScopeSet {
        self.verified().scopes()
    }

    /// The entity that the token is limited to; `None` for a developer token.
    #[must_use]
    pub fn entity(&self) -> Option<&EntityId> {
        self.verified().entity()
    }

    /// When the token is over (`exp`).
    #[must_use]
    pub fn expires_at(&self) -> UnixTime {
        self.verified().expires_at()
    }

    /// When the token was made (`iat`).
    #[must_use]
    pub fn issued_at(&self) -> UnixTime {
        self.verified().issued_at()
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal")
            .field("developer", self.developer())
            .field("key", &self.key())
            .field("entity", &self.entity())
            .finish_non_exhaustive()
    }
}

/// A caller, and the entity whose data it may reach in this request.
/// Made by [`Authority::entity`](super::Authority::entity) alone.
#[derive(Clone, Debug)]
pub struct EntityContext {
    principal: Principal,
    entity: EntityId,
}

impl EntityContext {
    pub(super) fn new(principal: Principal, entity: EntityId) -> Self {
        Self { principal, entity }
    }

    /// The caller.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The entity's id within its developer.
    #[must_use]
    pub fn entity_id(&self) -> &EntityId {
        &self.entity
    }

    /// The entity: environment, developer and id. Key data by this, never by the id alone.
    #[must_use]
    pub fn entity_ref(&self) -> EntityRef {
        EntityRef { developer: self.principal.developer().clone(), id: self.entity.clone() }
    }
}

impl Deref for EntityContext {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.principal
    }
}
