//! The change feed: positions without gaps, and readers that miss nothing.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::bench::{Bench, NOW, together};
use super::beside::give_way;
use super::{Problem, conflict, same, samples};
use crate::model::{Announcement, ChangeSet, EnvironmentName, FeedEntry, FeedPosition, Record, RecordKey};

fn announcing(bench: &Bench, numbers: std::ops::Range<u64>) -> Result<ChangeSet, Problem> {
    let mut change = bench.change();
    for number in numbers {
        change.feed.push((revoked(number)?, samples::at(number)));
    }
    Ok(change)
}

fn revoked(number: u64) -> Result<Announcement, Problem> {
    Ok(Announcement::TokenRevoked { environment: EnvironmentName::LIVE, token: samples::token_id(number)? })
}

pub(super) async fn positions_have_no_gaps(bench: Bench) -> Result<(), Problem> {
    let announcements = samples::announcements()?;
    let mut change = bench.change();
    change.feed = announcements.iter().cloned().map(|announcement| (announcement, samples::at(77))).collect();
    let count = change.feed.len() as u64;
    same!(bench.commit(&change).await?.feed, Some(FeedPosition(count)));
    same!(bench.commit(&announcing(&bench, 0..1)?).await?.feed, Some(FeedPosition(count + 1)));
    let want: Vec<_> = (1..)
        .zip(announcements)
        .map(|(position, announcement)| FeedEntry {
            position: FeedPosition(position),
            at: NOW,
            ends_at: samples::at(77),
            announcement,
        })
        .collect();
    let entries = bench.feed().await?;
    same!(entries.iter().take(want.len()).cloned().collect::<Vec<_>>(), want);
    same!(entries.len() as u64, count + 1);
    Ok(())
}

pub(super) async fn changes_without_announcements_take_no_position(bench: Bench) -> Result<(), Problem> {
    bench.commit(&announcing(&bench, 0..1)?).await?;
    same!(bench.insert(vec![Record::Settings(samples::settings())]).await?.feed, None);
    same!(bench.commit(&announcing(&bench, 1..2)?).await?.feed, Some(FeedPosition(2)));
    Ok(())
}

pub(super) async fn a_lost_change_takes_no_position(bench: Bench) -> Result<(), Problem> {
    let mut lost = announcing(&bench, 0..3)?;
    lost.remove.push(RecordKey::Settings);
    conflict!(bench.commit(&lost).await);
    same!(bench.commit(&announcing(&bench, 3..4)?).await?.feed, Some(FeedPosition(1)));
    Ok(())
}

pub(super) async fn a_reader_beside_writers_misses_nothing(bench: Bench) -> Result<(), Problem> {
    let mut changes = Vec::new();
    for number in 0..30_u64 {
        // Some changes announce nothing, some several things.
        changes.push(announcing(&bench, number * 10..number * 10 + number % 4)?);
    }
    let total: usize = changes.iter().map(|change| change.feed.len()).sum();
    let writing = AtomicUsize::new(changes.len());
    let mut tasks: Vec<Task<'_>> = vec![Box::pin(read(&bench, &writing))];
    tasks.extend(changes.iter().map(|change| -> Task<'_> { Box::pin(write(&bench, change, &writing)) }));
    tasks.push(Box::pin(read(&bench, &writing)));
    for seen in together(tasks).await {
        let seen = seen?;
        if !seen.is_empty() {
            let positions: Vec<_> = seen.iter().map(|entry| entry.position.0).collect();
            same!(positions, (1..=total as u64).collect::<Vec<_>>());
            same!(seen, bench.feed().await?);
        }
    }
    same!(bench.feed().await?.len(), total);
    Ok(())
}

type Task<'a> = Pin<Box<dyn Future<Output = Result<Vec<FeedEntry>, Problem>> + 'a>>;

async fn write(bench: &Bench, change: &ChangeSet, writing: &AtomicUsize) -> Result<Vec<FeedEntry>, Problem> {
    let committed = bench.commit(change).await;
    writing.fetch_sub(1, Ordering::SeqCst);
    let last = committed?.feed;
    same!(last.is_some(), !change.feed.is_empty());
    // What was committed is there for whoever asks from now on.
    same!(bench.store.changes(FeedPosition(0), 1).await?.head >= last.unwrap_or_default(), true);
    Ok(Vec::new())
}

async fn read(bench: &Bench, writing: &AtomicUsize) -> Result<Vec<FeedEntry>, Problem> {
    let mut seen: Vec<FeedEntry> = Vec::new();
    loop {
        let written = writing.load(Ordering::SeqCst) == 0;
        let after = seen.last().map(|entry| entry.position).unwrap_or_default();
        let page = bench.store.changes(after, 7).await?;
        same!(page.entries.iter().all(|entry| entry.position <= page.head), true);
        if written && page.entries.is_empty() {
            return Ok(seen);
        }
        seen.extend(page.entries);
        give_way().await;
    }
}

pub(super) async fn a_limit_is_kept_and_the_head_is_told(bench: Bench) -> Result<(), Problem> {
    bench.commit(&announcing(&bench, 0..5)?).await?;
    let page = bench.store.changes(FeedPosition(1), 2).await?;
    let positions: Vec<_> = page.entries.iter().map(|entry| entry.position.0).collect();
    same!((positions, page.head), (vec![2, 3], FeedPosition(5)));
    let past = bench.store.changes(FeedPosition(99), 2).await?;
    same!((past.entries.len(), past.head), (0, FeedPosition(5)));
    Ok(())
}
