//! Lists: their order, and what happens to pages while they change.

use super::bench::Bench;
use super::{Problem, same, samples};
use crate::model::{
    ChainId, DeveloperRef, EnvironmentName, Index, Merge, PepperPurpose, Position, PublicKey, Record, RecordKey, Row,
    SigningKey, UnixTime,
};

/// Some records of each list, in the list's order; instants tie, so that ids decide.
fn lists() -> Result<Vec<(Index, Vec<Record>)>, Problem> {
    let ada = samples::developer_ref("ada")?;
    let at = samples::at;
    let key =
        |number, second| Ok::<_, Problem>(Record::ApiKey(samples::key(&ada, samples::key_id(number)?, at(second))));
    let entity = |id: &str, second| Ok::<_, Problem>(Record::Entity(samples::entity(&ada, id, at(second))?));
    let developer = |id: &str| Ok::<_, Problem>(Record::Developer(samples::developer(&samples::developer_ref(id)?)));
    let signing = |id: &str, byte, second| {
        Ok::<_, Problem>(Record::SigningKey(samples::signing_key(id, PublicKey::Ed25519([byte; 32]), at(second))?))
    };
    let pepper = |id, purpose, second| Record::Pepper(samples::pepper(id, purpose, at(second)));
    let sandbox = |id: &str, second| {
        Ok::<_, Problem>(Record::Sandbox(samples::sandbox(
            &samples::developer_ref(id)?,
            UnixTime::from_seconds(second),
        )?))
    };
    let request =
        |number, second| Ok::<_, Problem>(Record::SandboxRequest(samples::sandbox_request(number, at(second))?));
    Ok(vec![
        (
            Index::Developers(EnvironmentName::LIVE),
            vec![developer("-")?, developer("0")?, developer("A")?, developer("a")?, developer("aa")?, developer("~")?],
        ),
        (
            Index::KeysOf(ada.clone()),
            vec![key(5, u64::MAX)?, key(1, 300)?, key(2, 256)?, key(3, 256)?, key(4, 255)?, key(0, 0)?],
        ),
        (Index::EntitiesOf(ada.clone()), vec![entity("c", 9)?, entity("a", 8)?, entity("b", 8)?, entity("bb", 8)?]),
        (
            Index::SigningKeys,
            vec![
                signing("z", 1, 0)?,
                signing("a", 2, 256)?,
                // One key, imported for two environments.
                Record::SigningKey(SigningKey {
                    environment: EnvironmentName::SANDBOX,
                    ..samples::signing_key("a", PublicKey::Ed25519([2; 32]), at(256))?
                }),
                signing("b", 3, 256)?,
                signing("0", 4, 300)?,
            ],
        ),
        (
            Index::Peppers,
            vec![
                pepper(9, PepperPurpose::KeyDigest, 1),
                pepper(0, PepperPurpose::AuditLink, 2),
                pepper(1, PepperPurpose::KeyDigest, 2),
                pepper(255, PepperPurpose::KeyDigest, 2),
            ],
        ),
        (Index::SandboxesEnding, vec![sandbox("z", 1)?, sandbox("a", 2)?, sandbox("b", 2)?, sandbox("0", u64::MAX)?]),
        (Index::SandboxRequestsEnding, vec![request(9, 1)?, request(0, 2)?, request(1, 2)?, request(255, 3)?]),
    ])
}

fn records(rows: Vec<Row>) -> Vec<Record> {
    rows.into_iter().filter_map(|row| if let Row::Record(stored) = row { Some(stored.record) } else { None }).collect()
}

async fn filled(bench: &Bench) -> Result<Vec<(Index, Vec<Record>)>, Problem> {
    let lists = lists()?;
    for (_, list) in &lists {
        // Neither the order of the list nor its reverse.
        let (even, odd): (Vec<_>, Vec<_>) = list.iter().cloned().enumerate().partition(|(place, _)| place % 2 == 0);
        bench.insert(odd.into_iter().map(|(_, record)| record).collect()).await?;
        bench.insert(even.into_iter().map(|(_, record)| record).collect()).await?;
    }
    Ok(lists)
}

pub(super) async fn every_list_keeps_its_order(bench: Bench) -> Result<(), Problem> {
    for (index, list) in filled(&bench).await? {
        same!(records(bench.list(&index, 100).await?), list, "in {index:?}");
    }
    Ok(())
}

pub(super) async fn every_page_size_gives_the_same_list(bench: Bench) -> Result<(), Problem> {
    for (index, list) in filled(&bench).await? {
        for limit in 1..=list.len() + 1 {
            same!(records(bench.list(&index, limit).await?), list, "in {index:?} by {limit}");
        }
    }
    Ok(())
}

pub(super) async fn the_last_page_says_so(bench: Bench) -> Result<(), Problem> {
    for (index, list) in filled(&bench).await? {
        let whole = bench.store.page(&index, None, list.len()).await?;
        same!((whole.rows.len(), whole.next), (list.len(), None), "in {index:?}");
        let short = bench.store.page(&index, None, list.len() - 1).await?;
        let Some(next) = short.next else { return Err(Problem::from(format_args!("{index:?} ends too early"))) };
        let rest = bench.store.page(&index, Some(&next), 5).await?;
        same!((rest.rows.len(), rest.next), (1, None), "in {index:?}");
    }
    Ok(())
}

pub(super) async fn insertions_and_removals_between_pages_move_nothing_else(bench: Bench) -> Result<(), Problem> {
    let ada = samples::developer_ref("ada")?;
    let index = Index::KeysOf(ada.clone());
    let key =
        |number| Ok::<_, Problem>(Record::ApiKey(samples::key(&ada, samples::key_id(number)?, samples::at(number))));
    for number in [10, 20, 30, 40, 50, 60] {
        bench.insert(vec![key(number)?]).await?;
    }
    let first = bench.store.page(&index, None, 2).await?;
    same!(records(first.rows), vec![key(60)?, key(50)?]);
    // Before the page's end, on it, after it, and a new end of the list.
    bench.insert(vec![key(55)?, key(35)?, key(5)?]).await?;
    for gone in [60, 50, 30] {
        bench.remove(key(gone)?.key()).await?;
    }
    let second = bench.store.page(&index, first.next.as_ref(), 2).await?;
    same!(records(second.rows), vec![key(40)?, key(35)?]);
    let third = bench.store.page(&index, second.next.as_ref(), 10).await?;
    same!(records(third.rows), vec![key(20)?, key(10)?, key(5)?]);
    same!(third.next, None);
    Ok(())
}

pub(super) async fn an_update_moves_a_record_in_its_list(bench: Bench) -> Result<(), Problem> {
    let record = |id: &str, ends| {
        Ok::<_, Problem>(Record::Sandbox(samples::sandbox(&samples::developer_ref(id)?, samples::at(ends))?))
    };
    bench.insert(vec![record("a", 1)?, record("b", 2)?]).await?;
    for (record, order) in [
        (record("a", 3)?, vec![record("b", 2)?, record("a", 3)?]),
        (record("a", 1)?, vec![record("a", 1)?, record("b", 2)?]),
    ] {
        let mut change = bench.change();
        change.update.push(record);
        bench.commit(&change).await?;
        same!(records(bench.list(&Index::SandboxesEnding, 10).await?), order);
    }
    bench.remove(record("a", 0)?.key()).await?;
    same!(records(bench.list(&Index::SandboxesEnding, 10).await?), vec![record("b", 2)?]);
    Ok(())
}

pub(super) async fn lists_of_others_do_not_show(bench: Bench) -> Result<(), Problem> {
    let mut developers = Vec::new();
    for id in ["a", "aa", "b", "A"] {
        developers.push(samples::developer_ref(id)?);
    }
    developers.push(DeveloperRef { environment: EnvironmentName::SANDBOX, ..samples::developer_ref("a")? });
    for developer in &developers {
        let key = samples::key_id(1)?;
        let mut change = bench.inserting(vec![
            Record::Developer(samples::developer(developer)),
            Record::ApiKey(samples::key(developer, key, samples::at(1))),
            Record::Entity(samples::entity(developer, "e", samples::at(1))?),
        ]);
        change.merge.push(Merge::Usage(samples::usage(developer, key, 1, 1, 1)));
        change.audit.push(samples::event(&ChainId::Developer(developer.clone()), "made"));
        bench.commit(&change).await?;
    }
    for developer in &developers {
        for index in [
            Index::KeysOf(developer.clone()),
            Index::EntitiesOf(developer.clone()),
            Index::Usage(developer.clone()),
            Index::Audit(ChainId::Developer(developer.clone())),
        ] {
            same!(bench.list(&index, 1).await?.len(), 1, "in {index:?}");
        }
    }
    same!(bench.list(&Index::Developers(EnvironmentName::LIVE), 1).await?.len(), developers.len() - 1);
    same!(bench.list(&Index::Developers(EnvironmentName::SANDBOX), 1).await?.len(), 1);
    same!(bench.list(&Index::Audit(ChainId::System(EnvironmentName::LIVE)), 1).await?.len(), 0);
    Ok(())
}

pub(super) async fn the_place_of_a_removed_row_still_works(bench: Bench) -> Result<(), Problem> {
    let lists = filled(&bench).await?;
    for (index, list) in lists {
        let page = bench.store.page(&index, None, 1).await?;
        let mut gone: Vec<RecordKey> = list.iter().map(Record::key).collect();
        gone.truncate(2);
        bench.commit(&bench.removing(gone)).await?;
        let rest = bench.store.page(&index, page.next.as_ref(), 100).await?;
        same!(records(rest.rows), list.into_iter().skip(2).collect::<Vec<_>>(), "in {index:?}");
    }
    Ok(())
}

pub(super) async fn usage_is_listed_by_day_then_key(bench: Bench) -> Result<(), Problem> {
    let ada = samples::developer_ref("ada")?;
    let row = |day, key| Ok::<_, Problem>(samples::usage(&ada, samples::key_id(key)?, day, 1, 2));
    let order = [row(0, 9)?, row(255, 1)?, row(255, 2)?, row(256, 0)?, row(u32::MAX, 5)?];
    let mut change = bench.change();
    change.merge = order.iter().rev().cloned().map(Merge::Usage).collect();
    bench.commit(&change).await?;
    let index = Index::Usage(ada.clone());
    for limit in [1, 2, 10] {
        same!(bench.list(&index, limit).await?, order.iter().cloned().map(Row::Usage).collect::<Vec<_>>());
    }
    // A reader may start at a day.
    let from = Position::of_usage(crate::model::Day(256), "");
    let late = bench.store.page(&index, Some(&from), 10).await?;
    same!(late.rows, order.iter().skip(3).cloned().map(Row::Usage).collect::<Vec<_>>());
    Ok(())
}
