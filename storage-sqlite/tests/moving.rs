//! Copies, snapshots, and stores that are opened for reading.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use latchbook_sqlite::SqliteStore as Store;

const FILE: &str = "auth.db";

#[path = "../../core/tests/stores/moving.rs"]
mod shared;
