//! Revocation of single tokens.

use std::sync::Arc;

use super::change::{Event, Tries};
use super::{Actor, Inner, Refusal};
use crate::model::{Announcement, AuditAction, DeveloperRef, Rejection, Source, TokenId, UnixTime};

/// Revocation of single tokens.
#[derive(Clone, Copy)]
pub struct Revocation<'a> {
    pub(super) inner: &'a Arc<Inner>,
}

impl Revocation<'_> {
    /// Revokes the token `token` (`jti`) of `developer`, and those exchanged from it: within `max_staleness`, here at
    /// once. A token that is over already, at `expires_at`, needs nothing.
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
        let inner = self.inner;
        if inner.environment(developer.environment).is_none() {
            return Err(Rejection::NotFound.into());
        }
        let mut tries = Tries::default();
        loop {
            let mut set = inner.new_set()?;
            if expires_at <= set.at {
                return Ok(());
            }
            inner.announce(&mut set, Announcement::TokenRevoked { environment: developer.environment, token });
            inner.audit(&mut set, Event::about(developer, actor, source, AuditAction::TokenRevoked, token.as_str()))?;
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
