//! A small ledger API guarded by latchbook.
