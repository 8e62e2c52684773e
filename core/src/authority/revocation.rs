//! Revocation of single tokens.

use std::sync::Arc;

use super::change::{Event, Tries};
use super::{Actor, Client, Inner, Refusal};
use crate::model::{
    Announcement, AuditAction, AuditActor, ChainId, DeveloperRef, Rejection, Source, TokenId, UnixTime,
};

/// Revocation of single tokens.
#[derive(Clone, Copy)]
pub struct Revocation<'a> {
    pub(super) inner: &'a Arc<Inner>,
}

impl Revocation<'_> {
    /// Revokes the token `token` (`jti`) of `developer`: within `max_staleness`, here at once. Where it is the first of
    /// its line, it takes along all that came from it by token exchange; else it goes alone. A token that is over
    /// already, at `expires_at`, needs nothing.
    ///
    /// # Errors
    /// [`Rejection::NotFound`] if `actor` is another developer's caller; [`Refusal::Fault`] if the store did not answer.
    pub async fn token(
        &self,
        actor: &Actor<'_>,
        source: Source,
        developer: &DeveloperRef,
        token: TokenId,
        expires_at: UnixTime,
    ) -> Result<(), Refusal> {
        actor.acts_for(developer)?;
        if self.inner.environment(developer.environment).is_none() {
            return Err(Rejection::NotFound.into());
        }
        self.end(actor.audit_actor(), source, developer, token, expires_at).await
    }

    /// Revokes the token that `client` shows in compact form (RFC 7009), if it is one of its developer in the
    /// environment of its key. For anything else, and for a token that is over or revoked already, there is nothing to
    /// do, and the answer is the same.
    ///
    /// # Errors
    /// [`Refusal::Fault`] if the store did not answer.
    pub async fn presented(&self, client: &Client, token: &[u8]) -> Result<(), Refusal> {
        let inner = self.inner;
        inner.fresh().await?;
        inner.usage.cell(client.developer(), client.key()).count_requests(1);
        let found = inner.own_token(client, token).and_then(|token| {
            let by = inner.feed.revocations.latest().check(&token);
            by.map_or(Ok(token), |by| Err(Rejection::Revoked { by }))
        });
        match found {
            Ok(found) => {
                let (id, end) = (found.token(), found.expires_at());
                self.end(client.audit_actor(), client.source(), client.developer(), id, end).await
            }
            Err(rejection) => {
                tracing::debug!(reason = rejection.reason(), "nothing to revoke");
                Ok(())
            }
        }
    }

    async fn end(
        &self,
        actor: AuditActor,
        source: Source,
        developer: &DeveloperRef,
        token: TokenId,
        expires_at: UnixTime,
    ) -> Result<(), Refusal> {
        let inner = self.inner;
        let mut tries = Tries::default();
        loop {
            let mut set = inner.new_set()?;
            if expires_at <= set.at {
                return Ok(());
            }
            inner.announce(&mut set, Announcement::TokenRevoked { environment: developer.environment, token });
            let event = Event {
                chain: ChainId::Developer(developer.clone()),
                actor: actor.clone(),
                source,
                action: AuditAction::TokenRevoked,
                subject: token.as_str(),
                details: &[],
            };
            inner.audit(&mut set, event)?;
            if inner.commit(set, &mut tries).await? {
                return Ok(());
            }
        }
    }
}

impl std::fmt::Debug for Revocation<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Revocation")
    }
}
