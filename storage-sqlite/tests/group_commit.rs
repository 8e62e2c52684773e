//! Many changes at once share commits, and those that lose touch nothing.
#![allow(clippy::unwrap_used, reason = "tests")]

use latchbook_sqlite::SqliteStore as Store;

const FILE: &str = "auth.db";

#[path = "../../core/tests/stores/group_commit.rs"]
mod shared;
