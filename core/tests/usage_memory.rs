//! The same use gives the same counts as on every other store.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, unreachable_pub, reason = "tests")]

#[path = "stores/usage.rs"]
mod shared;

use std::sync::Arc;

use latchbook_core::key_store::{KeyStore, MemoryStore};

#[test]
fn the_same_use_is_counted_the_same_in_memory() {
    for store in [MemoryStore::new(), MemoryStore::shared()] {
        shared::the_same_use_is_counted_the_same(&(Arc::new(store) as Arc<dyn KeyStore>), || ());
    }
}
