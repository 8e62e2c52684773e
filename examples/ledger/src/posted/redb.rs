//! Posted transactions in a redb file, which one process has open, or in memory.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use latchbook::program::private_file;
use redb::backends::{FileBackend, InMemoryBackend};
use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition};

use super::Fault;

/// (environment/developer/entity/made at, number) -> a transaction's JSON.
const POSTED: TableDefinition<'_, (&str, u64), &[u8]> = TableDefinition::new("posted_1");

#[derive(Clone, Debug)]
pub(super) struct RedbFile(Arc<Database>);

impl RedbFile {
    /// Opens the file at `path`; one that is not there is made whole, readable by this user alone.
    pub(super) fn open(path: &Path) -> Result<Self, Fault> {
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
    pub(super) fn in_memory() -> Result<Self, Fault> {
        Self::with(redb::Builder::new().create_with_backend(InMemoryBackend::new())?)
    }

    fn with(database: Database) -> Result<Self, Fault> {
        let write = database.begin_write()?;
        write.open_table(POSTED)?;
        write.commit()?;
        Ok(Self(Arc::new(database)))
    }

    /// Adds `transaction`, durably, behind the others of `name`.
    pub(super) async fn append(&self, name: String, transaction: Vec<u8>) -> Result<(), Fault> {
        let database = Arc::clone(&self.0);
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

    /// At most `limit` transactions of `name` from number `from` on.
    pub(super) fn read(&self, name: &str, from: u64, limit: usize) -> Result<Vec<Vec<u8>>, Fault> {
        let table = self.0.begin_read()?.open_table(POSTED)?;
        let rows = table.range((name, from)..=(name, u64::MAX))?.take(limit);
        rows.map(|row| Ok(row?.1.value().to_vec())).collect()
    }

    /// Removes those of `name`.
    pub(super) async fn clear(&self, name: String) -> Result<(), Fault> {
        let database = Arc::clone(&self.0);
        let work = move || {
            let write = database.begin_write()?;
            write.open_table(POSTED)?.retain_in((name.as_str(), 0)..=(name.as_str(), u64::MAX), |_, _| false)?;
            write.commit()?;
            Ok(())
        };
        tokio::task::spawn_blocking(work).await?
    }
}
