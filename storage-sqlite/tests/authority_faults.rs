//! An authority over this store comes through a fault at any step of any operation.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    dead_code,
    unused_imports,
    unreachable_pub,
    missing_docs,
    missing_debug_implementations,
    reason = "tests, which take what they need"
)]

#[path = "../../core/tests/authority/faults.rs"]
mod faults;
#[path = "../../core/tests/authority/support/mod.rs"]
mod support;

use std::sync::Arc;

use latchbook_sqlite::SqliteStore;
use support::{House, START, TestClock, TestStore};

/// A house over a new file, which goes with it.
fn fresh() -> House {
    let folder = tempfile::tempdir().unwrap();
    let store = TestStore::over(Arc::new(SqliteStore::open(folder.path().join("auth.db")).unwrap()));
    store.keep(folder);
    House::open(store, Arc::new(TestClock::at(START)), |builder| builder)
}
