//! The store of `docs/write-your-own-store.md`: its code is the page's, it passes the suite, and it keeps what it acknowledged.
#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod journal;

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_executor::block_on;
use journal::JournalStore;
use latchbook_core::key_store::conformance::samples;
use latchbook_core::key_store::{KeyStore, KeyStoreExt as _, StoreError, conformance};
use latchbook_core::model::{ChangeId, ChangeSet, Record, UnixTime};

const PAGE: &str = include_str!("../../../docs/write-your-own-store.md");
const CODE: &str = include_str!("journal.rs");

/// A folder that is gone when this is.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("latchbook-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    /// A new store in a folder of its own, in place of the one before the last.
    fn fresh(&self, number: &AtomicU32) -> Result<JournalStore, StoreError> {
        let number = number.fetch_add(1, Ordering::Relaxed);
        if let Some(past) = number.checked_sub(2) {
            fs::remove_dir_all(self.0.join(past.to_string())).expect("the folder of a store that is done with");
        }
        JournalStore::open(self.0.join(number.to_string()))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_page_shows_the_code_that_is_tested() {
    let (store, suite) = PAGE.split_once("## Run the suite").expect("the part on the suite");
    let blocks: Vec<_> = blocks(store).collect();
    assert_eq!(blocks.join("\n"), CODE, "docs/write-your-own-store.md and core/tests/own_store/journal.rs differ");
    let lines = CODE.lines().filter(|line| !line.is_empty()).count();
    assert!(lines < 300, "{lines} lines");
    let own = include_str!("main.rs");
    for block in self::blocks(suite) {
        for line in block.lines() {
            assert!(own.contains(line.trim()), "this line of the page is not tested: {line}");
        }
    }
}

fn blocks(text: &str) -> impl Iterator<Item = &str> {
    text.split("```rust\n").skip(1).map(|rest| rest.split_once("```").expect("the end of a block").0)
}

#[test]
fn the_store_conforms() {
    let (folder, made) = (Folder::new("conforms"), AtomicU32::new(0));
    let fresh = async || folder.fresh(&made);
    block_on(conformance::run(fresh)).expect("a store that conforms");
    block_on(conformance::model(fresh, 100)).expect("a store that answers as the model does");
}

#[test]
fn the_store_conforms_behind_a_pointer() {
    let (folder, made) = (Folder::new("pointer"), AtomicU32::new(0));
    let fresh = async || folder.fresh(&made).map(|store| Arc::new(store) as Arc<dyn KeyStore>);
    block_on(conformance::run(fresh)).expect("a store that conforms");
}

/// A store with some developers, each in a commit of its own, and how long its journal was after each.
fn with_developers(folder: &Path) -> Vec<u64> {
    let store = JournalStore::open(folder).expect("a store");
    let length = || fs::metadata(folder.join("journal")).expect("the journal").len();
    let mut lengths = vec![length()];
    for number in 0..5_u8 {
        let mut set = ChangeSet::new(ChangeId::from_bytes([number; 16]), UnixTime::from_seconds(1));
        set.insert.push(developer(number));
        block_on(store.commit(set)).expect("a commit");
        lengths.push(length());
    }
    lengths
}

fn developer(number: u8) -> Record {
    Record::Developer(samples::developer(&samples::developer_ref(&format!("d{number}")).expect("an id")))
}

fn developers(store: &JournalStore) -> usize {
    (0..5).filter(|number| block_on(store.get_one(developer(*number).key())).expect("a read").is_some()).count()
}

#[test]
fn a_journal_cut_short_anywhere_keeps_every_commit_before() {
    let folder = Folder::new("cut");
    let lengths = with_developers(&folder.0);
    let journal = fs::read(folder.0.join("journal")).unwrap();
    for cut in usize::try_from(lengths[0]).unwrap()..journal.len() {
        fs::write(folder.0.join("journal"), &journal[..cut]).unwrap();
        let store = JournalStore::open(&folder.0).expect("a journal with a torn end");
        let whole = lengths.iter().skip(1).filter(|length| **length <= cut as u64).count();
        assert_eq!(developers(&store), whole, "cut at {cut}");
    }
}

#[test]
fn a_journal_with_a_flipped_bit_before_its_end_is_refused() {
    let folder = Folder::new("flipped");
    let lengths = with_developers(&folder.0);
    let journal = fs::read(folder.0.join("journal")).unwrap();
    for place in 0..usize::try_from(lengths[4]).unwrap() {
        let mut damaged = journal.clone();
        damaged[place] ^= 1;
        fs::write(folder.0.join("journal"), &damaged).unwrap();
        let opened = JournalStore::open(&folder.0);
        assert!(
            matches!(opened, Err(StoreError::Corrupt(_) | StoreError::Foreign(_) | StoreError::Newer(_))),
            "{place}"
        );
        assert_eq!(fs::read(folder.0.join("journal")).unwrap(), damaged, "left as it is, at {place}");
    }
}

#[test]
fn everything_is_there_after_a_restart() {
    let folder = Folder::new("restart");
    with_developers(&folder.0);
    for _ in 0..3 {
        let store = JournalStore::open(&folder.0).expect("a store");
        assert_eq!(developers(&store), 5);
        // What was answered once is answered again, and not done.
        let again = ChangeSet::new(ChangeId::from_bytes([3; 16]), UnixTime::from_seconds(1));
        assert_eq!(block_on(store.commit(again)).expect("the answer").id, ChangeId::from_bytes([3; 16]));
    }
}

#[test]
fn a_second_process_and_a_foreign_file_are_refused() {
    let folder = Folder::new("locked");
    let first = JournalStore::open(&folder.0).expect("a store");
    assert!(matches!(JournalStore::open(&folder.0), Err(StoreError::Locked(_))));
    drop(first);
    OpenOptions::new().write(true).open(folder.0.join("journal")).unwrap().write_all(b"something else").unwrap();
    assert!(matches!(JournalStore::open(&folder.0), Err(StoreError::Foreign(_))));
}
