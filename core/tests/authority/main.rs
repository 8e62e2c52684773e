//! The authority, tested as a host uses it, over a store in memory and a clock that the tests move.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub,
    missing_docs,
    missing_debug_implementations,
    reason = "tests"
)]

mod support;

mod clocks;
mod entities;
mod faults;
mod keys;
mod races;
mod staleness;
mod unknown_outcomes;
