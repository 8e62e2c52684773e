//! Copies: what `scan` gives, `load` takes, in this store and from another.

use std::sync::Arc;

use super::bench::{Bench, NOW};
use super::{Problem, conflict, same, samples};
use crate::key_store::{KeyStore, MemoryStore};
use crate::model::{ChainId, ChangeSet, FeedPosition, Index, Merge, Position, Record, Row, Stored};

/// Fills a store with rows of every kind, some pruned again.
async fn filled(bench: &Bench) -> Result<(), Problem> {
    let ada = samples::developer_ref("ada")?;
    let mut change = bench.inserting(samples::one_of_each()?);
    change.feed = samples::announcements()?.into_iter().zip(10..).map(|(said, end)| (said, samples::at(end))).collect();
    change.audit = samples::events(&ChainId::Developer(ada.clone()))?;
    for (day, key) in [(1, 1), (1, 2), (2, 1)] {
        change.merge.push(Merge::Usage(samples::usage(&ada, samples::key_id(key)?, day, 3, 4)));
    }
    bench.commit(&change).await?;
    bench.store.prune(samples::at(12), 100).await?;
    Ok(())
}

async fn copied(from: &dyn KeyStore, to: &dyn KeyStore, limit: usize) -> Result<(), Problem> {
    let mut after: Option<Position> = None;
    loop {
        let page = from.scan(after.as_ref(), limit).await?;
        to.load(page.rows).await?;
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}

/// The rows without their order, which is each store's own.
async fn contents(bench: &Bench, limit: usize) -> Result<Vec<String>, Problem> {
    let mut rows: Vec<_> = bench.everything(limit).await?.iter().map(|row| format!("{row:?}")).collect();
    rows.sort_unstable();
    Ok(rows)
}

/// A store in memory that holds what the one on the bench holds.
async fn copy(bench: &Bench, limit: usize) -> Result<Bench, Problem> {
    let copy = Bench::new(Arc::new(MemoryStore::new()));
    copied(&*bench.store, &*copy.store, limit).await?;
    Ok(copy)
}

pub(super) async fn a_copy_holds_everything(bench: Bench) -> Result<(), Problem> {
    // From the reference model into this store, and back out of it by every size of step.
    let model = Bench::new(Arc::new(MemoryStore::new()));
    filled(&model).await?;
    copied(&*model.store, &*bench.store, 7).await?;
    let want = contents(&model, 100).await?;
    for limit in [1, 2, 7, want.len() - 1, want.len(), want.len() + 1] {
        same!(contents(&bench, limit).await? == want, true, "by steps of {limit}");
        same!(contents(&copy(&bench, limit).await?, 100).await? == want, true, "by steps of {limit}");
    }
    for index in
        [Index::SigningKeys, Index::Peppers, Index::SandboxesEnding, Index::KeysOf(samples::developer_ref("ada")?)]
    {
        same!(bench.list(&index, 2).await?, model.list(&index, 2).await?, "in {index:?}");
    }
    same!(bench.store.changes(FeedPosition(0), 100).await?, model.store.changes(FeedPosition(0), 100).await?);
    Ok(())
}

pub(super) async fn a_copy_goes_on_where_the_first_left_off(bench: Bench) -> Result<(), Problem> {
    let model = Bench::new(Arc::new(MemoryStore::new()));
    filled(&model).await?;
    copied(&*model.store, &*bench.store, 5).await?;
    let ada = samples::developer_ref("ada")?;
    let chain = ChainId::Developer(ada.clone());
    // An id of the bench's own that the model has not used.
    let mut change = ChangeSet::new(crate::model::ChangeId::from_bytes([77; 16]), NOW);
    change.audit.push(samples::event(&chain, "next"));
    change.feed.push((samples::announcements()?.remove(0), samples::at(99)));
    change.expect(&model.stored(crate::model::RecordKey::Developer(ada.clone())).await?);
    change.merge.push(Merge::Usage(samples::usage(&ada, samples::key_id(1)?, 1, 1, 1)));
    same!(bench.commit(&change).await?, model.commit(&change).await?);
    same!(contents(&bench, 100).await?, contents(&model, 100).await?);
    // A prune finds what was loaded.
    same!(bench.store.prune(samples::at(1000), 100).await?.removed, 4 + 2);
    Ok(())
}

pub(super) async fn a_step_of_loading_can_be_repeated(bench: Bench) -> Result<(), Problem> {
    let model = Bench::new(Arc::new(MemoryStore::new()));
    filled(&model).await?;
    for _ in 0..2 {
        copied(&*model.store, &*bench.store, 6).await?;
    }
    same!(contents(&bench, 100).await?, contents(&model, 100).await?);
    // Rows in any order.
    let mut rows = model.everything(100).await?;
    rows.reverse();
    bench.store.load(rows).await?;
    same!(contents(&bench, 100).await?, contents(&model, 100).await?);
    Ok(())
}

pub(super) async fn a_loaded_row_replaces_one_that_is_there(bench: Bench) -> Result<(), Problem> {
    let ada = samples::developer_ref("ada")?;
    let sandbox = |ends| Ok::<_, Problem>(Record::Sandbox(samples::sandbox(&ada, samples::at(ends))?));
    bench.insert(vec![sandbox(5)?]).await?;
    let read = bench.stored(sandbox(5)?.key()).await?;
    let revision = crate::model::Revision(crate::model::ChangeId::from_bytes([9; 16]));
    let loaded = Stored { record: sandbox(9)?, revision };
    bench.store.load(vec![Row::Record(loaded.clone())]).await?;
    same!(bench.list(&Index::SandboxesEnding, 10).await?, vec![Row::Record(loaded)]);
    let mut stale = bench.change();
    stale.expect(&read);
    conflict!(bench.commit(&stale).await);
    let usage = samples::usage(&ada, samples::key_id(1)?, 1, 3, 3);
    for _ in 0..2 {
        bench.store.load(vec![Row::Usage(usage.clone())]).await?;
    }
    same!(bench.list(&Index::Usage(ada.clone()), 10).await?, vec![Row::Usage(usage)]);
    Ok(())
}
