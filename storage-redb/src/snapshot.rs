//! A whole store as of one instant, while changes go on.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use async_trait::async_trait;
use latchbook_core::key_store::StoreError;
use latchbook_core::model::{Page, Position};
use latchbook_core::moving::Rows;

use crate::reading;
use crate::tables::View;

/// Everything that a [`RedbStore`](crate::RedbStore) held when this was made.
pub struct RedbSnapshot(Arc<View>);

impl RedbSnapshot {
    pub(crate) fn of(view: Arc<View>) -> Self {
        Self(view)
    }
}

#[async_trait]
impl Rows for RedbSnapshot {
    async fn scan(&self, after: Option<&Position>, limit: usize) -> Result<Page, StoreError> {
        // A damaged page can make redb panic; whoever reads gets an error for it.
        let found = catch_unwind(AssertUnwindSafe(|| reading::scan(&self.0, after, limit)));
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
