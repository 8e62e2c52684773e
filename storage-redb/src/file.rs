//! The store's file: made, recognised, opened, and watched while it is open.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use latchbook_core::key_store::StoreError;
use latchbook_core::model::StoreMeta;
use redb::backends::FileBackend;
use redb::{Database, DatabaseError, ReadableDatabase as _, StorageBackend, StorageError, TableError};

use crate::overlay::Overlay;
use crate::tables::{COUNTERS, Tables, Tree};
use crate::transaction::{begin, fault};
use latchbook_core::key_store::encoding::encode;

/// Where a database comes from, the first time and whenever it has to be opened again.
pub(crate) trait Origin: Send + 'static {
    /// Opens the database. It is known to be a store of ours then.
    fn open(&self) -> Result<Database, StoreError>;
    /// Whether what is open is still what others would find.
    fn verify(&self) -> Result<(), StoreError>;
}

/// A store's file. It is the same one as long as the process runs: one put in its place is not trusted.
#[derive(Debug)]
pub(crate) struct StoreFile {
    path: PathBuf,
    identity: Identity,
}

impl StoreFile {
    /// The file at `path`, made with its folder where there is none. A file that is refused is left unchanged.
    pub(crate) fn find(path: &Path) -> Result<Self, StoreError> {
        if let Err(error) = fs::symlink_metadata(path)
            && error.kind() == io::ErrorKind::NotFound
        {
            create(path)?;
        }
        let metadata = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
        if !metadata.is_file() {
            return Err(foreign(format!(
                "`{}` is not a file; name the store's file, or one to be made",
                path.display()
            )));
        }
        if metadata.len() == 0 {
            let text = format!("`{}` is empty and no store; remove it to have a new one made", path.display());
            return Err(foreign(text));
        }
        let file = Self { path: path.to_owned(), identity: identity(&metadata) };
        file.recognise()?;
        Ok(file)
    }

    /// Looks into the file without writing to it, even where redb has to repair it first.
    fn recognise(&self) -> Result<(), StoreError> {
        let overlay = Overlay::new(self.backend()?).map_err(|error| unreadable(&self.path, &error))?;
        self.open_on(overlay).map(drop)
    }

    fn open_on(&self, backend: impl StorageBackend) -> Result<Database, StoreError> {
        let path = &self.path;
        // A damaged file can make redb panic; that must cost the file its trust and nothing else.
        catch_unwind(AssertUnwindSafe(|| {
            let mut builder = Database::builder();
            builder.set_cache_size(CACHE);
            let database = builder.create_with_backend(backend).map_err(|error| refused(path, error))?;
            check_format(path, &database)?;
            Ok(database)
        }))
        .unwrap_or_else(|_| Err(damaged(path, "redb cannot read it")))
    }

    fn backend(&self) -> Result<FileBackend, StoreError> {
        let file = OpenOptions::new().read(true).write(true).open(&self.path);
        let file = file.map_err(|error| unreadable(&self.path, &error))?;
        FileBackend::new(file).map_err(|error| refused(&self.path, error))
    }
}

impl Origin for StoreFile {
    fn open(&self) -> Result<Database, StoreError> {
        self.verify()?;
        self.open_on(self.backend()?)
    }

    fn verify(&self) -> Result<(), StoreError> {
        let metadata = fs::metadata(&self.path).map_err(|error| unreadable(&self.path, &error))?;
        if identity(&metadata) == self.identity {
            return Ok(());
        }
        let path = self.path.display();
        Err(StoreError::unavailable(format!("`{path}` was replaced while it was in use; put it back or start anew")))
    }
}

/// Makes a store beside `path` and moves it there whole, so that a crash leaves none that is half made.
fn create(path: &Path) -> Result<(), StoreError> {
    let failed = |error: io::Error| {
        let text =
            format!("`{}` cannot be made: {error}; give this process a folder that it can write to", path.display());
        StoreError::unavailable(text)
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    private_folder(folder).map_err(failed)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let unfinished = path.with_file_name(name);
    let made = private_file(&unfinished).map_err(failed).and_then(|file| initialise(path, file));
    let made = made.and_then(|()| match fs::hard_link(&unfinished, path) {
        // Another process was faster; its store is as good.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked.map_err(failed),
    });
    let removed = fs::remove_file(&unfinished).map_err(failed);
    made.and(removed)?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

fn initialise(path: &Path, file: File) -> Result<(), StoreError> {
    let backend = FileBackend::new(file).map_err(|error| refused(path, error))?;
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

fn damaged(path: &Path, what: &str) -> StoreError {
    StoreError::corrupt(format!("`{}` cannot be used ({what}); put a backup in its place", path.display()))
}

fn foreign(text: String) -> StoreError {
    StoreError::Foreign(text.into())
}

fn unreadable(path: &Path, error: &io::Error) -> StoreError {
    let text = format!("`{}` cannot be opened: {error}; let this process read and write it", path.display());
    StoreError::unavailable(text)
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

/// Makes the file at `path` anew, for this user alone.
fn private_file(path: &Path) -> io::Result<File> {
    // Left behind by a process that had the same number and died.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// The row that says whose file it is, in every version of the format: [`MAGIC`], then the version.
const FORMAT_KEY: &[u8] = b"format";
const MAGIC: &[u8; 16] = b"latchbook store\n";
const FORMAT: u32 = 1;

/// How much of the file redb keeps in memory, in bytes.
const CACHE: usize = 256 * 1024 * 1024;
