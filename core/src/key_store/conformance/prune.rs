//! Pruning: only what has ended, in steps, and remembered.

use super::bench::{Bench, NOW};
use super::{Problem, same, samples};
use crate::model::{
    Announcement, ChangeSet, EnvironmentName, FeedPosition, Index, Pruned, Record, Row, StoreMeta, UnixTime,
};

const DAY: u64 = 86_400;

/// A change that announces something for each instant.
fn announcing(bench: &Bench, ends: &[u64]) -> Result<ChangeSet, Problem> {
    let mut change = bench.change();
    for end in ends {
        let announcement =
            Announcement::TokenRevoked { environment: EnvironmentName::LIVE, token: samples::token_id(*end)? };
        change.feed.push((announcement, samples::at(*end)));
    }
    Ok(change)
}

async fn positions(bench: &Bench) -> Result<Vec<u64>, Problem> {
    Ok(bench.feed().await?.into_iter().map(|entry| entry.position.0).collect())
}

pub(super) async fn only_what_has_ended_goes(bench: Bench) -> Result<(), Problem> {
    let ada = samples::developer_ref("ada")?;
    let records = samples::one_of_each()?;
    let kept: Vec<_> = records
        .iter()
        .map(Record::key)
        .filter(|key| !matches!(key, crate::model::RecordKey::SandboxRequest(..)))
        .collect();
    let mut change = bench.inserting(records);
    change.audit = samples::events(&crate::model::ChainId::Developer(ada))?;
    bench.commit(&change).await?;
    bench.commit(&announcing(&bench, &[50, 10, 49, 51, 11])?).await?;
    same!(bench.store.prune(samples::at(50), 100).await?, Pruned { removed: 3, more: false });
    // At `before` itself it has not ended yet.
    same!(positions(&bench).await?, vec![1, 4]);
    let feed = bench.store.changes(FeedPosition(0), 1).await?;
    same!((feed.head, feed.pruned_to, feed.pruned_at), (FeedPosition(5), FeedPosition(5), samples::at(50)));
    same!(bench.store.prune(samples::at(50), 100).await?, Pruned { removed: 0, more: false });
    bench.store.prune(UnixTime::MAX, 100).await?;
    same!(bench.store.get(&kept).await?.iter().filter(|stored| stored.is_none()).count(), 0);
    same!(
        bench.list(&Index::Audit(crate::model::ChainId::Developer(samples::developer_ref("ada")?)), 10).await?.len(),
        5
    );
    Ok(())
}

pub(super) async fn a_step_is_bounded_and_says_whether_there_is_more(bench: Bench) -> Result<(), Problem> {
    bench.commit(&announcing(&bench, &[1, 2, 3, 4, 5])?).await?;
    bench
        .insert(vec![
            Record::SandboxRequest(samples::sandbox_request(1, samples::at(1))?),
            Record::SandboxRequest(samples::sandbox_request(2, samples::at(2))?),
        ])
        .await?;
    // Five announcements, two changes' ids, two idempotency keys.
    let late = NOW.plus(DAY + 1);
    for (removed, more) in [(4, true), (4, true), (1, false), (0, false)] {
        same!(bench.store.prune(late, 4).await?, Pruned { removed, more });
    }
    same!(positions(&bench).await?, Vec::<u64>::new());
    same!(bench.list(&Index::SandboxRequestsEnding, 10).await?, Vec::new());
    // A step that takes exactly what is left says that it was the last.
    bench.commit(&announcing(&bench, &[1, 2])?).await?;
    same!(bench.store.prune(samples::at(9), 2).await?, Pruned { removed: 2, more: false });
    Ok(())
}

pub(super) async fn the_instant_never_goes_back(bench: Bench) -> Result<(), Problem> {
    for (before, want) in [(100, 100), (50, 100), (0, 100), (101, 101)] {
        bench.store.prune(samples::at(before), 1).await?;
        same!(bench.store.changes(FeedPosition(0), 1).await?.pruned_at, samples::at(want), "after {before}");
    }
    Ok(())
}

pub(super) async fn the_instant_goes_back_where_a_set_says_so(bench: Bench) -> Result<(), Problem> {
    bench.commit(&announcing(&bench, &[5, 500])?).await?;
    bench.store.prune(UnixTime::MAX, 100).await?;
    bench.commit(&announcing(&bench, &[600])?).await?;
    for (announced, pruned_at) in [(&[][..], 300), (&[700], 200)] {
        let mut change = announcing(&bench, announced)?;
        change.pruned_at = Some(samples::at(pruned_at));
        let committed = bench.commit(&change).await?;
        same!(committed.feed.is_some(), !announced.is_empty());
        let feed = bench.store.changes(FeedPosition(0), 10).await?;
        same!((feed.pruned_to, feed.pruned_at), (FeedPosition(2), samples::at(pruned_at)));
        same!(feed.head, FeedPosition(3 + announced.len() as u64));
        // Once is enough: what is committed again says nothing new.
        bench.store.prune(samples::at(pruned_at + 1), 1).await?;
        same!(bench.commit(&change).await?, committed);
        same!(bench.store.changes(FeedPosition(0), 1).await?.pruned_at, samples::at(pruned_at + 1));
    }
    Ok(())
}

pub(super) async fn positions_stay_after_a_prune(bench: Bench) -> Result<(), Problem> {
    bench.commit(&announcing(&bench, &[5, 5, 500])?).await?;
    bench.store.prune(samples::at(100), 100).await?;
    let feed = bench.store.changes(FeedPosition(0), 10).await?;
    same!((feed.head, feed.pruned_to), (FeedPosition(3), FeedPosition(2)));
    bench.store.prune(samples::at(1000), 100).await?;
    same!(bench.commit(&announcing(&bench, &[2000])?).await?.feed, Some(FeedPosition(4)));
    let feed = bench.store.changes(FeedPosition(0), 10).await?;
    same!((positions(&bench).await?, feed.head, feed.pruned_to), (vec![4], FeedPosition(4), FeedPosition(3)));
    let meta = StoreMeta { feed_head: feed.head, pruned_to: feed.pruned_to, pruned_at: samples::at(1000) };
    same!(bench.everything(10).await?.contains(&Row::Meta(meta)), true);
    Ok(())
}

pub(super) async fn ids_are_kept_for_a_day(bench: Bench) -> Result<(), Problem> {
    let ada = Record::Developer(samples::developer(&samples::developer_ref("ada")?));
    let change = bench.inserting(vec![ada.clone()]);
    let first = bench.commit(&change).await?;
    same!(bench.store.prune(NOW.plus(DAY), 100).await?, Pruned { removed: 0, more: false });
    same!(bench.commit(&change).await?, first);
    same!(bench.store.prune(NOW.plus(DAY + 1), 100).await?, Pruned { removed: 1, more: false });
    super::conflict!(bench.commit(&change).await);
    Ok(())
}

pub(super) async fn ended_idempotency_keys_leave_their_list(bench: Bench) -> Result<(), Problem> {
    let request =
        |number, ends| Ok::<_, Problem>(Record::SandboxRequest(samples::sandbox_request(number, samples::at(ends))?));
    let requests = vec![request(0, 10)?, request(1, 20)?, request(2, 30)?];
    bench.insert(requests.clone()).await?;
    same!(bench.store.prune(samples::at(20), 100).await?, Pruned { removed: 1, more: false });
    let left = bench.list(&Index::SandboxRequestsEnding, 10).await?;
    let left: Vec<_> = left
        .into_iter()
        .filter_map(|row| if let Row::Record(stored) = row { Some(stored.record) } else { None })
        .collect();
    same!(left, requests.iter().skip(1).cloned().collect::<Vec<_>>());
    same!(bench.get(request(0, 10)?.key()).await?, None);
    // What was forgotten can be asked for again.
    bench.insert(vec![request(0, 99)?]).await?;
    Ok(())
}
