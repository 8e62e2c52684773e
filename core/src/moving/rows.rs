//! The rows of a whole store, read page by page.

use async_trait::async_trait;

use crate::key_store::{KeyStore, StoreError};
use crate::model::{Page, Position, Row};

/// Everything that a store holds: the store itself, or a snapshot of it.
///
/// Every [`KeyStore`] is one. Its pages are each of an instant of their own, so that the whole is consistent only while
/// nothing is committed. A snapshot's pages are all of the same instant.
#[async_trait]
pub trait Rows: Send + Sync {
    /// At most `limit` rows after `after`, as [`KeyStore::scan`] gives them.
    ///
    /// # Errors
    /// As [`KeyStore::scan`].
    async fn scan(&self, after: Option<&Position>, limit: usize) -> Result<Page, StoreError>;
}

#[async_trait]
impl<T: KeyStore + ?Sized> Rows for T {
    async fn scan(&self, after: Option<&Position>, limit: usize) -> Result<Page, StoreError> {
        KeyStore::scan(self, after, limit).await
    }
}

/// How far something long has come. Told after every page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub stage: Stage,
    /// The rows that this stage has done.
    pub rows: u64,
    /// Where a [`copy`](super::copy()) goes on that is interrupted now (its `after`). `None` at its beginning, and in
    /// whatever is no copy.
    pub position: Option<Position>,
}

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Rows are written into the target.
    Copying,
    /// The source is read for its digest.
    ReadingSource,
    /// The target is read for its digest.
    ReadingTarget,
    /// Rows are read for a digest.
    Digesting,
    /// Rows are checked.
    Checking,
    /// Rows are looked through for audit chains.
    FindingChains,
    /// Audit chains are verified; rows are events.
    Verifying,
    /// Rows that have ended are removed.
    Pruning,
    /// Rows are looked through for what may have ended since a copy was made.
    Listing,
}

/// What is told about progress.
pub(crate) type Tell<'a> = &'a mut (dyn FnMut(&Progress) + Send);

/// Gives `each` every row, and tells how far it has come after every page.
pub(crate) async fn every_row<R: Rows + ?Sized>(
    rows: &R,
    mut progress: Progress,
    tell: Tell<'_>,
    mut each: impl FnMut(&Row) + Send,
) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let page = rows.scan(after.as_ref(), PAGE).await?;
        page.rows.iter().for_each(&mut each);
        progress.rows += page.rows.len() as u64;
        tell(&progress);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}

/// Rows in a page: one commit of the target's.
pub(super) const PAGE: usize = 500;
