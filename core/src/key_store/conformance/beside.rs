//! Readers beside writers: feeds, lists, records and copies that are read while others change them.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use super::bench::{Bench, together};
use super::{Problem, same, samples};
use crate::model::{
    Announcement, ChangeSet, Developer, EnvironmentName, FeedEntry, FeedPosition, Index, Position, Record, Row, Stored,
};

type Task<'a> = Pin<Box<dyn Future<Output = Result<(), Problem>> + 'a>>;

const WRITERS: u64 = 12;
const CHANGES: u64 = 6;

/// Runs all of `tasks` at once; each counts itself out of `writing` where it writes.
async fn all(tasks: Vec<Task<'_>>) -> Result<(), Problem> {
    together(tasks).await.into_iter().collect()
}

/// What somebody writes, who is counted while that lasts.
async fn counted(writing: &AtomicUsize, work: impl Future<Output = Result<(), Problem>>) -> Result<(), Problem> {
    let done = work.await;
    writing.fetch_sub(1, Ordering::SeqCst);
    done
}

/// Lets the other tasks go on.
pub(super) async fn give_way() {
    let mut yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn announcing(bench: &Bench, number: u64, ends_at: u64) -> Result<ChangeSet, Problem> {
    let mut change = bench.change();
    let announcement =
        Announcement::TokenRevoked { environment: EnvironmentName::LIVE, token: samples::token_id(number)? };
    change.feed.push((announcement, samples::at(ends_at)));
    Ok(change)
}

/// Every writer follows the feed from a cursor of its own: after each commit of its own that must be in what is read.
async fn write_and_follow(bench: &Bench, writer: u64) -> Result<(), Problem> {
    let mut seen: Vec<FeedEntry> = Vec::new();
    for number in 0..CHANGES {
        let change = announcing(bench, writer * CHANGES + number, 77)?;
        let Some(own) = bench.commit(&change).await?.feed else {
            return Err(Problem::from(format_args!("an announcement has no position")));
        };
        follow(bench, &mut seen, 3).await?;
        same!(seen.last().is_some_and(|last| last.position >= own), true, "after a commit at {own:?}");
        let want = change.feed.first().map(|(announcement, _)| announcement);
        let found = seen.iter().find(|entry| entry.position == own).map(|entry| &entry.announcement);
        same!(found, want, "at {own:?}");
        give_way().await;
    }
    Ok(())
}

/// Reads on to the end of the feed.
async fn follow(bench: &Bench, seen: &mut Vec<FeedEntry>, limit: usize) -> Result<(), Problem> {
    loop {
        let after = seen.last().map(|entry| entry.position).unwrap_or_default();
        let page = bench.store.changes(after, limit).await?;
        let next: Vec<_> = page.entries.iter().map(|entry| entry.position.0).collect();
        let want: Vec<_> = (after.0 + 1..).take(next.len()).collect();
        same!(next, want, "after {after:?}: a position that is missing here would never be seen");
        let is_end = page.entries.len() < limit;
        seen.extend(page.entries);
        if is_end {
            return Ok(());
        }
    }
}

pub(super) async fn a_reader_at_any_cursor_misses_no_later_commit(bench: Bench) -> Result<(), Problem> {
    let tasks = (0..WRITERS).map(|writer| -> Task<'_> { Box::pin(write_and_follow(&bench, writer)) });
    all(tasks.collect()).await?;
    let mut seen = Vec::new();
    follow(&bench, &mut seen, 5).await?;
    same!(seen.len() as u64, WRITERS * CHANGES);
    Ok(())
}

pub(super) async fn a_list_is_read_whole_while_others_insert_and_remove(bench: Bench) -> Result<(), Problem> {
    let ada = samples::developer_ref("ada")?;
    let key =
        |number| Ok::<_, Problem>(Record::ApiKey(samples::key(&ada, samples::key_id(number)?, samples::at(number))));
    // Those that stay are the even ones; the odd ones between them come and go.
    let staying = (1..=20).map(|number| key(number * 2)).rev().collect::<Result<Vec<_>, _>>()?;
    bench.insert(staying.clone()).await?;
    let writing = AtomicUsize::new(10);
    let index = Index::KeysOf(ada.clone());
    let change = async |writer: u64| {
        for number in [writer * 4 + 1, writer * 4 + 3] {
            let record = key(number)?;
            bench.insert(vec![record.clone()]).await?;
            give_way().await;
            bench.remove(record.key()).await?;
        }
        Ok(())
    };
    let read = async |limit: usize| {
        loop {
            let is_last = writing.load(Ordering::SeqCst) == 0;
            let rows = slowly(&bench, &index, limit).await?;
            let is_sorted = rows.iter().zip(rows.iter().skip(1)).all(|(one, next)| place(one) < place(next));
            same!(is_sorted, true, "of {rows:?}");
            let stayed: Vec<_> = rows.into_iter().filter(|record| staying.contains(record)).collect();
            same!(stayed, staying, "by {limit}");
            if is_last {
                return Ok(());
            }
        }
    };
    let mut tasks: Vec<Task<'_>> = vec![Box::pin(read(1)), Box::pin(read(3))];
    tasks.extend((0..10).map(|writer| -> Task<'_> { Box::pin(counted(&writing, change(writer))) }));
    all(tasks).await
}

/// A list that is read in pages, while others act between one page and the next.
async fn slowly(bench: &Bench, index: &Index, limit: usize) -> Result<Vec<Record>, Problem> {
    let (mut records, mut after): (Vec<Record>, Option<Position>) = (Vec::new(), None);
    loop {
        let page = bench.store.page(index, after.as_ref(), limit).await?;
        records.extend(page.rows.into_iter().filter_map(record));
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(records),
        }
        give_way().await;
    }
}

fn record(row: Row) -> Option<Record> {
    if let Row::Record(Stored { record, .. }) = row { Some(record) } else { None }
}

fn place(record: &Record) -> Option<Position> {
    Index::of_record(record).map(|(_, position)| position)
}

pub(super) async fn records_are_read_together_as_of_one_instant(bench: Bench) -> Result<(), Problem> {
    let developer = |id: &str, epoch: u64| {
        let plain = samples::developer(&samples::developer_ref(id)?);
        Ok::<_, Problem>(Record::Developer(Developer { epoch, ..plain }))
    };
    bench.insert(vec![developer("ada", 0)?, developer("bob", 0)?]).await?;
    let keys = [developer("ada", 0)?.key(), developer("bob", 0)?.key()];
    let writing = AtomicUsize::new(1);
    let write = async || {
        for epoch in 1..=30 {
            let update = vec![developer("ada", epoch)?, developer("bob", epoch)?];
            bench.commit(&ChangeSet { update, ..bench.change() }).await?;
            give_way().await;
        }
        Ok(())
    };
    let read = async || {
        let mut last = 0;
        while writing.load(Ordering::SeqCst) > 0 {
            let found = bench.store.get(&keys).await?;
            let epochs: Vec<_> = found.iter().flatten().filter_map(|stored| epoch(&stored.record)).collect();
            same!(epochs.len(), 2);
            same!(epochs.first(), epochs.last(), "of one change");
            same!(epochs.iter().all(|epoch| *epoch >= last), true, "time does not go back");
            last = epochs.first().copied().unwrap_or_default();
            give_way().await;
        }
        Ok(())
    };
    all(vec![Box::pin(read()), Box::pin(counted(&writing, write())), Box::pin(read())]).await
}

fn epoch(record: &Record) -> Option<u64> {
    if let Record::Developer(developer) = record { Some(developer.epoch) } else { None }
}

pub(super) async fn a_reader_beside_a_prune_misses_nothing_that_still_holds(bench: Bench) -> Result<(), Problem> {
    let (ended, holding) = (10, 1_000);
    let writing = AtomicUsize::new(usize::try_from(WRITERS).unwrap_or_default());
    let write = async |writer: u64| {
        for number in 0..CHANGES {
            let ends_at = if (writer + number).is_multiple_of(2) { ended } else { holding };
            bench.commit(&announcing(&bench, writer * CHANGES + number, ends_at)?).await?;
            give_way().await;
        }
        Ok(())
    };
    let prune = async || {
        let mut removed = 0;
        loop {
            let is_last = writing.load(Ordering::SeqCst) == 0;
            let pruned = bench.store.prune(samples::at(500), 2).await?;
            removed += pruned.removed as u64;
            if is_last && !pruned.more {
                same!(removed, WRITERS * CHANGES / 2);
                return Ok(());
            }
            give_way().await;
        }
    };
    let read = async |limit: usize| {
        let mut seen: Vec<FeedEntry> = Vec::new();
        let mut cursor = FeedPosition(0);
        loop {
            let is_last = writing.load(Ordering::SeqCst) == 0;
            let page = bench.store.changes(cursor, limit).await?;
            let positions = || page.entries.iter().map(|entry| entry.position);
            same!(positions().all(|position| cursor < position && position <= page.head), true, "after {cursor:?}");
            // A gap is what was pruned, and the page says how far that went.
            let last = positions().next_back().unwrap_or(cursor);
            let has_gap = last.0 - cursor.0 > page.entries.len() as u64;
            same!(!has_gap || page.pruned_to > cursor, true, "a gap after {cursor:?}");
            cursor = last;
            let is_end = page.entries.len() < limit;
            seen.extend(page.entries);
            if is_last && is_end {
                break;
            }
            give_way().await;
        }
        let held: Vec<_> = seen.into_iter().filter(|entry| entry.ends_at == samples::at(holding)).collect();
        same!(held.len() as u64, WRITERS * CHANGES / 2);
        same!(held.iter().zip(held.iter().skip(1)).all(|(one, next)| one.position < next.position), true);
        Ok(())
    };
    let mut tasks: Vec<Task<'_>> = vec![Box::pin(read(1)), Box::pin(prune()), Box::pin(read(4))];
    tasks.extend((0..WRITERS).map(|writer| -> Task<'_> { Box::pin(counted(&writing, write(writer))) }));
    all(tasks).await?;
    let left = bench.feed().await?;
    same!(
        (left.len() as u64, left.iter().all(|entry| entry.ends_at == samples::at(holding))),
        (WRITERS * CHANGES / 2, true)
    );
    Ok(())
}
