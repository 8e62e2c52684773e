//! Audit chains: numbers, links, and one chain for each developer.

use super::bench::{Bench, together};
use super::{Problem, conflict, same, samples};
use crate::key_store::KeyStoreExt as _;
use crate::model::{AuditEvent, ChainId, DeveloperRef, EnvironmentName, FIRST_LINK, RecordKey};

/// Every event of `chain`, oldest first, each with its number and link checked.
async fn checked(bench: &Bench, chain: &ChainId) -> Result<Vec<AuditEvent>, Problem> {
    let mut events = Vec::new();
    let mut after = None;
    loop {
        let (more, next) = bench.store.audit(chain, after.as_ref(), 3).await?;
        events.extend(more);
        match next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    events.reverse();
    let key = samples::audit_key();
    let mut previous = FIRST_LINK;
    for (number, event) in (1..).zip(&events) {
        same!((&event.chain, event.number), (chain, number));
        same!(key.verifies(event, &previous), true, "for event {number}");
        previous = event.link;
    }
    Ok(events)
}

fn chains() -> Result<[ChainId; 4], Problem> {
    let ada = samples::developer_ref("ada")?;
    let elsewhere = DeveloperRef { environment: EnvironmentName::SANDBOX, ..ada.clone() };
    Ok([
        ChainId::Developer(ada),
        ChainId::Developer(elsewhere),
        ChainId::System(EnvironmentName::LIVE),
        ChainId::System(EnvironmentName::SANDBOX),
    ])
}

pub(super) async fn events_are_numbered_and_linked_from_the_first(bench: Bench) -> Result<(), Problem> {
    let [chain, ..] = chains()?;
    let drafts = samples::events(&chain)?;
    for (number, draft) in (1..).zip(&drafts) {
        let mut change = bench.change();
        change.audit.push(draft.clone());
        same!(bench.commit(&change).await?.audit, vec![number]);
    }
    let events = checked(&bench, &chain).await?;
    same!(events.len(), drafts.len());
    for (event, draft) in events.iter().zip(drafts) {
        same!((event.at, &event.actor, event.action), (draft.at, &draft.actor, draft.action));
        same!((&event.subject, event.source, &event.details), (&draft.subject, draft.source, &draft.details));
        same!(event.key, draft.key.id());
    }
    Ok(())
}

pub(super) async fn each_developer_has_a_chain_of_its_own(bench: Bench) -> Result<(), Problem> {
    let chains = chains()?;
    for round in 1..=3 {
        let mut change = bench.change();
        change.audit = chains.iter().map(|chain| samples::event(chain, "round")).collect();
        same!(bench.commit(&change).await?.audit, vec![round; chains.len()]);
    }
    for chain in &chains {
        same!(checked(&bench, chain).await?.len(), 3, "in {chain:?}");
    }
    Ok(())
}

pub(super) async fn concurrent_changes_make_one_unbroken_chain(bench: Bench) -> Result<(), Problem> {
    let [chain, other, ..] = chains()?;
    let changes: Vec<_> = (0..40)
        .map(|number: u32| {
            let mut change = bench.change();
            change.audit.push(samples::event(&chain, &number.to_string()));
            change.audit.push(samples::event(&other, &number.to_string()));
            change
        })
        .collect();
    let mut told = Vec::new();
    for answer in together(changes.iter().map(|change| bench.commit(change))).await {
        told.extend(answer?.audit.first().copied());
    }
    let events = checked(&bench, &chain).await?;
    same!(events.len(), changes.len());
    // Each was told the number that its event has.
    for (number, change) in told.iter().zip(&changes) {
        let event = events.iter().find(|event| event.number == *number);
        let want = change.audit.first().map(|draft| draft.subject.as_str());
        same!(event.map(|event| event.subject.as_str()), want);
    }
    same!(checked(&bench, &other).await?.len(), changes.len());
    Ok(())
}

pub(super) async fn several_events_of_one_change_keep_their_order(bench: Bench) -> Result<(), Problem> {
    let [chain, other, ..] = chains()?;
    let mut change = bench.change();
    change.audit = vec![
        samples::event(&chain, "a"),
        samples::event(&other, "b"),
        samples::event(&chain, "c"),
        samples::event(&chain, "d"),
    ];
    same!(bench.commit(&change).await?.audit, vec![1, 1, 2, 3]);
    let subjects: Vec<_> = checked(&bench, &chain).await?.into_iter().map(|event| event.subject).collect();
    same!(subjects, vec!["a", "c", "d"]);
    Ok(())
}

pub(super) async fn a_lost_change_leaves_no_event(bench: Bench) -> Result<(), Problem> {
    let [chain, ..] = chains()?;
    let mut lost = bench.change();
    lost.audit.push(samples::event(&chain, "lost"));
    lost.remove.push(RecordKey::Settings);
    conflict!(bench.commit(&lost).await);
    let mut done = bench.change();
    done.audit.push(samples::event(&chain, "done"));
    same!(bench.commit(&done).await?.audit, vec![1]);
    same!(checked(&bench, &chain).await?.len(), 1);
    Ok(())
}
