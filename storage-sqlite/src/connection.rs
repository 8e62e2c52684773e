//! Connections: how each is set up, and what SQLite's faults mean.

use std::path::Path;
use std::time::Duration;

use latchbook_core::key_store::StoreError;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, Error, ErrorCode, OpenFlags, Result};

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// The writer's thread.
    Write,
    /// Reads beside it, which keep the log in order as it does.
    Read,
    /// Reads of a file that is never written to.
    ReadAlone,
    /// The same where nobody can write to it, so that no log is needed beside it.
    ReadFrozen,
}

/// A connection to the database that is at `path`.
pub(crate) fn connect(path: &Path, busy_timeout: Duration, use_as: Use) -> Result<Connection> {
    let plain = OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = match use_as {
        Use::Write | Use::Read => Connection::open_with_flags(path, plain | OpenFlags::SQLITE_OPEN_READ_WRITE)?,
        Use::ReadAlone => Connection::open_with_flags(path, plain | OpenFlags::SQLITE_OPEN_READ_ONLY)?,
        Use::ReadFrozen => frozen(path)?,
    };
    db.busy_timeout(busy_timeout)?;
    // The schema cannot call functions, and nobody writes to it behind SQLite's back.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    // FULL: a commit is on disk when it is answered. Cells are checked, since pages have no checksums.
    db.execute_batch(
        "PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL; PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY;
         PRAGMA cache_size = -8192; PRAGMA wal_autocheckpoint = 4000;",
    )?;
    if use_as != Use::Write {
        db.execute_batch("PRAGMA query_only = ON")?;
    }
    Ok(db)
}

/// A connection that takes the file for one that nobody changes: without a lock and without its log.
pub(crate) fn frozen(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(uri(path), flags)
}

/// The file at `path` as SQLite reads it where nobody changes it.
fn uri(path: &Path) -> String {
    use std::fmt::Write as _;
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'.' | b'_') {
            uri.push(char::from(*byte));
        } else {
            // Writing to a text cannot fail.
            let _ = write!(uri, "%{byte:02x}");
        }
    }
    uri + "?immutable=1"
}

/// Whether others hold what is needed, and may give it free.
pub(crate) fn is_busy(error: &Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// A fault of SQLite's once the file is open.
pub(crate) fn fault(error: Error) -> StoreError {
    if is_busy(&error) {
        return StoreError::unavailable(Busy);
    }
    match error.sqlite_error_code() {
        Some(
            ErrorCode::DatabaseCorrupt
            | ErrorCode::NotADatabase
            | ErrorCode::ConstraintViolation
            | ErrorCode::TypeMismatch
            // A table or a column that every store has is not there.
            | ErrorCode::Unknown,
        ) => StoreError::corrupt(error),
        _ => StoreError::unavailable(error),
    }
}

/// Whether `error` says no more than that others were in the way.
pub(crate) fn was_busy(error: &StoreError) -> bool {
    matches!(error, StoreError::Unavailable(source) if source.is::<Busy>())
}

#[derive(Debug, thiserror::Error)]
#[error("the database is locked by another process")]
struct Busy;

/// A transaction for writing: it has the lock from its beginning, so that what it reads cannot change.
pub(crate) const BEGIN: &str = "BEGIN IMMEDIATE";
pub(crate) const COMMIT: &str = "COMMIT";
pub(crate) const ROLLBACK: &str = "ROLLBACK";

/// What `read` finds, as of one instant.
pub(crate) fn at_one_instant<T>(
    db: &Connection,
    read: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let run = |sql| db.prepare_cached(sql).and_then(|mut statement| statement.execute([])).map_err(fault);
    run("BEGIN DEFERRED")?;
    let found = read();
    let ended = run(COMMIT);
    if ended.is_err() {
        // The connection must not keep its view; the first fault is the better answer.
        let _ = run(ROLLBACK);
    }
    let found = found?;
    ended.map(|_| found)
}

/// Most statements that a connection keeps prepared: all that there are.
const STATEMENTS: usize = 128;
