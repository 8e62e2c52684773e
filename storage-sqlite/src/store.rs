//! `SqliteStore`: reads on the caller's thread, writes on the writer's.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use latchbook_core::clock::Timer;
use latchbook_core::key_store::{KeyStore, Sharing, StoreError};
use latchbook_core::model::{
    ChangeSet, Committed, FeedPage, FeedPosition, Index, Page, Position, Pruned, RecordKey, Row, Stored, UnixTime,
};
use latchbook_file::{Reply, read_only};
use rusqlite::Connection;

use crate::file::SqliteFile;
use crate::readers::{Pool, Readers};
use crate::reading;
use crate::snapshot::SqliteSnapshot;
use crate::timeout::in_time;
use crate::writer::{self, Job, Writer};

/// A [`KeyStore`] in one SQLite file, which several processes of one machine may have open.
///
/// A change is on disk when it is answered. What fails is opened again before it is trusted again; until then every
/// method answers [`StoreError::Unavailable`]. No runtime is needed.
pub struct SqliteStore {
    path: PathBuf,
    // Before the writer, so that its connections are closed first: the last one to close tidies the log up.
    readers: Readers,
    /// None where the store is never written to.
    writer: Option<Writer>,
    file: Arc<SqliteFile>,
    pool: Arc<Pool>,
    timer: Arc<Timer>,
    timeout: Duration,
}

impl SqliteStore {
    /// Opens the store at `path`. A file that is not there is made, readable by this user alone (0600), as is its
    /// folder (0700). A file that is refused is left unchanged. It must lie on a local disk, not on a network share.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if another process keeps it locked, [`StoreError::Foreign`] if it is no store of
    /// latchbook's, [`StoreError::Newer`] if a newer latchbook wrote it, [`StoreError::Corrupt`] if it is damaged,
    /// [`StoreError::Unavailable`] if it cannot be read and written, or SQLite is older than 3.51.3. Each says what to
    /// do.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::builder(path).open()
    }

    /// Options for [`open`](Self::open).
    pub fn builder(path: impl AsRef<Path>) -> SqliteStoreBuilder {
        SqliteStoreBuilder { path: path.as_ref().to_owned(), timeout: DEFAULT_TIMEOUT, read_only: false }
    }

    /// Everything that the store holds at this instant, while changes go on: for a backup, or a check of a store in use.
    ///
    /// ```
    /// # use latchbook_core::{Authority, MasterKey};
    /// use latchbook_core::moving;
    /// use latchbook_sqlite::SqliteStore;
    ///
    /// # futures_executor::block_on(async {
    /// # let folder = tempfile::tempdir()?;
    /// # let (path, backup) = (folder.path().join("auth.db"), folder.path().join("backup.db"));
    /// let store = std::sync::Arc::new(SqliteStore::open(path)?);
    /// # let authority = Authority::builder().shared_store(store.clone()).issuer("https://api.example.com");
    /// # authority.master_key(MasterKey::from_bytes([7; 32])).build().await?;
    /// moving::copy(&store.snapshot().await?, &SqliteStore::open(backup)?, None, &mut |_| {}).await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).expect("a backup");
    /// ```
    ///
    /// While it is kept, the write-ahead log beside the file cannot begin anew, and grows with every change.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the database cannot be read in time.
    pub async fn snapshot(&self) -> Result<SqliteSnapshot, StoreError> {
        SqliteSnapshot::begin(Arc::clone(&self.file), Arc::clone(&self.timer), self.timeout).await
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl Fn(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let found = self.readers.read(read).await;
        if let Err(StoreError::Unavailable(_)) = &found
            && let Some(writer) = &self.writer
            && self.pool.is_suspected()
        {
            // Where the queue is full, whatever waits there will find out just as well.
            let _ = writer.send(Job::Suspect);
        }
        found
    }

    async fn write<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, StoreError> {
        let writer = self.writer.as_ref().ok_or_else(|| read_only(&self.path))?;
        in_time(&self.timer, self.timeout, writer.ask(job)).await
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.path).field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

#[async_trait]
impl KeyStore for SqliteStore {
    async fn get(&self, keys: &[RecordKey]) -> Result<Vec<Option<Stored>>, StoreError> {
        let keys = keys.to_vec();
        self.read(move |db| reading::get(db, &keys)).await
    }

    async fn page(&self, index: &Index, after: Option<&Position>, limit: usize) -> Result<Page, StoreError> {
        let (index, after) = (index.clone(), after.cloned());
        self.read(move |db| reading::page(db, &index, after.as_ref(), limit)).await
    }

    async fn changes(&self, after: FeedPosition, limit: usize) -> Result<FeedPage, StoreError> {
        self.read(move |db| reading::changes(db, after, limit)).await
    }

    async fn commit(&self, set: ChangeSet) -> Result<Committed, StoreError> {
        self.write(|reply| Job::Commit(Box::new(set), reply)).await
    }

    async fn prune(&self, before: UnixTime, limit: usize) -> Result<Pruned, StoreError> {
        self.write(|reply| Job::Prune(before, limit, reply)).await
    }

    async fn scan(&self, after: Option<&Position>, limit: usize) -> Result<Page, StoreError> {
        let after = after.cloned();
        self.read(move |db| reading::scan(db, after.as_ref(), limit)).await
    }

    async fn load(&self, rows: Vec<Row>) -> Result<(), StoreError> {
        self.write(|reply| Job::Load(rows, reply)).await
    }

    fn sharing(&self) -> Sharing {
        Sharing::Shared
    }
}

/// How a [`SqliteStore`] is opened.
#[derive(Clone, Debug)]
pub struct SqliteStoreBuilder {
    path: PathBuf,
    timeout: Duration,
    read_only: bool,
}

impl SqliteStoreBuilder {
    /// How long a read or a change may take before its caller is told [`StoreError::Unavailable`]; 2 s by default. As
    /// long is waited for a database that another process has locked.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Opens the store for reading alone, to check or copy it: also on a read-only file system. The file is never written
    /// to, and must exist; every change is [`StoreError::Unavailable`]. Others may use it at the same time. SQLite may
    /// leave files of its own (`-shm`, an empty `-wal`) beside it, where it can.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// Opens the store.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub fn open(self) -> Result<SqliteStore, StoreError> {
        let Self { path, timeout, read_only } = self;
        let find = if read_only { SqliteFile::find_read_only } else { SqliteFile::find };
        let file = Arc::new(find(&path, timeout)?);
        let (pool, timer) = (Arc::new(Pool::default()), Arc::new(Timer::new()));
        let writer = if read_only {
            pool.open();
            None
        } else {
            Some(writer::start(Arc::clone(&file), Arc::clone(&pool))?)
        };
        let readers = Readers::start(Arc::clone(&file), Arc::clone(&pool), Arc::clone(&timer), timeout)?;
        Ok(SqliteStore { path, readers, writer, file, pool, timer, timeout })
    }
}

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);
