//! A store that fails when it is told to, and before and after whose calls others act.

use std::any::Any;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex};
use std::thread;

use async_trait::async_trait;
use futures_executor::block_on;
use latchbook_core::key_store::conformance::Faulty;
pub use latchbook_core::key_store::conformance::{Calls, Trouble};
use latchbook_core::key_store::{KeyStore, Sharing, StoreError};
use latchbook_core::model::{
    ChangeSet, Committed, FeedPage, FeedPosition, Index, Page, Position, Pruned, RecordKey, Row, Stored, UnixTime,
};

type Act = Box<dyn FnMut() + Send>;

/// What another does just before a call, and to how many more calls of its kind that applies.
struct Meanwhile {
    skipped: usize,
    times: usize,
    act: Act,
}

/// One node's way to a store, which other nodes may share.
pub struct TestStore {
    faulty: Faulty<Arc<dyn KeyStore>>,
    meanwhile: Mutex<Option<Meanwhile>>,
    after_feed: Mutex<Option<Act>>,
    #[allow(dead_code, reason = "what needs a folder keeps it")]
    kept: Mutex<Option<Box<dyn Any + Send>>>,
}

impl TestStore {
    pub fn over(store: Arc<dyn KeyStore>) -> Arc<Self> {
        let (meanwhile, after_feed, kept) = (Mutex::default(), Mutex::default(), Mutex::default());
        Arc::new(Self { faulty: Faulty::over(store), meanwhile, after_feed, kept })
    }

    /// Keeps `what` for as long as this is there, such as the folder that the store is in.
    #[allow(dead_code, reason = "what needs a folder keeps it")]
    pub fn keep(&self, what: impl Any + Send) {
        *self.kept.lock().unwrap() = Some(Box::new(what));
    }

    /// Just before the commit after the next `skipped` ones, and before `times` in all, another does `act`.
    pub fn meanwhile(&self, skipped: usize, times: usize, act: impl FnMut() + Send + 'static) {
        *self.meanwhile.lock().unwrap() = Some(Meanwhile { skipped, times, act: Box::new(act) });
    }

    /// Once the feed was read the next time, and before the reader knows, another does `act`.
    pub fn after_feed(&self, act: impl FnMut() + Send + 'static) {
        *self.after_feed.lock().unwrap() = Some(Box::new(act));
    }

    /// How many of the times are left.
    pub fn left(&self) -> usize {
        self.meanwhile.lock().unwrap().as_ref().map_or(0, |meanwhile| meanwhile.times)
    }

    /// Does what came late.
    pub fn land(&self) {
        block_on(self.faulty.land()).expect("a set that was good when it was sent");
    }

    /// Everything that it holds.
    pub fn rows(&self) -> Vec<Row> {
        block_on(self.faulty.rows()).expect("a store that works")
    }

    fn let_another_act(&self) {
        // Taken out while it acts, so that what it commits itself meets nobody.
        let Some(mut meanwhile) = self.meanwhile.lock().unwrap().take() else { return };
        if meanwhile.skipped > 0 {
            meanwhile.skipped -= 1;
        } else if meanwhile.times > 0 {
            meanwhile.times -= 1;
            elsewhere(&mut meanwhile.act);
        }
        *self.meanwhile.lock().unwrap() = Some(meanwhile);
    }

    /// The faulty store, once the order in which threads get here was shaken.
    fn shaken(&self) -> &Faulty<Arc<dyn KeyStore>> {
        thread::yield_now();
        &self.faulty
    }
}

impl Deref for TestStore {
    type Target = Faulty<Arc<dyn KeyStore>>;

    fn deref(&self) -> &Self::Target {
        &self.faulty
    }
}

impl fmt::Debug for TestStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TestStore")
    }
}

/// On a thread of its own, since this one is within an executor.
fn elsewhere(act: &mut Act) {
    thread::scope(|scope| scope.spawn(act).join().expect("another"));
}

#[async_trait]
impl KeyStore for TestStore {
    async fn get(&self, keys: &[RecordKey]) -> Result<Vec<Option<Stored>>, StoreError> {
        self.shaken().get(keys).await
    }

    async fn page(&self, index: &Index, after: Option<&Position>, limit: usize) -> Result<Page, StoreError> {
        self.shaken().page(index, after, limit).await
    }

    async fn changes(&self, after: FeedPosition, limit: usize) -> Result<FeedPage, StoreError> {
        let page = self.shaken().changes(after, limit).await;
        let act = self.after_feed.lock().unwrap().take();
        if let Some(mut act) = act {
            elsewhere(&mut act);
        }
        page
    }

    async fn commit(&self, set: ChangeSet) -> Result<Committed, StoreError> {
        self.let_another_act();
        self.shaken().commit(set).await
    }

    async fn prune(&self, before: UnixTime, limit: usize) -> Result<Pruned, StoreError> {
        self.shaken().prune(before, limit).await
    }

    async fn scan(&self, after: Option<&Position>, limit: usize) -> Result<Page, StoreError> {
        self.shaken().scan(after, limit).await
    }

    async fn load(&self, rows: Vec<Row>) -> Result<(), StoreError> {
        self.shaken().load(rows).await
    }

    fn sharing(&self) -> Sharing {
        self.faulty.sharing()
    }
}
