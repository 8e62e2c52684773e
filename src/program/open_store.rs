//! An open store, whichever it is, and snapshots of it.

use std::sync::Arc;

use latchbook_core::key_store::{KeyStore, MemoryStore, StoreError};
use latchbook_core::moving::Rows;

/// An open store. Cheap to clone: clones are one store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum OpenStore {
    /// In memory.
    Memory(Arc<MemoryStore>),
    /// In a redb file.
    #[cfg(feature = "redb")]
    Redb(Arc<latchbook_redb::RedbStore>),
    /// In an SQLite file.
    #[cfg(feature = "sqlite")]
    Sqlite(Arc<latchbook_sqlite::SqliteStore>),
    /// In a PostgreSQL database.
    #[cfg(feature = "postgres")]
    Postgres(Arc<latchbook_postgres::PostgresStore>),
}

impl OpenStore {
    /// The store as an authority takes it.
    #[must_use]
    pub fn shared(&self) -> Arc<dyn KeyStore> {
        match self {
            Self::Memory(store) => Arc::clone(store) as _,
            #[cfg(feature = "redb")]
            Self::Redb(store) => Arc::clone(store) as _,
            #[cfg(feature = "sqlite")]
            Self::Sqlite(store) => Arc::clone(store) as _,
            #[cfg(feature = "postgres")]
            Self::Postgres(store) => Arc::clone(store) as _,
        }
    }

    /// Everything that the store holds at this instant, while changes go on: for a backup, a copy or a check. Keep the store
    /// open meanwhile. A store in memory is given as it is, changes included: a copy of it that a change came into is found
    /// by its digest.
    ///
    /// # Errors
    /// [`StoreError`] if the store did not answer.
    pub async fn snapshot(&self) -> Result<Box<dyn Rows>, StoreError> {
        Ok(match self {
            Self::Memory(store) => Box::new(Arc::clone(store)),
            #[cfg(feature = "redb")]
            Self::Redb(store) => Box::new(store.snapshot().await?),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(store) => Box::new(store.snapshot().await?),
            #[cfg(feature = "postgres")]
            Self::Postgres(store) => Box::new(store.snapshot().await?),
        })
    }
}
