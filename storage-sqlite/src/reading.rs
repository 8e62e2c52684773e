//! Reads, each as of one instant.

use latchbook_core::key_store::StoreError;
use latchbook_core::model::{ApiKey, Developer};
use latchbook_core::model::{
    AuditEvent, Entity, FeedEntry, FeedPage, FeedPosition, Index, Page, Pepper, Position, Record, RecordKey, Row,
    SandboxRecord, SandboxRequest, SigningKey, Stored, UsageRow,
};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ToSql};

use crate::cells::ordered;
use crate::changes::counters;
use crate::connection::at_one_instant;
use crate::rows::{self, owner_of, stored};
use crate::tables::{Revised, Tabled, select};

pub(crate) fn get(db: &Connection, keys: &[RecordKey]) -> Result<Vec<Option<Stored>>, StoreError> {
    let found = || keys.iter().map(|key| rows::find(db, key)).collect();
    // One statement is one instant by itself.
    if keys.len() < 2 { found() } else { at_one_instant(db, found) }
}

pub(crate) fn changes(db: &Connection, after: FeedPosition, limit: usize) -> Result<FeedPage, StoreError> {
    at_one_instant(db, || {
        let counters = counters(db)?;
        let sql = format!("{} WHERE position > ?1 ORDER BY position LIMIT ?2", FeedEntry::table().select);
        let entries: Vec<FeedEntry> = select(db, &sql, &[&ordered(after.0), &ordered(limit as u64)])?;
        let meta = counters.meta;
        // Entries that vanished would bring what they revoked back to life.
        let whole_from = meta.pruned_to.max(counters.feed_loaded_to);
        let mut due = whole_from.max(after).0;
        for entry in entries.iter().filter(|entry| entry.position > whole_from) {
            if entry.position.0 != due.saturating_add(1) {
                return Err(StoreError::corrupt(format!("announcement {} is missing", due.saturating_add(1))));
            }
            due = entry.position.0;
        }
        if entries.len() < limit && due < meta.feed_head.0 {
            return Err(StoreError::corrupt(format!("announcement {} is missing", due.saturating_add(1))));
        }
        Ok(FeedPage { entries, head: meta.feed_head, pruned_to: meta.pruned_to, pruned_at: meta.pruned_at })
    })
}

pub(crate) fn page(db: &Connection, index: &Index, after: Option<&Position>, limit: usize) -> Result<Page, StoreError> {
    // Every place is after the empty one.
    let after = after.map_or([].as_slice(), |position| &position.0);
    let Cursor { newest, oldest, name } = Cursor::new(after);
    let limit = limit.max(1);
    let asked = ordered(limit.saturating_add(1) as u64);
    let list = List { db, limit, asked: &asked };
    match index {
        Index::Developers(environment) => list.records(
            Record::Developer,
            "environment = ?2 AND id > ?3 ORDER BY id",
            &[&environment.as_str(), &Text(after)],
        ),
        Index::KeysOf(owner) => list.records::<ApiKey>(
            Record::ApiKey,
            NEWEST_OF_OWNER,
            &[&owner.environment.as_str(), &owner.id.as_str(), &newest, &Text(name)],
        ),
        Index::EntitiesOf(owner) => list.records::<Entity>(
            Record::Entity,
            NEWEST_OF_OWNER,
            &[&owner.environment.as_str(), &owner.id.as_str(), &newest, &Text(name)],
        ),
        Index::SigningKeys => list.records(
            Record::SigningKey,
            "created_at >= ?2 AND (created_at > ?2 OR id || '/' || environment > ?3)
             ORDER BY created_at, id || '/' || environment",
            &[&oldest, &Text(name)],
        ),
        Index::Peppers => list.records(
            Record::Pepper,
            "created_at >= ?2 AND (created_at > ?2 OR id > ?3) ORDER BY created_at, id",
            &[&oldest, &hexadecimal(name)],
        ),
        Index::SandboxesEnding => list.records(
            Record::Sandbox,
            "expires_at >= ?2 AND (expires_at > ?2 OR environment || '/' || developer > ?3)
             ORDER BY expires_at, environment, developer",
            &[&oldest, &Text(name)],
        ),
        Index::SandboxRequestsEnding => list.records(
            Record::SandboxRequest,
            "ends_at >= ?2 AND (ends_at > ?2 OR place > ?3) ORDER BY ends_at, place",
            &[&oldest, &name],
        ),
        Index::Audit(chain) => {
            // A place of fewer bytes than a number has is before the number that begins with it.
            let number = if after.len() < 8 { newest.saturating_add(1) } else { newest };
            let [environment, developer] = &*owner_of(chain) else { return Ok(Page::default()) };
            list.rows(
                "environment = ?2 AND developer = ?3 AND number < ?4 ORDER BY number DESC",
                &[environment, developer, &number],
                Row::Audit,
                |event: &AuditEvent| Position::of_audit(event.number),
            )
        }
        Index::Usage(owner) => {
            let (day, key) = day_and_key(after);
            list.rows(
                "environment = ?2 AND developer = ?3 AND (day, key) > (?4, ?5) ORDER BY day, key",
                &[&owner.environment.as_str(), &owner.id.as_str(), &day, &Text(key)],
                Row::Usage,
                |row: &UsageRow| Position::of_usage(row.day, row.key.as_str()),
            )
        }
    }
}

const NEWEST_OF_OWNER: &str = "environment = ?2 AND developer = ?3 AND created_at <= ?4
     AND (created_at < ?4 OR id > ?5) ORDER BY created_at DESC, id";

/// A list that is being read; its statements have the limit as their first value.
struct List<'a> {
    db: &'a Connection,
    limit: usize,
    asked: &'a i64,
}

impl List<'_> {
    fn records<T: Tabled>(
        &self,
        record: fn(T) -> Record,
        where_and_order: &str,
        values: &[&dyn ToSql],
    ) -> Result<Page, StoreError> {
        let rows = self.select::<Revised<T>>(where_and_order, values)?;
        let rows = rows.into_iter().map(stored(record)).map(Row::Record).collect();
        Ok(self.page(rows, |row| match row {
            Row::Record(stored) => Index::of_record(&stored.record).map(|(_, position)| position),
            _ => None,
        }))
    }

    fn rows<T: Tabled>(
        &self,
        where_and_order: &str,
        values: &[&dyn ToSql],
        row: fn(T) -> Row,
        position: fn(&T) -> Position,
    ) -> Result<Page, StoreError> {
        let mut rows = self.select::<T>(where_and_order, values)?;
        let more = rows.len() > self.limit;
        rows.truncate(self.limit);
        let next = rows.last().filter(|_| more).map(position);
        Ok(Page { rows: rows.into_iter().map(row).collect(), next })
    }

    fn select<T: Tabled>(&self, where_and_order: &str, values: &[&dyn ToSql]) -> Result<Vec<T>, StoreError> {
        let sql = format!("{} WHERE {where_and_order} LIMIT ?1", T::table().select);
        select(self.db, &sql, &[&[self.asked as &dyn ToSql], values].concat())
    }

    fn page(&self, mut rows: Vec<Row>, position: impl Fn(&Row) -> Option<Position>) -> Page {
        let more = rows.len() > self.limit;
        rows.truncate(self.limit);
        let next = rows.last().filter(|_| more).and_then(position);
        Page { rows, next }
    }
}

/// A place in a list ordered by instant and name. Places are bytes from anywhere; a short one counts as if zeros
/// followed.
struct Cursor<'a> {
    newest: i64,
    oldest: i64,
    name: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn new(after: &'a [u8]) -> Self {
        let (instant, name) = leading::<8>(after);
        let instant = u64::from_be_bytes(instant);
        Self { newest: ordered(u64::MAX - instant), oldest: ordered(instant), name }
    }
}

fn day_and_key(after: &[u8]) -> (i64, &[u8]) {
    let (day, key) = leading::<4>(after);
    (u32::from_be_bytes(day).into(), key)
}

fn leading<const N: usize>(bytes: &[u8]) -> ([u8; N], &[u8]) {
    let mut first = [0; N];
    first.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    (first, bytes.get(N..).unwrap_or_default())
}

/// Bytes that are compared with texts, as bytes.
struct Text<'a>(&'a [u8]);

impl ToSql for Text<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Text(self.0)))
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The whole store, table by table, each in the order of its key.
pub(crate) fn scan(db: &Connection, after: Option<&Position>, limit: usize) -> Result<Page, StoreError> {
    at_one_instant(db, || scan_here(db, after, limit))
}

/// The same within a transaction that is open.
pub(crate) fn scan_here(db: &Connection, after: Option<&Position>, limit: usize) -> Result<Page, StoreError> {
    let limit = limit.max(1);
    let (kind, key) = match after.and_then(|position| position.0.split_first()) {
        Some((kind, key)) => (*kind, key),
        None => (0, [].as_slice()),
    };
    let mut page = Page::default();
    let mut last = None;
    for (place, read) in (1..).zip(SCANNED) {
        let after = match kind.cmp(&place) {
            std::cmp::Ordering::Greater => continue,
            std::cmp::Ordering::Equal => key,
            std::cmp::Ordering::Less => &[],
        };
        // One more than fits shows whether there is more.
        let asked = limit - page.rows.len() + 1;
        for (key, row) in read(db, after, asked)? {
            if page.rows.len() == limit {
                page.next = last;
                return Ok(page);
            }
            page.rows.push(row);
            last = Some(Position([&[place], key.as_slice()].concat()));
        }
    }
    Ok(page)
}

type Read = fn(&Connection, &[u8], usize) -> Result<Vec<(Vec<u8>, Row)>, StoreError>;

/// In the order of a scan. A place in it begins with the number of its table here, from 1.
const SCANNED: [Read; 13] = [
    |db, after, limit| records(db, after, limit, Record::Settings),
    |db, after, limit| records::<Developer>(db, after, limit, Record::Developer),
    |db, after, limit| records::<ApiKey>(db, after, limit, Record::ApiKey),
    |db, after, limit| records(db, after, limit, Record::KeyActivity),
    |db, after, limit| records::<Entity>(db, after, limit, Record::Entity),
    |db, after, limit| records::<SigningKey>(db, after, limit, Record::SigningKey),
    |db, after, limit| records::<Pepper>(db, after, limit, Record::Pepper),
    |db, after, limit| records::<SandboxRecord>(db, after, limit, Record::Sandbox),
    |db, after, limit| records::<SandboxRequest>(db, after, limit, Record::SandboxRequest),
    |db, after, limit| table(db, after, limit, Row::Usage),
    |db, after, limit| table(db, after, limit, Row::Audit),
    |db, after, limit| table(db, after, limit, Row::Feed),
    |db, after, limit| table::<crate::rows::Counters>(db, after, limit, |counters| Row::Meta(counters.meta)),
];

fn records<T: Tabled>(
    db: &Connection,
    after: &[u8],
    limit: usize,
    record: fn(T) -> Record,
) -> Result<Vec<(Vec<u8>, Row)>, StoreError> {
    table::<Revised<T>>(db, after, limit, |row| Row::Record(stored(record)(row)))
}

fn table<T: Tabled>(
    db: &Connection,
    after: &[u8],
    limit: usize,
    row: impl Fn(T) -> Row,
) -> Result<Vec<(Vec<u8>, Row)>, StoreError> {
    let table = T::table();
    let limit = ordered(limit as u64);
    let found: Vec<T> = match crate::place::read(after) {
        None => select(db, &format!("{} ORDER BY {} LIMIT ?1", table.select, table.key), &[&limit])?,
        Some(after) => {
            let places: Vec<_> = (2..).take(after.len()).map(|number: usize| format!("?{number}")).collect();
            let (select_from, key, places) = (&table.select, &table.key, places.join(", "));
            let sql = format!("{select_from} WHERE ({key}) > ({places}) ORDER BY {key} LIMIT ?1");
            let mut values: Vec<&dyn ToSql> = vec![&limit];
            values.extend(after.iter().map(|value| value as &dyn ToSql));
            select(db, &sql, &values)?
        }
    };
    Ok(found.into_iter().map(|found| (crate::place::write(&found.key()), row(found))).collect())
}
