//! Files of secrets: made whole or not at all, never over another's, and read only where nobody else can.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use zeroize::Zeroizing;

/// Longest file that is read, so that a wrong path does not fill the memory.
const LONGEST: usize = 65_536;

/// Makes the file at `path` with this content, and its folder where there is none, for this user alone. It is on the
/// disk when this returns. A file that is there by then is left as it is.
///
/// # Errors
/// Whatever the file system says.
pub fn make(path: &Path, content: &[u8]) -> io::Result<()> {
    make_by(path, |mut file| {
        file.write_all(content)?;
        file.sync_all()
    })
}

/// The same, with the content that `fill` writes, durably, into an empty file.
///
/// # Errors
/// Whatever the file system, or `fill`, says.
pub fn make_by(path: &Path, fill: impl FnOnce(File) -> io::Result<()>) -> io::Result<()> {
    let folder = folder(path);
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;

    // Filled aside, then linked to its name: the name never leads to half a file, whenever this process ends.
    let mut name = OsString::from(".");
    name.push(path.file_name().ok_or_else(|| io::Error::other("this is no name of a file"))?);
    name.push(format!(".{}", std::process::id()));
    let aside = path.with_file_name(name);
    let filled = new_file(&aside).and_then(fill);
    let linked = filled.and_then(|()| match fs::hard_link(&aside, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    });
    let _ = fs::remove_file(&aside);
    linked?;
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    Ok(())
}

/// The content of the file at `path`; `None` where there is none. One that others can read is refused, as is one of more
/// than 65,536 bytes.
///
/// # Errors
/// Whatever the file system says, or why the file is refused.
pub fn read(path: &Path) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0 {
        return Err(io::Error::other("others can read it"));
    }
    // Sized for the longest, so that growing leaves no part of a secret behind in freed memory.
    let mut content = Zeroizing::new(Vec::with_capacity(LONGEST + 1));
    file.take(LONGEST as u64 + 1).read_to_end(&mut content)?;
    if content.len() > LONGEST { Err(io::Error::other("it is far too long")) } else { Ok(Some(content)) }
}

/// The folder that `path` lies in.
#[must_use]
pub fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn new_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        // Left behind by a process that had the same number and died.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(path)?;
            options.open(path)
        }
        other => other,
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_made_for_this_user_alone_and_never_over_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/secret");
        make(&path, b"first").unwrap();
        make(&path, b"second").unwrap();
        assert_eq!(read(&path).unwrap().unwrap().as_slice(), b"first");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        let names: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["secret"], "nothing is left aside");
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        assert!(read(&path).unwrap().is_none());
        make(&path, b"text").unwrap();
        for (mode, good) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(read(&path).is_ok(), good, "{mode:o}");
        }
    }

    #[test]
    fn a_file_that_is_far_too_long_is_not_read_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("long");
        make(&path, &[b' '; LONGEST + 1]).unwrap();
        assert!(read(&path).is_err());
    }
}
