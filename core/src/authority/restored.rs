//! An older copy of the store was put back: no token made before works, and what may have ended since is listed.

use std::collections::BTreeSet;

use super::change::{Event, Tries};
use super::signing_key_records::{NewSigningKey, in_state};
use super::{Authority, Inner, Refusal};
use crate::key_store::KeyStoreExt as _;
use crate::model::{
    Announcement, AuditAction, AuditActor, ChainId, Developer, DeveloperRef, DeveloperStatus, EntityRef,
    EnvironmentName, Index, KeyId, Record, Row, SigningKeyId, SigningKeyState, Source, Stored, UnixTime,
};
use crate::moving::{Progress, Stage, every_row};

/// What [`Authority::restored`] did and found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Restored {
    /// When the newest event was written that the copy holds: the copy is not older than that. What was done later is
    /// lost. `None` in a store without events.
    pub newest_event_at: Option<UnixTime>,
    /// The signing keys that were retired.
    pub retired: Vec<SigningKeyId>,
    /// Developers whose tokens were revoked one by one, since the host's own issuer signs in their environment.
    pub epochs_raised: u64,
    /// Live developers: one may have been suspended, or have ended with its sandbox, since the copy was made.
    pub developers: u64,
    /// Live keys: one may have been revoked, or its text replaced, so that it is the older text that works again.
    pub keys: u64,
    /// Entities: one may have been removed.
    pub entities: u64,
}

/// Something that is live in an older copy, and may have ended after it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MayHaveEnded {
    /// A developer.
    Developer(DeveloperRef),
    /// A key of a developer.
    Key(DeveloperRef, KeyId),
    /// An entity.
    Entity(EntityRef),
}

impl Authority {
    /// To be called once after an older copy of the store was put back, before anything else uses it; every process that
    /// has the store open is stopped first, since it knows positions of the feed that the copy does not.
    ///
    /// What was revoked after the copy was made is live again, and nothing in the store can say what that was. So
    /// every signing key is retired at once, fresh ones sign, and no token made before works in any environment; where
    /// the host's own issuer signs, the epoch of every developer is raised. Both are announced and audited. An
    /// imported key is retired too: the host brings another one. Keys, developers and entities are not touched: `listed` is
    /// told each that is live, for somebody who knows to look through. `progress` is told after every page.
    ///
    /// The instant of the last prune, before which it never is again, becomes the present by the host's clock. So this
    /// is also the way back after a prune under a clock that ran far ahead.
    ///
    /// # Errors
    /// [`Refusal::Fault`] if the store did not answer, or without a master key. Calling it again is safe.
    pub async fn restored(
        &self,
        listed: &mut (dyn FnMut(MayHaveEnded) + Send),
        progress: &mut (dyn FnMut(&Progress) + Send),
    ) -> Result<Restored, Refusal> {
        let inner = &self.inner;
        inner.secrets()?;
        inner.time.forget_floor();
        // Before the change, whose own events are newer than the copy.
        let mut report = inner.list_live(listed, progress).await?;
        report.retired = inner.retire_everything(report.newest_event_at).await?;
        for environment in self.environments() {
            if inner.issuers.is_foreign(environment) {
                report.epochs_raised += inner.raise_epochs(environment).await?;
            }
        }
        Ok(report)
    }
}

impl Inner {
    async fn list_live(
        &self,
        listed: &mut (dyn FnMut(MayHaveEnded) + Send),
        progress: &mut (dyn FnMut(&Progress) + Send),
    ) -> Result<Restored, Refusal> {
        let now = self.now();
        let mut report = Restored::default();
        let told = Progress { stage: Stage::Listing, rows: 0, position: None };
        every_row(&*self.store, told, progress, |row| match row {
            Row::Audit(event) => report.newest_event_at = report.newest_event_at.max(Some(event.at)),
            Row::Record(Stored { record: Record::Developer(developer), .. }) => {
                if developer.status == DeveloperStatus::Active {
                    report.developers += 1;
                    listed(MayHaveEnded::Developer(developer.reference.clone()));
                }
            }
            Row::Record(Stored { record: Record::ApiKey(key), .. }) => {
                if key.revoked_at.is_none() && key.expires_at.is_none_or(|end| now < end) {
                    report.keys += 1;
                    listed(MayHaveEnded::Key(key.developer.clone(), key.id));
                }
            }
            Row::Record(Stored { record: Record::Entity(entity), .. }) => {
                report.entities += 1;
                listed(MayHaveEnded::Entity(entity.reference.clone()));
            }
            Row::Record(_) | Row::Usage(_) | Row::Feed(_) | Row::Meta(_) => {}
        })
        .await?;
        Ok(report)
    }

    /// Retires every signing key, those of environments that are not mounted included, and makes one in place of each
    /// active one. One commit, with an event in each environment's chain.
    async fn retire_everything(&self, newest_event_at: Option<UnixTime>) -> Result<Vec<SigningKeyId>, Refusal> {
        let mut tries = Tries::default();
        loop {
            // Whoever read the feed has raised it again.
            self.time.forget_floor();
            let mut set = self.new_set()?;
            set.pruned_at = Some(set.at);
            let mut keys = self.store.signing_keys().await?;
            keys.retain(|(key, _)| key.state != SigningKeyState::Retired);
            let mut environments: BTreeSet<_> = self.config.environments.keys().copied().collect();
            environments.extend(keys.iter().map(|(key, _)| key.environment));
            for environment in environments {
                let newest = newest_event_at.map(|at| at.to_string());
                let details: Vec<_> = newest.iter().map(|at| ("newest", at.as_str())).collect();
                self.audit(
                    &mut set,
                    Event {
                        chain: ChainId::System(environment),
                        actor: AuditActor::Host,
                        source: Source::UNKNOWN,
                        action: AuditAction::StoreRestored,
                        subject: environment.as_str(),
                        details: &details,
                    },
                )?;
                if let Some((active, _)) = in_state(&keys, environment, SigningKeyState::Active) {
                    let new = NewSigningKey::in_place_of(active, self.config.signature_provider)?;
                    self.add_signing_key(&mut set, environment, &new, SigningKeyState::Active, AuditActor::Host)?;
                }
            }
            let retired = keys.iter().map(|(key, _)| key.id.clone()).collect();
            for held in keys {
                self.change_signing_key(&mut set, held, SigningKeyState::Retired, AuditActor::Host)?;
            }
            if self.commit(set, &mut tries).await? {
                return Ok(retired);
            }
        }
    }

    /// Raises the epoch of every developer of `environment`: how many there are.
    async fn raise_epochs(&self, environment: EnvironmentName) -> Result<u64, Refusal> {
        let mut raised = 0;
        let mut after = None;
        loop {
            let page = self.store.page(&Index::Developers(environment), after.as_ref(), PAGE).await?;
            for row in page.rows {
                let Row::Record(Stored { record: Record::Developer(developer), .. }) = row else { continue };
                self.raise_epoch(&developer.reference).await?;
                raised += 1;
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(raised),
            }
        }
    }

    async fn raise_epoch(&self, developer: &DeveloperRef) -> Result<(), Refusal> {
        let mut tries = Tries::default();
        loop {
            let mut set = self.new_set()?;
            let Some((held, revision)) = self.store.developer(developer).await? else { return Ok(()) };
            // Epochs begin at the second of their making and are raised one by one, so that the present is above those
            // which the copy does not know.
            let epoch = held.epoch.saturating_add(1).max(set.at.seconds());
            self.announce(&mut set, Announcement::EpochRaised { developer: developer.clone(), epoch });
            set.replace(Record::Developer(Developer { epoch, ..held }), revision);
            let action = AuditAction::DeveloperTokensRevoked;
            let (actor, subject) = (super::Actor::Host, developer.id.as_str());
            self.audit(&mut set, Event::about(developer, &actor, Source::UNKNOWN, action, subject))?;
            if self.commit(set, &mut tries).await? {
                return Ok(());
            }
        }
    }
}

const PAGE: usize = 500;
