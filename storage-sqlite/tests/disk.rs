//! A disk that is full, or that fails to sync: nothing is half done, and the store works again once the disk does.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods, reason = "tests")]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use futures_executor::block_on;
use latchbook_core::key_store::conformance::samples;
use latchbook_core::key_store::{KeyStore as _, KeyStoreExt as _, StoreError};
use latchbook_core::model::{ChainId, ChangeSet, FIRST_LINK, FeedPosition, Index, Record};
use latchbook_sqlite::SqliteStore;
use support::empty_set;

const FOLDER: &str = "LATCHBOOK_DISK_FAULTS";

fn change(number: u64) -> ChangeSet {
    let ada = samples::developer_ref("ada").unwrap();
    let mut set = empty_set(number);
    set.insert.push(Record::ApiKey(samples::key(&ada, samples::key_id(number).unwrap(), samples::at(1))));
    set.insert.push(Record::Entity(samples::entity(&ada, &number.to_string(), samples::at(1)).unwrap()));
    set.audit.push(samples::event(&ChainId::Developer(ada), &number.to_string()));
    set.feed.push((samples::announcements().unwrap().remove(0), samples::at(9)));
    set
}

/// Everything of `count` changes is there, and nothing of another.
fn whole(store: &SqliteStore, count: u64) -> bool {
    let ada = samples::developer_ref("ada").unwrap();
    let length = |index: &Index| block_on(store.all(index)).unwrap().len() as u64;
    let (mut events, _) = block_on(store.audit(&ChainId::Developer(ada.clone()), None, 1000)).unwrap();
    events.reverse();
    let mut previous = FIRST_LINK;
    for (number, event) in (1..).zip(&events) {
        assert!(event.number == number && samples::audit_key().verifies(event, &previous), "event {number}");
        previous = event.link;
    }
    let head = block_on(store.changes(FeedPosition(0), 1000)).unwrap().head.0;
    let keys = length(&Index::KeysOf(ada.clone()));
    assert_eq!((keys, length(&Index::EntitiesOf(ada)), head), (events.len() as u64, keys, keys));
    keys == count
}

/// Does nothing by itself: the tests below run it in a process whose disk they can make fail.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let folder = Path::new(&folder);
    let fault = folder.join(std::env::var("LATCHBOOK_DISK_FAULT").unwrap());
    let store = SqliteStore::open(folder.join("auth.db")).unwrap();
    let mut done = 0;
    let mut number = 0;
    for _ in 0..10 {
        number += 1;
        block_on(store.commit(change(number))).unwrap();
        done += 1;
        assert!(whole(&store, done));
        fs::write(&fault, "").unwrap();
        // What was asked for counts as not done, and so does what comes before the store is open again.
        for more in 1..4 {
            let answer = block_on(store.commit(change(number + more)));
            assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
        }
        fs::remove_file(&fault).unwrap();
        let recovered = (0..100).any(|_| {
            std::thread::sleep(Duration::from_millis(20));
            block_on(store.get(&[])).is_ok() && block_on(store.commit(empty_set(1_000_000 + number))).is_ok()
        });
        assert!(recovered, "it works again by itself");
        // Whether it was done or not, asking again settles it.
        for more in 1..4 {
            block_on(store.commit(change(number + more))).unwrap();
            done += 1;
        }
        number += 3;
        assert!(whole(&store, done));
    }
    drop(store);
    assert!(whole(&SqliteStore::open(folder.join("auth.db")).unwrap(), done));
    fs::write(folder.join("passed"), "").unwrap();
}

fn under(fault: &str) {
    let folder = tempfile::tempdir().unwrap();
    let shim = folder.path().join("disk_faults.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/disk_faults.c");
    let compiled =
        Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).args([&shim, &source]).arg("-ldl").status();
    assert!(compiled.expect("a C compiler").success());
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(FOLDER, folder.path())
        .env("LATCHBOOK_DISK_FAULT", fault)
        .env("LD_PRELOAD", &shim)
        .status()
        .unwrap();
    assert!(status.success() && folder.path().join("passed").exists());
}

#[test]
fn s3_a_full_disk_is_unavailable_and_leaves_nothing_half_done() {
    under("full");
}

#[test]
fn s4_a_sync_that_fails_is_unavailable_and_the_store_opens_itself_again() {
    under("eio");
}
