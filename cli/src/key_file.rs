//! A new file for the texts of keys: this user's alone, and never over another.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use latchbook::model::SecretText;
use zeroize::Zeroizing;

use crate::failure::Failure;

/// The file, which goes again if nothing is put into it.
#[derive(Debug)]
pub(crate) struct KeyFile {
    path: PathBuf,
    file: File,
    used: bool,
}

impl KeyFile {
    /// Makes the file at `path`, before there is anything to lose.
    pub(crate) fn make(path: &Path) -> Result<Self, Failure> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(path) {
            Ok(file) => Ok(Self { path: path.to_owned(), file, used: false }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(Failure::failed(format!(
                "`{}` is there already and would be lost; name a new file with --out",
                path.display()
            ))),
            Err(error) => Err(Failure::failed(format!("`{}` cannot be made: {error}", path.display()))),
        }
    }

    /// Adds a line with `text`, durably.
    pub(crate) fn put(&mut self, text: &SecretText) -> Result<(), Failure> {
        let mut line = Zeroizing::new(Vec::with_capacity(text.expose().len() + 1));
        line.extend_from_slice(text.expose().as_bytes());
        line.push(b'\n');
        self.used = true;
        let written = self.file.write_all(&line).and_then(|()| self.file.sync_all());
        written.map_err(|error| Failure::failed(format!("`{}` cannot be written: {error}", self.path.display())))
    }
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        if !self.used {
            let _ = fs::remove_file(&self.path);
        }
    }
}
