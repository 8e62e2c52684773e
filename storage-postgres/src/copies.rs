//! Bounded steps over many rows: pruning what has ended, and taking in a copy.

use latchbook_core::key_store::StoreError;
use latchbook_core::model::{FeedPosition, Pruned, Row, StoreMeta, UnixTime};
use tokio_postgres::Row as Columned;

use crate::columns::{Columns, Value};
use crate::events::{audit_values, chain_values, feed_values, meta_values, usage_values};
use crate::fault::Fault;
use crate::records::{Kind, record_values, requests_ending};
use crate::session::{Session, Step};
use crate::statements::Statements;

pub(crate) async fn prune(
    session: Session,
    statements: &Statements,
    before: UnixTime,
    limit: usize,
) -> Result<Pruned, Fault> {
    // One more than may go shows whether there is more.
    let one_more = || Value::int((limit as u64).saturating_add(1));
    let found = session
        .begin_writing(&[
            Step::new(&statements.ended_feed, vec![Value::at(before), one_more()]),
            Step::new(&statements.old_changes, vec![Value::at(before.minus(DAY)), one_more()]),
            Step::new(&statements.ended_requests, vec![requests_ending(before), one_more()]),
        ])
        .await?;
    let mut found = found.into_iter();
    let mut left = limit;
    let mut more = false;
    let mut next = |read: fn(&Columned) -> Result<Value, StoreError>| -> Result<Vec<Value>, StoreError> {
        let rows = found.next().unwrap_or_default();
        more |= rows.len() > left;
        let taken = rows.iter().take(left).map(read).collect::<Result<Vec<_>, _>>()?;
        left -= taken.len();
        Ok(taken)
    };
    let entries = next(|row| Columns::of(row).signed().map(Value::Int))?;
    let changes = next(|row| Columns::of(row).bytes().map(Value::bytes))?;
    let requests = next(|row| Columns::of(row).bytes().map(Value::bytes))?;

    let deleted = session
        .ask_all(
            None,
            &[
                Step::new(&statements.prune_feed, vec![ints(entries)]),
                Step::new(&statements.prune_changes, vec![blobs(changes)]),
                Step::new(&statements.prune_requests, vec![blobs(requests)]),
            ],
        )
        .await?;
    let mut pruned_to = FeedPosition(0);
    for row in deleted.first().into_iter().flatten() {
        pruned_to = pruned_to.max(FeedPosition(Columns::of(row).int()?));
    }
    // The row that every announcement waits for comes last, so that it is locked for the shortest time.
    let meta = StoreMeta { feed_head: FeedPosition(0), pruned_to, pruned_at: before };
    session.ask(Step::new(&statements.raise_meta, meta_values(&meta))).await?;
    session.commit().await?;
    Ok(Pruned { removed: deleted.iter().map(Vec::len).sum(), more })
}

fn ints(values: Vec<Value>) -> Value {
    let number = |value| if let Value::Int(number) = value { Some(number) } else { None };
    Value::Ints(values.into_iter().filter_map(number).collect())
}

fn blobs(values: Vec<Value>) -> Value {
    let bytes = |value| if let Value::Bytes(bytes) = value { Some(bytes) } else { None };
    Value::Blobs(values.into_iter().filter_map(bytes).collect())
}

pub(crate) async fn load(session: Session, statements: &Statements, rows: &[Row]) -> Result<(), Fault> {
    let mut steps = Vec::with_capacity(rows.len() + 1);
    // The counters only rise, so it does not matter which row of a copy comes first.
    let mut meta = StoreMeta::default();
    for row in rows {
        match row {
            Row::Record(stored) => {
                let kind = Kind::of(&stored.record.key());
                let sql = statements.kinds.get(kind).ok_or_else(|| StoreError::corrupt("an unknown kind"))?;
                let mut values = record_values(&stored.record);
                values.push(Value::bytes(stored.revision.0.as_bytes()));
                steps.push(Step::new(&sql.load, values));
            }
            Row::Usage(row) => steps.push(Step::new(&statements.load_usage, usage_values(row))),
            Row::Audit(event) => {
                let mut head = chain_values(&event.chain);
                head.extend([Value::int(event.number), Value::bytes(event.link)]);
                steps.push(Step::new(&statements.load_head, head));
                steps.push(Step::new(&statements.load_audit, audit_values(event)));
            }
            Row::Feed(entry) => {
                meta.feed_head = meta.feed_head.max(entry.position);
                steps.push(Step::new(&statements.load_feed, feed_values(entry)));
            }
            Row::Meta(loaded) => {
                meta.feed_head = meta.feed_head.max(loaded.feed_head);
                meta.pruned_to = meta.pruned_to.max(loaded.pruned_to);
                meta.pruned_at = meta.pruned_at.max(loaded.pruned_at);
            }
        }
    }
    steps.push(Step::new(&statements.raise_meta, meta_values(&meta)));
    session.begin_writing(&steps).await?;
    session.commit().await
}

/// How long the id of a change is remembered, in seconds.
const DAY: u64 = 86_400;
