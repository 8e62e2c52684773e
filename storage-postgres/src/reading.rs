//! Reads, each as of one instant.

use latchbook_core::key_store::StoreError;
use latchbook_core::model::{FeedPage, FeedPosition, Index, Page, Position, RecordKey, Row, StoreMeta, Stored};
use tokio_postgres::Row as Columned;

use crate::columns::{Column, Columns, Holds, Value};
use crate::events::{
    AUDIT, FEED, USAGE, audit_event, audit_values, chain_values, feed_entry, feed_values, meta, usage_place, usage_row,
    usage_values,
};
use crate::fault::Fault;
use crate::records::{KINDS, Kind, developer_values, key_values, list_of, place_of};
use crate::session::{Session, Step};
use crate::statements::Statements;

pub(crate) async fn get(
    session: Session,
    statements: &Statements,
    keys: &[RecordKey],
) -> Result<Vec<Option<Stored>>, Fault> {
    let mut steps = Vec::with_capacity(keys.len());
    for key in keys {
        let sql = statements.kinds.get(Kind::of(key)).ok_or_else(unknown_kind)?;
        steps.push(Step::new(&sql.get, key_values(key)));
    }
    let answers = match steps.len() {
        0 | 1 => session.ask_all(None, &steps).await?,
        // Several statements are of one instant in a transaction that says so.
        _ => session.begin_reading(&steps).await?,
    };
    let found = keys.iter().zip(&answers).map(|(key, rows)| {
        let kind = KINDS.get(Kind::of(key)).ok_or_else(unknown_kind)?;
        rows.first().map(|row| kind.stored(row)).transpose()
    });
    let found = found.collect::<Result<_, StoreError>>()?;
    if steps.len() > 1 {
        session.undo().await?;
    }
    session.settle();
    Ok(found)
}

pub(crate) async fn page(
    session: Session,
    statements: &Statements,
    index: &Index,
    after: Option<&Position>,
    limit: usize,
) -> Result<Page, Fault> {
    // One more than asked for shows whether there is more.
    let one_more = Value::int((limit.max(1) as u64).saturating_add(1));
    let after_bytes = Value::bytes(after.map_or([].as_slice(), |position| &position.0));
    let (sql, mut values, place) = match (index, list_of(index)) {
        (Index::Audit(chain), _) => (&statements.audit_page, chain_values(chain), audit_before(after)),
        (Index::Usage(developer), _) => (&statements.usage_page, developer_values(developer), after_bytes),
        (_, Some((kind, values))) => (&statements.kinds.get(kind).ok_or_else(unknown_kind)?.page, values, after_bytes),
        (_, None) => return Err(unknown_kind().into()),
    };
    values.extend([place, one_more]);
    let rows = session.ask(Step::new(sql, values)).await?;
    session.settle();
    let read = |row: &Columned| match (index, list_of(index)) {
        (Index::Audit(_), _) => audit_event(row).map(Row::Audit),
        (Index::Usage(_), _) => usage_row(row).map(Row::Usage),
        (_, Some((kind, _))) => KINDS.get(kind).ok_or_else(unknown_kind)?.stored(row).map(Row::Record),
        (_, None) => Err(unknown_kind()),
    };
    let mut page = Page { rows: rows.iter().map(read).collect::<Result<_, _>>()?, next: None };
    if page.rows.len() > limit.max(1) {
        page.rows.truncate(limit.max(1));
        page.next = page.rows.last().and_then(|row| match row {
            Row::Audit(event) => Some(Position::of_audit(event.number)),
            Row::Usage(row) => Some(usage_place(row)),
            Row::Record(stored) => place_of(&stored.record),
            Row::Feed(_) | Row::Meta(_) => None,
        });
    }
    Ok(page)
}

/// The number that the events after `after` are below: a place in a chain is the number's distance from the largest.
fn audit_before(after: Option<&Position>) -> Value {
    let Some(Position(bytes)) = after else { return Value::Int(i64::MAX) };
    let mut place = [0; 8];
    place.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    // A place cut short is before every one that it begins.
    let included = u64::from(bytes.len() < place.len());
    Value::int((u64::MAX - u64::from_be_bytes(place)).saturating_add(included))
}

pub(crate) async fn changes(
    session: Session,
    statements: &Statements,
    after: FeedPosition,
    limit: usize,
) -> Result<FeedPage, Fault> {
    let values = vec![Value::int(after.0), Value::int(limit as u64)];
    let rows = session.ask(Step::new(&statements.changes_after, values)).await?;
    session.settle();
    let first = rows.first().ok_or_else(|| StoreError::corrupt("the row of the counters is missing"))?;
    let counters = meta(&mut Columns::of(first))?;
    let mut entries = Vec::with_capacity(rows.len());
    for row in &rows {
        let mut columns = Columns::of(row);
        meta(&mut columns)?;
        // Without entries there is one row, of the counters alone.
        if !columns.at_null() {
            entries.push(feed_entry(&mut columns)?);
        }
    }
    Ok(FeedPage { entries, head: counters.feed_head, pruned_to: counters.pruned_to, pruned_at: counters.pruned_at })
}

/// The whole store: a row's place is the number of its table, then the values of its primary key.
pub(crate) async fn scan(
    session: Session,
    statements: &Statements,
    after: Option<&Position>,
    limit: usize,
) -> Result<Page, Fault> {
    session.begin_reading(&[]).await?;
    let page = scan_here(&session, statements, after, limit).await?;
    session.undo().await?;
    session.settle();
    Ok(page)
}

/// The same, in a transaction that has begun.
pub(crate) async fn scan_here(
    session: &Session,
    statements: &Statements,
    after: Option<&Position>,
    limit: usize,
) -> Result<Page, Fault> {
    let limit = limit.max(1);
    let (from, after) = match after.map(|position| position.0.split_first()) {
        Some(Some((table, key))) => (usize::from(*table), Some(key)),
        _ => (0, None),
    };
    let mut page = Page::default();
    let mut last = None;
    for (number, table) in tables(statements).into_iter().enumerate().skip(from) {
        let after = after.filter(|_| number == from);
        let mut values = match after {
            None => table.key.iter().map(|column| column.least()).collect(),
            Some(key) => unpacked(table.key, key)?,
        };
        values.push(Value::int(((limit - page.rows.len()) as u64).saturating_add(1)));
        let rows = session.ask(Step::new(table.sql, values)).await?;
        for row in &rows {
            if page.rows.len() == limit {
                page.next = last.take();
                break;
            }
            let row = (table.read)(number, row)?;
            last = Some(packed(number, &key_of(&row)));
            page.rows.push(row);
        }
        if page.next.is_some() {
            break;
        }
    }
    // The counters are one row, the last of all.
    if page.next.is_none() {
        if page.rows.len() == limit {
            page.next = last;
        } else {
            page.rows.push(Row::Meta(counters(session, statements).await?));
        }
    }
    Ok(page)
}

/// The counters, in a transaction that has begun.
pub(crate) async fn counters(session: &Session, statements: &Statements) -> Result<StoreMeta, Fault> {
    let rows = session.ask(Step::new(&statements.meta, Vec::new())).await?;
    let row = rows.first().ok_or_else(|| StoreError::corrupt("the row of the counters is missing"))?;
    Ok(meta(&mut Columns::of(row))?)
}

/// A table that is scanned.
struct Scanned<'a> {
    key: &'a [Column],
    sql: &'a str,
    read: fn(usize, &Columned) -> Result<Row, StoreError>,
}

fn tables(statements: &Statements) -> Vec<Scanned<'_>> {
    let kinds = KINDS.iter().zip(&statements.kinds).map(|(kind, sql)| Scanned {
        key: kind.key,
        sql: &sql.scan,
        read: |number, row| KINDS.get(number).ok_or_else(unknown_kind)?.stored(row).map(Row::Record),
    });
    let usage = Scanned {
        key: USAGE.get(..3).unwrap_or_default(),
        sql: &statements.usage_scan,
        read: |_, row| usage_row(row).map(Row::Usage),
    };
    let audit = Scanned {
        key: AUDIT.get(..3).unwrap_or_default(),
        sql: &statements.audit_scan,
        read: |_, row| audit_event(row).map(Row::Audit),
    };
    let feed = Scanned {
        key: FEED.get(..1).unwrap_or_default(),
        sql: &statements.feed_scan,
        read: |_, row| feed_entry(&mut Columns::of(row)).map(Row::Feed),
    };
    kinds.chain([usage, audit, feed]).collect()
}

fn key_of(row: &Row) -> Vec<Value> {
    let mut values = match row {
        Row::Record(stored) => return key_values(&stored.record.key()),
        Row::Usage(row) => usage_values(row),
        Row::Audit(event) => audit_values(event),
        Row::Feed(entry) => feed_values(entry),
        Row::Meta(_) => Vec::new(),
    };
    values.truncate(if matches!(row, Row::Feed(_)) { 1 } else { 3 });
    values
}

/// A place of [`scan`]: each value with its length before it.
fn packed(table: usize, key: &[Value]) -> Position {
    let mut bytes = vec![u8::try_from(table).unwrap_or(u8::MAX)];
    for value in key {
        let value = match value {
            Value::Text(text) => text.as_bytes().to_vec(),
            Value::Bytes(value) => value.clone(),
            Value::Int(number) => number.to_be_bytes().to_vec(),
            _ => Vec::new(),
        };
        bytes.push(u8::try_from(value.len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(&value);
    }
    Position(bytes)
}

fn unpacked(key: &[Column], mut bytes: &[u8]) -> Result<Vec<Value>, StoreError> {
    let wrong = || StoreError::corrupt("the place to go on from is none of this store's");
    let mut values = Vec::with_capacity(key.len());
    for column in key {
        let (length, rest) = bytes.split_first().ok_or_else(wrong)?;
        let (value, rest) = rest.split_at_checked(usize::from(*length)).ok_or_else(wrong)?;
        bytes = rest;
        values.push(match column.holds {
            Holds::Int => Value::Int(i64::from_be_bytes(value.try_into().map_err(|_| wrong())?)),
            Holds::Bytes => Value::bytes(value),
            _ => Value::text(std::str::from_utf8(value).map_err(|_| wrong())?),
        });
    }
    Ok(values)
}

fn unknown_kind() -> StoreError {
    StoreError::corrupt("there is no table for this kind")
}
