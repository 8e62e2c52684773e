//! The store's file as SQLite reads it: made, recognised, opened, and watched together with its log.

use std::error::Error;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use latchbook_core::key_store::StoreError;
use latchbook_file::{
    Identity, StoreFile, beside, damaged, foreign, identity, make_whole, missing, unmade, unreadable,
};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode};

use crate::changes::counters;
use crate::connection::{Use, connect, fault, frozen, is_busy};
use crate::rows::Counters;
use crate::schema::{self, APPLICATION_ID, VERSION};
use crate::tables;

/// A store's file, as SQLite opens it.
#[derive(Debug)]
pub(crate) struct SqliteFile {
    /// Its path is absolute, so that it stays right when the process changes its folder, and is never taken for a URI.
    file: StoreFile,
    timeout: Duration,
    /// How it is read.
    reads_as: Use,
}

/// An open database, known to be a store of ours.
pub(crate) struct Open {
    pub(crate) writer: Connection,
    /// The write-ahead log that belongs to it.
    log: Option<Identity>,
}

impl SqliteFile {
    /// The file at `path`, made with its folder where there is none. A file that is refused is left unchanged.
    pub(crate) fn find(shown: &Path, timeout: Duration) -> Result<Self, StoreError> {
        check_sqlite()?;
        let path = std::path::absolute(shown).map_err(|error| unreadable(shown, &error))?;
        let file = StoreFile::find(shown, &path, || create(shown, &path))?;
        let file = Self { file, timeout, reads_as: Use::Read };
        file.recognise()?;
        Ok(file)
    }

    /// The file at `path`, which is never written to.
    pub(crate) fn find_read_only(shown: &Path, timeout: Duration) -> Result<Self, StoreError> {
        check_sqlite()?;
        let path = std::path::absolute(shown).map_err(|error| unreadable(shown, &error))?;
        let file = StoreFile::find(shown, &path, || Err(missing(shown)))?;
        let mut file = Self { file, timeout, reads_as: Use::ReadAlone };
        file.recognise()?;
        let version = match file.version() {
            // What the log needs beside it cannot be there. Where no log is, nothing is needed.
            Err(error) if lacks_room(&error) && !file.has_log() => {
                file.reads_as = Use::ReadFrozen;
                file.version()
            }
            looked => looked,
        };
        let version = version.map_err(|error| match lacks_room(&error) {
            true => StoreError::unavailable(format!(
                "`{0}` has a write-ahead log that cannot be read where it is; copy `{0}` and `{0}-wal` to a folder that \
                 this process can write to, and open the copy",
                shown.display()
            )),
            false => file.refused(error),
        })?;
        file.check_version(version)?;
        if version < VERSION {
            let text = format!("`{}` has an older format; open it once without `read_only` first", shown.display());
            return Err(StoreError::unavailable(text));
        }
        Ok(file)
    }

    /// The version of the tables, its log included.
    fn version(&self) -> rusqlite::Result<i64> {
        schema::version(&connect(self.file.path(), self.timeout, self.reads_as)?)
    }

    fn has_log(&self) -> bool {
        fs::metadata(beside(self.file.path(), "-wal")).is_ok_and(|metadata| metadata.len() > 0)
    }

    /// As the host named it, for messages.
    pub(crate) fn shown(&self) -> &Path {
        self.file.shown()
    }

    /// Opens the database for the writer's thread.
    pub(crate) fn open(&self) -> Result<Open, StoreError> {
        self.verify_file()?;
        let writer = self.writer()?;
        Ok(Open { writer, log: self.log_identity() })
    }

    /// A connection for reads, which waits for others as long as `busy_timeout`.
    pub(crate) fn reader(&self, busy_timeout: Duration) -> Result<Connection, StoreError> {
        connect(self.file.path(), busy_timeout, self.reads_as).map_err(fault)
    }

    /// Whether what is open is still what others would find, its log included.
    pub(crate) fn verify(&self, open: &Open) -> Result<(), StoreError> {
        self.verify_file()?;
        if open.log == self.log_identity() {
            return Ok(());
        }
        Err(StoreError::unavailable(format!(
            "the write-ahead log of `{}` was removed or replaced while it was in use; put it back or start anew",
            self.file.shown().display()
        )))
    }

    /// The same for the file alone, which is what a read can ask for each time.
    pub(crate) fn verify_file(&self) -> Result<(), StoreError> {
        self.file.verify()
    }

    fn log_identity(&self) -> Option<Identity> {
        fs::metadata(beside(self.file.path(), "-wal")).ok().map(|metadata| identity(&metadata))
    }

    /// Looks at the head of the file without a lock and without its log, so that nothing is written beside it. Never
    /// by `std::fs`: closing a file drops every lock that this process has on it, also those of another store here.
    fn recognise(&self) -> Result<(), StoreError> {
        let looked = frozen(self.file.path()).and_then(|db| {
            let application: i64 = db.query_row("PRAGMA application_id", [], |row| row.get(0))?;
            Ok((application, schema::version(&db)?))
        });
        match looked {
            Ok((APPLICATION_ID, version)) => self.check_version(version),
            Ok(_) => Err(foreign(format!(
                "`{}` is an SQLite database, but no store of latchbook's; name another file",
                self.file.shown().display()
            ))),
            // Another process may have been writing to its head just now: the log decides.
            Err(error) if damages(&error) && beside(self.file.path(), "-wal").exists() => Ok(()),
            Err(error) => Err(self.refused(error)),
        }
    }

    fn writer(&self) -> Result<Connection, StoreError> {
        let db = connect(self.file.path(), self.timeout, Use::Write).map_err(|error| self.refused(error))?;
        // Until it is accepted, closing it leaves the file as it is.
        let keep = |keep| db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep);
        keep(true).map_err(fault)?;
        let read = |sql: &str| -> Result<i64, StoreError> {
            db.query_row(sql, [], |row| row.get(0)).map_err(|error| self.refused(error))
        };
        if read("PRAGMA application_id")? != APPLICATION_ID {
            return Err(damaged(self.file.shown(), "its head was changed"));
        }
        self.check_version(read("PRAGMA user_version")?)?;
        if db.is_readonly("main").map_err(fault)? {
            let text =
                format!("`{}` cannot be written; let this process read and write it", self.file.shown().display());
            return Err(StoreError::unavailable(text));
        }
        let mode: String =
            db.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(|error| self.refused(error))?;
        if mode != "wal" {
            let text = format!(
                "`{}` cannot have a write-ahead log where it is; put it on a local disk, not on a network share",
                self.file.shown().display()
            );
            return Err(StoreError::unavailable(text));
        }
        schema::migrate(&db).map_err(|error| self.refused(error))?;
        counters(&db).map_err(|error| match error {
            StoreError::Corrupt(error) => damaged(self.file.shown(), &error.to_string()),
            error => error,
        })?;
        keep(false).map_err(fault)?;
        Ok(db)
    }

    fn check_version(&self, version: i64) -> Result<(), StoreError> {
        let path = self.file.shown().display();
        if version > VERSION {
            let text = format!(
                "`{path}` has format {version} of a newer latchbook; this one reads {VERSION}: use the newer one"
            );
            return Err(StoreError::Newer(text.into()));
        }
        if version < 0 { Err(damaged(self.file.shown(), "its format is no number of ours")) } else { Ok(()) }
    }

    /// Why SQLite did not open the file.
    fn refused(&self, error: rusqlite::Error) -> StoreError {
        let path = self.file.shown().display();
        if is_busy(&error) {
            let text = format!("`{path}` is locked by another process, and stayed so; close it there first");
            return StoreError::Locked(text.into());
        }
        if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) {
            return foreign(format!("`{path}` is no store of latchbook's; name another file"));
        }
        match fault(error) {
            StoreError::Corrupt(error) => damaged(self.file.shown(), &error.to_string()),
            error => StoreError::unavailable(format!(
                "`{path}` cannot be opened ({}); let this process read and write it and its folder",
                source_of(&error)
            )),
        }
    }
}

/// The first SQLite whose write-ahead log is safe under several processes.
const OLDEST: i32 = 3_051_003;

fn check_sqlite() -> Result<(), StoreError> {
    if rusqlite::version_number() >= OLDEST {
        return Ok(());
    }
    let found = rusqlite::version();
    Err(StoreError::unavailable(format!(
        "SQLite {found} can lose commits of several processes; link 3.51.3 or newer, or use the feature `bundled`"
    )))
}

/// Makes a store beside `path` and moves it there whole, so that a crash leaves none that is half made.
fn create(shown: &Path, path: &Path) -> Result<(), StoreError> {
    for left in ["-wal", "-journal"].map(|end| beside(path, end)) {
        if left.symlink_metadata().is_ok() {
            return Err(StoreError::corrupt(format!(
                "`{}` is missing, but its log `{}` is there; put the file back, or move the log away",
                shown.display(),
                left.display()
            )));
        }
    }
    // SQLite gives its log the mode of its file.
    make_whole(shown, path, &["-wal", "-shm", "-journal"], |unfinished| {
        initialise(unfinished).map_err(|error| unmade(shown, &io::Error::other(error)))
    })
}

fn initialise(path: &Path) -> Result<(), Box<dyn Error + Send + Sync>> {
    let db = connect(path, Duration::ZERO, Use::Write)?;
    db.execute_batch(&format!("PRAGMA journal_mode = WAL; PRAGMA application_id = {APPLICATION_ID};"))?;
    schema::migrate(&db)?;
    tables::put(&db, &Counters::default())?;
    // Closing moves everything from the log into the file, and syncs it.
    Ok(db.close().map_err(|(_, error)| error)?)
}

/// Whether SQLite could not make or write what it keeps beside the file.
fn lacks_room(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied))
}

fn damages(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt))
}

fn source_of(error: &StoreError) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}
