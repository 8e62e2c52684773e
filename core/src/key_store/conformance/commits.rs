//! Inserts, updates, removals, conflicts and repeated changes.

use super::bench::{Bench, NOW, together};
use super::{Problem, conflict, same, samples};
use crate::key_store::StoreError;
use crate::model::{
    ChainId, ChangeSet, DeveloperRef, EnvironmentName, Expectation, FeedPosition, Index, Merge, Record, RecordKey,
    Revision, Row, StoreMeta, Stored,
};

fn developer(id: &str) -> Result<(DeveloperRef, Record, RecordKey), Problem> {
    let reference = samples::developer_ref(id)?;
    let record = Record::Developer(samples::developer(&reference));
    let key = record.key();
    Ok((reference, record, key))
}

fn renamed(stored: &Stored, name: &str) -> Record {
    match stored.record.clone() {
        Record::Developer(mut developer) => {
            developer.name = name.to_owned();
            Record::Developer(developer)
        }
        other => other,
    }
}

pub(super) async fn a_new_store_is_empty(bench: Bench) -> Result<(), Problem> {
    let (reference, _, key) = developer("ada")?;
    same!(bench.store.get(&[]).await?, Vec::new());
    same!(bench.store.get(&[key, RecordKey::Settings]).await?, vec![None, None]);
    for index in [Index::SigningKeys, Index::KeysOf(reference.clone()), Index::Audit(ChainId::Developer(reference))] {
        same!(bench.list(&index, 3).await?, Vec::new());
    }
    let feed = bench.store.changes(FeedPosition(0), 10).await?;
    same!(feed.entries, Vec::new());
    same!((feed.head, feed.pruned_to), (FeedPosition(0), FeedPosition(0)));
    let rows = bench.everything(10).await?;
    same!(rows.iter().filter(|row| **row != Row::Meta(StoreMeta::default())).count(), 0);
    Ok(())
}

pub(super) async fn every_kind_is_read_back_as_it_was_written(bench: Bench) -> Result<(), Problem> {
    let records = samples::one_of_each()?;
    let keys: Vec<_> = records.iter().map(Record::key).collect();
    let committed = bench.insert(records.clone()).await?;
    let revision = Revision(committed.id);
    let want: Vec<_> = records.into_iter().map(|record| Some(Stored { record, revision })).collect();
    same!(bench.store.get(&keys).await?, want);
    // Asked for twice, and beside one that is missing, in the order of the question.
    let (Some(first), missing) = (keys.first().cloned(), developer("nobody")?.2) else { return Ok(()) };
    let found = bench.store.get(&[first.clone(), missing, first]).await?;
    same!(found.iter().map(Option::is_some).collect::<Vec<_>>(), vec![true, false, true]);
    Ok(())
}

pub(super) async fn a_revision_is_the_change_that_wrote(bench: Bench) -> Result<(), Problem> {
    let (_, record, key) = developer("ada")?;
    let made = bench.insert(vec![record]).await?;
    let first = bench.stored(key.clone()).await?;
    same!(first.revision, Revision(made.id));
    let mut change = bench.change();
    change.expect(&first);
    change.update.push(renamed(&first, "Countess"));
    let changed = bench.commit(&change).await?;
    let second = bench.stored(key.clone()).await?;
    same!(second, Stored { record: renamed(&first, "Countess"), revision: Revision(changed.id) });
    bench.remove(key.clone()).await?;
    same!(bench.get(key).await?, None);
    Ok(())
}

pub(super) async fn a_stale_revision_conflicts(bench: Bench) -> Result<(), Problem> {
    let (_, record, key) = developer("ada")?;
    bench.insert(vec![record]).await?;
    let read = bench.stored(key.clone()).await?;
    for (name, wins) in [("first", true), ("second", false)] {
        let mut change = bench.change();
        change.expect(&read);
        change.update.push(renamed(&read, name));
        if wins {
            bench.commit(&change).await?;
        } else {
            conflict!(bench.commit(&change).await);
        }
    }
    same!(bench.stored(key).await?.record, renamed(&read, "first"));
    Ok(())
}

pub(super) async fn an_insert_of_what_exists_conflicts(bench: Bench) -> Result<(), Problem> {
    let (_, record, key) = developer("ada")?;
    bench.insert(vec![record.clone()]).await?;
    let read = bench.stored(key.clone()).await?;
    conflict!(bench.insert(vec![renamed(&read, "another")]).await);
    same!(bench.stored(key).await?, read);
    Ok(())
}

pub(super) async fn an_update_of_what_is_missing_conflicts(bench: Bench) -> Result<(), Problem> {
    let (_, record, key) = developer("ada")?;
    conflict!(bench.commit(&ChangeSet { update: vec![record], ..bench.change() }).await);
    same!(bench.get(key).await?, None);
    Ok(())
}

pub(super) async fn a_removal_of_what_is_missing_conflicts(bench: Bench) -> Result<(), Problem> {
    let (_, record, key) = developer("ada")?;
    conflict!(bench.remove(key.clone()).await);
    bench.insert(vec![record]).await?;
    bench.remove(key.clone()).await?;
    conflict!(bench.remove(key).await);
    Ok(())
}

pub(super) async fn a_record_that_should_not_exist_conflicts(bench: Bench) -> Result<(), Problem> {
    let ((_, ada, ada_key), (_, bob, bob_key)) = (developer("ada")?, developer("bob")?);
    let mut change = bench.inserting(vec![bob]);
    change.expect_none(ada_key.clone());
    let mut again = ChangeSet { id: bench.change().id, ..change.clone() };
    bench.commit(&change).await?;
    bench.remove(bob_key.clone()).await?;
    bench.insert(vec![ada]).await?;
    conflict!(bench.commit(&again).await);
    same!(bench.get(bob_key).await?, None);
    // A revision where there is no record conflicts as well.
    again.expect = vec![Expectation { key: RecordKey::Settings, revision: Some(Revision(again.id)) }];
    conflict!(bench.commit(&again).await);
    Ok(())
}

pub(super) async fn what_is_expected_alone_is_checked_too(bench: Bench) -> Result<(), Problem> {
    let ((_, ada, ada_key), (_, bob, bob_key)) = (developer("ada")?, developer("bob")?);
    bench.insert(vec![ada]).await?;
    let read = bench.stored(ada_key).await?;
    let mut change = bench.inserting(vec![bob]);
    change.expect(&read);
    let mut update = bench.change();
    update.update.push(renamed(&read, "changed"));
    bench.commit(&update).await?;
    conflict!(bench.commit(&change).await);
    same!(bench.get(bob_key).await?, None);
    Ok(())
}

pub(super) async fn a_lost_change_leaves_nothing_behind(bench: Bench) -> Result<(), Problem> {
    let (ada_ref, ada, ada_key) = developer("ada")?;
    let (bob_ref, bob, bob_key) = developer("bob")?;
    bench.insert(vec![ada]).await?;
    let before = bench.everything(100).await?;
    let key = samples::key(&bob_ref, samples::key_id(1)?, samples::at(1));
    let mut lost = bench.inserting(vec![bob, Record::ApiKey(key.clone())]);
    lost.update.push(renamed(&bench.stored(ada_key.clone()).await?, "changed"));
    lost.remove.push(RecordKey::Settings);
    lost.merge.push(Merge::Usage(samples::usage(&ada_ref, key.id, 1, 1, 1)));
    lost.merge.push(Merge::LastUsed(samples::activity(&ada_ref, key.id, samples::at(9))));
    lost.feed = samples::announcements()?.into_iter().map(|announcement| (announcement, samples::at(9))).collect();
    lost.audit = samples::events(&ChainId::Developer(ada_ref))?;
    conflict!(bench.commit(&lost).await);
    same!(bench.everything(100).await?, before);
    same!(bench.list(&Index::KeysOf(bob_ref), 10).await?, Vec::new());
    // The id of a change that lost is free: the same change is done once it can be.
    lost.remove.clear();
    bench.commit(&lost).await?;
    same!(bench.get(bob_key).await?.is_some(), true);
    Ok(())
}

pub(super) async fn one_of_many_racers_wins(bench: Bench) -> Result<(), Problem> {
    let (ada_ref, ada, ada_key) = developer("ada")?;
    bench.insert(vec![ada]).await?;
    let read = bench.stored(ada_key.clone()).await?;
    let mut changes = Vec::new();
    for number in 0..20 {
        let mut change = bench.change();
        change.expect(&read);
        change.update.push(renamed(&read, &number.to_string()));
        change.insert.push(Record::ApiKey(samples::key(&ada_ref, samples::key_id(number)?, samples::at(number))));
        changes.push(change);
    }
    let answers = together(changes.iter().map(|change| bench.commit(change))).await;
    let mut won = Vec::new();
    for (change, answer) in changes.iter().zip(answers) {
        match answer {
            Ok(committed) => {
                same!(committed.id, change.id);
                won.push(change);
            }
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    same!(won.len(), 1);
    for winner in won {
        same!(bench.stored(ada_key.clone()).await?.revision, Revision(winner.id));
        let keys = bench.list(&Index::KeysOf(ada_ref.clone()), 100).await?;
        let records: Vec<_> =
            keys.into_iter().map(|row| if let Row::Record(s) = row { Some(s.record) } else { None }).collect();
        same!(records, winner.insert.iter().cloned().map(Some).collect::<Vec<_>>());
    }
    Ok(())
}

pub(super) async fn a_removed_record_can_be_made_again_with_another_revision(bench: Bench) -> Result<(), Problem> {
    let (_, record, key) = developer("ada")?;
    bench.insert(vec![record.clone()]).await?;
    let read = bench.stored(key.clone()).await?;
    bench.remove(key.clone()).await?;
    bench.insert(vec![record]).await?;
    let mut stale = bench.change();
    stale.expect(&read);
    stale.remove.push(key);
    conflict!(bench.commit(&stale).await);
    Ok(())
}

pub(super) async fn another_owner_finds_nothing(bench: Bench) -> Result<(), Problem> {
    let ((ada, _, _), (bob, _, _)) = (developer("ada")?, developer("bob")?);
    let elsewhere = DeveloperRef { environment: EnvironmentName::SANDBOX, id: ada.id.clone() };
    let key = samples::key(&ada, samples::key_id(1)?, samples::at(1));
    let entity = samples::entity(&ada, "e", samples::at(1))?;
    bench.insert(vec![Record::ApiKey(key.clone()), Record::Entity(entity.clone())]).await?;
    for other in [bob, elsewhere] {
        let mut reference = entity.reference.clone();
        reference.developer = other.clone();
        let keys = [
            RecordKey::ApiKey(other.clone(), key.id),
            RecordKey::KeyActivity(other.clone(), key.id),
            RecordKey::Entity(reference),
        ];
        same!(bench.store.get(&keys).await?, vec![None, None, None], "for {other}");
        same!(bench.list(&Index::KeysOf(other.clone()), 10).await?, Vec::new());
        same!(bench.list(&Index::EntitiesOf(other.clone()), 10).await?, Vec::new());
        for missing in keys {
            conflict!(bench.remove(missing).await);
        }
        // The same ids under another owner are other records.
        let twin = samples::key(&other, key.id, samples::at(2));
        bench.insert(vec![Record::ApiKey(twin)]).await?;
    }
    same!(bench.stored(RecordKey::ApiKey(ada, key.id)).await?.record, Record::ApiKey(key));
    Ok(())
}

pub(super) async fn a_repeated_change_is_answered_and_not_done(bench: Bench) -> Result<(), Problem> {
    let (ada_ref, ada, _) = developer("ada")?;
    let mut change = bench.inserting(vec![ada]);
    change.feed = samples::announcements()?.into_iter().map(|announcement| (announcement, samples::at(9))).collect();
    change.audit = samples::events(&ChainId::Developer(ada_ref.clone()))?;
    change.merge.push(Merge::Usage(samples::usage(&ada_ref, samples::key_id(1)?, 1, 5, 5)));
    let first = bench.commit(&change).await?;
    same!((first.id, first.feed, first.audit.len()), (change.id, Some(FeedPosition(6)), change.audit.len()));
    let after = bench.everything(100).await?;
    same!(bench.commit(&change).await?, first);
    same!(bench.everything(100).await?, after);
    // The id alone decides, whatever else is in the set.
    let other = ChangeSet { insert: vec![developer("bob")?.1], ..ChangeSet::new(change.id, NOW) };
    same!(bench.commit(&other).await?, first);
    same!(bench.everything(100).await?, after);
    Ok(())
}

pub(super) async fn a_repeated_change_is_answered_when_its_expectations_are_gone(bench: Bench) -> Result<(), Problem> {
    let (_, ada, key) = developer("ada")?;
    bench.insert(vec![ada]).await?;
    let read = bench.stored(key.clone()).await?;
    let mut change = bench.change();
    change.expect(&read);
    change.remove.push(key);
    let first = bench.commit(&change).await?;
    same!(bench.commit(&change).await?, first);
    Ok(())
}

pub(super) async fn the_same_change_at_once_is_done_once(bench: Bench) -> Result<(), Problem> {
    let (ada_ref, ada, _) = developer("ada")?;
    let key = samples::key_id(1)?;
    let mut change = bench.inserting(vec![ada]);
    change.merge.push(Merge::Usage(samples::usage(&ada_ref, key, 1, 1, 0)));
    change.audit.push(samples::event(&ChainId::Developer(ada_ref.clone()), "once"));
    let mut first = None;
    for answer in together((0..8).map(|_| bench.commit(&change))).await {
        let answer = answer?;
        same!(&answer, first.get_or_insert_with(|| answer.clone()));
    }
    let counts = bench.list(&Index::Usage(ada_ref.clone()), 10).await?;
    same!(counts, vec![Row::Usage(samples::usage(&ada_ref, key, 1, 1, 0))]);
    same!(bench.list(&Index::Audit(ChainId::Developer(ada_ref)), 10).await?.len(), 1);
    Ok(())
}

pub(super) async fn an_empty_change_is_remembered(bench: Bench) -> Result<(), Problem> {
    let change = bench.change();
    let first = bench.commit(&change).await?;
    same!((first.id, first.feed, first.audit.clone()), (change.id, None, Vec::new()));
    let other = ChangeSet { insert: vec![developer("bob")?.1], ..ChangeSet::new(change.id, NOW) };
    same!(bench.commit(&other).await?, first);
    same!(bench.get(developer("bob")?.2).await?, None);
    Ok(())
}

pub(super) async fn texts_and_sizes_at_their_limits_are_kept(bench: Bench) -> Result<(), Problem> {
    let longest = samples::developer_ref(&"-".repeat(128))?;
    let mut records = vec![
        Record::ApiKey(samples::largest_key(&longest, samples::key_id(1)?)?),
        Record::Sandbox(samples::largest_sandbox(&longest)?),
    ];
    for (number, name) in
        ["\u{1f468}\u{200d}\u{1f469}", "ﷺ", "a\u{0301}", "á", "'; drop table", "%_\\"].iter().enumerate()
    {
        let mut entity = samples::entity(&longest, &format!("e{number}"), samples::at(1))?;
        entity.legal_name = (*name).to_owned();
        records.push(Record::Entity(entity));
    }
    let keys: Vec<_> = records.iter().map(Record::key).collect();
    bench.insert(records.clone()).await?;
    let found: Vec<_> = bench.store.get(&keys).await?.into_iter().map(|stored| stored.map(|s| s.record)).collect();
    same!(found == records.into_iter().map(Some).collect::<Vec<_>>(), true);
    // Ids that differ in case alone are two.
    let (lower, upper) = (developer("case")?, developer("CASE")?);
    bench.insert(vec![lower.1, upper.1]).await?;
    Ok(())
}
