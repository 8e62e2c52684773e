//! Where posted transactions are kept: the example's own file beside the store, or memory.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use latchbook::model::Entity;
use redb::backends::{FileBackend, InMemoryBackend};
use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition};

use crate::private_file;

/// (environment/developer/entity/made at, number) -> a transaction's JSON.
const POSTED: TableDefinition<'_, (&str, u64), &[u8]> = TableDefinition::new("posted_1");

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// Posted transactions by entity, in the order they came.
#[derive(Clone, Debug)]
pub struct Posted(Arc<Database>);

impl Posted {
    /// Opens the file at `path`; one that is not there is made whole, readable by this user alone.
    ///
    /// # Errors
    /// Whatever the file system or redb says.
    pub fn open(path: &Path) -> Result<Self, Fault> {
        let mut builder = redb::Builder::new();
        builder.set_cache_size(4 << 20);
        if !path.exists() {
            private_file::make_by(path, |file| {
                let made = FileBackend::new(file).and_then(|file| builder.create_with_backend(file));
                made.map_err(Fault::from).and_then(Self::with).map(drop).map_err(io::Error::other)
            })?;
        }
        // A damaged file can make redb panic.
        catch_unwind(AssertUnwindSafe(|| Self::with(builder.open(path)?)))
            .unwrap_or_else(|_| Err("it is damaged".into()))
    }

    /// Keeps them in memory alone.
    ///
    /// # Errors
    /// Whatever redb says.
    pub fn in_memory() -> Result<Self, Fault> {
        Self::with(redb::Builder::new().create_with_backend(InMemoryBackend::new())?)
    }

    fn with(database: Database) -> Result<Self, Fault> {
        let write = database.begin_write()?;
        write.open_table(POSTED)?;
        write.commit()?;
        Ok(Self(Arc::new(database)))
    }

    /// Adds `transaction`, durably, behind the others of `entity`.
    ///
    /// # Errors
    /// Whatever redb says; the transaction counts as not posted then.
    pub async fn append(&self, entity: &Entity, transaction: Vec<u8>) -> Result<(), Fault> {
        let (database, name) = (Arc::clone(&self.0), name(entity));
        let work = move || {
            let write = database.begin_write()?;
            {
                let mut table = write.open_table(POSTED)?;
                let last = table.range((name.as_str(), 0)..=(name.as_str(), u64::MAX))?.next_back().transpose()?;
                let number = last.map_or(0, |(key, _)| key.value().1.saturating_add(1));
                table.insert((name.as_str(), number), transaction.as_slice())?;
            }
            write.commit()?;
            Ok(())
        };
        tokio::task::spawn_blocking(work).await?
    }

    /// At most `limit` transactions of `entity` from number `from` on.
    ///
    /// # Errors
    /// Whatever redb says.
    pub fn read(&self, entity: &Entity, from: u64, limit: usize) -> Result<Vec<Vec<u8>>, Fault> {
        let name = name(entity);
        let table = self.0.begin_read()?.open_table(POSTED)?;
        let rows = table.range((name.as_str(), from)..=(name.as_str(), u64::MAX))?.take(limit);
        rows.map(|row| Ok(row?.1.value().to_vec())).collect()
    }

    /// Removes those of `entity`.
    ///
    /// # Errors
    /// Whatever redb says.
    pub async fn clear(&self, entity: &Entity) -> Result<(), Fault> {
        let (database, name) = (Arc::clone(&self.0), name(entity));
        let work = move || {
            let write = database.begin_write()?;
            write.open_table(POSTED)?.retain_in((name.as_str(), 0)..=(name.as_str(), u64::MAX), |_, _| false)?;
            write.commit()?;
            Ok(())
        };
        tokio::task::spawn_blocking(work).await?
    }
}

/// An entity made anew under an old id has another name: it does not inherit what was posted before.
fn name(entity: &Entity) -> String {
    format!("{}/{}", entity.reference, entity.created_at)
}
