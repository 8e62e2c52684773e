//! Which entities a developer reaches.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use crate::key_store::{KeyStore, KeyStoreExt as _, StoreError};
use crate::model::{DeveloperRef, EntityId, EntityRef, UnixTime};

/// Decides which entities a developer reaches. It only ever narrows: a token's own limits are checked before.
#[async_trait]
pub trait EntityScope: Debug + Send + Sync + 'static {
    /// Whether `developer` reaches `entity`.
    ///
    /// # Errors
    /// [`StoreError`] if the answer could not be had; that is never taken for a yes or a no.
    async fn reaches(&self, developer: &DeveloperRef, entity: &EntityId) -> Result<Reach, StoreError>;
}

/// An answer of an [`EntityScope`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It does not. Never cached.
    No,
    /// It does.
    Yes {
        /// Until when the answer may be used again; `None` for not at all.
        reusable_until: Option<UnixTime>,
    },
}

/// The default: a developer reaches the entities that the store holds under it.
#[derive(Debug)]
pub struct StoredEntities {
    store: Arc<dyn KeyStore>,
}

impl StoredEntities {
    /// The entities that `store` holds.
    #[must_use]
    pub fn new(store: Arc<dyn KeyStore>) -> Self {
        Self { store }
    }
}

#[async_trait]
impl EntityScope for StoredEntities {
    async fn reaches(&self, developer: &DeveloperRef, entity: &EntityId) -> Result<Reach, StoreError> {
        let reference = EntityRef { developer: developer.clone(), id: entity.clone() };
        // The feed announces a removal, so the answer keeps until then.
        Ok(match self.store.entity(&reference).await? {
            Some(_) => Reach::Yes { reusable_until: Some(UnixTime::MAX) },
            None => Reach::No,
        })
    }
}
