//! A copy of the whole storage gives no secret away.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use latchbook_sqlite::SqliteStore as Store;

const FILE: &str = "auth.db";

#[path = "../../core/tests/stores/secrets.rs"]
mod shared;
