//! What can go wrong with a store.

use std::error::Error;

type Source = Box<dyn Error + Send + Sync>;

/// A fault of a store. It never means "allowed" and never means "not found".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another change came first; read again and decide anew.
    #[error("another change came first")]
    Conflict,
    /// The store did not answer, or not in time. It tries to recover by itself.
    #[error("the store did not answer: {0}")]
    Unavailable(#[source] Source),
    /// The store holds what this library never wrote.
    #[error("the store holds damaged data: {0}")]
    Corrupt(#[source] Source),
    /// At open: another process holds the store.
    #[error("{0}")]
    Locked(#[source] Source),
    /// At open: this is no store of latchbook's.
    #[error("{0}")]
    Foreign(#[source] Source),
    /// At open: the store was written by a newer latchbook.
    #[error("{0}")]
    Newer(#[source] Source),
}

impl StoreError {
    /// [`StoreError::Unavailable`] from whatever went wrong.
    pub fn unavailable(source: impl Into<Source>) -> Self {
        Self::Unavailable(source.into())
    }

    /// [`StoreError::Corrupt`] from whatever went wrong.
    pub fn corrupt(source: impl Into<Source>) -> Self {
        Self::Corrupt(source.into())
    }
}
