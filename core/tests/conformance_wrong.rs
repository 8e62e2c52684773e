//! A store that does one thing wrong does not pass.
#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures_executor::block_on;
use latchbook_core::key_store::{KeyStore, MemoryStore, Sharing, StoreError, conformance};
use latchbook_core::model::{
    ChangeSet, Committed, FeedPage, FeedPosition, Index, Merge, Page, Position, Pruned, RecordKey, Row, Stored,
    UnixTime,
};

/// What is wrong with a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    ExpectsNothing,
    ExpectsNoAbsence,
    ForgetsCounts,
    ForgetsUses,
    TellsNumbersBackwards,
    CountsTwice,
    LosesTheLastAnnouncement,
    OrdersEventsAnew,
    FailsWhereItConflicts,
    SkipsARowOfAPage,
    GivesNoNextPage,
    FindsWhatIsNotThere,
    PrunesWhatEndsJustThen,
    ForgetsTheInstantOfAPrune,
    CopiesNoCounters,
    CopiesNoUsage,
    TearsReads,
    ShowsWhatIsLaterFirst,
}

/// Those that only show where several act at once.
const RACES: [Wrong; 2] = [Wrong::TearsReads, Wrong::ShowsWhatIsLaterFirst];

const WRONGS: [Wrong; 16] = [
    Wrong::ExpectsNothing,
    Wrong::ExpectsNoAbsence,
    Wrong::ForgetsCounts,
    Wrong::ForgetsUses,
    Wrong::TellsNumbersBackwards,
    Wrong::CountsTwice,
    Wrong::LosesTheLastAnnouncement,
    Wrong::OrdersEventsAnew,
    Wrong::FailsWhereItConflicts,
    Wrong::SkipsARowOfAPage,
    Wrong::GivesNoNextPage,
    Wrong::FindsWhatIsNotThere,
    Wrong::PrunesWhatEndsJustThen,
    Wrong::ForgetsTheInstantOfAPrune,
    Wrong::CopiesNoCounters,
    Wrong::CopiesNoUsage,
];

#[test]
fn every_wrong_is_found_by_the_checks() {
    for wrong in WRONGS.into_iter().chain(RACES) {
        let answer = block_on(conformance::run(async || Ok(WrongStore::new(wrong))));
        assert!(answer.is_err(), "{wrong:?} is not found");
    }
}

#[test]
fn races_are_found_by_reading_beside_writers() {
    for wrong in RACES {
        let failure = block_on(conformance::run(async || Ok(WrongStore::new(wrong)))).expect_err("a race");
        println!("{wrong:?}: {failure}");
        assert!(READING_BESIDE_WRITERS.contains(&failure.check), "{wrong:?} is found by {failure}");
    }
}

const READING_BESIDE_WRITERS: [&str; 3] = [
    "a_reader_beside_writers_misses_nothing",
    "a_reader_at_any_cursor_misses_no_later_commit",
    "records_are_read_together_as_of_one_instant",
];

#[test]
fn every_wrong_is_found_by_random_lists() {
    for wrong in WRONGS {
        let answer = block_on(conformance::model(async || Ok(WrongStore::new(wrong)), 200));
        assert!(answer.is_err(), "{wrong:?} is not found");
    }
}

#[test]
fn a_list_that_fails_is_told_at_its_shortest() {
    let answer = block_on(conformance::model(async || Ok(WrongStore::new(Wrong::ForgetsCounts)), 200));
    let told = answer.expect_err("a store that forgets").to_string();
    // One change with one count is enough to see it.
    assert_eq!(told.matches("Change(").count(), 1, "{told}");
    assert!(told.contains("in the end: ") || told.contains("step "), "{told}");
}

#[derive(Debug)]
struct WrongStore {
    memory: MemoryStore,
    wrong: Wrong,
    writing: AtomicUsize,
}

impl WrongStore {
    fn new(wrong: Wrong) -> Self {
        Self { memory: MemoryStore::new(), wrong, writing: AtomicUsize::new(0) }
    }

    /// Whether commits are under way.
    fn is_busy(&self) -> bool {
        self.writing.load(Ordering::SeqCst) > 0
    }

    fn is(&self, wrong: Wrong) -> bool {
        self.wrong == wrong
    }
}

#[async_trait]
impl KeyStore for WrongStore {
    async fn get(&self, keys: &[RecordKey]) -> Result<Vec<Option<Stored>>, StoreError> {
        let mut found = Vec::new();
        if self.is(Wrong::TearsReads) {
            for key in keys {
                found.extend(self.memory.get(std::slice::from_ref(key)).await?);
                pending_once().await;
            }
            return Ok(found);
        }
        found.extend(self.memory.get(keys).await?);
        if self.is(Wrong::FindsWhatIsNotThere)
            && let Some(first) = found.iter().flatten().next().cloned()
        {
            found.iter_mut().for_each(|slot| {
                slot.get_or_insert(first.clone());
            });
        }
        Ok(found)
    }

    async fn page(&self, index: &Index, after: Option<&Position>, limit: usize) -> Result<Page, StoreError> {
        let mut page = self.memory.page(index, after, limit).await?;
        if self.is(Wrong::SkipsARowOfAPage) && page.rows.len() > 1 {
            page.rows.remove(1);
        }
        if self.is(Wrong::GivesNoNextPage) {
            page.next = None;
        }
        Ok(page)
    }

    async fn changes(&self, after: FeedPosition, limit: usize) -> Result<FeedPage, StoreError> {
        let mut page = self.memory.changes(after, limit).await?;
        if self.is(Wrong::ForgetsTheInstantOfAPrune) {
            page.pruned_at = UnixTime::EPOCH;
        }
        // As if the last commit but one were not through yet.
        if self.is(Wrong::ShowsWhatIsLaterFirst) && self.is_busy() {
            page.entries.retain(|entry| entry.position.0 + 1 != page.head.0);
        }
        Ok(page)
    }

    async fn commit(&self, mut set: ChangeSet) -> Result<Committed, StoreError> {
        let told = set.clone();
        match self.wrong {
            Wrong::ExpectsNothing => set.expect.clear(),
            Wrong::ExpectsNoAbsence => set.expect.retain(|expected| expected.revision.is_some()),
            Wrong::ForgetsCounts => set.merge.retain(|merge| !matches!(merge, Merge::Usage(_))),
            Wrong::ForgetsUses => set.merge.retain(|merge| !matches!(merge, Merge::LastUsed(_))),
            Wrong::LosesTheLastAnnouncement => drop(set.feed.pop()),
            Wrong::OrdersEventsAnew => set.audit.reverse(),
            _ => {}
        }
        let mut answer = self.memory.commit(set).await;
        if self.is(Wrong::ShowsWhatIsLaterFirst) {
            self.writing.fetch_add(1, Ordering::SeqCst);
            pending_once().await;
            self.writing.fetch_sub(1, Ordering::SeqCst);
        }
        if self.is(Wrong::CountsTwice) && answer.is_ok() {
            let merges = ChangeSet { merge: told.merge.clone(), ..ChangeSet::new(other_id(&told), told.at) };
            // It counts twice what it was told once.
            self.memory.commit(merges).await?;
        }
        if self.is(Wrong::TellsNumbersBackwards) && answer.is_ok() {
            answer =
                answer.map(|committed| Committed { audit: committed.audit.into_iter().rev().collect(), ..committed });
        }
        if self.is(Wrong::FailsWhereItConflicts) && matches!(answer, Err(StoreError::Conflict)) {
            answer = Err(StoreError::unavailable("could not serialise"));
        }
        answer
    }

    async fn prune(&self, before: UnixTime, limit: usize) -> Result<Pruned, StoreError> {
        let later = if self.is(Wrong::PrunesWhatEndsJustThen) { before.plus(1) } else { before };
        self.memory.prune(later, limit).await
    }

    async fn scan(&self, after: Option<&Position>, limit: usize) -> Result<Page, StoreError> {
        self.memory.scan(after, limit).await
    }

    async fn load(&self, mut rows: Vec<Row>) -> Result<(), StoreError> {
        match self.wrong {
            Wrong::CopiesNoCounters => rows.retain(|row| !matches!(row, Row::Meta(_))),
            Wrong::CopiesNoUsage => rows.retain(|row| !matches!(row, Row::Usage(_))),
            _ => {}
        }
        self.memory.load(rows).await
    }

    fn sharing(&self) -> Sharing {
        self.memory.sharing()
    }
}

/// Lets others act in between.
async fn pending_once() {
    let mut is_second = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut is_second, true) {
            return std::task::Poll::Ready(());
        }
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

/// An id that no change of the checks has.
fn other_id(set: &ChangeSet) -> latchbook_core::model::ChangeId {
    let mut bytes = *set.id.as_bytes();
    bytes.iter_mut().take(1).for_each(|byte| *byte ^= 0x80);
    latchbook_core::model::ChangeId::from_bytes(bytes)
}
