//! A store's file: made whole and for this user alone, found, and watched while it is open.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use latchbook_core::key_store::StoreError;

/// A store's file. It is the same one as long as the process runs: one put in its place is not trusted.
#[derive(Debug)]
pub struct StoreFile {
    /// As the host named it, for messages.
    shown: PathBuf,
    path: PathBuf,
    identity: Identity,
}

impl StoreFile {
    /// The file at `path`, which the host calls `shown`; `create` makes it where there is none.
    ///
    /// # Errors
    /// [`StoreError::Foreign`] if it is no file or empty, [`StoreError::Unavailable`] if it cannot be looked at, and
    /// what `create` says.
    pub fn find(
        shown: &Path,
        path: &Path,
        create: impl FnOnce() -> Result<(), StoreError>,
    ) -> Result<Self, StoreError> {
        if let Err(error) = fs::symlink_metadata(path)
            && error.kind() == io::ErrorKind::NotFound
        {
            create()?;
        }
        let metadata = fs::metadata(path).map_err(|error| unreadable(shown, &error))?;
        let refused = |text| Err(foreign(format!("`{}` {text}", shown.display())));
        if !metadata.is_file() {
            return refused("is not a file; name the store's file, or one to be made");
        }
        if metadata.len() == 0 {
            return refused("is empty and no store; remove it to have a new one made");
        }
        Ok(Self { shown: shown.to_owned(), path: path.to_owned(), identity: identity(&metadata) })
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// As the host named it, for messages.
    #[must_use]
    pub fn shown(&self) -> &Path {
        &self.shown
    }

    /// Whether what was found is still what others would find.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if it was removed or replaced.
    pub fn verify(&self) -> Result<(), StoreError> {
        let metadata = fs::metadata(&self.path).map_err(|error| unreadable(&self.shown, &error))?;
        if identity(&metadata) == self.identity {
            return Ok(());
        }
        let path = self.shown.display();
        Err(StoreError::unavailable(format!("`{path}` was replaced while it was in use; put it back or start anew")))
    }
}

/// Makes a store beside `path` by `fill`, which is given an empty file's path, and moves it there whole, so that a crash
/// leaves none that is half made. File and folder are for this user alone (0600, 0700). `ends` are those of the files
/// that the engine keeps beside its own.
///
/// # Errors
/// [`StoreError::Unavailable`] if it cannot be made, and what `fill` says.
pub fn make_whole(
    shown: &Path,
    path: &Path,
    ends: &[&str],
    fill: impl FnOnce(&Path) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let failed = |error: io::Error| unmade(shown, &error);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    private_folder(folder).map_err(failed)?;
    let unfinished = beside(path, &format!(".{}.new", std::process::id()));
    let made = private_file(&unfinished, ends).map_err(failed).and_then(|()| fill(&unfinished));
    let made = made.and_then(|()| match fs::hard_link(&unfinished, path) {
        // Another process was faster; its store is as good.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked.map_err(failed),
    });
    let removed = fs::remove_file(&unfinished).map_err(failed);
    made.and(removed)?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

/// The path of a file beside the one at `path`, whose name goes on with `end`.
#[must_use]
pub fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(end);
    path.with_file_name(name)
}

/// Says that the file is damaged.
#[must_use]
pub fn damaged(shown: &Path, what: &str) -> StoreError {
    StoreError::corrupt(format!("`{}` cannot be used ({what}); put a backup in its place", shown.display()))
}

/// Says that a file is none of latchbook's.
#[must_use]
pub fn foreign(text: String) -> StoreError {
    StoreError::Foreign(text.into())
}

/// Says that there is no file, where none may be made.
#[must_use]
pub fn missing(shown: &Path) -> StoreError {
    StoreError::unavailable(format!("there is no `{}`; a store that is opened for reading must exist", shown.display()))
}

/// Says that a store which was opened for reading cannot be changed.
#[must_use]
pub fn read_only(shown: &Path) -> StoreError {
    let text = format!("`{}` was opened for reading alone; open it without `read_only` to change it", shown.display());
    StoreError::unavailable(text)
}

/// Says that the file cannot be made.
#[must_use]
pub fn unmade(shown: &Path, error: &io::Error) -> StoreError {
    let text =
        format!("`{}` cannot be made: {error}; give this process a folder that it can write to", shown.display());
    StoreError::unavailable(text)
}

/// Says that the file cannot be read or written.
#[must_use]
pub fn unreadable(shown: &Path, error: &io::Error) -> StoreError {
    let text = format!("`{}` cannot be opened: {error}; let this process read and write it", shown.display());
    StoreError::unavailable(text)
}

/// What a file keeps when it is renamed, and another one at its place does not have.
#[cfg(unix)]
pub type Identity = (u64, u64);

/// The file's identity.
#[cfg(unix)]
#[must_use]
pub fn identity(metadata: &fs::Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.dev(), metadata.ino())
}

/// What a file keeps when it is renamed, and another one at its place does not have: nothing that can be asked for here.
#[cfg(not(unix))]
pub type Identity = ();

/// The file's identity.
#[cfg(not(unix))]
pub fn identity(_: &fs::Metadata) -> Identity {}

/// Makes `folder` where there is none, for this user alone.
fn private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Makes the file at `path` anew, for this user alone.
fn private_file(path: &Path, ends: &[&str]) -> io::Result<()> {
    // Left behind by a process that had the same number and died.
    for left in [""].iter().chain(ends).map(|end| beside(path, end)) {
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
