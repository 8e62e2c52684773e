//! `RedbStore`: reads on the caller's thread, writes on the writer's.

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use latchbook_core::clock::{Timer, within};
use latchbook_core::key_store::{KeyStore, Sharing, StoreError};
use latchbook_core::model::{
    ChangeSet, Committed, FeedPage, FeedPosition, Index, Page, Position, Pruned, RecordKey, Row, Stored, UnixTime,
};

use crate::file::{Origin, RedbFile};
use crate::open::Open;
use crate::reading;
use crate::tables::View;
use crate::writer::{self, Job, Trusted, Writer};

/// A [`KeyStore`] in one redb file, which this process alone has open.
///
/// A change is on disk when it is answered. What fails is opened again before it is trusted again; until then every
/// method answers [`StoreError::Unavailable`]. No runtime is needed.
pub struct RedbStore {
    path: PathBuf,
    database: Trusted,
    writer: Writer,
    timer: Timer,
    timeout: Duration,
}

impl RedbStore {
    /// Opens the store at `path`. A file that is not there is made, readable by this user alone (0600), as is its
    /// folder (0700). A file that is refused is left unchanged.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if it is open elsewhere, [`StoreError::Foreign`] if it is no store of latchbook's,
    /// [`StoreError::Newer`] if a newer latchbook wrote it, [`StoreError::Corrupt`] if it is damaged,
    /// [`StoreError::Unavailable`] if it cannot be read and written. Each names the path and says what to do.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::builder(path).open()
    }

    /// Options for [`open`](Self::open).
    pub fn builder(path: impl AsRef<Path>) -> RedbStoreBuilder {
        RedbStoreBuilder { path: path.as_ref().to_owned(), timeout: DEFAULT_TIMEOUT }
    }

    fn start(path: PathBuf, origin: impl Origin, timeout: Duration) -> Result<Self, StoreError> {
        let database = Arc::new(RwLock::new(Some(Open::new(origin.open()?)?)));
        let writer = writer::start(Arc::clone(&database), origin)?;
        Ok(Self { path, database, writer, timer: Timer::new(), timeout })
    }

    /// What `read` finds, as of one instant.
    fn read<T>(&self, read: impl FnOnce(&View) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref().ok_or_else(|| StoreError::unavailable("the store is being opened again"))?;
        // A damaged page can make redb panic; a request gets an error for it.
        let found = catch_unwind(AssertUnwindSafe(|| read(&database.latest())));
        let found = found.unwrap_or_else(|_| Err(StoreError::corrupt("a page of the database is damaged")));
        if let Err(StoreError::Unavailable(_)) = &found {
            // Where the queue is full, whatever waits there will find out just as well.
            let _ = self.writer.send(Job::Suspect);
        }
        found
    }

    async fn in_time<T>(&self, answer: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        within(self.timer.sleep(self.timeout), answer).await.unwrap_or_else(|| {
            let waited = self.timeout.as_millis();
            Err(StoreError::unavailable(format!("no answer within {waited} ms; the change may still be done")))
        })
    }
}

impl fmt::Debug for RedbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedbStore").field("path", &self.path).field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

#[async_trait]
impl KeyStore for RedbStore {
    async fn get(&self, keys: &[RecordKey]) -> Result<Vec<Option<Stored>>, StoreError> {
        self.read(|view| reading::get(view, keys))
    }

    async fn page(&self, index: &Index, after: Option<&Position>, limit: usize) -> Result<Page, StoreError> {
        self.read(|view| reading::page(view, index, after, limit))
    }

    async fn changes(&self, after: FeedPosition, limit: usize) -> Result<FeedPage, StoreError> {
        self.read(|view| reading::changes(view, after, limit))
    }

    async fn commit(&self, set: ChangeSet) -> Result<Committed, StoreError> {
        self.in_time(self.writer.ask(|reply| Job::Commit(set, reply))).await
    }

    async fn prune(&self, before: UnixTime, limit: usize) -> Result<Pruned, StoreError> {
        self.in_time(self.writer.ask(|reply| Job::Prune(before, limit, reply))).await
    }

    async fn scan(&self, after: Option<&Position>, limit: usize) -> Result<Page, StoreError> {
        self.read(|view| reading::scan(view, after, limit))
    }

    async fn load(&self, rows: Vec<Row>) -> Result<(), StoreError> {
        self.in_time(self.writer.ask(|reply| Job::Load(rows, reply))).await
    }

    fn sharing(&self) -> Sharing {
        Sharing::Exclusive
    }
}

/// How a [`RedbStore`] is opened.
#[derive(Clone, Debug)]
pub struct RedbStoreBuilder {
    path: PathBuf,
    timeout: Duration,
}

impl RedbStoreBuilder {
    /// How long a change may take before its caller is told [`StoreError::Unavailable`]; 2 s by default.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Opens the store.
    ///
    /// # Errors
    /// As [`RedbStore::open`].
    pub fn open(self) -> Result<RedbStore, StoreError> {
        let file = RedbFile::find(&self.path)?;
        RedbStore::start(self.path, file, self.timeout)
    }
}

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
