//! The shared tests, played in process.

#![allow(dead_code, clippy::expect_used, clippy::unwrap_used, reason = "tests")]

mod stage;

latchbook_adapter_tests::play_everywhere!(stage::in_process);
latchbook_adapter_tests::play_in_process!(stage::in_process);
