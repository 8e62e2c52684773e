//! Stores that hold something, and the files around them.
#![allow(dead_code, clippy::unwrap_used, reason = "tests, each of which uses a part")]

use std::fs;
use std::path::{Path, PathBuf};

use futures_executor::block_on;
use latchbook_core::key_store::KeyStore as _;
use latchbook_core::key_store::conformance::samples;
use latchbook_core::model::{ChainId, ChangeId, ChangeSet, Merge, UnixTime};
use latchbook_sqlite::SqliteStore;

pub(crate) fn empty_set(number: u64) -> ChangeSet {
    ChangeSet::new(ChangeId::from_bytes(u128::from(number).to_be_bytes()), UnixTime::from_seconds(1))
}

/// A set with rows for every table.
pub(crate) fn full_set() -> ChangeSet {
    let ada = samples::developer_ref("ada").unwrap();
    let mut set = empty_set(1);
    set.insert = samples::one_of_each().unwrap();
    set.feed = samples::announcements().unwrap().into_iter().map(|said| (said, samples::at(99))).collect();
    set.audit = samples::events(&ChainId::Developer(ada.clone())).unwrap();
    set.merge = vec![Merge::Usage(samples::usage(&ada, samples::key_id(1).unwrap(), 1, 2, 3))];
    set
}

/// Makes a store at `path` with rows in every table.
pub(crate) fn filled(path: &Path) -> ChangeSet {
    let store = SqliteStore::open(path).unwrap();
    block_on(store.commit(full_set())).unwrap();
    full_set()
}

/// The file that SQLite keeps beside the one at `path`.
pub(crate) fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.file_name().unwrap().to_owned();
    name.push(end);
    path.with_file_name(name)
}

/// What is in the folder that `path` is in.
pub(crate) fn names(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path.parent().unwrap()).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    names
}
