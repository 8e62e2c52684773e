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

mod audit;
mod between;
mod caches;
mod clients;
mod clocks;
mod elsewhere;
mod entities;
mod faults;
mod keys;
mod opening;
mod own_scope;
mod races;
mod restored;
mod sandboxes;
mod signature_providers;
mod signing_keys;
mod staleness;
mod token_exchange;
mod unknown_outcomes;
mod usage;
mod usage_reading;

/// A house whose store is new, for the tests of faults.
fn fresh() -> support::House {
    support::House::new()
}
