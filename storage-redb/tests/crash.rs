//! A process that is killed while it commits loses nothing that it acknowledged.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods, reason = "tests")]

use latchbook_redb::RedbStore as Store;

const FILE: &str = "auth.redb";

#[path = "../../core/tests/stores/crash.rs"]
mod shared;
