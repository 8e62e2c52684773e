//! The longest ids, the longest texts and the largest changes.

use super::bench::Bench;
use super::{Problem, same, samples};
use crate::model::{
    Announcement, ChainId, DeveloperId, DeveloperRef, EntityId, EntityRef, EnvironmentName, FIRST_LINK, FeedPosition,
    Index, KeyDigest, Merge, PublicKey, Record, RecordKey, Row, SigningKeyId, UnixTime,
};

fn longest(sign: char) -> Result<DeveloperRef, Problem> {
    let environment = EnvironmentName::parse("0123456789abcdef").unwrap_or(EnvironmentName::LIVE);
    Ok(DeveloperRef { environment, id: DeveloperId::parse(&String::from(sign).repeat(128))? })
}

pub(super) async fn lists_of_the_longest_ids_are_paged_through(bench: Bench) -> Result<(), Problem> {
    let owner = longest('~')?;
    // The longest ids that there are, which differ in their last character alone.
    let ends = ['-', '.', '0', '9', 'A', 'Z', '_', 'a', 'z', '~'];
    let id = |end: char| format!("{}{end}", "a".repeat(127));
    let mut change = bench.change();
    for (number, end) in (0..).zip(ends) {
        let developer = DeveloperRef { id: DeveloperId::parse(&id(end))?, ..owner.clone() };
        let key = samples::key_id(number)?;
        let mut signing = samples::signing_key("a", PublicKey::Ed25519([1; 32]), samples::at(1))?;
        signing.id = SigningKeyId::parse(&format!("{}{number}", "-".repeat(63)))?;
        change.insert.extend([
            Record::Developer(samples::developer(&developer)),
            Record::Entity(samples::entity(&owner, &id(end), samples::at(1))?),
            Record::ApiKey(samples::key(&owner, key, samples::at(1))),
            Record::Sandbox(samples::sandbox(&developer, samples::at(1))?),
            Record::SigningKey(signing),
        ]);
        change.merge.push(Merge::Usage(samples::usage(&owner, key, 1, 1, 1)));
        change.audit.push(samples::event(&ChainId::Developer(owner.clone()), &id(end)));
    }
    bench.commit(&change).await?;
    for index in [
        Index::Developers(owner.environment),
        Index::EntitiesOf(owner.clone()),
        Index::KeysOf(owner.clone()),
        Index::SandboxesEnding,
        Index::SigningKeys,
        Index::Usage(owner.clone()),
        Index::Audit(ChainId::Developer(owner.clone())),
    ] {
        let whole = bench.list(&index, 100).await?;
        same!(whole.len(), ends.len(), "in {index:?}");
        for limit in [1, 3] {
            same!(bench.list(&index, limit).await? == whole, true, "in {index:?} by {limit}");
        }
    }
    let ids = bench.list(&Index::EntitiesOf(owner), 4).await?;
    let ids: Vec<_> = ids
        .into_iter()
        .filter_map(|row| if let Row::Record(stored) = row { Some(stored.record) } else { None })
        .filter_map(|record| if let Record::Entity(entity) = record { Some(entity.reference.id) } else { None })
        .filter_map(|id| id.as_str().chars().next_back())
        .collect();
    same!(ids, ends.to_vec(), "as bytes, not as a language sorts them");
    Ok(())
}

pub(super) async fn announcements_and_events_at_their_limits_are_kept(bench: Bench) -> Result<(), Problem> {
    let developer = longest('.')?;
    let entity = EntityRef { developer: developer.clone(), id: EntityId::parse(&"_".repeat(128))? };
    let said = vec![
        Announcement::EntityRemoved { entity },
        Announcement::EpochRaised { developer: developer.clone(), epoch: u64::MAX },
        Announcement::GenerationEnded {
            environment: developer.environment,
            key: samples::key_id(1)?,
            generation: u64::MAX,
        },
        Announcement::SigningKeyChanged {
            environment: developer.environment,
            key: SigningKeyId::parse(&"_".repeat(64))?,
        },
    ];
    let chain = ChainId::Developer(developer);
    let mut change = bench.change();
    change.feed = said.iter().cloned().map(|said| (said, UnixTime::MAX)).collect();
    for details in [
        vec![("metadata".to_owned(), "😀".repeat(16 * 1024))],
        (0..200).map(|number| (format!("{number}"), "é\u{301}'\"\\%_".to_owned())).collect(),
        vec![(String::new(), String::new()); 3],
    ] {
        let mut event = samples::event(&chain, &"名".repeat(200));
        event.details = details;
        change.audit.push(event);
    }
    let drafts = change.audit.clone();
    bench.commit(&change).await?;
    let feed = bench.store.changes(FeedPosition(0), 10).await?;
    same!(feed.entries.into_iter().map(|entry| entry.announcement).collect::<Vec<_>>(), said);
    let rows = bench.list(&Index::Audit(chain), 1).await?;
    let mut previous = FIRST_LINK;
    for ((number, draft), row) in (1..).zip(drafts).zip(rows.into_iter().rev()) {
        let want = draft.link(number, &previous);
        previous = want.link;
        same!(row == Row::Audit(want), true, "for event {number}");
    }
    Ok(())
}

pub(super) async fn a_change_of_a_thousand_records_is_done_whole(bench: Bench) -> Result<(), Problem> {
    let ada = samples::developer_ref("ada")?;
    let chain = ChainId::Developer(ada.clone());
    let mut change = bench.change();
    for number in 0..1_000 {
        let id = samples::key_id(number)?;
        let mut key = samples::key(&ada, id, samples::at(number));
        key.current.digest =
            KeyDigest { value: [u8::try_from(number % 256).unwrap_or_default(); 32], ..key.current.digest };
        change.insert.push(Record::ApiKey(key));
        change.merge.push(Merge::Usage(samples::usage(&ada, id, 1, number, 0)));
        change.audit.push(samples::event(&chain, &number.to_string()));
        let environment = EnvironmentName::LIVE;
        change.feed.push((Announcement::KeyRevoked { environment, key: id }, samples::at(number)));
    }
    let mut lost = change.clone();
    lost.remove.push(RecordKey::Settings);
    super::conflict!(bench.commit(&lost).await);
    same!(bench.feed().await?.len(), 0);
    let committed = bench.commit(&change).await?;
    same!((committed.feed, committed.audit.len()), (Some(FeedPosition(1_000)), 1_000));
    for index in [Index::KeysOf(ada.clone()), Index::Usage(ada.clone()), Index::Audit(chain)] {
        same!(bench.list(&index, 300).await?.len(), 1_000, "in {index:?}");
    }
    let keys: Vec<_> = change.insert.iter().map(Record::key).collect();
    let found: Vec<_> = bench.store.get(&keys).await?.into_iter().map(|stored| stored.map(|it| it.record)).collect();
    same!(found == change.insert.into_iter().map(Some).collect::<Vec<_>>(), true);
    Ok(())
}
