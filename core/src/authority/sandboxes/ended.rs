//! Sandboxes that have ended: cleared where their data was made, then removed whole.

use super::super::change::{Event, Tries};
use super::super::{Inner, Refusal};
use crate::key_store::KeyStoreExt as _;
use crate::model::{
    Announcement, AuditAction, AuditActor, ChainId, ChangeSet, DeveloperRef, Index, Record, RecordKey, Row,
    SandboxRecord, Source, Stored,
};

impl Inner {
    /// Removes the sandboxes that have ended, whole.
    pub(in super::super) async fn remove_ended_sandboxes(&self) -> Result<(), Refusal> {
        let now = self.set_now()?;
        let page = self.store.page(&Index::SandboxesEnding, None, 100).await?;
        // One that cannot be removed must not keep the others.
        let mut failed = Ok(());
        for row in page.rows {
            let Row::Record(stored) = row else { continue };
            let Record::Sandbox(sandbox) = &stored.record else { continue };
            if sandbox.expires_at > now {
                break;
            }
            if let Err(refusal) = self.end_sandbox(&stored, sandbox).await {
                failed = Err(refusal);
            }
        }
        failed
    }

    async fn end_sandbox(&self, stored: &Stored, sandbox: &SandboxRecord) -> Result<(), Refusal> {
        self.sandbox.clear(sandbox).await?;
        // The developer goes first. Nothing new can be made under it then, so that what is listed afterwards is all there
        // is; and nobody can take its id while the sandbox's record is there.
        let developer = &sandbox.developer;
        let [owner] = self.gather([RecordKey::Developer(developer.clone())]).await?;
        let had_owner = owner.is_some();
        if let Some(owner) = owner
            && !self.remove_owner(&owner, developer).await?
        {
            return Ok(());
        }
        let done = if had_owner { AuditAction::StorePruned } else { AuditAction::SandboxEnded };
        self.remove_the_rest(stored, developer, done).await
    }

    /// `false` where another change came first, which leaves it to the next round.
    async fn remove_owner(&self, owner: &Stored, developer: &DeveloperRef) -> Result<bool, Refusal> {
        let mut set = self.new_set()?;
        if let Record::Developer(record) = &owner.record {
            let epoch = record.epoch.saturating_add(1);
            self.announce(&mut set, Announcement::EpochRaised { developer: developer.clone(), epoch });
        }
        remove(&mut set, owner);
        self.audit_end(&mut set, developer, AuditAction::SandboxEnded)?;
        self.commit(set, &mut Tries::default()).await
    }

    async fn remove_the_rest(
        &self,
        sandbox: &Stored,
        developer: &DeveloperRef,
        done: AuditAction,
    ) -> Result<(), Refusal> {
        let mut set = self.new_set()?;
        set.expect_none(RecordKey::Developer(developer.clone()));
        for index in [Index::KeysOf(developer.clone()), Index::EntitiesOf(developer.clone())] {
            for row in self.store.all(&index).await? {
                let Row::Record(stored) = row else { continue };
                if let Record::ApiKey(key) = &stored.record {
                    let activity = self.store.get_one(RecordKey::KeyActivity(developer.clone(), key.id)).await?;
                    activity.iter().for_each(|activity| remove(&mut set, activity));
                }
                remove(&mut set, &stored);
            }
        }
        remove(&mut set, sandbox);
        self.audit_end(&mut set, developer, done)?;
        // A lost race leaves it to the next round.
        self.commit(set, &mut Tries::default()).await?;
        Ok(())
    }

    fn audit_end(&self, set: &mut ChangeSet, developer: &DeveloperRef, action: AuditAction) -> Result<(), Refusal> {
        self.audit(
            set,
            Event {
                chain: ChainId::System(developer.environment),
                actor: AuditActor::Upkeep,
                source: Source::UNKNOWN,
                action,
                subject: developer.id.as_str(),
                details: &[],
            },
        )
    }
}

/// Adds the removal of `stored`, as it was read, to `set`.
fn remove(set: &mut ChangeSet, stored: &Stored) {
    set.expect(stored);
    set.remove.push(stored.record.key());
}
