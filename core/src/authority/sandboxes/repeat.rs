//! The same order sent again under one `Idempotency-Key`: the same sandbox, with a new key.

use super::super::Refusal;
use super::super::change::{Event, Tries, record_as};
use super::OpenedSandbox;
use super::order::Opening;
use crate::key_store::KeyStoreExt as _;
use crate::model::{
    Announcement, ApiKey, AuditAction, ChainId, ChangeSet, DeveloperRef, EntityRef, Expectation, Record, RecordKey,
    Rejection, SandboxRecord, SandboxState, SecretText,
};
use crate::random;

impl Opening<'_> {
    /// The sandbox that was made under the same `Idempotency-Key`, with a new key in place of its first.
    pub(super) async fn repeat(&self) -> Result<Option<OpenedSandbox>, Refusal> {
        let Some(request) = &self.request else { return Ok(None) };
        let inner = self.inner;
        let name = Record::SandboxRequest(request.clone()).key();
        let mut tries = Tries::default();
        loop {
            let [earlier] = inner.gather([name.clone()]).await?;
            let Some(earlier) = record_as!(earlier, SandboxRequest)? else { return Ok(None) };
            if earlier.ends_at <= inner.now() {
                return Ok(None);
            }
            if earlier.body_digest != request.body_digest {
                return Err(Rejection::IdempotencyMismatch.into());
            }
            let developer = DeveloperRef { environment: earlier.environment, id: earlier.developer };
            let Some((sandbox, sandbox_revision)) = inner.store.sandbox(&developer).await? else { return Ok(None) };
            if sandbox.state != SandboxState::Open || sandbox.expires_at <= inner.now() {
                return Ok(None);
            }
            let names = [
                RecordKey::Developer(developer.clone()),
                RecordKey::ApiKey(developer.clone(), sandbox.first_key),
                RecordKey::Entity(EntityRef { developer: developer.clone(), id: sandbox.entity.clone() }),
            ];
            let [owner, key, entity] = inner.gather(names).await?;
            let (Some(owner), Some(key), Some(entity)) = (owner, key, record_as!(entity, Entity)?) else {
                return Err(Rejection::Conflict.into());
            };
            let mut set = inner.new_set()?;
            set.expect(&owner);
            set.expect(&key);
            set.expect
                .push(Expectation { key: RecordKey::Sandbox(developer.clone()), revision: Some(sandbox_revision) });
            let owner = record_as!(Some(owner), Developer)?.ok_or(Rejection::NotFound)?;
            let key = record_as!(Some(key), ApiKey)?.ok_or(Rejection::NotFound)?;
            let (api_key, key) = self.replace_key(&mut set, &sandbox, key)?;
            let furnished = inner.sandbox.furnish(&sandbox).await?;
            let issued = inner.first_token(&mut set, &owner, &key, &api_key, self.source).await?;
            if inner.commit(set, &mut tries).await? {
                return Ok(Some(OpenedSandbox {
                    created: false,
                    developer: owner,
                    api_key,
                    entity,
                    furnished,
                    token: issued.token,
                    expires_at: sandbox.expires_at,
                }));
            }
            inner.read_again().await?;
        }
    }

    /// A new text in place of the first key's; a new key, where the first was revoked.
    fn replace_key(
        &self,
        set: &mut ChangeSet,
        sandbox: &SandboxRecord,
        key: ApiKey,
    ) -> Result<(SecretText, ApiKey), Refusal> {
        let developer = &sandbox.developer;
        let inner = self.inner;
        let (text, key) = if key.revoked_at.is_some() {
            let id = random::key_id(&*inner.random)?;
            set.update.push(Record::Sandbox(SandboxRecord { first_key: id, ..sandbox.clone() }));
            inner.first_key(set, developer, id, sandbox.expires_at)?
        } else {
            let mut key = key;
            let ended = [Some(key.current.generation), key.previous.take().map(|previous| previous.generation)];
            for generation in ended.into_iter().flatten() {
                let environment = developer.environment;
                inner.announce(set, Announcement::GenerationEnded { environment, key: key.id, generation });
            }
            let (text, current) = inner.new_key_text(developer, key.id, key.current.generation.saturating_add(1))?;
            key.current = current;
            set.update.push(Record::ApiKey(key.clone()));
            (text, key)
        };
        inner.audit(
            set,
            Event {
                chain: ChainId::Developer(developer.clone()),
                actor: self.audit_actor(),
                source: self.source,
                action: AuditAction::KeyReplaced,
                subject: key.id.as_str(),
                details: &[("reason", "idempotent repeat")],
            },
        )?;
        Ok((text, key))
    }
}
