//! The store in memory passes every check that a store must pass.
#![cfg(feature = "conformance")]
#![allow(clippy::expect_used, reason = "tests")]

use std::sync::Arc;

use futures_executor::block_on;
use latchbook_core::key_store::{KeyStore, MemoryStore, conformance};

#[test]
fn a_store_in_memory_conforms() {
    block_on(conformance::run(async || Ok(MemoryStore::new()))).expect("as a value");
}

#[test]
fn a_shared_store_in_memory_conforms_behind_a_pointer() {
    block_on(conformance::run(async || Ok(Arc::new(MemoryStore::shared()) as Arc<dyn KeyStore>)))
        .expect("as a pointer");
}

#[test]
fn a_store_in_memory_answers_as_itself() {
    block_on(conformance::model(async || Ok(MemoryStore::new()), 100)).expect("the same");
}
