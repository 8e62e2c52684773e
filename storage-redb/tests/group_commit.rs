//! Many changes at once share commits, and those that lose touch nothing.
#![allow(clippy::unwrap_used, reason = "tests")]

use latchbook_redb::RedbStore as Store;

const FILE: &str = "auth.redb";

#[path = "../../core/tests/stores/group_commit.rs"]
mod shared;
