//! What stands in each table, and which record is found where.

mod events;
mod names;
mod records;

use latchbook_core::key_store::StoreError;
use latchbook_core::model::{Record, RecordKey, Revision, Stored};
use rusqlite::Connection;
use rusqlite::types::Value;

pub(crate) use events::{Chain, Change, Counters, owner_of};

use crate::cells::Cell;
use crate::tables::{self, How, Revised, Table, Tabled};

/// The values of some cells.
macro_rules! cells {
    ($($value:expr),* $(,)?) => { vec![$(crate::cells::Cell::write(&$value)),*] };
}

pub(crate) use cells;

/// The record that `key` names.
pub(crate) fn find(db: &Connection, key: &RecordKey) -> Result<Option<Stored>, StoreError> {
    let place = Place::of(key);
    match key {
        RecordKey::Settings => place.find(db, Record::Settings),
        RecordKey::Developer(_) => place.find(db, Record::Developer),
        RecordKey::ApiKey(..) => place.find(db, Record::ApiKey),
        RecordKey::KeyActivity(..) => place.find(db, Record::KeyActivity),
        RecordKey::Entity(_) => place.find(db, Record::Entity),
        RecordKey::SigningKey(..) => place.find(db, Record::SigningKey),
        RecordKey::Pepper(_) => place.find(db, Record::Pepper),
        RecordKey::Sandbox(_) => place.find(db, Record::Sandbox),
        RecordKey::SandboxRequest(..) => place.find(db, Record::SandboxRequest),
    }
}

/// The revision of the record that `key` names.
pub(crate) fn revision(db: &Connection, key: &RecordKey) -> Result<Option<Revision>, StoreError> {
    let place = Place::of(key);
    tables::revision(db, place.table, &place.key)
}

/// Writes a record, in the place of the one with its key where there is one.
pub(crate) fn put(db: &Connection, record: &Record, revision: Revision) -> Result<(), StoreError> {
    write(db, How::Put, record, revision)
}

/// Writes a record; that there is one with its key already is damage.
pub(crate) fn insert(db: &Connection, record: &Record, revision: Revision) -> Result<(), StoreError> {
    write(db, How::Insert, record, revision)
}

fn write(db: &Connection, how: How, record: &Record, revision: Revision) -> Result<(), StoreError> {
    match record {
        Record::Settings(settings) => tables::write_revised(db, how, settings, revision),
        Record::Developer(developer) => tables::write_revised(db, how, developer, revision),
        Record::ApiKey(key) => tables::write_revised(db, how, key, revision),
        Record::KeyActivity(activity) => tables::write_revised(db, how, activity, revision),
        Record::Entity(entity) => tables::write_revised(db, how, entity, revision),
        Record::SigningKey(key) => tables::write_revised(db, how, key, revision),
        Record::Pepper(pepper) => tables::write_revised(db, how, pepper, revision),
        Record::Sandbox(sandbox) => tables::write_revised(db, how, sandbox, revision),
        Record::SandboxRequest(request) => tables::write_revised(db, how, request, revision),
    }
}

pub(crate) fn remove(db: &Connection, key: &RecordKey) -> Result<bool, StoreError> {
    let place = Place::of(key);
    tables::remove(db, place.table, &place.key)
}

/// A record of one kind as a [`Stored`].
pub(crate) fn stored<T>(record: impl Fn(T) -> Record) -> impl Fn(Revised<T>) -> Stored {
    move |Revised(value, revision)| Stored { record: record(value), revision }
}

/// The one row of a table that has one.
pub(crate) const ONLY: i64 = 1;

/// Where a record is: its table, and the values in its key's columns.
struct Place {
    table: &'static Table,
    key: Vec<Value>,
}

impl Place {
    fn of(key: &RecordKey) -> Self {
        let (table, key) = match key {
            RecordKey::Settings => (&tables::SETTINGS, cells![ONLY]),
            RecordKey::Developer(developer) => (&tables::DEVELOPERS, cells![developer.environment, developer.id]),
            RecordKey::ApiKey(developer, id) => (&tables::API_KEYS, cells![developer.environment, developer.id, *id]),
            RecordKey::KeyActivity(developer, id) => {
                (&tables::KEY_ACTIVITY, cells![developer.environment, developer.id, *id])
            }
            RecordKey::Entity(entity) => {
                (&tables::ENTITIES, cells![entity.developer.environment, entity.developer.id, entity.id])
            }
            RecordKey::SigningKey(environment, id) => (&tables::SIGNING_KEYS, cells![*environment, *id]),
            RecordKey::Pepper(id) => (&tables::PEPPERS, cells![*id]),
            RecordKey::Sandbox(developer) => (&tables::SANDBOXES, cells![developer.environment, developer.id]),
            RecordKey::SandboxRequest(environment, digest) => {
                (&tables::SANDBOX_REQUESTS, cells![*environment, *digest])
            }
        };
        Self { table, key }
    }

    fn find<T: Tabled>(&self, db: &Connection, record: impl Fn(T) -> Record) -> Result<Option<Stored>, StoreError> {
        Ok(tables::find(db, &self.key)?.map(stored(record)))
    }
}

/// A value without a cell of its own: the nothing of an `Option`.
fn none() -> Value {
    None::<i64>.write()
}

/// Every table.
#[cfg(test)]
pub(crate) const ALL: [fn() -> &'static Table; 15] = [
    || &tables::SETTINGS,
    || &tables::DEVELOPERS,
    || &tables::API_KEYS,
    || &tables::KEY_ACTIVITY,
    || &tables::ENTITIES,
    || &tables::SIGNING_KEYS,
    || &tables::PEPPERS,
    || &tables::SANDBOXES,
    || &tables::SANDBOX_REQUESTS,
    || &tables::USAGE,
    || &tables::AUDIT_CHAINS,
    || &tables::AUDIT_EVENTS,
    || &tables::FEED,
    || &tables::COUNTERS,
    || &tables::CHANGES,
];
