//! A whole store as of one instant, while changes go on.

use std::fmt;
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
        self.0.read(|view| reading::scan(view, after, limit))
    }
}

impl fmt::Debug for RedbSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedbSnapshot")
    }
}
