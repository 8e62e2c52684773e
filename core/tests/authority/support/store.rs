//! A store in memory that fails, hangs or answers wrongly when it is told to, and counts how often it is asked.

use std::fmt;
use std::future::pending;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use async_trait::async_trait;
use latchbook_core::key_store::{KeyStore, MemoryStore, Sharing, StoreError};
use latchbook_core::model::{
    ChangeSet, Committed, FeedPage, FeedPosition, Index, Page, Position, Pruned, RecordKey, Row, Stored, UnixTime,
};

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing is done, and the answer is `Unavailable`.
    Fails,
    /// It is done, and the answer is `Unavailable` all the same.
    DoneButFails,
    /// Nothing is done, and there is no answer.
    Hangs,
    /// It is done, and there is no answer.
    DoneButHangs,
    /// Nothing is done yet, the answer is `Unavailable`, and [`TestStore::land`] does it.
    Late,
}

/// Which calls are counted for trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calls {
    All,
    Commits,
}

#[derive(Debug)]
struct Plan {
    calls: Calls,
    trouble: Trouble,
    range: Range<usize>,
    met: usize,
}

type Act = Box<dyn FnMut() + Send>;

/// What another does just before a call, and to how many more calls of its kind that applies.
struct Meanwhile {
    skipped: usize,
    times: usize,
    act: Act,
}

/// One node's way to a store in memory, which other nodes may share.
pub struct TestStore {
    memory: Arc<MemoryStore>,
    plan: Mutex<Option<Plan>>,
    late: Mutex<Vec<ChangeSet>>,
    meanwhile: Mutex<Option<Meanwhile>>,
    asked: AtomicUsize,
}

impl TestStore {
    pub fn over(memory: Arc<MemoryStore>) -> Arc<Self> {
        let (plan, late, meanwhile) = (Mutex::default(), Mutex::default(), Mutex::default());
        Arc::new(Self { memory, plan, late, meanwhile, asked: AtomicUsize::new(0) })
    }

    pub fn memory(&self) -> &Arc<MemoryStore> {
        &self.memory
    }

    /// From now on the `range`-th of `calls`, counted from 0, meet `trouble`.
    pub fn trouble(&self, calls: Calls, trouble: Trouble, range: Range<usize>) {
        *self.plan.lock().unwrap() = Some(Plan { calls, trouble, range, met: 0 });
    }

    /// From now on every call fails.
    pub fn go_away(&self) {
        self.trouble(Calls::All, Trouble::Fails, 0..usize::MAX);
    }

    /// Just before the commit after the next `skipped` ones, and before `times` in all, another does `act`.
    pub fn meanwhile(&self, skipped: usize, times: usize, act: impl FnMut() + Send + 'static) {
        *self.meanwhile.lock().unwrap() = Some(Meanwhile { skipped, times, act: Box::new(act) });
    }

    /// How many of the times are left.
    pub fn left(&self) -> usize {
        self.meanwhile.lock().unwrap().as_ref().map_or(0, |meanwhile| meanwhile.times)
    }

    /// Everything works again; whether any call met trouble.
    pub fn heal(&self) -> bool {
        self.plan.lock().unwrap().take().is_some_and(|plan| plan.met > plan.range.start)
    }

    /// Does what came late.
    pub fn land(&self) {
        for set in self.late.lock().unwrap().drain(..) {
            futures_executor::block_on(self.memory.commit(set)).expect("a set that was good when it was sent");
        }
    }

    /// How often it was asked so far.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Everything that it holds.
    pub fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        let mut after = None;
        loop {
            let page = futures_executor::block_on(self.memory.scan(after.as_ref(), 1_000)).expect("memory");
            rows.extend(page.rows);
            match page.next {
                Some(next) => after = Some(next),
                None => return rows,
            }
        }
    }

    /// The trouble that this call meets.
    fn next(&self, call: Calls) -> Option<Trouble> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut plan = self.plan.lock().unwrap();
        let plan = plan.as_mut().filter(|plan| plan.calls == Calls::All || plan.calls == call)?;
        plan.met += 1;
        plan.range.contains(&(plan.met - 1)).then_some(plan.trouble)
    }

    fn let_another_act(&self) {
        // Taken out while it acts, so that what it commits itself meets nobody.
        let Some(mut meanwhile) = self.meanwhile.lock().unwrap().take() else { return };
        if meanwhile.skipped > 0 {
            meanwhile.skipped -= 1;
        } else if meanwhile.times > 0 {
            meanwhile.times -= 1;
            // On a thread of its own, since this one is within an executor.
            thread::scope(|scope| scope.spawn(|| (meanwhile.act)()).join().expect("another"));
        }
        *self.meanwhile.lock().unwrap() = Some(meanwhile);
    }

    async fn meet<T>(
        &self,
        call: Calls,
        done: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        // Shakes the order in which threads get here.
        thread::yield_now();
        match self.next(call) {
            None => done.await,
            Some(Trouble::Fails | Trouble::Late) => Err(away()),
            Some(Trouble::DoneButFails) => done.await.and(Err(away())),
            Some(Trouble::Hangs) => pending().await,
            Some(Trouble::DoneButHangs) => {
                let _ = done.await;
                pending().await
            }
        }
    }
}

impl fmt::Debug for TestStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TestStore")
    }
}

fn away() -> StoreError {
    StoreError::unavailable("the disk is gone")
}

#[async_trait]
impl KeyStore for TestStore {
    async fn get(&self, keys: &[RecordKey]) -> Result<Vec<Option<Stored>>, StoreError> {
        self.meet(Calls::All, self.memory.get(keys)).await
    }

    async fn page(&self, index: &Index, after: Option<&Position>, limit: usize) -> Result<Page, StoreError> {
        self.meet(Calls::All, self.memory.page(index, after, limit)).await
    }

    async fn changes(&self, after: FeedPosition, limit: usize) -> Result<FeedPage, StoreError> {
        self.meet(Calls::All, self.memory.changes(after, limit)).await
    }

    async fn commit(&self, set: ChangeSet) -> Result<Committed, StoreError> {
        self.let_another_act();
        let late = set.clone();
        let answer = self.meet(Calls::Commits, self.memory.commit(set)).await;
        let comes_late = self.plan.lock().unwrap().as_ref().is_some_and(|plan| plan.trouble == Trouble::Late);
        if comes_late && matches!(answer, Err(StoreError::Unavailable(_))) {
            self.late.lock().unwrap().push(late);
        }
        answer
    }

    async fn prune(&self, before: UnixTime, limit: usize) -> Result<Pruned, StoreError> {
        self.meet(Calls::Commits, self.memory.prune(before, limit)).await
    }

    async fn scan(&self, after: Option<&Position>, limit: usize) -> Result<Page, StoreError> {
        self.meet(Calls::All, self.memory.scan(after, limit)).await
    }

    async fn load(&self, rows: Vec<Row>) -> Result<(), StoreError> {
        self.meet(Calls::Commits, self.memory.load(rows)).await
    }

    fn sharing(&self) -> Sharing {
        self.memory.sharing()
    }
}
