//! Merges: counts that add up and last uses that only rise.

use super::bench::{Bench, together};
use super::{Problem, same, samples};
use crate::model::{DeveloperRef, Index, KeyId, Merge, Record, RecordKey, Revision, Row, UsageRow};

fn ada() -> Result<(DeveloperRef, KeyId), Problem> {
    Ok((samples::developer_ref("ada")?, samples::key_id(1)?))
}

async fn usage(bench: &Bench, developer: &DeveloperRef) -> Result<Vec<UsageRow>, Problem> {
    let rows = bench.list(&Index::Usage(developer.clone()), 10).await?;
    Ok(rows.into_iter().filter_map(|row| if let Row::Usage(row) = row { Some(row) } else { None }).collect())
}

pub(super) async fn counts_add_up(bench: Bench) -> Result<(), Problem> {
    let (ada, key) = ada()?;
    let changes: Vec<_> =
        (1..=20).map(|n| bench.merging(vec![Merge::Usage(samples::usage(&ada, key, 3, n, 1))])).collect();
    for answer in together(changes.iter().map(|change| bench.commit(change))).await {
        answer?;
    }
    same!(usage(&bench, &ada).await?, vec![samples::usage(&ada, key, 3, 210, 20)]);
    Ok(())
}

pub(super) async fn last_use_only_rises(bench: Bench) -> Result<(), Problem> {
    let (ada, key) = ada()?;
    let record = RecordKey::KeyActivity(ada.clone(), key);
    for (merged, want) in [(5, 5), (9, 9), (7, 9), (0, 9), (10, 10)] {
        let merge = Merge::LastUsed(samples::activity(&ada, key, samples::at(merged)));
        bench.commit(&bench.merging(vec![merge])).await?;
        let found = bench.stored(record.clone()).await?.record;
        same!(found, Record::KeyActivity(samples::activity(&ada, key, samples::at(want))), "after {merged}");
    }
    Ok(())
}

pub(super) async fn a_merge_keeps_the_revision(bench: Bench) -> Result<(), Problem> {
    let (ada, key) = ada()?;
    let api_key = Record::ApiKey(samples::key(&ada, key, samples::at(1)));
    let made = bench.insert(vec![api_key.clone()]).await?;
    let merge = |at| {
        vec![
            Merge::LastUsed(samples::activity(&ada, key, samples::at(at))),
            Merge::Usage(samples::usage(&ada, key, 1, 1, 1)),
        ]
    };
    let first = bench.commit(&bench.merging(merge(5))).await?;
    let activity = RecordKey::KeyActivity(ada.clone(), key);
    same!(bench.stored(activity.clone()).await?.revision, Revision(first.id));
    bench.commit(&bench.merging(merge(6))).await?;
    same!(bench.stored(activity.clone()).await?.revision, Revision(first.id));
    // The key itself can still be changed by who read it before.
    let read = bench.stored(api_key.key()).await?;
    same!(read.revision, Revision(made.id));
    let mut change = bench.change();
    change.expect(&read);
    change.remove = vec![api_key.key(), activity.clone()];
    bench.commit(&change).await?;
    same!(bench.get(activity).await?, None);
    Ok(())
}

pub(super) async fn a_merge_never_conflicts(bench: Bench) -> Result<(), Problem> {
    // Neither the key nor its developer exists, and both merge the same rows at once.
    let (ada, key) = ada()?;
    let changes: Vec<_> = (1..=10)
        .map(|at| bench.merging(vec![Merge::LastUsed(samples::activity(&ada, key, samples::at(at)))]))
        .collect();
    for answer in together(changes.iter().map(|change| bench.commit(change))).await {
        answer?;
    }
    let found = bench.stored(RecordKey::KeyActivity(ada.clone(), key)).await?.record;
    same!(found, Record::KeyActivity(samples::activity(&ada, key, samples::at(10))));
    Ok(())
}

pub(super) async fn several_merges_of_one_change_all_count(bench: Bench) -> Result<(), Problem> {
    let (ada, key) = ada()?;
    let other = samples::key_id(2)?;
    let change = bench.merging(vec![
        Merge::Usage(samples::usage(&ada, key, 1, 1, 0)),
        Merge::LastUsed(samples::activity(&ada, key, samples::at(9))),
        Merge::Usage(samples::usage(&ada, other, 1, 7, 7)),
        Merge::Usage(samples::usage(&ada, key, 2, 1, 1)),
        Merge::Usage(samples::usage(&ada, key, 1, 2, 5)),
        Merge::LastUsed(samples::activity(&ada, key, samples::at(8))),
    ]);
    bench.commit(&change).await?;
    let want = vec![
        samples::usage(&ada, key, 1, 3, 5),
        samples::usage(&ada, other, 1, 7, 7),
        samples::usage(&ada, key, 2, 1, 1),
    ];
    same!(usage(&bench, &ada).await?, want);
    let found = bench.stored(RecordKey::KeyActivity(ada.clone(), key)).await?.record;
    same!(found, Record::KeyActivity(samples::activity(&ada, key, samples::at(9))));
    Ok(())
}

pub(super) async fn counts_stop_at_the_largest_number(bench: Bench) -> Result<(), Problem> {
    let (ada, key) = ada()?;
    for _ in 0..2 {
        let merge = Merge::Usage(samples::usage(&ada, key, 1, u64::MAX, u64::MAX - 1));
        bench.commit(&bench.merging(vec![merge])).await?;
    }
    same!(usage(&bench, &ada).await?, vec![samples::usage(&ada, key, 1, u64::MAX, u64::MAX)]);
    Ok(())
}

pub(super) async fn counts_of_many_keys_and_days_add_up_from_many_at_once(bench: Bench) -> Result<(), Problem> {
    const WRITERS: usize = 8;
    let ada = samples::developer_ref("ada")?;
    let mut rows = Vec::new();
    for day in [0, 255, 256, 20_781] {
        for number in 0..25 {
            // One of them is near the largest number from its first merge on.
            let requests = if number == 7 { u64::MAX / 4 } else { number };
            rows.push(samples::usage(&ada, samples::key_id(number)?, day, requests, 1));
        }
    }
    // Each writer has an order of its own, so that no two lock the same rows in the same order.
    let changes: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let mut merges: Vec<_> = rows.iter().cloned().map(Merge::Usage).collect();
            merges.rotate_left(writer * 13);
            if !writer.is_multiple_of(2) {
                merges.reverse();
            }
            bench.merging(merges)
        })
        .collect();
    // The first is sent twice, and counts once.
    let again = changes.first();
    for answer in together(changes.iter().chain(again).map(|change| bench.commit(change))).await {
        answer?;
    }
    let mut want = rows;
    for row in &mut want {
        let once = row.counts;
        (1..WRITERS).for_each(|_| row.counts = row.counts.plus(once));
    }
    want.sort_by(|a, b| (a.day, a.key.as_str()).cmp(&(b.day, b.key.as_str())));
    let want: Vec<_> = want.into_iter().map(Row::Usage).collect();
    let index = Index::Usage(ada);
    for limit in [1, 7, 25, 26, 100, 1_000] {
        same!(bench.list(&index, limit).await?, want, "in pages of {limit}");
    }
    Ok(())
}
