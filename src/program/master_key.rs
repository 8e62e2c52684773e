//! Where a program's master key is: in the environment, else in `master.key` beside the store.

use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use latchbook_core::MasterKey;
use latchbook_core::model::SecretText;
use latchbook_core::random::{RandomError, SystemRandom, secret_key};
use latchbook_core::seal::MasterKeyError;
use zeroize::Zeroizing;

use super::private_file;

/// A master key, and whether it was there.
#[derive(Debug)]
pub struct KeptKey {
    /// The key.
    pub key: MasterKey,
    /// The file that it was just made in: whoever runs the program should hear of it, and keep a copy.
    pub made: Option<PathBuf>,
}

/// The key of `LATCHBOOK_MASTER_KEY_FILE` or `LATCHBOOK_MASTER_KEY`; `None` where neither is set.
///
/// # Errors
/// [`KeyFileError::Key`] for one that cannot be read.
pub fn from_environment() -> Result<Option<MasterKey>, KeyFileError> {
    let named = ["LATCHBOOK_MASTER_KEY_FILE", "LATCHBOOK_MASTER_KEY"];
    let is_named = named.iter().any(|name| std::env::var_os(name).is_some());
    Ok(is_named.then(MasterKey::from_env).transpose()?)
}

/// The environment's key, else the one in the store's folder, which is made where there is no store yet.
///
/// # Errors
/// [`KeyFileError`], which says what to do.
pub fn beside(store: &Path) -> Result<KeptKey, KeyFileError> {
    let held = store.exists().then(|| format!("`{}`", store.display()));
    in_folder(store.parent().unwrap_or(Path::new("")), held.as_deref())
}

/// The environment's key, else the one in `folder`, which is made where there is none; where `held` names a store that
/// was set up before, there is none to make.
///
/// # Errors
/// [`KeyFileError`], which says what to do.
pub fn in_folder(folder: &Path, held: Option<&str>) -> Result<KeptKey, KeyFileError> {
    if let Some(key) = from_environment()? {
        return Ok(KeptKey { key, made: None });
    }
    let file = folder.join("master.key");
    let is_new = !file.exists();
    if is_new {
        if let Some(store) = held {
            return Err(KeyFileError::Missing { store: store.to_owned(), file });
        }
        make_key_file(&file).map_err(|source| KeyFileError::Unmade { file: file.clone(), source })?;
    }
    Ok(KeptKey { key: MasterKey::from_file(&file)?, made: is_new.then_some(file) })
}

/// A new key that nobody keeps.
///
/// # Errors
/// [`KeyFileError`] if the random number generator failed.
pub fn fresh() -> Result<MasterKey, KeyFileError> {
    Ok(new_key()?.0)
}

/// There is no usable master key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// The key that is there cannot be used.
    #[error(transparent)]
    Key(#[from] MasterKeyError),
    /// A store was set up before, and its key is gone.
    #[error(
        "the store {store} is there and its master key `{}` is not; put it back, or set LATCHBOOK_MASTER_KEY_FILE",
        file.display()
    )]
    Missing {
        /// The store, in words.
        store: String,
        /// Where the key was looked for.
        file: PathBuf,
    },
    /// No key could be made.
    #[error("the master key `{}` cannot be made: {source}; choose a writable folder", file.display())]
    Unmade {
        /// Where.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The random number generator failed.
    #[error(transparent)]
    Random(#[from] RandomError),
}

fn new_key() -> Result<(MasterKey, Zeroizing<String>), KeyFileError> {
    let secret = secret_key(&SystemRandom::new())?;
    // Sized for a line's end as well, so that adding one leaves no copy behind.
    let mut text = Zeroizing::new(String::with_capacity(64));
    STANDARD.encode_string(secret.expose(), &mut text);
    let key = MasterKey::parse(&SecretText::new(text.to_string()))?;
    Ok((key, text))
}

fn make_key_file(file: &Path) -> io::Result<()> {
    let (_, mut text) = new_key().map_err(io::Error::other)?;
    text.push('\n');
    private_file::make(file, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_beside_a_new_store_alone_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("data/auth.db");
        let made = beside(&store).unwrap();
        assert_eq!(made.made, Some(store.with_file_name("master.key")));
        assert!(beside(&store).unwrap().made.is_none());
        std::fs::write(&store, "").unwrap();
        assert!(beside(&store).unwrap().made.is_none());
        std::fs::remove_file(store.with_file_name("master.key")).unwrap();
        let error = beside(&store).expect_err("the store is there").to_string();
        assert!(error.contains("put it back"), "{error}");
    }
}
