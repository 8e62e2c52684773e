//! The store's file: made, recognised, opened, and watched while it is open.

use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use latchbook_core::key_store::StoreError;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::changes::counters;
use crate::connection::{connect, fault, is_busy};
use crate::rows::Counters;
use crate::schema::{self, APPLICATION_ID, VERSION};
use crate::tables;

/// A store's file. It is the same one as long as the process runs: one put in its place is not trusted.
#[derive(Debug)]
pub(crate) struct StoreFile {
    /// As the host named it, for messages.
    shown: PathBuf,
    /// Absolute, so that it stays right when the process changes its folder, and is never taken for a URI.
    path: PathBuf,
    identity: Identity,
    timeout: Duration,
}

/// An open database, known to be a store of ours.
pub(crate) struct Open {
    pub(crate) writer: Connection,
    /// The write-ahead log that belongs to it.
    log: Option<Identity>,
}

impl StoreFile {
    /// The file at `path`, made with its folder where there is none. A file that is refused is left unchanged.
    pub(crate) fn find(shown: &Path, timeout: Duration) -> Result<Self, StoreError> {
        check_sqlite()?;
        let path = std::path::absolute(shown).map_err(|error| unreadable(shown, &error))?;
        if let Err(error) = fs::symlink_metadata(&path)
            && error.kind() == io::ErrorKind::NotFound
        {
            create(shown, &path)?;
        }
        let metadata = fs::metadata(&path).map_err(|error| unreadable(shown, &error))?;
        let refused = |text| Err(foreign(format!("`{}` {text}", shown.display())));
        if !metadata.is_file() {
            return refused("is not a file; name the store's file, or one to be made");
        }
        if metadata.len() == 0 {
            return refused("is empty and no store; remove it to have a new one made");
        }
        let file = Self { shown: shown.to_owned(), path, identity: identity(&metadata), timeout };
        file.recognise()?;
        Ok(file)
    }

    /// Opens the database for the writer's thread.
    pub(crate) fn open(&self) -> Result<Open, StoreError> {
        self.verify_file()?;
        let writer = self.writer()?;
        Ok(Open { writer, log: self.log_identity() })
    }

    /// A connection for reads, which waits for others as long as `busy_timeout`.
    pub(crate) fn reader(&self, busy_timeout: Duration) -> Result<Connection, StoreError> {
        connect(&self.path, busy_timeout, false).map_err(fault)
    }

    /// Whether what is open is still what others would find, its log included.
    pub(crate) fn verify(&self, open: &Open) -> Result<(), StoreError> {
        self.verify_file()?;
        if open.log == self.log_identity() {
            return Ok(());
        }
        Err(StoreError::unavailable(format!(
            "the write-ahead log of `{}` was removed or replaced while it was in use; put it back or start anew",
            self.shown.display()
        )))
    }

    /// The same for the file alone, which is what a read can ask for each time.
    pub(crate) fn verify_file(&self) -> Result<(), StoreError> {
        let metadata = fs::metadata(&self.path).map_err(|error| unreadable(&self.shown, &error))?;
        if identity(&metadata) == self.identity {
            return Ok(());
        }
        let path = self.shown.display();
        Err(StoreError::unavailable(format!("`{path}` was replaced while it was in use; put it back or start anew")))
    }

    fn log_identity(&self) -> Option<Identity> {
        fs::metadata(beside(&self.path, "-wal")).ok().map(|metadata| identity(&metadata))
    }

    /// Looks at the head of the file without a lock and without its log, so that nothing is written beside it. Never
    /// by `std::fs`: closing a file drops every lock that this process has on it, also those of another store here.
    fn recognise(&self) -> Result<(), StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let looked = Connection::open_with_flags(uri(&self.path), flags).and_then(|db| {
            let application: i64 = db.query_row("PRAGMA application_id", [], |row| row.get(0))?;
            Ok((application, schema::version(&db)?))
        });
        match looked {
            Ok((APPLICATION_ID, version)) => self.check_version(version),
            Ok(_) => Err(foreign(format!(
                "`{}` is an SQLite database, but no store of latchbook's; name another file",
                self.shown.display()
            ))),
            // Another process may have been writing to its head just now: the log decides.
            Err(error) if damages(&error) && beside(&self.path, "-wal").exists() => Ok(()),
            Err(error) => Err(self.refused(error)),
        }
    }

    fn writer(&self) -> Result<Connection, StoreError> {
        let db = connect(&self.path, self.timeout, true).map_err(|error| self.refused(error))?;
        // Until it is accepted, closing it leaves the file as it is.
        let keep = |keep| db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep);
        keep(true).map_err(fault)?;
        let read = |sql: &str| -> Result<i64, StoreError> {
            db.query_row(sql, [], |row| row.get(0)).map_err(|error| self.refused(error))
        };
        if read("PRAGMA application_id")? != APPLICATION_ID {
            return Err(self.damaged("its head was changed"));
        }
        self.check_version(read("PRAGMA user_version")?)?;
        if db.is_readonly("main").map_err(fault)? {
            let text = format!("`{}` cannot be written; let this process read and write it", self.shown.display());
            return Err(StoreError::unavailable(text));
        }
        let mode: String =
            db.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(|error| self.refused(error))?;
        if mode != "wal" {
            let text = format!(
                "`{}` cannot have a write-ahead log where it is; put it on a local disk, not on a network share",
                self.shown.display()
            );
            return Err(StoreError::unavailable(text));
        }
        schema::migrate(&db).map_err(|error| self.refused(error))?;
        counters(&db).map_err(|error| match error {
            StoreError::Corrupt(error) => self.damaged(&error.to_string()),
            error => error,
        })?;
        keep(false).map_err(fault)?;
        Ok(db)
    }

    fn check_version(&self, version: i64) -> Result<(), StoreError> {
        let path = self.shown.display();
        if version > VERSION {
            let text = format!(
                "`{path}` has format {version} of a newer latchbook; this one reads {VERSION}: use the newer one"
            );
            return Err(StoreError::Newer(text.into()));
        }
        if version < 0 { Err(self.damaged("its format is no number of ours")) } else { Ok(()) }
    }

    /// Why SQLite did not open the file.
    fn refused(&self, error: rusqlite::Error) -> StoreError {
        let path = self.shown.display();
        if is_busy(&error) {
            let text = format!("`{path}` is locked by another process, and stayed so; close it there first");
            return StoreError::Locked(text.into());
        }
        if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) {
            return foreign(format!("`{path}` is no store of latchbook's; name another file"));
        }
        match fault(error) {
            StoreError::Corrupt(error) => self.damaged(&error.to_string()),
            error => StoreError::unavailable(format!(
                "`{path}` cannot be opened ({}); let this process read and write it and its folder",
                source_of(&error)
            )),
        }
    }

    fn damaged(&self, what: &str) -> StoreError {
        let path = self.shown.display();
        StoreError::corrupt(format!("`{path}` cannot be used ({what}); put a backup in its place"))
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
    let failed = |error: io::Error| {
        let text =
            format!("`{}` cannot be made: {error}; give this process a folder that it can write to", shown.display());
        StoreError::unavailable(text)
    };
    for left in ["-wal", "-journal"].map(|end| beside(path, end)) {
        if left.symlink_metadata().is_ok() {
            return Err(StoreError::corrupt(format!(
                "`{}` is missing, but its log `{}` is there; put the file back, or move the log away",
                shown.display(),
                left.display()
            )));
        }
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    private_folder(folder).map_err(failed)?;
    let unfinished = beside(path, &format!(".{}.new", std::process::id()));
    let made = private_file(&unfinished).map_err(failed);
    let made = made.and_then(|()| initialise(&unfinished).map_err(|error| failed(io::Error::other(error))));
    let made = made.and_then(|()| match fs::hard_link(&unfinished, path) {
        // Another process was faster; its store is as good.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked.map_err(failed),
    });
    let removed = fs::remove_file(&unfinished).map_err(failed);
    made.and(removed)?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

fn initialise(path: &Path) -> Result<(), Box<dyn Error + Send + Sync>> {
    let db = connect(path, Duration::ZERO, true)?;
    db.execute_batch(&format!("PRAGMA journal_mode = WAL; PRAGMA application_id = {APPLICATION_ID};"))?;
    schema::migrate(&db)?;
    tables::put(&db, &Counters::default())?;
    // Closing moves everything from the log into the file, and syncs it.
    Ok(db.close().map_err(|(_, error)| error)?)
}

fn damages(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt))
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

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(end);
    path.with_file_name(name)
}

fn foreign(text: String) -> StoreError {
    StoreError::Foreign(text.into())
}

fn unreadable(path: &Path, error: &io::Error) -> StoreError {
    let text = format!("`{}` cannot be opened: {error}; let this process read and write it", path.display());
    StoreError::unavailable(text)
}

fn source_of(error: &StoreError) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(unix)]
type Identity = (u64, u64);

/// What a file keeps when it is renamed, and another one at its place does not have.
#[cfg(unix)]
fn identity(metadata: &fs::Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
type Identity = ();

#[cfg(not(unix))]
fn identity(_: &fs::Metadata) -> Identity {}

/// Makes `folder` where there is none, for this user alone.
fn private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Makes the file at `path` anew, for this user alone; SQLite gives its log the same mode.
fn private_file(path: &Path) -> io::Result<()> {
    // Left behind by a process that had the same number and died.
    for left in ["", "-wal", "-shm", "-journal"].map(|end| beside(path, end)) {
        match fs::remove_file(left) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}
