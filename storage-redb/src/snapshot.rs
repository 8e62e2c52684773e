//! A whole store as of one instant, while changes go on.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use async_trait::async_trait;
use latchbook_core::key_store::StoreError;
use latchbook_core::model::{Page, Position};
use latchbook_core::moving::Rows;
use redb::{Database, ReadTransaction, ReadableDatabase as _};

use crate::reading;
use crate::tables::View;
use crate::transaction::fault;

/// Everything that a [`RedbStore`](crate::RedbStore) held when this was made.
pub struct RedbSnapshot(ReadTransaction);

impl RedbSnapshot {
    pub(crate) fn of(database: &Database) -> Result<Self, StoreError> {
        let begun = catch_unwind(AssertUnwindSafe(|| database.begin_read().map_err(fault)));
        begun.unwrap_or_else(|_| Err(damaged())).map(Self)
    }
}

#[async_trait]
impl Rows for RedbSnapshot {
    async fn scan(&self, after: Option<&Position>, limit: usize) -> Result<Page, StoreError> {
        // A damaged page can make redb panic; whoever reads gets an error for it.
        let found = catch_unwind(AssertUnwindSafe(|| reading::scan(&View(&self.0), after, limit)));
        found.unwrap_or_else(|_| Err(damaged()))
    }
}

impl fmt::Debug for RedbSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedbSnapshot")
    }
}

fn damaged() -> StoreError {
    StoreError::corrupt("a page of the database is damaged")
}
