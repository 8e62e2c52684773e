//! The one write: all of a change set in one transaction, or nothing.

use std::collections::BTreeMap;

use latchbook_core::key_store::StoreError;
use latchbook_core::model::{
    ChainId, ChangeId, ChangeSet, Committed, FIRST_LINK, FeedEntry, FeedPosition, Index, KeyActivity, Merge, Position,
    Record, RecordKey, Revision, UnixTime, UsageRow,
};
use tokio_postgres::Row;

use crate::columns::{Columns, Value};
use crate::events::{audit_values, chain_values, committed, feed_values, usage_place, usage_values};
use crate::fault::Fault;
use crate::news::Listener;
use crate::records::{KINDS, Kind, key_values, record_values};
use crate::session::{Ended, Session, Step};
use crate::statements::{KindStatements, Statements};

/// Does `set`, or finds that it was done before. It is safe to call again after any fault: whoever is second waits for
/// the first at the rows that both write, and at the latest at the row of the set's id.
pub(crate) async fn commit(
    session: Session,
    statements: &Statements,
    news: Option<(&Listener, &str)>,
    set: &ChangeSet,
) -> Result<Committed, Fault> {
    let Some(records) = Records::of(set) else {
        return lost(session, statements, set.id, false).await;
    };
    let Some((mut steps, demands)) = records.steps(statements, Revision(set.id)) else {
        return lost(session, statements, set.id, false).await;
    };
    steps.extend(merges(statements, set));
    let chains = chains(set);
    steps.extend(chains.iter().map(|chain| Step::new(&statements.lock_head, chain_values(chain))));
    steps.extend(set.pruned_at.map(|at| Step::new(&statements.set_pruned_at, vec![Value::at(at)])));
    // Last of the locks, since every announcement waits for it.
    steps.extend(count_up(statements, set));

    let answers = session.begin_writing(&steps).await?;
    if !demands.iter().zip(&answers).all(|(demand, rows)| demand.is_met(rows)) {
        return lost(session, statements, set.id, true).await;
    }
    let (answers, counter) = answers.split_at(answers.len() - usize::from(!set.feed.is_empty()));
    let heads = answers.get(answers.len() - chains.len()..).unwrap_or_default();
    let heads = lock_heads(&session, statements, chains, heads).await?;
    let (mut steps, audit) = linked(statements, set, heads);
    let feed = announced(statements, set, counter, &mut steps)?;

    // Last of all, so that no answer is remembered of a set that lost. Plainly: where the id is there already, the server
    // refuses the row and with it the transaction, though the order to commit is on its way.
    let done = Committed { id: set.id, feed, audit };
    let values = vec![
        Value::bytes(set.id.as_bytes()),
        Value::at(set.at),
        Value::maybe(feed, |position| Value::int(position.0)),
        Value::Ints(done.audit.iter().map(|number| i64::try_from(*number).unwrap_or(i64::MAX)).collect()),
    ];
    let news = news.filter(|(listener, _)| feed.is_some() && listener.takes_notices());
    let hint = news.map(|(_, channel)| Step::new(&statements.notify, vec![Value::text(channel)]));
    match session.ask_and_commit(&steps, hint, Step::new(&statements.insert_change, values)).await? {
        Ended::Committed(session) => {
            session.settle();
            Ok(done)
        }
        Ended::DoneBefore(session) => lost(session, statements, set.id, false).await,
        Ended::HintRefused(text) => {
            // The change goes on without it.
            if let Some((listener, _)) = news {
                listener.refused();
            }
            Err(Fault::Again(text))
        }
    }
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

/// What a set has to do with its records, in the order of their keys: in that order all writers lock them.
struct Records<'a>(BTreeMap<Vec<u8>, Touched<'a>>);

struct Touched<'a> {
    key: RecordKey,
    expected: Option<Option<Revision>>,
    write: Option<Write<'a>>,
}

enum Write<'a> {
    Insert(&'a Record),
    Update(&'a Record),
    Remove,
}

impl<'a> Records<'a> {
    /// `None` where two expectations of a record contradict each other.
    fn of(set: &'a ChangeSet) -> Option<Self> {
        let mut touched = BTreeMap::new();
        for expected in &set.expect {
            let one = touch(&mut touched, expected.key.clone());
            if one.expected.is_some_and(|other| other != expected.revision) {
                return None;
            }
            one.expected = Some(expected.revision);
        }
        for record in &set.insert {
            touch(&mut touched, record.key()).write = Some(Write::Insert(record));
        }
        for record in &set.update {
            touch(&mut touched, record.key()).write = Some(Write::Update(record));
        }
        for key in &set.remove {
            touch(&mut touched, key.clone()).write = Some(Write::Remove);
        }
        Some(Self(touched))
    }

    /// The statements and what each must answer; `None` where what is expected rules out what is written.
    fn steps<'s>(&self, statements: &'s Statements, revision: Revision) -> Option<(Vec<Step<'s>>, Vec<Demand>)> {
        let mut steps = Vec::new();
        let mut demands = Vec::new();
        for one in self.0.values() {
            let number = Kind::of(&one.key);
            let (sql, kind) = (statements.kinds.get(number)?, KINDS.get(number)?);
            one.steps(sql, kind, revision, &mut |sql, values, demand| {
                steps.push(Step::new(sql, values));
                demands.push(demand);
            })?;
        }
        Some((steps, demands))
    }
}

fn touch<'m, 'a>(touched: &'m mut BTreeMap<Vec<u8>, Touched<'a>>, key: RecordKey) -> &'m mut Touched<'a> {
    touched.entry(key.to_bytes()).or_insert(Touched { key, expected: None, write: None })
}

impl Touched<'_> {
    fn steps<'s>(
        &self,
        sql: &'s KindStatements,
        kind: &Kind,
        revision: Revision,
        put: &mut dyn FnMut(&'s str, Vec<Value>, Demand),
    ) -> Option<()> {
        let revision = Value::bytes(revision.0.as_bytes());
        let written = |record: &Record| {
            let mut values = record_values(record);
            values.push(revision.clone());
            values
        };
        match (&self.write, self.expected) {
            (Some(Write::Insert(record)), None | Some(None)) => put(&sql.insert, written(record), Demand::OneRow),
            (Some(Write::Update(record)), None) => put(&sql.update, written(record), Demand::OneRow),
            (Some(Write::Update(record)), Some(Some(read))) => {
                let mut values = written(record);
                values.push(Value::bytes(read.0.as_bytes()));
                put(&sql.update_read, values, Demand::OneRow);
            }
            (Some(Write::Remove), None) => put(&sql.remove, key_values(&self.key), Demand::OneRow),
            (Some(Write::Remove), Some(Some(read))) => {
                let mut values = key_values(&self.key);
                values.push(Value::bytes(read.0.as_bytes()));
                put(&sql.remove_read, values, Demand::OneRow);
            }
            (Some(Write::Insert(_)), Some(Some(_))) | (Some(Write::Update(_) | Write::Remove), Some(None)) => {
                return None;
            }
            (None, Some(Some(read))) => put(&sql.share, key_values(&self.key), Demand::Revision(read)),
            // A row that is not there cannot be locked. One that is made and removed again can: whoever would make it
            // waits for the end of this transaction.
            (None, Some(None)) => {
                let mut values = kind.placeholder(&self.key);
                values.push(revision);
                put(&sql.insert, values, Demand::OneRow);
                put(&sql.remove, key_values(&self.key), Demand::OneRow);
            }
            (None, None) => {}
        }
        Some(())
    }
}

/// What a statement must answer, or the set is lost.
enum Demand {
    OneRow,
    Revision(Revision),
}

impl Demand {
    fn is_met(&self, rows: &[Row]) -> bool {
        match self {
            Self::OneRow => rows.len() == 1,
            Self::Revision(read) => {
                rows.first().is_some_and(|row| Columns::of(row).array().is_ok_and(|held| held == *read.0.as_bytes()))
            }
        }
    }
}

/// The merges, those of one row as one, in the order of their rows.
fn merges<'s>(statements: &'s Statements, set: &ChangeSet) -> Vec<Step<'s>> {
    let mut counts: BTreeMap<(Vec<u8>, Position), UsageRow> = BTreeMap::new();
    let mut uses: BTreeMap<Vec<u8>, KeyActivity> = BTreeMap::new();
    for merge in &set.merge {
        match merge {
            Merge::Usage(row) => {
                let place = (Index::Usage(row.developer.clone()).to_bytes(), usage_place(row));
                let sum = counts.get(&place).map_or(row.counts, |other| other.counts.plus(row.counts));
                counts.insert(place, UsageRow { counts: sum, ..row.clone() });
            }
            Merge::LastUsed(activity) => {
                let key = Record::KeyActivity(activity.clone()).key().to_bytes();
                let last = uses.entry(key).or_insert_with(|| activity.clone());
                last.last_used_at = last.last_used_at.max(activity.last_used_at);
            }
        }
    }
    let uses = uses.into_values().map(|activity| {
        let mut values = record_values(&Record::KeyActivity(activity));
        values.push(Value::bytes(set.id.as_bytes()));
        Step::new(&statements.merge_activity, values)
    });
    uses.chain(counts.values().map(|row| Step::new(&statements.merge_usage, usage_values(row)))).collect()
}

/// The chains that get events, each once, in the order in which all writers lock them.
fn chains(set: &ChangeSet) -> Vec<ChainId> {
    let mut chains: Vec<_> = set.audit.iter().map(|draft| draft.chain.clone()).collect();
    chains.sort_unstable();
    chains.dedup();
    chains
}

/// Number and link of a chain's last event.
type Heads = BTreeMap<ChainId, (u64, [u8; 32])>;

/// The heads, locked until the end of the transaction; `found` are those that there were. A chain's first event makes
/// its head.
async fn lock_heads(
    session: &Session,
    statements: &Statements,
    chains: Vec<ChainId>,
    found: &[Vec<Row>],
) -> Result<Heads, Fault> {
    let mut heads = Heads::new();
    for (chain, rows) in chains.into_iter().zip(found) {
        let head = match rows.first() {
            Some(row) => head(row)?,
            None => {
                let mut values = chain_values(&chain);
                values.extend([Value::int(0), Value::bytes(FIRST_LINK)]);
                let make = Step::new(&statements.make_head, values);
                let lock = Step::new(&statements.lock_head, chain_values(&chain));
                let answers = session.ask_all(None, &[make, lock]).await?;
                let row = answers.last().and_then(|rows| rows.first());
                head(row.ok_or_else(|| StoreError::corrupt("the head of an audit chain went away"))?)?
            }
        };
        heads.insert(chain, head);
    }
    Ok(heads)
}

fn head(row: &Row) -> Result<(u64, [u8; 32]), StoreError> {
    let mut columns = Columns::of(row);
    Ok((columns.int()?, columns.array()?))
}

/// The statements that write the audit events and move the heads, and the events' numbers.
fn linked<'s>(statements: &'s Statements, set: &ChangeSet, mut heads: Heads) -> (Vec<Step<'s>>, Vec<u64>) {
    let mut steps = Vec::with_capacity(set.audit.len() + heads.len());
    let mut numbers = Vec::with_capacity(set.audit.len());
    for draft in &set.audit {
        let head = heads.entry(draft.chain.clone()).or_insert((0, FIRST_LINK));
        let event = draft.clone().link(head.0.saturating_add(1), &head.1);
        *head = (event.number, event.link);
        numbers.push(event.number);
        steps.push(Step::new(&statements.insert_audit, audit_values(&event)));
    }
    for (chain, (number, link)) in heads {
        let mut values = chain_values(&chain);
        values.extend([Value::int(number), Value::bytes(link)]);
        steps.push(Step::new(&statements.move_head, values));
    }
    (steps, numbers)
}

/// Counts the positions of the set's announcements, if it has any. The counter's row stays locked until the end of the
/// transaction, so positions become visible in their order: a reader at one of them has missed none before it.
fn count_up<'s>(statements: &'s Statements, set: &ChangeSet) -> Option<Step<'s>> {
    let count = set.feed.len() as u64;
    (count > 0).then(|| Step::new(&statements.count_up, vec![Value::int(count)]))
}

/// Adds the statements that write the announcements, and gives the position of the last; `counter` is what
/// [`count_up`] answered.
fn announced<'s>(
    statements: &'s Statements,
    set: &ChangeSet,
    counter: &[Vec<Row>],
    steps: &mut Vec<Step<'s>>,
) -> Result<Option<FeedPosition>, Fault> {
    let count = set.feed.len() as u64;
    let Some(rows) = counter.first() else { return Ok(None) };
    let row = rows.first().ok_or_else(|| StoreError::corrupt("the row of the counters is missing"))?;
    let last = Columns::of(row).int()?;
    let entry = |position: u64, announcement: &_, ends_at: UnixTime| FeedEntry {
        position: FeedPosition(position),
        at: set.at,
        ends_at,
        announcement: Clone::clone(announcement),
    };
    steps.extend((last.saturating_sub(count) + 1..).zip(&set.feed).map(|(position, (announcement, ends_at))| {
        Step::new(&statements.insert_feed, feed_values(&entry(position, announcement, *ends_at)))
    }));
    Ok(Some(FeedPosition(last)))
}
