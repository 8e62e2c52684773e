//! API keys: create, import, list, revoke.

use std::sync::Arc;

use super::change::{Event, Tries, record_as};
use super::{Actor, Inner, Principal, Refusal};
use crate::check::{Maker, NewKey, check_new_key, parse_key_text, print_key_text};
use crate::key_store::KeyStoreExt as _;
use crate::model::{
    Announcement, ApiKey, AuditAction, ChangeSet, DeveloperRef, EnvironmentName, Index, KeyId, KeyText, Page, Position,
    Record, RecordKey, Rejection, RevokedBy, Row, ScopeGrant, SecretText, Source, Stored, UnixTime,
};
use crate::random;

/// API keys: create, import, list, revoke.
#[derive(Clone, Copy)]
pub struct Keys<'a> {
    pub(super) inner: &'a Arc<Inner>,
}

/// A key that was just made, with its text: shown here, once, and kept nowhere.
#[derive(Clone, Debug)]
pub struct CreatedKey {
    /// The key's record.
    pub key: ApiKey,
    /// The key itself.
    pub text: SecretText,
}

/// A key as it can be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyView {
    /// The key's record.
    pub key: ApiKey,
    /// Its latest use that was written; up to a second behind.
    pub last_used_at: Option<UnixTime>,
}

impl Keys<'_> {
    /// Makes a key of `developer`.
    ///
    /// A key that a [`Principal`] makes is never wider than its maker in scopes, IP ranges or expiry, and remembers it.
    ///
    /// # Errors
    /// - [`Rejection::NotFound`] if there is no such developer
    /// - [`Rejection::InvalidScope`], [`Rejection::InvalidRequest`], [`Rejection::WiderThanMaker`] from
    ///   [`check_new_key`]
    /// - [`Rejection::Revoked`] if the maker's key is gone by now
    pub async fn create(
        &self,
        actor: &Actor<'_>,
        source: Source,
        developer: &DeveloperRef,
        new: &NewKey,
    ) -> Result<CreatedKey, Refusal> {
        actor.acts_for(developer)?;
        let inner = self.inner;
        let mut tries = Tries::default();
        loop {
            let mut set = inner.new_set()?;
            let (grant, made_by) = match actor {
                Actor::Host => (check_new_key(new, None, &inner.config.registry, set.at)?, None),
                Actor::Principal(principal) => (inner.narrowed(&mut set, principal, new).await?, Some(principal.key())),
            };
            let owner = inner.store.get_one(RecordKey::Developer(developer.clone())).await?;
            set.expect(&owner.ok_or(Rejection::NotFound)?);
            let id = random::key_id(&*inner.random)?;
            let created = inner.new_key(&mut set, developer, id, new, grant, made_by)?;
            inner.audit_new_key(&mut set, actor, source, AuditAction::KeyCreated, &created.key)?;
            if inner.commit(set, &mut tries).await? {
                return Ok(created);
            }
        }
    }

    /// The text of a key that does not exist yet: nothing is stored of it, and nothing knows it until it is
    /// [imported](Self::import). So it can be put in a safe place first.
    ///
    /// # Errors
    /// - [`Rejection::KeyEnvironment`] if the environment is not mounted
    /// - [`Refusal::Fault`] if the random number generator failed
    pub fn draw(&self, environment: EnvironmentName) -> Result<SecretText, Refusal> {
        self.inner.environment(environment).ok_or(Rejection::KeyEnvironment)?;
        let id = random::key_id(&*self.inner.random)?;
        self.inner.draw_text(environment, id)
    }

    /// Makes the key of `developer` whose text exists already, such as one that was [drawn](Self::draw). The host alone
    /// may do it: a text that a caller chose could be guessed, or carry another key's id.
    ///
    /// The same text again changes nothing and gives the key as it is, also one that was revoked since.
    ///
    /// # Errors
    /// - [`Rejection::InvalidRequest`] for a [`Principal`]
    /// - [`Rejection::KeyText`] if the text has the wrong shape or checksum, [`Rejection::KeyEnvironment`] if it is of
    ///   another brand than this host's or another environment than the developer's
    /// - [`Rejection::NotFound`] if there is no such developer
    /// - [`Rejection::Conflict`] if the developer has a key with the id in the text and another text
    /// - [`Rejection::InvalidScope`], [`Rejection::InvalidRequest`] from [`check_new_key`]
    pub async fn import(
        &self,
        actor: &Actor<'_>,
        source: Source,
        developer: &DeveloperRef,
        text: &SecretText,
        new: &NewKey,
    ) -> Result<ApiKey, Refusal> {
        if !matches!(actor, Actor::Host) {
            return Err(ONLY_DRAWN.into());
        }
        let inner = self.inner;
        let parts = parse_key_text(text.expose())?;
        if parts.brand != inner.config.brand.as_str() || parts.environment != developer.environment {
            return Err(Rejection::KeyEnvironment.into());
        }
        let digests = inner.secrets()?.digests(text);
        let mut tries = Tries::default();
        loop {
            let mut set = inner.new_set()?;
            let names = [RecordKey::Developer(developer.clone()), RecordKey::ApiKey(developer.clone(), parts.id)];
            let [owner, existing] = inner.gather(names).await?;
            set.expect(&owner.ok_or(Rejection::NotFound)?);
            if let Some(key) = record_as!(existing, ApiKey)? {
                let is_same = digests.contains(&key.current.digest);
                return if is_same { Ok(key) } else { Err(Rejection::Conflict.into()) };
            }
            let grant = check_new_key(new, None, &inner.config.registry, set.at)?;
            let current = inner.kept_text(text, FIRST_GENERATION)?;
            let key = inner.insert_key(&mut set, developer, (parts.id, current), new, grant, None);
            inner.audit_new_key(&mut set, actor, source, AuditAction::KeyImported, &key)?;
            if inner.commit(set, &mut tries).await? {
                return Ok(key);
            }
        }
    }

    /// A key of `developer`.
    ///
    /// # Errors
    /// [`Rejection::NotFound`] if it has none with that id.
    pub async fn get(&self, developer: &DeveloperRef, id: KeyId) -> Result<KeyView, Refusal> {
        let names = [RecordKey::ApiKey(developer.clone(), id), RecordKey::KeyActivity(developer.clone(), id)];
        let [key, activity] = self.inner.gather(names).await?;
        let key = record_as!(key, ApiKey)?.ok_or(Rejection::NotFound)?;
        let last_used_at = record_as!(activity, KeyActivity)?.map(|activity| activity.last_used_at);
        Ok(KeyView { key, last_used_at })
    }

    /// At most `limit` keys of `developer` after `after`, newest first.
    ///
    /// # Errors
    /// [`Refusal::Fault`] if the store did not answer.
    pub async fn list(
        &self,
        developer: &DeveloperRef,
        after: Option<&Position>,
        limit: usize,
    ) -> Result<(Vec<KeyView>, Option<Position>), Refusal> {
        let index = Index::KeysOf(developer.clone());
        let Page { rows, next } = self.inner.store.page(&index, after, limit).await?;
        let keys: Vec<ApiKey> = rows
            .into_iter()
            .filter_map(|row| match row {
                Row::Record(Stored { record: Record::ApiKey(key), .. }) => Some(key),
                _ => None,
            })
            .collect();
        let names: Vec<_> = keys.iter().map(|key| RecordKey::KeyActivity(developer.clone(), key.id)).collect();
        let activities = self.inner.store.get(&names).await?;
        let mut views = Vec::with_capacity(keys.len());
        for (key, activity) in keys.into_iter().zip(activities) {
            let last_used_at = record_as!(activity, KeyActivity)?.map(|activity| activity.last_used_at);
            views.push(KeyView { key, last_used_at });
        }
        Ok((views, next))
    }

    /// Revokes a key: it is refused at once everywhere; its tokens within `max_staleness`, here at once. Revoking a
    /// revoked key changes nothing and is no error.
    ///
    /// # Errors
    /// [`Rejection::NotFound`] if `developer` has no key with that id.
    pub async fn revoke(
        &self,
        actor: &Actor<'_>,
        source: Source,
        developer: &DeveloperRef,
        id: KeyId,
    ) -> Result<(), Refusal> {
        actor.acts_for(developer)?;
        let inner = self.inner;
        let mut tries = Tries::default();
        loop {
            let mut set = inner.new_set()?;
            let stored = inner.store.get_one(RecordKey::ApiKey(developer.clone(), id)).await?;
            let stored = stored.ok_or(Rejection::NotFound)?;
            set.expect(&stored);
            let Record::ApiKey(mut key) = stored.record else { return Err(Rejection::NotFound.into()) };
            if key.revoked_at.is_some() {
                // By another process, or by a change of ours that nobody answered for: then it is not in force here yet.
                inner.read_feed().await?;
                return Ok(());
            }
            key.revoked_at = Some(set.at);
            set.update.push(Record::ApiKey(key));
            inner.announce(&mut set, Announcement::KeyRevoked { environment: developer.environment, key: id });
            inner.audit(&mut set, Event::about(developer, actor, source, AuditAction::KeyRevoked, id.as_str()))?;
            if inner.commit(set, &mut tries).await? {
                return Ok(());
            }
        }
    }
}

impl std::fmt::Debug for Keys<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

impl Inner {
    /// What a caller may give to a key that it makes; relies on the maker's key as it is now.
    async fn narrowed(&self, set: &mut ChangeSet, principal: &Principal, new: &NewKey) -> Result<ScopeGrant, Refusal> {
        let name = RecordKey::ApiKey(principal.developer().clone(), principal.key());
        let stored = self.store.get_one(name).await?;
        let gone = Rejection::Revoked { by: RevokedBy::Key };
        let stored = stored.ok_or_else(|| gone.clone())?;
        set.expect(&stored);
        let Record::ApiKey(key) = &stored.record else { return Err(gone.into()) };
        if key.revoked_at.is_some() {
            return Err(gone.into());
        }
        let maker = Maker { scopes: principal.scopes(), key };
        Ok(check_new_key(new, Some(&maker), &self.config.registry, set.at)?)
    }

    /// A new key, added to `set`.
    pub(super) fn new_key(
        &self,
        set: &mut ChangeSet,
        developer: &DeveloperRef,
        id: KeyId,
        new: &NewKey,
        grant: ScopeGrant,
        made_by: Option<KeyId>,
    ) -> Result<CreatedKey, Refusal> {
        let (text, current) = self.new_key_text(developer, id, FIRST_GENERATION)?;
        let key = self.insert_key(set, developer, (id, current), new, grant, made_by);
        Ok(CreatedKey { key, text })
    }

    /// The record of a key whose text is there, added to `set`.
    fn insert_key(
        &self,
        set: &mut ChangeSet,
        developer: &DeveloperRef,
        (id, current): (KeyId, KeyText),
        new: &NewKey,
        grant: ScopeGrant,
        made_by: Option<KeyId>,
    ) -> ApiKey {
        let key = ApiKey {
            developer: developer.clone(),
            id,
            brand: self.config.brand.as_str().to_owned(),
            name: new.name.clone(),
            grant,
            allowed_ips: new.allowed_ips.clone(),
            metadata: new.metadata.clone(),
            current,
            previous: None,
            created_at: set.at,
            expires_at: new.expires_at,
            revoked_at: None,
            made_by,
        };
        set.insert.push(Record::ApiKey(key.clone()));
        key
    }

    /// A new text for a key, and what is kept of it.
    pub(super) fn new_key_text(
        &self,
        developer: &DeveloperRef,
        id: KeyId,
        generation: u64,
    ) -> Result<(SecretText, KeyText), Refusal> {
        let text = self.draw_text(developer.environment, id)?;
        let kept = self.kept_text(&text, generation)?;
        Ok((text, kept))
    }

    fn draw_text(&self, environment: EnvironmentName, id: KeyId) -> Result<SecretText, Refusal> {
        let secret = random::base62(&*self.random, SECRET_LENGTH)?;
        Ok(print_key_text(&self.config.brand, environment, id, &secret))
    }

    fn kept_text(&self, text: &SecretText, generation: u64) -> Result<KeyText, Refusal> {
        Ok(KeyText { generation, digest: self.secrets()?.pepper()?.digest(text), ends_at: None })
    }

    fn audit_new_key(
        &self,
        set: &mut ChangeSet,
        actor: &Actor<'_>,
        source: Source,
        action: AuditAction,
        key: &ApiKey,
    ) -> Result<(), Refusal> {
        let scopes = key.grant.tokens().to_string();
        let event = Event::about(&key.developer, actor, source, action, key.id.as_str());
        self.audit(set, Event { details: &[("scopes", &scopes)], ..event })
    }
}

/// Characters of a key's secret: 43 of base62 are 256 bits.
const SECRET_LENGTH: usize = 43;
/// The generation of a key that was never rotated.
const FIRST_GENERATION: u64 = 1;
/// A caller wants to choose a key's text.
const ONLY_DRAWN: Rejection = Rejection::InvalidRequest { message: "A key's text is drawn by the server." };
