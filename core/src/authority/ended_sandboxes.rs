//! Sandboxes that have ended: cleared where their data was made, then removed whole.

use super::change::{Event, Tries};
use super::{Inner, Refusal};
use crate::key_store::KeyStoreExt as _;
use crate::model::{
    Announcement, AuditAction, AuditActor, ChainId, DeveloperRef, Index, Record, RecordKey, Row, SandboxRecord, Source,
    Stored,
};

impl Inner {
    /// Removes the sandboxes that have ended, whole.
    pub(super) async fn remove_ended_sandboxes(&self) -> Result<(), Refusal> {
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
        self.remove_sandbox(stored, &sandbox.developer).await
    }

    async fn remove_sandbox(&self, stored: &Stored, developer: &DeveloperRef) -> Result<(), Refusal> {
        let mut set = self.new_set()?;
        let owner = RecordKey::Developer(developer.clone());
        let [owner] = self.gather([owner]).await?;
        let mut gone = vec![stored.clone()];
        if let Some(owner) = owner {
            if let Record::Developer(record) = &owner.record {
                let epoch = record.epoch.saturating_add(1);
                self.announce(&mut set, Announcement::EpochRaised { developer: developer.clone(), epoch });
            }
            gone.push(owner);
        }
        for index in [Index::KeysOf(developer.clone()), Index::EntitiesOf(developer.clone())] {
            for row in self.store.all(&index).await? {
                let Row::Record(stored) = row else { continue };
                if let Record::ApiKey(key) = &stored.record {
                    let name = RecordKey::KeyActivity(developer.clone(), key.id);
                    gone.extend(self.store.get_one(name).await?);
                }
                gone.push(stored);
            }
        }
        for stored in gone {
            set.expect(&stored);
            set.remove.push(stored.record.key());
        }
        self.audit(
            &mut set,
            Event {
                chain: ChainId::System(developer.environment),
                actor: AuditActor::Upkeep,
                source: Source::UNKNOWN,
                action: AuditAction::SandboxEnded,
                subject: developer.id.as_str(),
                details: &[],
            },
        )?;
        // A lost race leaves it to the next round.
        self.commit(set, &mut Tries::default()).await?;
        Ok(())
    }
}
