//! The one write: all of a change set in one transaction of two trips, or nothing.

use std::collections::BTreeMap;

use latchbook_core::key_store::StoreError;
use latchbook_core::model::{ChainId, ChangeId, ChangeSet, Committed, FIRST_LINK, FeedPosition};
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;

use crate::columns::{Columns, Value};
use crate::events::{chain_values, committed};
use crate::fault::Fault;
use crate::locks::{Heads, Locks};
use crate::news::Listener;
use crate::session::{Refusal, Session, Step};
use crate::statements::Statements;
use crate::touched::{chains, touched};
use crate::writes::{NUMBERED, Writes};

/// Does `set`, or finds that it was done before. It is safe to call again after any fault: whoever is second waits for
/// the first at the rows that both write, and at the latest at the row of the set's id.
pub(crate) async fn commit(
    session: Session,
    statements: &Statements,
    news: Option<(&Listener, &str)>,
    set: &ChangeSet,
) -> Result<Committed, Fault> {
    let Some(touched) = touched(set) else {
        return lost(session, statements, set.id, false).await;
    };
    let locks = Locks::new(statements, &touched, &chains(set));
    let mut steps: Vec<_> = locks.steps().collect();
    steps.extend(set.pruned_at.map(|at| Step::new(&statements.set_pruned_at, vec![Value::at(at)])));
    // Last of the locks, since every announcement waits for it.
    steps.extend(count_up(statements, set));
    let begun = !steps.is_empty();
    let answers = if begun { session.begin_writing(&steps).await } else { Ok(Vec::new()) };
    let answers = match answers {
        Ok(answers) => answers,
        Err(fault) => return Err(undone(session, fault).await),
    };
    let Some(heads) = locks.heads(&answers)? else {
        return lost(session, statements, set.id, true).await;
    };
    let heads = made(&session, statements, heads).await?;

    let mut writes = Writes::new(statements);
    writes.records(set, &touched);
    writes.merges(set);
    let audit = writes.events(set, heads);
    let feed = if set.feed.is_empty() { None } else { Some(counted(answers.last())?) };
    if let Some(last) = feed {
        writes.announcements(set, last);
    }
    let done = Committed { id: set.id, feed, audit };
    let mut steps = writes.finish(set, &done);
    let news = news.filter(|(listener, _)| feed.is_some() && listener.takes_notices());
    let hint = news.map(|(listener, channel)| {
        steps.push(Step::new(&statements.notify, vec![Value::text(channel)]));
        (listener, steps.len() - 1)
    });
    let Err(refusal) = session.ask_and_commit(begun, &steps).await else {
        session.settle();
        return Ok(done);
    };
    if let Some((listener, _)) = hint.filter(|(_, step)| is_of_hint(&refusal, *step)) {
        // The change goes on without it.
        listener.refused();
        return Err(undone(session, Fault::Again(refusal.fault.settled().to_string())).await);
    }
    let is_numbered = refusal.table.as_ref().is_some_and(|table| NUMBERED.contains(&&**table));
    if refusal.code == Some(SqlState::UNIQUE_VIOLATION) && !is_numbered {
        return lost(session, statements, set.id, true).await;
    }
    Err(undone(session, refusal.fault).await)
}

/// The answer where the set cannot be done: the first one, if it was done before, else a conflict.
async fn lost(session: Session, statements: &Statements, id: ChangeId, begun: bool) -> Result<Committed, Fault> {
    if begun {
        session.undo().await?;
    }
    let rows = session.ask(Step::new(&statements.change, vec![Value::bytes(id.as_bytes())])).await?;
    session.settle();
    match rows.first() {
        Some(row) => Ok(committed(id, row)?),
        None => Err(StoreError::Conflict.into()),
    }
}

/// `fault`, once the connection is given back where it is only the transaction that is lost.
async fn undone(session: Session, fault: Fault) -> Fault {
    if matches!(fault, Fault::Again(_)) && session.undo().await.is_ok() {
        session.settle();
    }
    fault
}

/// Whether it was the hint, step `hint`, that the server did not take.
fn is_of_hint(refusal: &Refusal, hint: usize) -> bool {
    // A queue of notices that is full shows at the end.
    let is_full = refusal.step.is_none() && refusal.code == Some(SqlState::PROGRAM_LIMIT_EXCEEDED);
    (refusal.code.is_some() && refusal.step == Some(hint)) || is_full
}

/// The heads, all locked: a chain's first event makes its head.
async fn made<'a>(
    session: &Session,
    statements: &Statements,
    heads: Heads<'a>,
) -> Result<BTreeMap<&'a ChainId, (u64, [u8; 32])>, Fault> {
    let mut locked = BTreeMap::new();
    for (chain, head) in heads {
        let head = match head {
            Some(head) => head,
            None => {
                let mut values = chain_values(chain);
                values.extend([Value::int(0), Value::bytes(FIRST_LINK)]);
                let make = Step::new(&statements.make_head, values);
                let lock = Step::new(statements.lock_head.text(), chain_values(chain));
                let answers = session.ask_all(None, &[make, lock]).await?;
                let row = answers.last().and_then(|rows| rows.first());
                let row = row.ok_or_else(|| StoreError::corrupt("the head of an audit chain went away"))?;
                let mut columns = Columns::of(row);
                (columns.int()?, columns.array()?)
            }
        };
        locked.insert(chain, head);
    }
    Ok(locked)
}

/// Counts the positions of the set's announcements, if it has any. The counter's row stays locked until the end of the
/// transaction, so positions become visible in their order: a reader at one of them has missed none before it.
fn count_up<'s>(statements: &'s Statements, set: &ChangeSet) -> Option<Step<'s>> {
    let count = set.feed.len() as u64;
    (count > 0).then(|| Step::new(&statements.count_up, vec![Value::int(count)]))
}

/// The last of the positions that [`count_up`] counted.
fn counted(rows: Option<&Vec<Row>>) -> Result<FeedPosition, StoreError> {
    let row = rows.and_then(|rows| rows.first());
    let row = row.ok_or_else(|| StoreError::corrupt("the row of the counters is missing"))?;
    Ok(FeedPosition(Columns::of(row).int()?))
}
