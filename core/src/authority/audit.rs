//! Audit chains: read and verify.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Inner, Refusal};
use crate::check::{AuditReport, ChainCheck, ChainProof};
use crate::jose::VerifyingKey;
use crate::key_store::{KeyStoreExt as _, StoreError};
use crate::model::{AuditAction, AuditEvent, ChainId, DeveloperRef, EnvironmentName, Position, Rejection, Row};
use crate::moving::{Progress, Stage, every_row};

const PAGE: usize = 500;

/// Audit chains: read and verify.
#[derive(Clone, Copy)]
pub struct Audit<'a> {
    pub(super) inner: &'a Arc<Inner>,
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

    /// Checks every link and every checkpoint of `chain`, from its newest event to its first. A tail that was cut off
    /// leaves a chain that holds: [`verify_against`](Self::verify_against) finds it.
    ///
    /// # Errors
    /// [`Refusal::Fault`] if the store did not answer, or without a master key.
    pub async fn verify(&self, chain: &ChainId) -> Result<AuditReport, Refusal> {
        self.check(chain, None).await
    }

    /// The same, and whether `chain` still holds what `kept` says: the compact form of the last checkpoint of this chain
    /// that the host's [`CheckpointSink`](super::CheckpointSink) was given.
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    pub async fn verify_against(&self, chain: &ChainId, kept: &str) -> Result<AuditReport, Refusal> {
        self.check(chain, Some(kept)).await
    }

    /// Checks every chain that the store holds, those of developers that have ended included, each as
    /// [`verify`](Self::verify) does. `progress` is told after every page of the store, whose rows are looked through for
    /// chains, and after every chain.
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    pub async fn verify_all(&self, progress: &mut (dyn FnMut(&Progress) + Send)) -> Result<ChainsReport, Refusal> {
        let mut chains = BTreeSet::new();
        let told = Progress { stage: Stage::FindingChains, rows: 0, position: None };
        every_row(&*self.inner.store, told, progress, |row| {
            if let Row::Audit(event) = row
                && !chains.contains(&event.chain)
            {
                chains.insert(event.chain.clone());
            }
        })
        .await?;
        let mut told = Progress { stage: Stage::Verifying, rows: 0, position: None };
        let mut report = ChainsReport::default();
        for chain in chains {
            let found = self.check(&chain, None).await?;
            told.rows += found.events;
            progress(&told);
            report.chains += 1;
            report.events += found.events;
            if found.holds() {
                continue;
            }
            if report.broken.len() < SHOWN { report.broken.push((chain, found)) } else { report.more += 1 }
        }
        Ok(report)
    }

    async fn check(&self, chain: &ChainId, kept: Option<&str>) -> Result<AuditReport, Refusal> {
        let inner = self.inner;
        let environment = chain.environment();
        let issuer = inner.config.issuer_of(environment);
        let signing_keys = inner.every_signing_key(environment).await?;
        let mut check = ChainCheck::new(ChainProof {
            chain,
            issuer: &issuer,
            audit_keys: inner.secrets()?.audit_keys(),
            signing_keys: &signing_keys,
            signs: !inner.issuers.is_foreign(environment),
            kept,
        });
        let mut after = None;
        loop {
            let (page, next) = inner.store.audit(chain, after.as_ref(), PAGE).await?;
            page.into_iter().for_each(|event| check.look(event));
            match next {
                Some(next) => after = Some(next),
                None => return Ok(check.finish()),
            }
        }
    }
}

/// What a look through every audit chain found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChainsReport {
    /// Chains looked at: all that there are.
    pub chains: u64,
    /// Events looked at.
    pub events: u64,
    /// The chains that do not hold, with what was found: the first hundred.
    pub broken: Vec<(ChainId, AuditReport)>,
    /// How many more chains do not hold.
    pub more: u64,
}

impl ChainsReport {
    /// Whether every chain holds.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.broken.is_empty()
    }
}

/// Most broken chains that are kept.
const SHOWN: usize = 100;

impl Inner {
    /// The signing keys that `environment` has and had, retired ones included.
    async fn every_signing_key(&self, environment: EnvironmentName) -> Result<Vec<VerifyingKey>, StoreError> {
        let keys = self.store.signing_keys().await?.into_iter().map(|(key, _)| key);
        let keys = keys.filter(|key| key.environment == environment);
        let provider = self.config.signature_provider;
        keys.map(|key| VerifyingKey::new_with(provider, &key.public).map_err(StoreError::corrupt)).collect()
    }
}

impl std::fmt::Debug for Audit<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Audit")
    }
}
