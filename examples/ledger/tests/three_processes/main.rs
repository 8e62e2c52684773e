//! Three processes on one PostgreSQL: how soon a revocation is seen by all, and what they do while the server is away or another takes its place.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "tests"
)]

mod failover;
mod lag;
mod outage;
#[path = "../../../../storage-postgres/tests/support/server.rs"]
mod postgres;
#[path = "../support/mod.rs"]
mod support;
mod trio;

const PROGRAM: &str = support::LEDGER_AXUM;
