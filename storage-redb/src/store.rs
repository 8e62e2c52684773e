//! `RedbStore`: reads on the caller's thread, writes on the writer's.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use latchbook_core::clock::{Timer, within};
use latchbook_core::key_store::{KeyStore, Sharing, StoreError};
use latchbook_core::model::{
    ChangeSet, Committed, FeedPage, FeedPosition, Index, Page, Position, Pruned, RecordKey, Row, Stored, UnixTime,
};
use latchbook_file::{Reply, read_only};

use crate::file::{Origin, RedbFile};
use crate::open::Open;
use crate::reading;
use crate::snapshot::RedbSnapshot;
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
    read_only: bool,
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
        RedbStoreBuilder {
            path: path.as_ref().to_owned(),
            timeout: DEFAULT_TIMEOUT,
            cache: DEFAULT_CACHE,
            read_only: false,
        }
    }

    /// Everything that the store holds at this instant, while changes go on: for a backup, or a check of a store in use.
    ///
    /// ```
    /// # use latchbook_core::{Authority, MasterKey};
    /// use latchbook_core::moving;
    /// use latchbook_redb::RedbStore;
    ///
    /// # futures_executor::block_on(async {
    /// # let folder = tempfile::tempdir()?;
    /// # let (path, backup) = (folder.path().join("auth.redb"), folder.path().join("backup.redb"));
    /// let store = std::sync::Arc::new(RedbStore::open(path)?);
    /// # let authority = Authority::builder().shared_store(store.clone()).issuer("https://api.example.com");
    /// # authority.master_key(MasterKey::from_bytes([7; 32])).build().await?;
    /// moving::copy(&store.snapshot().await?, &RedbStore::open(backup)?, None, &mut |_| {}).await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).expect("a backup");
    /// ```
    ///
    /// While it is kept, room that changes free in the file is not used again, so that the file grows. It ends with the
    /// store, and when the store has to be opened again: then it answers [`StoreError::Unavailable`].
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the store is being opened again.
    // Other stores have to wait for theirs.
    #[expect(clippy::unused_async, reason = "the same call on every store")]
    pub async fn snapshot(&self) -> Result<RedbSnapshot, StoreError> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref().ok_or_else(being_opened)?;
        Ok(RedbSnapshot::of(database.latest()))
    }

    fn start(path: PathBuf, origin: impl Origin, timeout: Duration, read_only: bool) -> Result<Self, StoreError> {
        let database = Arc::new(RwLock::new(Some(Open::new(origin.open()?)?)));
        let writer = writer::start(Arc::clone(&database), origin)?;
        Ok(Self { path, database, writer, timer: Timer::new(), timeout, read_only })
    }

    /// What `read` finds, as of one instant.
    fn read<T>(&self, read: impl FnOnce(&View) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref().ok_or_else(being_opened)?;
        let found = database.latest().read(read);
        if let Err(StoreError::Unavailable(_)) = &found {
            // Where the queue is full, whatever waits there will find out just as well.
            let _ = self.writer.send(Job::Suspect);
        }
        found
    }

    async fn write<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, StoreError> {
        if self.read_only {
            return Err(read_only(&self.path));
        }
        within(self.timer.sleep(self.timeout), self.writer.ask(job)).await.unwrap_or_else(|| {
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
        self.write(|reply| Job::Commit(set, reply)).await
    }

    async fn prune(&self, before: UnixTime, limit: usize) -> Result<Pruned, StoreError> {
        self.write(|reply| Job::Prune(before, limit, reply)).await
    }

    async fn scan(&self, after: Option<&Position>, limit: usize) -> Result<Page, StoreError> {
        self.read(|view| reading::scan(view, after, limit))
    }

    async fn load(&self, rows: Vec<Row>) -> Result<(), StoreError> {
        self.write(|reply| Job::Load(rows, reply)).await
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
    cache: usize,
    read_only: bool,
}

impl RedbStoreBuilder {
    /// How much of the file is kept in memory, once it was read, in bytes; 1 GiB by default, which is redb's own. A million
    /// keys take about two thirds of that.
    #[must_use]
    pub fn cache_bytes(mut self, most: usize) -> Self {
        self.cache = most;
        self
    }

    /// How long a change may take before its caller is told [`StoreError::Unavailable`]; 2 s by default.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Opens the store for reading alone, to check or copy it: also on a read-only file system, and after a crash. The
    /// file is never written to, and must exist; every change is [`StoreError::Unavailable`]. Others may read it at the
    /// same time, but not change it.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// Opens the store.
    ///
    /// # Errors
    /// As [`RedbStore::open`].
    pub fn open(self) -> Result<RedbStore, StoreError> {
        let find = if self.read_only { RedbFile::find_read_only } else { RedbFile::find };
        let file = find(&self.path, self.cache)?;
        RedbStore::start(self.path, file, self.timeout, self.read_only)
    }
}

fn being_opened() -> StoreError {
    StoreError::unavailable("the store is being opened again")
}

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);
const DEFAULT_CACHE: usize = 1024 * 1024 * 1024;

#[cfg(test)]
mod tests;
