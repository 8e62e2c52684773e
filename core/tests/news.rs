//! A store that tells of others' announcements wakes upkeep, and however much it tells, upkeep reads in measure.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use async_trait::async_trait;
use futures_executor::block_on;
use latchbook_core::clock::{Clock, Sleep, SystemClock};
use latchbook_core::key_store::{KeyStore, MemoryStore, News, Sharing, StoreError};
use latchbook_core::model::{
    ChangeSet, Committed, FeedPage, FeedPosition, Index, Page, Position, Pruned, RecordKey, Row, Stored, UnixTime,
};
use latchbook_core::{Authority, MasterKey};

/// A store that others share, which has news at any time.
#[derive(Debug, Default)]
struct Flood {
    inner: MemoryStore,
    reads: AtomicUsize,
}

#[async_trait]
impl KeyStore for Flood {
    async fn get(&self, keys: &[RecordKey]) -> Result<Vec<Option<Stored>>, StoreError> {
        self.inner.get(keys).await
    }

    async fn page(&self, index: &Index, after: Option<&Position>, limit: usize) -> Result<Page, StoreError> {
        self.inner.page(index, after, limit).await
    }

    async fn changes(&self, after: FeedPosition, limit: usize) -> Result<FeedPage, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.inner.changes(after, limit).await
    }

    async fn commit(&self, set: ChangeSet) -> Result<Committed, StoreError> {
        self.inner.commit(set).await
    }

    async fn prune(&self, before: UnixTime, limit: usize) -> Result<Pruned, StoreError> {
        self.inner.prune(before, limit).await
    }

    async fn scan(&self, after: Option<&Position>, limit: usize) -> Result<Page, StoreError> {
        self.inner.scan(after, limit).await
    }

    async fn load(&self, rows: Vec<Row>) -> Result<(), StoreError> {
        self.inner.load(rows).await
    }

    fn sharing(&self) -> Sharing {
        Sharing::Shared
    }

    fn news(&self) -> Option<News> {
        Some(Box::pin(std::future::ready(())))
    }
}

/// The system's clock, on which no sleep ends.
#[derive(Debug, Default)]
struct Endless(SystemClock);

impl Clock for Endless {
    fn now(&self) -> UnixTime {
        self.0.now()
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }

    fn sleep(&self, _: Duration) -> Sleep {
        Box::pin(std::future::pending())
    }
}

#[test]
fn news_without_end_is_read_once_before_upkeep_pauses() {
    let store = Arc::new(Flood::default());
    let builder = Authority::builder().store(Arc::clone(&store)).issuer("https://a.test");
    let builder = builder.master_key(MasterKey::from_bytes([7; 32])).clock(Arc::new(Endless::default()));
    let authority = block_on(builder.build()).unwrap();
    let before = store.reads.load(Ordering::SeqCst);
    let mut upkeep = pin!(authority.upkeep());
    for _ in 0..3 {
        assert!(upkeep.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        // The round's own reading, and one for the news.
        assert_eq!(store.reads.load(Ordering::SeqCst) - before, 2);
    }
}
