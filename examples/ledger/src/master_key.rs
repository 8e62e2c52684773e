//! The master key: the environment's, else the one in `master.key` beside the store, which the very first start makes.

use std::io::{self, Write as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use latchbook::MasterKey;
use latchbook::model::SecretText;
use latchbook::random::{SystemRandom, secret_key};
use zeroize::Zeroizing;

use crate::private_file;
use crate::start::StartError;

/// The environment's key, else the one beside the store, which the very first start makes.
pub(crate) fn beside(store: &Path) -> Result<MasterKey, StartError> {
    let held = store.exists().then(|| format!("`{}`", store.display()));
    in_folder(store.parent().unwrap_or(Path::new("")), held.as_deref())
}

/// The environment's key, else the one in `folder`, which the very first start makes; where `held` names a store that
/// was set up before, there is none to make.
pub(crate) fn in_folder(folder: &Path, held: Option<&str>) -> Result<MasterKey, StartError> {
    if named_in_environment() {
        return MasterKey::from_env().map_err(StartError::new);
    }
    let file = folder.join("master.key");
    if !file.exists() {
        if let Some(store) = held {
            return Err(StartError::new(format!(
                "the store {store} is there and its master key `{}` is not; put it back, or set LATCHBOOK_MASTER_KEY_FILE",
                file.display()
            )));
        }
        make_key_file(&file).map_err(|error| {
            StartError::new(format!(
                "the master key `{}` cannot be made: {error}; choose a writable folder",
                file.display()
            ))
        })?;
    }
    MasterKey::from_file(&file).map_err(StartError::new)
}

/// The environment's key, else a new one that nobody keeps.
pub(crate) fn for_memory() -> Result<MasterKey, StartError> {
    if named_in_environment() { MasterKey::from_env().map_err(StartError::new) } else { Ok(new_key()?.0) }
}

fn named_in_environment() -> bool {
    ["LATCHBOOK_MASTER_KEY_FILE", "LATCHBOOK_MASTER_KEY"].iter().any(|name| std::env::var_os(name).is_some())
}

fn new_key() -> Result<(MasterKey, Zeroizing<String>), StartError> {
    let secret = secret_key(&SystemRandom::new()).map_err(StartError::new)?;
    // Sized for a line's end as well, so that adding one leaves no copy behind.
    let mut text = Zeroizing::new(String::with_capacity(64));
    STANDARD.encode_string(secret.expose(), &mut text);
    let key = MasterKey::parse(&SecretText::new(text.to_string())).map_err(StartError::new)?;
    Ok((key, text))
}

fn make_key_file(file: &Path) -> io::Result<()> {
    let (_, mut text) = new_key().map_err(io::Error::other)?;
    text.push('\n');
    private_file::make(file, text.as_bytes())?;
    let _ = writeln!(
        io::stderr(),
        "made a new master key in {}: keep a copy, the store is worthless without it",
        file.display()
    );
    Ok(())
}
