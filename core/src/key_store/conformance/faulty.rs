//! A store around another one that fails when it is told to, at any step.

use std::future::pending;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::key_store::{KeyStore, Sharing, StoreError};
use crate::model::{
    ChangeSet, Committed, FeedPage, FeedPosition, Index, Page, Position, Pruned, RecordKey, Row, Stored, UnixTime,
};

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// Nothing is done, and the answer is [`StoreError::Unavailable`].
    Fails,
    /// It is done, and the answer is [`StoreError::Unavailable`] all the same: the caller cannot know.
    DoneButFails,
    /// Nothing is done, and the answer is [`StoreError::Corrupt`].
    Corrupt,
    /// Nothing is done, and there is no answer, ever: the caller gives up.
    Hangs,
    /// It is done, and there is no answer, ever.
    DoneButHangs,
    /// As [`Fails`](Self::Fails), but what should have been committed is done later, by [`Faulty::land`].
    Late,
}

/// A method of [`KeyStore`] that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each variant is named after its method")]
pub enum Operation {
    Get,
    Page,
    Changes,
    Commit,
    Prune,
    Scan,
    Load,
}

/// Which calls are counted for trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Calls {
    /// Every one.
    All,
    /// Those that change something: `commit`, `prune` and `load`.
    Writes,
    /// Those of one kind.
    Of(Operation),
}

impl Calls {
    fn include(self, operation: Operation) -> bool {
        match self {
            Self::All => true,
            Self::Writes => matches!(operation, Operation::Commit | Operation::Prune | Operation::Load),
            Self::Of(one) => one == operation,
        }
    }
}

/// A store around another one that fails when it is told to, at any step, and counts how often it is asked.
///
/// Whoever uses a store must come through its faults: a call that was not answered is a fault, never "not found" and
/// never "allowed", changes nothing, and can be made again.
///
/// ```
/// use std::sync::Arc;
/// use latchbook_core::authority::{Actor, Authority, Fault, Refusal};
/// use latchbook_core::key_store::conformance::{Calls, Faulty, Trouble};
/// use latchbook_core::key_store::{MemoryStore, StoreError};
/// use latchbook_core::model::{DeveloperId, DeveloperRef, EnvironmentName, Source};
/// use latchbook_core::seal::MasterKey;
///
/// # futures_executor::block_on(async {
/// let store = Arc::new(Faulty::over(MemoryStore::new())); // or any other
/// let authority = Authority::builder()
///     .store(Arc::clone(&store))
///     .issuer("https://api.example.com")
///     .master_key(MasterKey::from_bytes([7; 32]))
///     .build()
///     .await?;
/// let acme = DeveloperRef { environment: EnvironmentName::LIVE, id: DeveloperId::parse("acme")? };
/// let create =
///     async || authority.developers().create(&Actor::Host, Source::UNKNOWN, &acme, "Acme").await;
///
/// let before = store.rows().await?;
/// store.trouble(Calls::Writes, Trouble::Fails, 0..1); // the next write fails, and no other
/// let refused = create().await;
/// assert!(matches!(refused, Err(Refusal::Fault(Fault::Store(StoreError::Unavailable(_))))));
/// assert!(store.heal(), "it was met");
/// assert!(store.rows().await? == before, "nothing was changed");
/// assert!(create().await.is_ok(), "and it works again");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Faulty<S> {
    inner: S,
    words: String,
    plan: Mutex<Option<Plan>>,
    late: Mutex<Vec<ChangeSet>>,
    asked: AtomicUsize,
}

#[derive(Debug)]
struct Plan {
    calls: Calls,
    trouble: Trouble,
    range: Range<usize>,
    met: usize,
}

impl<S: KeyStore> Faulty<S> {
    /// One around `store` in which everything works so far.
    pub fn over(store: S) -> Self {
        let (plan, late, asked) = (Mutex::default(), Mutex::default(), AtomicUsize::new(0));
        Self { inner: store, words: "the disk is gone".to_owned(), plan, late, asked }
    }

    /// The same with `words` in its errors: such as nobody outside may see.
    #[must_use]
    pub fn saying(self, words: &str) -> Self {
        Self { words: words.to_owned(), ..self }
    }

    /// The store in it, which knows no trouble.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// From now on the `range`-th of `calls`, counted from 0, meet `trouble`, and no others.
    pub fn trouble(&self, calls: Calls, trouble: Trouble, range: Range<usize>) {
        *locked(&self.plan) = Some(Plan { calls, trouble, range, met: 0 });
    }

    /// From now on every call fails.
    pub fn go_away(&self) {
        self.trouble(Calls::All, Trouble::Fails, 0..usize::MAX);
    }

    /// Everything works again. Whether any call met trouble since it was planned.
    pub fn heal(&self) -> bool {
        locked(&self.plan).take().is_some_and(|plan| plan.met > plan.range.start)
    }

    /// Does what came [late](Trouble::Late).
    ///
    /// # Errors
    /// The store's own, of the first set that it does not do.
    pub async fn land(&self) -> Result<(), StoreError> {
        let late = std::mem::take(&mut *locked(&self.late));
        for set in late {
            self.inner.commit(set).await?;
        }
        Ok(())
    }

    /// How often it was asked so far.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Everything that the store in it holds, to be compared with what it holds later.
    ///
    /// # Errors
    /// The store's own.
    pub async fn rows(&self) -> Result<Vec<Row>, StoreError> {
        let (mut rows, mut after) = (Vec::new(), None);
        loop {
            let page = self.inner.scan(after.as_ref(), 1_000).await?;
            rows.extend(page.rows);
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(rows),
            }
        }
    }

    /// The trouble that this call meets.
    fn next(&self, operation: Operation) -> Option<Trouble> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut plan = locked(&self.plan);
        let plan = plan.as_mut().filter(|plan| plan.calls.include(operation))?;
        let nth = plan.met;
        plan.met = nth.saturating_add(1);
        plan.range.contains(&nth).then_some(plan.trouble)
    }

    async fn meet<T>(
        &self,
        trouble: Option<Trouble>,
        done: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        match trouble {
            None => done.await,
            Some(Trouble::Fails | Trouble::Late) => Err(self.away()),
            Some(Trouble::DoneButFails) => done.await.and_then(|_| Err(self.away())),
            Some(Trouble::Corrupt) => Err(StoreError::corrupt(self.words.clone())),
            Some(Trouble::Hangs) => pending().await,
            Some(Trouble::DoneButHangs) => {
                let _ = done.await;
                pending().await
            }
        }
    }

    fn away(&self) -> StoreError {
        StoreError::unavailable(self.words.clone())
    }
}

/// What `mutex` holds, also after a panic of somebody who held it: a test goes on to say what it found.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl<S: KeyStore> KeyStore for Faulty<S> {
    async fn get(&self, keys: &[RecordKey]) -> Result<Vec<Option<Stored>>, StoreError> {
        self.meet(self.next(Operation::Get), self.inner.get(keys)).await
    }

    async fn page(&self, index: &Index, after: Option<&Position>, limit: usize) -> Result<Page, StoreError> {
        self.meet(self.next(Operation::Page), self.inner.page(index, after, limit)).await
    }

    async fn changes(&self, after: FeedPosition, limit: usize) -> Result<FeedPage, StoreError> {
        self.meet(self.next(Operation::Changes), self.inner.changes(after, limit)).await
    }

    async fn commit(&self, set: ChangeSet) -> Result<Committed, StoreError> {
        let trouble = self.next(Operation::Commit);
        if trouble == Some(Trouble::Late) {
            locked(&self.late).push(set.clone());
        }
        self.meet(trouble, self.inner.commit(set)).await
    }

    async fn prune(&self, before: UnixTime, limit: usize) -> Result<Pruned, StoreError> {
        self.meet(self.next(Operation::Prune), self.inner.prune(before, limit)).await
    }

    async fn scan(&self, after: Option<&Position>, limit: usize) -> Result<Page, StoreError> {
        self.meet(self.next(Operation::Scan), self.inner.scan(after, limit)).await
    }

    async fn load(&self, rows: Vec<Row>) -> Result<(), StoreError> {
        self.meet(self.next(Operation::Load), self.inner.load(rows)).await
    }

    fn sharing(&self) -> Sharing {
        self.inner.sharing()
    }
}
