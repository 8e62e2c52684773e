//! A sandbox opened: developer, key, entity, test data and token, in one commit.

use super::super::change::{Event, Tries};
use super::super::{Inner, Issued, Refusal};
use super::OpenedSandbox;
use super::order::Opening;
use crate::check::{NewKey, PresentedKey, TokenRequest, VerifiedKey, check_api_key, parse_key_text};
use crate::key_store::KeyStoreExt as _;
use crate::model::{
    ApiKey, AuditAction, ChainId, ChangeSet, Developer, DeveloperRef, KeyId, Metadata, Record, RecordKey, Rejection,
    SandboxRecord, SandboxState, SecretText, Source, Stored, UnixTime,
};
use crate::random;
use crate::sandbox::{Furnished, SandboxOrigin};

/// How long a sandbox lives, in seconds: 7 days.
const LIFETIME: u64 = 7 * 86_400;
/// The one set of test data that there is.
const SCENARIO: &str = "user_good";

/// Whether the sandbox's record is there already, since the id was reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Free,
    Reserved,
}

impl Opening<'_> {
    /// Opens the sandbox.
    pub(super) async fn open(&self) -> Result<OpenedSandbox, Refusal> {
        match self.inner.sandbox.origin() {
            SandboxOrigin::Computed => self.open_computed().await,
            SandboxOrigin::Elsewhere => self.open_elsewhere().await,
        }
    }

    async fn open_computed(&self) -> Result<OpenedSandbox, Refusal> {
        let inner = self.inner;
        let mut set = inner.new_set()?;
        if self.held(&mut set).await?.is_some() {
            return Err(Rejection::Conflict.into());
        }
        let record = self.new_record(set.at, SandboxState::Open)?;
        let furnished = inner.sandbox.furnish(&record).await?;
        let opened = self.fill(&mut set, Place::Free, record, furnished).await?;
        match inner.commit(set, &mut Tries::default()).await? {
            true => Ok(opened),
            false => Err(Rejection::Conflict.into()),
        }
    }

    /// The record of a sandbox that has the developer's id and no developer yet. `set` relies on both.
    pub(super) async fn held(&self, set: &mut ChangeSet) -> Result<Option<Stored>, Refusal> {
        let names = [RecordKey::Developer(self.developer.clone()), RecordKey::Sandbox(self.developer.clone())];
        let [owner, held] = self.inner.gather(names.clone()).await?;
        if owner.is_some() {
            return Err(Rejection::Conflict.into());
        }
        let [owner, sandbox] = names;
        set.expect_none(owner);
        match &held {
            Some(held) => set.expect(held),
            None => set.expect_none(sandbox),
        }
        Ok(held)
    }

    pub(super) fn new_record(&self, at: UnixTime, state: SandboxState) -> Result<SandboxRecord, Refusal> {
        let random = &*self.inner.random;
        Ok(SandboxRecord {
            developer: self.developer.clone(),
            entity: self.inner.new_entity_id()?,
            first_key: random::key_id(random)?,
            name: self.order.name.clone(),
            industry: self.order.industry.clone(),
            preferences: self.order.preferences.clone(),
            scenario: SCENARIO.to_owned(),
            seed: random::bytes(random)?,
            clock_offset: 0,
            receipt: None,
            state,
            created_at: at,
            expires_at: at.plus(LIFETIME),
        })
    }

    /// Adds everything that a sandbox is made of to `set`.
    pub(super) async fn fill(
        &self,
        set: &mut ChangeSet,
        place: Place,
        record: SandboxRecord,
        furnished: Furnished,
    ) -> Result<OpenedSandbox, Refusal> {
        let inner = self.inner;
        let reference = &record.developer;
        self.remember_request(set).await?;
        let developer = inner.new_developer(set, reference, &record.name)?;
        let entity = inner.new_entity(set, reference, record.entity.clone(), &record.name)?;
        let (api_key, key) = inner.first_key(set, reference, record.first_key, record.expires_at)?;
        inner.audit(
            set,
            Event {
                chain: ChainId::Developer(reference.clone()),
                actor: self.audit_actor(),
                source: self.source,
                action: AuditAction::SandboxCreated,
                subject: reference.id.as_str(),
                details: &[("key", key.id.as_str()), ("entity", entity.reference.id.as_str())],
            },
        )?;
        let issued = inner.first_token(set, &developer, &key, &api_key, self.source).await?;
        let expires_at = record.expires_at;
        let kept = Record::Sandbox(record);
        match place {
            Place::Free => set.insert.push(kept),
            Place::Reserved => set.update.push(kept),
        }
        Ok(OpenedSandbox { created: true, developer, api_key, entity, furnished, token: issued.token, expires_at })
    }

    /// Keeps the `Idempotency-Key`; one that has ended is replaced.
    async fn remember_request(&self, set: &mut ChangeSet) -> Result<(), Refusal> {
        let Some(request) = &self.request else { return Ok(()) };
        let record = Record::SandboxRequest(request.clone());
        match self.inner.store.get_one(record.key()).await? {
            None => set.insert.push(record),
            Some(ended) => {
                set.expect(&ended);
                set.update.push(record);
            }
        }
        Ok(())
    }
}

impl Inner {
    /// A key with every scope, added to `set`.
    pub(super) fn first_key(
        &self,
        set: &mut ChangeSet,
        developer: &DeveloperRef,
        id: KeyId,
        expires_at: UnixTime,
    ) -> Result<(SecretText, ApiKey), Refusal> {
        let grant = self.config.registry.everything();
        let new = NewKey {
            name: "first key".to_owned(),
            scopes: grant.tokens().clone(),
            expires_at: Some(expires_at),
            allowed_ips: Vec::new(),
            metadata: Metadata::default(),
        };
        let created = self.new_key(set, developer, id, &new, grant, None)?;
        Ok((created.text, created.key))
    }

    /// A developer token for a key that `set` makes or replaces.
    pub(super) async fn first_token(
        &self,
        set: &mut ChangeSet,
        developer: &Developer,
        key: &ApiKey,
        text: &SecretText,
        source: Source,
    ) -> Result<Issued, Refusal> {
        let verified = self.verified_key(developer, key, text, source, set.at)?;
        let request = TokenRequest { entity: None, scope: None, lifetime: None };
        let (issued, claims) = self.mint(set, &verified, &request).await?;
        self.audit_issue(set, &claims, None, source)?;
        Ok(issued)
    }

    fn verified_key(
        &self,
        developer: &Developer,
        key: &ApiKey,
        text: &SecretText,
        source: Source,
        now: UnixTime,
    ) -> Result<VerifiedKey, Refusal> {
        let parts = parse_key_text(text.expose())?;
        let digests = self.secrets()?.digests(text);
        let presented = PresentedKey { developer: &developer.reference, parts: &parts, digests: &digests, source };
        Ok(check_api_key(&presented, Some(developer), Some(key), now)?)
    }
}
