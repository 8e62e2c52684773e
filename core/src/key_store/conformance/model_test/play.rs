//! Plays a list of operations on a store and on the model, and compares whatever the two answer.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use super::super::bench::Bench;
use super::super::{Problem, same, samples};
use super::lists::{Act, Change, Deed, Expected, Step};
use super::pool;
use crate::key_store::{KeyStore, KeyStoreExt as _, MemoryStore, StoreError};
use crate::model::{
    ChangeId, ChangeSet, Expectation, FeedPosition, Index, Merge, Position, RecordKey, Revision, Row, StoreMeta,
    UnixTime,
};

/// Plays `steps`, then compares everything that can be read.
pub(super) async fn play<S: KeyStore>(
    fresh: &impl AsyncFn() -> Result<S, StoreError>,
    steps: &[Step],
) -> Result<(), Problem> {
    let mut pair = Pair { store: Bench::new(Arc::new(fresh().await?)), model: new_model(), made: Vec::new() };
    for (number, step) in (1..).zip(steps) {
        let played = match step {
            Step::Copy { limit } => {
                let store = Bench::new(Arc::new(fresh().await?));
                pair.copy_into(store, *limit).await
            }
            other => pair.step(other).await,
        };
        played.map_err(|problem| Problem(format!("step {number}: {}", problem.0)))?;
    }
    pair.everything().await.map_err(|problem| Problem(format!("in the end: {}", problem.0)))
}

fn new_model() -> Bench {
    Bench::new(Arc::new(MemoryStore::new()))
}

struct Pair {
    store: Bench,
    model: Bench,
    /// Every change so far, whether it was done or not.
    made: Vec<ChangeSet>,
}

impl Pair {
    async fn step(&mut self, step: &Step) -> Result<(), Problem> {
        match step {
            Step::Change(change) => {
                let number = self.made.len() as u128 + 1;
                self.change(ChangeId::from_bytes(number.to_be_bytes()), change).await
            }
            Step::Again(back) => match self.back(*back).cloned() {
                Some(set) => self.commit(set).await,
                None => Ok(()),
            },
            Step::Under(back, change) => match self.back(*back).map(|set| set.id) {
                Some(id) => self.change(id, change).await,
                None => Ok(()),
            },
            Step::Prune { before, limit } => self.prune(*before, *limit).await,
            Step::Get(slots) => {
                let keys = slots.iter().map(|slot| pool::key(*slot)).collect::<Result<Vec<_>, _>>()?;
                alike(self.store.store.get(&keys).await, self.model.store.get(&keys).await, &keys)
            }
            Step::Page { list, limit } => self.list(&pool::index(*list)?, *limit).await,
            Step::Feed { after, limit } => self.feed(FeedPosition(*after), *limit).await,
            Step::Scan { limit } | Step::Copy { limit } => self.contents(*limit).await,
        }
    }

    fn back(&self, back: usize) -> Option<&ChangeSet> {
        self.made.iter().rev().nth(back)
    }

    async fn change(&mut self, id: ChangeId, change: &Change) -> Result<(), Problem> {
        let mut set = ChangeSet::new(id, change.at);
        let mut named = BTreeSet::new();
        for act in &change.acts {
            // A record is named once in a set.
            if named.insert(pool::key(act.slot)?) {
                self.act(&mut set, act).await?;
            }
        }
        for (slot, day, number) in &change.counts {
            let row = samples::usage(&pool::owner(slot.owner)?, pool::key_id(slot.id)?, *day, *number, 1);
            set.merge.push(Merge::Usage(row));
        }
        for (slot, at) in &change.uses {
            let (owner, key) = (pool::owner(slot.owner)?, pool::key_id(slot.id)?);
            if !named.contains(&RecordKey::KeyActivity(owner.clone(), key)) {
                set.merge.push(Merge::LastUsed(samples::activity(&owner, key, *at)));
            }
        }
        for (slot, number, ends_at) in &change.said {
            set.feed.push((pool::announcement(*slot, *number)?, *ends_at));
        }
        for (chain, subject) in &change.events {
            set.audit.push(samples::event(&pool::chain(*chain)?, subject));
        }
        set.pruned_at = change.pruned_at;
        self.made.push(set.clone());
        self.commit(set).await
    }

    async fn act(&self, set: &mut ChangeSet, act: &Act) -> Result<(), Problem> {
        let key = pool::key(act.slot)?;
        let found = self.model.store.get_one(key.clone()).await?;
        let deed = match (act.deed, &found) {
            (Deed::Put, Some(_)) => Deed::Update,
            (Deed::Toggle, Some(_)) => Deed::Remove,
            (Deed::Put | Deed::Toggle, None) => Deed::Insert,
            (deed, _) => deed,
        };
        match deed {
            Deed::Insert => set.insert.push(pool::record(act.slot, &act.look)?),
            Deed::Update => set.update.push(pool::record(act.slot, &act.look)?),
            Deed::Remove => set.remove.push(key.clone()),
            Deed::Put | Deed::Toggle | Deed::Nothing => {}
        }
        let revision = match act.expected {
            Expected::Anything => return Ok(()),
            Expected::AsItIs => found.map(|stored| stored.revision),
            Expected::Absent => None,
            Expected::Older(back) => self.back(back).map(|set| Revision(set.id)),
        };
        set.expect.push(Expectation { key, revision });
        Ok(())
    }

    async fn commit(&self, set: ChangeSet) -> Result<(), Problem> {
        alike(self.store.commit(&set).await, self.model.commit(&set).await, &set)
    }

    /// Which rows a step takes is the store's own choice, so every step is taken before anything else is compared.
    async fn prune(&self, before: UnixTime, limit: usize) -> Result<(), Problem> {
        loop {
            let (found, want) =
                (self.store.store.prune(before, limit).await, self.model.store.prune(before, limit).await);
            let is_last = !want.as_ref().is_ok_and(|pruned| pruned.more);
            alike(found, want, &(before, limit))?;
            if is_last {
                return Ok(());
            }
        }
    }

    async fn list(&self, index: &Index, limit: usize) -> Result<(), Problem> {
        let mut after: Option<Position> = None;
        loop {
            let found = self.store.store.page(index, after.as_ref(), limit).await;
            let want = self.model.store.page(index, after.as_ref(), limit).await;
            let next = want.as_ref().ok().and_then(|page| page.next.clone());
            alike(found, want, &(index, &after, limit))?;
            match next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    async fn feed(&self, after: FeedPosition, limit: usize) -> Result<(), Problem> {
        let (found, want) =
            (self.store.store.changes(after, limit).await, self.model.store.changes(after, limit).await);
        alike(found, want, &(after, limit))
    }

    /// Compares all rows, whose order is each store's own.
    async fn contents(&self, limit: usize) -> Result<(), Problem> {
        let (found, want) = (sorted(self.store.everything(limit).await?), sorted(self.model.everything(100).await?));
        let differ = |rows: &[String], others: &[String]| {
            rows.iter().filter(|row| others.binary_search(row).is_err()).cloned().collect::<Vec<_>>()
        };
        same!((differ(&found, &want), differ(&want, &found)), (Vec::new(), Vec::new()), "of all rows");
        same!(found.len(), want.len(), "of all rows");
        Ok(())
    }

    async fn copy_into(&mut self, store: Bench, limit: usize) -> Result<(), Problem> {
        let model = new_model();
        let mut after: Option<Position> = None;
        loop {
            let page = self.store.store.scan(after.as_ref(), limit).await?;
            store.store.load(page.rows).await?;
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        model.store.load(self.model.everything(100).await?).await?;
        (self.store, self.model) = (store, model);
        self.contents(limit).await
    }

    async fn everything(&self) -> Result<(), Problem> {
        for list in 0..pool::LISTS {
            self.list(&pool::index(list)?, 100).await?;
        }
        self.feed(FeedPosition(0), 1_000).await?;
        self.contents(100).await
    }
}

fn sorted(rows: Vec<Row>) -> Vec<String> {
    // A store that counted nothing yet need not have counters.
    let counted = rows.iter().filter(|row| **row != Row::Meta(StoreMeta::default()));
    let mut rows: Vec<_> = counted.map(|row| format!("{row:?}")).collect();
    rows.sort_unstable();
    rows
}

/// Demands equal answers, and errors of the same kind.
fn alike<T: Debug + PartialEq>(
    found: Result<T, StoreError>,
    want: Result<T, StoreError>,
    asked: &dyn Debug,
) -> Result<(), Problem> {
    let is_alike = match (&found, &want) {
        (Ok(found), Ok(want)) => found == want,
        (Err(found), Err(want)) => std::mem::discriminant(found) == std::mem::discriminant(want),
        _ => false,
    };
    if is_alike {
        return Ok(());
    }
    Err(Problem::from(format_args!("found {found:?}, want {want:?}, for {asked:?}")))
}
