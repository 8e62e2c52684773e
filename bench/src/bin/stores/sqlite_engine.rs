//! SQLite, and the store on it.

use std::collections::HashMap;
use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_executor::block_on;
use latchbook::SqliteStore;
use latchbook::key_store::KeyStore as _;
use latchbook::model::{ChangeSet, RecordKey};
use rusqlite::Connection;
use rusqlite::types::Value;

use crate::engine::Engine;
use crate::{Failure, fill};

pub struct Sqlite {
    store: Arc<SqliteStore>,
    folder: PathBuf,
    path: PathBuf,
    bare: Connection,
}

/// A table and its row.
type Rows = Vec<(&'static str, Vec<Value>)>;

impl Engine for Sqlite {
    type Store = SqliteStore;
    type Rows = Rows;
    const NAME: &'static str = "SQLite";
    const BATCHES: bool = true;

    fn filled(folder: &Path, keys: u64) -> Result<Self, Failure> {
        let path = folder.join(format!("{keys}.sqlite"));
        if !path.exists() {
            let unfinished = folder.join("unfinished.sqlite");
            let _ = fs::remove_file(&unfinished);
            block_on(fill(&SqliteStore::builder(&unfinished).timeout(PATIENCE).open()?, keys))?;
            fs::rename(&unfinished, &path)?;
        }
        let copy = folder.join("bare.sqlite");
        for end in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(folder.join(format!("bare.sqlite{end}")));
        }
        fs::copy(&path, &copy)?;
        let store = Arc::new(SqliteStore::builder(&path).timeout(PATIENCE).open()?);
        Ok(Self { store, folder: folder.to_owned(), path, bare: connect(&copy)? })
    }

    fn store(&self) -> &Arc<SqliteStore> {
        &self.store
    }

    fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        block_on(future)
    }

    fn read_bare(&self, names: &[RecordKey]) -> Result<(), Failure> {
        for name in names {
            let RecordKey::ApiKey(developer, id) = name else { continue };
            let sql = "SELECT environment, developer, id, brand, name, scopes, allowed_ips, metadata, generation, \
                 pepper, digest, ends_at, previous_generation, previous_pepper, previous_digest, previous_ends_at, \
                 created_at, expires_at, revoked_at, made_by, revision, checksum FROM api_keys \
                 WHERE environment = ?1 AND developer = ?2 AND id = ?3";
            let mut statement = self.bare.prepare_cached(sql)?;
            let values = (developer.environment.as_str(), developer.id.as_str(), id.as_str());
            let row = statement.query_row(values, |row| {
                (0..22).map(|column| row.get::<_, Value>(column)).collect::<Result<Vec<_>, _>>()
            })?;
            std::hint::black_box(row);
        }
        Ok(())
    }

    fn rows(&self, sets: Vec<ChangeSet>) -> Result<Vec<Rows>, Failure> {
        // A store in a file of its own writes them; what it wrote is read back.
        let path = self.folder.join("rows.sqlite");
        let store = SqliteStore::builder(&path).timeout(PATIENCE).open()?;
        let mut places = Vec::with_capacity(sets.len());
        for mut set in sets {
            set.expect.clear();
            let id = set.id;
            let subject = set.audit.first().map(|draft| draft.subject.clone()).ok_or("a change without an event")?;
            let committed = block_on(store.commit(set))?;
            places.push((subject, id, committed.audit.first().copied().unwrap_or_default()));
        }
        drop(store);
        let read = connect(&path)?;
        let all = |sql: &str| -> Result<Vec<Vec<Value>>, Failure> {
            let mut statement = read.prepare(sql)?;
            let columns = statement.column_count();
            let rows = statement.query_map([], |row| (0..columns).map(|column| row.get(column)).collect())?;
            Ok(rows.collect::<Result<_, _>>()?)
        };
        let by = |rows: Vec<Vec<Value>>, column: usize| -> HashMap<String, Vec<Value>> {
            let text = |value: &Value| if let Value::Text(text) = value { text.clone() } else { String::new() };
            rows.into_iter().map(|row| (row.get(column).map(text).unwrap_or_default(), row)).collect()
        };
        let mut keys = by(all("SELECT * FROM api_keys")?, 2);
        let mut events = by(all("SELECT * FROM audit_events")?, 8);
        let mut changes = by(all("SELECT * FROM changes")?, 0);
        let mut rows = Vec::with_capacity(places.len());
        for (subject, change, number) in places {
            let event = events.remove(&subject).ok_or("the event's row is missing")?;
            let name = change.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            let change = changes.remove(&name).ok_or("the change's row is missing")?;
            let number = Value::Integer(i64::try_from(number)?);
            let chain = vec![event[0].clone(), event[1].clone(), number, event[12].clone(), Value::Integer(0)];
            // Where the subject is a key, it was made.
            let made = keys.remove(&subject).map(|row| ("api_keys", row));
            let others = [("audit_chains", chain), ("audit_events", event), ("changes", change)];
            rows.push(made.into_iter().chain(others).collect());
        }
        for end in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(self.folder.join(format!("rows.sqlite{end}")));
        }
        Ok(rows)
    }

    fn write_bare(&self, batches: Vec<Vec<Rows>>) -> Result<(), Failure> {
        for batch in batches {
            self.bare.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
            for (table, row) in batch.iter().flatten() {
                let places = vec!["?"; row.len()].join(", ");
                let verb = if *table == "audit_chains" { UPSERT } else { "" };
                let sql = format!("INSERT INTO {table} VALUES ({places}){verb}");
                self.bare.prepare_cached(&sql)?.execute(rusqlite::params_from_iter(row))?;
            }
            self.bare.prepare_cached("COMMIT")?.execute([])?;
        }
        Ok(())
    }

    fn disk(&self, folder: &Path) -> Result<(u64, u64), Failure> {
        let path = folder.join("disk.sqlite");
        let _ = fs::remove_file(&path);
        let copy = connect(&path)?;
        copy.execute("ATTACH ?1 AS old", [self.path.to_str().ok_or("a path in UTF-8")?])?;
        // The same columns, but for those that latchbook adds for itself.
        copy.execute_batch(
            "CREATE TABLE developers (environment TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL,
                 status TEXT NOT NULL, epoch INTEGER NOT NULL, created_at INTEGER NOT NULL,
                 PRIMARY KEY (environment, id)) STRICT, WITHOUT ROWID;
             CREATE TABLE api_keys (environment TEXT NOT NULL, developer TEXT NOT NULL, id TEXT NOT NULL,
                 brand TEXT NOT NULL, name TEXT NOT NULL, scopes TEXT NOT NULL, allowed_ips TEXT NOT NULL,
                 metadata TEXT NOT NULL, generation INTEGER NOT NULL, pepper TEXT NOT NULL, digest BLOB NOT NULL,
                 ends_at INTEGER, previous_generation INTEGER, previous_pepper TEXT, previous_digest BLOB,
                 previous_ends_at INTEGER, created_at INTEGER NOT NULL, expires_at INTEGER, revoked_at INTEGER,
                 made_by TEXT, PRIMARY KEY (environment, developer, id)) STRICT, WITHOUT ROWID;
             CREATE INDEX api_keys_newest ON api_keys (environment, developer, created_at DESC, id);
             INSERT INTO developers SELECT environment, id, name, status, epoch, created_at FROM old.developers
                 ORDER BY random();
             INSERT INTO api_keys SELECT environment, developer, id, brand, name, scopes, allowed_ips, metadata,
                 generation, pepper, digest, ends_at, previous_generation, previous_pepper, previous_digest,
                 previous_ends_at, created_at, expires_at, revoked_at, made_by FROM old.api_keys ORDER BY random();
             PRAGMA wal_checkpoint(TRUNCATE);",
        )?;
        copy.close().map_err(|(_, error)| error)?;
        let sizes = (fs::metadata(&path)?.len(), fs::metadata(&self.path)?.len());
        fs::remove_file(&path)?;
        Ok(sizes)
    }
}

const UPSERT: &str = " ON CONFLICT (environment, developer) DO UPDATE SET events = excluded.events, \
     head = excluded.head, checksum = excluded.checksum";

/// With the settings that the store gives its connections.
fn connect(path: &Path) -> Result<Connection, Failure> {
    let db = Connection::open(path)?;
    db.set_prepared_statement_cache_capacity(64);
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL; PRAGMA cell_size_check = ON;
         PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8192;",
    )?;
    Ok(db)
}

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);
