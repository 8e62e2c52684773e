//! Sandboxes: opened as one transaction, opened again by the same request, removed when they end.

mod elsewhere;
mod ended;
mod opening;
mod order;
mod repeat;

use std::sync::Arc;

use order::Opening;
pub use order::{SandboxActor, SandboxOrder};

use super::{Inner, Refusal};
use crate::key_store::KeyStoreExt as _;
use crate::model::{
    Developer, DeveloperRef, Entity, Rejection, SandboxRecord, SandboxState, SecretText, Source, UnixTime,
};
use crate::sandbox::Furnished;

/// Sandboxes: opened as one transaction.
#[derive(Clone, Copy)]
pub struct Sandboxes<'a> {
    pub(super) inner: &'a Arc<Inner>,
}

/// A sandbox that is open. The key is shown here, once.
#[derive(Clone, Debug)]
pub struct OpenedSandbox {
    /// Whether it was made just now; if not, it is the one of the same `Idempotency-Key`, with a new key.
    pub created: bool,
    /// Its developer.
    pub developer: Developer,
    /// A key with every scope.
    pub api_key: SecretText,
    /// Its first entity.
    pub entity: Entity,
    /// Its test data.
    pub furnished: Furnished,
    /// A developer token.
    pub token: SecretText,
    /// When it ends by itself.
    pub expires_at: UnixTime,
}

impl Sandboxes<'_> {
    /// Opens a sandbox: developer, key with every scope, entity, test data and a token; all of it or nothing.
    ///
    /// # Errors
    /// - [`Rejection::Conflict`] if the developer's id is taken
    /// - [`Rejection::IdempotencyMismatch`] if the same `Idempotency-Key` came with another order
    /// - [`Rejection::InvalidRequest`] if a part of the order is malformed, or the environment has no sandboxes
    /// - [`Rejection::RateLimited`] after too many
    /// - [`Refusal::Fault`] if the store or the outside service failed: there is no sandbox then
    pub async fn create(
        &self,
        actor: &SandboxActor<'_>,
        source: Source,
        order: &SandboxOrder,
    ) -> Result<OpenedSandbox, Refusal> {
        let opening = Opening::plan(self.inner, actor, source, order)?;
        if let Some(repeated) = opening.repeat().await? {
            return Ok(repeated);
        }
        opening.limit()?;
        let opened = opening.open().await;
        if !matches!(opened, Err(Refusal::Rejected(Rejection::Conflict))) {
            return opened;
        }
        // Another came first: perhaps the same order, sent twice at once; perhaps a signing key changed meanwhile.
        self.inner.read_again().await?;
        match opening.repeat().await? {
            Some(repeated) => Ok(repeated),
            None => opening.open().await,
        }
    }

    /// The sandbox of `developer`.
    ///
    /// # Errors
    /// [`Rejection::NotFound`] if there is none that is open.
    pub async fn get(&self, developer: &DeveloperRef) -> Result<SandboxRecord, Refusal> {
        let found = self.inner.store.sandbox(developer).await?.map(|(sandbox, _)| sandbox);
        let open = found.filter(|sandbox| sandbox.state == SandboxState::Open && self.inner.now() < sandbox.expires_at);
        Ok(open.ok_or(Rejection::NotFound)?)
    }
}

impl std::fmt::Debug for Sandboxes<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sandboxes")
    }
}
