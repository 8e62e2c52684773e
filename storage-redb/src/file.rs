//! The store's file as redb reads it: made, recognised and opened.

use std::fs::OpenOptions;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use latchbook_core::key_store::StoreError;
use latchbook_core::key_store::encoding::encode;
use latchbook_core::model::StoreMeta;
use latchbook_file::{StoreFile, damaged, foreign, make_whole, missing, unreadable};
use redb::backends::FileBackend;
use redb::{Database, DatabaseError, ReadableDatabase as _, StorageBackend, StorageError, TableError};

use crate::overlay::Overlay;
use crate::tables::{COUNTERS, Tables, Tree};
use crate::transaction::{begin, fault};

/// Where a database comes from, the first time and whenever it has to be opened again.
pub(crate) trait Origin: Send + 'static {
    /// Opens the database. It is known to be a store of ours then.
    fn open(&self) -> Result<Database, StoreError>;
    /// Whether what is open is still what others would find.
    fn verify(&self) -> Result<(), StoreError>;
}

/// A store's file, as redb opens it.
#[derive(Debug)]
pub(crate) struct RedbFile {
    file: StoreFile,
    /// Whether nothing may be written to it.
    read_only: bool,
    /// How much of it redb keeps in memory, in bytes.
    cache: usize,
}

impl RedbFile {
    /// The file at `path`, made with its folder where there is none. A file that is refused is left unchanged.
    pub(crate) fn find(path: &Path, cache: usize) -> Result<Self, StoreError> {
        let create = || make_whole(path, path, &[], |unfinished| initialise(path, unfinished));
        let file = Self { file: StoreFile::find(path, path, create)?, read_only: false, cache };
        file.recognise()?;
        Ok(file)
    }

    /// The file at `path`, which is never written to.
    pub(crate) fn find_read_only(path: &Path, cache: usize) -> Result<Self, StoreError> {
        Ok(Self { file: StoreFile::find(path, path, || Err(missing(path)))?, read_only: true, cache })
    }

    /// Looks into the file without writing to it, even where redb has to repair it first.
    fn recognise(&self) -> Result<(), StoreError> {
        self.open_on(self.overlay()?).map(drop)
    }

    fn overlay(&self) -> Result<Overlay, StoreError> {
        let over = if self.read_only { Overlay::read_only } else { Overlay::new };
        over(self.backend()?).map_err(|error| unreadable(self.file.shown(), &error))
    }

    fn open_on(&self, backend: impl StorageBackend) -> Result<Database, StoreError> {
        let path = self.file.shown();
        // A damaged file can make redb panic; that must cost the file its trust and nothing else.
        catch_unwind(AssertUnwindSafe(|| {
            let mut builder = Database::builder();
            builder.set_cache_size(self.cache);
            let database = builder.create_with_backend(backend).map_err(|error| refused(path, error))?;
            check_format(path, &database)?;
            Ok(database)
        }))
        .unwrap_or_else(|_| Err(damaged(path, "redb cannot read it")))
    }

    fn backend(&self) -> Result<FileBackend, StoreError> {
        backend(self.file.shown(), self.file.path(), !self.read_only)
    }
}

impl Origin for RedbFile {
    fn open(&self) -> Result<Database, StoreError> {
        self.verify()?;
        if self.read_only { self.open_on(self.overlay()?) } else { self.open_on(self.backend()?) }
    }

    fn verify(&self) -> Result<(), StoreError> {
        self.file.verify()
    }
}

/// The file at `path`, for redb; what is wrong is said of `shown`.
fn backend(shown: &Path, path: &Path, writes: bool) -> Result<FileBackend, StoreError> {
    let file = OpenOptions::new().read(true).write(writes).open(path);
    let file = file.map_err(|error| unreadable(shown, &error))?;
    FileBackend::new(file).map_err(|error| refused(shown, error))
}

fn initialise(path: &Path, unfinished: &Path) -> Result<(), StoreError> {
    let backend = backend(path, unfinished, true)?;
    let database = Database::builder().create_with_backend(backend).map_err(|error| refused(path, error))?;
    let transaction = begin(&database)?;
    {
        let mut tables = Tables::open(&transaction).map_err(fault)?;
        let format = [MAGIC.as_slice(), &FORMAT.to_be_bytes()].concat();
        let counters = encode(COUNTERS, &StoreMeta::default());
        tables.write(
            &[((Tree::Meta, FORMAT_KEY.to_vec()), Some(format)), ((Tree::Meta, COUNTERS.to_vec()), Some(counters))]
                .into(),
        )?;
    }
    transaction.commit().map_err(fault)
}

fn check_format(path: &Path, database: &Database) -> Result<(), StoreError> {
    let no_store = || foreign(format!("`{}` is a redb database, but no store of latchbook's", path.display()));
    let transaction = database.begin_read().map_err(fault)?;
    let meta = match transaction.open_table(Tree::Meta.definition()) {
        Ok(meta) => meta,
        Err(TableError::Storage(error)) => return Err(fault(error)),
        Err(_) => return Err(no_store()),
    };
    let row = meta.get(FORMAT_KEY).map_err(fault)?.ok_or_else(no_store)?;
    let version = row.value().strip_prefix(MAGIC.as_slice()).ok_or_else(no_store)?;
    match version.try_into().map(u32::from_be_bytes) {
        Ok(FORMAT) => Ok(()),
        Ok(newer) if newer > FORMAT => {
            let path = path.display();
            Err(StoreError::Newer(
                format!("`{path}` has format {newer} of a newer latchbook; this one reads {FORMAT}: use the newer one")
                    .into(),
            ))
        }
        _ => Err(damaged(path, "its format row is wrong")),
    }
}

/// Why redb did not open the file at `path`.
fn refused(path: &Path, error: DatabaseError) -> StoreError {
    let path_shown = path.display();
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => StoreError::Locked(
            format!("`{path_shown}` is in use by another process, or twice by this one; close it there first").into(),
        ),
        DatabaseError::UpgradeRequired(_) => {
            foreign(format!("`{path_shown}` is an old redb database, but no store of latchbook's"))
        }
        DatabaseError::Storage(StorageError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
            foreign(format!("`{path_shown}` is no store of latchbook's; name another file"))
        }
        DatabaseError::Storage(StorageError::Io(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
            damaged(path, "it ends too early")
        }
        DatabaseError::Storage(StorageError::Corrupted(text)) => damaged(path, &text),
        DatabaseError::RepairAborted => damaged(path, "its repair was given up"),
        error => StoreError::unavailable(format!("`{path_shown}` cannot be opened: {error}")),
    }
}

/// The row that says whose file it is, in every version of the format: [`MAGIC`], then the version.
const FORMAT_KEY: &[u8] = b"format";
const MAGIC: &[u8; 16] = b"latchbook store\n";
const FORMAT: u32 = 1;
