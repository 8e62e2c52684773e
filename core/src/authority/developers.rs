//! Developers: create, suspend, resume, revoke everything.

use std::sync::Arc;

use super::change::{Event, Tries};
use super::{Actor, Inner, Refusal};
use crate::key_store::KeyStoreExt as _;
use crate::model::{
    Announcement, AuditAction, ChangeSet, Developer, DeveloperRef, DeveloperStatus, Index, Page, Position, Record,
    RecordKey, Rejection, Row, Source, Stored, UnixTime, checked_name,
};

/// Developers: create, suspend, resume, revoke everything.
#[derive(Clone, Copy)]
pub struct Developers<'a> {
    pub(super) inner: &'a Arc<Inner>,
}

impl Developers<'_> {
    /// Makes a developer.
    ///
    /// # Errors
    /// - [`Rejection::Conflict`] if there is one with that id
    /// - [`Rejection::NotFound`] if the environment is not mounted
    /// - [`Rejection::InvalidRequest`] if the name is none (see [`checked_name`])
    pub async fn create(
        &self,
        actor: &Actor<'_>,
        source: Source,
        developer: &DeveloperRef,
        name: &str,
    ) -> Result<Developer, Refusal> {
        let inner = self.inner;
        let mut set = inner.new_set()?;
        let made = inner.new_developer(&mut set, developer, name)?;
        inner.audit(
            &mut set,
            Event::about(developer, actor, source, AuditAction::DeveloperCreated, developer.id.as_str()),
        )?;
        match inner.commit(set, &mut Tries::default()).await? {
            true => Ok(made),
            false => Err(Rejection::Conflict.into()),
        }
    }

    /// A developer.
    ///
    /// # Errors
    /// [`Rejection::NotFound`] if there is none.
    pub async fn get(&self, developer: &DeveloperRef) -> Result<Developer, Refusal> {
        let found = self.inner.store.developer(developer).await?;
        Ok(found.ok_or(Rejection::NotFound)?.0)
    }

    /// At most `limit` developers of `environment` after `after`, by id.
    ///
    /// # Errors
    /// [`Refusal::Fault`] if the store did not answer.
    pub async fn list(
        &self,
        environment: crate::model::EnvironmentName,
        after: Option<&Position>,
        limit: usize,
    ) -> Result<(Vec<Developer>, Option<Position>), Refusal> {
        let Page { rows, next } = self.inner.store.page(&Index::Developers(environment), after, limit).await?;
        let developers = rows.into_iter().filter_map(|row| match row {
            Row::Record(Stored { record: Record::Developer(developer), .. }) => Some(developer),
            _ => None,
        });
        Ok((developers.collect(), next))
    }

    /// Suspends a developer: its keys are refused at once, its tokens within `max_staleness`, here at once.
    ///
    /// # Errors
    /// [`Rejection::NotFound`] if there is none.
    pub async fn suspend(&self, actor: &Actor<'_>, source: Source, developer: &DeveloperRef) -> Result<(), Refusal> {
        self.change(actor, source, developer, AuditAction::DeveloperSuspended, |developer| {
            developer.status = DeveloperStatus::Suspended;
            developer.epoch = developer.epoch.saturating_add(1);
        })
        .await
    }

    /// Resumes a suspended developer: its keys work again, its older tokens do not.
    ///
    /// # Errors
    /// [`Rejection::NotFound`] if there is none.
    pub async fn resume(&self, actor: &Actor<'_>, source: Source, developer: &DeveloperRef) -> Result<(), Refusal> {
        self.change(actor, source, developer, AuditAction::DeveloperResumed, |developer| {
            developer.status = DeveloperStatus::Active;
        })
        .await
    }

    /// Revokes every token of a developer; its keys go on working.
    ///
    /// # Errors
    /// [`Rejection::NotFound`] if there is none.
    pub async fn revoke_tokens(
        &self,
        actor: &Actor<'_>,
        source: Source,
        developer: &DeveloperRef,
    ) -> Result<(), Refusal> {
        self.change(actor, source, developer, AuditAction::DeveloperTokensRevoked, |developer| {
            developer.epoch = developer.epoch.saturating_add(1);
        })
        .await
    }

    async fn change(
        &self,
        actor: &Actor<'_>,
        source: Source,
        developer: &DeveloperRef,
        action: AuditAction,
        change: fn(&mut Developer),
    ) -> Result<(), Refusal> {
        actor.acts_for(developer)?;
        let inner = self.inner;
        let mut tries = Tries::default();
        loop {
            let mut set = inner.new_set()?;
            let stored = inner.store.get_one(RecordKey::Developer(developer.clone())).await?;
            let stored = stored.ok_or(Rejection::NotFound)?;
            set.expect(&stored);
            let Record::Developer(mut changed) = stored.record else { return Err(Rejection::NotFound.into()) };
            let epoch = changed.epoch;
            change(&mut changed);
            if changed.epoch != epoch {
                let raised = Announcement::EpochRaised { developer: developer.clone(), epoch: changed.epoch };
                inner.announce(&mut set, raised);
            }
            set.update.push(Record::Developer(changed));
            inner.audit(&mut set, Event::about(developer, actor, source, action, developer.id.as_str()))?;
            if inner.commit(set, &mut tries).await? {
                return Ok(());
            }
        }
    }
}

impl std::fmt::Debug for Developers<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Developers")
    }
}

impl Inner {
    /// A new developer, added to `set`.
    pub(super) fn new_developer(
        &self,
        set: &mut ChangeSet,
        developer: &DeveloperRef,
        name: &str,
    ) -> Result<Developer, Refusal> {
        if self.environment(developer.environment).is_none() {
            return Err(Rejection::NotFound.into());
        }
        let name = checked_name(name).map_err(|_| INVALID_NAME)?;
        let made = Developer {
            reference: developer.clone(),
            name,
            status: DeveloperStatus::Active,
            epoch: self.first_epoch(developer, set.at),
            created_at: set.at,
        };
        set.insert.push(Record::Developer(made.clone()));
        Ok(made)
    }

    /// An epoch that no token of an earlier developer with this id has.
    fn first_epoch(&self, developer: &DeveloperRef, now: UnixTime) -> u64 {
        self.feed.revocations.latest().epoch_floor(developer).max(now.seconds())
    }
}

/// A name is none.
pub(super) const INVALID_NAME: Rejection =
    Rejection::InvalidRequest { message: "A name has 1 to 200 characters and no control characters." };
