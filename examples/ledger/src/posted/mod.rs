//! Where posted transactions are kept: the example's own file beside the store, or memory.

mod redb;
mod sqlite;

use std::path::Path;

use latchbook::model::Entity;

use self::redb::RedbFile;
use self::sqlite::SqliteFile;

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// Posted transactions by entity, in the order they came.
#[derive(Clone, Debug)]
pub struct Posted(Kept);

#[derive(Clone, Debug)]
enum Kept {
    Redb(RedbFile),
    Sqlite(SqliteFile),
}

impl Posted {
    /// Opens the redb file at `path`, for this process alone; one that is not there is made whole, readable by this
    /// user alone.
    ///
    /// # Errors
    /// Whatever the file system or redb says.
    pub fn open(path: &Path) -> Result<Self, Fault> {
        RedbFile::open(path).map(Kept::Redb).map(Self)
    }

    /// The same in an SQLite file, which several processes may have open.
    ///
    /// # Errors
    /// Whatever the file system or SQLite says.
    pub fn open_shared(path: &Path) -> Result<Self, Fault> {
        SqliteFile::open(path).map(Kept::Sqlite).map(Self)
    }

    /// Keeps them in memory alone.
    ///
    /// # Errors
    /// Whatever redb says.
    pub fn in_memory() -> Result<Self, Fault> {
        RedbFile::in_memory().map(Kept::Redb).map(Self)
    }

    /// Adds `transaction`, durably, behind the others of `entity`.
    ///
    /// # Errors
    /// Whatever the database says; the transaction counts as not posted then.
    pub async fn append(&self, entity: &Entity, transaction: Vec<u8>) -> Result<(), Fault> {
        match &self.0 {
            Kept::Redb(file) => file.append(name(entity), transaction).await,
            Kept::Sqlite(file) => file.append(name(entity), transaction).await,
        }
    }

    /// At most `limit` transactions of `entity` from number `from` on.
    ///
    /// # Errors
    /// Whatever the database says.
    pub fn read(&self, entity: &Entity, from: u64, limit: usize) -> Result<Vec<Vec<u8>>, Fault> {
        match &self.0 {
            Kept::Redb(file) => file.read(&name(entity), from, limit),
            Kept::Sqlite(file) => file.read(&name(entity), from, limit),
        }
    }

    /// Removes those of `entity`.
    ///
    /// # Errors
    /// Whatever the database says.
    pub async fn clear(&self, entity: &Entity) -> Result<(), Fault> {
        match &self.0 {
            Kept::Redb(file) => file.clear(name(entity)).await,
            Kept::Sqlite(file) => file.clear(name(entity)).await,
        }
    }
}

/// An entity made anew under an old id has another name: it does not inherit what was posted before.
fn name(entity: &Entity) -> String {
    format!("{}/{}", entity.reference, entity.created_at)
}
