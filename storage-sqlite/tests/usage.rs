//! The same use gives the same counts as on every other store.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, unreachable_pub, reason = "tests")]

#[path = "../../core/tests/stores/usage.rs"]
mod shared;

use std::sync::Arc;

use latchbook_core::key_store::KeyStore;
use latchbook_sqlite::SqliteStore;

#[test]
fn the_same_use_is_counted_the_same_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("auth.db")).unwrap();
    shared::the_same_use_is_counted_the_same(&(Arc::new(store) as Arc<dyn KeyStore>), || ());
}
