//! Tables: what each is called, which columns it has, and the statements over one row of it.

use std::sync::LazyLock;

use latchbook_core::key_store::StoreError;
use latchbook_core::model::Revision;
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Row, ToSql, params_from_iter};

use crate::cells::{Cell, Damage};
use crate::connection::fault;

/// What stands in a table of its own, one row each.
pub(crate) trait Tabled: Sized {
    fn table() -> &'static Table;
    /// The values of the key's columns.
    fn key(&self) -> Vec<Value>;
    /// The values of all columns but the checksum, those of the key first.
    fn write(&self) -> Vec<Value>;
    fn read(columns: &mut Columns<'_>) -> Result<Self, Damage>;
}

/// The statements over a table. The last column of each is `checksum`.
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// Every column, from every row: `WHERE` and the rest are added.
    pub(crate) select: String,
    /// The key's columns, with commas.
    pub(crate) key: String,
    pub(crate) find: String,
    insert: String,
    put: String,
    remove: String,
    revision: String,
}

impl Table {
    fn new(name: &'static str, key: &[&str], rest: &[&str]) -> Self {
        let columns = [key, rest, &["checksum"]].concat();
        let conditions: Vec<_> = (1..).zip(key).map(|(number, column)| format!("{column} = ?{number}")).collect();
        let found = conditions.join(" AND ");
        let select = format!("SELECT {} FROM {name}", columns.join(", "));
        let places: Vec<_> = (1..=columns.len()).map(|number| format!("?{number}")).collect();
        let insert = format!("INSERT INTO {name} ({}) VALUES ({})", columns.join(", "), places.join(", "));
        let replaced: Vec<_> =
            columns.iter().skip(key.len()).map(|column| format!("{column} = excluded.{column}")).collect();
        let put = format!("{insert} ON CONFLICT ({}) DO UPDATE SET {}", key.join(", "), replaced.join(", "));
        Self {
            name,
            find: format!("{select} WHERE {found}"),
            select,
            key: key.join(", "),
            insert,
            put,
            remove: format!("DELETE FROM {name} WHERE {found}"),
            revision: format!("SELECT revision FROM {name} WHERE {found}"),
        }
    }
}

/// The row with the values `key` in its key's columns.
pub(crate) fn find<T: Tabled>(db: &Connection, key: &[Value]) -> Result<Option<T>, StoreError> {
    let mut statement = db.prepare_cached(&T::table().find).map_err(fault)?;
    let mut rows = statement.query(params_from_iter(key)).map_err(fault)?;
    rows.next().map_err(fault)?.map(read_row).transpose()
}

/// The rows that `sql` selects; it begins with the table's `select`.
pub(crate) fn select<T: Tabled>(db: &Connection, sql: &str, values: &[&dyn ToSql]) -> Result<Vec<T>, StoreError> {
    let mut statement = db.prepare_cached(sql).map_err(fault)?;
    let mut rows = statement.query(values).map_err(fault)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(fault)? {
        found.push(read_row(row)?);
    }
    Ok(found)
}

/// Writes `row`, in the place of the one with its key where there is one.
pub(crate) fn put<T: Tabled>(db: &Connection, row: &T) -> Result<(), StoreError> {
    write(db, &T::table().put, T::table(), row.write())
}

/// Writes `row`; that there is one with its key already is damage.
pub(crate) fn insert<T: Tabled>(db: &Connection, row: &T) -> Result<(), StoreError> {
    write(db, &T::table().insert, T::table(), row.write())
}

/// Writes a record, whose last column but the checksum is its revision: as [`put`] or as [`insert`].
pub(crate) fn write_revised<T: Tabled>(
    db: &Connection,
    how: How,
    record: &T,
    revision: Revision,
) -> Result<(), StoreError> {
    let mut values = record.write();
    values.push(revision.write());
    let sql = match how {
        How::Insert => &T::table().insert,
        How::Put => &T::table().put,
    };
    write(db, sql, T::table(), values)
}

/// Whether a row may be there already.
#[derive(Clone, Copy)]
pub(crate) enum How {
    Insert,
    Put,
}

fn write(db: &Connection, sql: &str, table: &Table, mut values: Vec<Value>) -> Result<(), StoreError> {
    let mut summed = Summed::new(table);
    values.iter().for_each(|value| summed.add(value.into()));
    values.push(summed.checksum().write());
    db.prepare_cached(sql).and_then(|mut write| write.execute(params_from_iter(values))).map_err(fault)?;
    Ok(())
}

/// Removes the row with this key; whether there was one.
pub(crate) fn remove(db: &Connection, table: &Table, key: &[Value]) -> Result<bool, StoreError> {
    let removed = db.prepare_cached(&table.remove).and_then(|mut remove| remove.execute(params_from_iter(key)));
    Ok(removed.map_err(fault)? > 0)
}

/// The revision of the record with this key.
pub(crate) fn revision(db: &Connection, table: &Table, key: &[Value]) -> Result<Option<Revision>, StoreError> {
    let mut statement = db.prepare_cached(&table.revision).map_err(fault)?;
    let mut rows = statement.query(params_from_iter(key)).map_err(fault)?;
    let Some(row) = rows.next().map_err(fault)? else { return Ok(None) };
    Revision::read(row.get_ref(0).map_err(fault)?).map(Some).map_err(StoreError::corrupt)
}

/// A record with its revision.
pub(crate) struct Revised<T>(pub(crate) T, pub(crate) Revision);

impl<T: Tabled> Tabled for Revised<T> {
    fn table() -> &'static Table {
        T::table()
    }

    fn key(&self) -> Vec<Value> {
        self.0.key()
    }

    fn write(&self) -> Vec<Value> {
        let mut values = self.0.write();
        values.push(self.1.write());
        values
    }

    fn read(columns: &mut Columns<'_>) -> Result<Self, Damage> {
        Ok(Self(T::read(columns)?, columns.next()?))
    }
}

fn read_row<T: Tabled>(row: &Row<'_>) -> Result<T, StoreError> {
    let mut columns = Columns { row, next: 0, summed: Summed::new(T::table()) };
    let read = T::read(&mut columns);
    // The checksum first: after damage it is the truer reason.
    columns.finish(T::table().name).map_err(StoreError::corrupt)?;
    read.map_err(StoreError::corrupt)
}

/// A row that is being read, column by column.
pub(crate) struct Columns<'a> {
    row: &'a Row<'a>,
    next: usize,
    summed: Summed,
}

impl<'a> Columns<'a> {
    /// The value of the next column.
    pub(crate) fn next<T: Cell>(&mut self) -> Result<T, Damage> {
        T::read(self.value()?)
    }

    fn value(&mut self) -> Result<ValueRef<'a>, Damage> {
        let value = self.row.get_ref(self.next).map_err(|_| Damage::Missing)?;
        self.next += 1;
        self.summed.add(value);
        Ok(value)
    }

    /// Whether all columns together have the sum that stands in the last one, also those after one that was refused.
    fn finish(mut self, table: &'static str) -> Result<(), Damage> {
        let count = self.row.as_ref().column_count();
        while self.next + 1 < count {
            self.value()?;
        }
        let held = self.row.get_ref(self.next).map_err(|_| Damage::Missing)?;
        if u32::read(held)? == self.summed.checksum() { Ok(()) } else { Err(Damage::Checksum(table)) }
    }
}

/// The bytes under a row's checksum: its table, then each value with its type and length, so that no two rows share
/// them.
struct Summed(Vec<u8>);

impl Summed {
    fn new(table: &Table) -> Self {
        let mut bytes = Vec::with_capacity(512);
        bytes.extend_from_slice(table.name.as_bytes());
        Self(bytes)
    }

    fn add(&mut self, value: ValueRef<'_>) {
        let mut part = |kind: u8, bytes: &[u8]| {
            self.0.push(kind);
            self.0.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
            self.0.extend_from_slice(bytes);
        };
        match value {
            ValueRef::Null => part(0, &[]),
            ValueRef::Integer(number) => part(1, &number.to_be_bytes()),
            ValueRef::Real(number) => part(2, &number.to_be_bytes()),
            ValueRef::Text(text) => part(3, text),
            ValueRef::Blob(bytes) => part(4, bytes),
        }
    }

    fn checksum(&self) -> u32 {
        crc32fast::hash(&self.0)
    }
}

macro_rules! tables {
    ($($table:ident = $name:literal [$($key:literal),+] [$($rest:literal),*];)+) => {$(
        pub(crate) static $table: LazyLock<Table> =
            LazyLock::new(|| Table::new($name, &[$($key),+], &[$($rest),*]));
    )+};
}

tables! {
    SETTINGS = "settings" ["id"] ["issuer", "environments", "master_check", "created_at", "revision"];
    DEVELOPERS = "developers" ["environment", "id"] ["name", "status", "epoch", "created_at", "revision"];
    API_KEYS = "api_keys" ["environment", "developer", "id"] [
        "brand", "name", "scopes", "allowed_ips", "metadata", "generation", "pepper", "digest", "ends_at",
        "previous_generation", "previous_pepper", "previous_digest", "previous_ends_at", "created_at", "expires_at",
        "revoked_at", "made_by", "revision"
    ];
    KEY_ACTIVITY = "key_activity" ["environment", "developer", "key"] ["last_used_at", "revision"];
    ENTITIES = "entities" ["environment", "developer", "id"] ["legal_name", "created_at", "revision"];
    SIGNING_KEYS = "signing_keys" ["environment", "id"] [
        "algorithm", "public_key", "public_exponent", "private_sealed", "state", "retiring_until", "provenance",
        "created_at", "revision"
    ];
    PEPPERS = "peppers" ["id"] ["purpose", "sealed", "created_at", "revision"];
    SANDBOXES = "sandboxes" ["environment", "developer"] [
        "entity", "first_key", "name", "industry", "currency", "timezone", "locale", "scenario", "seed",
        "clock_offset", "receipt", "state", "lease_ends_at", "created_at", "expires_at", "revision"
    ];
    SANDBOX_REQUESTS = "sandbox_requests" ["environment", "key_digest"] [
        "body_digest", "developer", "ends_at", "place", "revision"
    ];
    USAGE = "usage" ["environment", "developer", "day", "key"] ["requests", "exchanges"];
    AUDIT_CHAINS = "audit_chains" ["environment", "developer"] ["events", "head"];
    AUDIT_EVENTS = "audit_events" ["environment", "developer", "number"] [
        "at", "actor", "actor_key", "actor_token", "action", "subject", "source", "details", "audit_key", "link"
    ];
    FEED = "feed" ["position"] ["at", "ends_at", "kind", "environment", "developer", "subject", "number"];
    COUNTERS = "counters" ["id"] ["feed_head", "feed_loaded_to", "pruned_to", "pruned_at"];
    CHANGES = "changes" ["id"] ["at", "feed", "audit"];
}
