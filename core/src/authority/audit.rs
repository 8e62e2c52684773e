//! Audit chains: read and verify.

use std::sync::Arc;

use super::{Inner, Refusal};
use crate::key_store::KeyStoreExt as _;
use crate::model::{AuditAction, AuditEvent, ChainId, DeveloperRef, FIRST_LINK, Position, Rejection};

const PAGE: usize = 500;

/// Audit chains: read and verify.
#[derive(Clone, Copy)]
pub struct Audit<'a> {
    pub(super) inner: &'a Arc<Inner>,
}

/// What a look through a chain found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditReport {
    /// Events looked at.
    pub events: u64,
    /// The number of the first event, from the newest back, whose link does not hold; `None` if all do. A tail that was
    /// cut off leaves a chain that holds.
    pub broken_at: Option<u64>,
}

impl Audit<'_> {
    /// At most `limit` events of `chain` after `after`, newest first.
    ///
    /// # Errors
    /// [`Refusal::Fault`] if the store did not answer.
    pub async fn page(
        &self,
        chain: &ChainId,
        after: Option<&Position>,
        limit: usize,
    ) -> Result<(Vec<AuditEvent>, Option<Position>), Refusal> {
        Ok(self.inner.store.audit(chain, after, limit).await?)
    }

    /// At most `limit` events of `developer` after `after`, newest first, for its own eyes. An earlier developer with the
    /// same id, such as one whose sandbox has ended, left its events in the same chain; they are not shown.
    ///
    /// # Errors
    /// [`Rejection::NotFound`] if there is no such developer.
    pub async fn page_of(
        &self,
        developer: &DeveloperRef,
        after: Option<&Position>,
        limit: usize,
    ) -> Result<(Vec<AuditEvent>, Option<Position>), Refusal> {
        let (made, _) = self.inner.store.developer(developer).await?.ok_or(Rejection::NotFound)?;
        let (mut events, mut next) = self.page(&ChainId::Developer(developer.clone()), after, limit).await?;
        // Another node's clock may be behind.
        let leeway = self.inner.config.policy.leeway.as_seconds();
        let is_birth =
            |event: &AuditEvent| matches!(event.action, AuditAction::DeveloperCreated | AuditAction::SandboxCreated);
        let born = events.iter().position(is_birth).map(|birth| birth + 1);
        let earlier = events.iter().position(|event| event.at.plus(leeway) < made.created_at);
        if let Some(end) = born.into_iter().chain(earlier).min() {
            events.truncate(end);
            next = None;
        }
        Ok((events, next))
    }

    /// Checks every link of `chain`, from its newest event to its first.
    ///
    /// # Errors
    /// [`Refusal::Fault`] if the store did not answer, or without a master key.
    pub async fn verify(&self, chain: &ChainId) -> Result<AuditReport, Refusal> {
        let secrets = self.inner.secrets()?;
        let mut newer: Option<AuditEvent> = None;
        let mut after = None;
        let mut events = 0;
        loop {
            let (page, next) = self.inner.store.audit(chain, after.as_ref(), PAGE).await?;
            for event in page {
                events += 1;
                if let Some(newer) = &newer {
                    let follows = newer.number == event.number.saturating_add(1);
                    let holds = secrets.audit_key_of(newer.key).is_some_and(|key| key.verifies(newer, &event.link));
                    if !follows || !holds {
                        return Ok(AuditReport { events, broken_at: Some(newer.number) });
                    }
                }
                newer = Some(event);
            }
            if next.is_none() {
                break;
            }
            after = next;
        }
        let broken_at = newer.and_then(|first| {
            let key = secrets.audit_key_of(first.key);
            let holds = first.number == 1 && key.is_some_and(|key| key.verifies(&first, &FIRST_LINK));
            (!holds).then_some(first.number)
        });
        Ok(AuditReport { events, broken_at })
    }
}

impl std::fmt::Debug for Audit<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Audit")
    }
}
