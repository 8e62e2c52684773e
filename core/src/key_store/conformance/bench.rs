//! A store on the bench: changes with ids of their own, and reads in full.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use super::Problem;
use crate::key_store::{KeyStore, KeyStoreExt as _, StoreError};
use crate::model::{
    ChangeId, ChangeSet, Committed, FeedEntry, FeedPosition, Index, Merge, Position, Record, RecordKey, Row, Stored,
    UnixTime,
};

pub(super) struct Bench {
    pub(super) store: Arc<dyn KeyStore>,
    next: AtomicU64,
}

/// When the changes of a bench are made.
pub(super) const NOW: UnixTime = UnixTime::from_seconds(1_000_000);

impl Bench {
    pub(super) fn new(store: Arc<dyn KeyStore>) -> Self {
        Self { store, next: AtomicU64::new(1) }
    }

    /// An empty change with a new id.
    pub(super) fn change(&self) -> ChangeSet {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        ChangeSet::new(ChangeId::from_bytes(u128::from(number).to_be_bytes()), NOW)
    }

    pub(super) async fn commit(&self, set: &ChangeSet) -> Result<Committed, StoreError> {
        self.store.commit(set.clone()).await
    }

    pub(super) fn inserting(&self, records: Vec<Record>) -> ChangeSet {
        ChangeSet { insert: records, ..self.change() }
    }

    pub(super) fn removing(&self, keys: Vec<RecordKey>) -> ChangeSet {
        ChangeSet { remove: keys, ..self.change() }
    }

    pub(super) fn merging(&self, merge: Vec<Merge>) -> ChangeSet {
        ChangeSet { merge, ..self.change() }
    }

    pub(super) async fn insert(&self, records: Vec<Record>) -> Result<Committed, StoreError> {
        self.store.commit(self.inserting(records)).await
    }

    pub(super) async fn remove(&self, key: RecordKey) -> Result<Committed, StoreError> {
        self.store.commit(self.removing(vec![key])).await
    }

    pub(super) async fn get(&self, key: RecordKey) -> Result<Option<Stored>, StoreError> {
        self.store.get_one(key).await
    }

    /// A record that must be there.
    pub(super) async fn stored(&self, key: RecordKey) -> Result<Stored, Problem> {
        let found = self.get(key.clone()).await?;
        found.ok_or_else(|| Problem::from(format_args!("{key:?} is not there")))
    }

    /// Every row of `index`, in pages of `limit`.
    pub(super) async fn list(&self, index: &Index, limit: usize) -> Result<Vec<Row>, Problem> {
        self.rows(Some(index), limit).await
    }

    /// Every row of the store.
    pub(super) async fn everything(&self, limit: usize) -> Result<Vec<Row>, Problem> {
        self.rows(None, limit).await
    }

    async fn rows(&self, index: Option<&Index>, limit: usize) -> Result<Vec<Row>, Problem> {
        let mut rows = Vec::new();
        let mut after: Option<Position> = None;
        loop {
            let step = match index {
                Some(index) => self.store.page(index, after.as_ref(), limit).await?,
                None => self.store.scan(after.as_ref(), limit).await?,
            };
            if step.rows.len() > limit {
                return Err(Problem::from(format_args!("a page of {limit} has {} rows", step.rows.len())));
            }
            rows.extend(step.rows);
            match step.next {
                Some(next) if after.as_ref() == Some(&next) => {
                    return Err(Problem::from(format_args!("a page does not go on after {next:?}")));
                }
                Some(next) => after = Some(next),
                None => return Ok(rows),
            }
        }
    }

    pub(super) async fn feed(&self) -> Result<Vec<FeedEntry>, StoreError> {
        Ok(self.store.changes(FeedPosition(0), 10_000).await?.entries)
    }
}

/// What each of `futures` gives, all of them under way at once.
pub(super) async fn together<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.into_iter().map(|future| Some(Box::pin(future))).collect();
    let mut outputs: Vec<Option<F::Output>> = running.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (slot, output) in running.iter_mut().zip(&mut outputs) {
            if let Some(future) = slot
                && let Poll::Ready(ready) = future.as_mut().poll(context)
            {
                *output = Some(ready);
                *slot = None;
            }
        }
        if running.iter().any(Option::is_some) { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    outputs.into_iter().flatten().collect()
}
