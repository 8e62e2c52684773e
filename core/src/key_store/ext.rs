//! Typed reads over the few methods of a store.

use async_trait::async_trait;

use super::{KeyStore, StoreError};
use crate::model::{
    ApiKey, AuditEvent, ChainId, Developer, DeveloperRef, Entity, EntityRef, Index, KeyId, Page, Pepper, Position,
    Record, RecordKey, Revision, Row, SandboxRecord, Settings, SigningKey, Stored,
};

macro_rules! typed {
    ($stored:expr, $kind:ident) => {
        match $stored {
            None => Ok(None),
            Some(Stored { record: Record::$kind(value), revision }) => Ok(Some((value, revision))),
            Some(_) => Err(StoreError::corrupt("a record of another kind than its key's")),
        }
    };
}

/// Typed reads. Every [`KeyStore`] has them.
#[async_trait]
pub trait KeyStoreExt: KeyStore {
    /// One record.
    ///
    /// # Errors
    /// As [`KeyStore::get`].
    async fn get_one(&self, key: RecordKey) -> Result<Option<Stored>, StoreError> {
        let mut found = self.get(&[key]).await?;
        if found.len() == 1 { Ok(found.pop().flatten()) } else { Err(StoreError::corrupt("one key, several answers")) }
    }

    /// The store's settings.
    ///
    /// # Errors
    /// As [`KeyStore::get`].
    async fn settings(&self) -> Result<Option<(Settings, Revision)>, StoreError> {
        typed!(self.get_one(RecordKey::Settings).await?, Settings)
    }

    /// A developer.
    ///
    /// # Errors
    /// As [`KeyStore::get`].
    async fn developer(&self, developer: &DeveloperRef) -> Result<Option<(Developer, Revision)>, StoreError> {
        typed!(self.get_one(RecordKey::Developer(developer.clone())).await?, Developer)
    }

    /// A developer's key.
    ///
    /// # Errors
    /// As [`KeyStore::get`].
    async fn key(&self, developer: &DeveloperRef, id: KeyId) -> Result<Option<(ApiKey, Revision)>, StoreError> {
        typed!(self.get_one(RecordKey::ApiKey(developer.clone(), id)).await?, ApiKey)
    }

    /// A developer's entity.
    ///
    /// # Errors
    /// As [`KeyStore::get`].
    async fn entity(&self, entity: &EntityRef) -> Result<Option<(Entity, Revision)>, StoreError> {
        typed!(self.get_one(RecordKey::Entity(entity.clone())).await?, Entity)
    }

    /// A developer's sandbox.
    ///
    /// # Errors
    /// As [`KeyStore::get`].
    async fn sandbox(&self, developer: &DeveloperRef) -> Result<Option<(SandboxRecord, Revision)>, StoreError> {
        typed!(self.get_one(RecordKey::Sandbox(developer.clone())).await?, Sandbox)
    }

    /// Every row of `index`, read in steps.
    ///
    /// # Errors
    /// As [`KeyStore::page`].
    async fn all(&self, index: &Index) -> Result<Vec<Row>, StoreError> {
        let mut rows = Vec::new();
        let mut after: Option<Position> = None;
        loop {
            let Page { rows: more, next } = self.page(index, after.as_ref(), 100).await?;
            rows.extend(more);
            match next {
                Some(next) => after = Some(next),
                None => return Ok(rows),
            }
        }
    }

    /// Every signing key, oldest first.
    ///
    /// # Errors
    /// As [`KeyStore::page`].
    async fn signing_keys(&self) -> Result<Vec<(SigningKey, Revision)>, StoreError> {
        let rows = self.all(&Index::SigningKeys).await?;
        rows.into_iter()
            .map(|row| match row {
                Row::Record(Stored { record: Record::SigningKey(key), revision }) => Ok((key, revision)),
                _ => Err(StoreError::corrupt("a row of another kind than its list's")),
            })
            .collect()
    }

    /// Every pepper and audit key, oldest first.
    ///
    /// # Errors
    /// As [`KeyStore::page`].
    async fn peppers(&self) -> Result<Vec<Pepper>, StoreError> {
        let rows = self.all(&Index::Peppers).await?;
        rows.into_iter()
            .map(|row| match row {
                Row::Record(Stored { record: Record::Pepper(pepper), .. }) => Ok(pepper),
                _ => Err(StoreError::corrupt("a row of another kind than its list's")),
            })
            .collect()
    }

    /// Events of a chain, newest first.
    ///
    /// # Errors
    /// As [`KeyStore::page`].
    async fn audit(
        &self,
        chain: &ChainId,
        after: Option<&Position>,
        limit: usize,
    ) -> Result<(Vec<AuditEvent>, Option<Position>), StoreError> {
        let page = self.page(&Index::Audit(chain.clone()), after, limit).await?;
        let events = page
            .rows
            .into_iter()
            .map(|row| match row {
                Row::Audit(event) => Ok(event),
                _ => Err(StoreError::corrupt("a row of another kind than its list's")),
            })
            .collect::<Result<_, _>>()?;
        Ok((events, page.next))
    }
}

impl<T: KeyStore + ?Sized> KeyStoreExt for T {}
