//! The store on redb passes every check that a store must pass.
#![allow(clippy::expect_used, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_executor::block_on;
use latchbook_core::key_store::{KeyStore, conformance};
use latchbook_redb::RedbStore;

#[test]
fn a_store_on_redb_conforms() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = AtomicU32::new(0);
    let fresh = async || RedbStore::open(folder.path().join(made.fetch_add(1, Ordering::Relaxed).to_string()));
    block_on(conformance::run(fresh)).expect("as a value");
}

#[test]
fn a_store_on_redb_conforms_behind_a_pointer() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = AtomicU32::new(0);
    let fresh = async || {
        let path = folder.path().join(made.fetch_add(1, Ordering::Relaxed).to_string());
        RedbStore::open(path).map(|store| Arc::new(store) as Arc<dyn KeyStore>)
    };
    block_on(conformance::run(fresh)).expect("as a pointer");
}

#[test]
fn a_store_on_redb_answers_as_the_model_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = AtomicU32::new(0);
    let fresh = async || {
        // One file at a time is enough, and 10,000 are too many.
        let number = made.fetch_add(1, Ordering::Relaxed);
        if let Some(past) = number.checked_sub(2) {
            std::fs::remove_file(folder.path().join(past.to_string())).expect("a file of the list before");
        }
        RedbStore::open(folder.path().join(number.to_string()))
    };
    block_on(conformance::model(fresh, 200)).expect("the same answers");
}
