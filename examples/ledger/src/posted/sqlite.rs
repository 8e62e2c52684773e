//! Posted transactions in an SQLite file, which several processes may have open.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use latchbook::program::private_file;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::Fault;

#[derive(Clone, Debug)]
pub(super) struct SqliteFile(Arc<Mutex<Connection>>);

impl SqliteFile {
    /// Opens the file at `path`; one that is not there is made, readable by this user alone.
    pub(super) fn open(path: &Path) -> Result<Self, Fault> {
        if !path.exists() {
            private_file::make_by(path, |_| Ok(()))?;
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut database = Connection::open_with_flags(std::path::absolute(path)?, flags)?;
        database.busy_timeout(Duration::from_secs(2))?;
        // Whose file it is; 0 in a new one.
        let application: i64 = database.query_row("PRAGMA application_id", [], |row| row.get(0))?;
        if ![0, APPLICATION_ID].contains(&application) {
            return Err("another program made it".into());
        }
        database.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")?;
        let made = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
        made.execute_batch(TABLE)?;
        made.pragma_update(None, "application_id", APPLICATION_ID)?;
        made.commit()?;
        Ok(Self(Arc::new(Mutex::new(database))))
    }

    /// Adds `transaction`, durably, behind the others of `name`.
    pub(super) async fn append(&self, name: String, transaction: Vec<u8>) -> Result<(), Fault> {
        let file = self.clone();
        // One statement, which sees no other number taken between its reading and its writing.
        let work = move || file.execute(APPEND, (name, transaction));
        tokio::task::spawn_blocking(work).await?
    }

    /// At most `limit` transactions of `name` from number `from` on.
    pub(super) fn read(&self, name: &str, from: u64, limit: usize) -> Result<Vec<Vec<u8>>, Fault> {
        let (from, limit) = (i64::try_from(from)?, i64::try_from(limit)?);
        let database = self.database();
        let mut read = database.prepare_cached(READ)?;
        let rows = read.query_map((name, from, limit), |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Removes those of `name`.
    pub(super) async fn clear(&self, name: String) -> Result<(), Fault> {
        let file = self.clone();
        tokio::task::spawn_blocking(move || file.execute("DELETE FROM posted WHERE entity = ?1", (name,))).await?
    }

    fn execute(&self, sql: &str, values: impl rusqlite::Params) -> Result<(), Fault> {
        self.database().prepare_cached(sql)?.execute(values)?;
        Ok(())
    }

    fn database(&self) -> MutexGuard<'_, Connection> {
        // Every use is one statement, which is done whole or not at all.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `ldgr`.
const APPLICATION_ID: i64 = 0x6c64_6772;

/// `entity` is environment/developer/entity/made at, and `content` JSON.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS posted (
    entity TEXT NOT NULL,
    number INTEGER NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (entity, number)
) STRICT, WITHOUT ROWID";
const APPEND: &str = "INSERT INTO posted
    SELECT ?1, (SELECT coalesce(max(number) + 1, 0) FROM posted WHERE entity = ?1), ?2";
const READ: &str = "SELECT content FROM posted WHERE entity = ?1 AND number >= ?2 ORDER BY number LIMIT ?3";
