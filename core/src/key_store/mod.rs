//! Where records, the change feed and audit chains live.

#[cfg(feature = "conformance")]
pub mod conformance;
pub mod encoding;
mod error;
mod ext;
mod memory;

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;

pub use error::StoreError;
pub use ext::KeyStoreExt;
pub use memory::MemoryStore;

use crate::model::{
    ChangeSet, Committed, FeedPage, FeedPosition, Index, Page, Position, Pruned, RecordKey, Row, Stored, UnixTime,
};

/// Where records, the change feed and audit chains live. Every method is safe to call concurrently.
///
/// A store reads no clock, draws no randomness and sees no secret: instants and ids come from the caller, secrets are
/// digests or sealed. It bounds its own waiting, and reopens or reconnects by itself; until then it answers
/// [`StoreError::Unavailable`]. A fault is never "not found".
#[async_trait]
pub trait KeyStore: Debug + Send + Sync + 'static {
    /// The records that `keys` name, each with its revision, as of one instant and in the same order; `None` where
    /// there is none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the backend did not answer in time, [`StoreError::Corrupt`] if it holds nonsense.
    async fn get(&self, keys: &[RecordKey]) -> Result<Vec<Option<Stored>>, StoreError>;

    /// At most `limit` rows of `index` whose place is after `after` (from the start, where that is `None`), in order.
    /// `limit` is at least 1. [`Page::next`] is the last row's place where there is more, else `None`.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    async fn page(&self, index: &Index, after: Option<&Position>, limit: usize) -> Result<Page, StoreError>;

    /// At most `limit` entries of the change feed after `after`, in order. A reader never misses a later commit:
    /// positions are assigned inside `commit`, from one counter, to sets that carry announcements alone.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    async fn changes(&self, after: FeedPosition, limit: usize) -> Result<FeedPage, StoreError>;

    /// Does all of `set`, durably, or nothing. `set` comes from the authority and is already checked.
    ///
    /// A set whose id was committed before (within a day) is not done again: the answer is the first one.
    /// Audit drafts are numbered and linked here, under their chain's head. A merge never changes a record's revision,
    /// except that a record's first merge gives it one. A record is named at most once in `insert`, `update` and
    /// `remove` together. A set that lost leaves no id behind: it may be committed again.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if a record in `set.expect` has another revision by now, an inserted one exists or an
    /// updated or removed one does not; else as [`get`](Self::get). After `Unavailable` it is not known whether the set
    /// was done; committing the same set again settles it.
    async fn commit(&self, set: ChangeSet) -> Result<Committed, StoreError>;

    /// Removes at most `limit` rows that ended before `before` (not at it): announcements, ids of changes made more than
    /// a day before it, and idempotency keys. Remembers the largest `before` that it was ever given ([`FeedPage::pruned_at`]; since
    /// [`ChangeSet::pruned_at`], where a set had one), in the same commit.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    async fn prune(&self, before: UnixTime, limit: usize) -> Result<Pruned, StoreError>;

    /// At most `limit` rows of the whole store after `after`, in an order of the store's own: records, usage, audit
    /// events, announcements and counters, but not the ids of changes. For copies, backups and checks. Each step is as of
    /// one instant; the whole is so only while nothing is committed.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    async fn scan(&self, after: Option<&Position>, limit: usize) -> Result<Page, StoreError>;

    /// Writes rows that [`scan`](Self::scan) gave, revisions, links and positions included, into a store that is being
    /// filled, in any order. A row that is there already is replaced, so a step can be repeated; counters only rise.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    async fn load(&self, rows: Vec<Row>) -> Result<(), StoreError>;

    /// Whether another process can change what is stored.
    fn sharing(&self) -> Sharing;

    /// A future that ends once another process may have announced something since this call; `None` where the store is
    /// told nothing of others. A mere hint: it may come late, for nothing or never, and the feed is read from time to time
    /// all the same. The future must not keep the store open.
    fn news(&self) -> Option<News> {
        None
    }
}

/// What [`KeyStore::news`] gives.
pub type News = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Whether another authority can change what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// One authority alone writes here, so its memory is never stale.
    Exclusive,
    /// Others may: the feed must be read at least every `max_staleness`.
    Shared,
}

#[async_trait]
impl<T: KeyStore + ?Sized> KeyStore for Arc<T> {
    async fn get(&self, keys: &[RecordKey]) -> Result<Vec<Option<Stored>>, StoreError> {
        (**self).get(keys).await
    }

    async fn page(&self, index: &Index, after: Option<&Position>, limit: usize) -> Result<Page, StoreError> {
        (**self).page(index, after, limit).await
    }

    async fn changes(&self, after: FeedPosition, limit: usize) -> Result<FeedPage, StoreError> {
        (**self).changes(after, limit).await
    }

    async fn commit(&self, set: ChangeSet) -> Result<Committed, StoreError> {
        (**self).commit(set).await
    }

    async fn prune(&self, before: UnixTime, limit: usize) -> Result<Pruned, StoreError> {
        (**self).prune(before, limit).await
    }

    async fn scan(&self, after: Option<&Position>, limit: usize) -> Result<Page, StoreError> {
        (**self).scan(after, limit).await
    }

    async fn load(&self, rows: Vec<Row>) -> Result<(), StoreError> {
        (**self).load(rows).await
    }

    fn sharing(&self) -> Sharing {
        (**self).sharing()
    }

    fn news(&self) -> Option<News> {
        (**self).news()
    }
}
